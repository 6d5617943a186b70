// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func exerciseReading(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 10, 0, 0, 120000000, time.UTC)
	quantity, price, yes, no := "12.50", "0.1", true, false
	customer := w.customers(t, "A")[0]
	full := Subscription{
		CustomerID: customer.ID, Distributor: "Rhipe", Ref: "R", Name: "Näme \U0001F9EE 'quoted' -- ; ?", Quantity: &quantity, Unit: "seat",
		Active: true, State: "active", Status: "Active", Charge: "recurring", BillingTerm: "P1M", CommitmentTerm: "P1Y",
		StartedOn: "2025-01-01", CommitmentEnd: "2026-01-01", CancellableUntil: "2025-01-08", AutoRenew: &yes, Trial: &no, SKU: "S",
		Vendor: "Microsoft", VendorRef: "V", ParentRef: "P", CustomerPrice: &price, PartnerCost: &price, ListPrice: &price,
		Currency: "AUD", DeactivatedAt: &at, CreatedAt: at, UpdatedAt: at,
	}
	bare := Subscription{CustomerID: customer.ID, State: "unknown", CreatedAt: at, UpdatedAt: at}
	subs := []Subscription{full, bare}
	scopes := []Scope{{Ref: "one", Name: "One"}, {Ref: "two"}}
	var told []DistributorSubscription
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		must(t, tx.EnsureScopes(ctx, scopes))
		must(t, tx.InsertSubscriptions(ctx, subs))
		told = []DistributorSubscription{
			{Ref: "R", RefKey: "r", KeyHash: -1 << 63, Fingerprint: 1<<63 - 1, CustomerKey: "c", ScopeID: scopes[0].ID, Record: []byte(`{"x":1}`), SubscriptionID: &subs[0].ID, CreatedAt: at, UpdatedAt: at},
			{Ref: "S", RefKey: "s", KeyHash: 5, Fingerprint: -5, CustomerKey: "c", ScopeID: scopes[1].ID, Flags: FlagGone | FlagMissing, Missing: 3, Record: []byte(`{}`), SubscriptionID: &subs[1].ID, CreatedAt: at, UpdatedAt: at},
			{Ref: "T", RefKey: "t", CustomerKey: "d", ScopeID: scopes[1].ID, Record: []byte(`{}`), CreatedAt: at, UpdatedAt: at},
		}
		return tx.InsertDistributorSubscriptions(ctx, told)
	})
	want := []Pair{
		{DistributorSubscription: told[0], Subscription: &subs[0]},
		{DistributorSubscription: told[1], Subscription: &subs[1]},
		{DistributorSubscription: told[2]},
	}
	ignore := cmpopts.IgnoreFields(Subscription{}, "BaseModel")
	ignoreToo := cmpopts.IgnoreFields(DistributorSubscription{}, "BaseModel")
	got, err := w.DistributorSubscriptionsByID(ctx, w.module.ID, []int64{told[2].ID, told[0].ID, told[1].ID, 12345})
	must(t, err)
	if diff := gocmp.Diff(want, got, ignore, ignoreToo); diff != "" {
		t.Errorf("what was written reads differently (-want +got):\n%s", diff)
	}
	if loc := got[0].CreatedAt.Location(); loc != time.UTC {
		t.Errorf("times are read in %v", loc)
	}
	if got, err = w.DistributorSubscriptionsByID(ctx, w.module.ID+1, []int64{told[0].ID}); err != nil || len(got) != 0 {
		t.Errorf("another module reads %d rows (%v)", len(got), err)
	}

	var index []IndexRow
	must(t, w.ScanIndex(ctx, w.module.ID, func(r IndexRow) { index = append(index, r) }))
	slices.SortFunc(index, func(a, b IndexRow) int { return cmp.Compare(a.ID, b.ID) })
	wantIndex := []IndexRow{
		{told[0].ID, -1 << 63, 1<<63 - 1, scopes[0].ID, 0, true},
		{told[1].ID, 5, -5, scopes[1].ID, FlagGone | FlagMissing, true},
		{told[2].ID, 0, 0, scopes[1].ID, 0, false},
	}
	if diff := gocmp.Diff(wantIndex, index); diff != "" {
		t.Errorf("the index reads differently (-want +got):\n%s", diff)
	}
	if n, err := w.CountIndex(ctx, w.module.ID); err != nil || n != 3 {
		t.Errorf("the index counts %d (%v)", n, err)
	}
	if err := w.ScanIndex(ctx, w.module.ID, func(IndexRow) { panic("boom") }); err == nil {
		t.Error("a panic in a scan was swallowed")
	}
	must(t, w.ScanIndex(ctx, w.module.ID+1, func(IndexRow) { t.Error("another module has rows") }))

	// Updates write whole rows.
	subs[0], subs[1] = Subscription{ID: subs[0].ID, CustomerID: customer.ID, State: "cancelled", CreatedAt: at, UpdatedAt: at},
		func() Subscription { s := full; s.ID = subs[1].ID; s.DeactivatedAt = nil; return s }()
	told[0].Flags, told[0].SubscriptionID, told[0].Record = FlagPending, nil, []byte(`{"y":2}`)
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		must(t, tx.UpdateSubscriptions(ctx, subs))
		return tx.UpdateDistributorSubscriptions(ctx, told[:1])
	})
	got, err = w.DistributorSubscriptionsByID(ctx, w.module.ID, []int64{told[0].ID, told[1].ID})
	must(t, err)
	want = []Pair{{DistributorSubscription: told[0]}, {DistributorSubscription: told[1], Subscription: &subs[1]}}
	if diff := gocmp.Diff(want, got, ignore, ignoreToo, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("what was updated reads differently (-want +got):\n%s", diff)
	}
	if n, err := w.CountActiveSubscriptions(ctx, w.module.ID); err != nil || n != 1 {
		t.Errorf("%d subscriptions are active (%v)", n, err)
	}

	// Updates of contents write all but where a row is.
	placed, placedTold := subs[1], told[1]
	subs[1].Name, subs[1].Quantity, subs[1].Trial, subs[1].UpdatedAt = "Another name", nil, nil, at.Add(time.Hour)
	told[1].Ref, told[1].Fingerprint, told[1].Flags, told[1].Missing, told[1].Record = "Another ref", -77, FlagMissing, 3, []byte(`{"z":3}`)
	inContents, toldContents := subs[1], told[1]
	inContents.CustomerID, inContents.Distributor, inContents.Ref, inContents.Active, inContents.DeactivatedAt = -1, "x", "x", !placed.Active, &at
	toldContents.RefKey, toldContents.KeyHash, toldContents.CustomerKey, toldContents.ScopeID, toldContents.SubscriptionID = "x", 1, "x", -1, nil
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		must(t, tx.UpdateSubscriptionContents(ctx, []Subscription{inContents}))
		return tx.UpdateDistributorSubscriptionContents(ctx, []DistributorSubscription{toldContents})
	})
	got, err = w.DistributorSubscriptionsByID(ctx, w.module.ID, []int64{told[1].ID})
	must(t, err)
	want = []Pair{{DistributorSubscription: told[1], Subscription: &subs[1]}}
	if diff := gocmp.Diff(want, got, ignore, ignoreToo, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("what was updated in its contents reads differently (-want +got):\n%s", diff)
	}
	subs[1], told[1] = placed, placedTold
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		must(t, tx.UpdateSubscriptions(ctx, subs[1:2]))
		return tx.UpdateDistributorSubscriptions(ctx, told[1:2])
	})

	// Any number of rows goes through, and pages find all of them.
	const many = 1234
	w.subscriptions(t, customer.ID, "many", many)
	seen := map[int64]bool{}
	for after := int64(0); ; {
		page, err := w.DistributorSubscriptionsOfCustomer(ctx, w.module.ID, "many", after, 500)
		must(t, err)
		for _, p := range page {
			if p.Subscription == nil || p.Subscription.Ref != p.Ref || seen[p.ID] || p.ID <= after {
				t.Fatalf("the page holds %+v", p)
			}
			seen[p.ID], after = true, p.ID
		}
		if len(page) < 500 {
			break
		}
	}
	if len(seen) != many {
		t.Errorf("the pages hold %d of %d", len(seen), many)
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		again := []Scope{{Ref: "one"}, {Ref: "two", Name: "Two"}, {Ref: "three"}, {Ref: "three"}}
		must(t, tx.EnsureScopes(ctx, again))
		if again[0].ID != scopes[0].ID || again[1].ID != scopes[1].ID || again[2].ID == 0 || again[3].ID != again[2].ID {
			t.Errorf("scopes became %+v", again)
		}
		return nil
	})
	all, err := w.Scopes(ctx, w.module.ID)
	must(t, err)
	if all[0].Name != "One" || all[1].Name != "Two" {
		t.Errorf("scopes read as %+v", all)
	}
}

// exerciseKnown reads what a run needs to know about customers in pieces.
func exerciseKnown(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	customers := w.customers(t, "Acme Ltd", "Beta Ltd")
	told := w.distributorCustomers(t, "Acme", "Beta", "Gone")
	_, stranger := addModule(t, w.Store, "umbrella", "rhipe")
	_, err := w.AddMapping(ctx, w.module.ID, told[0].ID, customers[1].ID, "kim")
	must(t, err)
	gone := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	told[0].PlacedCustomerID, told[1].Fingerprint, told[2].GoneAt = &customers[0].ID, -5, &gone
	w.apply(t, func(ctx context.Context, tx *Tx) error { return tx.UpdateDistributorCustomers(ctx, told) })

	var known []KnownCustomer
	must(t, w.ScanDistributorCustomers(ctx, w.module.ID, func(k KnownCustomer) { known = append(known, k) }))
	want := []KnownCustomer{
		{ID: told[0].ID, Fingerprint: told[0].Fingerprint, RefKey: told[0].RefKey, CustomerID: customers[1].ID, PlacedCustomerID: customers[0].ID},
		{ID: told[1].ID, Fingerprint: -5, RefKey: told[1].RefKey},
		{ID: told[2].ID, Fingerprint: told[2].Fingerprint, RefKey: told[2].RefKey, Gone: true},
	}
	if diff := gocmp.Diff(want, known); diff != "" {
		t.Errorf("what is known is not what was written (-want +got):\n%s", diff)
	}
	must(t, w.ScanDistributorCustomers(ctx, stranger.ID, func(k KnownCustomer) { t.Errorf("another module knows %+v", k) }))

	all, err := w.DistributorCustomers(ctx, w.module.ID)
	must(t, err)
	some, err := w.DistributorCustomersByID(ctx, w.module.ID, []int64{told[2].ID, 99, told[0].ID})
	must(t, err)
	if diff := gocmp.Diff([]DistributorCustomer{all[0], all[2]}, some); diff != "" {
		t.Errorf("rows by id are not the rows (-want +got):\n%s", diff)
	}
	if some, err = w.DistributorCustomersByID(ctx, stranger.ID, []int64{told[0].ID}); err != nil || len(some) != 0 {
		t.Errorf("another module has %+v (%v)", some, err)
	}

	titles, err := w.DistributorCustomerTitles(ctx, w.module.ID, []string{told[0].RefKey, told[1].RefKey, "nobody"})
	must(t, err)
	if diff := gocmp.Diff(map[string]string{told[0].RefKey: "Beta Ltd", told[1].RefKey: told[1].Name}, titles); diff != "" {
		t.Errorf("they are called otherwise (-want +got):\n%s", diff)
	}

	names := map[int64]string{}
	must(t, w.ScanCustomers(ctx, w.tenant.ID, func(id int64, name string, active bool) {
		if names[id] = name; !active {
			t.Errorf("customer %q is not active", name)
		}
	}))
	if diff := gocmp.Diff(map[int64]string{customers[0].ID: "Acme Ltd", customers[1].ID: "Beta Ltd"}, names); diff != "" {
		t.Errorf("the customers are others (-want +got):\n%s", diff)
	}
}

func exerciseHand(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	customers := w.customers(t, "Acme Ltd", "Beta Ltd")
	told := w.distributorCustomers(t, "Acme", "Beta", "Twin", "Beta2")
	_, strangerModule := addModule(t, w.Store, "umbrella", "rhipe")
	var conflict *ConflictError

	mapping, err := w.AddMapping(ctx, w.module.ID, told[0].ID, customers[0].ID, "kim")
	must(t, err)
	if mapping.ID == 0 || mapping.Origin != "manual" || mapping.TenantID != w.tenant.ID {
		t.Errorf("the mapping is %+v", mapping)
	}
	_, err = w.AddMapping(ctx, w.module.ID, told[1].ID, customers[0].ID, "kim")
	must(t, err)
	if _, err = w.AddMapping(ctx, w.module.ID, told[0].ID, customers[1].ID, "kim"); !errors.As(err, &conflict) {
		t.Errorf("a second mapping gave %v", err)
	}
	if of, err := w.MappingOf(ctx, w.module.ID, told[0].ID); err != nil || of == nil || of.ID != mapping.ID || of.CustomerID != customers[0].ID {
		t.Errorf("its mapping is %+v (%v)", of, err)
	}
	if of, err := w.MappingOf(ctx, w.module.ID, told[2].ID); err != nil || of != nil {
		t.Errorf("what is not mapped has the mapping %+v (%v)", of, err)
	}
	if _, err = w.AddMapping(ctx, w.module.ID, told[2].ID, 999, "kim"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a customer that is not there gave %v", err)
	}
	if _, err = w.AddMapping(ctx, strangerModule.ID, told[2].ID, customers[0].ID, "kim"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's module gave %v", err)
	}
	changed, err := w.ChangeMapping(ctx, w.module.ID, told[0].ID, customers[1].ID, "lee")
	must(t, err)
	if changed.ID != mapping.ID || changed.CustomerID != customers[1].ID || changed.Who != "lee" {
		t.Errorf("the mapping became %+v", changed)
	}
	must(t, w.RemoveMapping(ctx, w.module.ID, told[0].ID, "lee"))
	if err = w.RemoveMapping(ctx, w.module.ID, told[0].ID, "lee"); !errors.As(err, &conflict) {
		t.Errorf("removing a mapping twice gave %v", err)
	}
	if _, err = w.ChangeMapping(ctx, w.module.ID, told[0].ID, customers[0].ID, "lee"); !errors.As(err, &conflict) {
		t.Errorf("changing a mapping that is not there gave %v", err)
	}
	left, err := w.Mappings(ctx, w.module.ID)
	must(t, err)
	if len(left) != 1 || left[0].DistributorCustomerID != told[1].ID {
		t.Errorf("the mappings left are %+v", left)
	}

	record, err := w.Changes(ctx, ChangeFilter{Entity: "mapping", Oldest: true})
	must(t, err)
	var said []string
	for _, c := range record {
		said = append(said, fmt.Sprintf("%s %s %s by %s: %s -> %s", c.Kind, c.EntityKey, c.Status, c.Who, c.Before, c.After))
	}
	one, two := fmt.Sprintf(`{"customer":"Acme Ltd","customer_id":%d}`, customers[0].ID), fmt.Sprintf(`{"customer":"Beta Ltd","customer_id":%d}`, customers[1].ID)
	want := []string{
		"map REF-Acme applied by kim:  -> " + one, "map REF-Beta applied by kim:  -> " + one,
		"map REF-Acme applied by lee: " + one + " -> " + two, "unmap REF-Acme applied by lee: " + two + " -> ",
	}
	if diff := gocmp.Diff(want, said); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}

	for text, want := range map[string]int64{"REF-Twin": told[2].ID, "ref-Twin": told[2].ID, "Twin": told[2].ID} {
		if got, err := w.FindDistributorCustomer(ctx, w.module.ID, text); err != nil || got.ID != want {
			t.Errorf("%q found %d (%v), want %d", text, got.ID, err, want)
		}
	}
	if _, err := w.FindDistributorCustomer(ctx, w.module.ID, "Twi"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a part of a name gave %v", err)
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		return tx.InsertDistributorCustomers(ctx, []DistributorCustomer{{Ref: "other", RefKey: "other", Name: "Twin", Lifecycle: "active"}})
	})
	if _, err := w.FindDistributorCustomer(ctx, w.module.ID, "Twin"); !errors.As(err, &conflict) {
		t.Errorf("a name that two have gave %v", err)
	}
}

func exerciseImport(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	rows := []ImportRow{
		{Name: "Acme", TopLevel: "Retail", Address: Address{Line1: "1 High St", City: "Perth"}},
		{Name: "Acme", TopLevel: "Retail", Site: "Warehouse"},
		{Name: "Acme", TopLevel: "Retail", Site: "Warehouse"},
		{Name: "Acme"},
		{Name: "B\x00eta", TopLevel: "Retail"},
	}
	got, err := w.ImportCustomers(ctx, w.tenant.ID, rows, "kim")
	must(t, err)
	first := got[0].CustomerID
	want := []ImportResult{
		{first, true, false}, {first, false, true}, {first, false, false}, {got[3].CustomerID, true, false}, {got[4].CustomerID, true, false},
	}
	if diff := gocmp.Diff(want, got); diff != "" || got[3].CustomerID == first {
		t.Errorf("the import gave (-want +got):\n%s", diff)
	}
	list, err := w.CustomerRows(ctx, CustomerFilter{TenantID: w.tenant.ID})
	must(t, err)
	if len(list) != 3 || list[0].Name != "Acme" || list[0].TopLevel != "Retail" || list[0].Sites != 2 || list[0].Main.City != "Perth" ||
		list[0].CreatedBy != "import" || list[2].Name != "Beta" {
		t.Errorf("the customers are %+v", list)
	}
	record, err := w.Changes(ctx, ChangeFilter{TenantID: w.tenant.ID})
	must(t, err)
	counts := map[string]int{}
	for _, c := range record {
		counts[c.Entity+" "+c.Kind+" "+c.Who]++
	}
	if diff := gocmp.Diff(map[string]int{"top_level create kim": 1, "customer create kim": 3, "site create kim": 4}, counts); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}

	again, err := w.ImportCustomers(ctx, w.tenant.ID, rows, "kim")
	must(t, err)
	for i, r := range again {
		if r.Created || r.SiteAdded || r.CustomerID != got[i].CustomerID {
			t.Errorf("importing row %d again gave %+v", i, r)
		}
	}
	if _, err := w.ImportCustomers(ctx, w.tenant.ID, []ImportRow{{Name: "New"}, {Name: "\x00"}}, "kim"); err == nil {
		t.Error("a customer without a name was imported")
	}
	if _, err := w.ImportCustomers(ctx, w.tenant.ID+100, rows, "kim"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a tenant that is not there gave %v", err)
	}
	if after, err := w.Changes(ctx, ChangeFilter{TenantID: w.tenant.ID}); err != nil || len(after) != len(record) {
		t.Errorf("there are %d changes, before %d (%v)", len(after), len(record), err)
	}
}

func exerciseLists(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	customers := w.customers(t, "100% Acme_Ltd", "Beta")
	told := w.distributorCustomers(t, "zulu", "Alpha", "Beta")
	_, err := w.AddMapping(ctx, w.module.ID, told[1].ID, customers[0].ID, "kim")
	must(t, err)
	subs, _ := w.subscriptions(t, customers[0].ID, "ref-Alpha", 3)
	subs[2].Active = false
	w.apply(t, func(ctx context.Context, tx *Tx) error { return tx.UpdateSubscriptions(ctx, subs[2:]) })
	addModule(t, w.Store, "umbrella", "rhipe")

	mappings := func(f MappingFilter) (names []string) {
		list, err := w.MappingRows(ctx, f)
		must(t, err)
		for _, row := range list {
			names = append(names, row.Name)
		}
		return names
	}
	for name, test := range map[string]struct {
		filter MappingFilter
		want   []string
	}{
		"unmapped ones come first, then by name": {MappingFilter{ModuleID: w.module.ID}, []string{"Beta", "zulu", "Alpha"}},
		"only mapped":                            {MappingFilter{TenantID: w.tenant.ID, Mapped: true}, []string{"Alpha"}},
		"only unmapped":                          {MappingFilter{Unmapped: true, Limit: 1}, []string{"Beta"}},
		"of a customer":                          {MappingFilter{CustomerID: customers[0].ID}, []string{"Alpha"}},
		"search in our name":                     {MappingFilter{Search: "acme_"}, []string{"Alpha"}},
		"search in the id":                       {MappingFilter{Search: "REF-z"}, []string{"zulu"}},
		"of another tenant":                      {MappingFilter{TenantID: w.tenant.ID + 1}, nil},
		"wildcards mean themselves":              {MappingFilter{Search: "_"}, []string{"Alpha"}},
	} {
		if diff := gocmp.Diff(test.want, mappings(test.filter)); diff != "" {
			t.Errorf("mappings, %s (-want +got):\n%s", name, diff)
		}
	}

	for name, test := range map[string]struct {
		filter CustomerFilter
		want   []string
	}{
		"all":            {CustomerFilter{TenantID: w.tenant.ID}, []string{"100% Acme_Ltd", "Beta"}},
		"by id":          {CustomerFilter{ID: customers[1].ID}, []string{"Beta"}},
		"by exact name":  {CustomerFilter{Name: "Beta"}, []string{"Beta"}},
		"by other case":  {CustomerFilter{Name: "beta"}, nil},
		"search":         {CustomerFilter{Search: "0% a"}, []string{"100% Acme_Ltd"}},
		"of a module":    {CustomerFilter{ModuleID: w.module.ID}, []string{"100% Acme_Ltd"}},
		"another tenant": {CustomerFilter{TenantID: w.tenant.ID + 1}, nil},
	} {
		list, err := w.CustomerRows(ctx, test.filter)
		must(t, err)
		var names []string
		for _, row := range list {
			names = append(names, row.Name)
			if row.Name != "Beta" && row.Subscriptions != 2 {
				t.Errorf("%q has %d active subscriptions", row.Name, row.Subscriptions)
			}
		}
		if diff := gocmp.Diff(test.want, names); diff != "" {
			t.Errorf("customers, %s (-want +got):\n%s", name, diff)
		}
	}

	yes, no := true, false
	for name, test := range map[string]struct {
		filter SubscriptionFilter
		want   []string
	}{
		"all":            {SubscriptionFilter{ModuleID: w.module.ID}, []string{"Product 0", "Product 1", "Product 2"}},
		"active":         {SubscriptionFilter{Active: &yes, Limit: 1}, []string{"Product 0"}},
		"inactive":       {SubscriptionFilter{TenantID: w.tenant.ID, Active: &no}, []string{"Product 2"}},
		"next page":      {SubscriptionFilter{AfterID: subs[0].ID, Limit: 1}, []string{"Product 1"}},
		"search":         {SubscriptionFilter{CustomerID: customers[0].ID, Search: "DUCT 1"}, []string{"Product 1"}},
		"other customer": {SubscriptionFilter{CustomerID: customers[1].ID}, nil},
		"other tenant":   {SubscriptionFilter{TenantID: w.tenant.ID + 1}, nil},
	} {
		list, err := w.SubscriptionRows(ctx, test.filter)
		must(t, err)
		var names []string
		for _, row := range list {
			names = append(names, row.Name)
			if row.Customer != customers[0].Name || row.Tenant != "acme" || row.Module != "rhipe" {
				t.Errorf("subscription %q is listed as %+v", row.Name, row)
			}
		}
		if diff := gocmp.Diff(test.want, names); diff != "" {
			t.Errorf("subscriptions, %s (-want +got):\n%s", name, diff)
		}
	}
	sites, err := w.MainSites(ctx, w.tenant.ID, []int64{customers[0].ID, customers[1].ID, 999})
	must(t, err)
	if len(sites) != 2 || sites[customers[0].ID].CustomerID != customers[0].ID {
		t.Errorf("the main sites are %+v", sites)
	}
	if sites, err = w.MainSites(ctx, w.tenant.ID+1, []int64{customers[0].ID}); err != nil || len(sites) != 0 {
		t.Errorf("another tenant reads %d sites (%v)", len(sites), err)
	}
}

func exerciseHeld(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	customer := w.customers(t, "A")[0]
	hold := func(run Run, n int) {
		rows := make([]Change, n)
		for i := range rows {
			rows[i] = Change{RunID: &run.ID, Entity: "subscription", EntityKey: fmt.Sprint(i), Kind: "deactivate", Status: ChangeHeld, Guard: "deactivations", CustomerID: &customer.ID}
		}
		rows[0].Entity, rows[0].Status = "customer", ChangeApplied
		w.apply(t, func(ctx context.Context, tx *Tx) error { return tx.InsertChanges(ctx, rows) })
	}
	second := newRun(t, w.Store, w.module)
	hold(w.run, 5)
	hold(second, 3)
	counts := func() map[int64]int {
		c, err := w.HeldCounts(ctx, w.tenant.ID)
		must(t, err)
		return c
	}
	if got := counts()[w.module.ID]; got != 6 {
		t.Errorf("%d changes are held", got)
	}
	if c, err := w.HeldCounts(ctx, w.tenant.ID+1); err != nil || len(c) != 0 {
		t.Errorf("another tenant holds %v (%v)", c, err)
	}
	held, err := w.Changes(ctx, ChangeFilter{RunID: w.run.ID, Status: ChangeHeld, Oldest: true})
	must(t, err)
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		if n, err := tx.SetHeld(ctx, HeldFilter{IDs: []int64{held[0].ID, 9999}}, ChangeApproved, "kim"); err != nil || n != 1 {
			t.Errorf("approved %d (%v)", n, err)
		}
		if n, err := tx.Supersede(ctx, HeldFilter{BeforeRun: second.ID, Entities: []string{"customer"}}); err != nil || n != 0 {
			t.Errorf("superseded %d customers (%v)", n, err)
		}
		n, err := tx.Supersede(ctx, HeldFilter{BeforeRun: second.ID, CustomerIDs: []int64{customer.ID}})
		if n != 3 {
			t.Errorf("superseded %d", n)
		}
		return err
	})
	if got := counts()[w.module.ID]; got != 2 {
		t.Errorf("%d changes are still held", got)
	}
	byRun, err := w.HeldByRun(ctx)
	must(t, err)
	if diff := gocmp.Diff(map[int64]int{second.ID: 2}, byRun); diff != "" {
		t.Errorf("held by run (-want +got):\n%s", diff)
	}
	total := 0
	waiting, err := w.Runs(ctx, RunFilter{Waiting: true, Total: &total})
	must(t, err)
	if len(waiting) != 1 || waiting[0].ID != second.ID || total != 1 {
		t.Errorf("%d of %d runs wait: %+v", len(waiting), total, waiting)
	}
	if some, err := w.Changes(ctx, ChangeFilter{TenantID: w.tenant.ID, Limit: 3, Total: &total}); err != nil || len(some) != 3 || total != 8 {
		t.Errorf("%d of %d changes (%v)", len(some), total, err)
	}
	if _, err := w.RejectHeld(ctx, w.tenant.ID+1, second.ID, "lee"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's run gave %v", err)
	}
	if n, err := w.RejectHeld(ctx, w.tenant.ID, second.ID, "lee"); err != nil || n != 2 {
		t.Errorf("rejected %d (%v)", n, err)
	}
	if n, err := w.RejectHeld(ctx, w.tenant.ID, second.ID, "lee"); err != nil || n != 0 {
		t.Errorf("rejected %d more (%v)", n, err)
	}
	rejected, err := w.Changes(ctx, ChangeFilter{CustomerID: customer.ID, Kind: "deactivate", Status: ChangeRejected})
	must(t, err)
	if len(rejected) != 2 || rejected[0].DecidedBy != "lee" || rejected[0].DecidedAt == nil || rejected[0].ID < rejected[1].ID {
		t.Errorf("the rejected changes are %+v", rejected)
	}
	if len(counts()) != 0 {
		t.Errorf("still held: %v", counts())
	}
}

func exerciseWriters(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	two := w.open(Options{})
	_, other := addModule(t, two, "acme", "pax8")
	_, err := two.AcquireLease(t.Context(), other, "two", "sync", time.Hour)
	must(t, err)
	const times = 30
	var wait sync.WaitGroup
	write := func(s *Store, module Module, holder string) {
		for i := range times {
			err := s.Apply(t.Context(), module.ID, holder, func(ctx context.Context, tx *Tx) error {
				rows := []Customer{{Name: fmt.Sprint(holder, i), Active: true}}
				if err := tx.InsertCustomers(ctx, rows); err != nil {
					return err
				}
				return tx.InsertSites(ctx, []Site{{CustomerID: rows[0].ID, Name: "Main", Main: true}})
			})
			if err != nil {
				t.Errorf("%s: %v", holder, err)
				return
			}
		}
	}
	wait.Go(func() { write(w.Store, w.module, "me") })
	wait.Go(func() { write(two, other, "two") })
	wait.Go(func() {
		for range times {
			list, err := w.CustomerRows(t.Context(), CustomerFilter{TenantID: w.tenant.ID})
			if err != nil {
				t.Errorf("read: %v", err)
				return
			}
			for _, row := range list {
				if row.Sites != 1 {
					t.Errorf("half a transaction was read: %+v", row)
				}
			}
		}
	})
	wait.Wait()
	list, err := w.Customers(t.Context(), w.tenant.ID)
	must(t, err)
	if len(list) != 2*times {
		t.Errorf("%d customers of %d", len(list), 2*times)
	}

	// Waiting for another's write ends with the context.
	started, ended := make(chan struct{}), make(chan struct{})
	wait.Go(func() {
		must(t, w.Apply(t.Context(), w.module.ID, "me", func(context.Context, *Tx) error {
			close(started)
			<-ended
			return nil
		}))
	})
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = two.Apply(ctx, other.ID, "two", func(context.Context, *Tx) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for the other writer gave %v", err)
	}
	if _, err := two.Customers(t.Context(), w.tenant.ID); err != nil {
		t.Errorf("reading during a write gave %v", err)
	}
	close(ended)
	wait.Wait()
	must(t, two.Apply(t.Context(), other.ID, "two", func(context.Context, *Tx) error { return nil }))
}

// exerciseMany writes so many rows at once that a dialect may take another way.
func exerciseMany(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	customers := w.customers(t, "A", "B")
	subs, told := w.subscriptions(t, customers[0].ID, "c", 333)
	ids := make([]int64, len(told))
	for i := range told {
		ids[i] = told[i].ID
		subs[i].CustomerID, subs[i].Active, subs[i].Name = customers[1].ID, i%2 == 0, fmt.Sprint("Tab\t, newline\n, \\N and \U0001F9EE ", i)
		told[i].Flags, told[i].Fingerprint, told[i].Record = FlagPending, int64(-i), fmt.Appendf(nil, `{"i":%d}`, i)
	}
	compare := func(what string) {
		got, err := w.DistributorSubscriptionsByID(ctx, w.module.ID, ids)
		must(t, err)
		want := make([]Pair, len(told))
		for i := range told {
			want[i] = Pair{DistributorSubscription: told[i], Subscription: &subs[i]}
		}
		opts := cmpopts.IgnoreTypes(time.Time{})
		if diff := gocmp.Diff(want, got, opts, cmpopts.IgnoreFields(Subscription{}, "BaseModel"), cmpopts.IgnoreFields(DistributorSubscription{}, "BaseModel")); diff != "" {
			t.Errorf("%s read differently (-want +got):\n%s", what, diff)
		}
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		// Twice in one transaction, of which the second counts.
		must(t, tx.UpdateSubscriptions(ctx, slices.Clone(subs)))
		must(t, tx.UpdateSubscriptions(ctx, subs))
		return tx.UpdateDistributorSubscriptions(ctx, told)
	})
	compare("updated rows")

	inContents := slices.Clone(subs)
	for i := range subs {
		subs[i].State = "suspended"
		inContents[i].State, inContents[i].CustomerID = "suspended", -1
	}
	w.apply(t, func(ctx context.Context, tx *Tx) error { return tx.UpdateSubscriptionContents(ctx, inContents) })
	compare("updated contents")

	if err := w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		missing := slices.Clone(subs)
		missing[100].ID += 1_000_000
		missing[0].State = "active"
		return tx.UpdateSubscriptions(ctx, missing)
	}); !errors.Is(err, ErrNotFound) {
		t.Errorf("updating a row that is not there among many gave %v", err)
	}
	_, stranger := addModule(t, w.Store, "umbrella", "rhipe")
	_, err := w.AcquireLease(ctx, stranger, "me", "sync", time.Hour)
	must(t, err)
	if err := w.Apply(ctx, stranger.ID, "me", func(ctx context.Context, tx *Tx) error {
		theirs := slices.Clone(subs)
		for i := range theirs {
			theirs[i].TenantID, theirs[i].ModuleID, theirs[i].State = 0, 0, "active"
		}
		return tx.UpdateSubscriptionContents(ctx, theirs)
	}); !errors.Is(err, ErrNotFound) {
		t.Errorf("updating another tenant's rows gave %v", err)
	}
	wantKind(t, w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		again := slices.Clone(told)
		for i := range again {
			again[i].ID, again[i].SubscriptionID = 0, nil
		}
		return tx.InsertDistributorSubscriptions(ctx, again)
	}), KindConstraint)
	compare("after what was refused, rows")
}

func exerciseItems(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	keys := []string{"u1", "u1/", "u1/A", "u1/b", "u1/\u00fc/x", "u1-/c", "u10/d", "u1.e", "U1/f", "u2/g", "a%b/h", "aXb/i"}
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		scopes := []Scope{{Ref: "one"}}
		must(t, tx.EnsureScopes(ctx, scopes))
		rows := make([]DistributorSubscription, len(keys))
		for i, key := range keys {
			rows[i] = DistributorSubscription{Ref: key, RefKey: key, KeyHash: int64(i), CustomerKey: "c", ScopeID: scopes[0].ID, Record: []byte(`{}`)}
		}
		return tx.InsertDistributorSubscriptions(ctx, rows)
	})
	for of, want := range map[string][]int64{"u1": {2, 3, 4}, "u2": {9}, "u10": {6}, "a%b": {10}, "nobody": nil, "": nil} {
		got, err := w.ItemKeyHashes(ctx, w.module.ID, of)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("items of %q: %v, want %v", of, got, want)
		}
	}
	if got, err := w.ItemKeyHashes(ctx, w.module.ID+1, "u1"); err != nil || len(got) > 0 {
		t.Errorf("another module has items %v (%v)", got, err)
	}
}
