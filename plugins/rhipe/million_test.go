// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// A million subscriptions are two answers of half a million, each streamed. What the plugin holds must not grow with them.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := sdktest.StartSimulator(t, "./rhipesim/cmd/rhipesim")
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory"}})
}
