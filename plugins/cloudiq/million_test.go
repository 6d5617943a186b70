// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// TestAMillionSubscriptions lists a million, and a tenth of it before that: the memory of the program stays flat. Without
// details, which are a million requests, and are in TestConformance.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, cloudiqsim.Options{})
	settings := with(with(sim.Settings(), "fetch_details", "false"), "page_size", "1000")
	const million = 1_000_000
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Settings: settings, Large: million, Only: []string{"listing.memory"}})
}
