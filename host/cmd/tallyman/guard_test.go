// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestH11_12_AnEmptyListIsNotBelieved: where forty were, none are listed, in every form in which that arrives with a status
// of 200. The run is held or fails; nothing is written; and when the list is back, all is as it was.
func TestH11_12_AnEmptyListIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newSmall()
	for _, name := range []string{"Contoso", "Fabrikam", "Tailspin", "Woodgrove"} {
		w.customer(name, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	}
	p := w.place(t, createUnmatched, deactivateMissing)
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_created": 40})
	before := p.kept(nil, ourTables...)

	for name, c := range map[string]struct {
		fault prismsim.Fault
		args  []string
	}{
		"no tenants":                    {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultEmpty}, nil},
		"no tenants, subscriptions":     {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultEmpty}, []string{"--only", "subscriptions"}},
		"null for tenants":              {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultBody, Body: "null"}, nil},
		"an empty object for tenants":   {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultBody, Body: "{}"}, nil},
		"an empty page of tenants":      {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultBody, Body: `{"Items":[]}`}, nil},
		"no customers":                  {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultEmpty}, nil},
		"no customers, for their sake":  {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultEmpty}, []string{"--only", "customers"}},
		"null for customers":            {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultBody, Body: "null"}, nil},
		"an empty answer for customers": {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultBody}, nil},
	} {
		clear := p.sim.Fail(c.fault)
		_, out := p.try(append([]string{"sync", "acme/rhipe"}, c.args...)...)
		clear()
		outcome := p.ask("SELECT outcome FROM runs ORDER BY id DESC LIMIT 1")
		if outcome != "held" && outcome != "failed" && (outcome != "warning" || !strings.Contains(out, "nothing counts as missing")) {
			t.Errorf("%s: outcome %s, want held or failed, or a warning that nothing counts as missing\n%s", name, outcome, out)
		}
		p.same(name+": something was written", before, p.kept(nil, ourTables...))
	}
	p.sync("no_change")
	p.same("after the list was back something was different", before, p.kept(nil, ourTables...))
	if n := p.ask("SELECT count(*) FROM changes WHERE status = 'held'"); n != "0" {
		t.Errorf("%s changes are still held although everything is listed again", n)
	}
	if n := p.ask("SELECT count(*) FROM distributor_customers WHERE gone_at IS NOT NULL"); n != "0" {
		t.Errorf("%s customers are still said to be gone", n)
	}
}

// TestH11_13_TooManyDeactivationsAreHeld: what is more than the cap is held, all of it, and listed with the reason; the
// rest of the run is applied. Rejected, it is dropped, and held again by the next run that finds it true; approved, it is
// applied as far as it is still true.
func TestH11_13_TooManyDeactivationsAreHeld(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sync("succeeded")

	// The cap itself is not held: the larger of five and a fifth.
	for _, ref := range subscriptions[:5] {
		w.RemoveSubscription(ref)
	}
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_deactivated": 5, "changes_held": 0})

	gone, stay := subscriptions[5:11], subscriptions[11]
	for _, ref := range gone {
		w.RemoveSubscription(ref)
	}
	w.SetQuantity(stay, 20)
	missing := map[string]string{"subscriptions": "ref IN ('" + strings.Join(gone, "', '") + "')"}
	before := p.kept(missing, "subscriptions")
	p.run(4, "plan", "acme/rhipe")
	held := p.sync("held")
	p.counts(held, map[string]int{"changes_held": 6, "subscriptions_deactivated": 0, "subscriptions_updated": 1})
	p.same("what is held was written", before, p.kept(missing, "subscriptions"))
	if s := p.bySource()[stay]; s.Quantity != "20" {
		t.Errorf("the rest was not applied: %+v", s)
	}
	listed := map[string]bool{}
	for _, c := range p.changes("--run", fmt.Sprint(held.Run), "--status", "held") {
		if c.Kind != "deactivate" || c.Guard != "deactivations" || !strings.Contains(c.Reason, "6 deactivations among 7 active") {
			t.Errorf("held as %+v", c)
		}
		listed[c.EntityKey] = true
	}
	for _, ref := range gone {
		if !listed[ref] {
			t.Errorf("%s is held and not listed", ref)
		}
	}
	p.wants(p.run(0, "runs", "show", fmt.Sprint(held.Run)), "Held by deactivations: 6 deactivations among 7 active", "6 held", "tallyman approve", "tallyman reject")

	// Rejected.
	p.wants(p.run(0, "reject", fmt.Sprint(held.Run)), "6 held changes of run", "rejected")
	p.same("what was rejected was written", before, p.kept(missing, "subscriptions"))
	p.wants(p.run(1, "approve", fmt.Sprint(held.Run)), "holds nothing")
	p.run(1, "reject", fmt.Sprint(held.Run))
	p.same("what was rejected was approved", before, p.kept(missing, "subscriptions"))

	// Held again, and superseded by the next run, so that it is never there twice.
	first := p.sync("held")
	again := p.sync("held")
	p.wants(p.run(1, "approve", fmt.Sprint(first.Run)), "holds nothing")
	p.same("what is held was written", before, p.kept(missing, "subscriptions"))

	// Approved, after one of them came back: that one is left alone.
	back := gone[0]
	w.AddSubscription(w.tenants[customerOf(t, p, back)], prismsim.Subscription{ID: back, ProductName: "Product 6", FriendlyName: "Product 6", Quantity: 6})
	p.wants(p.run(0, "approve", fmt.Sprint(again.Run)), "5 deactivated")
	for ref, s := range p.bySource() {
		if want := ref == back || ref == stay; s.Active != want {
			t.Errorf("%s is active: %v, want %v", s.Name, s.Active, want)
		}
	}
	p.sync("no_change")
	if n := p.ask("SELECT count(*) FROM changes WHERE status = 'held'"); n != "0" {
		t.Errorf("%s changes are still held", n)
	}
}

// customerOf gives the distributor's id of the customer of a subscription.
func customerOf(t *testing.T, p *place, ref string) string {
	t.Helper()
	return p.ask("SELECT d.ref FROM distributor_customers d JOIN distributor_subscriptions s ON s.customer_key = d.ref_key WHERE s.ref = ?", ref)
}

// TestH11_13_LimitsAreSettable: a smaller cap holds less, a person lets a guard pass for one run, and no other guard with it.
func TestH11_13_LimitsAreSettable(t *testing.T) {
	t.Parallel()
	const guards = "guards {\n max_deactivations = 1\n max_deactivations_percent = 0\n max_customers_created = 1\n max_customers_created_percent = 0\n" +
		" max_quantity_factor = 2\n max_quantity_step = 5\n }"
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 1, 2, 3, 10)
	p := w.place(t, createUnmatched, deactivateMissing, guards)
	p.sync("succeeded")
	w.RemoveSubscription(subscriptions[0])
	w.RemoveSubscription(subscriptions[1])
	w.SetQuantity(subscriptions[3], 100)
	for _, name := range []string{"Fabrikam", "Tailspin"} {
		w.customer(name, 1)
	}
	before := p.kept(nil, ourTables...)
	r := p.sync("held")
	for _, guard := range []string{"deactivations", "quantity", "creations"} {
		if r.Guards[guard] == "" {
			t.Errorf("guard %s held nothing: %v", guard, r.Guards)
		}
	}
	p.same("what is held was written", before, p.kept(nil, ourTables...))

	p.counts(p.sync("held", "--override", "deactivations"), map[string]int{"subscriptions_deactivated": 2, "subscriptions_updated": 0, "customers_created": 0})
	p.counts(p.sync("held", "--override", "quantity"), map[string]int{"subscriptions_updated": 1, "customers_created": 0})
	p.counts(p.sync("succeeded", "--override", "creations"), map[string]int{"customers_created": 2, "subscriptions_created": 2})
	p.sync("no_change")
}
