// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// A million subscriptions are 20,001 customers, each a request and a scope. What the plugin holds must not grow with them.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := sdktest.StartSimulator(t, "./sherwebsim/cmd/sherwebsim")
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory"}})
}
