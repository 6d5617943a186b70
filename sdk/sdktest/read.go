// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"fmt"
	"testing"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// Listing is what a host gets of one listing.
type Listing[Record any] struct {
	Records []Record
	// Complete: a host would take the listing for complete.
	Complete bool
	// Scopes tells how each scope ended: complete, partial, failed.
	Scopes map[string]string
	// Warnings are "code: message", the first twenty.
	Warnings []string
	// Err is the first reason why it is not complete.
	Err *sdk.Error
}

// Customers lists customers with an sdk.Plugin, in process: all, or those named. Settings are as in Suite.
func Customers(t *testing.T, plugin any, settings map[string]any, refs ...string) Listing[sdk.Customer] {
	t.Helper()
	var records []sdk.Customer
	h := read(t, plugin, settings, customers, sdk.ListRequest{CustomerRefs: refs}, func(e event) error {
		for _, p := range e.customers {
			record, err := transport.CustomerFromProto(p)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		return nil
	})
	return listingOf(h, records)
}

// Subscriptions lists subscriptions with an sdk.Plugin, in process: all, or those of the customers named. Settings are as in
// Suite.
func Subscriptions(t *testing.T, plugin any, settings map[string]any, customerRefs ...string) Listing[sdk.Subscription] {
	t.Helper()
	return SubscriptionsAsked(t, plugin, settings, sdk.ListRequest{CustomerRefs: customerRefs})
}

// SubscriptionsAsked lists subscriptions with an sdk.Plugin, in process, as a request asks for them. Settings are as in Suite.
func SubscriptionsAsked(t *testing.T, plugin any, settings map[string]any, request sdk.ListRequest) Listing[sdk.Subscription] {
	t.Helper()
	var records []sdk.Subscription
	h := read(t, plugin, settings, subscriptions, request, func(e event) error {
		for _, p := range e.records {
			record, err := transport.SubscriptionFromProto(p)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		return nil
	})
	return listingOf(h, records)
}

// read makes one listing of a kind. A listing that breaks the contract fails the test.
func read(t *testing.T, plugin any, settings map[string]any, k kind, request sdk.ListRequest, each func(event) error) *heard {
	t.Helper()
	open, err := inProcess(plugin)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(Suite{Settings: settings}, open)
	s, err := b.connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.lastComplete = request.LastComplete
	h, err := s.listEach(t.Context(), k, request.CustomerRefs, onlyCount, each)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.violations(""); err != nil {
		t.Error(err)
	}
	return h
}

func listingOf[Record any](h *heard, records []Record) Listing[Record] {
	l := Listing[Record]{Records: records, Complete: h.complete(), Scopes: map[string]string{}, Warnings: h.warnings}
	for _, scope := range h.scopes {
		l.Scopes[scope.ref] = outcomeName(scope.end.GetOutcome())
	}
	if !l.Complete {
		l.Err = transport.ErrorFromProto(h.firstError())
	}
	return l
}

func outcomeName(o distributorv1.Outcome) string {
	switch o {
	case distributorv1.Outcome_OUTCOME_COMPLETE:
		return "complete"
	case distributorv1.Outcome_OUTCOME_PARTIAL:
		return "partial"
	case distributorv1.Outcome_OUTCOME_FAILED:
		return "failed"
	default:
		return fmt.Sprint("none of the outcomes there are: ", int32(o))
	}
}

// list reads a listing to its end.
func (s *session) list(ctx context.Context, k kind, refs []string, keep bool) *heard {
	h, _ := s.listEach(ctx, k, refs, keep, func(event) error { return nil })
	return h
}
