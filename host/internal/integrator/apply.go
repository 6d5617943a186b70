// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"maps"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// apply makes the changes, their record and the new state one transaction. A preview goes the same way and writes nothing.
func (r *run) apply(ctx context.Context) error {
	r.progress("apply", 0, "")
	r.noteUnlisted()
	if r.req.Mode == Plan {
		return r.write(ctx, nil)
	}
	counts := maps.Clone(r.counts)
	err := r.store.Apply(ctx, r.module.ID, r.Holder, func(ctx context.Context, tx *store.Tx) error {
		return r.write(ctx, tx)
	})
	if err != nil {
		// Nothing was changed, so nothing is counted as changed.
		r.counts, r.planned.held, r.record.FinishedAt = counts, 0, nil
	}
	return err
}

// writer collects what is written until there is enough for one statement. Without a transaction it only counts.
type writer struct {
	*run
	tx      *store.Tx
	changes []store.Change

	newSubs, subs []store.Subscription
	// newRows are the rows that get the subscriptions' ids: ofNewSub[i] is the row of newSubs[i], in rows or newRows.
	newRows, rows []store.DistributorSubscription
	ofNewSub      []rowAt
	// ofNewChange are the places in changes that get the id of newSubs[i].
	ofNewChange []int
	waiting     int
}

// rowAt is a place in writer.newRows, or in writer.rows.
type rowAt struct {
	fresh bool
	at    int
}

func (r *run) write(ctx context.Context, tx *store.Tx) error {
	w := &writer{run: r, tx: tx, waiting: r.subscriptions.waiting}
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
	if err := tx.InsertChanges(ctx, w.changes); err != nil {
		return err
	}
	if err := r.brokenError(); err != nil {
		// What could be read is applied; the run has failed all the same, and finish says so.
		return nil //nolint:nilerr // finish reports it
	}
	r.fill(r.report(nil))
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
	} else {
		w.countChange(c)
	}
	if w.tx != nil {
		w.changes = append(w.changes, c.row(w.run, status))
	}
	return c.Guard == ""
}

// countChange counts a change that is made.
func (w *writer) countChange(c Change) {
	w.count(CountApplied, 1)
	name := map[string]string{
		EntityCustomer + kindCreate:                          CountCustomersCreated,
		EntityMapping + kindMap:                              CountCustomersMapped,
		EntitySite + kindUpdate:                              CountAddressesUpdated,
		EntitySubscription + string(reconcile.Create):        CountCreated,
		EntitySubscription + string(reconcile.Update):        CountUpdated,
		EntitySubscription + string(reconcile.Move):          CountMoved,
		EntitySubscription + string(reconcile.Deactivate):    CountDeactivated,
		EntitySubscription + string(reconcile.Reactivate):    CountReactivated,
		EntityDistributorCustomer + kindFlag:                 "",
		EntityDistributorCustomer + kindRename:               "",
		EntityTopLevel + kindCreate:                          "",
		EntityDistributorCustomer + string(reconcile.Update): "",
	}[c.Entity+c.Kind]
	if name != "" {
		w.count(name, 1)
	}
}

// customers writes new customers with their sites, distributor customers, mappings and addresses.
func (w *writer) customers(ctx context.Context) error {
	if err := w.createCustomers(ctx); err != nil {
		return err
	}
	if err := w.distributorCustomers(ctx); err != nil {
		return err
	}
	var mappings []store.Mapping
	var newSites, sites []store.Site
	for _, step := range w.planned.customers {
		for _, c := range step.changes {
			c.EntityID, c.CustomerID = step.ids(c)
			w.record(c)
		}
		if step.mapAs != "" && step.placed() {
			mappings = append(mappings, store.Mapping{
				DistributorCustomerID: step.row.ID, CustomerID: step.customerID(), Origin: step.mapAs, Who: w.req.Who, CreatedAt: w.started,
			})
		}
		switch {
		case step.site == nil:
		case step.site.ID == 0:
			newSites = append(newSites, *step.site)
		default:
			sites = append(sites, *step.site)
		}
	}
	for _, step := range w.planned.gone {
		if step.write {
			w.count(CountCustomersGone, 1)
		}
		for _, c := range step.changes {
			w.record(c)
		}
	}
	if w.tx == nil {
		return nil
	}
	if err := w.tx.InsertMappings(ctx, mappings); err != nil {
		return err
	}
	if err := w.tx.InsertSites(ctx, newSites); err != nil {
		return err
	}
	return w.tx.UpdateSites(ctx, sites)
}

// ids gives our ids for a change of the step, now that they are known.
func (s *customerStep) ids(c Change) (entity, customer int64) {
	customer = max(s.customerID(), 0)
	switch c.Entity {
	case EntityCustomer:
		return customer, customer
	case EntityMapping, EntityDistributorCustomer:
		return s.row.ID, customer
	default:
		return c.EntityID, customer
	}
}

// createCustomers writes the customers that are created, with their main sites. From here on the plan has their ids.
func (w *writer) createCustomers(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	var steps []*customerStep
	for _, step := range w.planned.creations {
		if !step.create.held {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return nil
	}
	var topLevel *int64
	if name := w.req.Module.TopLevel; name != "" {
		id, err := w.tx.EnsureTopLevel(ctx, name)
		if err != nil {
			return err
		}
		topLevel = &id
	}
	rows := make([]store.Customer, len(steps))
	for i, step := range steps {
		rows[i] = store.Customer{
			Name: step.create.name, Active: true, TopLevelID: topLevel, CreatedBy: w.info.Distributor,
			CreatedAt: w.started, UpdatedAt: w.started,
		}
	}
	if err := w.tx.InsertCustomers(ctx, rows); err != nil {
		return err
	}
	sites := make([]store.Site, len(steps))
	for i, step := range steps {
		step.create.id = rows[i].ID
		sites[i] = store.Site{
			CustomerID: rows[i].ID, Name: "Main", Main: true, Address: store.Address(step.create.address.Clean()), UpdatedAt: w.started,
		}
	}
	return w.tx.InsertSites(ctx, sites)
}

// distributorCustomers writes what the distributor said about customers, and where their subscriptions are from now on.
func (w *writer) distributorCustomers(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	var fresh, known []store.DistributorCustomer
	var freshSteps []*customerStep
	for _, key := range sortedKeys(w.planned.byKey) {
		step := w.planned.byKey[key]
		row := step.row
		moved := w.place(&row, step)
		switch {
		case row.ID == 0:
			fresh, freshSteps = append(fresh, row), append(freshSteps, step)
		case step.write || moved:
			known = append(known, row)
		}
	}
	if err := w.tx.InsertDistributorCustomers(ctx, fresh); err != nil {
		return err
	}
	for i, step := range freshSteps {
		step.row.ID = fresh[i].ID
		step.fresh = true
	}
	return w.tx.UpdateDistributorCustomers(ctx, known)
}

// place notes on the row where the subscriptions of this distributor customer are after the run.
func (w *writer) place(row *store.DistributorCustomer, step *customerStep) bool {
	if !w.run.subscriptions.read || w.narrow != nil && !w.narrow[step.key] {
		return false
	}
	var now *int64
	if step.placed() {
		id := step.customerID()
		now = &id
	}
	if (now == nil) == (row.PlacedCustomerID == nil) && (now == nil || *now == *row.PlacedCustomerID) {
		return false
	}
	row.PlacedCustomerID = now
	return true
}

// subscriptions goes through the plan a last time and writes it.
func (w *writer) subscriptions(ctx context.Context) error {
	if err := w.scopes(ctx); err != nil {
		return err
	}
	done := 0
	err := w.eachSubscription(ctx, func(step *subscriptionStep) error {
		w.subscription(step)
		if done++; len(w.changes) >= chunk || len(w.rows)+len(w.newRows) >= chunk {
			w.progress("apply", done, "")
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
	writeSub, held := isNew, false
	for _, c := range step.changes {
		if !w.record(c.Change) {
			held = true
			continue
		}
		if c.does.Kind != reconcile.Create {
			applyTo(step.sub, c.does, w)
			writeSub = true
		} else if w.tx != nil {
			w.ofNewChange = append(w.ofNewChange, len(w.changes)-1)
		}
	}
	w.countWaiting(step)
	if step.leftActive {
		w.count(CountLeftActive, 1)
	}
	if step.told == nil && !slices.ContainsFunc(step.changes, func(c stepChange) bool { return c.does.Kind == reconcile.Deactivate }) {
		w.count(CountMissing, 1)
	}
	if w.tx == nil {
		return
	}
	place := w.row(step, held)
	switch {
	case isNew:
		w.newSubs, w.ofNewSub = append(w.newSubs, *step.sub), append(w.ofNewSub, place)
	case writeSub:
		step.sub.UpdatedAt = w.started
		w.subs = append(w.subs, *step.sub)
	}
}

// countWaiting keeps the number of subscriptions that have no customer to go to.
func (w *writer) countWaiting(step *subscriptionStep) {
	if step.waited {
		w.waiting--
	}
	if step.sub == nil && step.row.Flags&store.FlagGone == 0 {
		w.waiting++
	}
}

// row keeps the distributor's record for writing. Where a change is held it stays as it was, so that the next run finds
// the same difference; one that was not different at all is marked for another look instead.
func (w *writer) row(step *subscriptionStep, held bool) rowAt {
	switch {
	case held && step.placing:
		step.row.Flags |= store.FlagEndPending
	case !step.write, held && step.row.ID != 0:
		return rowAt{at: -1}
	}
	step.row.ScopeID, step.row.UpdatedAt = w.run.subscriptions.scopes[step.scope].id, w.started
	if step.row.ID == 0 {
		w.newRows = append(w.newRows, step.row)
		return rowAt{fresh: true, at: len(w.newRows) - 1}
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
	if err := w.tx.InsertDistributorSubscriptions(ctx, w.newRows); err != nil {
		return err
	}
	if err := w.tx.UpdateDistributorSubscriptions(ctx, w.rows); err != nil {
		return err
	}
	if err := w.tx.InsertChanges(ctx, w.changes); err != nil {
		return err
	}
	w.changes, w.newSubs, w.subs, w.newRows, w.rows = w.changes[:0], w.newSubs[:0], w.subs[:0], w.newRows[:0], w.rows[:0]
	w.ofNewSub, w.ofNewChange = w.ofNewSub[:0], w.ofNewChange[:0]
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

// noteUnlisted warns about scopes that this listing did not have although subscriptions are in them.
func (r *run) noteUnlisted() {
	if !r.subscriptions.read || r.narrow != nil {
		return
	}
	for i := range r.subscriptions.scopes {
		if s := &r.subscriptions.scopes[i]; !s.listed && s.known > 0 {
			r.details.warn("%s was not part of this listing; its %d subscriptions were left as they are", s.title(), s.known)
		}
	}
}
