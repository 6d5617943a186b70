// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// pruneRuns is how many old runs a module's sync looks at when it is over: more than become old from one sync to the next.
const pruneRuns = 100

// Retention says what is old enough to go at this moment.
func (i *Integrator) Retention() store.Retention {
	before := func(keep time.Duration) time.Time {
		if keep == 0 {
			return time.Time{}
		}
		return i.now().Add(-keep)
	}
	return store.Retention{Changes: before(i.KeepChanges), Runs: before(i.KeepRuns)}
}

// prune removes what of the module has become old since its last sync. The run is over and stays what it is if that fails;
// the next one tries again.
func (r *run) prune(ctx context.Context) {
	if r.req.Mode != Sync || ctx.Err() != nil {
		return
	}
	pruned, err := r.store.Prune(ctx, r.module.ID, r.Retention(), pruneRuns)
	switch {
	case err != nil && ctx.Err() == nil:
		r.log.Warn("what is old could not be removed", "error", err)
	case pruned != store.Pruned{}:
		r.log.Info("removed what is old", "runs", pruned.Runs, "changes", pruned.Changes)
	}
}
