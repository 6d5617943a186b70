// SPDX-License-Identifier: Apache-2.0

// Command plugin is a vendor's plugin of the first days, built with the SDK as it was then. Nothing here changes any more.
package main

import (
	"context"

	"github.com/tallymanhq/tallyman/sdk"
)

// version and hostVersions are set by who builds it.
var (
	version      = "1.0.0"
	hostVersions string
)

type settings struct {
	Key   sdk.Secret `setting:"key,required" help:"API key, from the partner portal."`
	Seats int        `setting:"seats" default:"25" help:"How many seats there are."`
}

type connection struct {
	sdk.Unimplemented
	settings
}

func (c *connection) authorise() error {
	if c.Key.Reveal() != "open-sesame" {
		return sdk.Errorf(sdk.ClassAuth, "the key is refused")
	}
	return nil
}

func (c *connection) ListCustomers(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
		if err := c.authorise(); err != nil {
			return err
		}
		return s.Send(sdk.Customer{Ref: "c1", Name: "Contoso"})
	})
}

func (c *connection) ListSubscriptions(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.SubscriptionScope) error {
		if err := c.authorise(); err != nil {
			return err
		}
		return s.Send(sdk.Subscription{
			Ref: "s1", CustomerRef: "c1", Name: "Mail", State: sdk.StateActive, Status: "live",
			Items: []sdk.Item{{Name: "Mail", Quantity: sdk.Int(int64(c.Seats))}},
		})
	})
}

func main() {
	sdk.Serve(sdk.Plugin[settings]{
		Name: "earlier", DisplayName: "Earlier", Version: version, HostVersions: hostVersions,
		Capabilities: sdk.Capabilities{SubscriptionScope: sdk.ScopeAccount, AbsenceMeansEnded: true},
		Validate: func(settings) []sdk.Diagnostic {
			return []sdk.Diagnostic{{Warning: true, Field: "key", Message: "Validate was called"}}
		},
		Connect: func(_ context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
			env.Log.Error("Connect was called")
			return &connection{settings: s}, nil
		},
	})
}
