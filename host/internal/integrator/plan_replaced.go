// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// eachReplaced goes through the known subscriptions of distributor customers whose mapping changed since they were
// placed, as far as nothing else has already happened to them.
func (r *run) eachReplaced(ctx context.Context, fn func(*subscriptionStep) error) error {
	for _, owner := range r.replaced() {
		if err := r.nameOwners(ctx, owner.key); err != nil {
			return err
		}
		err := r.eachOfCustomer(ctx, owner.key, func(pair *store.Pair) error {
			e := r.entryOf(pair)
			if e == nil || e.spooled || r.isMissing(e) || pair.Flags&store.FlagCarried != 0 {
				return nil
			}
			step, err := r.replacedStep(pair, owner)
			if err != nil || step == nil {
				return err
			}
			step.scope = e.scope
			return fn(step)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replaced gives the distributor customers that have a customer and whose subscriptions are elsewhere, or nowhere.
func (r *run) replaced() []*customerStep {
	if len(r.subscriptions.index.entries) == 0 {
		return nil
	}
	var list []*customerStep
	for _, key := range sortedKeys(r.planned.byKey) {
		step := r.planned.byKey[key]
		if !step.placed() || r.narrow != nil && !r.narrow[key] {
			continue
		}
		if placed := step.row.PlacedCustomerID; placed == nil || *placed != step.customerID() {
			list = append(list, step)
		}
	}
	return list
}

// replacedStep puts a known subscription on its customer: it moves it, makes it there, and catches up with what the
// distributor said while the customer was not mapped.
func (r *run) replacedStep(pair *store.Pair, owner *customerStep) (*subscriptionStep, error) {
	gone := pair.Flags&store.FlagGone != 0
	step := &subscriptionStep{
		was: pair.DistributorSubscription, row: pair.DistributorSubscription, sub: pair.Subscription, owner: owner,
		waited: waits(&pair.DistributorSubscription, pair.Subscription),
	}
	if gone {
		if pair.Subscription == nil || pair.Subscription.CustomerID == owner.customerID() {
			return nil, nil
		}
		r.addChange(step, reconcile.Moving(pair.Subscription.CustomerID, owner.customerID()))
		return step, nil
	}
	told, err := storedRecord(pair)
	if err != nil {
		return nil, err
	}
	step.told = &told
	decision := reconcile.Seen(current(pair.Subscription), told, owner.customerID(), false, r.req.Module.Subscriptions)
	if len(decision.Changes) == 0 {
		return nil, nil
	}
	if pair.Subscription == nil {
		step.sub = r.newSubscription(step, decision)
		decision.Changes[0].Reason = "its customer is now mapped"
	}
	for _, change := range decision.Changes {
		r.addChange(step, change)
	}
	return step, nil
}

// eachOfCustomer goes through the known subscriptions of one distributor customer.
func (r *run) eachOfCustomer(ctx context.Context, key string, fn func(*store.Pair) error) error {
	for after := int64(0); ; {
		page, err := r.store.DistributorSubscriptionsOfCustomer(ctx, r.module.ID, key, after, chunk)
		if err != nil {
			return err
		}
		for i := range page {
			after = page[i].ID
			if err := fn(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < chunk {
			return nil
		}
	}
}

// entryOf finds the index entry of a row; nil for a row that came after the index was loaded.
func (r *run) entryOf(pair *store.Pair) *entry {
	at := r.subscriptions.index.find(uint64(pair.KeyHash), uint64(pair.Fingerprint))
	if at < 0 || r.subscriptions.index.entries[at].id != pair.ID {
		return nil
	}
	return &r.subscriptions.index.entries[at]
}
