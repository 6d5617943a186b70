// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/csv/csvsim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// healthy is a simulator without its troubles, which have been played elsewhere.
type healthy struct{ *csvsim.Simulator }

func (healthy) Faults() []simulator.Fault { return nil }

// TestAMillionSubscriptions holds the program against the rules with files of a million rows: memory is flat, a reader who
// does not read does not make it grow, and it stops when it is told to.
func TestAMillionSubscriptions(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tallyman-plugin-csv")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	report, err := sdktest.Check(t.Context(), sdktest.Suite{Binary: binary, Simulator: healthy{newSimulator(t)}, Large: 1_000_000}, func(r sdktest.Result) {
		if r.Outcome == sdktest.Failed {
			t.Errorf("%s: %s", r.Rule, r.Seen)
		}
		t.Logf("%s: %s in %s", r.Rule, r.Outcome, r.Took)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Count(sdktest.Passed); n < 20 {
		t.Errorf("only %d rules passed", n)
	}
}
