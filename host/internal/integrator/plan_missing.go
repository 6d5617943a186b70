// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// eachMissing goes through what complete scopes no longer list.
func (r *run) eachMissing(ctx context.Context, fn func(*subscriptionStep) error) error {
	if !r.info.AbsenceMeansEnded && len(r.subscriptions.removed) == 0 {
		return nil
	}
	ids := make([]int64, 0, chunk)
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		known, err := r.pairs(ctx, ids)
		if err != nil {
			return err
		}
		owners := make([]string, 0, len(known))
		for _, pair := range known {
			owners = append(owners, pair.CustomerKey)
		}
		if err := r.nameOwners(ctx, owners...); err != nil {
			return err
		}
		for _, id := range ids {
			pair := known[id]
			if pair == nil || r.narrow != nil && !r.narrow[pair.CustomerKey] {
				continue
			}
			if err := fn(r.missingStep(pair)); err != nil {
				return err
			}
		}
		ids = ids[:0]
		return nil
	}
	err := r.missingIDs(ctx, func(id int64) error {
		if ids = append(ids, id); len(ids) == chunk {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// missingIDs finds the rows of what is missing. A narrowed run looks only at its own customers' rows.
func (r *run) missingIDs(ctx context.Context, fn func(int64) error) error {
	if r.narrow != nil {
		for _, key := range sortedKeys(r.narrow) {
			err := r.eachOfCustomer(ctx, key, func(pair *store.Pair) error {
				if e := r.entryOf(pair); e != nil && r.isMissing(e) {
					return fn(pair.ID)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	for i := range r.subscriptions.index.entries {
		if e := &r.subscriptions.index.entries[i]; r.isMissing(e) {
			if err := fn(e.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// anyMissing reports whether eachMissing may find anything.
func (r *run) anyMissing() bool {
	entries := r.subscriptions.index.entries
	for i := range entries {
		if r.isMissing(&entries[i]) {
			return true
		}
	}
	return false
}

// isMissing reports whether a known subscription is missing from a scope that was read completely.
func (r *run) isMissing(e *entry) bool {
	scope := &r.subscriptions.scopes[e.scope]
	return !e.seen && e.flags&store.FlagGone == 0 && scope.listed && scope.complete &&
		(r.info.AbsenceMeansEnded || r.subscriptions.removed[e.key])
}

// missingStep decides about one missing subscription.
func (r *run) missingStep(pair *store.Pair) *subscriptionStep {
	step := &subscriptionStep{
		was: pair.DistributorSubscription, row: pair.DistributorSubscription, sub: pair.Subscription,
		owner:  r.planned.owner(pair.CustomerKey),
		waited: waits(&pair.DistributorSubscription, pair.Subscription),
	}
	e := r.entryOf(pair)
	step.scope = e.scope
	absence := reconcile.Missing(current(pair.Subscription), int(pair.Missing), r.subscriptions.removed[e.key],
		r.subscriptions.scopes[e.scope].title(), r.req.Module.Subscriptions)
	step.row.Missing, step.row.Flags = int64(absence.Missing), store.FlagMissing|pair.Flags&store.FlagCarried
	if absence.Gone {
		step.row.Flags |= store.FlagGone
	}
	step.leftActive = absence.LeftActive
	if step.sub != nil && step.owner != nil && step.owner.placed() && step.sub.CustomerID != step.owner.customerID() {
		r.addChange(step, reconcile.Moving(step.sub.CustomerID, step.owner.customerID()))
	}
	if absence.Change != nil {
		r.addChange(step, *absence.Change)
	}
	return step
}
