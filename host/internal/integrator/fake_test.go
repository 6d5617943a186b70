// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	_ "github.com/jackc/pgx/v5/stdlib" // likewise
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // to look at tables, and change them, without the store

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// scopeSays is one scope of a listing.
type scopeSays struct {
	ref, name string
	// outcome is complete unless said otherwise.
	outcome   pluginhost.Outcome
	customers []sdk.Customer
	subs      []*distributorv1.Subscription
	removed   []string
}

// says is what a distributor answers to one kind of listing.
type says struct {
	scopes []scopeSays
	// refused ends the listing before it begins.
	refused error
	// broken is what Next gives after the last scope, in place of io.EOF: a plugin that died.
	broken error
	// doubted: every scope is as it says, and yet the listing as a whole is not complete.
	doubted bool
}

// fake is a distributor without a process. What it says may be changed between runs.
type fake struct {
	mu                       sync.Mutex
	info                     Info
	customers, subscriptions says
	// ignoresRefs: it lists all whatever it is asked for, as plugins may.
	ignoresRefs bool
	// at is called at each step of a run: open, customers, subscriptions, close, and each "event".
	at func(ctx context.Context, step string) error
	// closed counts how often it was closed.
	closed int
	// lastComplete is what the last listing of subscriptions was told.
	lastComplete time.Time
}

func newFake() *fake {
	return &fake{info: Info{Distributor: "Fake", Version: "1.0.0", AbsenceMeansEnded: true}}
}

func (f *fake) step(ctx context.Context, name string) error {
	if f.at == nil {
		return nil
	}
	return f.at(ctx, name)
}

func (f *fake) Info() Info             { return f.info }
func (f *fake) Crash() json.RawMessage { return nil }

func (f *fake) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed++
	f.mu.Unlock()
	return f.step(ctx, "close")
}

func (f *fake) ListCustomers(ctx context.Context, refs []string) (Listing, error) {
	if err := f.step(ctx, "customers"); err != nil {
		return nil, err
	}
	return f.list(ctx, f.customers, refs, func(s scopeSays, asked func(string) bool) (pluginhost.Event, int) {
		list := slices.DeleteFunc(slices.Clone(s.customers), func(c sdk.Customer) bool { return !asked(c.Ref) })
		return pluginhost.Customers{Scope: s.ref, Customers: list}, len(list)
	})
}

func (f *fake) ListSubscriptions(ctx context.Context, refs []string, lastComplete time.Time) (Listing, error) {
	f.mu.Lock()
	f.lastComplete = lastComplete
	f.mu.Unlock()
	if err := f.step(ctx, "subscriptions"); err != nil {
		return nil, err
	}
	return f.list(ctx, f.subscriptions, refs, func(s scopeSays, asked func(string) bool) (pluginhost.Event, int) {
		list := slices.DeleteFunc(slices.Clone(s.subs), func(u *distributorv1.Subscription) bool { return !asked(u.GetCustomerRef()) })
		return pluginhost.Subscriptions{Scope: s.ref, Subscriptions: list}, len(list)
	})
}

// list turns what is said into events and the result that the books of the plugin host would come to.
func (f *fake) list(
	ctx context.Context, said says, refs []string, batch func(scopeSays, func(string) bool) (pluginhost.Event, int),
) (Listing, error) {
	if said.refused != nil {
		return nil, said.refused
	}
	asked := func(ref string) bool {
		return len(refs) == 0 || f.ignoresRefs || slices.ContainsFunc(refs, func(r string) bool {
			return r == ref || f.info.RefsIgnoreCase && strings.EqualFold(r, ref)
		})
	}
	l := &fakeListing{ctx: ctx, fake: f, end: io.EOF, result: pluginhost.Result{Outcome: pluginhost.OutcomeComplete}}
	l.events = append(l.events, pluginhost.Begin{})
	for _, s := range said.scopes {
		if s.outcome == pluginhost.OutcomeUnknown {
			s.outcome = pluginhost.OutcomeComplete
		}
		records, n := batch(s, asked)
		l.events = append(l.events, pluginhost.ScopeBegin{Ref: s.ref, Name: s.name}, records)
		for _, ref := range s.removed {
			l.events = append(l.events, pluginhost.Tombstone{Scope: s.ref, Ref: ref})
		}
		ended := pluginhost.ScopeResult{Ref: s.ref, Name: s.name, Outcome: s.outcome, Count: int64(n)}
		if s.outcome != pluginhost.OutcomeComplete {
			ended.Err = errors.New("something went wrong")
			l.result.Outcome, l.result.Err = pluginhost.OutcomePartial, ended.Err
		}
		l.events = append(l.events, pluginhost.ScopeEnd(ended))
		l.result.Scopes = append(l.result.Scopes, ended)
		l.result.Records += int64(n)
	}
	if said.doubted {
		l.result.Outcome, l.result.Err = pluginhost.OutcomePartial, errors.New("the counts do not agree")
	}
	if said.broken != nil {
		l.end, l.result.Outcome, l.result.Err = said.broken, pluginhost.OutcomePartial, said.broken
	}
	l.events = append(l.events, pluginhost.End{Outcome: l.result.Outcome, Err: l.result.Err})
	return l, nil
}

type fakeListing struct {
	ctx    context.Context
	fake   *fake
	events []pluginhost.Event
	end    error
	result pluginhost.Result
}

func (l *fakeListing) Next() (pluginhost.Event, error) {
	if err := l.fake.step(l.ctx, "event"); err != nil {
		return nil, err
	}
	if len(l.events) == 0 {
		return nil, l.end
	}
	e := l.events[0]
	l.events = l.events[1:]
	return e, nil
}

func (l *fakeListing) Result() pluginhost.Result { return l.result }
func (*fakeListing) Close()                      {}

// tick is a clock that goes on by a second each time it is read.
func tick() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2026, 3, 1, 2, 15, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

// rig is a module with its distributor and a database of its own.
type rig struct {
	*Integrator
	t       *testing.T
	fake    *fake
	module  Module
	url     string
	planned []Change
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, fake: newFake(), url: newDatabase(t)}
	r.module = Module{
		Tenant: "acme", Name: "fake", TenantName: "Acme IT", Plugin: "fake", Unmatched: UnmatchedCreate,
		Subscriptions: reconcile.Policy{DeactivateMissing: true, MissingRuns: 1}, Limits: reconcile.DefaultLimits(),
	}
	r.Integrator = r.another()
	return r
}

// another is another program with the same database and the same distributor.
func (r *rig) another() *Integrator {
	r.t.Helper()
	now := tick()
	s, err := store.Open(r.t.Context(), store.Options{URL: r.url, Now: now})
	must(r.t, err)
	r.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return &Integrator{
		Store: s, Log: hclog.NewNullLogger(), Holder: "test", Now: now,
		Open: func(ctx context.Context, _ Module, _ string) (Source, error) {
			if err := r.fake.step(ctx, "open"); err != nil {
				return nil, err
			}
			return r.fake, nil
		},
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// request is a sync of everything, with changes to it.
func (r *rig) request(edits ...func(*Request)) Request {
	r.planned = nil
	req := Request{
		Module: r.module, Mode: Sync, Entities: Entities{Customers: true, Subscriptions: true}, Who: "tester",
		Planned: func(c Change) { r.planned = append(r.planned, c) },
	}
	for _, edit := range edits {
		edit(&req)
	}
	return req
}

// sync makes a run that has to succeed, with whatever outcome.
func (r *rig) sync(edits ...func(*Request)) *Report {
	r.t.Helper()
	report, err := r.Run(r.t.Context(), r.request(edits...))
	must(r.t, err)
	return report
}

// wants checks the outcome and some counts of a run; counts that are not named may be anything.
func (r *rig) wants(report *Report, outcome Outcome, counts map[string]int) {
	r.t.Helper()
	if report.Outcome != outcome {
		r.t.Errorf("outcome %s, want %s\ncounts %v\nwarnings %q\nguards %v\nerror %+v",
			report.Outcome, outcome, report.Counts, report.Warnings, report.Guards, report.Error)
	}
	for name, n := range counts {
		if report.Counts[name] != n {
			r.t.Errorf("%s: %d, want %d\nall counts %v", name, report.Counts[name], n, report.Counts)
		}
	}
}

func planOnly(req *Request)     { req.Mode = Plan }
func mappingsOnly(req *Request) { req.Mode, req.Entities = Mappings, Entities{Customers: true} }
func only(entity string) func(*Request) {
	return func(req *Request) {
		req.Entities = Entities{Customers: entity == "customers", Subscriptions: entity == "subscriptions"}
	}
}

func override(guards ...string) func(*Request) {
	return func(req *Request) {
		req.Module.Limits.Overridden = map[string]bool{}
		for _, g := range guards {
			req.Module.Limits.Overridden[g] = true
		}
	}
}
func approve(run int64) func(*Request) { return func(req *Request) { req.Approve = run } }
func narrowed(customer ...int64) func(*Request) {
	return func(req *Request) { req.Customers = customer }
}

// customer makes a customer as the distributor says it.
func customer(ref, name string) sdk.Customer {
	return sdk.Customer{Ref: ref, Name: name, Lifecycle: sdk.LifecycleActive}
}

// sub makes an active subscription as the distributor says it. An empty quantity is absent.
func sub(ref, customerRef, quantity string, edits ...func(*distributorv1.Subscription)) *distributorv1.Subscription {
	item := &distributorv1.Item{ChargeKind: distributorv1.ChargeKind_CHARGE_KIND_RECURRING}
	if quantity != "" {
		item.Quantity = &quantity
	}
	s := &distributorv1.Subscription{
		Ref: ref, CustomerRef: customerRef, Name: "Product " + ref, SourceStatus: "Active",
		State: distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE, Items: []*distributorv1.Item{item},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func ending(s *distributorv1.Subscription) {
	s.State, s.SourceStatus = distributorv1.SubscriptionState_SUBSCRIPTION_STATE_CANCELLED, "Cancelled"
}

func called(name string) func(*distributorv1.Subscription) {
	return func(s *distributorv1.Subscription) { s.Name = name }
}

// lists makes the distributor list customers and subscriptions, completely, in one scope.
func (f *fake) lists(customers []sdk.Customer, subs ...*distributorv1.Subscription) {
	f.customers = says{scopes: []scopeSays{{ref: "account", customers: customers}}}
	f.subscriptions = says{scopes: []scopeSays{{ref: "account", subs: subs}}}
}

// tenantID and moduleID of the rig; the module must have run.
func (r *rig) ids() (tenant, module int64) {
	r.t.Helper()
	t, m, err := r.Store.FindModule(r.t.Context(), r.module.Tenant, r.module.Name)
	must(r.t, err)
	return t.ID, m.ID
}

// has makes customers of ours, with empty main sites, and gives their ids.
func (r *rig) has(names ...string) []int64 {
	r.t.Helper()
	tenant, err := r.Store.EnsureTenant(r.t.Context(), r.module.Tenant, r.module.TenantName)
	must(r.t, err)
	ids := make([]int64, len(names))
	for i, name := range names {
		row := store.ImportRow{Name: name}
		if slices.Contains(names[:i], name) {
			// A name is made twice only under another top level.
			row.TopLevel = fmt.Sprintf("Group %d", i)
		}
		result, err := r.Store.ImportCustomers(r.t.Context(), tenant.ID, []store.ImportRow{row}, "test")
		must(r.t, err)
		ids[i] = result[0].CustomerID
	}
	return ids
}

// databaseEnv chooses the database of these tests: sqlite, which is the default, or postgres. "make test" runs them on both.
const databaseEnv = "TALLYMAN_TEST_DATABASE"

// newDatabase gives the URL of a new database.
func newDatabase(tb testing.TB) string {
	tb.Helper()
	switch kind := cmp.Or(os.Getenv(databaseEnv), "sqlite"); kind {
	case "sqlite":
		return "sqlite:" + filepath.Join(tb.TempDir(), "tallyman.db")
	case "postgres":
		return pgtest.URL(tb)
	default:
		tb.Fatalf("%s is %q, want sqlite or postgres", databaseEnv, kind)
		return ""
	}
}

// rawDB opens a database of the store without the store. A ? in its queries is an argument.
func rawDB(tb testing.TB, url string) *bun.DB {
	tb.Helper()
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if !isFile {
		db, err := sql.Open("pgx", url)
		must(tb, err)
		return bun.NewDB(db, pgdialect.New())
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=busy_timeout(60000)")
	must(tb, err)
	return bun.NewDB(db, sqlitedialect.New())
}

// subscriptionRows gives our subscriptions by the distributor's id.
func (r *rig) subscriptionRows() map[string]store.SubscriptionRow {
	r.t.Helper()
	tenant, _ := r.ids()
	rows, err := r.Store.SubscriptionRows(r.t.Context(), store.SubscriptionFilter{TenantID: tenant})
	must(r.t, err)
	byRef := map[string]store.SubscriptionRow{}
	for _, row := range rows {
		if _, twice := byRef[row.Ref]; twice {
			r.t.Fatalf("two subscriptions are called %q", row.Ref)
		}
		byRef[row.Ref] = row
	}
	return byRef
}

// mappingRows gives the distributor customers by the distributor's id.
func (r *rig) mappingRows() map[string]store.MappingRow {
	r.t.Helper()
	_, module := r.ids()
	rows, err := r.Store.MappingRows(r.t.Context(), store.MappingFilter{ModuleID: module, Gone: true})
	must(r.t, err)
	byRef := map[string]store.MappingRow{}
	for _, row := range rows {
		byRef[row.Ref] = row
	}
	return byRef
}

// customerNamed gives the only customer of a name.
func (r *rig) customerNamed(name string) store.CustomerRow {
	r.t.Helper()
	tenant, _ := r.ids()
	rows, err := r.Store.CustomerRows(r.t.Context(), store.CustomerFilter{TenantID: tenant, Name: name})
	must(r.t, err)
	if len(rows) != 1 {
		r.t.Fatalf("%d customers are called %q, want 1", len(rows), name)
	}
	return rows[0]
}

// held gives the held changes as "kind key".
func (r *rig) held() []string {
	r.t.Helper()
	_, module := r.ids()
	rows, err := r.Store.Changes(r.t.Context(), store.ChangeFilter{ModuleID: module, Status: store.ChangeHeld, Oldest: true})
	must(r.t, err)
	list := []string{}
	for _, row := range rows {
		list = append(list, row.Entity+" "+row.Kind+" "+row.EntityKey)
	}
	slices.Sort(list)
	return list
}

// quantityOf gives the quantity of a subscription, "none" if it has none.
func quantityOf(row store.SubscriptionRow) string {
	if row.Quantity == nil {
		return "none"
	}
	return *row.Quantity
}
