// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// With a million rows memory is flat, also while the host does not read.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := sdktest.StartSimulator(t, "./csvsim/cmd/csvsim")
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory", "listing.pressure"}})
}
