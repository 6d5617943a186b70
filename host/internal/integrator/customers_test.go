// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// exec changes the database behind the store's back.
func (r *rig) exec(query string, args ...any) {
	r.t.Helper()
	db := rawDB(r.t, r.url)
	_, err := db.Exec(query, args...)
	must(r.t, err)
	must(r.t, db.Close())
}

// TestWhoADistributorCustomerIs is the table of what happens with a listed customer, by what there is here.
func TestWhoADistributorCustomerIs(t *testing.T) {
	t.Parallel()
	ended, partner := customer("c1", "Contoso"), customer("c1", "Contoso")
	ended.Lifecycle, partner.IsPartner = sdk.LifecycleEnded, true
	for name, c := range map[string]struct {
		ours     []string
		inactive bool
		told     sdk.Customer
		// mapped: to our first customer. created: where the module creates.
		mapped, created bool
		says            string
	}{
		"the name is exactly the same":     {ours: []string{"Contoso"}, told: customer("c1", "Contoso"), mapped: true},
		"one character differs":            {ours: []string{"Contosa"}, told: customer("c1", "Contoso"), created: true},
		"only the case differs":            {ours: []string{"CONTOSO"}, told: customer("c1", "Contoso"), created: true, says: "very similar"},
		"only the company form differs":    {ours: []string{"Contoso Ltd"}, told: customer("c1", "Contoso Limited"), created: true, says: "very similar"},
		"two of ours share the name":       {ours: []string{"Contoso", "Contoso"}, told: customer("c1", "Contoso"), says: "2 customers have exactly this name"},
		"the one of that name is inactive": {ours: []string{"Contoso"}, inactive: true, told: customer("c1", "Contoso"), says: "is inactive"},
		"nobody has the name":              {told: customer("c1", "Contoso"), created: true},
		"nobody has it, and it has ended":  {told: ended},
		"it has ended, and has a name":     {ours: []string{"Contoso"}, told: ended, mapped: true},
		"it is the partner's own record":   {ours: []string{"Contoso"}, told: partner},
		"it has no name":                   {told: customer("c1", " "), says: "has no name"},
	} {
		for _, unmatched := range []Unmatched{UnmatchedCreate, UnmatchedHold, UnmatchedIgnore, ""} {
			t.Run(name+", "+string(unmatched), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.module.Unmatched = unmatched
				ids := r.has(c.ours...)
				if c.inactive {
					r.exec("UPDATE customers SET active = FALSE")
				}
				r.fake.lists([]sdk.Customer{c.told}, sub("u1", "c1", "5"))
				// Generating mappings is the same, but that it creates nothing.
				r.sync(mappingsOnly)
				wantMapped := int64(0)
				if c.mapped {
					wantMapped = ids[0]
				}
				r.isMapped("c1", wantMapped)
				report := r.sync()
				created, held := c.created && unmatched == UnmatchedCreate, c.created && (unmatched == UnmatchedHold || unmatched == "")
				if created {
					wantMapped = r.customerNamed(c.told.Name).ID
				}
				r.isMapped("c1", wantMapped)
				if got := report.Counts[CountCustomersCreated] == 1; got != created {
					t.Errorf("created %v, want %v: %v", got, created, report.Counts)
				}
				if got := report.Outcome == Held; got != held {
					t.Errorf("held %v, want %v: %v", got, held, report.Guards)
				}
				if wantMapped == 0 != (report.Counts[CountWaiting] == 1) {
					t.Errorf("%d subscriptions wait", report.Counts[CountWaiting])
				}
				told := strings.Join(append(report.Notes, report.Warnings...), "\n")
				if !strings.Contains(told, c.says) {
					t.Errorf("it does not say %q but %q", c.says, told)
				}
				again := r.sync()
				if again.Counts[CountApplied] != 0 {
					t.Errorf("and again: %v", again.Counts)
				}
				if held {
					r.wants(r.sync(approve(again.Run)), Succeeded, map[string]int{CountCustomersCreated: 1, CountCreated: 1})
				}
			})
		}
	}
}

// isMapped checks to whom a distributor customer is mapped; 0: to nobody.
func (r *rig) isMapped(ref string, customer int64) {
	r.t.Helper()
	got := int64(0)
	if row := r.mappingRows()[ref]; row.CustomerID != nil {
		got = *row.CustomerID
	}
	if got != customer {
		r.t.Errorf("%s is mapped to #%d, want #%d", ref, got, customer)
	}
}

func TestARenameIsReportedAndNotFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Contoso", "Fabrikam")
	r.fake.lists([]sdk.Customer{customer("c1", "Whatever")})
	r.module.Unmatched = UnmatchedIgnore
	r.sync()
	r.remap("c1", ids[0])
	r.wants(r.sync(), NoChange, nil)
	r.fake.lists([]sdk.Customer{customer("c1", "Fabrikam")})
	report := r.sync()
	r.wants(report, Succeeded, map[string]int{CountCustomersRenamed: 1, CountCustomersMapped: 0})
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], `"Whatever" is now called "Fabrikam"`) {
		t.Errorf("notes %q", report.Notes)
	}
	r.isMapped("c1", ids[0])
	if name := r.customerNamed("Contoso").Name; name != "Contoso" {
		t.Errorf("our customer is called %q", name)
	}
	r.wants(r.sync(), NoChange, nil)
}

func TestACreatedCustomerIsWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.TopLevel = "Cloud customers"
	ids := r.has("Fabrikam")
	told := customer("c1", "Contoso")
	told.Address = &sdk.Address{Lines: []string{" 1  Example Street ", "Level 3", "Rear", "Door 4"}, City: "Sydney", Region: "NSW", PostalCode: "2000", CountryCode: "AU"}
	r.fake.lists([]sdk.Customer{told, customer("c2", "Fabrikam"), customer("c3", "Contoso")}, sub("u1", "c1", "5"), sub("u3", "c3", "5"))
	report := r.sync()
	r.wants(report, Succeeded, map[string]int{CountCustomersCreated: 1, CountCustomersMapped: 3, CountCreated: 2})
	made := r.customerNamed("Contoso")
	want := store.Address{Line1: "1 Example Street", Line2: "Level 3", Line3: "Rear, Door 4", City: "Sydney", Region: "NSW", PostalCode: "2000", CountryCode: "AU"}
	if made.CreatedBy != "Fake" || made.TopLevel != "Cloud customers" || !made.Active || made.Sites != 1 || made.Main != want {
		t.Errorf("created was %+v", made)
	}
	r.isMapped("c1", made.ID)
	r.isMapped("c3", made.ID)
	if old := r.customerNamed("Fabrikam"); old.ID != ids[0] || old.TopLevel != "" || old.CreatedBy != "import" {
		t.Errorf("a customer that was here became %+v", old)
	}
	if row := r.mappingRows()["c1"]; row.Origin != "created" || row.Who != "tester" {
		t.Errorf("mapping %+v", row)
	}
	tenant, _ := r.ids()
	levels, err := r.Store.TopLevels(t.Context(), tenant)
	if err != nil || len(levels) != 1 {
		t.Errorf("top levels %+v (%v)", levels, err)
	}
	// What is recorded names what was made.
	changes, err := r.Store.Changes(t.Context(), store.ChangeFilter{RunID: report.Run, CustomerID: made.ID})
	must(t, err)
	got := map[string]int{}
	for _, c := range changes {
		got[c.Entity+" "+c.Kind]++
	}
	if diff := cmp.Diff(map[string]int{"customer create": 1, "mapping map": 2, "subscription create": 2}, got); diff != "" {
		t.Errorf("recorded of it (-want +got):\n%s", diff)
	}
}

// TestTheMainSitesAddress is the table of what becomes of the address of a mapped customer's main site.
func TestTheMainSitesAddress(t *testing.T) {
	t.Parallel()
	have := store.Address{Line1: "1 Old Street", Line2: "Level 3", City: "Sydney", PostalCode: "2000", CountryCode: "AU", Country: "Australia"}
	moved := &sdk.Address{Lines: []string{"2 New Street"}, City: "Perth", PostalCode: "6000"}
	for name, c := range map[string]struct {
		off  bool
		told *sdk.Address
		// want is the address afterwards; nil: the old one.
		want  *store.Address
		notes int
	}{
		"it is not told":                {told: nil},
		"it is told as empty":           {told: &sdk.Address{}, notes: 1},
		"only a country is told":        {told: &sdk.Address{Country: "Australia"}, notes: 1},
		"only a street is told":         {told: &sdk.Address{Lines: []string{"2 New Street"}}, notes: 1},
		"no street is told":             {told: &sdk.Address{City: "Perth", PostalCode: "6000"}, notes: 1},
		"only blanks are told":          {told: &sdk.Address{Lines: []string{" ", ""}, City: " "}, notes: 1},
		"it is the same":                {told: &sdk.Address{Lines: []string{"1 Old Street", "Level 3"}, City: "Sydney", PostalCode: "2000"}},
		"it is the same but for spaces": {told: &sdk.Address{Lines: []string{" 1  Old Street", "Level\t3 "}, City: " Sydney", PostalCode: "2000 "}},
		"it is another":                 {told: moved, want: &store.Address{Line1: "2 New Street", City: "Perth", PostalCode: "6000", CountryCode: "AU", Country: "Australia"}},
		"it is in another country": {
			told: &sdk.Address{Lines: []string{"2 New Street"}, City: "Auckland", CountryCode: "NZ", Country: "New Zealand"},
			want: &store.Address{Line1: "2 New Street", City: "Auckland", CountryCode: "NZ", Country: "New Zealand"},
		},
		"it is another, but not to be followed": {off: true, told: moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.module.UpdateMainSiteAddress = !c.off
			tenant, err := r.Store.EnsureTenant(t.Context(), r.module.Tenant, "")
			must(t, err)
			_, err = r.Store.ImportCustomers(t.Context(), tenant.ID, []store.ImportRow{
				{Name: "Contoso", Site: "Head office", Address: have}, {Name: "Contoso", Site: "Warehouse", Address: store.Address{Line1: "3 Far Street", City: "Hobart"}},
			}, "test")
			must(t, err)
			told := customer("c1", "Contoso")
			told.Address = c.told
			r.fake.lists([]sdk.Customer{told})
			report := r.sync()
			want, updated := have, 0
			if c.want != nil {
				want, updated = *c.want, 1
			}
			r.wants(report, Succeeded, map[string]int{CountAddressesUpdated: updated})
			if len(report.Notes) != c.notes {
				t.Errorf("notes %q, want %d", report.Notes, c.notes)
			}
			id := r.customerNamed("Contoso").ID
			sites, err := r.Store.Sites(t.Context(), tenant.ID, id)
			must(t, err)
			if len(sites) != 2 || sites[0].Address != want || !sites[0].Main || sites[0].Name != "Head office" || sites[1].Line1 != "3 Far Street" {
				t.Errorf("sites %+v", sites)
			}
			r.wants(r.sync(), NoChange, nil)
		})
	}
}

func TestACustomerGoneAtTheDistributorIsFlaggedAndKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*fake)
		req  func(*Request)
		gone bool
	}{
		"from a complete listing": {func(*fake) {}, nil, true},
		"from one that is not":    {func(f *fake) { f.customers.doubted = true }, nil, false},
		"while a scope failed": {func(f *fake) {
			f.customers.scopes = append(f.customers.scopes, scopeSays{ref: "x", outcome: pluginhost.OutcomeFailed})
		}, nil, false},
		"while mappings are generated": {func(*fake) {}, mappingsOnly, false},
		"where absence means nothing":  {func(f *fake) { f.info.AbsenceMeansEnded = false }, nil, false},
		"in a plan":                    {func(*fake) {}, planOnly, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists(someCustomers(1, 3), sub("u1", "c1", "5"))
			r.sync()
			id := r.customerNamed("Customer 1").ID
			r.fake.lists(someCustomers(2, 3), sub("u1", "c1", "5"))
			c.edit(r.fake)
			if c.req == nil {
				c.req = func(*Request) {}
			}
			r.sync(c.req)
			if gone := r.mappingRows()["c1"].GoneAt != nil; gone != c.gone {
				t.Errorf("flagged %v, want %v", gone, c.gone)
			}
			r.isMapped("c1", id)
			if row := r.subscriptionRows()["u1"]; row.CustomerID != id || !row.Active {
				t.Errorf("its subscription is %+v", row)
			}
			r.fake.info.AbsenceMeansEnded = true
			r.fake.lists(someCustomers(1, 3), sub("u1", "c1", "5"))
			r.sync()
			if r.mappingRows()["c1"].GoneAt != nil {
				t.Error("it is listed again and still flagged")
			}
			r.wants(r.sync(), NoChange, nil)
		})
	}
}

// TestACustomerInTwoScopes: what a failed scope says is not used, and what another says is.
func TestACustomerInTwoScopes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Unmatched = UnmatchedIgnore
	r.fake.customers = says{scopes: []scopeSays{
		{ref: "good", customers: []sdk.Customer{customer("c1", "Right")}},
		{ref: "bad", outcome: pluginhost.OutcomeFailed, customers: []sdk.Customer{customer("c1", "Wrong"), customer("c2", "Nobody")}},
	}}
	r.wants(r.sync(only("customers")), Warning, map[string]int{CountCustomersListed: 1})
	rows := r.mappingRows()
	if len(rows) != 1 || rows["c1"].Name != "Right" {
		t.Errorf("distributor customers %+v", rows)
	}
	r.fake.customers.scopes[1].outcome = pluginhost.OutcomePartial
	r.wants(r.sync(only("customers")), Warning, map[string]int{CountCustomersListed: 2})
	if rows := r.mappingRows(); len(rows) != 2 || rows["c1"].Name != "Wrong" {
		t.Errorf("of a customer listed twice the last one counts: %+v", rows)
	}
}

func TestRefusedCredentialsEndTheRunAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse func(*fake, error)
		class  sdk.Class
		// subscriptionsAsked, customersKept: what happens all the same.
		subscriptionsAsked, customersKept bool
	}{
		"credentials, for customers":      {func(f *fake, err error) { f.customers.refused = err }, sdk.ClassAuth, false, false},
		"settings, for customers":         {func(f *fake, err error) { f.customers.refused = err }, sdk.ClassSettings, false, false},
		"credentials, for subscriptions":  {func(f *fake, err error) { f.subscriptions.refused = err }, sdk.ClassAuth, true, false},
		"permission, for subscriptions":   {func(f *fake, err error) { f.subscriptions.refused = err }, sdk.ClassPermission, true, true},
		"permission, for customers":       {func(f *fake, err error) { f.customers.refused = err }, sdk.ClassPermission, true, false},
		"a bad moment, for subscriptions": {func(f *fake, err error) { f.subscriptions.refused = err }, sdk.ClassTransient, true, true},
		"a death, among subscriptions":    {func(f *fake, _ error) { f.subscriptions.broken = errors.New("killed") }, sdk.ClassInternal, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists(someCustomers(1, 2), sub("u1", "c1", "5"))
			c.refuse(r.fake, &sdk.Error{Class: c.class, Message: "no", Hint: "ask"})
			asked := false
			r.fake.at = func(_ context.Context, step string) error {
				asked = asked || step == "subscriptions"
				return nil
			}
			report, err := r.Run(t.Context(), r.request())
			if err == nil || report.Outcome != Failed || report.Error == nil || asked != c.subscriptionsAsked {
				t.Errorf("outcome %s, error %v, asked for subscriptions %v", report.Outcome, err, asked)
			}
			r.recorded(report, Failed)
			if kept := len(r.mappingRows()) == 1; kept != c.customersKept {
				t.Errorf("customers were kept: %v", kept)
			}
			if len(r.subscriptionRows()) != 0 {
				t.Error("a subscription was made although the run failed before it could be")
			}
			r.fake.lists(someCustomers(1, 2), sub("u1", "c1", "5"))
			r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 1})
		})
	}
}

// TestACustomerIsCreatedOnceByTwoModules that both found it to be new.
func TestACustomerIsCreatedOnceByTwoModules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	other := r.another()
	second := newFake()
	second.lists([]sdk.Customer{customer("x1", "Contoso")}, sub("x1", "x1", "1"))
	other.Open = func(context.Context, Module, string) (Source, error) { return second, nil }
	req := r.request()
	req.Module.Name = "second"
	req.Planned = nil
	started := false
	first := r.request()
	first.Progress = func(p Progress) {
		// The plan is made, nothing is written; now the other module runs from start to end.
		if p.Stage == "apply" && !started {
			started = true
			if _, err := other.Run(t.Context(), req); err != nil {
				t.Error(err)
			}
		}
	}
	report, err := r.Run(t.Context(), first)
	if ProblemOf(err) == nil || ProblemOf(err).Code != "run.customer_created_meanwhile" || report.Outcome != Failed || report.Counts[CountApplied] != 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	r.recorded(report, Failed)
	r.wants(r.sync(), Succeeded, map[string]int{CountCustomersCreated: 0, CountCustomersMapped: 1, CountCreated: 1})
	if made := r.customerNamed("Contoso"); made.Subscriptions != 2 {
		t.Errorf("it is %+v", made)
	}
}
