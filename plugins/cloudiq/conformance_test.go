// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// TestConformance holds the plugin against every rule, with a call for the details of each subscription: a host that lists
// for the first time asks for all.
func TestConformance(t *testing.T) {
	t.Parallel()
	const manyCalls = 5_000
	sdktest.Run(t, sdktest.Suite{Plugin: plugin(), Simulator: newSimulator(t, cloudiqsim.Options{}), Large: manyCalls})
}

func newSimulator(t *testing.T, o cloudiqsim.Options) *simulator.HTTP {
	t.Helper()
	sim, err := cloudiqsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}
