// SPDX-License-Identifier: Apache-2.0

// Command tallyman-pax8 is the plugin for Pax8. It only reads.
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
		Name:        "pax8",
		DisplayName: "Pax8",
		Version:     version,
		Vendor:      "Tallyman",
		Capabilities: sdk.Capabilities{
			RefsIgnoreCase:    true,
			SubscriptionScope: sdk.ScopeAccount,
			// What ended is still listed, as Cancelled. That something ended because it is missing is documented nowhere.
			AbsenceMeansEnded: false,
			ListingTotal:      true,
			PagedUnstable:     true,
			Addresses:         true,
			Prices:            true,
			RequestsPerMinute: publishedLimit,
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
