// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"fmt"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// tenSubs are ten subscriptions of customer c1.
func tenSubs() []*distributorv1.Subscription {
	list := make([]*distributorv1.Subscription, 10)
	for i := range list {
		list[i] = sub(fmt.Sprintf("u%d", i), "c1", "1")
	}
	return list
}

// remap maps a distributor customer to another customer of ours.
func (r *rig) remap(ref string, customer int64) {
	r.t.Helper()
	_, module := r.ids()
	row := r.mappingRows()[ref]
	change := r.Store.ChangeMapping
	if row.CustomerID == nil {
		change = r.Store.AddMapping
	}
	_, err := change(r.t.Context(), module, row.DistributorCustomerID, customer, "tester")
	must(r.t, err)
}

func (r *rig) unmap(ref string) {
	r.t.Helper()
	_, module := r.ids()
	must(r.t, r.Store.RemoveMapping(r.t.Context(), module, r.mappingRows()[ref].DistributorCustomerID, "tester"))
}

func TestSubscriptionsMayComeBeforeTheirCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	r.wants(r.sync(only("subscriptions")), NoChange, map[string]int{CountWaiting: 1, CountCreated: 0})
	r.wants(r.sync(), Succeeded, map[string]int{CountCustomersCreated: 1, CountCreated: 1, CountWaiting: 0})
	if row := r.subscriptionRows()["u1"]; row.Customer != "Contoso" || !row.Active {
		t.Errorf("it is %+v", row)
	}
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 1})
}

// TestWhatWaitsKeepsWhatWasTold: distributors tell prices seldom, and a customer may be mapped, or mapped again, long after.
func TestWhatWaitsKeepsWhatWasTold(t *testing.T) {
	t.Parallel()
	priced := func(amount string) func(*distributorv1.Subscription) {
		return func(s *distributorv1.Subscription) {
			s.CommitmentEnd = "2027-03-01"
			s.Items[0].PartnerCost = &distributorv1.Money{Amount: amount, Currency: "AUD"}
		}
	}
	r := newRig(t)
	r.module.Unmatched = UnmatchedIgnore
	customers := []sdk.Customer{customer("c1", "Contoso")}
	told := func(quantity string, edits ...func(*distributorv1.Subscription)) {
		r.fake.lists(customers, sub("u1", "c1", quantity, edits...))
		r.sync()
	}
	told("5", priced("27.36"))
	told("6")
	ids := r.has("Contoso Ltd", "Contoso Pty")
	r.remap("c1", ids[0])
	r.sync()
	wants := func(quantity, cost string) {
		t.Helper()
		row := r.subscriptionRows()["u1"]
		if textOf(row.PartnerCost) != cost || row.Currency != "AUD" || row.CommitmentEnd != "2027-03-01" || quantityOf(row) != quantity {
			t.Errorf("it has %s seats at %q %s until %q, want %s at %s AUD until 2027-03-01",
				quantityOf(row), textOf(row.PartnerCost), row.Currency, row.CommitmentEnd, quantity, cost)
		}
	}
	wants("6", "27.36")
	r.unmap("c1")
	told("6", priced("30.1"))
	told("7")
	r.remap("c1", ids[1])
	told("8")
	wants("8", "30.1")
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 1})
}

// TestAMappingChangeMovesWhatIsMissing: what is left active although it is missing is still billed, and has to go to the
// right customer.
func TestAMappingChangeMovesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]struct {
		deactivates bool
		runs        int
	}{"not allowed to deactivate": {false, 1}, "missing once of three": {true, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.module.Subscriptions.DeactivateMissing, r.module.Subscriptions.MissingRuns = policy.deactivates, policy.runs
			ids := r.has("Contoso", "Fabrikam")
			customers := []sdk.Customer{customer("c1", "Contoso")}
			r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c1", "5"))
			r.sync()
			r.fake.lists(customers, sub("u2", "c1", "5"))
			r.remap("c1", ids[1])
			r.wants(r.sync(), Succeeded, map[string]int{CountMoved: 2})
			for ref, row := range r.subscriptionRows() {
				if row.CustomerID != ids[1] || !row.Active {
					t.Errorf("%s is on customer #%d, active %v; want #%d", ref, row.CustomerID, row.Active, ids[1])
				}
			}
		})
	}
}

func TestAMappingChangeMovesWhatHasEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Contoso", "Fabrikam")
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c1", "5"))
	r.sync()
	r.fake.lists(customers, sub("u2", "c1", "5"))
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 1})
	r.remap("c1", ids[1])
	r.wants(r.sync(), Succeeded, map[string]int{CountMoved: 2, CountReactivated: 0})
	if row := r.subscriptionRows()["u1"]; row.CustomerID != ids[1] || row.Active {
		t.Errorf("it is on customer #%d, active %v", row.CustomerID, row.Active)
	}
	r.wants(r.sync(), NoChange, nil)
}

// TestAMappingChangeMovesOnceWhateverScopesFail: a subscription that was listed in one scope and is known from another,
// one of which failed, is moved exactly once.
func TestAMappingChangeMovesOnceWhateverScopesFail(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]int{"where it was": 0, "where it is": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ids := r.has("Contoso", "Fabrikam")
			r.fake.lists([]sdk.Customer{customer("c1", "Contoso")})
			r.fake.subscriptions.scopes = []scopeSays{{ref: "a", subs: tenSubs()[:1]}, {ref: "b"}}
			r.sync()
			r.remap("c1", ids[1])
			r.fake.subscriptions.scopes = []scopeSays{{ref: "a"}, {ref: "b", subs: tenSubs()[:1]}}
			r.fake.subscriptions.scopes[failed].outcome = pluginhost.OutcomeFailed
			r.wants(r.sync(), Warning, map[string]int{CountMoved: 1, CountDeactivated: 0})
			if row := r.subscriptionRows()["u0"]; row.CustomerID != ids[1] || !row.Active {
				t.Errorf("it is on customer #%d, active %v", row.CustomerID, row.Active)
			}
		})
	}
}

// TestWhatEndsIsDeactivatedWhoeverItBelongsTo: an end is a fact about the subscription. Everything else waits until its
// customer is mapped again.
func TestWhatEndsIsDeactivatedWhoeverItBelongsTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Unmatched = UnmatchedIgnore
	ids := r.has("Contoso")
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c1", "5"), sub("u3", "c1", "5"))
	r.sync()
	r.unmap("c1")
	r.fake.lists([]sdk.Customer{customer("c1", "Renamed")}, sub("u1", "c1", "5", ending), sub("u3", "c1", "7"))
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 2, CountUpdated: 0})
	r.fake.lists([]sdk.Customer{customer("c1", "Renamed")}, sub("u1", "c1", "5"), sub("u2", "c1", "5"), sub("u3", "c1", "7"))
	r.wants(r.sync(), NoChange, map[string]int{CountReactivated: 0})
	r.remap("c1", ids[0])
	r.wants(r.sync(), Succeeded, map[string]int{CountReactivated: 2, CountUpdated: 1})
	r.wants(r.sync(), NoChange, nil)
}

func TestANarrowedRunBelievesWhatItSeesElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Contoso", "Fabrikam")
	r.fake.ignoresRefs = true
	customers := []sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}
	r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c1", "5"))
	r.sync()
	r.fake.lists(customers, sub("u1", "c2", "6"), sub("u2", "c1", "6"))
	r.wants(r.sync(narrowed(ids[0])), Succeeded, map[string]int{CountDeactivated: 0, CountUpdated: 1, CountMoved: 0})
	r.wants(r.sync(), Succeeded, map[string]int{CountMoved: 1, CountUpdated: 1})
}

func TestARemovalToldByAFailedScopeIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.info.AbsenceMeansEnded = false
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5"))
	r.sync()
	r.fake.subscriptions.scopes = []scopeSays{{ref: "account"}, {ref: "b", outcome: pluginhost.OutcomeFailed, removed: []string{"u1"}}}
	r.wants(r.sync(), Warning, map[string]int{CountDeactivated: 0})
	r.fake.subscriptions.scopes = []scopeSays{{ref: "account", removed: []string{"u1"}, outcome: pluginhost.OutcomePartial}}
	r.wants(r.sync(), Warning, map[string]int{CountDeactivated: 0})
	r.fake.subscriptions.scopes = []scopeSays{{ref: "account", subs: []*distributorv1.Subscription{sub("u9", "c1", "1")}}}
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 0})
	r.fake.subscriptions.scopes[0].removed = []string{"u1"}
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 1})
}

// TestWhoIsListedFirstMakesNoDifference: of two distributor customers of one new name the one that has ended is listed
// first. Both are the customer that is created, at once and not only when the run is repeated.
func TestWhoIsListedFirstMakesNoDifference(t *testing.T) {
	t.Parallel()
	old, now := customer("c1", "Contoso"), customer("c2", "Contoso")
	old.Lifecycle = sdk.LifecycleEnded
	for name, listed := range map[string][]sdk.Customer{"the ended one": {old, now}, "the other": {now, old}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists(listed)
			r.wants(r.sync(), Succeeded, map[string]int{CountCustomersCreated: 1, CountCustomersMapped: 2})
			r.wants(r.sync(), NoChange, nil)
		})
	}
}

// TestTheMainSiteOfACustomerCreatedForTwo gets the address that it would get if it had been there before.
func TestTheMainSiteOfACustomerCreatedForTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.UpdateMainSiteAddress = true
	half, whole := customer("c1", "Contoso"), customer("c2", "Contoso")
	half.Address = &sdk.Address{City: "Sydney"}
	whole.Address = &sdk.Address{Lines: []string{"1 Example Street"}, City: "Perth", PostalCode: "6000"}
	r.fake.lists([]sdk.Customer{half, whole})
	r.wants(r.sync(), Succeeded, map[string]int{CountCustomersCreated: 1})
	if main := r.customerNamed("Contoso").Main; main.City != "Perth" || main.Line1 != "1 Example Street" {
		t.Errorf("its main site is at %+v", main)
	}
	r.wants(r.sync(), NoChange, nil)
}

// TestTheMainSiteFollowsTheSameCustomerInWhateverOrder: two distributor customers are one customer of ours and have
// different addresses.
func TestTheMainSiteFollowsTheSameCustomerInWhateverOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.UpdateMainSiteAddress = true
	r.has("Contoso")
	one, two := customer("c1", "Contoso"), customer("c2", "Contoso")
	one.Address = &sdk.Address{Lines: []string{"1 Example Street"}, City: "Sydney"}
	two.Address = &sdk.Address{Lines: []string{"2 Other Street"}, City: "Perth"}
	r.fake.lists([]sdk.Customer{two, one})
	r.wants(r.sync(), Succeeded, map[string]int{CountAddressesUpdated: 1})
	r.fake.lists([]sdk.Customer{one, two})
	r.wants(r.sync(), NoChange, map[string]int{CountAddressesUpdated: 0})
}

// TestARemovedSubscriptionIsRemovedWithItsItems and with nothing whose id only begins alike.
func TestARemovedSubscriptionIsRemovedWithItsItems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.info.AbsenceMeansEnded, r.fake.info.RefsIgnoreCase = false, true
	items := func(s *distributorv1.Subscription) { s.Items = []*distributorv1.Item{{Ref: "A"}, {Ref: "b"}} }
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("U1", "c1", "", items), sub("U10", "c1", "", items), sub("U1-", "c1", "1"), sub("U2", "c1", "1"))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 6})
	r.fake.lists(customers, sub("new", "c1", "1"))
	r.fake.subscriptions.scopes[0].removed = []string{"u1"}
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 2})
	rows := r.subscriptionRows()
	if rows["U1/A"].Active || rows["U1/b"].Active {
		t.Error("its items are still active")
	}
	r.wants(r.sync(), NoChange, nil)
	r.fake.subscriptions.scopes[0].removed = []string{"U2", "nobody"}
	r.wants(r.sync(), Succeeded, map[string]int{CountDeactivated: 1})
	// One that was a record of its own before it had items.
	r.fake.lists(customers, sub("U3", "c1", "1"))
	r.sync()
	r.fake.lists(customers, sub("U3", "c1", "", items))
	r.sync()
	r.fake.lists(customers)
	r.fake.subscriptions.scopes[0].removed = []string{"U3"}
	r.wants(r.sync(override(reconcile.GuardEmptyListing)), Succeeded, map[string]int{CountDeactivated: 3})
}
