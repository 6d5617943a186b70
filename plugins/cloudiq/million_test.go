// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// TestAMillionSubscriptions lists a million, add-ons included, and a tenth of it before that: the memory of the program stays
// flat. Without details, which would be a million requests; TestConformance has them.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := sdktest.StartSimulator(t, "./cloudiqsim/cmd/cloudiqsim")
	settings := with(with(sim.Settings(), "fetch_details", "false"), "page_size", "1000")
	const million = 770_000 // For each ten there are three add-ons.
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Settings: settings, Large: million, Only: []string{"listing.memory"}})
}
