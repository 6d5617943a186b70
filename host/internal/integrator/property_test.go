// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// TestARunIsWhatTheDesignSays holds the run, with a real database, against the model in model_test.go over random
// histories of two tenants. More of them: -rapid.checks=5000.
func TestARunIsWhatTheDesignSays(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		must(t, flag.Set("rapid.checks", "300"))
	}
	now := tick()
	var s *store.Store
	var raw *sql.DB
	shut := func() {
		if s != nil {
			must(t, errors.Join(raw.Close(), s.Close()))
		}
	}
	t.Cleanup(func() { shut() })
	histories := 0
	rapid.Check(t, func(rt *rapid.T) {
		// One database for many histories: each has tenants of its own, which must not notice the others.
		if histories++; histories%50 == 1 {
			shut()
			url := "sqlite:" + filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", histories))
			var err error
			s, err = store.Open(t.Context(), store.Options{URL: url, Now: now})
			must(t, err)
			raw = rawDB(t, url)
		}
		tenants := make([]*history, 2)
		for i := range tenants {
			tenants[i] = newHistory(rt, s, raw, fmt.Sprintf("t%d-%c", histories, 'a'+i))
			tenants[i].Integrator = &Integrator{
				Store: s, Log: hclog.NewNullLogger(), Holder: "property", Now: now,
				Open: func(context.Context, Module, string) (Source, error) { return tenants[i].fake, nil },
			}
		}
		last, other := -1, map[string][]string{}
		for range rapid.IntRange(10, 24).Draw(rt, "steps") {
			at := 0
			if rapid.IntRange(0, 9).Draw(rt, "tenant") == 0 {
				at = 1
			}
			if at != last {
				other = tenants[1-at].dump()
			}
			last = at
			tenants[at].step()
			if diff := cmp.Diff(other, tenants[1-at].dump()); diff != "" {
				rt.Fatalf("a step of %s changed %s:\n%s", tenants[at].module, tenants[1-at].module, diff)
			}
		}
	})
}

// history is one tenant's module with its distributor, and the model of both.
type history struct {
	*rapid.T
	*Integrator
	raw    *sql.DB
	fake   *fake
	module Module
	model  *model
	world  world

	tenantID, moduleID int64
	// ids are the database's ids of the model's customers; subs those of subscriptions by the distributor's id. Neither
	// ever changes.
	ids     map[int]int64
	subs    map[string]int64
	used    map[int64]bool
	lastID  int64
	planned []Change
}

// world is what there is at the distributor.
type world struct {
	customers map[string]*worldCustomer
	subs      map[string]*worldSub
	// removed are the scopes in which removed subscriptions are still listed as such.
	removed map[string]string
}

type worldCustomer struct {
	saidCustomer
	scope string
}

type worldSub struct {
	saidSub
	scope string
}

var (
	somewhere = modelAddress{"1 Example Street", "Sydney", "2000", "Australia"}
	addresses = []*modelAddress{
		nil,
		{},
		{country: "Australia"},
		{line: "9 Half Street"},
		&somewhere,
		{"2 Other Street", "Perth", "6000", ""},
		{line: "3 Third Street", city: "Hobart"},
	}
	names = []string{"Contoso", "Fabrikam", "Tailspin", "Contoso Ltd", ""}
	costs = []string{"", "27.36", "30"}
)

func newHistory(rt *rapid.T, s *store.Store, raw *sql.DB, tenant string) *history {
	h := &history{
		T: rt, raw: raw, fake: newFake(), ids: map[int]int64{}, subs: map[string]int64{}, used: map[int64]bool{},
		world: world{customers: map[string]*worldCustomer{}, subs: map[string]*worldSub{}, removed: map[string]string{}},
	}
	h.fake.ignoresRefs = rapid.Bool().Draw(rt, "ignores refs")
	h.fake.info.RefsIgnoreCase = rapid.Bool().Draw(rt, "refs ignore case")
	h.fake.info.AbsenceMeansEnded = rapid.IntRange(0, 5).Draw(rt, "absence means ended") > 0
	h.model = &model{
		key: func(ref string) string { return ref }, customers: map[int]*modelCustomer{}, told: map[string]*modelTold{}, records: map[string]*modelRecord{},
	}
	if h.fake.info.RefsIgnoreCase {
		h.model.key = strings.ToLower
	}
	h.module = Module{Tenant: tenant, Name: "m", Plugin: "fake"}
	row, err := s.EnsureTenant(context.Background(), tenant, "")
	h.must(err)
	module, err := s.EnsureModule(context.Background(), row.ID, "m", "fake")
	h.must(err)
	h.tenantID, h.moduleID = row.ID, module.ID
	h.Integrator = &Integrator{Store: s}
	h.rules()
	for range rapid.IntRange(0, 5).Draw(rt, "our customers") {
		h.addCustomer()
	}
	for range rapid.IntRange(0, 24).Draw(rt, "at the distributor") {
		h.editWorld()
	}
	return h
}

func (h *history) must(err error) {
	if err != nil {
		h.Helper()
		h.Fatal(err)
	}
}

func (h *history) pick(name string, n int) int { return rapid.IntRange(0, n-1).Draw(h.T, name) }

func (h *history) chance(name string, oneIn int) bool { return h.pick(name, oneIn) == oneIn-1 }

// rules draws how the module is configured.
func (h *history) rules() {
	h.module.Unmatched = []Unmatched{UnmatchedCreate, UnmatchedCreate, UnmatchedCreate, UnmatchedHold, UnmatchedIgnore}[h.pick("unmatched", 5)]
	h.module.TopLevel = []string{"", "Cloud customers"}[h.pick("top level", 2)]
	h.module.UpdateMainSiteAddress = h.chance("update addresses", 2)
	h.module.Subscriptions = reconcile.Policy{DeactivateMissing: h.pick("deactivate", 4) > 0, MissingRuns: h.pick("missing runs", 4)}
	h.module.Limits = reconcile.Limits{
		Deactivations: h.pick("deactivations", 8), DeactivationsPercent: []int{0, 20, 60}[h.pick("deactivations share", 3)],
		Creations: h.pick("creations", 4), CreationsPercent: []int{0, 50, 100}[h.pick("creations share", 3)],
		QuantityFactor: 3, QuantityStep: 10,
	}
}

// addCustomer makes a customer of ours by hand; some share a name, some are no longer active.
func (h *history) addCustomer() {
	name := names[h.pick("name", len(names)-1)]
	row := store.ImportRow{Name: name}
	for _, c := range h.model.customers {
		if c.name == name && c.topLevel == row.TopLevel {
			row.TopLevel = fmt.Sprintf("Group %d", len(h.model.customers))
		}
	}
	if h.chance("has an address", 2) {
		row.Address = store.Address{Line1: somewhere.line, City: somewhere.city, PostalCode: somewhere.code, Country: somewhere.country}
	}
	result, err := h.Store.ImportCustomers(context.Background(), h.tenantID, []store.ImportRow{row}, "hand")
	h.must(err)
	if !result[0].Created {
		h.Fatalf("%+v was not made", row)
	}
	h.model.nextID++
	c := &modelCustomer{name: name, createdBy: "import", topLevel: row.TopLevel, active: true}
	c.main = modelAddress{row.Line1, row.City, row.PostalCode, row.Country}
	if h.chance("inactive", 6) {
		c.active = false
		_, err := h.raw.Exec("UPDATE customers SET active = FALSE WHERE id = ?", result[0].CustomerID)
		h.must(err)
	}
	h.model.customers[h.model.nextID] = c
	h.ids[h.model.nextID] = result[0].CustomerID
	h.used[result[0].CustomerID] = true
}

// editWorld changes something at the distributor.
func (h *history) editWorld() {
	w := &h.world
	customerRef, subRef := fmt.Sprintf("C%d", h.pick("customer", 4)), fmt.Sprintf("U%d", h.pick("subscription", 8))
	customerScope, scope := []string{"k", "k", "k", "l"}[h.pick("customer scope", 4)], []string{"a", "a", "b"}[h.pick("scope", 3)]
	edit := h.pick("edit", 26)
	c, u := w.customers[customerRef], w.subs[subRef]
	switch {
	case edit < 9 && c == nil:
		w.customers[customerRef] = &worldCustomer{saidCustomer{ref: customerRef, name: names[h.pick("name", len(names))]}, customerScope}
	case edit == 0:
		delete(w.customers, customerRef)
	case edit == 1:
		c.name = names[h.pick("name", len(names))]
	case edit == 2:
		c.ended = !c.ended
	case edit == 3:
		c.partner = !c.partner && h.chance("partner", 3)
	case edit == 4:
		c.scope = customerScope
	case edit < 9:
		c.address = addresses[h.pick("address", len(addresses))]
	case u == nil:
		delete(w.removed, subRef)
		w.subs[subRef] = &worldSub{saidSub{
			ref: subRef, customer: customerRef, name: "Product", quantity: strconv.Itoa(h.pick("quantity", 9)), cost: costs[h.pick("cost", 3)],
			items: [][]string{nil, nil, nil, {"i", "J"}}[h.pick("items", 4)],
		}, scope}
	case edit < 12:
		delete(w.subs, subRef)
		if h.chance("says so", 3) {
			w.removed[subRef] = u.scope
		}
	case edit < 14:
		u.quantity = strconv.Itoa(h.pick("quantity", 9))
	case edit == 14:
		u.quantity = strconv.Itoa(100 + h.pick("quantity", 9))
	case edit == 15:
		u.quantity = ""
	case edit < 19:
		u.ended = !u.ended
	case edit == 19:
		u.name = []string{"Product", "Other product"}[h.pick("product", 2)]
	case edit < 22:
		u.customer = customerRef
	case edit == 22:
		u.scope = scope
	case edit == 23:
		u.metered = !u.metered
	default:
		u.cost = costs[h.pick("cost", 3)]
	}
}

// spelling is how a ref is written this time.
func (h *history) spelling(ref string) string {
	if h.fake.info.RefsIgnoreCase && h.chance("spelling", 8) {
		return strings.ToLower(ref)
	}
	return ref
}

// say draws how the distributor answers to both listings.
func (h *history) say() (customers, subs saidListing) {
	byScope := map[string]*saidScope{"k": {ref: "k"}, "l": {ref: "l"}}
	for _, ref := range slices.Sorted(maps.Keys(h.world.customers)) {
		c := h.world.customers[ref]
		said := c.saidCustomer
		said.ref = h.spelling(ref)
		byScope[c.scope].customers = append(byScope[c.scope].customers, said)
	}
	customers = h.fail("customers", byScope)
	byScope = map[string]*saidScope{"a": {ref: "a"}, "b": {ref: "b"}}
	for _, ref := range slices.Sorted(maps.Keys(h.world.subs)) {
		u := h.world.subs[ref]
		said := u.saidSub
		said.ref, said.customer = h.spelling(ref), h.spelling(u.customer)
		byScope[u.scope].subs = append(byScope[u.scope].subs, said)
	}
	for _, ref := range slices.Sorted(maps.Keys(h.world.removed)) {
		scope := byScope[h.world.removed[ref]]
		scope.removed = append(scope.removed, ref)
	}
	subs = h.fail("subscriptions", byScope)
	return customers, subs
}

// fail makes a listing of scopes, in any order and with whatever can go wrong.
func (h *history) fail(what string, byScope map[string]*saidScope) saidListing {
	var l saidListing
	for _, ref := range rapid.Permutation(slices.Sorted(maps.Keys(byScope))).Draw(h.T, what+" scopes") {
		s := *byScope[ref]
		s.outcome = pluginhost.OutcomeComplete
		if len(s.customers) > 1 {
			s.customers = rapid.Permutation(s.customers).Draw(h.T, "order")
		}
		l.scopes = append(l.scopes, s)
	}
	if !h.chance(what+" go wrong", 4) {
		return l
	}
	at := h.pick("which scope", len(l.scopes))
	s := &l.scopes[at]
	other := l.scopes[1-at]
	switch h.pick(what+" fault", 12) {
	case 0:
		l.refused = true
	case 1:
		l.denied = true
	case 2:
		l.broken = true
	case 3:
		l.doubted = true
	case 4, 11:
		s.outcome = pluginhost.OutcomeFailed
		s.customers, s.subs = cut(s.customers, h.pick("cut", 4)), cut(s.subs, h.pick("cut", 4))
	case 5:
		// Cut off in the middle: what is under way is partial, what has not begun is not there.
		s.outcome, l.doubted = pluginhost.OutcomePartial, true
		s.customers, s.subs = cut(s.customers, h.pick("cut", 4)), cut(s.subs, h.pick("cut", 4))
		l.scopes = l.scopes[:at+1]
	case 6:
		// Everything came, but the counts were wrong.
		s.outcome = pluginhost.OutcomePartial
	case 7:
		// The scope is no longer there.
		l.scopes = slices.Delete(l.scopes, at, at+1)
	case 8:
		// Listed twice, the second time differently.
		if len(other.customers) > 0 {
			twice := other.customers[0]
			twice.name = names[h.pick("name", len(names))]
			s.customers = append(slices.Clone(s.customers), twice)
		}
		if len(other.subs) > 0 {
			twice := other.subs[0]
			twice.quantity = strconv.Itoa(h.pick("quantity", 9))
			s.subs = append(slices.Clone(s.subs), twice)
		}
		if h.chance("and fails", 2) {
			s.outcome = pluginhost.OutcomeFailed
		}
	case 9:
		s.removed = []string{fmt.Sprintf("U%d", h.pick("removed", 8))}
		s.outcome = []pluginhost.Outcome{pluginhost.OutcomeComplete, pluginhost.OutcomePartial, pluginhost.OutcomeFailed}[h.pick("outcome", 3)]
	case 10:
		// Empty, and it says that this is all.
		for i := range l.scopes {
			l.scopes[i].customers, l.scopes[i].subs = nil, nil
		}
	}
	return l
}

func cut[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// step is one thing that happens.
func (h *history) step() {
	for range h.pick("edits", 6) {
		h.editWorld()
	}
	switch h.pick("step", 18) {
	case 0:
		h.rules()
	case 1:
		h.addCustomer()
	case 2, 3, 4:
		h.mapByHand()
	case 5:
		h.reject()
	default:
		h.runs()
	}
}

func (h *history) mapByHand() {
	if len(h.model.told) == 0 || len(h.model.customers) == 0 {
		return
	}
	keys := slices.Sorted(maps.Keys(h.model.told))
	told := h.model.told[keys[h.pick("distributor customer", len(keys))]]
	rows, err := h.Store.MappingRows(context.Background(), store.MappingFilter{ModuleID: h.moduleID, Gone: true})
	h.must(err)
	at := slices.IndexFunc(rows, func(r store.MappingRow) bool { return h.model.key(r.Ref) == h.model.key(told.ref) })
	if at < 0 {
		h.Fatalf("%q is not in the database", told.ref)
	}
	id := rows[at].DistributorCustomerID
	to := h.someCustomer()
	switch {
	case told.mapped == 0:
		_, err = h.Store.AddMapping(context.Background(), h.moduleID, id, h.ids[to], "hand")
		told.mapped = to
	case h.chance("unmap", 2):
		err = h.Store.RemoveMapping(context.Background(), h.moduleID, id, "hand")
		told.mapped = 0
	default:
		_, err = h.Store.ChangeMapping(context.Background(), h.moduleID, id, h.ids[to], "hand")
		told.mapped = to
	}
	h.must(err)
}

func (h *history) reject() {
	if len(h.model.held) == 0 {
		return
	}
	run := h.model.held[h.pick("held", len(h.model.held))].run
	n, err := h.Store.RejectHeld(context.Background(), h.tenantID, run, "hand")
	h.must(err)
	before := len(h.model.held)
	h.model.held = slices.DeleteFunc(h.model.held, func(c modelChange) bool { return c.run == run })
	if n != before-len(h.model.held) {
		h.Fatalf("%d changes of run %d were rejected, %d were held", n, run, before-len(h.model.held))
	}
}

// runs makes a run, perhaps with a plan before it and the same run again after it.
func (h *history) runs() {
	q := question{module: h.module, mode: Sync, entities: Entities{Customers: true, Subscriptions: true}, absenceMeansEnded: h.fake.info.AbsenceMeansEnded}
	switch h.pick("about", 8) {
	case 0:
		q.entities.Customers = false
	case 1:
		q.entities.Subscriptions = false
	case 2:
		if len(h.model.customers) > 0 {
			q.narrow = h.someCustomer()
		}
	case 3:
		q.mode, q.entities.Subscriptions = Mappings, false
	}
	if h.chance("override", 5) {
		q.override = map[string]bool{reconcile.GuardNames[h.pick("guard", len(reconcile.GuardNames))]: true}
	}
	if len(h.model.held) > 0 && h.chance("approve", 3) {
		q.approve = h.model.held[h.pick("held", len(h.model.held))].run
	}
	q.customers, q.subscriptions = h.say()
	var plan []Change
	planned := q.mode == Sync && h.chance("plan first", 4)
	if planned {
		preview := q
		preview.mode = Plan
		plan = h.ask(preview)
	}
	changes := h.ask(q)
	if planned {
		if diff := cmp.Diff(essence(plan), essence(changes)); diff != "" {
			h.Fatalf("the plan said something else than the sync did (-plan +sync):\n%s", diff)
		}
	}
	if q.approve == 0 && h.chance("again", 4) {
		h.again(q)
	}
}

// someCustomer draws one of our customers, most often one that is mapped.
func (h *history) someCustomer() int {
	list := slices.Sorted(maps.Keys(h.model.customers))
	if !h.chance("any customer", 5) {
		for _, key := range slices.Sorted(maps.Keys(h.model.told)) {
			if id := h.model.told[key].mapped; id != 0 {
				list = append(list, id, id, id)
			}
		}
	}
	return list[h.pick("customer of ours", len(list))]
}

// essence is what a plan and a sync have in common: all but the ids that only the sync knows.
func essence(changes []Change) []Change {
	list := slices.Clone(changes)
	for i := range list {
		c := &list[i]
		c.EntityID, c.CustomerID = 0, 0
		if c.Kind == "move" || c.Entity == EntityMapping {
			c.After = nil
		}
	}
	return list
}

// again makes the same run on the same input. It may count what is missing once more, and hold again what it held.
func (h *history) again(q question) {
	before := h.dump()
	wanted := h.model.clone()
	changes := h.ask(q)
	for _, c := range changes {
		if c.Guard == "" && !(c.Kind == "deactivate" && h.module.Subscriptions.MissingRuns > 1) {
			h.Fatalf("the same input changed something: %s %s %s", c.Entity, c.Kind, c.Key)
		}
	}
	if len(changes) > 0 || !cmp.Equal(missing(wanted), missing(h.model)) {
		return
	}
	if diff := cmp.Diff(before, h.dump()); diff != "" {
		h.Fatalf("the same input wrote something:\n%s", diff)
	}
}

func missing(m *model) map[string]int {
	counts := map[string]int{}
	for key, rec := range m.records {
		counts[key] = rec.missing
	}
	return counts
}

// ask makes one run, for real and in the model, and compares.
func (h *history) ask(q question) []Change {
	h.fake.customers, h.fake.subscriptions = h.speak(q.customers), h.speak(q.subscriptions)
	if q.narrow != 0 && !h.fake.ignoresRefs {
		h.narrowSaid(&q)
	}
	req := Request{Module: q.module, Mode: q.mode, Entities: q.entities, Approve: q.approve, Who: "property"}
	req.Module.Limits.Overridden = q.override
	if q.narrow != 0 {
		req.Customers = []int64{h.ids[q.narrow]}
	}
	h.planned = nil
	req.Planned = func(c Change) { h.planned = append(h.planned, c) }
	activeBefore := h.activeSubs()
	scopesBefore := map[string]string{}
	for key, rec := range h.model.records {
		scopesBefore[key] = rec.scope
	}
	report, err := h.Run(context.Background(), req)
	if report == nil {
		h.Fatalf("the run did not begin: %v", err)
	}
	target := h.model
	if q.mode == Plan {
		target = h.model.clone()
	}
	want := target.run(report.Run, q)
	h.Logf("%s %s narrow %d approve %d override %v: %s, changes %v\ncustomers %+v\nsubscriptions %+v", report.Mode, req.Entities, q.narrow, q.approve, q.override, report.Outcome, want.changes, q.customers, q.subscriptions)
	h.compareOutcome(report, err, want)
	h.compareChanges(report, q.mode, want)
	h.compareState()
	h.nothingEndedUnproven(q, activeBefore, scopesBefore)
	return slices.Clone(h.planned)
}

// speak turns what is said into what the fake says.
func (h *history) speak(l saidListing) says {
	var s says
	switch {
	case l.refused:
		s.refused = &sdk.Error{Class: sdk.ClassPermission, Message: "not allowed"}
	case l.denied:
		s.refused = &sdk.Error{Class: sdk.ClassAuth, Message: "wrong secret"}
	}
	if l.broken {
		s.broken = errors.New("the plugin died")
	}
	s.doubted = l.doubted
	for _, scope := range l.scopes {
		told := scopeSays{ref: scope.ref, outcome: scope.outcome, removed: scope.removed}
		for _, c := range scope.customers {
			said := sdk.Customer{Ref: c.ref, Name: c.name, Lifecycle: sdk.LifecycleActive, IsPartner: c.partner}
			if c.ended {
				said.Lifecycle = sdk.LifecycleEnded
			}
			if c.address != nil {
				said.Address = &sdk.Address{Lines: []string{c.address.line}, City: c.address.city, PostalCode: c.address.code, Country: c.address.country}
			}
			told.customers = append(told.customers, said)
		}
		for _, u := range scope.subs {
			told.subs = append(told.subs, sub(u.ref, u.customer, u.quantity, called(u.name), func(p *distributorv1.Subscription) {
				if u.ended {
					ending(p)
				}
				item := p.Items[0]
				if u.metered {
					item.ChargeKind = distributorv1.ChargeKind_CHARGE_KIND_USAGE
				}
				if u.cost != "" {
					item.PartnerCost = &distributorv1.Money{Amount: u.cost, Currency: "AUD"}
				}
				if len(u.items) > 0 {
					p.Items = nil
					for _, ref := range u.items {
						p.Items = append(p.Items, &distributorv1.Item{Ref: ref, Quantity: item.Quantity, ChargeKind: item.ChargeKind, PartnerCost: item.PartnerCost})
					}
				}
			}))
		}
		s.scopes = append(s.scopes, told)
	}
	return s
}

// narrowSaid leaves out what a distributor that is asked for some customers only does not say.
func (h *history) narrowSaid(q *question) {
	asked := func(ref string) bool {
		told := h.model.told[h.model.key(ref)]
		return told != nil && told.mapped == q.narrow
	}
	for _, l := range []*saidListing{&q.customers, &q.subscriptions} {
		l.scopes = slices.Clone(l.scopes)
		for i := range l.scopes {
			s := &l.scopes[i]
			s.customers = slices.DeleteFunc(slices.Clone(s.customers), func(c saidCustomer) bool { return !asked(c.ref) })
			s.subs = slices.DeleteFunc(slices.Clone(s.subs), func(u saidSub) bool { return !asked(u.customer) })
		}
	}
}

func (h *history) compareOutcome(report *Report, err error, want answer) {
	applied, held := 0, 0
	for _, c := range want.changes {
		if c.held {
			held++
		} else {
			applied++
		}
	}
	var may []Outcome
	switch {
	case want.failed:
		may = []Outcome{Failed}
	case held > 0:
		may = []Outcome{Held}
	case applied > 0:
		may = []Outcome{Succeeded, Warning}
	default:
		may = []Outcome{NoChange, Warning}
	}
	if !slices.Contains(may, report.Outcome) || (err != nil) != want.failed {
		h.Fatalf("outcome %s, want %v; error %v", report.Outcome, may, err)
	}
	if report.Counts[CountApplied] != applied || report.Counts[CountHeld] != held {
		h.Fatalf("%d applied and %d held, want %d and %d", report.Counts[CountApplied], report.Counts[CountHeld], applied, held)
	}
	run, err := h.Store.Run(context.Background(), report.Run)
	h.must(err)
	if run.Outcome != string(report.Outcome) || run.FinishedAt == nil {
		h.Fatalf("the record says %q, finished %v; the report %s", run.Outcome, run.FinishedAt, report.Outcome)
	}
	leases, err := h.Store.Leases(context.Background(), h.tenantID)
	h.must(err)
	if len(leases) > 0 {
		h.Fatalf("after the run there is still a lease: %+v", leases)
	}
}

// compareChanges compares what was planned, what was recorded and what should have been.
func (h *history) compareChanges(report *Report, mode Mode, want answer) {
	wanted := []string{}
	for _, c := range want.changes {
		wanted = append(wanted, c.String())
	}
	slices.Sort(wanted)
	planned := []string{}
	for _, c := range h.planned {
		planned = append(planned, changeAsModel(c.Entity, c.Kind, c.Key, c.Before, c.After, c.Guard != ""))
	}
	slices.Sort(planned)
	if diff := cmp.Diff(wanted, planned); diff != "" {
		h.Fatalf("planned changes (-model +run):\n%s", diff)
	}
	rows, err := h.Store.Changes(context.Background(), store.ChangeFilter{ModuleID: h.moduleID, RunID: report.Run})
	h.must(err)
	recorded := []string{}
	for _, row := range rows {
		recorded = append(recorded, changeAsModel(row.Entity, row.Kind, row.EntityKey, row.Before, row.After, row.Status == store.ChangeHeld))
		if row.Status == store.ChangeApplied && row.EntityID == nil || row.Reason == "" || row.Who != "property" {
			h.Fatalf("an incomplete record: %+v", row)
		}
	}
	slices.Sort(recorded)
	if mode == Plan {
		wanted = []string{}
	}
	if diff := cmp.Diff(wanted, recorded); diff != "" {
		h.Fatalf("recorded changes (-model +database):\n%s", diff)
	}
}

// changeAsModel spells a change as the model does.
func changeAsModel(entity, kind, key string, before, after json.RawMessage, held bool) string {
	c := modelChange{entity: entity, kind: kind, key: key, held: held}
	switch entity + " " + kind {
	case "distributor_customer flag":
		for _, f := range []struct{ in, out string }{{`"listed":"no"`, "gone"}, {`"listed":"yes"`, "listed"}, {"lifecycle", "lifecycle"}} {
			if strings.Contains(string(after), f.in) {
				c.after = f.out
				break
			}
		}
	case "distributor_customer rename":
		c.after = textsOf(after)["name"]
	case "subscription update":
		c.after = updateText(textsOf(before), textsOf(after))
	case "customer create":
		var made struct {
			Name, Top_level string
			Address         map[string]string
		}
		if err := json.Unmarshal(after, &made); err != nil {
			panic(err)
		}
		a := made.Address
		c.after = fmt.Sprint(made.Name, modelAddress{a["line1"], a["city"], a["postal_code"], a["country"]}, made.Top_level)
	}
	return c.String()
}

func textsOf(raw json.RawMessage) map[string]string {
	texts := map[string]string{}
	if err := json.Unmarshal(raw, &texts); err != nil {
		panic(err)
	}
	return texts
}

// compareState compares the database with the model.
func (h *history) compareState() {
	h.compareCustomers()
	h.compareMappings()
	h.compareSubscriptions()
	rows, err := h.Store.Changes(context.Background(), store.ChangeFilter{ModuleID: h.moduleID, Status: store.ChangeHeld})
	h.must(err)
	got, want := []string{}, []string{}
	for _, row := range rows {
		got = append(got, fmt.Sprint(*row.RunID, " ", changeAsModel(row.Entity, row.Kind, row.EntityKey, row.Before, row.After, true)))
	}
	for _, c := range h.model.held {
		want = append(want, fmt.Sprint(c.run, " ", c.String()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("held changes (-model +database):\n%s", diff)
	}
}

func (h *history) compareCustomers() {
	rows, err := h.Store.CustomerRows(context.Background(), store.CustomerFilter{TenantID: h.tenantID})
	h.must(err)
	byID := map[int64]store.CustomerRow{}
	for _, row := range rows {
		byID[row.ID] = row
	}
	for id, c := range h.model.customers {
		if _, known := h.ids[id]; known {
			continue
		}
		// A created customer's name is nobody else's among those that are new.
		for _, row := range rows {
			if row.Name == c.name && row.CreatedBy == "Fake" && !h.used[row.ID] {
				h.ids[id] = row.ID
				h.used[row.ID] = true
			}
		}
	}
	if len(rows) != len(h.model.customers) {
		h.Fatalf("%d customers, want %d: %+v", len(rows), len(h.model.customers), rows)
	}
	for id, c := range h.model.customers {
		row, ok := byID[h.ids[id]]
		if !ok {
			h.Fatalf("customer %q (#%d) is not there", c.name, h.ids[id])
		}
		a := row.Main
		got := modelCustomer{row.Name, row.CreatedBy, row.TopLevel, row.Active, modelAddress{a.Line1, a.City, a.PostalCode, a.Country}}
		if got != *c || row.Sites != 1 {
			h.Fatalf("customer #%d is %+v with %d sites, want %+v", row.ID, got, row.Sites, *c)
		}
	}
}

func (h *history) compareMappings() {
	rows, err := h.Store.MappingRows(context.Background(), store.MappingFilter{ModuleID: h.moduleID, Gone: true})
	h.must(err)
	if len(rows) != len(h.model.told) {
		h.Fatalf("%d distributor customers, want %d", len(rows), len(h.model.told))
	}
	for _, row := range rows {
		told := h.model.told[h.model.key(row.Ref)]
		if told == nil {
			h.Fatalf("nobody spoke of distributor customer %q", row.Ref)
		}
		mapped := int64(0)
		if row.CustomerID != nil {
			mapped = *row.CustomerID
		}
		if mapped != h.ids[told.mapped] || row.Name != told.name || (row.GoneAt != nil) != told.gone || (row.Lifecycle == "ended") != told.ended {
			h.Fatalf("distributor customer %+v, want %+v on #%d", row, *told, h.ids[told.mapped])
		}
	}
}

func (h *history) compareSubscriptions() {
	rows, err := h.Store.SubscriptionRows(context.Background(), store.SubscriptionFilter{TenantID: h.tenantID})
	h.must(err)
	want := map[string]*modelSub{}
	waiting := 0
	for key, rec := range h.model.records {
		if rec.sub != nil {
			want[strings.ToLower(key)] = rec.sub
		} else if !rec.gone {
			waiting++
		}
	}
	if len(rows) != len(want) {
		h.Fatalf("%d subscriptions, want %d", len(rows), len(want))
	}
	for _, row := range rows {
		key := strings.ToLower(row.Ref)
		w := want[key]
		if w == nil {
			h.Fatalf("subscription %q should not be there", row.Ref)
		}
		id, known := h.subs[key]
		switch {
		case known && id != row.ID:
			h.Fatalf("subscription %q was #%d and is #%d", row.Ref, id, row.ID)
		case !known && row.ID <= h.lastID:
			h.Fatalf("subscription %q has #%d, which is not new", row.Ref, row.ID)
		}
		h.subs[key] = row.ID
		got := map[string]string{
			"name": row.Name, "quantity": textOf(row.Quantity), "state": row.State, "status": row.Status, "charge": row.Charge,
			"partner_cost": textOf(row.PartnerCost), "currency": row.Currency,
		}
		if diff := cmp.Diff(w.fields, got); diff != "" {
			h.Fatalf("subscription %q (-model +database):\n%s", row.Ref, diff)
		}
		if row.CustomerID != h.ids[w.customer] || row.Active != w.active || (row.DeactivatedAt == nil) != w.active || row.Distributor != "Fake" {
			h.Fatalf("subscription %q on #%d, active %v, deactivated %v; want #%d, %v", row.Ref, row.CustomerID, row.Active, row.DeactivatedAt, h.ids[w.customer], w.active)
		}
	}
	for _, id := range h.subs {
		h.lastID = max(h.lastID, id)
	}
	var n int
	h.must(h.raw.QueryRow("SELECT count(*) FROM distributor_subscriptions WHERE module_id = ? AND subscription_id IS NULL AND flags & 1 = 0", h.moduleID).Scan(&n))
	if n != waiting {
		h.Fatalf("%d subscriptions wait for a customer, want %d", n, waiting)
	}
}

func (h *history) activeSubs() map[string]bool {
	active := map[string]bool{}
	for key, rec := range h.model.records {
		if rec.sub != nil && rec.sub.active {
			active[key] = true
		}
	}
	return active
}

// nothingEndedUnproven looks for a subscription that became inactive although no scope it belongs to was read completely,
// or although the operator did not allow it.
func (h *history) nothingEndedUnproven(q question, before map[string]bool, scopes map[string]string) {
	complete := map[string]bool{}
	for _, s := range q.subscriptions.scopes {
		complete[s.ref] = s.outcome == pluginhost.OutcomeComplete
	}
	rows, err := h.Store.SubscriptionRows(context.Background(), store.SubscriptionFilter{TenantID: h.tenantID})
	h.must(err)
	for _, row := range rows {
		for key, rec := range h.model.records {
			if !strings.EqualFold(key, row.Ref) || row.Active || !before[key] {
				continue
			}
			if !q.module.Subscriptions.DeactivateMissing || q.mode != Sync || !complete[rec.scope] && !complete[scopes[key]] {
				h.Fatalf("subscription %q was deactivated on the strength of %+v", row.Ref, q.subscriptions)
			}
		}
	}
}

// dump is every row of the tenant, but for its runs and leases.
func (h *history) dump() map[string][]string {
	all := map[string][]string{}
	for _, table := range []string{
		"modules", "top_levels", "customers", "sites", "distributor_customers", "mappings", "scopes", "subscriptions", "distributor_subscriptions", "changes",
	} {
		rows, err := h.raw.Query("SELECT * FROM "+table+" WHERE tenant_id = ? ORDER BY 1", h.tenantID)
		h.must(err)
		columns, err := rows.Columns()
		h.must(err)
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		for rows.Next() {
			h.must(rows.Scan(places...))
			all[table] = append(all[table], fmt.Sprint(values...))
		}
		h.must(rows.Err())
		h.must(rows.Close()) //nolint:sqlclosecheck // one table after the other
	}
	return all
}
