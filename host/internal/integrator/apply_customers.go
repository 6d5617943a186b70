// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// customers writes new customers with their sites, distributor customers, mappings and addresses.
func (w *writer) customers(ctx context.Context) error {
	if err := w.createCustomers(ctx); err != nil {
		return err
	}
	if err := w.distributorCustomers(ctx); err != nil {
		return err
	}
	for steps := range slices.Chunk(w.planned.customers, chunk) {
		if err := w.customerChanges(ctx, steps); err != nil {
			return err
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
	if w.tx != nil {
		w.lookAtCustomers()
	}
	w.settle()
	return nil
}

// settle gives back the memory of the steps that are done. What is left of them is whose they are, as of any known
// customer; those whose subscriptions may be elsewhere stay.
func (r *run) settle() {
	p := &r.planned
	elsewhere := r.subscriptions.index != nil && len(r.subscriptions.index.entries) > 0
	for key, step := range p.byKey {
		known := p.known[key]
		known.id, known.customer, known.placed = step.row.ID, 0, 0
		if step.placed() {
			known.customer = step.customerID()
		}
		if step.row.PlacedCustomerID != nil {
			known.placed = *step.row.PlacedCustomerID
		}
		p.known[key] = known
		if title := step.title(); r.req.Planned != nil && title != "" {
			p.titles[key] = title
		}
		if !elsewhere || known.customer == 0 || known.customer == known.placed {
			delete(p.byKey, key)
		}
	}
	p.customers, p.creations, p.gone = nil, nil, nil
}

// customerChanges writes some steps' mappings and addresses, and the record of their changes.
func (w *writer) customerChanges(ctx context.Context, steps []*customerStep) error {
	var mappings []store.Mapping
	var newSites, sites []store.Site
	for _, step := range steps {
		for _, c := range w.changesOf(step) {
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
	if w.tx == nil {
		return nil
	}
	if err := w.tx.InsertMappings(ctx, mappings); err != nil {
		return err
	}
	if err := w.tx.InsertSites(ctx, newSites); err != nil {
		return err
	}
	if err := w.tx.UpdateSites(ctx, sites); err != nil {
		return err
	}
	return w.flushChanges(ctx, chunk)
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
		if !step.create.held() {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return nil
	}
	if err := w.nobodyElseCreated(ctx, steps); err != nil {
		return err
	}
	var topLevel *int64
	if name := w.req.Module.TopLevel; name != "" {
		id, err := w.tx.EnsureTopLevel(ctx, name)
		if err != nil {
			return err
		}
		topLevel = &id
	}
	for portion := range slices.Chunk(steps, chunk) {
		if err := w.insertCustomers(ctx, portion, topLevel); err != nil {
			return err
		}
	}
	return nil
}

// insertCustomers writes the customers that some steps create.
func (w *writer) insertCustomers(ctx context.Context, steps []*customerStep, topLevel *int64) error {
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

// nobodyElseCreated makes sure that a customer is created once, although another module of the tenant, or a person, may have
// created it since the plan was made.
func (w *writer) nobodyElseCreated(ctx context.Context, steps []*customerStep) error {
	since, err := w.tx.CustomersSince(ctx, w.planned.lastCustomer)
	if err != nil {
		return err
	}
	for _, c := range since {
		for _, step := range steps {
			if c.Name == step.create.name {
				return &Problem{
					Code:    codeCreatedMeanwhile,
					Message: fmt.Sprintf("customer %q (#%d) was created by somebody else while this run was about to create it", c.Name, c.ID),
					Hint:    "Nothing was changed. Run it again, and it is mapped to that customer.",
				}
			}
		}
	}
	return nil
}

// distributorCustomers writes what the distributor said about customers, and where their subscriptions are from now on.
func (w *writer) distributorCustomers(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	for keys := range slices.Chunk(sortedKeys(w.planned.byKey), chunk) {
		if err := w.customerRows(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

// customerRows writes the rows of some distributor customers, as far as they differ.
func (w *writer) customerRows(ctx context.Context, keys []string) error {
	var fresh, known []store.DistributorCustomer
	var freshSteps []*customerStep
	for _, key := range keys {
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
