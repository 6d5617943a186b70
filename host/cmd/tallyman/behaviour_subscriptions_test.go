// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

const deactivateMissing = `subscriptions { deactivate_missing = true }`

// TestH11_08_OneCustomersImportTouchesNoOther: everything has changed at the distributor, for everybody; a run for one
// customer leaves every row of every other as it is, byte for byte.
func TestH11_08_OneCustomersImportTouchesNoOther(t *testing.T) {
	t.Parallel()
	w := newSmall()
	other := w.AddAgreement(prismsim.Agreement{ProgramName: "Cloud Backup"})
	type one struct {
		ref           string
		subscriptions []string
		tenant        string
	}
	add := func(name string, quantities ...int64) one {
		ref, subscriptions := w.customer(name, quantities...)
		tenant, more := w.tenant(ref, other, 20)
		return one{ref, append(subscriptions, more...), tenant}
	}
	contoso, fabrikam, tailspin := add("Contoso", 5, 6, 7), add("Fabrikam", 5, 6, 7), add("Tailspin", 5, 6, 7)
	waiting, _ := w.customer("Waiting", 1)
	p := w.place(t, "customers {\n unmatched = \"ignore\"\n update_main_site_address = true\n }", deactivateMissing)
	p.own([]string{"Contoso", "", "Main", "1 Example Street"}, []string{"Fabrikam", "", "Main", "1 Example Street"}, []string{"Tailspin", "", "Main", "1 Example Street"})
	p.sync("succeeded")

	for _, c := range []one{contoso, fabrikam, tailspin} {
		w.SetQuantity(c.subscriptions[0], 9)
		w.SetStatus(c.subscriptions[1], prismsim.StatusSuspended)
		w.RemoveSubscription(c.subscriptions[2])
		w.AddSubscription(c.tenant, prismsim.Subscription{ProductName: "New", Quantity: 1})
		w.SetQuantity(c.subscriptions[3], 21)
		w.SetAddress(c.ref, prismsim.Address{Street1: "2 New Street", City: "Darwin", State: "NT", Postcode: "0800"})
		w.Rename(c.ref, "Renamed")
	}
	w.Rename(waiting, "Waiting no more")
	w.customer("Unknown", 3)

	id := p.ask("SELECT id FROM customers WHERE name = 'Contoso'")
	others := map[string]string{
		"customers": "id <> " + id, "sites": "customer_id <> " + id, "mappings": "customer_id <> " + id, "subscriptions": "customer_id <> " + id,
		"distributor_customers":     fmt.Sprintf("lower(ref) <> lower('%s')", contoso.ref),
		"distributor_subscriptions": fmt.Sprintf("customer_key <> lower('%s')", contoso.ref),
	}
	tables := append(append([]string{}, ourTables...), sourceTables...)
	before := p.kept(others, tables...)
	lists := func(name string) string {
		return p.run(0, "subscriptions", "list", "acme", "--all", "--json", "--customer", name)
	}
	listed := lists("Fabrikam") + lists("Tailspin")

	r := p.sync("succeeded", "--customer", "Contoso")
	p.same("a row of another customer was written", before, p.kept(others, tables...))
	if now := lists("Fabrikam") + lists("Tailspin"); now != listed {
		t.Errorf("another customer's list changed (-before +now):\n%s", cmp.Diff(listed, now))
	}
	p.counts(r, map[string]int{
		"subscriptions_updated": 3, "subscriptions_deactivated": 1, "subscriptions_created": 1, "addresses_updated": 1,
		"customers_renamed": 1, "customers_created": 0, "customers_gone": 0,
	})
	for _, c := range p.changes("--run", fmt.Sprint(r.Run)) {
		if c.Customer != "Contoso" {
			t.Errorf("a change of another customer was recorded: %+v", c)
		}
	}
	p.wants(p.run(1, "sync", "acme/rhipe", "--customer", "Nobody"), `no customer "Nobody"`)

	// What the run left alone, the next one finds.
	p.counts(p.sync("succeeded"), map[string]int{
		"subscriptions_updated": 6, "subscriptions_deactivated": 2, "subscriptions_created": 2, "addresses_updated": 2,
	})
}

// TestH11_09_AQuantityChangesInPlace: 5 becomes 7 in the same record, and the change tells old, new, run, who and when.
func TestH11_09_AQuantityChangesInPlace(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5, 3)
	p := w.place(t, createUnmatched)
	p.sync("succeeded")
	ref := subscriptions[0]
	was := p.bySource()[ref]
	rest := map[string]string{"subscriptions": fmt.Sprintf("ref <> '%s'", ref)}
	before := p.kept(rest, ourTables...)

	w.SetQuantity(ref, 7)
	r := p.sync("succeeded")
	p.counts(r, map[string]int{"subscriptions_updated": 1, "subscriptions_unchanged": 1, "changes_applied": 1})
	want := was
	want.Quantity = "7"
	if was.Quantity != "5" || p.bySource()[ref] != want {
		t.Errorf("it was %+v and is %+v", was, p.bySource()[ref])
	}
	p.same("something else was written", before, p.kept(rest, ourTables...))

	told := p.changes("--run", fmt.Sprint(r.Run))
	if len(told) != 1 {
		t.Fatalf("%d changes were recorded, want 1: %+v", len(told), told)
	}
	c := told[0]
	if diff := cmp.Diff([]any{"subscription", "update", "applied", was.ID, ref, "Contoso", map[string]any{"quantity": "5"}, map[string]any{"quantity": "7"}},
		[]any{c.Entity, c.Kind, c.Status, c.EntityID, c.EntityKey, c.Customer, c.Before, c.After}); diff != "" {
		t.Errorf("the change (-want +got):\n%s", diff)
	}
	if c.RunID != r.Run || c.Who == "" || c.Reason == "" {
		t.Errorf("the change does not tell run %d, who and why: %+v", r.Run, c)
	}
	p.wants(p.run(0, "changes", "acme", "--customer", "Contoso", "--kind", "update"), "quantity: 5 -> 7", "subscription update")
	p.sync("no_change")
	if n := len(p.changes("--kind", "update")); n != 1 {
		t.Errorf("%d updates are recorded after a run without any change, want 1", n)
	}
}

// TestH11_10_DeletedAndBackAgain: switched off, nothing happens; switched on, it becomes inactive after the grace period,
// counted in complete readings; and when it is back, the same record is active again.
func TestH11_10_DeletedAndBackAgain(t *testing.T) {
	t.Parallel()
	const grace = "subscriptions {\n deactivate_missing = true\n missing_runs = 3\n }"
	w := newSmall()
	contoso, subscriptions := w.customer("Contoso", 5, 6)
	_, others := w.customer("Fabrikam", 2)
	p := w.place(t, createUnmatched)
	p.sync("succeeded")
	ref := subscriptions[0]
	was := p.bySource()[ref]
	row := map[string]string{"subscriptions": fmt.Sprintf("ref = '%s'", ref)}
	before := p.kept(nil, ourTables...)

	w.RemoveSubscription(ref)
	for range 4 { // longer than any grace
		p.counts(p.sync("no_change"), map[string]int{"subscriptions_ended_left_active": 1, "subscriptions_deactivated": 0})
	}
	p.same("switched off, and yet something was written", before, p.kept(nil, ourTables...))

	// It comes back, so that the grace period begins anew; then it is gone for good.
	restore := func(quantity int64) {
		w.AddSubscription(w.tenants[contoso], prismsim.Subscription{
			ID: ref, ProductName: "Product 1", FriendlyName: "Product 1", Quantity: quantity,
		})
	}
	restore(5)
	p.sync("no_change")
	p.configure(createUnmatched, grace)
	w.RemoveSubscription(ref)
	p.counts(p.sync("no_change"), map[string]int{"subscriptions_missing": 1})
	p.counts(p.sync("no_change"), map[string]int{"subscriptions_missing": 1})
	// A reading that failed, or is about somebody else, is no reading: it neither counts nor starts the count again.
	clear := p.sim.Fail(prismsim.AgreementFails(w.agreement, 500))
	p.sync("failed", "--only", "subscriptions")
	clear()
	p.sync("no_change", "--customer", "Fabrikam")
	p.sync("no_change", "--only", "customers")
	p.same("it was written within the grace period", before, p.kept(nil, ourTables...))

	r := p.sync("succeeded")
	p.counts(r, map[string]int{"subscriptions_deactivated": 1})
	want := was
	want.Active = false
	if now := p.bySource()[ref]; now != want {
		t.Errorf("it is now %+v, want %+v", now, want)
	}
	if told := p.changes("--run", fmt.Sprint(r.Run)); len(told) != 1 || told[0].Kind != "deactivate" || told[0].EntityID != was.ID ||
		!strings.Contains(told[0].Reason, "3 complete readings") {
		t.Errorf("the change was recorded as %+v", told)
	}
	if s := p.bySource()[others[0]]; !s.Active {
		t.Errorf("another one was deactivated: %+v", s)
	}
	inactive := p.kept(row, "subscriptions")
	p.sync("no_change")
	p.same("an inactive one was written again", inactive, p.kept(row, "subscriptions"))

	restore(8)
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_reactivated": 1, "subscriptions_updated": 1, "subscriptions_created": 0})
	want = was
	want.Quantity = "8"
	if now := p.bySource()[ref]; now != want {
		t.Errorf("back again, it is %+v, want %+v", now, want)
	}
	if at := p.ask("SELECT coalesce(deactivated_at, 'never') FROM subscriptions WHERE ref = ?", ref); at != "never" {
		t.Errorf("it is active and yet said to have been deactivated at %s", at)
	}
	if n := p.ask("SELECT count(*) FROM subscriptions"); n != "3" {
		t.Errorf("%s subscriptions are kept, want 3", n)
	}
	p.sync("no_change")
}

// TestH11_10_AnEndInAsManyWordsNeedsNoGrace: the distributor may also list it with a status that says that it ended.
func TestH11_10_AnEndInAsManyWordsNeedsNoGrace(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5, 6)
	p := w.place(t, createUnmatched)
	p.sync("succeeded")
	ref := subscriptions[0]
	was := p.bySource()[ref]
	w.SetStatus(ref, "Deleted")
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_ended_left_active": 1, "subscriptions_deactivated": 0})
	if now := p.bySource()[ref]; !now.Active || now.ID != was.ID || now.State != "deleted" {
		t.Errorf("switched off, and yet it is %+v", now)
	}
	p.configure(createUnmatched, "subscriptions {\n deactivate_missing = true\n missing_runs = 9\n }")
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_deactivated": 1})
	if now := p.bySource()[ref]; now.Active || now.ID != was.ID {
		t.Errorf("switched on, and yet it is %+v", now)
	}
	w.SetStatus(ref, prismsim.StatusActive)
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_reactivated": 1})
	if now := p.bySource()[ref]; now != was {
		t.Errorf("back again, it is %+v, want %+v", now, was)
	}
	p.sync("no_change")
}
