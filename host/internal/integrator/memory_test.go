// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"runtime/debug"
	"testing"
)

// TestTheCollectorIsLeanWhileRunsWork, and as it was once the last one is done. It is not parallel: the percentage is the
// whole program's.
func TestTheCollectorIsLeanWhileRunsWork(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	percent := func() int {
		now := debug.SetGCPercent(-1)
		debug.SetGCPercent(now)
		return now
	}
	first := lean()
	second := lean()
	if percent() != leanPercent {
		t.Errorf("the percentage is %d with two runs, want %d", percent(), leanPercent)
	}
	first()
	if percent() != leanPercent {
		t.Errorf("the percentage is %d with one run left, want %d", percent(), leanPercent)
	}
	second()
	if percent() != 77 {
		t.Errorf("the percentage is %d with no run left, want 77", percent())
	}
	t.Setenv("GOGC", "200")
	done := lean()
	if percent() != 77 {
		t.Errorf("the percentage is %d although GOGC is set, want 77", percent())
	}
	done()
}
