// SPDX-License-Identifier: Apache-2.0

// Command tallyman-cloudiq is the plugin for Cloud-iQ, the partner portal of Crayon. It only reads.
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
		Name:        "cloudiq",
		DisplayName: "Cloud-iQ",
		Version:     version,
		Vendor:      "Tallyman",
		Capabilities: sdk.Capabilities{
			SubscriptionScope: sdk.ScopeContainer,
			AbsenceMeansEnded: true,
			ListingTotal:      true,
			PagedUnstable:     true,
			Addresses:         true,
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
