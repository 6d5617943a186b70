// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// TestAMoveNeverChangesAnID moves random customers and subscriptions between two distributors that rename, merge, split and
// end them, with runs of both modules, decisions of a person and crashes in between: no id changes or is used again, no
// record is lost, a second move finds nothing to do, and the plans after a move show only what really differs.
func TestAMoveNeverChangesAnID(t *testing.T) {
	histories(t, 150)
	url := newDatabase(t)
	now := tick()
	s, err := store.Open(t.Context(), store.Options{URL: url, Now: now})
	must(t, err)
	raw := rawDB(t, url)
	t.Cleanup(func() { must(t, errors.Join(raw.Close(), s.Close())) })
	tenants := 0
	rapid.Check(t, func(rt *rapid.T) {
		tenants++
		w := newMoveWorld(rt, s, raw, fmt.Sprintf("m%d", tenants))
		w.Now = now
		w.run(w.old, nil)
		for range w.pick("steps", 8) + 2 {
			w.step()
		}
		w.moveAll(w.old, w.new)
	})
}

// moveWorld is a tenant with two modules. Both distributors have views of the same few customers and subscriptions.
type moveWorld struct {
	*rapid.T
	*Integrator
	raw      *bun.DB
	old, new Module
	views    map[string]*view
	tenantID int64
	// customers and subs are the names of customers and the vendor's ids of subscriptions, by our ids.
	customers map[int64]string
	subs      map[int64]string
	planned   []Change
}

const (
	manyIdentities    = 4
	manySubscriptions = 7
)

// view is what one distributor makes of them.
type view struct {
	fake      *fake
	prefix    string
	customers [manyIdentities]viewCustomer
	subs      [manySubscriptions]viewSub
}

type viewCustomer struct {
	name string
	// leader is the customer that it is listed as part of: itself, unless it was merged.
	leader                        int
	absent, ended, tenant, domain bool
}

type viewSub struct {
	name, quantity          string
	absent, ended, vendorID bool
}

func newMoveWorld(rt *rapid.T, s *store.Store, raw *bun.DB, tenant string) *moveWorld {
	w := &moveWorld{T: rt, raw: raw, views: map[string]*view{}, customers: map[int64]string{}, subs: map[int64]string{}}
	w.old = Module{
		Tenant: tenant, Name: "old", Plugin: "fake", Unmatched: UnmatchedCreate,
		Subscriptions: reconcile.Policy{DeactivateMissing: w.chance("deactivate", 2), MissingRuns: 1}, Limits: reconcile.DefaultLimits(),
	}
	w.old.Limits.Overridden = map[string]bool{}
	for _, guard := range reconcile.GuardNames {
		w.old.Limits.Overridden[guard] = true
	}
	w.new = w.old
	w.new.Name = "new"
	for _, name := range []string{"old", "new"} {
		v := &view{fake: newFake(), prefix: name[:1]}
		v.fake.info.Distributor = "The " + name
		for i := range v.customers {
			w.drawCustomer(v, i)
		}
		for i := range v.subs {
			w.drawSub(v, i)
		}
		w.views[name] = v
	}
	w.Integrator = &Integrator{
		Store: s, Log: hclog.NewNullLogger(), Holder: "property",
		Open: func(_ context.Context, module Module, _ string) (Source, error) {
			return w.views[module.Name].fake, nil
		},
	}
	return w
}

func (w *moveWorld) pick(name string, n int) int { return rapid.IntRange(0, n-1).Draw(w.T, name) }

func (w *moveWorld) chance(name string, oneIn int) bool { return w.pick(name, oneIn) == oneIn-1 }

func (w *moveWorld) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

func (w *moveWorld) drawCustomer(v *view, i int) {
	v.customers[i] = viewCustomer{
		name: fmt.Sprintf("Customer %d", i), leader: i, absent: w.chance("absent", 6), ended: w.chance("ended", 8),
		tenant: !w.chance("no tenant", 3), domain: w.chance("domain", 2),
	}
	c := &v.customers[i]
	switch w.pick("name", 6) {
	case 0:
		c.name = "Twins"
	case 1:
		c.name += " of " + v.prefix
	case 2:
		c.leader = w.pick("merged with", i+1)
	}
}

func (w *moveWorld) drawSub(v *view, i int) {
	v.subs[i] = viewSub{
		name: fmt.Sprintf("Product %d", i%3), quantity: fmt.Sprint(1 + w.pick("quantity", 3)),
		absent: w.chance("absent", 4), ended: w.chance("ended", 6), vendorID: !w.chance("no vendor's id", 4),
	}
	if w.chance("renamed", 4) {
		v.subs[i].name = fmt.Sprintf("Product %d of %s", i, v.prefix)
	}
}

// says lets the distributor list what its view holds.
func (v *view) says() {
	listed := map[int]*sdk.Customer{}
	var customers []sdk.Customer
	for i, c := range v.customers {
		leader := v.customers[c.leader]
		if leader.absent || c.absent {
			continue
		}
		told := listed[c.leader]
		if told == nil {
			made := customer(fmt.Sprintf("%sc%d", v.prefix, c.leader), leader.name)
			if leader.ended {
				made.Lifecycle = sdk.LifecycleEnded
			}
			told = &made
			listed[c.leader] = told
		}
		if c.tenant {
			told.VendorTenants = append(told.VendorTenants, sdk.VendorTenant{Vendor: "microsoft", Ref: guid(100 + i)})
		}
		if c.domain {
			told.Domains = append(told.Domains, fmt.Sprintf("c%d.example", i))
		}
	}
	for i := range v.customers {
		if listed[i] != nil {
			customers = append(customers, *listed[i])
		}
	}
	var subs []*distributorv1.Subscription
	for i, s := range v.subs {
		owner := v.customers[i%manyIdentities].leader
		if s.absent || listed[owner] == nil {
			continue
		}
		told := sub(fmt.Sprintf("%ss%d", v.prefix, i), fmt.Sprintf("%sc%d", v.prefix, owner), s.quantity, called(s.name))
		if s.ended {
			ending(told)
		}
		if s.vendorID {
			vendorID(guid(i))(told)
		}
		subs = append(subs, told)
	}
	v.fake.lists(customers, subs...)
}

// step is one thing that happens.
func (w *moveWorld) step() {
	modules := [2]Module{w.old, w.new}
	i := w.pick("module", 2)
	module, other := modules[i], modules[1-i]
	v := w.views[module.Name]
	switch w.pick("step", 9) {
	case 0, 1:
		w.drawCustomer(v, w.pick("customer", manyIdentities))
	case 2, 3:
		w.drawSub(v, w.pick("subscription", manySubscriptions))
	case 4:
		w.run(module, nil)
	case 5:
		w.mapByHand(module)
	case 6:
		w.crash(module, other)
	default:
		w.moveAll(other, module)
	}
	w.unchangedIDs()
}

// run makes a run that has to succeed, or a plan, and gives what it changes.
func (w *moveWorld) run(module Module, edit func(*Request)) []Change {
	w.views[module.Name].says()
	w.planned = nil
	req := Request{
		Module: module, Mode: Sync, Entities: Entities{Customers: true, Subscriptions: true}, Who: "property",
		Planned: func(c Change) { w.planned = append(w.planned, c) },
	}
	if edit != nil {
		edit(&req)
	}
	report, err := w.Run(context.Background(), req)
	w.must(err)
	if n := report.Counts[CountApplied]; n != len(w.planned) {
		w.Fatalf("%d changes were told, %d counted", len(w.planned), n)
	}
	w.Logf("%s %s from %q: %v, %+v", report.Module, report.Mode, report.From, report.Counts, report.Left)
	for _, c := range w.planned {
		w.Logf("  %s %s %s #%d %s", c.Entity, c.Kind, c.Key, c.EntityID, c.After)
	}
	w.unchangedIDs()
	return slices.Clone(w.planned)
}

func from(source Module, same ...moving.Decision) func(*Request) {
	return func(req *Request) { req.Mode, req.Move = Move, &MoveFrom{Module: source.Name, Same: same} }
}

// moveAll moves, and checks what the move is said to come to.
func (w *moveWorld) moveAll(source, target Module) {
	if !w.known(source) {
		return
	}
	plan := w.run(target, func(req *Request) { from(source)(req); req.Mode = Plan })
	made := w.run(target, from(source))
	if diff := cmp.Diff(essence(plan), essence(made)); diff != "" {
		w.Fatalf("the plan said something else than the move did (-plan +move):\n%s", diff)
	}
	for _, c := range made {
		if c.Kind != kindCarry && c.Kind != kindMap {
			w.Fatalf("a move that nobody decided about makes a change of another kind: %+v", c)
		}
	}
	if again := w.run(target, from(source)); len(again) > 0 {
		w.Fatalf("a second move changes %+v", again)
	}
	w.onlyDifferences(target)
	w.onlyDifferences(source)
}

// known reports whether a module has been run.
func (w *moveWorld) known(module Module) bool {
	_, _, err := w.Store.FindModule(context.Background(), module.Tenant, module.Name)
	if !errors.Is(err, store.ErrNotFound) {
		w.must(err)
	}
	return err == nil
}

// onlyDifferences makes a plan and checks each change in it against what is there.
func (w *moveWorld) onlyDifferences(module Module) {
	carried := w.refs(module, "carried_as IS NOT NULL")
	linked := w.refs(module, "subscription_id IS NOT NULL")
	records := w.records()
	for _, c := range w.run(module, func(req *Request) { req.Mode = Plan }) {
		if c.Entity != EntitySubscription {
			continue
		}
		if carried[c.Key] {
			w.Fatalf("%s wants to %s %s, which was carried over", module, c.Kind, c.Key)
		}
		record, known := records[c.EntityID]
		switch {
		case c.Kind == kindCreate && linked[c.Key]:
			w.Fatalf("%s wants to create %s, which has a record", module, c.Key)
		case c.Kind == kindCreate:
		case !known || record.Ref != c.Key || record.Module != module.Name:
			w.Fatalf("%s wants to %s #%d, which is %+v", module, c.Kind, c.EntityID, record)
		case c.Kind == kindUpdate:
			w.differs(record, c)
		case c.Kind == "deactivate" && !record.Active, c.Kind == "reactivate" && record.Active:
			w.Fatalf("%s wants to %s #%d, which is so already", module, c.Kind, c.EntityID)
		}
	}
}

// differs checks that what an update says of a record is true, and that it says something.
func (w *moveWorld) differs(record store.SubscriptionRow, c Change) {
	var before, after map[string]string
	w.must(errors.Join(json.Unmarshal(c.Before, &before), json.Unmarshal(c.After, &after)))
	fields := fieldsOf(&record.Subscription)
	fields.Each(func(name string, value *string) {
		if is, told := after[name]; told && (before[name] != *value || is == *value) {
			w.Fatalf("an update of #%d says that %s changes from %q to %q, and it is %q", record.ID, name, before[name], is, *value)
		}
	})
	if len(after) == 0 {
		w.Fatalf("an update of #%d changes nothing", record.ID)
	}
}

// refs gives the distributor's ids of a module's distributor subscriptions of which something is true.
func (w *moveWorld) refs(module Module, where string) map[string]bool {
	list := map[string]bool{}
	if !w.known(module) {
		return list
	}
	_, row, err := w.Store.FindModule(context.Background(), module.Tenant, module.Name)
	w.must(err)
	w.each(func(scan func(...any)) {
		var ref string
		scan(&ref)
		list[ref] = true
	}, "SELECT ref FROM distributor_subscriptions WHERE module_id = ? AND "+where, row.ID)
	return list
}

func (w *moveWorld) each(fn func(scan func(...any)), query string, args ...any) {
	rows, err := w.raw.Query(query, args...)
	w.must(err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		fn(func(dest ...any) { w.must(rows.Scan(dest...)) })
	}
	w.must(rows.Err())
}

func (w *moveWorld) records() map[int64]store.SubscriptionRow {
	byID := map[int64]store.SubscriptionRow{}
	if w.tenantID == 0 {
		tenant, err := w.Store.FindTenant(context.Background(), w.old.Tenant)
		w.must(err)
		w.tenantID = tenant.ID
	}
	rows, err := w.Store.SubscriptionRows(context.Background(), store.SubscriptionFilter{TenantID: w.tenantID})
	w.must(err)
	for _, row := range rows {
		byID[row.ID] = row
	}
	return byID
}

// unchangedIDs checks that every customer and every subscription there ever was is there under its id, and that what is
// new has an id that nobody had.
func (w *moveWorld) unchangedIDs() {
	records := w.records()
	seen := map[string]int64{}
	for id, row := range records {
		was, known := w.subs[id]
		if is := strings.ToLower(row.VendorRef); known && was != "" && is != was {
			w.Fatalf("subscription #%d was the vendor's %s and is now %s", id, was, is)
		}
		if key := row.Module + " " + row.Ref; row.Active {
			if seen[key] != 0 {
				w.Fatalf("#%d and #%d are both active as %s", seen[key], id, key)
			}
			seen[key] = id
		}
		if want := "The " + row.Module; row.Distributor != want {
			w.Fatalf("subscription #%d shows %s and is that of %s", id, row.Distributor, row.Module)
		}
	}
	for id := range w.subs {
		if _, there := records[id]; !there {
			w.Fatalf("subscription #%d is lost", id)
		}
	}
	for id, row := range records {
		if _, known := w.subs[id]; !known && id <= largest(w.subs) {
			w.Fatalf("#%d is new, and its id is not", id)
		}
		_ = row
	}
	for id, row := range records {
		w.subs[id] = strings.ToLower(row.VendorRef)
	}
	w.unchangedCustomers()
	w.eachRecordOnce()
}

func (w *moveWorld) unchangedCustomers() {
	now := map[int64]string{}
	w.each(func(scan func(...any)) {
		var id int64
		var name string
		scan(&id, &name)
		now[id] = name
	}, "SELECT id, name FROM customers WHERE tenant_id = ?", w.tenantID)
	for id, name := range w.customers {
		if now[id] != name {
			w.Fatalf("customer #%d was %q and is %q", id, name, now[id])
		}
	}
	for id := range now {
		if _, known := w.customers[id]; !known && id <= largest(w.customers) {
			w.Fatalf("customer #%d is new, and its id is not", id)
		}
	}
	w.customers = now
}

// eachRecordOnce checks that a record belongs to its own module's distributor subscription of its name, that flags and
// columns agree about what was carried over, and that what was carried over is somewhere.
func (w *moveWorld) eachRecordOnce() {
	var wrong int
	w.must(w.raw.QueryRow(`SELECT count(*) FROM distributor_subscriptions d LEFT JOIN subscriptions s ON s.id = d.subscription_id
		WHERE d.tenant_id = ? AND (d.subscription_id IS NOT NULL AND (s.module_id <> d.module_id OR s.ref <> d.ref)
			OR (d.flags & 8 <> 0) <> (d.carried_as IS NOT NULL) OR d.carried_as IS NOT NULL AND d.subscription_id IS NOT NULL
			OR d.carried_as IS NOT NULL AND NOT EXISTS (SELECT 1 FROM subscriptions c WHERE c.id = d.carried_as))`, w.tenantID).Scan(&wrong))
	if wrong > 0 {
		w.Fatalf("%d distributor subscriptions contradict themselves", wrong)
	}
}

func largest(ids map[int64]string) int64 {
	var most int64
	for id := range ids {
		most = max(most, id)
	}
	return most
}

// mapByHand maps a distributor customer that nobody is mapped to, or another one.
func (w *moveWorld) mapByHand(module Module) {
	if !w.known(module) || len(w.customers) == 0 {
		return
	}
	ctx := context.Background()
	_, row, err := w.Store.FindModule(ctx, module.Tenant, module.Name)
	w.must(err)
	rows, err := w.Store.MappingRows(ctx, store.MappingFilter{ModuleID: row.ID})
	w.must(err)
	if len(rows) == 0 {
		return
	}
	r := rows[w.pick("distributor customer", len(rows))]
	ids := make([]int64, 0, len(w.customers))
	for id := range w.customers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	add := w.Store.AddMapping
	if r.MappingID != nil {
		add = w.Store.ChangeMapping
	}
	_, err = add(ctx, row.ID, r.DistributorCustomerID, ids[w.pick("customer", len(ids))], "property")
	w.must(err)
}

// crash ends a move at a random instant of its work. Nothing of it may be left.
func (w *moveWorld) crash(source, target Module) {
	if !w.known(source) {
		return
	}
	w.views[target.Name].says()
	before := w.dump()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := w.pick("changes before the crash", 6)
	f := w.views[target.Name].fake
	if w.chance("while it reads", 3) {
		f.at = func(_ context.Context, step string) error {
			if step == "event" {
				if left--; left < 0 {
					cancel()
				}
			}
			return ctx.Err()
		}
	}
	defer func() { f.at = nil }()
	req := Request{Module: target, Entities: Entities{Customers: true, Subscriptions: true}, Planned: func(Change) {
		if left--; left < 0 {
			cancel()
		}
	}}
	from(source)(&req)
	report, err := w.Run(ctx, req)
	if err == nil {
		return // it was done before
	}
	if report.Outcome != Cancelled || report.Counts[CountApplied] > 0 {
		w.Fatalf("a move that was ended says %+v (%v)", report, err)
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		w.Fatalf("a move that was ended left something:\n%s", diff)
	}
}

// dump gives all rows of the tenant that a move may write.
func (w *moveWorld) dump() []string {
	var list []string
	for _, query := range []string{
		"SELECT 'subscription ' || id || ' ' || module_id || ' ' || ref || ' ' || active || ' ' || distributor FROM subscriptions",
		"SELECT 'told ' || id || ' ' || ref || ' ' || flags || ' ' || coalesce(subscription_id, 0) || ' ' || coalesce(carried_as, 0) FROM distributor_subscriptions",
		"SELECT 'customer ' || id || ' ' || ref FROM distributor_customers",
		"SELECT 'mapping ' || distributor_customer_id || ' ' || customer_id FROM mappings",
		"SELECT 'change ' || id || ' ' || status FROM changes",
	} {
		w.each(func(scan func(...any)) {
			var text string
			scan(&text)
			list = append(list, text)
		}, query+" WHERE tenant_id = ? ORDER BY id", w.tenantID)
	}
	return list
}
