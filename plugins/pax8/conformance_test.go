// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Run(t, sdktest.Suite{Plugin: plugin(), Simulator: newSimulator(t, pax8sim.Options{}), Large: 40_000}) // A million are tested apart.
}
