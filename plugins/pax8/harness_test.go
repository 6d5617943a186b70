// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func newSimulator(t *testing.T, o pax8sim.Options) *simulator.HTTP {
	t.Helper()
	sim, err := pax8sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// play lets the simulator play a fault.
func play(t *testing.T, sim *simulator.HTTP, fault string) {
	t.Helper()
	if err := sim.Play(t.Context(), fault); err != nil {
		t.Fatal(err)
	}
}

// with gives the simulator's settings with one more, or another one.
func with(sim *simulator.HTTP, name string, value any) map[string]any {
	s := sim.Settings()
	s[name] = value
	return s
}
