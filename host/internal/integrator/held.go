// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// loadApproved finds what a person let through: the held changes of the run that is being approved.
func (r *run) loadApproved(ctx context.Context) error {
	if r.req.Approve == 0 {
		return nil
	}
	r.planned.approved = map[uint64]bool{}
	err := r.eachHeld(ctx, r.module.ID, r.req.Approve, func(row store.ChangeRow) { r.planned.approved[fingerprintOf(row)] = true })
	if err != nil {
		return err
	}
	if len(r.planned.approved) == 0 {
		return &Problem{
			Code:    "approve.nothing_held",
			Message: fmt.Sprintf("run %d of %s holds nothing (any more)", r.req.Approve, r.req.Module),
			Hint:    fmt.Sprintf("A later run may have looked at it again: see %q.", "tallyman runs list "+r.req.Module.String()),
		}
	}
	return nil
}

// eachHeld goes through the held changes of one run of a module, or of all its runs if it is zero.
func (r *run) eachHeld(ctx context.Context, moduleID, run int64, fn func(store.ChangeRow)) error {
	for after := int64(0); ; {
		page, err := r.store.Changes(ctx, store.ChangeFilter{
			ModuleID: moduleID, RunID: run, Status: store.ChangeHeld, Oldest: true, AfterID: after, Limit: chunk,
		})
		if err != nil {
			return err
		}
		for _, row := range page {
			after = row.ID
			fn(row)
		}
		if len(page) < chunk {
			return nil
		}
	}
}

func fingerprintOf(row store.ChangeRow) uint64 {
	return Change{Entity: row.Entity, Kind: row.Kind, Key: row.EntityKey, After: row.After}.fingerprint()
}

// heldBefore is what earlier runs held, while a run decides about it.
type heldBefore struct {
	// subscriptions and customers are the held changes by the key of what they would change.
	subscriptions, customers map[string][]*heldChange
	all                      []*heldChange
}

// heldChange is one change that an earlier run held.
type heldChange struct {
	id          int64
	run         int64
	fingerprint uint64
	// lookedAt: this run came to a decision of its own about the same thing. applied: and to the same change, which a
	// person had let through.
	lookedAt, applied bool
}

// load reads what is held.
func (h *heldBefore) load(ctx context.Context, r *run) error {
	h.subscriptions, h.customers = map[string][]*heldChange{}, map[string][]*heldChange{}
	return r.eachHeld(ctx, r.module.ID, 0, func(row store.ChangeRow) {
		about, change := h.customers, &heldChange{id: row.ID, fingerprint: fingerprintOf(row)}
		if row.RunID != nil {
			change.run = *row.RunID
		}
		if row.Entity == EntitySubscription {
			about = h.subscriptions
		}
		about[r.key(row.EntityKey)] = append(about[r.key(row.EntityKey)], change)
		h.all = append(h.all, change)
	})
}

// lookAt notes that the run has decided about one thing. made are the changes it makes.
func (h *heldBefore) lookAt(about []*heldChange, approved int64, made []Change) {
	for _, change := range about {
		change.lookedAt = true
		for _, c := range made {
			if change.run == approved && c.Guard == "" && c.fingerprint() == change.fingerprint {
				change.applied = true
			}
		}
	}
}

// lookAtCustomers notes what the run has decided about customers: about those that were listed, and about all if the
// listing was complete.
func (w *writer) lookAtCustomers() {
	if len(w.before.customers) == 0 {
		return
	}
	if w.run.customers.complete && w.narrow == nil {
		for _, about := range w.before.customers {
			w.before.lookAt(about, w.req.Approve, nil)
		}
	}
	for key, about := range w.before.customers {
		if w.planned.known[key].listed && (w.narrow == nil || w.narrow[key]) {
			w.before.lookAt(about, w.req.Approve, nil)
		}
	}
	for _, steps := range [][]*customerStep{w.planned.customers, w.planned.gone} {
		for _, step := range steps {
			if about := w.before.customers[step.key]; len(about) > 0 {
				w.before.lookAt(about, w.req.Approve, w.changesOf(step))
			}
		}
	}
}

// settleHeld decides about what earlier runs held: what was let through and made is approved, and what this run has
// looked at again is superseded by what this run says about it. What it could not look at goes on being held.
func (w *writer) settleHeld(ctx context.Context) error {
	var approved, superseded []int64
	for _, change := range w.before.all {
		switch {
		case change.applied:
			approved = append(approved, change.id)
		case change.lookedAt:
			superseded = append(superseded, change.id)
		}
	}
	if len(approved) > 0 {
		if _, err := w.tx.SetHeld(ctx, store.HeldFilter{IDs: approved}, store.ChangeApproved, w.req.Who); err != nil {
			return err
		}
	}
	if len(superseded) > 0 {
		if _, err := w.tx.Supersede(ctx, store.HeldFilter{IDs: superseded}); err != nil {
			return err
		}
	}
	return nil
}
