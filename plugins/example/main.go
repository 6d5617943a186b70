// SPDX-License-Identifier: Apache-2.0

// Command example is the smallest complete plugin. Its distributor answers GET /customers with a list such as
// [{"id": "c1", "name": "Acme"}], and GET /subscriptions with one such as
// [{"id": "s1", "customer": "c1", "product": "Mail", "seats": 25, "status": "live"}].
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

type settings struct {
	URL       string        `setting:"url,url,required" help:"Where the distributor's API is." example:"https://api.example.com"`
	Key       sdk.Secret    `setting:"key,required" help:"API key, from the partner portal under Integrations."`
	RetryWait time.Duration `setting:"retry_wait" default:"1s" help:"Wait before the first repeat of a request. It doubles each time."`

	cassette *rest.Cassette // set by tests that play recorded answers
}

var states = map[string]sdk.State{"live": sdk.StateActive, "paused": sdk.StateSuspended, "ended": sdk.StateCancelled}

type example struct {
	sdk.Unimplemented
	*rest.Client
}

func (e *example) ListCustomers(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
		return e.list(ctx, "/customers", func(o rest.Object) error {
			return s.Send(sdk.Customer{Ref: o.Text("id"), Name: o.Text("name")})
		})
	})
}

func (e *example) ListSubscriptions(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.SubscriptionScope) error {
		return e.list(ctx, "/subscriptions", func(o rest.Object) error {
			seats, err := o.Get("seats").Decimal()
			if err != nil {
				s.Partial("record.undecodable", "the seats of %s are no number", o.Text("id"))
				return nil //nolint:nilerr // it was told
			}
			return s.Send(sdk.Subscription{Ref: o.Text("id"), CustomerRef: o.Text("customer"), Name: o.Text("product"),
				State: states[o.Text("status")], Status: o.Text("status"), Items: []sdk.Item{{Name: o.Text("product"), Quantity: seats}}})
		})
	})
}

// list reads a list to its end. An answer of null is not an empty one.
func (e *example) list(ctx context.Context, path string, each func(rest.Object) error) error {
	listing, err := e.List(ctx, rest.Read(http.MethodGet, path, nil), func(v rest.Value) error { return each(v.Object()) })
	if err == nil && listing.Null {
		err = sdk.Errorf(sdk.ClassSchema, "the distributor answered null to %s, where a list was due", path)
	}
	return err
}

func connect(_ context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
	client, err := rest.New(rest.Options{
		BaseURL: s.URL, BaseURLField: "url", Header: http.Header{"Authorization": {"Bearer " + s.Key.Reveal()}},
		RetryWait: s.RetryWait, UserAgent: env.UserAgent, Secrets: []string{s.Key.Reveal()}, Log: env.Log, Cassette: s.cassette,
	})
	return &example{Client: client}, err
}

var plugin = sdk.Plugin[settings]{
	Name: "example", DisplayName: "Example", Version: "1.0.0", Connect: connect,
	Capabilities: sdk.Capabilities{SubscriptionScope: sdk.ScopeAccount, AbsenceMeansEnded: true},
}

func main() { sdk.Serve(plugin) }
