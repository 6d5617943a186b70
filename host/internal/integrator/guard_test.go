// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"fmt"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

func someCustomers(from, to int) []sdk.Customer {
	var list []sdk.Customer
	for i := from; i < to; i++ {
		list = append(list, customer(fmt.Sprintf("c%d", i), fmt.Sprintf("Customer %d", i)))
	}
	return list
}

func someSubs(n int, edits ...func(*distributorv1.Subscription)) []*distributorv1.Subscription {
	var list []*distributorv1.Subscription
	for i := range n {
		list = append(list, sub(fmt.Sprintf("u%d", i), "c1", "5", edits...))
	}
	return list
}

// TestGuardsOfARun is the table of what each guard lets pass and what it holds, by default and at its edge; each is
// overridden for one run by a person, and only for that run.
func TestGuardsOfARun(t *testing.T) {
	t.Parallel()
	one := someCustomers(1, 2)
	for name, c := range map[string]struct {
		guard string
		rules func(*Module)
		// before is what the distributor lists first, all of which is let through, after what it lists then.
		before, after func(*fake)
		held          int
		count         string
	}{
		"five of six end": {
			reconcile.GuardDeactivations, nil, func(f *fake) { f.lists(one, someSubs(6)...) },
			func(f *fake) { f.lists(one, someSubs(1)...) }, 0, CountDeactivated,
		},
		"six of seven end": {
			reconcile.GuardDeactivations, nil, func(f *fake) { f.lists(one, someSubs(7)...) },
			func(f *fake) { f.lists(one, someSubs(1)...) }, 6, CountDeactivated,
		},
		"six of 29 end": {
			reconcile.GuardDeactivations, nil, func(f *fake) { f.lists(one, someSubs(29)...) },
			func(f *fake) { f.lists(one, someSubs(23)...) }, 6, CountDeactivated,
		},
		"six of 30 end": {
			reconcile.GuardDeactivations, nil, func(f *fake) { f.lists(one, someSubs(30)...) },
			func(f *fake) { f.lists(one, someSubs(24)...) }, 0, CountDeactivated,
		},
		"six are reported as ended": {
			reconcile.GuardDeactivations, nil, func(f *fake) { f.lists(one, someSubs(6)...) },
			func(f *fake) { f.lists(one, someSubs(6, ending)...) }, 6, CountDeactivated,
		},
		"three of four, where two are allowed": {
			reconcile.GuardDeactivations,
			func(m *Module) { m.Limits.Deactivations, m.Limits.DeactivationsPercent = 2, 0 },
			func(f *fake) { f.lists(one, someSubs(4)...) }, func(f *fake) { f.lists(one, someSubs(1)...) }, 3, CountDeactivated,
		},
		"no subscription is left": {
			reconcile.GuardEmptyListing, nil, func(f *fake) { f.lists(one, someSubs(1)...) },
			func(f *fake) { f.lists(one) }, 1, CountDeactivated,
		},
		"no subscription is left, which is allowed": {
			reconcile.GuardEmptyListing, func(m *Module) { m.Limits.AllowEmpty = true },
			func(f *fake) { f.lists(one, someSubs(1)...) }, func(f *fake) { f.lists(one) }, 0, CountDeactivated,
		},
		"no customer is left": {
			reconcile.GuardEmptyListing, nil, func(f *fake) { f.lists(one, someSubs(1)...) },
			func(f *fake) { f.lists(nil, someSubs(1)...) }, 1, CountCustomersGone,
		},
		"25 new customers": {
			reconcile.GuardCreations, nil, func(f *fake) { f.lists(one) },
			func(f *fake) { f.lists(someCustomers(1, 27)) }, 0, CountCustomersCreated,
		},
		"26 new customers": {
			reconcile.GuardCreations, nil, func(f *fake) { f.lists(one) },
			func(f *fake) { f.lists(someCustomers(1, 28)) }, 52, CountCustomersCreated,
		},
		"40 new customers beside 80": {
			reconcile.GuardCreations, nil, func(f *fake) { f.lists(someCustomers(0, 80)) },
			func(f *fake) { f.lists(someCustomers(0, 120)) }, 0, CountCustomersCreated,
		},
		"41 new customers beside 80": {
			reconcile.GuardCreations, nil, func(f *fake) { f.lists(someCustomers(0, 80)) },
			func(f *fake) { f.lists(someCustomers(0, 121)) }, 82, CountCustomersCreated,
		},
		"a new customer, where each is to be approved": {
			reconcile.GuardUnmatched, func(m *Module) { m.Unmatched = UnmatchedHold },
			func(f *fake) { f.lists(nil) }, func(f *fake) { f.lists(one) }, 2, CountCustomersCreated,
		},
		"a quantity from 5 to 50": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "5")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "50")) }, 0, CountUpdated,
		},
		"a quantity from 5 to 55": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "5")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "55")) }, 0, CountUpdated,
		},
		"a quantity from 5 to 56": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "5")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "56")) }, 1, CountUpdated,
		},
		"a quantity from 600 to 5": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "600")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "5")) }, 1, CountUpdated,
		},
		"a quantity from 6 to 60": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "6")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "60")) }, 0, CountUpdated,
		},
		"a quantity from 100 to 900": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "100")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "900")) }, 0, CountUpdated,
		},
		"a quantity where there was none": {
			reconcile.GuardQuantity, nil, func(f *fake) { f.lists(one, sub("u1", "c1", "")) },
			func(f *fake) { f.lists(one, sub("u1", "c1", "900")) }, 0, CountUpdated,
		},
		"a quantity by less than a wide step": {
			reconcile.GuardQuantity, func(m *Module) { m.Limits.QuantityStep = 1000 },
			func(f *fake) { f.lists(one, sub("u1", "c1", "5")) }, func(f *fake) { f.lists(one, sub("u1", "c1", "900")) }, 0, CountUpdated,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.rules != nil {
				c.rules(&r.module)
			}
			c.before(r.fake)
			r.sync()
			c.after(r.fake)
			first := r.sync()
			if c.held == 0 {
				r.wants(first, Succeeded, map[string]int{CountHeld: 0})
				if first.Counts[c.count] == 0 && c.count != CountCustomersGone {
					t.Errorf("nothing was done: %v", first.Counts)
				}
				return
			}
			r.wants(first, Held, map[string]int{CountHeld: c.held, c.count: 0})
			if first.Guards[c.guard] == "" || len(first.Guards) != 1 {
				t.Errorf("guards %v, want %s to say why", first.Guards, c.guard)
			}
			for _, other := range reconcile.GuardNames {
				if other != c.guard {
					r.wants(r.sync(override(other)), Held, map[string]int{c.count: 0})
				}
			}
			plan := r.sync(planOnly, override(c.guard))
			r.wants(plan, Succeeded, map[string]int{CountHeld: 0})
			done := r.sync(override(c.guard))
			r.wants(done, Succeeded, map[string]int{CountHeld: 0, c.count: plan.Counts[c.count]})
			if done.Counts[c.count] == 0 {
				t.Errorf("overridden, and yet not done: %v", done.Counts)
			}
			if list := r.held(); len(list) > 0 {
				t.Errorf("still held: %q", list)
			}
			r.wants(r.sync(), NoChange, nil)
		})
	}
}

// TestTheFirstImportMayCreateAnyNumber, where the first is the first that read the customers completely.
func TestTheFirstImportMayCreateAnyNumber(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(r *rig)
		held   bool
	}{
		"the first run":                  {func(*rig) {}, false},
		"after a plan":                   {func(r *rig) { r.sync(planOnly) }, false},
		"after mappings were generated":  {func(r *rig) { r.sync(mappingsOnly) }, false},
		"after a run of subscriptions":   {func(r *rig) { r.sync(only("subscriptions")) }, false},
		"after a run that was narrowed":  {func(r *rig) { r.sync(mappingsOnly); r.sync(narrowed(r.customerNamed("Customer 0").ID)) }, false},
		"after a complete run":           {func(r *rig) { r.sync() }, true},
		"after a run of customers":       {func(r *rig) { r.sync(only("customers")) }, true},
		"after one that was incomplete":  {func(r *rig) { r.fake.customers.doubted = true; r.sync(); r.fake.customers.doubted = false }, false},
		"after one that saw no customer": {func(r *rig) { r.fake.lists(nil); r.sync() }, true},
		"after one whose subscriptions could not be read": {func(r *rig) {
			r.fake.subscriptions.refused = &sdk.Error{Class: sdk.ClassPermission, Message: "not allowed"}
			if report, err := r.Run(r.t.Context(), r.request()); err == nil || report.Outcome != Failed {
				r.t.Errorf("outcome %s, error %v", report.Outcome, err)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.has("Customer 0")
			r.fake.lists(someCustomers(0, 1), sub("u1", "c0", "5"))
			c.before(r)
			r.fake.lists(someCustomers(0, 41), sub("u1", "c0", "5"))
			report := r.sync()
			if held := report.Outcome == Held; held != c.held || (report.Counts[CountCustomersCreated] == 40) == c.held {
				t.Errorf("outcome %s, counts %v", report.Outcome, report.Counts)
			}
		})
	}
}

// TestOneGuardHoldsOnlyItsOwn: with every guard tripped at once, what none of them is about is applied.
func TestOneGuardHoldsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.has("Plain")
	r.fake.lists(someCustomers(1, 2), append(someSubs(9), sub("big", "c1", "5"))...)
	r.sync()
	all := append(someCustomers(1, 40), customer("p", "Plain"))
	r.fake.lists(all, sub("big", "c1", "5000", called("Renamed")), sub("u0", "c1", "6"), sub("new", "p", "1"), sub("waits", "c39", "1"))
	report := r.sync()
	r.wants(report, Held, map[string]int{
		CountHeld: 38*2 + 8 + 1, CountUpdated: 2, CountCreated: 1, CountCustomersMapped: 1, CountWaiting: 1, CountDeactivated: 0,
	})
	if len(report.Guards) != 3 {
		t.Errorf("guards %v", report.Guards)
	}
	r.wants(r.sync(approve(report.Run)), Succeeded, map[string]int{
		CountCustomersCreated: 38, CountCustomersMapped: 38, CountUpdated: 1, CountDeactivated: 8, CountCreated: 1, CountWaiting: 0, CountHeld: 0,
	})
	r.wants(r.sync(), NoChange, nil)
}
