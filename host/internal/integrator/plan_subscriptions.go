// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// chunk is how many subscriptions are looked up and written together.
const chunk = 500

// subscriptionStep is what happens with one subscription.
type subscriptionStep struct {
	// row is the distributor's record as it will be, was the one that is known; row.ID is zero for a new one.
	row, was store.DistributorSubscription
	// sub is our record as it is; a new one has no ID, and is nil while its customer is not mapped.
	sub *store.Subscription
	// told is what the distributor says; nil for one that is missing.
	told *reconcile.Observed
	// owner is the distributor customer it belongs to; nil if that is not known.
	owner *customerStep
	// scope is the position of its scope.
	scope   uint32
	changes []stepChange
	// leftActive: it ended, deactivation is not allowed.
	leftActive bool
	// waited: it was known and had no customer to go to.
	waited bool
}

// stepChange is a change as it is recorded, with what it does.
type stepChange struct {
	Change
	does reconcile.Change
}

// eachSubscription goes through every subscription that may need something, in a fixed order, and gives the same steps
// each time as long as the database does not change: first what was listed and is new or differs, then what is missing
// from complete scopes, then what moves because its customer's mapping changed.
func (r *run) eachSubscription(ctx context.Context, fn func(*subscriptionStep) error) error {
	if !r.subscriptions.read {
		return nil
	}
	if err := r.eachListed(ctx, fn); err != nil {
		return err
	}
	if err := r.eachMissing(ctx, fn); err != nil {
		return err
	}
	return r.eachReplaced(ctx, fn)
}

// eachListed goes through the spool.
func (r *run) eachListed(ctx context.Context, fn func(*subscriptionStep) error) error {
	batch := make([]spooled, 0, chunk)
	flush := func() error {
		err := r.listedBatch(ctx, batch, fn)
		batch = batch[:0]
		return err
	}
	err := r.subscriptions.each(r.key, func(rec spooled) error {
		if batch = append(batch, rec); len(batch) == chunk {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// each goes through the records of the spool that count: of one that came more than once the last, none of a scope that failed,
// and none that is disputed.
func (s *subscriptionListing) each(key refKey, fn func(spooled) error) error {
	last, err := s.lastOfRepeated(key)
	if err != nil {
		return err
	}
	position := 0
	return s.delta.each(func(rec spooled) error {
		position++
		if s.scopes[rec.scope].failed || last.skips(rec, position, key) || len(s.disputed) > 0 && s.disputed[rec.name(key)] {
			return nil
		}
		return fn(rec)
	})
}

// lastPositions says, for keys that came more than once, where in the spool the last one is.
type lastPositions map[string]int

func (s *subscriptionListing) lastOfRepeated(key refKey) (lastPositions, error) {
	if len(s.repeated) == 0 {
		return nil, nil
	}
	last := lastPositions{}
	position := 0
	err := s.delta.each(func(rec spooled) error {
		position++
		if s.repeated[rec.key] && !s.scopes[rec.scope].failed {
			last[rec.name(key)] = position
		}
		return nil
	})
	return last, err
}

func (l lastPositions) skips(rec spooled, position int, key refKey) bool {
	if l == nil {
		return false
	}
	at, repeated := l[rec.name(key)]
	return repeated && at != position
}

// name gives the record's key.
func (rec spooled) name(key refKey) string {
	name := key(rec.sub.GetRef())
	if items := rec.sub.GetItems(); len(items) > 0 && items[rec.item].GetRef() != "" {
		name = itemKey(name, items[rec.item].GetRef())
	}
	return name
}

// listedBatch looks up what is known of a batch and decides about each.
func (r *run) listedBatch(ctx context.Context, batch []spooled, fn func(*subscriptionStep) error) error {
	if len(batch) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var ids []int64
	owners := make([]string, 0, len(batch))
	for _, rec := range batch {
		owners = append(owners, r.key(withoutNUL(rec.sub.GetCustomerRef())))
		if rec.entry >= 0 {
			ids = append(ids, r.subscriptions.index.entries[rec.entry].id)
		}
	}
	known, err := r.pairs(ctx, ids)
	if err != nil {
		return err
	}
	if err := r.nameOwners(ctx, owners...); err != nil {
		return err
	}
	for _, rec := range batch {
		var pair *store.Pair
		if rec.entry >= 0 {
			pair = known[r.subscriptions.index.entries[rec.entry].id]
		}
		step, err := r.listedStep(rec, pair)
		if err != nil {
			return err
		}
		if err := fn(step); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pairs(ctx context.Context, ids []int64) (map[int64]*store.Pair, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := r.store.DistributorSubscriptionsByID(ctx, r.module.ID, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*store.Pair, len(list))
	for i := range list {
		byID[list[i].ID] = &list[i]
	}
	return byID, nil
}

// listedStep decides about one listed subscription. What this listing does not tell of it is what earlier ones told: the
// price of a subscription that waits for its customer to be mapped is not lost when a later listing has none.
func (r *run) listedStep(rec spooled, pair *store.Pair) (*subscriptionStep, error) {
	told := rec.told()
	step := &subscriptionStep{told: &told, scope: rec.scope}
	name := rec.name(r.key)
	if pair != nil && pair.RefKey == name {
		step.was, step.row, step.sub = pair.DistributorSubscription, pair.DistributorSubscription, pair.Subscription
		step.waited = waits(&pair.DistributorSubscription, pair.Subscription)
		before, err := storedRecord(pair)
		if err != nil {
			return nil, err
		}
		told = told.Remember(before.Fields)
	} else {
		step.row = store.DistributorSubscription{TenantID: r.tenant.ID, ModuleID: r.module.ID, RefKey: name, CreatedAt: r.started}
	}
	row := &step.row
	r.tell(row, rec, &told)
	row.Flags, row.Missing = row.Flags&store.FlagCarried, 0
	step.owner = r.planned.owner(row.CustomerKey)
	if row.Flags == 0 {
		r.decideListed(step)
	}
	return step, nil
}

// storedRecord gives what the distributor told of a subscription before.
func storedRecord(pair *store.Pair) (reconcile.Observed, error) {
	var told reconcile.Observed
	if err := json.Unmarshal(pair.Record, &told); err != nil {
		return told, fmt.Errorf("read the stored record of subscription %q: %w", pair.Ref, err)
	}
	return told, nil
}

// told gives what the record says.
func (rec spooled) told() reconcile.Observed {
	item := noItem
	if items := rec.sub.GetItems(); len(items) > 0 {
		item = items[rec.item]
	}
	return observed(rec.sub, item)
}

// tell writes into a row what the distributor says.
func (r *run) tell(row *store.DistributorSubscription, rec spooled, told *reconcile.Observed) {
	row.Ref, row.KeyHash, row.Fingerprint = told.Ref, int64(rec.key), int64(rec.print)
	row.CustomerKey, row.Record = r.key(told.CustomerRef), jsonText(told)
}

// waits reports whether a distributor subscription has no subscription of ours, and gets one once its customer is mapped.
func waits(row *store.DistributorSubscription, sub *store.Subscription) bool {
	return sub == nil && row.Flags&(store.FlagGone|store.FlagCarried) == 0
}

// decideListed asks the rules, once it is clear whose subscription it is.
func (r *run) decideListed(step *subscriptionStep) {
	var decision reconcile.Decision
	complete, policy := r.subscriptions.scopes[step.scope].complete, r.req.Module.Subscriptions
	switch {
	case step.owner != nil && step.owner.placed():
		decision = reconcile.Seen(current(step.sub), *step.told, step.owner.customerID(), complete, policy)
		if step.sub == nil {
			step.sub = r.newSubscription(step, decision)
		}
	case step.sub != nil:
		// It waits for its customer to be mapped again, except for its end.
		var end *reconcile.Change
		if end, decision.EndPending = reconcile.End(*current(step.sub), *step.told, complete, policy); end != nil {
			decision.Changes = []reconcile.Change{*end}
		}
	}
	if decision.EndPending {
		step.row.Flags |= store.FlagPending
		step.leftActive = !policy.DeactivateMissing
	}
	for _, change := range decision.Changes {
		r.addChange(step, change)
	}
}

// newSubscription is our record of a subscription that we have not had.
func (r *run) newSubscription(step *subscriptionStep, decision reconcile.Decision) *store.Subscription {
	sub := &store.Subscription{
		TenantID: r.tenant.ID, CustomerID: step.owner.customerID(), ModuleID: r.module.ID,
		Distributor: r.info.Distributor, Ref: step.told.Ref, Active: decision.Active, CreatedAt: r.started, UpdatedAt: r.started,
	}
	if !decision.Active {
		sub.DeactivatedAt = &r.started
	}
	setFields(sub, decision.Fields)
	return sub
}

// addChange records one change of a step. A quantity that the guard does not believe is split off and held; the rest of
// the same update goes on.
func (r *run) addChange(step *subscriptionStep, does reconcile.Change) {
	if does.Kind == reconcile.Update {
		for i, d := range does.Differences {
			if d.Field != "quantity" {
				continue
			}
			if why, hold := r.req.Module.Limits.HoldQuantity(d.Before, d.After); hold {
				alone := reconcile.Change{Kind: reconcile.Update, Differences: []reconcile.Difference{d}, Reason: does.Reason}
				r.addOne(step, alone, reconcile.GuardQuantity, why)
				rest := append(append([]reconcile.Difference(nil), does.Differences[:i]...), does.Differences[i+1:]...)
				if len(rest) == 0 {
					return
				}
				does.Differences = rest
			}
			break
		}
	}
	guard, why := "", ""
	if does.Kind == reconcile.Deactivate {
		switch {
		case r.planned.holdEmpty != "":
			guard, why = reconcile.GuardEmptyListing, r.planned.holdEmpty
		case r.planned.holdDeactivations != "":
			guard, why = reconcile.GuardDeactivations, r.planned.holdDeactivations
		}
	}
	r.addOne(step, does, guard, why)
}

func (r *run) addOne(step *subscriptionStep, does reconcile.Change, guard, why string) {
	c := Change{Entity: EntitySubscription, Kind: string(does.Kind), Key: step.row.Ref, Name: step.sub.Name, EntityID: step.sub.ID, Reason: does.Reason}
	if step.owner != nil {
		c.Customer = step.owner.title()
	}
	if step.sub.CustomerID > 0 {
		c.CustomerID = step.sub.CustomerID
	}
	switch does.Kind {
	case reconcile.Create:
		c.After = step.row.Record
	case reconcile.Update:
		c.Before, c.After = differences(does.Differences)
	case reconcile.Move:
		c.Before = jsonText(map[string]int64{"customer_id": does.From})
		if does.To > 0 {
			c.After = jsonText(map[string]int64{"customer_id": does.To})
		}
	case reconcile.Deactivate:
		c.Before, c.After = activeText(true), activeText(false)
	case reconcile.Reactivate:
		c.Before, c.After = activeText(false), activeText(true)
	}
	if guard != "" && !r.planned.approved[c.fingerprint()] {
		c.Guard, c.Held = guard, why
	}
	step.changes = append(step.changes, stepChange{c, does})
}

func activeText(active bool) json.RawMessage {
	if active {
		return json.RawMessage(`{"active":true}`)
	}
	return json.RawMessage(`{"active":false}`)
}

// title is what people call the customer.
func (s *customerStep) title() string {
	switch {
	case s.name != "":
		return s.name
	case s.create != nil:
		return s.create.name
	default:
		return s.row.Name
	}
}
