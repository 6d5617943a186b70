// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// StartSimulator builds the simulator's program in a folder, "./acmecloudsim/cmd/acmecloudsim", and starts it for the time
// of the test. A simulator that is to play a very large distributor is better off in a process of its own: there it is as
// fast as it can be, also when the test runs with the race detector.
func StartSimulator(t *testing.T, dir string) simulator.Simulator {
	t.Helper()
	sim, err := simulator.Start(t.Context(), t.Output(), build(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}
