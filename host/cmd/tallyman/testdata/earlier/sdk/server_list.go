// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// ListCustomers streams the distributor's customers.
func (s *server) ListCustomers(request *distributorv1.ListCustomersRequest, stream distributorv1.DistributorService_ListCustomersServer) error {
	return s.guard(stream.Context(), "listing customers", func(ctx context.Context) error {
		distributor, err := s.connection()
		if err != nil {
			return err
		}
		out := s.newListing(ctx, func(event proto.Message) error { return stream.Send(customerEvent(event)) })
		return s.list(out, "listing customers", func() error {
			return distributor.ListCustomers(ctx, ListRequest{request.GetCustomerRefs()}, &CustomerListing{out})
		})
	})
}

// ListSubscriptions streams the distributor's subscriptions.
func (s *server) ListSubscriptions(request *distributorv1.ListSubscriptionsRequest, stream distributorv1.DistributorService_ListSubscriptionsServer) error {
	return s.guard(stream.Context(), "listing subscriptions", func(ctx context.Context) error {
		distributor, err := s.connection()
		if err != nil {
			return err
		}
		out := s.newListing(ctx, func(event proto.Message) error { return stream.Send(subscriptionEvent(event)) })
		return s.list(out, "listing subscriptions", func() error {
			return distributor.ListSubscriptions(ctx, ListRequest{request.GetCustomerRefs()}, &SubscriptionListing{out})
		})
	})
}

func (s *server) newListing(ctx context.Context, emit func(proto.Message) error) *listing {
	return &listing{
		ctx: ctx, foldRefs: s.plugin.capabilities().RefsIgnoreCase, secrets: s.secrets, recovered: s.recovered, emit: emit,
		progressed: time.Now(),
	}
}

// list runs a listing and ends it. How it went is in its last event; an error means that event could not be sent.
func (s *server) list(out *listing, what string, run func() error) error {
	err := func() (err error) {
		defer func() {
			if value := recover(); value != nil {
				err = s.recovered(what, value)
			}
		}()
		return run()
	}()
	return out.finish(err)
}

func customerEvent(event proto.Message) *distributorv1.ListCustomersResponse {
	r := &distributorv1.ListCustomersResponse{}
	switch e := event.(type) {
	case *distributorv1.ListingBegin:
		r.Event = &distributorv1.ListCustomersResponse_Begin{Begin: e}
	case *distributorv1.ScopeBegin:
		r.Event = &distributorv1.ListCustomersResponse_ScopeBegin{ScopeBegin: e}
	case *distributorv1.CustomerBatch:
		r.Event = &distributorv1.ListCustomersResponse_Records{Records: e}
	case *distributorv1.Tombstone:
		r.Event = &distributorv1.ListCustomersResponse_Tombstone{Tombstone: e}
	case *distributorv1.Warning:
		r.Event = &distributorv1.ListCustomersResponse_Warning{Warning: e}
	case *distributorv1.Progress:
		r.Event = &distributorv1.ListCustomersResponse_Progress{Progress: e}
	case *distributorv1.ScopeEnd:
		r.Event = &distributorv1.ListCustomersResponse_ScopeEnd{ScopeEnd: e}
	case *distributorv1.ListingEnd:
		r.Event = &distributorv1.ListCustomersResponse_End{End: e}
	default:
		panic(fmt.Sprintf("%T is no event of a listing", event))
	}
	return r
}

func subscriptionEvent(event proto.Message) *distributorv1.ListSubscriptionsResponse {
	r := &distributorv1.ListSubscriptionsResponse{}
	switch e := event.(type) {
	case *distributorv1.ListingBegin:
		r.Event = &distributorv1.ListSubscriptionsResponse_Begin{Begin: e}
	case *distributorv1.ScopeBegin:
		r.Event = &distributorv1.ListSubscriptionsResponse_ScopeBegin{ScopeBegin: e}
	case *distributorv1.SubscriptionBatch:
		r.Event = &distributorv1.ListSubscriptionsResponse_Records{Records: e}
	case *distributorv1.Tombstone:
		r.Event = &distributorv1.ListSubscriptionsResponse_Tombstone{Tombstone: e}
	case *distributorv1.Warning:
		r.Event = &distributorv1.ListSubscriptionsResponse_Warning{Warning: e}
	case *distributorv1.Progress:
		r.Event = &distributorv1.ListSubscriptionsResponse_Progress{Progress: e}
	case *distributorv1.ScopeEnd:
		r.Event = &distributorv1.ListSubscriptionsResponse_ScopeEnd{ScopeEnd: e}
	case *distributorv1.ListingEnd:
		r.Event = &distributorv1.ListSubscriptionsResponse_End{End: e}
	default:
		panic(fmt.Sprintf("%T is no event of a listing", event))
	}
	return r
}

var errEnough = errors.New("that is enough for a test")

// testByListing tests a connection that has no test of its own: it lists customers until the first are there.
func (s *server) testByListing(distributor Distributor, test *ConnectionTest) error {
	return test.Step("read", func(ctx context.Context) (string, error) {
		records, enough, failure := 0, false, (*Error)(nil)
		out := s.newListing(ctx, func(event proto.Message) error {
			switch e := event.(type) {
			case *distributorv1.CustomerBatch:
				records += len(e.GetCustomers())
				enough = true
				return errEnough
			case *distributorv1.ScopeEnd:
				if e.GetOutcome() == distributorv1.Outcome_OUTCOME_FAILED && failure == nil {
					failure = errorFromProto(e.GetError())
				}
			case *distributorv1.ListingEnd:
				if e.GetOutcome() == distributorv1.Outcome_OUTCOME_FAILED {
					failure = errorFromProto(e.GetError())
				}
			}
			return nil
		})
		err := s.list(out, "listing customers", func() error {
			return distributor.ListCustomers(ctx, ListRequest{}, &CustomerListing{out})
		})
		switch {
		case enough:
			test.Visible("at least %d customers", records)
			return "customers can be read", nil
		case err != nil:
			return "", err
		case failure != nil:
			return "", failure
		}
		test.Visible("no customers")
		return "customers can be read; there are none", nil
	})
}
