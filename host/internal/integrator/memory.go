// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"os"
	"runtime/debug"
	"sync"
)

// leanPercent is by how much of what is in use the heap may grow before garbage is collected while runs work. A run holds
// one large index for most of its time and throws everything else away at once. With Go's default of 100 the program needs
// twice what it holds, with 25 a quarter more, for a few hundredths more of the processor's time.
const leanPercent = 25

// leanRuns are the runs under way, and what the percentage was before the first of them.
var leanRuns struct {
	sync.Mutex
	n, before int
}

// lean lowers the percentage until the last run has called the function it gives. Whoever sets GOGC knows better.
func lean() (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	leanRuns.Lock()
	defer leanRuns.Unlock()
	if leanRuns.n++; leanRuns.n == 1 {
		leanRuns.before = debug.SetGCPercent(leanPercent)
	}
	return func() {
		leanRuns.Lock()
		defer leanRuns.Unlock()
		if leanRuns.n--; leanRuns.n == 0 {
			debug.SetGCPercent(leanRuns.before)
		}
	}
}
