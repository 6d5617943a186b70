// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// moveRig is a tenant with two modules, old and new, each with a distributor of its own. The embedded rig is that of old.
type moveRig struct {
	*rig

	old, new Module
	there    *fake
}

func newMoveRig(t *testing.T) *moveRig {
	t.Helper()
	m := &moveRig{rig: newRig(t), there: newFake()}
	m.module.Name, m.fake.info.Distributor, m.there.info.Distributor = "old", "Old Co", "New Co"
	m.old, m.new = m.module, m.module
	m.new.Name = "new"
	m.opens(m.Integrator)
	return m
}

// opens makes an integrator open the distributor of whichever module is run.
func (m *moveRig) opens(i *Integrator) {
	i.Open = func(ctx context.Context, module Module, _ string) (Source, error) {
		f := m.fake
		if module.Name == m.new.Name {
			f = m.there
		}
		return f, f.step(ctx, "open")
	}
}

// into makes a request about the new module.
func (m *moveRig) into(req *Request) { req.Module = m.new }

// moves makes a request that carries over from the old module to the new one.
func (m *moveRig) moves(same ...moving.Decision) func(*Request) {
	return func(req *Request) {
		req.Module, req.Mode, req.Move = m.new, Move, &MoveFrom{Module: m.old.Name, Same: same}
	}
}

func shown(req *Request) { req.Mode = Plan }

// made gives the changes of the last run as a test writes them down: "map x → Contoso", "carry #1 → t1".
func (m *moveRig) made() []string {
	list := []string{}
	for _, c := range m.planned {
		switch {
		case c.Entity == EntityMapping:
			list = append(list, fmt.Sprintf("map %s → %s", c.Key, m.nameOf(c.CustomerID)))
		case c.Entity == EntitySubscription:
			list = append(list, fmt.Sprintf("%s #%d → %s", c.Kind, c.EntityID, c.Key))
		default:
			list = append(list, c.Entity+" "+c.Kind+" "+c.Key)
		}
	}
	return list
}

func (m *moveRig) nameOf(customer int64) string {
	names, err := m.Store.CustomerNames(m.t.Context(), []int64{customer})
	must(m.t, err)
	return names[customer]
}

// holds gives every subscription as "#id module customer ref active".
func (m *moveRig) holds() []string {
	m.t.Helper()
	rows, err := m.Store.SubscriptionRows(m.t.Context(), store.SubscriptionFilter{})
	must(m.t, err)
	list := []string{}
	for _, r := range rows {
		list = append(list, fmt.Sprintf("#%d %s %s %s %v", r.ID, r.Module, r.Customer, r.Ref, r.Active))
	}
	return list
}

func (m *moveRig) wantsMade(want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), m.made()); diff != "" {
		m.t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func (m *moveRig) wantsHeld(want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.holds()); diff != "" {
		m.t.Errorf("subscriptions (-want +got):\n%s", diff)
	}
}

// quiet makes a plan of a module, which must want nothing.
func (m *moveRig) plansNothing(module Module) *Report {
	m.t.Helper()
	report := m.sync(planOnly, func(req *Request) { req.Module = module })
	if len(m.planned) > 0 {
		m.t.Errorf("the plan of %s wants %q", module, m.made())
	}
	return report
}

// inTenant gives a customer with a tenant at the vendor.
func inTenant(c sdk.Customer, tenant string) sdk.Customer {
	c.VendorTenants = []sdk.VendorTenant{{Vendor: "microsoft", Ref: tenant}}
	return c
}

func inDomain(c sdk.Customer, domains ...string) sdk.Customer {
	c.Domains = domains
	return c
}

// vendorID gives a subscription its id at the vendor.
func vendorID(ref string) func(*distributorv1.Subscription) {
	return func(s *distributorv1.Subscription) { s.Vendor, s.VendorRef = "microsoft", ref }
}

// guid makes the n-th id that no other record has.
func guid(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }

func TestAMoveKeepsIDsAndShowsTheTarget(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{inTenant(customer("a", "Contoso"), guid(1)), inDomain(customer("b", "Fabrikam"), "fabrikam.com"), customer("c", "Tailspin")},
		sub("s1", "a", "5", called("Office"), vendorID(guid(11)), func(s *distributorv1.Subscription) { s.ParentRef = "s9" }),
		sub("s2", "b", "3", called("Backup")), sub("s3", "c", "1", called("Mail"), vendorID(guid(13))), sub("s4", "c", "2", called("Only here")))
	m.sync()
	m.there.lists([]sdk.Customer{inTenant(customer("x", "Contoso Holdings"), guid(1)), inDomain(customer("y", "FAB"), "fabrikam.com"), customer("z", "Tailspin"), customer("w", "Newcomer")},
		sub("t1", "x", "7", called("Microsoft 365"), vendorID(strings.ToUpper(guid(11)))), sub("t2", "y", "3", called("Backup")),
		sub("t3", "z", "1", called("Mail"), vendorID(guid(13))), sub("t5", "w", "4", called("Fresh")))

	wanted := []string{
		"map x → Contoso", "map y → Fabrikam", "map z → Tailspin",
		"carry #1 → t1", "carry #3 → t3", "carry #2 → t2",
	}
	before := m.holds()
	report := m.sync(m.moves(), shown)
	m.wants(report, Succeeded, map[string]int{CountCarried: 3, CountCustomersMapped: 3, CountSubscriptionsStay: 1, CountSubscriptionsNew: 1, CountLeft: 0})
	m.wantsMade(wanted...)
	if diff := cmp.Diff(before, m.holds()); diff != "" || len(m.mappingRowsOf(m.new)) > 0 {
		t.Errorf("a move that was only shown changed something:\n%s", diff)
	}

	report = m.sync(m.moves())
	m.wants(report, Succeeded, map[string]int{CountCarried: 3, CountCustomersMapped: 3, CountApplied: 6})
	m.wantsMade(wanted...)
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Fabrikam t2 true", "#3 new Tailspin t3 true", "#4 old Tailspin s4 true")
	row := m.subscriptionRows()["t1"]
	if row.Distributor != "New Co" || row.ParentRef != "" || row.Name != "Office" || quantityOf(row) != "5" || row.VendorRef != guid(11) {
		t.Errorf("carried over it is %+v", row)
	}
	m.recorded(report.Run)

	// A second move has nothing to do, and the old module wants nothing back.
	m.wants(m.sync(m.moves()), NoChange, map[string]int{CountApplied: 0})
	m.wants(m.plansNothing(m.old), NoChange, map[string]int{CountElsewhere: 3, CountUnchanged: 4, CountWaiting: 0})

	// The new module's plan shows what really differs, and what is really new.
	m.sync(m.into, planOnly)
	if got := m.planned; len(got) != 4 || got[2].Kind != kindUpdate || got[2].EntityID != 1 ||
		string(got[2].After) != `{"name":"Microsoft 365","quantity":"7","vendor_ref":"`+strings.ToUpper(guid(11))+`"}` || got[3].Kind != kindCreate || got[3].Key != "t5" {
		t.Errorf("the plan is %+v", got)
	}
	m.sync(m.into)
	m.plansNothing(m.new)
	m.plansNothing(m.old)
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Fabrikam t2 true", "#3 new Tailspin t3 true", "#4 old Tailspin s4 true", "#5 new Newcomer t5 true")
}

// mappingRowsOf gives the distributor customers of a module; none if it was never run.
func (m *moveRig) mappingRowsOf(module Module) []store.MappingRow {
	m.t.Helper()
	_, row, err := m.Store.FindModule(m.t.Context(), module.Tenant, module.Name)
	must(m.t, err)
	rows, err := m.Store.MappingRows(m.t.Context(), store.MappingFilter{ModuleID: row.ID, Gone: true})
	must(m.t, err)
	return rows
}

// recorded checks that a run kept each change it told of, and who made it.
func (m *moveRig) recorded(run int64) {
	m.t.Helper()
	rows, err := m.Store.Changes(m.t.Context(), store.ChangeFilter{RunID: run, Oldest: true})
	must(m.t, err)
	if len(rows) != len(m.planned) {
		m.t.Fatalf("%d changes are kept of %d", len(rows), len(m.planned))
	}
	for i, row := range rows {
		c := m.planned[i]
		if row.Entity != c.Entity || row.Kind != c.Kind || row.EntityID == nil || *row.EntityID != c.EntityID || row.Who != "tester" ||
			row.Reason == "" || row.Status != store.ChangeApplied || string(row.Before) != string(c.Before) || string(row.After) != string(c.After) {
			m.t.Errorf("change %d is kept as %+v, told as %+v", i, row, c)
		}
	}
	kept, err := m.Store.Run(m.t.Context(), run)
	must(m.t, err)
	if kept.Mode != "move" || kept.CustomersComplete || kept.SubscriptionsComplete || !strings.Contains(string(kept.Report), `"from":"acme/old"`) {
		m.t.Errorf("the run is kept as %+v", kept)
	}
}

func TestWhatAMoveLeavesToAPerson(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{inTenant(customer("a", "Contoso"), guid(1)), inTenant(customer("b", "Fabrikam"), guid(2)), customer("c", "Tailspin")},
		sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "b", "3", vendorID(guid(12))),
		sub("s3", "c", "1", called("Backup")), sub("s4", "c", "2", called("Backup")))
	m.sync()
	merged := customer("x", "Contoso and Fabrikam")
	merged.VendorTenants = []sdk.VendorTenant{{Vendor: "microsoft", Ref: guid(1)}, {Vendor: "microsoft", Ref: guid(2)}}
	m.there.lists([]sdk.Customer{merged, customer("z", "Tailspin")},
		sub("t1", "x", "5", called("Product s1"), vendorID(guid(11))), sub("t2", "x", "3", called("Product s2"), vendorID(guid(12))),
		sub("t3", "z", "1", called("Backup")))

	report := m.sync(m.moves())
	m.wants(report, Warning, map[string]int{CountCarried: 0, CountCustomersMapped: 1, CountLeft: 2, CountWaiting: 2})
	m.wantsMade("map z → Tailspin")
	left := report.Left
	if len(left) != 2 || left[0].Entity != EntityDistributorCustomer || left[0].Key != "x" || !strings.Contains(left[0].Next, "tallyman mappings add acme/new x CUSTOMER") ||
		left[1].Entity != EntitySubscription || left[1].Key != "t3" || !strings.Contains(left[1].Next, "--same s3=t3") {
		t.Fatalf("left to a person: %+v", left)
	}

	// Now a person maps both to one customer, and says which subscription it is.
	fabrikam := m.mappingRowsOf(m.old)
	contoso := m.customerNamed("Contoso").ID
	_, old, err := m.Store.FindModule(t.Context(), "acme", "old")
	must(t, err)
	for _, row := range fabrikam {
		if row.Ref == "b" {
			_, err := m.Store.ChangeMapping(t.Context(), old.ID, row.DistributorCustomerID, contoso, "tester")
			must(t, err)
		}
	}
	for _, row := range m.mappingRowsOf(m.new) {
		if row.Ref == "x" {
			_, err := m.Store.AddMapping(t.Context(), row.ModuleID, row.DistributorCustomerID, contoso, "tester")
			must(t, err)
		}
	}
	report = m.sync(m.moves(moving.Decision{Source: "s4", Target: "t3"}))
	m.wants(report, Succeeded, map[string]int{CountCarried: 3})
	m.wantsMade("carry #4 → t3", "carry #1 → t1", "carry #2 → t2")
	// The second one is still with the customer it was with; that it goes to the other is a true difference.
	m.sync(m.into)
	m.wantsMade("move #2 → t2", "update #4 → t3")
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Contoso t2 true", "#3 old Tailspin s3 true", "#4 new Tailspin t3 true")
	m.plansNothing(m.old)

	_, err = m.Run(t.Context(), m.request(m.moves(moving.Decision{Source: "s4", Target: "t3"})))
	var told *moving.DecisionError
	if !errors.As(err, &told) || ProblemOf(err).Code != "move.decision" {
		t.Errorf("a decision about what has been carried over: %v", err)
	}
}

func TestACustomerThatWasSplitKeepsItsID(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	both := customer("a", "Contoso")
	both.VendorTenants = []sdk.VendorTenant{{Vendor: "microsoft", Ref: guid(1)}, {Vendor: "microsoft", Ref: guid(2), Domain: "nz.example"}}
	m.fake.lists([]sdk.Customer{both}, sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "a", "3", vendorID(guid(12))))
	m.sync()
	m.there.lists([]sdk.Customer{inTenant(customer("x", "Contoso AU"), guid(1)), inTenant(customer("y", "Contoso NZ"), guid(2))},
		sub("t1", "x", "5", called("Product s1"), vendorID(guid(11))), sub("t2", "y", "3", called("Product s2"), vendorID(guid(12))))
	m.wants(m.sync(m.moves()), Succeeded, map[string]int{CountCustomersMapped: 2, CountCarried: 2})
	m.plansNothing(m.new)
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Contoso t2 true")
}

func TestATargetThatHasMadeRecordsOfItsOwn(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))))
	m.sync()
	m.there.lists([]sdk.Customer{customer("x", "Contoso")}, sub("t1", "x", "5", vendorID(guid(11))))
	m.sync(m.into)
	m.wantsHeld("#1 old Contoso s1 true", "#2 new Contoso t1 true")

	report := m.sync(m.moves())
	m.wants(report, Warning, map[string]int{CountApplied: 0, CountLeft: 1})
	if len(report.Left) != 1 || !strings.Contains(report.Left[0].Next, "--same s1=t1") {
		t.Fatalf("left to a person: %+v", report.Left)
	}
	m.sync(m.moves(moving.Decision{Source: "s1", Target: "t1"}))
	m.wantsMade("carry #1 → t1", "deactivate #2 → t1")
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Contoso t1 false")
	m.sync(m.into)
	m.plansNothing(m.new)
	m.plansNothing(m.old)
	m.wantsHeld("#1 new Contoso t1 true", "#2 new Contoso t1 false")
	m.wants(m.sync(m.moves()), NoChange, nil)
}

// TestTheSourceLeavesAloneWhatWasCarriedOver goes through all that may happen to it there.
func TestTheSourceLeavesAloneWhatWasCarriedOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then func(m *moveRig)
		// counts are those of the source's next run.
		outcome Outcome
		counts  map[string]int
	}{
		"it is listed as before": {
			then: func(*moveRig) {}, outcome: NoChange, counts: map[string]int{CountElsewhere: 2, CountUnchanged: 2},
		},
		"it changes": {
			then: func(m *moveRig) {
				m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "50", vendorID(guid(11))), sub("s2", "a", "4", vendorID(guid(12))))
			},
			outcome: NoChange, counts: map[string]int{CountElsewhere: 2},
		},
		"it ends": {
			then: func(m *moveRig) {
				m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11)), ending), sub("s2", "a", "3", vendorID(guid(12)), ending))
			},
			outcome: NoChange, counts: map[string]int{CountElsewhere: 2, CountLeftActive: 0},
		},
		"it is no longer listed": {
			then:    func(m *moveRig) { m.fake.lists([]sdk.Customer{customer("a", "Contoso")}) },
			outcome: NoChange, counts: map[string]int{CountElsewhere: 0, CountMissing: 0},
		},
		"its customer is mapped elsewhere": {
			then: func(m *moveRig) {
				other := m.has("Fabrikam")[0]
				row := m.mappingRowsOf(m.old)[0]
				_, err := m.Store.ChangeMapping(m.t.Context(), row.ModuleID, row.DistributorCustomerID, other, "tester")
				must(m.t, err)
			},
			outcome: NoChange, counts: map[string]int{CountElsewhere: 2, CountMoved: 0},
		},
		"its customer is no longer mapped": {
			then: func(m *moveRig) {
				row := m.mappingRowsOf(m.old)[0]
				must(m.t, m.Store.RemoveMapping(m.t.Context(), row.ModuleID, row.DistributorCustomerID, "tester"))
				m.fake.customers.scopes[0].customers[0].Name = "Nobody knows this name"
				m.old.Unmatched = UnmatchedIgnore
			},
			outcome: Succeeded, counts: map[string]int{CountElsewhere: 2, CountWaiting: 0, CountApplied: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMoveRig(t)
			m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "a", "3", vendorID(guid(12))))
			m.sync()
			m.there.lists([]sdk.Customer{customer("x", "Contoso")},
				sub("t1", "x", "5", called("Product s1"), vendorID(guid(11))), sub("t2", "x", "3", called("Product s2"), vendorID(guid(12))))
			m.wants(m.sync(m.moves()), Succeeded, map[string]int{CountCarried: 2})
			before := m.holds()
			c.then(m)
			inOld := func(req *Request) { req.Module = m.old }
			m.wants(m.sync(inOld), c.outcome, c.counts)
			m.plansNothing(m.old)
			if diff := cmp.Diff(before, m.holds()); diff != "" {
				t.Errorf("the source's run changed what it no longer has:\n%s", diff)
			}
			// Listed again as before, there is still nothing to do.
			m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "a", "3", vendorID(guid(12))))
			m.sync(inOld)
			if diff := cmp.Diff(before, m.holds()); diff != "" {
				t.Errorf("the source's next run changed what it no longer has:\n%s", diff)
			}
		})
	}
}

func TestWhatEndsElsewhereAndLivesHereIsSaidAndCarriedBack(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))))
	m.sync()
	m.there.lists([]sdk.Customer{customer("x", "Contoso")}, sub("t1", "x", "5", vendorID(guid(11))))
	m.sync(m.moves())
	m.there.lists([]sdk.Customer{customer("x", "Contoso")}, sub("t1", "x", "5", vendorID(guid(11)), ending))
	m.wants(m.sync(m.into), Succeeded, map[string]int{CountDeactivated: 1})
	report := m.sync()
	m.wants(report, Warning, map[string]int{CountElsewhere: 1})
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], `"tallyman module move acme/new acme/old"`) {
		t.Errorf("the warnings are %q", report.Warnings)
	}
	back := func(req *Request) { req.Mode, req.Move = Move, &MoveFrom{Module: "new"} }
	m.wants(m.sync(back), Succeeded, map[string]int{CountCarried: 1})
	m.wantsHeld("#1 old Contoso s1 false")
	m.sync()
	m.wantsHeld("#1 old Contoso s1 true")
	m.plansNothing(m.old)
	m.plansNothing(m.new)
}

func TestAMoveOfWhatWasNotReadCompletely(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{customer("a", "Contoso"), inTenant(customer("b", "Fabrikam"), guid(2))},
		sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "b", "3", called("Backup")))
	m.sync()
	m.there.lists([]sdk.Customer{customer("x", "Contoso"), inTenant(customer("y", "FAB"), guid(2))}, sub("t1", "x", "5"), sub("t2", "y", "3", called("Backup")))
	m.there.subscriptions.scopes[0].outcome = pluginhost.OutcomePartial
	report := m.sync(m.moves())
	// The vendor's id is enough. A name is not, where another may have it too.
	m.wants(report, Warning, map[string]int{CountCustomersMapped: 1, CountCarried: 0, CountLeft: 2})

	before := m.holds()
	for name, spoil := range map[string]func(){
		"no customers":     func() { m.there.customers.refused = errors.New("not now") },
		"no subscriptions": func() { m.there.customers.refused, m.there.subscriptions.broken = nil, errors.New("the plugin died") },
	} {
		spoil()
		if name == "no subscriptions" {
			m.there.subscriptions = says{refused: errors.New("not now")}
		}
		report, err := m.Run(t.Context(), m.request(m.moves()))
		if err == nil || report.Outcome != Failed || len(m.planned) > 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
	if diff := cmp.Diff(before, m.holds()); diff != "" {
		t.Errorf("a move that failed changed something:\n%s", diff)
	}
}

func TestAMoveNeedsBothModules(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))))
	m.there.lists([]sdk.Customer{customer("x", "Contoso")}, sub("t1", "x", "5", vendorID(guid(11))))
	if _, err := m.Run(t.Context(), m.request(m.moves())); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("from a module that was never run: %v", err)
	}
	m.sync()
	_, err := m.Run(t.Context(), m.request(m.moves(), func(req *Request) { req.Move.Module = "new" }))
	if err == nil || ProblemOf(err).Code != "move.same_module" {
		t.Errorf("to itself: %v", err)
	}

	// While either is run by somebody else it is refused, and leaves the other free.
	_, old, err := m.Store.FindModule(t.Context(), "acme", "old")
	must(t, err)
	_, target, err := m.Store.FindModule(t.Context(), "acme", "new")
	must(t, err)
	for _, busy := range []store.Module{old, target} {
		_, err := m.Store.AcquireLease(t.Context(), busy, "somebody", "sync", m.leaseTime())
		must(t, err)
		_, err = m.Run(t.Context(), m.request(m.moves()))
		busyError(t, err)
		leases, err := m.Store.Leases(t.Context(), 0)
		must(t, err)
		if len(leases) != 1 {
			t.Errorf("leases are left: %+v", leases)
		}
		must(t, m.Store.ReleaseLease(t.Context(), busy.ID, "somebody"))
	}

	// A lease of either that is lost in the middle stops it.
	for _, lost := range []store.Module{old, target} {
		m.there.at = func(ctx context.Context, step string) error {
			if step != "subscriptions" {
				return nil
			}
			leases, err := m.Store.Leases(ctx, 0)
			if err != nil || len(leases) != 2 {
				t.Errorf("leases %+v (%v)", leases, err)
			}
			at := slices.IndexFunc(leases, func(l store.Lease) bool { return l.ModuleID == lost.ID })
			return m.Store.ReleaseLease(ctx, lost.ID, leases[at].Holder)
		}
		if _, err := m.Run(t.Context(), m.request(m.moves())); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("without the lease of %s: %v", lost.Name, err)
		}
	}
	m.wantsHeld("#1 old Contoso s1 true")
}

func TestAMoveEndsTheWaitingOfWhatItCarriesOver(t *testing.T) {
	t.Parallel()
	m := newMoveRig(t)
	m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5", vendorID(guid(11))), sub("s2", "a", "5"))
	m.sync()
	m.fake.lists([]sdk.Customer{customer("a", "Contoso")}, sub("s1", "a", "5000", vendorID(guid(11))), sub("s2", "a", "5000"))
	m.wants(m.sync(), Held, map[string]int{CountHeld: 2})
	m.there.lists([]sdk.Customer{customer("x", "Contoso")}, sub("t1", "x", "5", vendorID(guid(11))))
	m.sync(m.moves())
	if held := m.held(); !slices.Equal(held, []string{"subscription update s2"}) {
		t.Errorf("held: %q", held)
	}
	m.wants(m.sync(), Held, map[string]int{CountHeld: 1})
}
