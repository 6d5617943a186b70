// SPDX-License-Identifier: Apache-2.0

// Command example is the smallest complete plugin. Its distributor is a JSON document at a URL, such as {"customers":
// [{"id": "c1", "name": "Acme"}], "subscriptions": [{"id": "s1", "customer": "c1", "product": "Mail", "seats": 25, "status": "live"}]}.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/tallymanhq/tallyman/sdk"
)

type settings struct {
	URL *url.URL   `setting:"url,required" help:"Where the document is." example:"https://example.com/customers.json"`
	Key sdk.Secret `setting:"key,required" help:"The bearer token that opens it."`
}

type document struct {
	Customers     []struct{ ID, Name string }
	Subscriptions []struct {
		ID, Customer, Product, Status string
		Seats                         sdk.Decimal
	}
}

var states = map[string]sdk.State{"live": sdk.StateActive, "paused": sdk.StateSuspended, "ended": sdk.StateCancelled}

type example struct {
	sdk.Unimplemented
	settings
}

func (e *example) fetch(ctx context.Context) (doc document, err error) {
	req := &http.Request{URL: e.URL, Header: http.Header{"Authorization": {"Bearer " + e.Key.Reveal()}}}
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return doc, sdk.Errorf(sdk.ClassTransient, "read the document: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return doc, sdk.Errorf(sdk.ClassOfHTTP(resp.StatusCode), "the server answered %s", resp.Status)
	}
	if err = json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.Customers == nil || doc.Subscriptions == nil {
		return doc, sdk.Errorf(sdk.ClassSchema, "the answer is not a whole JSON document with customers and subscriptions")
	}
	return doc, nil
}

func (e *example) ListCustomers(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
	return out.Scope(ctx, "account", "the document", func(s *sdk.CustomerScope) error {
		doc, err := e.fetch(ctx)
		for i := 0; err == nil && i < len(doc.Customers); i++ {
			err = s.Send(sdk.Customer{Ref: doc.Customers[i].ID, Name: doc.Customers[i].Name})
		}
		return err
	})
}

func (e *example) ListSubscriptions(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
	return out.Scope(ctx, "account", "the document", func(s *sdk.SubscriptionScope) error {
		doc, err := e.fetch(ctx)
		for i := 0; err == nil && i < len(doc.Subscriptions); i++ {
			r := doc.Subscriptions[i]
			err = s.Send(sdk.Subscription{Ref: r.ID, CustomerRef: r.Customer, Name: r.Product, State: states[r.Status],
				Status: r.Status, Items: []sdk.Item{{Name: r.Product, Quantity: r.Seats}}})
		}
		return err
	})
}

func main() {
	sdk.Serve(sdk.Plugin[settings]{Name: "example", DisplayName: "Example", Version: "1.0.0",
		Capabilities: sdk.Capabilities{SubscriptionScope: sdk.ScopeAccount, AbsenceMeansEnded: true},
		Connect: func(_ context.Context, s settings, _ sdk.Env) (sdk.Distributor, error) {
			return &example{settings: s}, nil
		}})
}
