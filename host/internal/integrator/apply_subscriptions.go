// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// subscriptions goes through the plan a last time and writes it.
func (w *writer) subscriptions(ctx context.Context) error {
	if err := w.scopes(ctx); err != nil {
		return err
	}
	done := 0
	err := w.eachSubscription(ctx, func(step *subscriptionStep) error {
		w.subscription(step)
		if done++; len(w.changes) >= chunk || len(w.rows)+len(w.newRows)+len(w.rowContents) >= chunk {
			if w.tx != nil {
				w.progress("apply", done, "")
			}
			return w.flush(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.count(CountWaiting, w.waiting)
	return w.flush(ctx)
}

// scopes makes rows of scopes that are new.
func (w *writer) scopes(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	var rows []store.Scope
	var at []int
	list := w.run.subscriptions.scopes
	for i := range list {
		if list[i].id == 0 && list[i].listed && !list[i].failed {
			rows, at = append(rows, store.Scope{Ref: list[i].ref, Name: list[i].name}), append(at, i)
		}
	}
	if err := w.tx.EnsureScopes(ctx, rows); err != nil {
		return err
	}
	for i, row := range rows {
		list[at[i]].id = row.ID
	}
	return nil
}

// subscription takes one step of the plan apart into what is written.
func (w *writer) subscription(step *subscriptionStep) {
	isNew := step.sub != nil && step.sub.ID == 0
	writeSub, placeSub, held := isNew, false, false
	for _, c := range step.changes {
		if !w.record(c.Change) {
			held = true
			continue
		}
		if c.does.Kind != reconcile.Create {
			applyTo(step.sub, c.does, w)
			writeSub, placeSub = true, placeSub || c.does.Kind != reconcile.Update
		} else if w.tx != nil {
			w.ofNewChange = append(w.ofNewChange, len(w.changes)-1)
		}
	}
	w.countWaiting(step)
	if step.leftActive {
		w.count(CountLeftActive, 1)
	}
	deactivates := func(c stepChange) bool { return c.does.Kind == reconcile.Deactivate }
	if step.told == nil && step.row.Flags&store.FlagCarried == 0 && !slices.ContainsFunc(step.changes, deactivates) {
		w.count(CountMissing, 1)
	}
	if w.tx == nil {
		return
	}
	if about := w.before.subscriptions[w.key(step.row.Ref)]; about != nil {
		w.before.lookAt(about, w.req.Approve, step.made())
	}
	place := w.row(step, held)
	switch {
	case isNew:
		w.newSubs, w.ofNewSub = append(w.newSubs, *step.sub), append(w.ofNewSub, place)
	case placeSub:
		step.sub.UpdatedAt = w.started
		w.subs = append(w.subs, *step.sub)
	case writeSub:
		step.sub.UpdatedAt = w.started
		w.subContents = append(w.subContents, *step.sub)
	}
}

// made gives the changes as they are recorded.
func (s *subscriptionStep) made() []Change {
	list := make([]Change, len(s.changes))
	for i, c := range s.changes {
		list[i] = c.Change
	}
	return list
}

// countWaiting keeps the number of subscriptions that have no customer to go to.
func (w *writer) countWaiting(step *subscriptionStep) {
	if step.waited {
		w.waiting--
	}
	if waits(&step.row, step.sub) {
		w.waiting++
	}
}

// row keeps the distributor's record for writing, if it differs. Where a change is held it is marked for another look, so
// that the next run comes to the same change.
func (w *writer) row(step *subscriptionStep, held bool) rowAt {
	if held {
		step.row.Flags = step.row.Flags&^store.FlagGone | store.FlagPending
	}
	step.row.ScopeID = w.run.subscriptions.scopes[step.scope].id
	linked := step.sub != nil && step.sub.ID == 0
	if was := &step.was; step.row.ID != 0 && !linked && was.Fingerprint == step.row.Fingerprint && was.Flags == step.row.Flags &&
		was.Missing == step.row.Missing && was.ScopeID == step.row.ScopeID {
		return rowAt{at: -1}
	}
	step.row.UpdatedAt = w.started
	if step.row.ID == 0 {
		w.newRows = append(w.newRows, step.row)
		return rowAt{fresh: true, at: len(w.newRows) - 1}
	}
	if was := &step.was; !linked && was.CustomerKey == step.row.CustomerKey && was.ScopeID == step.row.ScopeID {
		w.rowContents = append(w.rowContents, step.row)
		return rowAt{at: -1}
	}
	w.rows = append(w.rows, step.row)
	return rowAt{at: len(w.rows) - 1}
}

// applyTo makes one change to our record.
func applyTo(sub *store.Subscription, does reconcile.Change, w *writer) {
	switch does.Kind {
	case reconcile.Update:
		fields := fieldsOf(sub)
		fields.Set(does.Differences)
		setFields(sub, fields)
	case reconcile.Move:
		sub.CustomerID = does.To
	case reconcile.Deactivate:
		sub.Active, sub.DeactivatedAt = false, &w.started
	case reconcile.Reactivate:
		sub.Active, sub.DeactivatedAt = true, nil
	case reconcile.Create:
	}
}

// flush writes what was collected.
func (w *writer) flush(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	if err := w.tx.InsertSubscriptions(ctx, w.newSubs); err != nil {
		return err
	}
	for i, place := range w.ofNewSub {
		id := w.newSubs[i].ID
		if place.fresh {
			w.newRows[place.at].SubscriptionID = &id
		} else if place.at >= 0 {
			w.rows[place.at].SubscriptionID = &id
		}
		change := &w.changes[w.ofNewChange[i]]
		change.EntityID, change.CustomerID = &id, &w.newSubs[i].CustomerID
	}
	if err := w.tx.UpdateSubscriptions(ctx, w.subs); err != nil {
		return err
	}
	if err := w.tx.UpdateSubscriptionContents(ctx, w.subContents); err != nil {
		return err
	}
	if err := w.tx.InsertDistributorSubscriptions(ctx, w.newRows); err != nil {
		return err
	}
	if err := w.tx.UpdateDistributorSubscriptions(ctx, w.rows); err != nil {
		return err
	}
	if err := w.tx.UpdateDistributorSubscriptionContents(ctx, w.rowContents); err != nil {
		return err
	}
	if err := w.flushChanges(ctx, 1); err != nil {
		return err
	}
	w.subContents, w.rowContents = w.subContents[:0], w.rowContents[:0]
	w.newSubs, w.subs, w.newRows, w.rows = w.newSubs[:0], w.subs[:0], w.newRows[:0], w.rows[:0]
	w.ofNewSub, w.ofNewChange = w.ofNewSub[:0], w.ofNewChange[:0]
	return nil
}
