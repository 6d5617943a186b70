// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// A million subscriptions are 5,000 pages in one scope. What the plugin holds must not grow with them. The simulator runs as
// the program it is too, so that it is no slower where the tests are.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := sdktest.StartSimulator(t, "./pax8sim/cmd/pax8sim")
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory"}})
}
