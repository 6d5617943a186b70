// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sim, err := sherwebsim.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	sdktest.Run(t, sdktest.Suite{Plugin: plugin(), Simulator: sim, Large: 40_000}) // A million are tested apart.
}
