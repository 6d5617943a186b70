// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// newDatabase makes a new database and gives a function that opens it, any number of times. URL and BaseDir of the options are
// filled in.
type newDatabase func(t *testing.T) (open func(Options) *Store)

// Exercise holds a dialect to what the store promises.
func Exercise(t *testing.T, fresh newDatabase) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, fresh newDatabase){
		"tenants and modules":      exerciseTenants,
		"leases":                   exerciseLeases,
		"schedules":                exerciseSchedules,
		"last syncs":               exerciseLastSyncs,
		"wishes":                   exerciseWishes,
		"pauses":                   exercisePauses,
		"hosts":                    exerciseHosts,
		"incidents and mutes":      exerciseIncidents,
		"messages":                 exerciseMessages,
		"runs":                     exerciseRuns,
		"apply":                    exerciseApply,
		"constraints":              exerciseConstraints,
		"reading what was written": exerciseReading,
		"items":                    exerciseItems,
		"many rows":                exerciseMany,
		"changes by hand":          exerciseHand,
		"known customers":          exerciseKnown,
		"import":                   exerciseImport,
		"lists":                    exerciseLists,
		"held changes":             exerciseHeld,
		"moving to another module": exerciseMove,
		"standings":                exerciseStandings,
		"pruning":                  exercisePrune,
		"two writers":              exerciseWriters,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh)
		})
	}
}

// world is a tenant with a module that is leased by "me", and a run under way.
type world struct {
	*Store
	open   func(Options) *Store
	tenant Tenant
	module Module
	run    Run
}

func newWorld(t *testing.T, fresh newDatabase) *world {
	t.Helper()
	open := fresh(t)
	w := &world{Store: open(Options{}), open: open}
	w.tenant, w.module = addModule(t, w.Store, "acme", "rhipe")
	_, err := w.AcquireLease(t.Context(), w.module, "me", "sync", time.Hour)
	must(t, err)
	w.run = newRun(t, w.Store, w.module)
	return w
}

func addModule(t *testing.T, s *Store, tenant, module string) (Tenant, Module) {
	t.Helper()
	row, err := s.EnsureTenant(t.Context(), tenant, "")
	must(t, err)
	m, err := s.EnsureModule(t.Context(), row.ID, module, "plugin")
	must(t, err)
	return row, m
}

func newRun(t *testing.T, s *Store, m Module) Run {
	t.Helper()
	run := Run{TenantID: m.TenantID, ModuleID: m.ID, Mode: "sync", Trigger: "command", Entities: "customers,subscriptions", Holder: "me"}
	must(t, s.StartRun(t.Context(), &run))
	return run
}

// apply is Apply for changes that have to work.
func (w *world) apply(t *testing.T, fn func(ctx context.Context, tx *Tx) error) {
	t.Helper()
	must(t, w.Apply(t.Context(), w.module.ID, "me", fn))
}

// customers writes customers with main sites and gives them.
func (w *world) customers(t *testing.T, names ...string) []Customer {
	t.Helper()
	list := make([]Customer, len(names))
	for i, name := range names {
		list[i] = Customer{Name: name, Active: true}
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		if err := tx.InsertCustomers(ctx, list); err != nil {
			return err
		}
		sites := make([]Site, len(list))
		for i, c := range list {
			sites[i] = Site{CustomerID: c.ID, Name: "Main", Main: true}
		}
		return tx.InsertSites(ctx, sites)
	})
	return list
}

// distributorCustomers writes distributor customers and gives them.
func (w *world) distributorCustomers(t *testing.T, names ...string) []DistributorCustomer {
	t.Helper()
	list := make([]DistributorCustomer, len(names))
	for i, name := range names {
		list[i] = DistributorCustomer{Ref: "REF-" + name, RefKey: "ref-" + name, Name: name, Lifecycle: "active"}
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error { return tx.InsertDistributorCustomers(ctx, list) })
	return list
}

// subscriptions writes n subscriptions of a customer with their distributor subscriptions, and gives both.
func (w *world) subscriptions(t *testing.T, customer int64, customerKey string, n int) ([]Subscription, []DistributorSubscription) {
	t.Helper()
	subs, told := make([]Subscription, n), make([]DistributorSubscription, n)
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		scopes := []Scope{{Ref: "agreement", Name: "Agreement"}}
		if err := tx.EnsureScopes(ctx, scopes); err != nil {
			return err
		}
		for i := range n {
			subs[i] = Subscription{CustomerID: customer, Distributor: "Rhipe", Ref: fmt.Sprint(customerKey, i), Name: fmt.Sprint("Product ", i), Active: true, State: "active"}
		}
		if err := tx.InsertSubscriptions(ctx, subs); err != nil {
			return err
		}
		for i := range n {
			told[i] = DistributorSubscription{
				Ref: subs[i].Ref, RefKey: subs[i].Ref, KeyHash: -int64(i) - 1, Fingerprint: 1 << 62, CustomerKey: customerKey,
				ScopeID: scopes[0].ID, Record: []byte(`{"a":"b"}`), SubscriptionID: &subs[i].ID,
			}
		}
		return tx.InsertDistributorSubscriptions(ctx, told)
	})
	return subs, told
}

func wantKind(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	var told *Error
	if !errors.As(err, &told) {
		t.Fatalf("got %v (%T), want a database error of kind %q", err, err, kind)
	}
	if told.Kind != kind {
		t.Fatalf("got kind %q (%v), want %q", told.Kind, err, kind)
	}
	if told.Op == "" || told.Message == "" || told.Next == "" {
		t.Errorf("the error does not say everything: %+v", told)
	}
	return told
}

func exerciseTenants(t *testing.T, fresh newDatabase) {
	s := fresh(t)(Options{})
	ctx := t.Context()
	first, err := s.EnsureTenant(ctx, "acme", "Acme IT")
	must(t, err)
	again, err := s.EnsureTenant(ctx, "acme", "")
	must(t, err)
	if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(Tenant{}, "BaseModel")); diff != "" {
		t.Errorf("the second time gave another tenant:\n%s", diff)
	}
	renamed, err := s.EnsureTenant(ctx, "acme", "Acme\x00 \xff")
	must(t, err)
	if renamed.ID != first.ID || renamed.DisplayName != "Acme \uFFFD" {
		t.Errorf("got %+v, want the same tenant with a cleaned name", renamed)
	}
	m, err := s.EnsureModule(ctx, first.ID, "rhipe", "rhipe")
	must(t, err)
	m2, err := s.EnsureModule(ctx, first.ID, "rhipe", "other")
	must(t, err)
	if m2.ID != m.ID || m2.Plugin != "other" {
		t.Errorf("got %+v, want module %d with another plugin", m2, m.ID)
	}
	must(t, s.SetDistributor(ctx, m.ID, "Rhipe"))
	_, found, err := s.FindModule(ctx, "acme", "rhipe")
	must(t, err)
	if found.Distributor != "Rhipe" {
		t.Errorf("the distributor is %q", found.Distributor)
	}
	if _, _, err := s.FindModule(ctx, "acme", "pax8"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for a module that is not there", err)
	}
	if _, err := s.EnsureModule(ctx, first.ID+100, "x", "x"); err == nil {
		t.Error("a module of no tenant was made")
	} else {
		wantKind(t, err, KindConstraint)
	}
}

func exerciseLeases(t *testing.T, fresh newDatabase) {
	var mu sync.Mutex
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	advance := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	open := fresh(t)
	one, two := open(Options{Now: clock}), open(Options{Now: clock})
	ctx := t.Context()
	_, module := addModule(t, one, "acme", "rhipe")
	_, other := addModule(t, one, "acme", "pax8")

	_, err := one.AcquireLease(ctx, module, "one", "sync", time.Minute)
	must(t, err)
	for _, holder := range []string{"two", "one"} {
		_, err = two.AcquireLease(ctx, module, holder, "plan", time.Minute)
		var held *LeaseHeldError
		if !errors.As(err, &held) || held.Lease.Holder != "one" || held.Lease.Purpose != "sync" || !held.Lease.ExpiresAt.Equal(now.Add(time.Minute)) {
			t.Fatalf("%s got %v, want to hear that one holds the lease for a minute", holder, err)
		}
	}
	_, err = two.AcquireLease(ctx, other, "two", "sync", time.Minute)
	must(t, err)

	advance(59 * time.Second)
	must(t, one.RenewLease(ctx, module.ID, "one", time.Minute))
	advance(59 * time.Second)
	if _, err = two.AcquireLease(ctx, module, "two", "sync", time.Minute); err == nil {
		t.Fatal("a renewed lease was taken over")
	}
	must(t, one.Apply(ctx, module.ID, "one", func(context.Context, *Tx) error { return nil }))
	advance(time.Second)
	lease, err := two.AcquireLease(ctx, module, "two", "sync", time.Minute)
	must(t, err)
	if lease.Holder != "two" || !lease.AcquiredAt.Equal(now) {
		t.Errorf("took over %+v", lease)
	}
	if err := one.RenewLease(ctx, module.ID, "one", time.Minute); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("renewing a lost lease gave %v", err)
	}
	called := false
	err = one.Apply(ctx, module.ID, "one", func(context.Context, *Tx) error { called = true; return nil })
	if !errors.Is(err, ErrLeaseLost) || called {
		t.Errorf("applying without the lease gave %v, called %v", err, called)
	}
	must(t, one.ReleaseLease(ctx, module.ID, "one"))
	if err := two.RenewLease(ctx, module.ID, "two", time.Minute); err != nil {
		t.Errorf("one gave back the lease of two: %v", err)
	}
	must(t, two.ReleaseLease(ctx, module.ID, "two"))
	_, err = one.AcquireLease(ctx, module, "one", "sync", time.Minute)
	must(t, err)

	// Of many at once one wins.
	advance(time.Hour)
	var wait sync.WaitGroup
	wins := make(chan string, 20)
	for i := range 20 {
		wait.Go(func() {
			holder := fmt.Sprint("many-", i)
			if _, err := []*Store{one, two}[i%2].AcquireLease(ctx, module, holder, "sync", time.Minute); err == nil {
				wins <- holder
			} else if held := (*LeaseHeldError)(nil); !errors.As(err, &held) {
				t.Errorf("%s: %v", holder, err)
			}
		})
	}
	wait.Wait()
	if len(wins) != 1 {
		t.Errorf("%d holders got the lease", len(wins))
	}
}

func exerciseRuns(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	if last, err := w.LastRun(ctx, w.module.ID); err != nil || last != nil {
		t.Errorf("a run under way counts as the last: %v %v", last, err)
	}
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.FixedZone("", 3600))
	done := w.run
	done.Outcome, done.FinishedAt, done.SubscriptionsComplete, done.Error = "warning", &at, true, "x\x00y"
	done.Crash = []byte(`{"exit":1}`)
	must(t, w.FinishRun(ctx, &done))
	got, err := w.Run(ctx, done.ID)
	must(t, err)
	if got.Outcome != "warning" || got.Error != "xy" || string(got.Crash) != `{"exit":1}` || string(got.Counts) != "{}" ||
		!got.FinishedAt.Equal(at.Truncate(time.Microsecond)) || got.FinishedAt.Location() != time.UTC {
		t.Errorf("the run reads as %+v, finished %v", got, got.FinishedAt)
	}
	foreign := done
	foreign.TenantID++
	if err := w.FinishRun(ctx, &foreign); !errors.Is(err, ErrNotFound) {
		t.Errorf("finishing a run of another tenant gave %v", err)
	}

	abandoned, mine := newRun(t, w.Store, w.module), newRun(t, w.Store, w.module)
	must(t, w.CloseAbandoned(ctx, w.module.ID, mine.ID))
	if got, err = w.Run(ctx, abandoned.ID); err != nil || got.Outcome != "failed" || got.ErrorCode != "run.abandoned" || got.FinishedAt == nil {
		t.Errorf("the abandoned run reads as %+v (%v)", got, err)
	}
	if got, err = w.Run(ctx, mine.ID); err != nil || got.FinishedAt != nil {
		t.Errorf("the caller's own run was closed: %+v (%v)", got, err)
	}
	if got, err = w.Run(ctx, done.ID); err != nil || got.Outcome != "warning" {
		t.Errorf("a run that had ended was closed again: %+v (%v)", got, err)
	}

	trust, err := w.LastTrustworthy(ctx, w.module.ID)
	must(t, err)
	if trust.Customers != nil || trust.Subscriptions == nil || trust.SubscriptionsRun != done.ID {
		t.Errorf("trustworthy: %+v", trust)
	}
	list, err := w.Runs(ctx, RunFilter{ModuleID: w.module.ID, Limit: 2})
	must(t, err)
	if len(list) != 2 || list[0].ID != mine.ID || list[1].ID != abandoned.ID {
		t.Errorf("the newest two are %+v", list)
	}
	list, err = w.Runs(ctx, RunFilter{TenantID: w.tenant.ID, Outcomes: []string{"warning", "held"}})
	must(t, err)
	if len(list) != 1 || list[0].ID != done.ID {
		t.Errorf("by outcome: %+v", list)
	}
	if list, err = w.Runs(ctx, RunFilter{TenantID: w.tenant.ID + 1}); err != nil || len(list) != 0 {
		t.Errorf("another tenant sees %d runs (%v)", len(list), err)
	}
	if _, err := w.Run(ctx, 999); !errors.Is(err, ErrNotFound) {
		t.Errorf("a run that is not there gave %v", err)
	}
}

func exerciseApply(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	count := func() int {
		list, err := w.Customers(t.Context(), w.tenant.ID)
		must(t, err)
		return len(list)
	}
	insert := func(ctx context.Context, tx *Tx) error {
		return tx.InsertCustomers(ctx, []Customer{{Name: "A", Active: true}})
	}
	boom := errors.New("boom")

	err := w.Apply(t.Context(), w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		return errors.Join(insert(ctx, tx), boom)
	})
	if !errors.Is(err, boom) || count() != 0 {
		t.Errorf("an error gave %v and left %d customers", err, count())
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		must(t, insert(ctx, tx))
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || count() != 0 {
		t.Errorf("a cancelled context gave %v and left %d customers", err, count())
	}

	ctx, cancel = context.WithCancel(t.Context())
	err = w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		rows := make([]Change, 500)
		for i := range rows {
			rows[i] = Change{Entity: "customer", Kind: "create", Status: ChangeApplied}
		}
		must(t, tx.InsertChanges(ctx, rows))
		cancel()
		return tx.InsertChanges(ctx, rows)
	})
	cancel()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a bulk insert after the end of the context gave %v", err)
	}
	if list, err := w.Changes(t.Context(), ChangeFilter{}); err != nil || len(list) != 0 {
		t.Errorf("%d changes are left (%v)", len(list), err)
	}

	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = w.Apply(t.Context(), w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
			must(t, insert(ctx, tx))
			panic("boom")
		})
	}()
	if count() != 0 {
		t.Error("a panic left something")
	}

	w.apply(t, insert)
	if count() != 1 {
		t.Error("the store cannot write any more")
	}
	for name, fn := range map[string]func(ctx context.Context, tx *Tx) error{
		"a customer of another tenant": func(ctx context.Context, tx *Tx) error {
			return tx.InsertCustomers(ctx, []Customer{{TenantID: w.tenant.ID + 1, Name: "B"}})
		},
		"a change of another module": func(ctx context.Context, tx *Tx) error {
			module := w.module.ID + 1
			return tx.InsertChanges(ctx, []Change{{ModuleID: &module, Entity: "customer", Kind: "create", Status: ChangeApplied}})
		},
		"a site that is not there": func(ctx context.Context, tx *Tx) error {
			return tx.UpdateSites(ctx, []Site{{ID: 99, CustomerID: 1, Name: "Main"}})
		},
		"a subscription that is not there": func(ctx context.Context, tx *Tx) error {
			return tx.UpdateSubscriptions(ctx, []Subscription{{ID: 99, CustomerID: 1}})
		},
	} {
		if err := w.Apply(t.Context(), w.module.ID, "me", fn); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if count() != 1 {
		t.Error("something refused was written")
	}
}

func exerciseConstraints(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	customers := w.customers(t, "A", "B")
	told := w.distributorCustomers(t, "A", "B")
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		return tx.InsertMappings(ctx, []Mapping{{DistributorCustomerID: told[0].ID, CustomerID: customers[0].ID, Origin: "name"}})
	})
	subs, records := w.subscriptions(t, customers[0].ID, "ref-A", 2)

	strangerTenant, strangerModule := addModule(t, w.Store, "umbrella", "rhipe")
	_, err := w.AcquireLease(t.Context(), strangerModule, "me", "sync", time.Hour)
	must(t, err)
	strangers := []Customer{{Name: "A", Active: true}}
	strangerScopes := []Scope{{Ref: "agreement"}}
	must(t, w.Apply(t.Context(), strangerModule.ID, "me", func(ctx context.Context, tx *Tx) error {
		return errors.Join(tx.InsertCustomers(ctx, strangers), tx.EnsureScopes(ctx, strangerScopes))
	}))
	strangerRun := newRun(t, w.Store, strangerModule)
	if strangerTenant.ID == w.tenant.ID {
		t.Fatal("two tenants have one id")
	}

	for name, fn := range map[string]func(ctx context.Context, tx *Tx) error{
		"a second mapping of a distributor customer": func(ctx context.Context, tx *Tx) error {
			return tx.InsertMappings(ctx, []Mapping{{DistributorCustomerID: told[0].ID, CustomerID: customers[1].ID, Origin: "name"}})
		},
		"a mapping to another tenant's customer": func(ctx context.Context, tx *Tx) error {
			return tx.InsertMappings(ctx, []Mapping{{DistributorCustomerID: told[1].ID, CustomerID: strangers[0].ID, Origin: "name"}})
		},
		"a site of another tenant's customer": func(ctx context.Context, tx *Tx) error {
			return tx.InsertSites(ctx, []Site{{CustomerID: strangers[0].ID, Name: "Main"}})
		},
		"two main sites": func(ctx context.Context, tx *Tx) error {
			return tx.InsertSites(ctx, []Site{{CustomerID: customers[0].ID, Name: "Second", Main: true}})
		},
		"a subscription of another tenant's customer": func(ctx context.Context, tx *Tx) error {
			return tx.InsertSubscriptions(ctx, []Subscription{{CustomerID: strangers[0].ID, State: "active"}})
		},
		"moving a subscription to another tenant's customer": func(ctx context.Context, tx *Tx) error {
			moved := subs[0]
			moved.CustomerID = strangers[0].ID
			return tx.UpdateSubscriptions(ctx, []Subscription{moved})
		},
		"placing a distributor customer with another tenant's customer": func(ctx context.Context, tx *Tx) error {
			placed := told[0]
			placed.PlacedCustomerID = &strangers[0].ID
			return tx.UpdateDistributorCustomers(ctx, []DistributorCustomer{placed})
		},
		"a record in another module's scope": func(ctx context.Context, tx *Tx) error {
			r := records[0]
			r.ScopeID = strangerScopes[0].ID
			return tx.UpdateDistributorSubscriptions(ctx, []DistributorSubscription{r})
		},
		"a second record with the same key": func(ctx context.Context, tx *Tx) error {
			r := records[0]
			r.ID, r.SubscriptionID = 0, nil
			return tx.InsertDistributorSubscriptions(ctx, []DistributorSubscription{r})
		},
		"two records of one subscription": func(ctx context.Context, tx *Tx) error {
			r := records[0]
			r.ID, r.RefKey = 0, "another"
			return tx.InsertDistributorSubscriptions(ctx, []DistributorSubscription{r})
		},
		"a change of another tenant's run": func(ctx context.Context, tx *Tx) error {
			return tx.InsertChanges(ctx, []Change{{RunID: &strangerRun.ID, Entity: "customer", Kind: "create", Status: ChangeApplied}})
		},
		"a change of another tenant's customer": func(ctx context.Context, tx *Tx) error {
			return tx.InsertChanges(ctx, []Change{{CustomerID: &strangers[0].ID, Entity: "customer", Kind: "create", Status: ChangeApplied}})
		},
		"a second distributor customer with the same key": func(ctx context.Context, tx *Tx) error {
			return tx.InsertDistributorCustomers(ctx, []DistributorCustomer{{Ref: "x", RefKey: told[0].RefKey, Name: "X", Lifecycle: "active"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, w.Apply(t.Context(), w.module.ID, "me", fn), KindConstraint)
		})
	}

	t.Run("ids are never used again", func(t *testing.T) {
		last := w.customers(t, "last")[0].ID
		_, err := w.write.ExecContext(t.Context(), fmt.Sprintf("DELETE FROM sites WHERE customer_id = %d", last))
		must(t, err)
		_, err = w.write.ExecContext(t.Context(), fmt.Sprintf("DELETE FROM customers WHERE id = %d", last))
		must(t, err)
		if next := w.customers(t, "next")[0].ID; next <= last {
			t.Errorf("customer %d was deleted, and the next one is %d", last, next)
		}
		var reserved []int64
		w.apply(t, func(ctx context.Context, tx *Tx) error {
			return w.dialect.reserveIDs(ctx, tx.tx.Tx, TableSubscriptions, 1000, func(id int64) { reserved = append(reserved, id) })
		})
		if len(reserved) != 1000 || !slices.IsSorted(reserved) {
			t.Fatalf("%d ids were reserved: %v", len(reserved), reserved)
		}
		w.apply(t, func(ctx context.Context, tx *Tx) error {
			rows := []Subscription{{CustomerID: customers[0].ID, State: "active"}}
			err := tx.InsertSubscriptions(ctx, rows)
			if last := reserved[len(reserved)-1]; rows[0].ID <= last {
				t.Errorf("ids up to %d were reserved, and %d was given out", last, rows[0].ID)
			}
			return err
		})
	})
}
