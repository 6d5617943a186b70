// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"maps"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
)

// guard holds what is too large or unproven, and lets through what a person approved.
func (r *run) guard(ctx context.Context) error {
	if err := r.guardCustomers(ctx); err != nil {
		return err
	}
	return r.guardSubscriptions(ctx)
}

func (r *run) guardCustomers(ctx context.Context) error {
	p, limits := &r.planned, r.req.Module.Limits
	trusted, err := r.store.LastTrustworthy(ctx, r.module.ID)
	if err != nil {
		return err
	}
	p.firstImport = trusted.Customers == nil
	creations := 0
	for _, step := range p.creations {
		if !r.approvedCreation(step) {
			creations++
		}
	}
	// What this run maps by name counts, so that the same run again does not come to another decision.
	mapped := p.mappedBefore
	for _, step := range p.customers {
		if step.mapAs != "" && step.create == nil {
			mapped++
		}
	}
	why, hold := limits.HoldCreations(creations, mapped, p.firstImport)
	guard := reconcile.GuardCreations
	if r.req.Module.Unmatched == UnmatchedHold && !limits.Overridden[reconcile.GuardUnmatched] {
		guard, why, hold = reconcile.GuardUnmatched, "new customers wait for approval in this module", true
	}
	if hold {
		for _, step := range p.creations {
			if !r.approvedCreation(step) {
				step.create.guard, step.create.why = guard, why
				r.guarded(guard, why)
			}
		}
	}
	if why, hold := limits.HoldEmpty(len(p.gone), r.customers.listed, "customers"); hold {
		for _, step := range p.gone {
			flag := &step.changes[0]
			if p.approved[flag.fingerprint()] {
				continue
			}
			r.guarded(reconcile.GuardEmptyListing, why)
			step.write, step.row.GoneAt = false, nil
			flag.Guard, flag.Held = reconcile.GuardEmptyListing, why
		}
	}
	return nil
}

// approvedCreation reports whether a person let through that the step creates a customer.
func (r *run) approvedCreation(step *customerStep) bool {
	return len(r.planned.approved) > 0 && r.planned.approved[r.creation(step).fingerprint()]
}

// guardSubscriptions goes through the plan once to count what the guards look at, if there is anything that may end.
// Quantities are guarded one by one: see addChange.
func (r *run) guardSubscriptions(ctx context.Context) error {
	s, p, limits := &r.subscriptions, &r.planned, r.req.Module.Limits
	if !s.read || !r.req.Module.Subscriptions.DeactivateMissing || !s.ended && !r.anyMissing() {
		return nil
	}
	added := 0
	err := r.eachSubscription(ctx, func(step *subscriptionStep) error {
		for _, c := range step.changes {
			switch {
			case c.does.Kind == reconcile.Deactivate && !p.approved[c.fingerprint()]:
				p.deactivations++
			case c.does.Kind == reconcile.Create && step.sub.Active, c.does.Kind == reconcile.Reactivate:
				added++
			}
		}
		return nil
	})
	if err != nil || p.deactivations == 0 {
		return err
	}
	if r.narrow == nil {
		if why, hold := limits.HoldEmpty(s.live, s.listed, "subscriptions"); hold {
			p.holdEmpty = why
			r.guarded(reconcile.GuardEmptyListing, why)
			return nil
		}
	}
	active, err := r.store.CountActiveSubscriptions(ctx, r.module.ID)
	if err != nil {
		return err
	}
	// What this run adds counts, so that the same run again does not come to another decision.
	if why, hold := limits.HoldDeactivations(p.deactivations, active+added); hold {
		p.holdDeactivations = why
		r.guarded(reconcile.GuardDeactivations, why)
	}
	return nil
}

// guarded notes that a guard held something.
func (r *run) guarded(guard, why string) {
	if r.details.Guards == nil {
		r.details.Guards = map[string]string{}
	}
	r.details.Guards[guard] = why
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
