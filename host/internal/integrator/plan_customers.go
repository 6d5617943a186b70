// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/mapping"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// planCustomers decides about every distributor customer that needs anything, listed or known.
func (r *run) planCustomers(ctx context.Context) error {
	p := &r.planned
	p.byKey, p.titles = map[string]*customerStep{}, map[string]string{}
	if err := r.loadKnown(ctx); err != nil {
		return err
	}
	rows, err := r.rowsToPlan(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		key := rows[i].RefKey
		p.byKey[key] = &customerStep{key: key, row: rows[i], customer: p.known[key].customer}
	}
	if r.customers.read {
		matcher, err := r.matcher(ctx)
		if err != nil {
			return err
		}
		for i := range r.customers.list {
			r.planCustomer(matcher, r.customers.list[i].Customer)
			if !r.followsAddresses() {
				// The plan of a first import takes as much memory as the listing. It takes its place bit by bit.
				r.customers.list[i].Customer = nil
			}
		}
		r.planGone(rows)
	}
	if err := r.planAddresses(ctx); err != nil {
		return err
	}
	r.forgetListed()
	return nil
}

// rowsToPlan gives the rows of known distributor customers that need anything, by id: those that were listed and are new,
// different or not mapped, those that are gone, and those whose subscriptions are not where they belong.
func (r *run) rowsToPlan(ctx context.Context) ([]store.DistributorCustomer, error) {
	p, ids := &r.planned, map[int64]bool{}
	for _, told := range r.customers.list {
		if known, ok := p.known[told.key]; ok {
			ids[known.id] = true
		}
	}
	for _, known := range p.known {
		if known.customer != 0 {
			p.mappedBefore++
		}
		if known.customer != known.placed || r.findsGone() && !known.listed && !known.gone {
			ids[known.id] = true
		}
	}
	return r.store.DistributorCustomersByID(ctx, r.module.ID, slices.Sorted(maps.Keys(ids)))
}

// manyCustomers is how many planned customers are worth a collection of their own.
const manyCustomers = 10_000

// forgetListed gives back the memory of what was listed, once everything about customers is decided.
func (r *run) forgetListed() {
	r.customers.list = nil
	for _, step := range r.planned.customers {
		step.told = nil
	}
	if len(r.planned.customers) > manyCustomers {
		// What planning them took goes back to the system, before the database fills its cache.
		debug.FreeOSMemory()
	}
}

// matcher makes a matcher for the customers that were listed. It holds only those of ours that they may be.
func (r *run) matcher(ctx context.Context) (*mapping.Matcher, error) {
	p := &r.planned
	mapped, names, folded := map[string]int64{}, map[string]bool{}, map[string]bool{}
	for _, told := range r.customers.list {
		if known := p.known[told.key]; known.customer != 0 {
			mapped[told.key] = known.customer
		} else {
			names[told.Name], folded[mapping.Fold(told.Name)] = true, true
		}
	}
	var ours []mapping.Customer
	if len(names) > 0 {
		err := r.store.ScanCustomers(ctx, r.tenant.ID, func(id int64, name string, active bool) {
			p.lastCustomer = id
			if names[name] || folded[mapping.Fold(name)] {
				ours = append(ours, mapping.Customer{ID: id, Name: name, Active: active})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return mapping.NewMatcher(ours, mapped), nil
}

// planCustomer decides about one listed customer.
func (r *run) planCustomer(matcher *mapping.Matcher, told *sdk.Customer) {
	p := &r.planned
	key := r.key(told.Ref)
	if r.narrow != nil && !r.narrow[key] {
		return
	}
	step := p.byKey[key]
	if step == nil {
		step = &customerStep{key: key, row: store.DistributorCustomer{
			TenantID: r.tenant.ID, ModuleID: r.module.ID, Ref: told.Ref, RefKey: key, CreatedAt: r.started,
		}}
		p.byKey[key] = step
	}
	step.ref, step.told = told.Ref, told
	p.customers = append(p.customers, step)
	r.planRow(step)

	decision := matcher.Decide(mapping.Incoming{Key: key, Name: told.Name, Partner: told.IsPartner, Ended: ended(told.Lifecycle)})
	switch decision.Verdict {
	case mapping.Mapped:
		step.customer = decision.CustomerID
	case mapping.SameName:
		r.planMapping(step, decision.CustomerID)
	case mapping.Ambiguous:
		r.count(CountCustomersAmbiguous, 1)
		r.details.note("%q (%s) was not mapped: %d customers have exactly this name (%s). Map it by hand.",
			told.Name, told.Ref, len(decision.Candidates), idList(decision.Candidates))
	case mapping.InactiveOnly:
		r.count(CountCustomersUnmatched, 1)
		r.details.note("%q (%s) was not mapped: the only customer with this name (%s) is inactive. Reactivate it or map it by hand.",
			told.Name, told.Ref, idList(decision.Candidates))
	case mapping.Nameless:
		r.count(CountCustomersUnmatched, 1)
		r.details.warn("distributor customer %s has no name; map it by hand", told.Ref)
	case mapping.Unmatched:
		r.planUnmatched(matcher, step, decision.Similar)
	case mapping.EndedUnmatched, mapping.Own: // nobody misses them
	}
	if !r.followsAddresses() {
		step.told = nil
	}
}

// planRow works out the row of a listed customer and reports what a person should know about: another name, an end.
func (r *run) planRow(step *customerStep) {
	told, old := step.told, step.row
	row := &step.row
	row.Name, row.Lifecycle, row.IsPartner = told.Name, lifecycleName(told.Lifecycle), told.IsPartner
	row.Fingerprint, row.Record = customerPrint(told)
	row.GoneAt = nil
	step.write = old.ID == 0 || old.Fingerprint != row.Fingerprint || old.GoneAt != nil
	if !step.write {
		return
	}
	row.UpdatedAt = r.started
	if old.ID == 0 {
		return
	}
	change := func(kind, field, before, after, reason string) {
		step.changes = append(step.changes, Change{
			Entity: EntityDistributorCustomer, Kind: kind, Key: told.Ref, Name: told.Name, EntityID: old.ID, CustomerID: step.customer,
			Before: jsonText(map[string]string{field: before}), After: jsonText(map[string]string{field: after}), Reason: reason,
		})
	}
	if old.Name != row.Name {
		r.count(CountCustomersRenamed, 1)
		r.details.note("%q is now called %q at the distributor; its mapping stays.", old.Name, row.Name)
		change(kindRename, "name", old.Name, row.Name, "renamed at the distributor; the mapping stays")
	}
	switch {
	case old.GoneAt != nil:
		change(kindFlag, "listed", "no", "yes", "the distributor lists it again")
	case old.Lifecycle != row.Lifecycle:
		change(kindFlag, "lifecycle", old.Lifecycle, row.Lifecycle, "the distributor says so")
	}
}

// planMapping maps a distributor customer to a customer of the same name that exists, or that the plan creates.
func (r *run) planMapping(step *customerStep, customer int64) {
	step.mapAs = mappedByName
	if customer > 0 {
		step.customer = customer
		return
	}
	step.create = r.planned.creations[-customer-1].create
	if told := addressOf(step.told.Address); !step.create.address.Usable() && told.Usable() {
		step.create.address = told
	}
}

// planUnmatched follows the module's policy for a customer nobody's name matches.
func (r *run) planUnmatched(matcher *mapping.Matcher, step *customerStep, similar []mapping.Customer) {
	told := step.told
	hint := similarText(similar)
	if r.req.Mode == Mappings || r.req.Module.Unmatched != UnmatchedCreate {
		r.count(CountCustomersUnmatched, 1)
	}
	if r.req.Mode == Mappings || r.req.Module.Unmatched == UnmatchedIgnore {
		if hint != "" {
			r.details.note("%q (%s) was not mapped: no customer has exactly this name, but %s.", told.Name, told.Ref, hint)
		}
		return
	}
	if hint != "" {
		r.details.note("%q (%s) is planned as a new customer, but %s. If it is the same, map it by hand.", told.Name, told.Ref, hint)
	}
	step.create = &newCustomer{name: told.Name, address: addressOf(told.Address), id: -int64(len(r.planned.creations) + 1)}
	r.planned.creations = append(r.planned.creations, step)
	// Another distributor customer with exactly this name is the same customer, in this run as in the next.
	matcher.Add(mapping.Customer{ID: step.create.id, Name: told.Name, Active: true})
	step.mapAs = mappedByCreation
}

// The origins of mappings that runs make.
const (
	mappedByName     = "name"
	mappedByCreation = "created"
	mappedByMove     = "moved"
)

// changesOf gives what is recorded of a step, in order.
func (r *run) changesOf(step *customerStep) []Change {
	if step.mapAs == "" {
		return step.changes
	}
	var made []Change
	if step.mapAs == mappedByCreation {
		made = append(made, r.creation(step))
	}
	after := map[string]any{"distributor_customer": step.ref}
	if step.customer > 0 {
		after["customer_id"] = step.customer
	}
	mapped := Change{
		Entity: EntityMapping, Kind: kindMap, Key: step.ref, Name: step.row.Name, EntityID: step.row.ID, CustomerID: step.customer,
		After: jsonText(after), Reason: "the names are exactly the same",
	}
	if step.mapAs == mappedByCreation {
		mapped.Reason = "the customer was created from it"
	}
	if step.create != nil {
		mapped.Guard, mapped.Held = step.create.guard, step.create.why
	}
	at := slices.IndexFunc(step.changes, func(c Change) bool { return c.Entity == EntitySite })
	if at < 0 {
		at = len(step.changes)
	}
	return slices.Concat(step.changes[:at], append(made, mapped), step.changes[at:])
}

// creation gives the change that creates the step's customer.
func (r *run) creation(step *customerStep) Change {
	return Change{
		Entity: EntityCustomer, Kind: kindCreate, Key: step.ref, Name: step.row.Name, Customer: step.row.Name,
		After: r.creationText(step.create), Reason: "no customer has exactly this name", Guard: step.create.guard, Held: step.create.why,
	}
}

// creationText says what a created customer will be.
func (r *run) creationText(c *newCustomer) json.RawMessage {
	after := map[string]any{"name": c.name, "created_by": r.info.Distributor}
	if address := addressFields(c.address); len(address) > 0 {
		after["address"] = address
	}
	if r.req.Module.TopLevel != "" {
		after["top_level"] = r.req.Module.TopLevel
	}
	return jsonText(after)
}

// planGone flags distributor customers that a complete listing of all customers no longer has.
func (r *run) planGone(rows []store.DistributorCustomer) {
	if !r.findsGone() {
		return
	}
	for _, row := range rows {
		if r.planned.known[row.RefKey].listed || row.GoneAt != nil {
			continue
		}
		step := r.planned.byKey[row.RefKey]
		now := r.started
		step.row.GoneAt, step.row.UpdatedAt, step.write = &now, now, true
		step.changes = append(step.changes, Change{
			Entity: EntityDistributorCustomer, Kind: kindFlag, Key: row.Ref, Name: row.Name, EntityID: row.ID, CustomerID: step.customer,
			Before: jsonText(map[string]string{"listed": "yes"}), After: jsonText(map[string]string{"listed": "no"}),
			Reason: "no longer listed by the distributor; nothing was deleted",
		})
		r.planned.gone = append(r.planned.gone, step)
	}
}

// findsGone reports whether a customer that was not listed is gone.
func (r *run) findsGone() bool {
	return r.customers.complete && r.narrow == nil && r.info.AbsenceMeansEnded && r.req.Mode != Mappings
}

func ended(l sdk.Lifecycle) bool { return l == sdk.LifecycleEnded || l == sdk.LifecycleDeleted }

func lifecycleName(l sdk.Lifecycle) string {
	switch l {
	case sdk.LifecycleActive:
		return "active"
	case sdk.LifecycleSuspended:
		return "suspended"
	case sdk.LifecycleIncomplete:
		return "incomplete"
	case sdk.LifecycleEnded:
		return "ended"
	case sdk.LifecycleDeleted:
		return "deleted"
	default:
		return "unknown"
	}
}

// customerRecord is what is stored of what the distributor said about a customer.
func customerRecord(c *sdk.Customer) map[string]any {
	record := map[string]any{}
	for name, value := range map[string]string{
		"status": c.Status, "phone": c.Phone, "email": c.Email, "website": c.Website,
		"registration_number": c.RegistrationNumber, "parent_ref": c.ParentRef, "external_ref": c.ExternalRef,
	} {
		if value != "" {
			record[name] = value
		}
	}
	if address := addressFields(addressOf(c.Address)); len(address) > 0 {
		record["address"] = address
	}
	if len(c.VendorTenants) > 0 {
		record["vendor_tenants"] = c.VendorTenants
	}
	if len(c.Domains) > 0 {
		record["domains"] = c.Domains
	}
	return record
}

func idList(ids []int64) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = fmt.Sprintf("#%d", id)
	}
	return strings.Join(parts, ", ")
}

func similarText(similar []mapping.Customer) string {
	switch len(similar) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%q (#%d) is very similar", similar[0].Name, similar[0].ID)
	default:
		return fmt.Sprintf("%q (#%d) and %d more are very similar", similar[0].Name, similar[0].ID, len(similar)-1)
	}
}
