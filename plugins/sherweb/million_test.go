// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// A million subscriptions are 20,001 customers, each a request and a scope. What the plugin holds must not grow with them.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim, err := sherwebsim.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory"}})
}
