// SPDX-License-Identifier: Apache-2.0

// Command tallyman-csv is the plugin for any distributor that sends files. It only reads.
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
		Name:         "csv",
		DisplayName:  "CSV files",
		Version:      version,
		Vendor:       "Tallyman",
		Capabilities: capabilities,
		Validate:     settings.validate,
		Connect: func(_ context.Context, s settings, _ sdk.Env) (sdk.Distributor, error) {
			return connect(s), nil
		},
	}
}

// capabilities are those of any file. What absence means depends on the layout.
var capabilities = sdk.Capabilities{SubscriptionScope: sdk.ScopeAccount, ListingTotal: true, Addresses: true, Prices: true}
