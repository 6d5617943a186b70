// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"
	"maps"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// apply makes the changes, their record and the new state one transaction. A preview goes the same way and writes nothing.
func (r *run) apply(ctx context.Context) error {
	r.noteUnlisted()
	if r.req.Mode == Plan {
		return r.write(ctx, nil)
	}
	r.progress("apply", 0, "")
	counts := maps.Clone(r.counts)
	over := func() {}
	err := r.store.Apply(ctx, r.module.ID, r.holder, func(ctx context.Context, tx *store.Tx) error {
		over = r.leases.write(r.module.ID)
		if err := r.write(ctx, tx); err != nil {
			return err
		}
		return tx.RenewLease(ctx, r.leaseTime())
	})
	over()
	if err != nil {
		// Nothing was changed, so nothing is counted as changed.
		r.counts, r.planned.held, r.record.FinishedAt, r.applied = counts, 0, nil, false
	}
	return err
}

// writer collects what is written until there is enough for one statement. Without a transaction it only counts.
type writer struct {
	*run
	tx      *store.Tx
	changes []store.Change

	// subContents and rowContents stay where they were.
	newSubs, subs, subContents []store.Subscription
	// newRows are the rows that get the subscriptions' ids: ofNewSub[i] is the row of newSubs[i], in rows or newRows.
	newRows, rows, rowContents []store.DistributorSubscription
	ofNewSub                   []rowAt
	// ofNewChange are the places in changes that get the id of newSubs[i].
	ofNewChange []int
	waiting     int
	// before is what earlier runs held.
	before heldBefore
}

// rowAt is a place in writer.newRows, or in writer.rows.
type rowAt struct {
	fresh bool
	at    int
}

func (r *run) write(ctx context.Context, tx *store.Tx) error {
	w := &writer{run: r, tx: tx, waiting: r.subscriptions.waiting}
	if tx != nil && r.req.Mode == Sync {
		if err := w.before.load(ctx, r); err != nil {
			return err
		}
	}
	if err := w.customers(ctx); err != nil {
		return err
	}
	if r.subscriptions.read {
		if err := w.subscriptions(ctx); err != nil {
			return err
		}
	}
	if tx == nil {
		return nil
	}
	if err := w.settleHeld(ctx); err != nil {
		return err
	}
	if err := w.flushChanges(ctx, 1); err != nil {
		return err
	}
	// If one listing could not be used the run has failed, and what the other one said is applied all the same.
	r.applied = true
	r.fill(r.report(r.brokenError()))
	return tx.FinishRun(ctx, &r.record)
}

// record keeps one change and reports whether it may be made.
func (w *writer) record(c Change) bool {
	if w.req.Planned != nil {
		w.req.Planned(c)
	}
	status := store.ChangeApplied
	if c.Guard != "" {
		status = store.ChangeHeld
		w.planned.held++
		if c.Guard == reconcile.GuardQuantity {
			w.guarded(c.Guard, "quantities that change too much to be believed")
		}
	} else {
		w.countChange(c)
	}
	if w.tx != nil {
		w.changes = append(w.changes, c.row(w.run, status))
	}
	return c.Guard == ""
}

// flushChanges writes the changes that were collected, if they are that many.
func (w *writer) flushChanges(ctx context.Context, least int) error {
	if w.tx == nil || len(w.changes) < least {
		return nil
	}
	err := w.tx.InsertChanges(ctx, w.changes)
	w.changes = w.changes[:0]
	return err
}

// countOf names the count of a change, by entity and kind. Other changes are only counted as applied.
var countOf = map[[2]string]string{
	{EntityCustomer, kindCreate}:                       CountCustomersCreated,
	{EntityMapping, kindMap}:                           CountCustomersMapped,
	{EntitySite, kindUpdate}:                           CountAddressesUpdated,
	{EntitySubscription, string(reconcile.Create)}:     CountCreated,
	{EntitySubscription, string(reconcile.Update)}:     CountUpdated,
	{EntitySubscription, string(reconcile.Move)}:       CountMoved,
	{EntitySubscription, string(reconcile.Deactivate)}: CountDeactivated,
	{EntitySubscription, string(reconcile.Reactivate)}: CountReactivated,
	{EntitySubscription, kindCarry}:                    CountCarried,
}

// countChange counts a change that is made.
func (w *writer) countChange(c Change) {
	w.count(CountApplied, 1)
	if name := countOf[[2]string{c.Entity, c.Kind}]; name != "" {
		w.count(name, 1)
	}
}

// noteUnlisted warns about scopes that this listing did not have although subscriptions are in them.
func (r *run) noteUnlisted() {
	if !r.subscriptions.read || r.narrow != nil {
		return
	}
	for i := range r.subscriptions.scopes {
		if s := &r.subscriptions.scopes[i]; !s.listed && s.known > 0 {
			left := fmt.Sprintf("its %d subscriptions were left as they are", s.known)
			if s.known == 1 {
				left = "its one subscription was left as it is"
			}
			r.details.warn("%s was not part of this listing; %s", s.title(), left)
		}
	}
}
