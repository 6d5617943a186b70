// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// A million subscriptions are 5,000 pages in one scope. What the plugin holds must not grow with them. The simulator runs as
// the program it is too, so that it is no slower where the tests are.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "pax8sim.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./pax8sim/cmd/pax8sim").CombinedOutput(); err != nil {
		t.Fatalf("build the simulator: %v\n%s", err, out)
	}
	sim, err := simulator.Start(t.Context(), os.Stderr, program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	sdktest.Run(t, sdktest.Suite{Simulator: sim, Large: 1_000_000, Only: []string{"listing.memory"}})
}
