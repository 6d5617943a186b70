// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

// This file is what a run does, said again with maps and without any of the code that does it. It knows no batches, no
// fingerprints and no database; it is slow and plain, and the property test holds the real run against it.

// saidCustomer, saidSub, saidScope and saidListing are what a distributor says.
type saidCustomer struct {
	ref, name      string
	ended, partner bool
	// address: nil is not told.
	address *modelAddress
}

type saidSub struct {
	ref, customer, name string
	// quantity and cost may be empty: not told.
	quantity, cost string
	ended, metered bool
	// items are the refs of its items; none is one item without ref.
	items []string
}

// after fills in what is not said this time from what was said before. Metered use has no quantity, whatever was said.
func (s saidSub) after(before saidSub) saidSub {
	s.cost = cmp.Or(s.cost, before.cost)
	if s.metered {
		s.quantity = ""
	} else {
		s.quantity = cmp.Or(s.quantity, before.quantity)
	}
	return s
}

type saidScope struct {
	ref       string
	outcome   pluginhost.Outcome
	customers []saidCustomer
	subs      []saidSub
	removed   []string
}

type saidListing struct {
	scopes []saidScope
	// refused, denied: it does not even begin, denied because of the credentials. broken: it dies in the middle.
	// doubted: every scope is as it says, and still the whole is not complete.
	refused, denied, broken, doubted bool
}

type modelAddress struct{ line, city, code, country string }

func (a modelAddress) usable() bool { return a.line != "" && a.city+a.code != "" }

// model is one tenant's module.
type model struct {
	key       func(string) string
	customers map[int]*modelCustomer
	told      map[string]*modelTold
	records   map[string]*modelRecord
	held      []modelChange
	// trusted: the customers were read completely at least once.
	trusted bool
	nextID  int
}

// modelCustomer is a customer of ours.
type modelCustomer struct {
	name, createdBy, topLevel string
	active                    bool
	main                      modelAddress
}

// modelTold is a distributor customer.
type modelTold struct {
	ref, name   string
	ended, gone bool
	// mapped is the customer it is mapped to, placed the one its subscriptions were put on by the last run. 0: none.
	mapped, placed int
}

// modelRecord is a distributor subscription, or one item of it.
type modelRecord struct {
	ref, customerKey string
	said             saidSub
	scope            string
	missing          int
	gone             bool
	sub              *modelSub
}

// modelSub is a subscription of ours.
type modelSub struct {
	customer int
	active   bool
	fields   map[string]string
}

// modelChange is a change as it has to be recorded.
type modelChange struct {
	run                      int64
	entity, kind, key, after string
	held                     bool
}

func (c modelChange) same(d modelChange) bool {
	return c.entity == d.entity && c.kind == d.kind && c.key == d.key && c.after == d.after
}

func (c modelChange) String() string {
	text := strings.Join([]string{c.entity, c.kind, c.key, c.after}, " ")
	if c.held {
		text += " HELD"
	}
	return text
}

// question is a run to be made.
type question struct {
	module   Module
	mode     Mode
	entities Entities
	// narrow is the customer it is narrowed to, 0: none.
	narrow                   int
	override                 map[string]bool
	approve                  int64
	absenceMeansEnded        bool
	customers, subscriptions saidListing
}

// answer is what the run comes to.
type answer struct {
	failed  bool
	changes []modelChange
}

func (m *model) clone() *model {
	c := *m
	c.customers, c.told, c.records = map[int]*modelCustomer{}, map[string]*modelTold{}, map[string]*modelRecord{}
	for id, v := range m.customers {
		copied := *v
		c.customers[id] = &copied
	}
	for key, v := range m.told {
		copied := *v
		c.told[key] = &copied
	}
	for key, v := range m.records {
		copied := *v
		if v.sub != nil {
			sub := *v.sub
			sub.fields = maps.Clone(v.sub.fields)
			copied.sub = &sub
		}
		c.records[key] = &copied
	}
	c.held = slices.Clone(m.held)
	return &c
}

// reading is a listing as far as it can be used.
type reading struct {
	read, complete bool
	scopes         map[string]pluginhost.Outcome
}

func readingOf(l saidListing) reading {
	r := reading{read: !l.refused && !l.denied && !l.broken, complete: !l.doubted, scopes: map[string]pluginhost.Outcome{}}
	failed := 0
	for _, s := range l.scopes {
		r.scopes[s.ref] = s.outcome
		if s.outcome != pluginhost.OutcomeComplete {
			r.complete = false
		}
		if s.outcome == pluginhost.OutcomeFailed {
			failed++
		}
	}
	if failed > 0 && failed == len(l.scopes) {
		r.read = false
	}
	r.complete = r.complete && r.read
	return r
}

// modelRun is one run under way.
type modelRun struct {
	*model
	question
	number   int64
	narrowTo map[string]bool
	approved []modelChange
	// lookedAt are the things the run decided about, as "group key".
	lookedAt map[string]bool
	answer
}

// run makes the run numbered n. A plan is made on a clone.
func (m *model) run(n int64, q question) answer {
	r := &modelRun{model: m, question: q, number: n, lookedAt: map[string]bool{}}
	if q.narrow != 0 {
		r.narrowTo = map[string]bool{}
		for key, told := range m.told {
			if told.mapped == q.narrow {
				r.narrowTo[key] = true
			}
		}
		if len(r.narrowTo) == 0 {
			return answer{failed: true}
		}
	}
	var customers, subs reading
	if q.entities.Customers {
		if q.customers.denied {
			return answer{failed: true}
		}
		customers = readingOf(q.customers)
		r.failed = !customers.read
	}
	if q.entities.Subscriptions {
		if q.subscriptions.denied {
			return answer{failed: true}
		}
		subs = readingOf(q.subscriptions)
		r.failed = r.failed || !subs.read
	}
	if q.approve != 0 {
		for _, c := range m.held {
			if c.run == q.approve {
				r.approved = append(r.approved, c)
			}
		}
		if len(r.approved) == 0 {
			return answer{failed: true}
		}
	}
	if customers.read {
		r.runCustomers(customers)
	}
	if subs.read {
		r.runSubscriptions(subs)
	}
	if q.mode == Sync {
		if customers.complete && r.narrowTo == nil {
			m.trusted = true
		}
		r.settle(customers.complete && r.narrowTo == nil)
	}
	return r.answer
}

// concerns reports whether the run is about a distributor customer.
func (r *modelRun) concerns(key string) bool { return r.narrowTo == nil || r.narrowTo[key] }

// change records a change and reports whether it may be made.
func (r *modelRun) change(entity, kind, key, after string, hold bool) bool {
	c := modelChange{run: r.number, entity: entity, kind: kind, key: key, after: after}
	c.held = hold && !r.isApproved(c)
	r.changes = append(r.changes, c)
	return !c.held
}

func (r *modelRun) isApproved(c modelChange) bool { return slices.ContainsFunc(r.approved, c.same) }

// settle decides about what earlier runs held: gone is what the run has decided about, everything about customers if it
// saw them all.
func (r *modelRun) settle(allCustomers bool) {
	r.model.held = slices.DeleteFunc(r.model.held, func(c modelChange) bool {
		group := "customer "
		if c.entity == EntitySubscription {
			group = "subscription "
		} else if allCustomers {
			return true
		}
		return r.lookedAt[group+r.key(c.key)]
	})
	for _, c := range r.changes {
		if c.held {
			r.model.held = append(r.model.held, c)
		}
	}
}

// modelCreation is a customer that is going to be created, for one or several distributor customers of the same name.
type modelCreation struct {
	said    saidCustomer
	address modelAddress
	keys    []string
	refs    []string
}

func (r *modelRun) runCustomers(reading reading) {
	listed := map[string]saidCustomer{}
	for _, scope := range r.question.customers.scopes {
		for _, said := range scope.customers {
			if scope.outcome != pluginhost.OutcomeFailed {
				listed[r.key(said.ref)] = said
			}
		}
	}
	mapped := 0
	for _, told := range r.told {
		if told.mapped != 0 {
			mapped++
		}
	}
	creations := map[string]*modelCreation{}
	var order []*modelCreation
	existing := map[string]bool{}
	// One that has ended may still find the customer that is created for another.
	keys := slices.SortedFunc(maps.Keys(listed), func(a, b string) int {
		return cmp.Or(strings.Compare(fmt.Sprint(listed[a].ended), fmt.Sprint(listed[b].ended)), strings.Compare(a, b))
	})
	for _, key := range keys {
		if !r.concerns(key) {
			continue
		}
		said := listed[key]
		r.lookedAt["customer "+key] = true
		told := r.meet(key, said)
		existing[key] = true
		if told.mapped != 0 || said.partner || said.name == "" {
			continue
		}
		var active, all []int
		for id, c := range r.model.customers {
			if c.name == said.name {
				all = append(all, id)
				if c.active {
					active = append(active, id)
				}
			}
		}
		creation := creations[said.name]
		switch {
		case len(active) == 1:
			r.change(EntityMapping, kindMap, said.ref, "", false)
			told.mapped = active[0]
			mapped++
		case len(all) > 0:
		case creation != nil:
			creation.keys, creation.refs = append(creation.keys, key), append(creation.refs, said.ref)
			if said.address != nil && said.address.usable() && !creation.address.usable() {
				creation.address = *said.address
			}
			existing[key] = false
		case said.ended || r.mode == Mappings || r.module.Unmatched == UnmatchedIgnore:
		default:
			creation = &modelCreation{said: said, keys: []string{key}, refs: []string{said.ref}}
			if said.address != nil {
				creation.address = *said.address
			}
			creations[said.name], order = creation, append(order, creation)
			existing[key] = false
		}
	}
	r.create(order, mapped)
	if r.mode == Mappings {
		return
	}
	if reading.complete && r.narrowTo == nil && r.absenceMeansEnded {
		r.flagGone(listed)
	}
	if r.module.UpdateMainSiteAddress {
		r.updateAddresses(listed, existing)
	}
}

// meet takes over what is said of a distributor customer.
func (r *modelRun) meet(key string, said saidCustomer) *modelTold {
	told := r.told[key]
	if told == nil {
		told = &modelTold{ref: said.ref, name: said.name, ended: said.ended}
		r.told[key] = told
		return told
	}
	if told.name != said.name {
		r.change(EntityDistributorCustomer, kindRename, said.ref, said.name, false)
	}
	switch {
	case told.gone:
		r.change(EntityDistributorCustomer, kindFlag, said.ref, "listed", false)
	case told.ended != said.ended:
		r.change(EntityDistributorCustomer, kindFlag, said.ref, "lifecycle", false)
	}
	told.name, told.ended, told.gone = said.name, said.ended, false
	return told
}

func (r *modelRun) create(creations []*modelCreation, mapped int) {
	after := func(c *modelCreation) modelChange {
		return modelChange{entity: EntityCustomer, kind: kindCreate, key: c.said.ref, after: fmt.Sprint(c.said.name, c.address, r.module.TopLevel)}
	}
	n := 0
	for _, c := range creations {
		if !r.isApproved(after(c)) {
			n++
		}
	}
	limits := r.module.Limits
	hold := r.model.trusted && n > max(limits.Creations, mapped*limits.CreationsPercent/100) && !r.override["creations"]
	if r.module.Unmatched == UnmatchedHold && !r.override["unmatched"] {
		hold = true
	}
	for _, c := range creations {
		held := hold && !r.isApproved(after(c))
		r.change(EntityCustomer, kindCreate, c.said.ref, after(c).after, held)
		for _, ref := range c.refs {
			r.changes = append(r.changes, modelChange{run: r.number, entity: EntityMapping, kind: kindMap, key: ref, held: held})
		}
		if held {
			continue
		}
		r.model.nextID++
		r.model.customers[r.model.nextID] = &modelCustomer{
			name: c.said.name, createdBy: "Fake", active: true, main: c.address, topLevel: r.module.TopLevel,
		}
		for _, key := range c.keys {
			r.told[key].mapped = r.model.nextID
		}
	}
}

func (r *modelRun) flagGone(listed map[string]saidCustomer) {
	for _, key := range slices.Sorted(maps.Keys(r.told)) {
		told := r.told[key]
		if _, there := listed[key]; there || told.gone {
			continue
		}
		r.lookedAt["customer "+key] = true
		if r.change(EntityDistributorCustomer, kindFlag, told.ref, "gone", len(listed) == 0 && !r.override["empty-listing"]) {
			told.gone = true
		}
	}
}

func (r *modelRun) updateAddresses(listed map[string]saidCustomer, existing map[string]bool) {
	done := map[int]bool{}
	for _, key := range slices.Sorted(maps.Keys(listed)) {
		said, told := listed[key], r.told[key]
		if !r.concerns(key) || told.mapped == 0 || !existing[key] || said.ended || said.address == nil || !said.address.usable() || done[told.mapped] {
			continue
		}
		done[told.mapped] = true
		main := &r.model.customers[told.mapped].main
		want := *said.address
		if want.country == "" {
			want.country = main.country
		}
		if want != *main {
			r.change(EntitySite, kindUpdate, said.ref, "", false)
			*main = want
		}
	}
}

// modelEnd is a subscription that is to become inactive, if the guards let it.
type modelEnd struct {
	record *modelRecord
	// absent: because it is missing.
	absent bool
}

func (r *modelRun) runSubscriptions(reading reading) {
	live, usable := 0, 0
	for _, rec := range r.records {
		if !rec.gone {
			live++
		}
	}
	var ends []modelEnd
	seen, removed := map[string]bool{}, map[string]bool{}
	said := map[string]saidSub{}
	scopeOf := map[string]string{}
	itemOf := map[string]string{}
	for _, scope := range r.subscriptions.scopes {
		for _, ref := range scope.removed {
			if scope.outcome == pluginhost.OutcomeComplete {
				removed[r.key(ref)] = true
			}
		}
		for _, s := range scope.subs {
			ours := r.concerns(r.key(s.customer))
			if ours && scope.outcome != pluginhost.OutcomeFailed {
				usable++
			}
			items := s.items
			if len(items) == 0 {
				items = []string{""}
			}
			for _, item := range items {
				key := r.key(s.ref)
				if item != "" {
					key += "/" + item
				}
				seen[key] = true
				if ours && scope.outcome != pluginhost.OutcomeFailed {
					said[key], scopeOf[key], itemOf[key] = s, scope.ref, item
				}
			}
		}
	}
	// What was listed.
	for _, key := range slices.Sorted(maps.Keys(said)) {
		rec := r.records[key]
		if rec == nil {
			rec = &modelRecord{}
			r.records[key] = rec
		}
		s := said[key]
		rec.said, rec.scope, rec.customerKey, rec.missing, rec.gone = s.after(rec.said), scopeOf[key], r.key(s.customer), 0, false
		if rec.ref = s.ref; itemOf[key] != "" {
			rec.ref += "/" + itemOf[key]
		}
		r.lookedAt["subscription "+r.key(rec.ref)] = true
		r.follow(rec)
		if rec.sub != nil && rec.sub.active && s.ended && r.module.Subscriptions.DeactivateMissing && reading.scopes[rec.scope] == pluginhost.OutcomeComplete {
			ends = append(ends, modelEnd{record: rec})
		}
	}
	// What was not, although its scope was read completely.
	needed := max(r.module.Subscriptions.MissingRuns, 1)
	absent := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(r.records)) {
		rec := r.records[key]
		if seen[key] || rec.gone || reading.scopes[rec.scope] != pluginhost.OutcomeComplete ||
			!r.absenceMeansEnded && !removed[r.key(rec.said.ref)] || !r.concerns(rec.customerKey) {
			continue
		}
		absent[key] = true
		r.lookedAt["subscription "+r.key(rec.ref)] = true
		if rec.missing = min(rec.missing+1, needed); removed[r.key(rec.said.ref)] {
			rec.missing = needed
		}
		if owner := r.told[rec.customerKey]; rec.sub != nil && owner != nil && owner.mapped != 0 && rec.sub.customer != owner.mapped {
			r.change(EntitySubscription, "move", rec.ref, "", false)
			rec.sub.customer = owner.mapped
		}
		switch {
		case rec.missing < needed:
		case rec.sub == nil || !rec.sub.active:
			rec.gone = true
		case r.module.Subscriptions.DeactivateMissing:
			ends = append(ends, modelEnd{rec, true})
		}
	}
	// What only has to go to its customer's new place.
	for _, key := range slices.Sorted(maps.Keys(r.records)) {
		rec := r.records[key]
		owner := r.told[rec.customerKey]
		_, listed := said[key]
		if listed || absent[key] || owner == nil || owner.mapped == 0 || owner.placed == owner.mapped || !r.concerns(rec.customerKey) {
			continue
		}
		before := len(r.changes)
		if !rec.gone {
			r.follow(rec)
		} else if rec.sub != nil && rec.sub.customer != owner.mapped {
			r.change(EntitySubscription, "move", rec.ref, "", false)
			rec.sub.customer = owner.mapped
		}
		if len(r.changes) > before {
			r.lookedAt["subscription "+r.key(rec.ref)] = true
		}
	}
	active := 0
	for _, rec := range r.records {
		if rec.sub != nil && rec.sub.active {
			active++
		}
	}
	r.end(ends, live, active, usable)
	for key, told := range r.told {
		if r.concerns(key) {
			told.placed = told.mapped
		}
	}
}

// end makes subscriptions inactive, unless it is too many of them.
func (r *modelRun) end(ends []modelEnd, live, active, usable int) {
	n := 0
	for _, e := range ends {
		if !r.isApproved(modelChange{entity: EntitySubscription, kind: "deactivate", key: e.record.ref}) {
			n++
		}
	}
	limits := r.module.Limits
	hold := r.narrowTo == nil && live > 0 && usable == 0 && !r.override["empty-listing"] ||
		n > max(limits.Deactivations, active*limits.DeactivationsPercent/100) && !r.override["deactivations"]
	for _, e := range ends {
		if r.change(EntitySubscription, "deactivate", e.record.ref, "", hold) {
			e.record.sub.active, e.record.gone = false, e.absent
		}
	}
}

// follow makes our record what the distributor said last, if its customer is mapped; its end is decided elsewhere.
func (r *modelRun) follow(rec *modelRecord) {
	owner := r.told[rec.customerKey]
	if owner == nil || owner.mapped == 0 {
		return
	}
	want := fieldsSaid(rec.said)
	if rec.sub == nil {
		r.change(EntitySubscription, kindCreate, rec.ref, "", false)
		rec.sub = &modelSub{customer: owner.mapped, active: !rec.said.ended, fields: want}
		return
	}
	if rec.sub.customer != owner.mapped {
		r.change(EntitySubscription, "move", rec.ref, "", false)
		rec.sub.customer = owner.mapped
	}
	differences := map[string]string{}
	for name, value := range want {
		if value != "" && value != rec.sub.fields[name] {
			differences[name] = value
		}
	}
	if rec.said.metered && rec.sub.fields["quantity"] != "" {
		differences["quantity"] = ""
	}
	if quantity, changes := differences["quantity"]; changes && r.mad(rec.sub.fields["quantity"], quantity) {
		if r.change(EntitySubscription, kindUpdate, rec.ref, updateText(rec.sub.fields, map[string]string{"quantity": quantity}), true) {
			rec.sub.fields["quantity"] = quantity
		}
		delete(differences, "quantity")
	}
	if len(differences) > 0 {
		r.change(EntitySubscription, kindUpdate, rec.ref, updateText(rec.sub.fields, differences), false)
		maps.Copy(rec.sub.fields, differences)
	}
	if !rec.said.ended && !rec.sub.active {
		r.change(EntitySubscription, "reactivate", rec.ref, "", false)
		rec.sub.active = true
	}
}

// mad reports whether a change of quantity is not to be believed.
func (r *modelRun) mad(before, after string) bool {
	a, err1 := strconv.Atoi(before)
	b, err2 := strconv.Atoi(after)
	limits := r.module.Limits
	return err1 == nil && err2 == nil && !r.override["quantity"] &&
		max(a, b) > min(a, b)*limits.QuantityFactor && max(a, b)-min(a, b) > limits.QuantityStep
}

// fieldsSaid are the fields of a record; empty ones are not told.
func fieldsSaid(s saidSub) map[string]string {
	fields := map[string]string{
		"name": s.name, "quantity": s.quantity, "state": "active", "status": "Active", "charge": "recurring", "partner_cost": s.cost, "currency": "",
	}
	if s.ended {
		fields["state"], fields["status"] = "cancelled", "Cancelled"
	}
	if s.metered {
		fields["charge"], fields["quantity"] = "usage", ""
	}
	if s.cost != "" {
		fields["currency"] = "AUD"
	}
	return fields
}

// updateText says what an update changes.
func updateText(before, after map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		parts = append(parts, fmt.Sprintf("%s:%s>%s", name, before[name], after[name]))
	}
	return strings.Join(parts, " ")
}
