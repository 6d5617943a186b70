// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/csv/csvsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func newSimulator(t *testing.T) *csvsim.Simulator {
	t.Helper()
	sim, err := csvsim.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Run(t, sdktest.Suite{Plugin: plugin(), Simulator: newSimulator(t), Large: 40_000}) // A million are tested apart.
}
