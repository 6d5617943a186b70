// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

const createUnmatched = `customers { unmatched = "create" }`

// TestH11_01_EqualNamesAreMapped: a distributor customer is mapped to the customer with exactly the same name, and to no
// other, however alike; and mapping creates nothing.
func TestH11_01_EqualNamesAreMapped(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("A very long name indeed ", 20) + "Pty Ltd"
	w := newSmall()
	var own [][]string
	want := map[string]string{}
	for _, c := range []struct{ ours, theirs, mapped string }{
		{"Contoso Pty Ltd", "Contoso Pty Ltd", "yes"},
		{"Österreichische Käserei & Söhne (Wien)", "Österreichische Käserei & Söhne (Wien)", "yes"},
		{"日本商事株式会社", "日本商事株式会社", "yes"},
		{`Quote " and 'apostrophe', comma; tab?`, `Quote " and 'apostrophe', comma; tab?`, "yes"},
		{long, long, "yes"},
		{long + " 1", long + " 2", ""},
		{"Fabrikam", "Fabrikan", ""},
		{"Tailspin", "Tailspin1", ""},
		{"Northwind Traders", "Northwind Trader", ""},
		{"Woodgrove", "woodgrove", ""},
		{"LITWARE", "Litware", ""},
		{"Adatum Ltd", "Adatum Limited", ""},
		{"Smith & Sons", "Smith and Sons", ""},
		{"Bakery", "The Bakery", ""},
		{"Proseware", "Proseware.", ""},
		{"Two Spaces", "Two  Spaces", ""},
		{"Hard Space", "Hard\u00a0Space", ""},
		{"Thin Space", "Thin\u2009Space", ""},
		{"Trailing", "Trailing ", ""},
		{"Leading", " Leading", ""},
		{"Zero Width", "Zero\u200b Width", ""},
		{"Café Zürich", "Cafe Zurich", ""},
		{"Composed é", "Composed e\u0301", ""},
		{"Strasse", "Straße", ""},
		{"Cyrillic A", "Cyrillic \u0410", ""},
		{"Hyphen-ated", "Hyphen\u2011ated", ""},
	} {
		own = append(own, []string{c.ours})
		ref, _ := w.customer(c.theirs, 3)
		want[ref] = ""
		if c.mapped != "" {
			want[ref] = c.ours
		}
	}
	// Two at the distributor with one name are both that customer; many to one is legal.
	own = append(own, []string{"Twins"}, []string{"Closed Down"}, []string{"Half Closed"})
	first, _ := w.customer("Twins", 1)
	second, _ := w.customer("Twins", 2)
	inactive, _ := w.customer("Closed Down", 1)
	nobody, _ := w.customer("Nobody Knows", 1)
	want[first], want[second], want[inactive], want[nobody] = "Twins", "Twins", "", ""

	p := w.place(t, createUnmatched)
	p.own(own...)
	p.close("Closed Down")
	before := p.kept(nil, "customers", "sites", "top_levels")
	out := p.run(0, "mappings", "generate", "acme/rhipe")

	got := map[string]string{}
	for _, m := range p.mappings() {
		if m.Ref != partnerID {
			got[m.Ref] = m.CustomerName
		}
		if m.CustomerName != "" && m.Origin != "name" {
			t.Errorf("the mapping of %q is said to come from %q, not from its name", m.Name, m.Origin)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("customers by distributor customer (-want +got):\n%s", diff)
	}
	p.same("mapping created or changed customers", before, p.kept(nil, "customers", "sites", "top_levels"))
	if n := p.ask("SELECT count(*) FROM subscriptions"); n != "0" {
		t.Errorf("mapping created %s subscriptions", n)
	}
	// Whoever has to map the rest by hand is told what they look like.
	p.wants(out, `"Smith & Sons"`, "very similar", "is inactive")
}

// close makes a customer inactive, for which there is no command.
func (p *place) close(customer string) {
	p.t.Helper()
	db := p.database()
	defer db.Close() //nolint:errcheck // what was written is checked
	result, err := db.ExecContext(p.t.Context(), "UPDATE customers SET active = FALSE WHERE name = ?", customer)
	if err != nil {
		p.t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		p.t.Fatalf("%d customers are called %q (%v)", n, customer, err)
	}
}

// TestH11_02_GeneratingTwiceGivesTheSameTable: whatever is mapped, by name or by hand, stays exactly as it is.
func TestH11_02_GeneratingTwiceGivesTheSameTable(t *testing.T) {
	t.Parallel()
	w := newSmall()
	byHand, _ := w.customer("Contoso Holdings", 1)
	w.customer("Fabrikam", 1)
	w.customer("Nobody Knows", 1)
	p := w.place(t)
	p.own([]string{"Contoso"}, []string{"Fabrikam"})
	p.run(0, "mappings", "generate", "acme/rhipe")
	p.run(0, "mappings", "add", "acme/rhipe", byHand, "Contoso")
	tables := append([]string{"distributor_customers", "changes"}, ourTables...)
	before := p.kept(nil, tables...)
	if n := p.ask("SELECT count(*) FROM mappings"); n != "2" {
		t.Fatalf("%s mappings, want 2", n)
	}
	for range 2 {
		p.wants(p.run(0, "mappings", "generate", "acme/rhipe"), "no change")
		p.same("generating again changed the table", before, p.kept(nil, tables...))
	}
}

// TestH11_03_ANameThatTwoShareIsNobodys: with two candidates none is mapped, nor is a third created, until a person says.
func TestH11_03_ANameThatTwoShareIsNobodys(t *testing.T) {
	t.Parallel()
	w := newSmall()
	ref, _ := w.customer("Contoso", 4)
	w.customer("Fabrikam", 1)
	p := w.place(t, createUnmatched)
	p.own([]string{"Contoso", "Hobart"}, []string{"Contoso", "Perth"}, []string{"Fabrikam"})
	before := p.kept(nil, "customers", "sites")

	p.wants(p.run(0, "mappings", "generate", "acme/rhipe"), "1 ambiguous", "2 customers have exactly this name", "#1, #2")
	r := p.sync("succeeded")
	p.counts(r, map[string]int{"customers_ambiguous": 1, "customers_created": 0, "subscriptions_created": 1, "subscriptions_waiting": 1})
	p.same("a customer was created or changed", before, p.kept(nil, "customers", "sites"))
	for _, m := range p.mappings() {
		if m.Ref == ref && m.CustomerID != nil {
			t.Errorf("it was mapped: %+v", m)
		}
	}
	p.counts(p.sync("no_change"), map[string]int{"customers_ambiguous": 1, "subscriptions_waiting": 1})

	// A name does not say which of the two; its number does.
	p.wants(p.run(1, "mappings", "add", "acme/rhipe", ref, "Contoso"), "several customers", "Give the id")
	p.run(0, "mappings", "add", "acme/rhipe", ref, "2")
	p.counts(p.sync("succeeded"), map[string]int{"customers_ambiguous": 0, "subscriptions_created": 1, "subscriptions_waiting": 0})
}

// TestH11_04_AMappingOutlivesARename: whatever the distributor calls it from now on, even if that is the exact name of
// another customer, the mapping stays, and the new name is told.
func TestH11_04_AMappingOutlivesARename(t *testing.T) {
	t.Parallel()
	w := newSmall()
	ref, subscriptions := w.customer("Kookaburra Freight Holdings", 7)
	named, _ := w.customer("Blue Gum Dental", 2)
	p := w.place(t, createUnmatched)
	p.own([]string{"Kookaburra Freight"}, []string{"Blue Gum Dental"}, []string{"Wattle Street Legal"})
	p.run(0, "mappings", "generate", "acme/rhipe")
	p.run(0, "mappings", "add", "acme/rhipe", ref, "Kookaburra Freight")
	p.sync("succeeded")
	before, id := p.kept(nil, ourTables...), p.bySource()[subscriptions[0]].ID

	for i, name := range []string{"Kookaburra Logistics", "Wattle Street Legal", "Blue Gum Dental"} {
		w.Rename(ref, name)
		r := p.sync("succeeded")
		p.counts(r, map[string]int{"customers_renamed": 1, "customers_mapped": 0, "customers_created": 0})
		p.wants(strings.Join(r.Notes, "\n"), fmt.Sprintf("is now called %q", name), "its mapping stays")
		told := p.changes("--run", fmt.Sprint(r.Run))
		if len(told) != 1 || told[0].Kind != "rename" || told[0].After["name"] != name || told[0].Status != "applied" {
			t.Errorf("rename %d was recorded as %+v", i, told)
		}
	}
	w.Rename(named, "Blue Gum Dental Group")
	p.counts(p.sync("succeeded"), map[string]int{"customers_renamed": 1})
	p.same("a rename changed more than the distributor's name", before, p.kept(nil, ourTables...))
	for _, m := range p.mappings() {
		if m.Ref == ref && (m.CustomerName != "Kookaburra Freight" || m.Origin != "manual" || m.Name != "Blue Gum Dental") {
			t.Errorf("the mapping is now %+v", m)
		}
	}
	w.SetQuantity(subscriptions[0], 8)
	p.sync("succeeded")
	if s := p.bySource()[subscriptions[0]]; s.ID != id || s.Customer != "Kookaburra Freight" || s.Quantity != "8" {
		t.Errorf("its subscription is now %+v", s)
	}
}

// TestH11_05_AnUnknownCustomerIsCreatedOnce: one customer, one main site with the address, one mapping, who created it and
// the top level; and nothing more the second time.
func TestH11_05_AnUnknownCustomerIsCreatedOnce(t *testing.T) {
	t.Parallel()
	w := newSmall()
	ref := w.AddCustomer(prismsim.Customer{Name: "Tidewater Accounting", Address: prismsim.Address{
		Street1: "Level 4", Street2: "9 Marina Drive", City: "Fremantle", State: "WA", Postcode: "6160", Country: "Australia", CountryISOCode: "AU",
	}})
	w.tenant(ref, w.agreement, 6)
	w.customer("Contoso", 1)
	p := w.place(t, `customers {
      unmatched = "create"
      top_level = "Cloud customers"
    }`)
	p.own([]string{"Contoso", "Old friends", "Head office", "1 Old Street", "Sydney", "2000"})
	mine := map[string]string{"customers": "name = 'Contoso'", "sites": "customer_id = 1"}
	before := p.kept(mine, "customers", "sites")

	r := p.sync("succeeded")
	p.counts(r, map[string]int{"customers_created": 1, "customers_mapped": 2, "subscriptions_created": 2})
	for query, want := range map[string]string{
		"SELECT count(*) FROM customers WHERE name = 'Tidewater Accounting'":                                                     "1",
		"SELECT count(*) FROM customers":                                                                                         "2",
		"SELECT created_by FROM customers WHERE name = 'Tidewater Accounting'":                                                   "Rhipe",
		"SELECT t.name FROM customers c JOIN top_levels t ON t.id = c.top_level_id WHERE c.name = 'Tidewater Accounting'":        "Cloud customers",
		"SELECT count(*) FROM sites s JOIN customers c ON c.id = s.customer_id WHERE c.name = 'Tidewater Accounting'":            "1",
		"SELECT count(*) FROM sites s JOIN customers c ON c.id = s.customer_id WHERE c.name = 'Tidewater Accounting' AND s.main": "1",
		"SELECT count(*) FROM mappings": "2",
		"SELECT origin FROM mappings m JOIN customers c ON c.id = m.customer_id WHERE c.name = 'Tidewater Accounting'":                                                                 "created",
		"SELECT d.ref FROM mappings m JOIN distributor_customers d ON d.id = m.distributor_customer_id WHERE m.origin = 'created'":                                                     ref,
		"SELECT count(*) FROM customers WHERE name = 'Harbourside IT Pty Ltd'":                                                                                                         "0",
		"SELECT count(*) FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE c.name = 'Tidewater Accounting'":                                                          "1",
		"SELECT line1 || '|' || line2 || '|' || line3 || '|' || city || '|' || region || '|' || postal_code || '|' || country_code ||'|' || country FROM sites WHERE customer_id <> 1": "Level 4|9 Marina Drive||Fremantle|WA|6160|AU|Australia",
	} {
		if got := p.ask(query); got != want {
			t.Errorf("%s\n gives %q, want %q", query, got, want)
		}
	}
	// The top level is for new customers; nobody who is there already is moved, and the created-by mark is theirs.
	p.same("the customer who was there was changed", before, p.kept(mine, "customers", "sites"))
	p.wants(p.run(0, "customers", "show", "Tidewater Accounting"), "Created by  Rhipe", "Cloud customers", "9 Marina Drive")

	all := p.kept(nil, append(ourTables, sourceTables...)...)
	for range 2 {
		p.sync("no_change")
		p.same("the second import changed something", all, p.kept(nil, append(ourTables, sourceTables...)...))
	}
}

// TestH11_07_AddressesFollowOnlyWhereAsked: switched off, nothing; switched on, the main site alone; and an address that
// is empty or half there never replaces one.
func TestH11_07_AddressesFollowOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	const off, on = createUnmatched, "customers {\n      unmatched = \"create\"\n      update_main_site_address = true\n    }"
	w := newSmall()
	ref, _ := w.customer("Contoso", 2)
	spaces, _ := w.customer("Fabrikam", 2)
	// The same address with other spaces is the same address.
	w.SetAddress(spaces, prismsim.Address{Street1: " 1 Example Street", City: "Melbourne", Postcode: "3000"})
	p := w.place(t, off)
	p.own([]string{"Contoso", "", "Head office", "9 Old Street", "Sydney", "2000"}, []string{"Contoso", "", "Warehouse", "3 Far Street", "Perth", "6000"},
		[]string{"Fabrikam", "", "Office", "1 Example  Street ", "Melbourne", "3000"})
	p.sync("succeeded")
	off1 := p.kept(nil, "sites")
	w.SetAddress(ref, prismsim.Address{Street1: "2 New Street", City: "Darwin", State: "NT", Postcode: "0800"})
	p.counts(p.sync("no_change"), map[string]int{"addresses_updated": 0})
	p.same("switched off, and yet an address was written", off1, p.kept(nil, "sites"))

	p.configure(on)
	others := map[string]string{"sites": "name <> 'Head office' AND customer_id = 1"}
	warehouse := p.kept(others, "sites")
	id := p.ask("SELECT id FROM sites WHERE name = 'Head office'")
	r := p.sync("succeeded")
	p.counts(r, map[string]int{"addresses_updated": 1})
	const address = "SELECT id || '|' || line1 || '|' || city || '|' || region || '|' || postal_code FROM sites WHERE name = 'Head office'"
	if got := p.ask(address); got != id+"|2 New Street|Darwin|NT|0800" {
		t.Errorf("the main site is now %q", got)
	}
	p.same("another site was written", warehouse, p.kept(others, "sites"))
	told := p.changes("--run", fmt.Sprint(r.Run), "--entity", "site")
	if len(told) != 1 || told[0].Before["line1"] != "9 Old Street" || told[0].After["line1"] != "2 New Street" {
		t.Errorf("the change was recorded as %+v", told)
	}
	p.sync("no_change")

	full := p.kept(nil, "sites")
	for name, a := range map[string]prismsim.Address{
		"empty":         {},
		"only spaces":   {Street1: "  ", City: " ", Postcode: "\t"},
		"only a city":   {City: "Cairns", State: "QLD", Country: "Australia"},
		"only a street": {Street1: "5 Reef Road"},
	} {
		w.SetAddress(ref, a)
		out := p.run(0, "sync", "acme/rhipe")
		p.same("an address that is "+name+" was written", full, p.kept(nil, "sites"))
		p.wants(out, `no complete address for "Contoso"`, "left as it is")
	}
}
