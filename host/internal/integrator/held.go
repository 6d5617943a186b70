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
	r.planned.approvedRows = map[uint64]int64{}
	for after := int64(0); ; {
		page, err := r.store.Changes(ctx, store.ChangeFilter{
			ModuleID: r.module.ID, RunID: r.req.Approve, Status: store.ChangeHeld, Oldest: true, AfterID: after, Limit: chunk,
		})
		if err != nil {
			return err
		}
		for _, row := range page {
			after = row.ID
			c := Change{Entity: row.Entity, Kind: row.Kind, Key: row.EntityKey, After: row.After}
			r.planned.approved[c.fingerprint()] = true
			r.planned.approvedRows[c.fingerprint()] = row.ID
		}
		if len(page) < chunk {
			break
		}
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

// settleHeld decides about what earlier runs held: what was approved is approved, and what this run has looked at again
// is superseded by what this run says about it.
func (w *writer) settleHeld(ctx context.Context) error {
	if len(w.planned.approvedRows) > 0 {
		ids := make([]int64, 0, len(w.planned.approvedRows))
		for _, id := range w.planned.approvedRows {
			ids = append(ids, id)
		}
		if _, err := w.tx.SetHeld(ctx, store.HeldFilter{IDs: ids}, store.ChangeApproved, w.req.Who); err != nil {
			return err
		}
	}
	filter := store.HeldFilter{BeforeRun: w.run.record.ID}
	if w.narrow != nil {
		filter.CustomerIDs = w.req.Customers
	}
	if w.run.customers.read {
		filter.Entities = append(filter.Entities, EntityCustomer, EntityMapping, EntitySite, EntityDistributorCustomer)
	}
	if w.run.subscriptions.read {
		filter.Entities = append(filter.Entities, EntitySubscription)
	}
	if len(filter.Entities) == 0 || w.req.Mode == Mappings {
		return nil
	}
	_, err := w.tx.Supersede(ctx, filter)
	return err
}
