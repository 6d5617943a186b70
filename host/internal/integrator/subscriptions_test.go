// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// TestReadingsThatCountAsMissing: with missing_runs, a subscription is deactivated after so many complete readings in a row
// that do not have it. One that is not complete neither counts nor starts the count again: it says nothing about what it
// does not have. One that has the subscription does start it again, complete or not.
func TestReadingsThatCountAsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		runs     int
		readings string
		// deactivatedBy is the reading, from 1, that deactivates it; 0: none.
		deactivatedBy int
	}{
		{0, "missing", 1},
		{1, "missing", 1},
		{1, "partial failed cut vanished refused missing", 6},
		{2, "missing missing", 2},
		{3, "missing missing", 0},
		{3, "missing missing missing", 3},
		{3, "missing partial missing missing", 4},
		{3, "missing missing failed missing", 4},
		{3, "missing missing cut missing", 4},
		{3, "missing missing vanished missing", 4},
		{3, "missing missing refused missing", 4},
		{3, "missing missing plan plan customers missing", 6},
		{3, "missing missing listed missing missing", 0},
		{3, "missing missing listed missing missing missing", 6},
		{3, "missing missing listed-in-part missing missing missing", 6},
		{3, "missing missing seen-elsewhere missing missing missing", 6},
		{3, "missing missing narrowed", 3},
		{3, "missing removed", 2},
		{3, "removed-in-part missing missing", 0},
		{3, "removed-in-part missing missing missing", 4},
		{1, "ended", 1},
		{3, "ended", 1},
		{1, "ended-in-part", 0},
		{1, "ended-in-part ended", 2},
	} {
		t.Run(fmt.Sprint(c.runs, " ", c.readings), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.module.Subscriptions.MissingRuns = c.runs
			customers := []sdk.Customer{customer("c1", "Contoso")}
			other := sub("other", "c1", "1")
			r.fake.lists(customers, sub("u1", "c1", "5"), other)
			r.sync()
			id := r.subscriptionRows()["u1"].ID
			got := 0
			var elsewhere []scopeSays
			for n, reading := range strings.Fields(c.readings) {
				r.fake.lists(customers, other)
				// From when it was seen in another scope, that one has to be there to miss it.
				r.fake.subscriptions.scopes = append(r.fake.subscriptions.scopes, elsewhere...)
				scope := &r.fake.subscriptions.scopes[0]
				edit := func(*Request) {}
				reading, inPart := strings.CutSuffix(reading, "-in-part")
				if inPart {
					scope.outcome = pluginhost.OutcomePartial
				}
				switch reading {
				case "missing":
				case "listed":
					scope.subs = append(scope.subs, sub("u1", "c1", "5"))
				case "ended":
					scope.subs = append(scope.subs, sub("u1", "c1", "5", ending))
				case "removed":
					scope.removed = []string{"u1"}
				case "partial":
					scope.outcome = pluginhost.OutcomePartial
				case "failed":
					scope.outcome = pluginhost.OutcomeFailed
					r.fake.subscriptions.scopes = append(r.fake.subscriptions.scopes, scopeSays{ref: "more"})
				case "cut":
					scope.outcome, r.fake.subscriptions.doubted = pluginhost.OutcomePartial, true
				case "vanished":
					r.fake.subscriptions.scopes = []scopeSays{{ref: "more", subs: []*distributorv1.Subscription{other}}}
				case "refused":
					r.fake.subscriptions.refused = errors.New("no")
				case "seen-elsewhere":
					r.fake.subscriptions.scopes = append(r.fake.subscriptions.scopes, scopeSays{ref: "more", subs: []*distributorv1.Subscription{sub("u1", "c1", "5")}})
				case "plan":
					edit = planOnly
				case "customers":
					edit = only("customers")
				case "narrowed":
					edit = narrowed(r.customerNamed("Contoso").ID)
				default:
					t.Fatalf("what is %q?", reading)
				}
				if _, err := r.Run(t.Context(), r.request(edit)); (err != nil) != (reading == "refused") {
					t.Fatal(err)
				}
				if reading == "seen-elsewhere" {
					elsewhere = []scopeSays{{ref: "more"}}
				}
				row := r.subscriptionRows()["u1"]
				if row.ID != id {
					t.Fatalf("it was #%d and is #%d", id, row.ID)
				}
				if !row.Active && got == 0 {
					got = n + 1
				}
			}
			if got != c.deactivatedBy {
				t.Errorf("deactivated by reading %d, want %d", got, c.deactivatedBy)
			}
		})
	}
}

func TestDeactivationHasToBeAllowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Subscriptions.DeactivateMissing = false
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, someSubs(3)...)
	r.sync()
	r.fake.lists(customers, append(someSubs(1), sub("u1", "c1", "5", ending))...)
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 0, CountLeftActive: 2, CountUpdated: 1})
	r.wants(r.sync(), NoChange, map[string]int{CountLeftActive: 2})
	r.module.Subscriptions.DeactivateMissing = true
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 2, CountLeftActive: 0})
	r.wants(r.sync(), NoChange, nil)
}

func TestWhatComesBackIsTheSameSubscription(t *testing.T) {
	t.Parallel()
	customers := []sdk.Customer{customer("c1", "Contoso")}
	for name, gone := range map[string][]*distributorv1.Subscription{
		"absent": {sub("other", "c1", "1")}, "reported": {sub("u1", "c1", "5", ending), sub("other", "c1", "1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			here := []*distributorv1.Subscription{sub("u1", "c1", "5"), sub("other", "c1", "1")}
			r.fake.lists(customers, here...)
			r.sync()
			before := r.subscriptionRows()["u1"]
			for range 3 {
				r.fake.lists(customers, gone...)
				r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 1})
				if row := r.subscriptionRows()["u1"]; row.ID != before.ID || row.Active || row.DeactivatedAt == nil {
					t.Errorf("ended, it is %+v", row)
				}
				r.fake.lists(customers, here...)
				r.wants(r.sync(), Succeeded, map[string]int{CountReactivated: 1, CountCreated: 0})
				if row := r.subscriptionRows()["u1"]; row.ID != before.ID || !row.Active || row.DeactivatedAt != nil || quantityOf(row) != "5" {
					t.Errorf("back again, it is %+v", row)
				}
			}
		})
	}
}

// TestWhatIsNotToldIsKept: a reading without a value does not make the value empty.
func TestWhatIsNotToldIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	yes := true
	whole := sub("u1", "c1", "5", func(s *distributorv1.Subscription) {
		s.Vendor, s.VendorRef, s.ParentRef, s.StartedOn, s.CommitmentEnd = "Microsoft", "v1", "p1", "2025-01-01", "2026-01-01"
		s.AutoRenew, s.Trial = &yes, &yes
		s.BillingTerm = &distributorv1.Term{Kind: distributorv1.TermKind_TERM_KIND_RECURRING, Unit: distributorv1.TermUnit_TERM_UNIT_MONTH, Count: 12}
		item := s.Items[0]
		item.Sku, item.Unit = "SKU", "seats"
		item.CustomerPrice = &distributorv1.Money{Amount: "30.10", Currency: "AUD"}
		item.PartnerCost = &distributorv1.Money{Amount: "27.36", Currency: "AUD"}
	})
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, whole)
	r.sync()
	before := r.subscriptionRows()["u1"]
	if before.Vendor != "Microsoft" || textOf(before.PartnerCost) != "27.36" || before.BillingTerm != "P1Y" || before.AutoRenew == nil {
		t.Fatalf("imported was %+v", before)
	}
	r.fake.lists(customers, &distributorv1.Subscription{Ref: "u1", CustomerRef: "c1", State: whole.State})
	report := r.sync()
	r.wants(report, NoChange, nil)
	after := r.subscriptionRows()["u1"]
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what was not told changed it (-before +after):\n%s", diff)
	}
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 1})
	// Zero is told.
	r.fake.lists(customers, sub("u1", "c1", "0", called(before.Name)))
	r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1})
	if row := r.subscriptionRows()["u1"]; quantityOf(row) != "0" || !row.Active {
		t.Errorf("quantity %s, active %v", quantityOf(row), row.Active)
	}
}

func TestMeteredUseHasNoQuantity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metered := func(s *distributorv1.Subscription) {
		s.Items[0].ChargeKind = distributorv1.ChargeKind_CHARGE_KIND_USAGE
	}
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("new", "c1", "9", metered), sub("seats", "c1", "9"))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 2})
	r.fake.lists(customers, sub("new", "c1", "7000", metered), sub("seats", "c1", "7000", metered))
	r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1, CountHeld: 0})
	for ref, row := range r.subscriptionRows() {
		if row.Quantity != nil {
			t.Errorf("%s has quantity %s", ref, *row.Quantity)
		}
	}
	r.wants(r.sync(), NoChange, nil)
}

func TestWhatHasEndedBeforeItWasKnownIsNeverActive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5", ending))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 1, CountDeactivated: 0})
	if row := r.subscriptionRows()["u1"]; row.Active || row.DeactivatedAt == nil || row.State != "cancelled" {
		t.Errorf("it is %+v", row)
	}
	r.wants(r.sync(), NoChange, nil)
	r.fake.lists(customers, sub("u1", "c1", "5"))
	r.wants(r.sync(), Succeeded, map[string]int{CountReactivated: 1})
}

// TestStatesThatAreNoEnd: only what is known to be an end is one.
func TestStatesThatAreNoEnd(t *testing.T) {
	t.Parallel()
	for number, name := range distributorv1.SubscriptionState_name {
		state := distributorv1.SubscriptionState(number)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			customers := []sdk.Customer{customer("c1", "Contoso")}
			r.fake.lists(customers, sub("u1", "c1", "5"))
			r.sync()
			r.fake.lists(customers, sub("u1", "c1", "5", func(s *distributorv1.Subscription) { s.State = state }))
			r.sync()
			ends := slices.Contains([]string{"CANCELLED", "EXPIRED", "CONVERTED", "FAILED", "DELETED"}, strings.TrimPrefix(name, "SUBSCRIPTION_STATE_"))
			if row := r.subscriptionRows()["u1"]; row.Active == ends {
				t.Errorf("active %v", row.Active)
			}
		})
	}
}

func TestEveryItemIsARecordOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	items := func(refs ...string) func(*distributorv1.Subscription) {
		return func(s *distributorv1.Subscription) {
			s.Items = nil
			for i, ref := range refs {
				quantity := fmt.Sprint(i + 1)
				s.Items = append(s.Items, &distributorv1.Item{Ref: ref, Name: "Item " + ref, Quantity: &quantity})
			}
		}
	}
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "", items("a", "b")), sub("u2", "c1", "", items()))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 3, CountSubscriptionsListed: 2})
	rows := r.subscriptionRows()
	if quantityOf(rows["u1/a"]) != "1" || quantityOf(rows["u1/b"]) != "2" || rows["u1/b"].Name != "Item b" || quantityOf(rows["u2"]) != "none" {
		t.Errorf("subscriptions %+v", rows)
	}
	// In another order, and without one.
	r.fake.lists(customers, sub("u1", "c1", "", func(s *distributorv1.Subscription) {
		items("a", "b")(s)
		slices.Reverse(s.Items)
	}), sub("u2", "c1", "", items()))
	r.wants(r.sync(), NoChange, nil)
	r.fake.lists(customers, sub("u1", "c1", "", items("a")), sub("u2", "c1", "", items()))
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 1, CountUpdated: 0})
}

func TestAScopeThatIsNoLongerThereIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")})
	a := scopeSays{ref: "a", name: "Agreement A", subs: []*distributorv1.Subscription{sub("u1", "c1", "5"), sub("u2", "c1", "5")}}
	b := scopeSays{ref: "b", subs: []*distributorv1.Subscription{sub("u3", "c1", "5")}}
	r.fake.subscriptions.scopes = []scopeSays{a, b}
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 3})
	r.fake.subscriptions.scopes = []scopeSays{b}
	report := r.sync()
	r.wants(report, Warning, map[string]int{CountDeactivated: 0})
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "Agreement A was not part of this listing") || !strings.Contains(report.Warnings[0], "2") {
		t.Errorf("warnings %q", report.Warnings)
	}
	// They are found again in another scope.
	b.subs = append(b.subs, a.subs...)
	r.fake.subscriptions.scopes = []scopeSays{b}
	r.sync()
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 3})
}

func TestAFailedScopeIsNotUsedAndAPartialOneIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome pluginhost.Outcome
		used    bool
	}{"failed": {pluginhost.OutcomeFailed, false}, "partial": {pluginhost.OutcomePartial, true}, "complete": {pluginhost.OutcomeComplete, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists([]sdk.Customer{customer("c1", "Contoso")})
			a := scopeSays{ref: "a", subs: []*distributorv1.Subscription{sub("u1", "c1", "5"), sub("u2", "c1", "5")}}
			b := scopeSays{ref: "b", subs: []*distributorv1.Subscription{sub("u3", "c1", "5"), sub("u4", "c1", "5")}}
			r.fake.subscriptions.scopes = []scopeSays{a, b}
			r.sync()
			a.subs = []*distributorv1.Subscription{sub("u1", "c1", "6"), sub("new", "c1", "1")}
			b.subs = []*distributorv1.Subscription{sub("u3", "c1", "6")}
			a.outcome = c.outcome
			r.fake.subscriptions.scopes = []scopeSays{a, b}
			report := r.sync()
			rows := r.subscriptionRows()
			if used := quantityOf(rows["u1"]) == "6"; used != c.used || (rows["new"].ID != 0) != c.used {
				t.Errorf("used %v, want %v", used, c.used)
			}
			if quantityOf(rows["u3"]) != "6" || rows["u4"].Active {
				t.Error("the scope beside it was not followed")
			}
			if rows["u2"].Active == (c.outcome == pluginhost.OutcomeComplete) {
				t.Errorf("what is missing from it is active: %v", rows["u2"].Active)
			}
			_, module := r.ids()
			trusted, err := r.Store.LastTrustworthy(t.Context(), module)
			must(t, err)
			if complete := trusted.SubscriptionsRun == report.Run; complete != (c.outcome == pluginhost.OutcomeComplete) {
				t.Errorf("the run's reading is trusted: %v", complete)
			}
		})
	}
}

// TestAListingIsToldOfTheLastCompleteOne: only a reading of everything that was applied counts, by when it began.
func TestAListingIsToldOfTheLastCompleteOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	contoso := r.has("Contoso")[0]
	whole := []*distributorv1.Subscription{sub("u1", "c1", "5"), sub("u2", "c1", "5"), sub("u3", "c9", "5")}
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso"), customer("c9", "")}, whole...)
	var last time.Time
	for _, step := range []struct {
		name    string
		counts  bool
		outcome pluginhost.Outcome
		edits   []func(*Request)
	}{
		{"only planned", false, pluginhost.OutcomeComplete, []func(*Request){planOnly}},
		{"read in part", false, pluginhost.OutcomePartial, nil},
		{"read completely, and one waits", true, pluginhost.OutcomeComplete, nil},
		{"read in part again", false, pluginhost.OutcomePartial, nil},
		{"read for one customer", false, pluginhost.OutcomeComplete, []func(*Request){narrowed(contoso)}},
		{"read completely again", true, pluginhost.OutcomeComplete, []func(*Request){only("subscriptions")}},
		{"at the end", false, pluginhost.OutcomeComplete, nil},
	} {
		r.fake.subscriptions.scopes[0].outcome = step.outcome
		report := r.sync(step.edits...)
		if !r.fake.lastComplete.Equal(last) {
			t.Errorf("%s: told of %v, want %v", step.name, r.fake.lastComplete, last)
		}
		if step.counts {
			last = report.Started
		}
	}
}

func TestARunForOneCustomerTouchesNoOther(t *testing.T) {
	t.Parallel()
	for name, ignores := range map[string]bool{"asked for one": false, "lists all the same": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.ignoresRefs = ignores
			ids := r.has("Contoso", "Fabrikam", "Nobody")
			// Two distributor customers are Contoso.
			list := []sdk.Customer{customer("c1", "Contoso"), customer("c1b", "Contoso"), customer("c2", "Fabrikam")}
			r.fake.lists(list, sub("u1", "c1", "5"), sub("u1b", "c1b", "5"), sub("u2", "c2", "5"), sub("u3", "c1", "5"), sub("u4", "c2", "5"))
			r.sync()
			list[2].Name = "Fabrikam Renamed"
			r.fake.lists(append(list, customer("c9", "New")), sub("u1", "c1", "6"), sub("u1b", "c1b", "6"), sub("u2", "c2", "6"), sub("new", "c2", "1"))
			report := r.sync(narrowed(ids[0]))
			r.wants(report, Succeeded, map[string]int{CountUpdated: 2, CountDeactivated: 1, CountCreated: 0, CountCustomersCreated: 0, CountCustomersRenamed: 0})
			rows := r.subscriptionRows()
			if quantityOf(rows["u1"]) != "6" || quantityOf(rows["u1b"]) != "6" || rows["u3"].Active {
				t.Error("its own subscriptions were not followed")
			}
			if quantityOf(rows["u2"]) != "5" || !rows["u4"].Active || len(rows) != 5 || len(r.mappingRows()) != 3 {
				t.Error("another customer was touched")
			}
			if report.CustomersComplete || report.SubscriptionsComplete {
				t.Error("a run for one customer counts as a complete reading")
			}
			refused, err := r.Run(t.Context(), r.request(narrowed(ids[2])))
			if ProblemOf(err) == nil || ProblemOf(err).Code != "run.customer_not_mapped" || refused.Outcome != Failed {
				t.Errorf("for a customer that is not mapped: %v", err)
			}
			r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1, CountDeactivated: 1, CountCreated: 1, CountCustomersCreated: 1})
		})
	}
}

func TestAMappingChangeMovesSubscriptions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Unmatched = UnmatchedIgnore
	ids := r.has("Contoso", "Fabrikam")
	list := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(list, someSubs(3)...)
	r.sync()
	before := r.subscriptionRows()
	check := func(customer int64, quantity string) {
		t.Helper()
		for ref, row := range r.subscriptionRows() {
			if row.ID != before[ref].ID || row.CustomerID != customer || !row.Active || quantityOf(row) != quantity {
				t.Errorf("%s is #%d on customer #%d, active %v, quantity %s", ref, row.ID, row.CustomerID, row.Active, quantityOf(row))
			}
		}
	}
	r.remap("c1", ids[1])
	plan := r.sync(planOnly)
	r.wants(plan, Succeeded, map[string]int{CountMoved: 3})
	check(ids[0], "5")
	r.wants(r.sync(only("customers")), NoChange, nil)
	r.wants(r.sync(), Succeeded, map[string]int{CountMoved: 3, CountDeactivated: 0})
	check(ids[1], "5")
	r.wants(r.sync(), NoChange, nil)
	// A mapping that is removed leaves them where they are.
	r.unmap("c1")
	list[0].Name = "Renamed"
	r.fake.lists(list, someSubs(3)...)
	r.sync()
	check(ids[1], "5")
	// What changes meanwhile waits, and is caught up with.
	r.fake.lists(list, sub("u0", "c1", "6"), sub("u1", "c1", "6"), sub("u2", "c1", "6"))
	r.wants(r.sync(), NoChange, map[string]int{CountUpdated: 0})
	check(ids[1], "5")
	r.remap("c1", ids[0])
	r.wants(r.sync(), Succeeded, map[string]int{CountMoved: 3, CountUpdated: 3})
	check(ids[0], "6")
	r.wants(r.sync(), NoChange, nil)
}

func TestTwiceListedIsToldAndTheLastOneCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Wrong"), customer("c1", "Contoso")}, sub("u1", "c1", "5"), sub("u1", "c1", "6"))
	report := r.sync()
	r.wants(report, Warning, map[string]int{CountCreated: 1, CountCustomersCreated: 1})
	if len(report.Warnings) != 2 || !strings.Contains(report.Warnings[0], `customer "c1" was listed twice`) || !strings.Contains(report.Warnings[1], `subscription "u1" was listed twice`) {
		t.Errorf("warnings %q", report.Warnings)
	}
	if row := r.subscriptionRows()["u1"]; quantityOf(row) != "6" || row.Customer != "Contoso" {
		t.Errorf("quantity %s of %s", quantityOf(row), row.Customer)
	}
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "7"), sub("u1", "c1", "6"))
	r.wants(r.sync(), Warning, map[string]int{CountUpdated: 0})
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "6"), sub("u1", "c1", "7"))
	r.wants(r.sync(), Warning, map[string]int{CountUpdated: 1})
}

// TestTextNoDatabaseKeeps: a NUL in any text is dropped in the same way wherever the text is compared.
func TestTextNoDatabaseKeeps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.UpdateMainSiteAddress = true
	told := customer("c\x001", "Con\x00toso")
	told.Address = &sdk.Address{Lines: []string{"1 \x00Street"}, City: "Syd\x00ney"}
	r.has("Contoso")
	r.fake.lists([]sdk.Customer{told}, sub("u\x001", "c\x001", "5", called("Pro\x00duct"), ending))
	r.module.Subscriptions.DeactivateMissing = false
	r.wants(r.sync(), Succeeded, map[string]int{CountCustomersCreated: 0, CountCustomersMapped: 1, CountCreated: 1, CountAddressesUpdated: 1})
	r.wants(r.sync(), NoChange, nil)
	r.fake.lists([]sdk.Customer{told}, sub("u\x001", "c\x001", "6", called("Pro\x00duct")))
	r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1, CountReactivated: 1})
	r.fake.lists([]sdk.Customer{told}, sub("u\x001", "c\x001", "6", called("Pro\x00duct"), ending))
	r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1, CountLeftActive: 1})
	r.wants(r.sync(), NoChange, map[string]int{CountLeftActive: 1})
	if row := r.subscriptionRows()["u1"]; row.Name != "Product" || row.Customer != "Contoso" {
		t.Errorf("it is %+v", row)
	}
}

func TestRefsThatDifferInCaseAreOneWhereTheDistributorSaysSo(t *testing.T) {
	t.Parallel()
	for name, ignores := range map[string]bool{"they are one": true, "they are two": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.info.RefsIgnoreCase = ignores
			r.fake.lists([]sdk.Customer{customer("AB", "Contoso")}, sub("U1", "AB", "5"))
			r.sync()
			r.fake.lists([]sdk.Customer{customer("ab", "Contoso")}, sub("u1", "aB", "5", called("Product U1")))
			report := r.sync()
			rows := r.subscriptionRows()
			if one := len(rows) == 1 && report.Counts[CountApplied] == 0; one != ignores {
				t.Errorf("subscriptions %v, counts %v", rows, report.Counts)
			}
		})
	}
}

func TestAPlanWritesNothingButItsRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists(someCustomers(1, 3), someSubs(3)...)
	r.sync()
	r.fake.lists(someCustomers(2, 5), sub("u0", "c1", "6"), sub("u7", "c4", "5000"))
	db := rawDB(t, r.url)
	defer func() { must(t, db.Close()) }()
	count := func() (rows []string) {
		for _, table := range []string{"customers", "sites", "mappings", "distributor_customers", "subscriptions", "distributor_subscriptions", "changes", "scopes", "leases", "runs"} {
			var n int
			var last *string
			column := map[string]string{"changes": "id", "scopes": "id", "leases": "module_id", "mappings": "id", "runs": "0"}[table]
			if column == "" {
				column = "updated_at"
			}
			must(t, db.QueryRow("SELECT count(*), max("+column+") FROM "+table).Scan(&n, &last))
			rows = append(rows, fmt.Sprint(table, " ", n, " ", textOf(last)))
		}
		return rows
	}
	before := count()
	r.wants(r.sync(planOnly), Succeeded, nil)
	planned := slices.Clone(r.planned)
	before[len(before)-1] = "runs 2 0"
	if diff := cmp.Diff(before, count()); diff != "" {
		t.Errorf("the plan wrote (-before +after):\n%s", diff)
	}
	r.sync()
	if diff := cmp.Diff(essence(planned), essence(r.planned)); diff != "" || len(planned) == 0 {
		t.Errorf("planned and done (-plan +sync):\n%s", diff)
	}
}

// TestARunThatFailsForOneEntityIsRecordedWithWhatItApplied: a kill right after the commit must not leave a record that says
// that nothing was applied.
func TestARunThatFailsForOneEntityIsRecordedWithWhatItApplied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists(someCustomers(1, 2), someSubs(1)...)
	r.fake.subscriptions.refused = &sdk.Error{Class: sdk.ClassPermission, Message: "not allowed"}
	seen := store.Run{}
	r.fake.at = func(_ context.Context, step string) error {
		if step == "close" {
			// The changes are committed, the end of the run is not yet told to anybody.
			_, module := r.ids()
			run, err := r.Store.LastRun(t.Context(), module)
			if err != nil || run == nil {
				t.Errorf("after the commit the run has not ended: %v", err)
				return nil
			}
			seen = *run
		}
		return nil
	}
	report, err := r.Run(t.Context(), r.request())
	if err == nil || report.Outcome != Failed {
		t.Fatalf("outcome %s, error %v", report.Outcome, err)
	}
	if seen.Outcome != string(Failed) || seen.ErrorCode != "distributor.permission" || !seen.CustomersComplete {
		t.Errorf("recorded with the changes was %+v", seen)
	}
	r.recorded(report, Failed)
}

// Which of two customers comes last says nothing: it may be the other one in the next run.
func TestASubscriptionOfTwoCustomersIsNobodys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	both := []sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}
	r.fake.lists(both, sub("u1", "c1", "5"))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 1})
	for _, listed := range [][]*distributorv1.Subscription{
		{sub("u1", "c1", "5"), sub("u1", "c2", "5"), sub("u2", "c1", "1"), sub("u2", "c2", "1")},
		{sub("u1", "c2", "5"), sub("u1", "c1", "5"), sub("u2", "c2", "1"), sub("u2", "c1", "1")},
		{sub("u1", "c2", "7"), sub("u1", "c1", "9")},
	} {
		r.fake.lists(both, listed...)
		report := r.sync()
		r.wants(report, Warning, map[string]int{CountCreated: 0, CountUpdated: 0, CountMoved: 0, CountDeactivated: 0})
		if !strings.Contains(strings.Join(report.Warnings, "\n"), `"u1" was listed for two customers`) {
			t.Errorf("warnings %q", report.Warnings)
		}
		if row := r.subscriptionRows()["u1"]; row.Customer != "Contoso" || quantityOf(row) != "5" || len(r.subscriptionRows()) != 1 {
			t.Errorf("it became %s of %s", quantityOf(row), row.Customer)
		}
	}
}
