// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// chunk is how many subscriptions are looked up and written together.
const chunk = 500

// subscriptionStep is what happens with one subscription.
type subscriptionStep struct {
	// row is the distributor's record as it will be; row.ID is zero for a new one. write: it has to be written, unless one of
	// the changes is held. Then the row stays as it is, so that the next run finds the same difference again.
	row   store.DistributorSubscription
	write bool
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
	// placing: it was not listed as new or different, but its customer's mapping changed.
	placing bool
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
	s := &r.subscriptions
	last, err := s.lastOfRepeated(r.key)
	if err != nil {
		return err
	}
	batch := make([]spooled, 0, chunk)
	position := 0
	flush := func() error {
		err := r.listedBatch(ctx, batch, fn)
		batch = batch[:0]
		return err
	}
	err = s.delta.each(func(rec spooled) error {
		position++
		if s.scopes[rec.scope].failed || last.skips(rec, position, r.key) {
			return nil
		}
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
	for _, rec := range batch {
		if rec.entry >= 0 {
			ids = append(ids, r.subscriptions.index.entries[rec.entry].id)
		}
	}
	known, err := r.pairs(ctx, ids)
	if err != nil {
		return err
	}
	for _, rec := range batch {
		var pair *store.Pair
		if rec.entry >= 0 {
			pair = known[r.subscriptions.index.entries[rec.entry].id]
		}
		if err := fn(r.listedStep(rec, pair)); err != nil {
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

// listedStep decides about one listed subscription.
func (r *run) listedStep(rec spooled, pair *store.Pair) *subscriptionStep {
	item := noItem
	if items := rec.sub.GetItems(); len(items) > 0 {
		item = items[rec.item]
	}
	told := observed(rec.sub, item)
	step := &subscriptionStep{told: &told, scope: rec.scope}
	name := rec.name(r.key)
	if pair != nil && pair.RefKey == name {
		step.row, step.sub = pair.DistributorSubscription, pair.Subscription
		step.waited = pair.Subscription == nil && pair.Flags&store.FlagGone == 0
	} else {
		step.row = store.DistributorSubscription{TenantID: r.tenant.ID, ModuleID: r.module.ID, RefKey: name, CreatedAt: r.started}
	}
	old := step.row
	row := &step.row
	row.Ref, row.KeyHash, row.Fingerprint = told.Ref, int64(rec.key), int64(rec.print)
	row.CustomerKey, row.Flags, row.Missing = r.key(told.CustomerRef), 0, 0
	row.Record = jsonText(&told)
	step.owner = r.planned.byKey[row.CustomerKey]
	r.decideListed(step)
	if row.Flags&store.FlagEndPending != 0 {
		step.leftActive = !r.req.Module.Subscriptions.DeactivateMissing
	}
	step.write = old.ID == 0 || old.Fingerprint != row.Fingerprint || old.Flags != row.Flags || old.Missing != row.Missing ||
		old.ScopeID != r.subscriptions.scopes[rec.scope].id || len(step.changes) > 0
	return step
}

// decideListed asks the rules, once it is clear whose subscription it is.
func (r *run) decideListed(step *subscriptionStep) {
	if step.owner == nil || !step.owner.placed() {
		if step.sub != nil && step.told.Ended() && step.sub.Active {
			step.row.Flags |= store.FlagEndPending
		}
		return
	}
	decision := reconcile.Seen(current(step.sub), *step.told, step.owner.customerID(),
		r.subscriptions.scopes[step.scope].complete, r.req.Module.Subscriptions)
	if decision.EndPending {
		step.row.Flags |= store.FlagEndPending
	}
	if step.sub == nil {
		step.sub = r.newSubscription(step, decision)
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
		for key := range r.narrow {
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

// isMissing reports whether a known subscription is missing from a scope that was read completely.
func (r *run) isMissing(e *entry) bool {
	scope := &r.subscriptions.scopes[e.scope]
	return !e.seen && e.flags&store.FlagGone == 0 && scope.listed && scope.complete &&
		(r.info.AbsenceMeansEnded || r.subscriptions.removed[e.key])
}

// missingStep decides about one missing subscription.
func (r *run) missingStep(pair *store.Pair) *subscriptionStep {
	step := &subscriptionStep{
		row: pair.DistributorSubscription, sub: pair.Subscription, owner: r.planned.byKey[pair.CustomerKey],
		waited: pair.Subscription == nil,
	}
	e := r.entryOf(pair)
	step.scope = e.scope
	absence := reconcile.Missing(current(pair.Subscription), int(pair.Missing), r.subscriptions.removed[e.key],
		r.subscriptions.scopes[e.scope].title(), r.req.Module.Subscriptions)
	step.row.Missing = int64(absence.Missing)
	step.row.Flags |= store.FlagMissing
	if absence.Gone {
		step.row.Flags |= store.FlagGone
	}
	step.leftActive = absence.LeftActive
	if absence.Change != nil {
		r.addChange(step, *absence.Change)
	}
	step.write = step.row.Missing != pair.Missing || step.row.Flags != pair.Flags
	return step
}

// eachReplaced goes through the known subscriptions of distributor customers whose mapping changed since they were
// placed, as far as nothing else has already happened to them.
func (r *run) eachReplaced(ctx context.Context, fn func(*subscriptionStep) error) error {
	for _, owner := range r.replaced() {
		err := r.eachOfCustomer(ctx, owner.key, func(pair *store.Pair) error {
			e := r.entryOf(pair)
			if e == nil || r.taken(e) || r.isMissing(e) {
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

// taken reports whether a known subscription was listed and is dealt with from the spool.
func (r *run) taken(e *entry) bool { return e.spooled && !r.subscriptions.scopes[e.scope].failed }

// replaced gives the distributor customers that have a customer and whose subscriptions are elsewhere, or nowhere.
func (r *run) replaced() []*customerStep {
	var list []*customerStep
	for _, key := range sortedKeys(r.planned.byKey) {
		step := r.planned.byKey[key]
		if step.row.ID == 0 || step.fresh || !step.placed() || r.narrow != nil && !r.narrow[key] {
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
		row: pair.DistributorSubscription, sub: pair.Subscription, owner: owner, placing: true,
		waited: pair.Subscription == nil && !gone,
	}
	if gone {
		if pair.Subscription == nil || pair.Subscription.CustomerID == owner.customerID() {
			return nil, nil
		}
		r.addChange(step, reconcile.Change{
			Kind: reconcile.Move, From: pair.Subscription.CustomerID, To: owner.customerID(), Reason: reconcile.MoveReason,
		})
		return step, nil
	}
	var told reconcile.Observed
	if err := json.Unmarshal(pair.Record, &told); err != nil {
		return nil, fmt.Errorf("read the stored record of subscription %q: %w", pair.Ref, err)
	}
	step.told = &told
	decision := reconcile.Seen(current(pair.Subscription), told, owner.customerID(), false, r.req.Module.Subscriptions)
	if len(decision.Changes) == 0 {
		return nil, nil
	}
	if pair.Subscription == nil {
		step.sub, step.write = r.newSubscription(step, decision), true
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

// current gives our record as the rules take it.
func current(sub *store.Subscription) *reconcile.Current {
	if sub == nil {
		return nil
	}
	return &reconcile.Current{Active: sub.Active, Customer: sub.CustomerID, Fields: fieldsOf(sub)}
}

func fieldsOf(s *store.Subscription) reconcile.Fields {
	return reconcile.Fields{
		Name: s.Name, Quantity: textOf(s.Quantity), Unit: s.Unit, State: s.State, Status: s.Status, Charge: s.Charge,
		BillingTerm: s.BillingTerm, CommitmentTerm: s.CommitmentTerm, StartedOn: s.StartedOn, CommitmentEnd: s.CommitmentEnd,
		CancellableUntil: s.CancellableUntil, AutoRenew: yesNoText(s.AutoRenew), Trial: yesNoText(s.Trial), SKU: s.SKU,
		Vendor: s.Vendor, VendorRef: s.VendorRef, ParentRef: s.ParentRef, CustomerPrice: textOf(s.CustomerPrice),
		PartnerCost: textOf(s.PartnerCost), ListPrice: textOf(s.ListPrice), Currency: s.Currency,
	}
}

func setFields(s *store.Subscription, f reconcile.Fields) {
	s.Name, s.Quantity, s.Unit, s.State, s.Status, s.Charge = f.Name, orNull(f.Quantity), f.Unit, f.State, f.Status, f.Charge
	s.BillingTerm, s.CommitmentTerm, s.StartedOn, s.CommitmentEnd = f.BillingTerm, f.CommitmentTerm, f.StartedOn, f.CommitmentEnd
	s.CancellableUntil, s.AutoRenew, s.Trial = f.CancellableUntil, yesNo(f.AutoRenew), yesNo(f.Trial)
	s.SKU, s.Vendor, s.VendorRef, s.ParentRef = f.SKU, f.Vendor, f.VendorRef, f.ParentRef
	s.CustomerPrice, s.PartnerCost, s.ListPrice, s.Currency = orNull(f.CustomerPrice), orNull(f.PartnerCost), orNull(f.ListPrice), f.Currency
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func yesNo(s string) *bool {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil
	}
	return &b
}
