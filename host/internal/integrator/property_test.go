// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// TestARunIsWhatTheDesignSays holds the run, with a real database, against the model in model_test.go over random
// histories of two tenants: 300 of them, 30 with the race detector. More: -rapid.checks=5000.
func TestARunIsWhatTheDesignSays(t *testing.T) {
	histories(t, 300)
	now := tick()
	var s *store.Store
	var raw *bun.DB
	shut := func() {
		if s != nil {
			must(t, errors.Join(raw.Close(), s.Close()))
		}
	}
	t.Cleanup(func() { shut() })
	drawn := 0
	rapid.Check(t, func(rt *rapid.T) {
		// One database for many histories: each has tenants of its own, which must not notice the others.
		if drawn++; drawn%50 == 1 {
			shut()
			url := newDatabase(t)
			var err error
			s, err = store.Open(t.Context(), store.Options{URL: url, Now: now})
			must(t, err)
			raw = rawDB(t, url)
		}
		tenants := make([]*history, 2)
		for i := range tenants {
			tenants[i] = newHistory(rt, s, raw, fmt.Sprintf("t%d-%c", drawn, 'a'+i))
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

// histories is how many random histories a test draws, unless -rapid.checks says otherwise: a tenth with the race detector, a
// third on a database server, which answers more slowly. The flag is the program's, so such a test runs alone.
func histories(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if before != checks.DefValue {
		return
	}
	if raceDetector {
		n /= 10
	}
	if os.Getenv(databaseEnv) == "postgres" {
		n /= 3
	}
	must(t, checks.Value.Set(strconv.Itoa(n)))
	t.Cleanup(func() { must(t, checks.Value.Set(before)) })
}

// history is one tenant's module with its distributor, and the model of both.
type history struct {
	*rapid.T
	*Integrator
	raw    *bun.DB
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
	// narrowed is the customer that each run was for, 0 for all.
	narrowed map[int64]int
}

func newHistory(rt *rapid.T, s *store.Store, raw *bun.DB, tenant string) *history {
	h := &history{
		T: rt, raw: raw, fake: newFake(), ids: map[int]int64{}, subs: map[string]int64{}, used: map[int64]bool{}, narrowed: map[int64]int{},
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
		if q.narrow == 0 {
			// The approval of a run for one customer is for that customer.
			q.narrow = h.narrowed[q.approve]
		}
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
	if q.narrow != 0 && q.narrow != h.narrowed[q.approve] {
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
	h.narrowed[report.Run] = q.narrow
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
