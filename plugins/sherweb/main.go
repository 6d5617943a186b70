// SPDX-License-Identifier: Apache-2.0

// Command tallyman-sherweb is the plugin for Sherweb, by its Service Provider API. It only reads.
package main

import (
	"context"

	"github.com/tallymanhq/tallyman/sdk"
)

// version is that of the plugin.
const version = "0.1.0"

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin[settings] {
	return sdk.Plugin[settings]{
		Name:        "sherweb",
		DisplayName: "Sherweb",
		Version:     version,
		Vendor:      "Tallyman",
		Capabilities: sdk.Capabilities{
			RefsIgnoreCase:    true, // Ids are UUIDs.
			SubscriptionScope: sdk.ScopeCustomer,
			AbsenceMeansEnded: true,
			StatusImplied:     true,
			Prices:            true,
		},
		Validate: settings.validate,
		Connect: func(_ context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
			c, err := connect(s, env)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	}
}
