// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// brokenAnswers are the ways in which an answer fails that a client must notice.
func brokenAnswers() map[string]prismsim.Fault {
	return map[string]prismsim.Fault{
		"a server error":               {Status: 500},
		"no permission":                {Status: 403},
		"not found":                    {Status: 404},
		"throttled":                    {Status: 429, RetryAfter: "0"},
		"a page of maintenance":        {Kind: prismsim.FaultHTML},
		"nothing":                      {Kind: prismsim.FaultBody},
		"an error with status 200":     {Kind: prismsim.FaultBody, Body: `{"Message":"An error has occurred."}`},
		"a text":                       {Kind: prismsim.FaultBody, Body: `"later"`},
		"cut":                          {Kind: prismsim.FaultCut},
		"cut before its end":           {Kind: prismsim.FaultBody, Body: `{"Items":[`},
		"aborted":                      {Kind: prismsim.FaultAbort},
		"shorter than it says":         {Kind: prismsim.FaultShortBody},
		"longer than it says":          {Kind: prismsim.FaultLongBody},
		"hanging":                      {Kind: prismsim.FaultHang},
		"hanging in the middle":        {Kind: prismsim.FaultHangMidway},
		"a connection that is dropped": {Kind: prismsim.FaultNoConnection},
	}
}

// TestH11_11_ALaterAgreementFails: an account has three contract agreements; the last one is not read to its end, in every
// way in which that happens, run after run. Nothing of it is touched, what was read completely is acted upon, and the run
// does not count as a good one.
func TestH11_11_ALaterAgreementFails(t *testing.T) {
	t.Parallel()
	w := newSmall()
	whole, broken := w.AddAgreement(prismsim.Agreement{ProgramName: "Cloud Backup"}), w.AddAgreement(prismsim.Agreement{ProgramName: "Cloud Mail"})
	contoso, first := w.customer("Contoso", 5, 6)
	fabrikam, _ := w.customer("Fabrikam", 7)
	_, second := w.tenant(contoso, whole, 8, 9)
	_, third := w.tenant(contoso, broken, 10, 11, 12)
	goes, fourth := w.tenant(fabrikam, broken, 13, 14)
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sync("succeeded")

	of := map[string]string{"subscriptions": "ref IN ('" + strings.Join(append(slices.Clone(third), fourth...), "', '") + "')"}
	before := p.kept(of, "subscriptions")
	if len(before) != len(third)+len(fourth) {
		t.Fatalf("%d subscriptions are looked at", len(before))
	}
	// What happens in the agreement meanwhile.
	w.RemoveSubscription(third[0])
	w.SetQuantity(third[1], 99)
	w.SetStatus(third[2], "Deleted")
	w.AddSubscription(goes, prismsim.Subscription{ProductName: "New", Quantity: 1})
	w.RemoveTenant(goes)
	// And in the others, which are read.
	w.RemoveSubscription(first[1])
	w.RemoveSubscription(second[1])

	patient := p.impatient(createUnmatched, deactivateMissing)
	for name, fault := range brokenAnswers() {
		fault.Endpoint, fault.ID = prismsim.Tenants, broken
		clear := p.sim.Fail(fault)
		code, out := p.try("sync", "acme/rhipe")
		clear()
		p.same(name+": something of the agreement was written", before, p.kept(of, "subscriptions"))
		outcome := p.ask("SELECT outcome FROM runs ORDER BY id DESC LIMIT 1")
		if outcome == "warning" && code == 0 {
			p.wants(out, "Warning: subscriptions: contract agreement "+broken+" (Cloud Mail) could not be read; nothing of it was touched")
		} else if outcome != "failed" || code == 0 {
			t.Errorf("%s: outcome %s, exit code %d; want a warning or a failure\n%s", name, outcome, code, out)
		}
		if n := p.ask("SELECT count(*) FROM runs WHERE id = (SELECT max(id) FROM runs) AND subscriptions_complete"); n != "0" {
			t.Errorf("%s: the run is taken for a complete reading", name)
		}
	}
	for _, ref := range []string{first[1], second[1]} {
		if s := p.bySource()[ref]; s.ID == 0 || s.Active {
			t.Errorf("missing from an agreement that was read completely, and yet it is %+v", s)
		}
	}
	patient()
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_updated": 2, "subscriptions_deactivated": 4})
}

// TestH11_11_ALaterPageFails: the list of one contract agreement comes in pages, of which a later one fails.
func TestH11_11_ALaterPageFails(t *testing.T) {
	t.Parallel()
	w := newSmall()
	var tenants, subscriptions []string
	for _, name := range []string{"Contoso", "Fabrikam", "Tailspin", "Woodgrove", "Litware"} {
		ref, list := w.customer(name, 5)
		tenants, subscriptions = append(tenants, w.tenants[ref]), append(subscriptions, list...)
	}
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sim.SetFor(w.agreement, func(sw *prismsim.Switches) { sw.Envelope, sw.PageSize = "Items", 2 })
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_created": len(subscriptions)})
	before := p.kept(nil, ourTables...)
	w.SetQuantity(subscriptions[0], 6)     // on the first page
	w.RemoveSubscription(subscriptions[1]) // on the first page
	w.RemoveTenant(tenants[4])             // on the third page

	patient := p.impatient(createUnmatched, deactivateMissing)
	for name, fault := range brokenAnswers() {
		pages := []int{2}
		if name == "cut" || name == "a server error" {
			pages = []int{2, 3}
		}
		for _, page := range pages {
			fault.Endpoint, fault.ID, fault.Skip = prismsim.Tenants, w.agreement, page-1
			clear := p.sim.Fail(fault)
			p.sim.ForgetRequests()
			code, out := p.try("sync", "acme/rhipe", "--only", "subscriptions")
			clear()
			if n := p.sim.Calls(prismsim.Tenants); n < page {
				t.Fatalf("%s: only %d pages were asked for, so page %d did not fail\n%s", name, n, page, out)
			}
			p.same(name+": something was written although a page was missing", before, p.kept(nil, ourTables...))
			if outcome := p.ask("SELECT outcome FROM runs ORDER BY id DESC LIMIT 1"); outcome != "failed" || code == 0 {
				t.Errorf("%s on page %d: outcome %s, exit code %d; nothing at all was read, want a failure\n%s", name, page, outcome, code, out)
			}
		}
	}
	patient()
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_updated": 1, "subscriptions_deactivated": 2})
}

// TestH11_11_ALaterPageOfCustomersFails: nobody is taken for gone, or created, on the strength of half a customer list.
func TestH11_11_ALaterPageOfCustomersFails(t *testing.T) {
	t.Parallel()
	w := newSmall()
	var refs []string
	for _, name := range []string{"Contoso", "Fabrikam", "Tailspin"} {
		ref, _ := w.customer(name, 5)
		refs = append(refs, ref)
	}
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sim.SetFor(string(prismsim.Customers), func(sw *prismsim.Switches) { sw.Envelope, sw.PageSize = "Records", 2 })
	p.sync("succeeded")
	tables := append([]string{"distributor_customers"}, ourTables...)
	before := p.kept(nil, tables...)
	w.RemoveCustomer(refs[0])
	w.RemoveTenant(w.tenants[refs[0]])
	w.Rename(refs[1], "Fabrikam Group")
	w.customer("New", 1)

	patient := p.impatient(createUnmatched, deactivateMissing)
	for name, fault := range brokenAnswers() {
		fault.Endpoint, fault.Skip = prismsim.Customers, 1
		clear := p.sim.Fail(fault)
		code, out := p.try("sync", "acme/rhipe")
		clear()
		p.same(name+": something was written although a page was missing", before, p.kept(nil, tables...))
		if outcome := p.ask("SELECT outcome FROM runs ORDER BY id DESC LIMIT 1"); outcome != "failed" || code == 0 {
			t.Errorf("%s: outcome %s, exit code %d; want a failure\n%s", name, outcome, code, out)
		}
	}
	patient()
	p.counts(p.sync("succeeded"), map[string]int{
		"subscriptions_deactivated": 1, "subscriptions_created": 1, "customers_gone": 1, "customers_renamed": 1, "customers_created": 1,
	})
}
