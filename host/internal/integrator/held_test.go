// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// TestWhatWasAppliedBesideAHeldChangeIsUndoneWithIt: the distributor says a mad quantity and another name, of which the
// name is believed, and then takes both back.
func TestWhatWasAppliedBesideAHeldChangeIsUndoneWithIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5"))
	r.sync()
	r.fake.lists(customers, sub("u1", "c1", "5000", called("Mad")))
	r.wants(r.sync(), Held, map[string]int{CountUpdated: 1, CountHeld: 1})
	r.fake.lists(customers, sub("u1", "c1", "5"))
	r.wants(r.sync(), Succeeded, map[string]int{CountUpdated: 1, CountHeld: 0})
	if row := r.subscriptionRows()["u1"]; row.Name != "Product u1" || quantityOf(row) != "5" {
		t.Errorf("name %q, quantity %s: what the distributor took back is still there", row.Name, quantityOf(row))
	}
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 1})
}

// TestAHeldChangeDoesNotTieASubscriptionToItsOldCustomer: with a held quantity, the subscription goes to another
// distributor customer; then the old one is mapped elsewhere, in a run that could not read it.
func TestAHeldChangeDoesNotTieASubscriptionToItsOldCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Contoso", "Fabrikam", "Tailspin")
	customers := []sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}
	r.fake.lists(customers, sub("u1", "c1", "5"))
	r.sync()
	r.fake.lists(customers, sub("u1", "c2", "5000"))
	r.wants(r.sync(), Held, map[string]int{CountMoved: 1, CountHeld: 1})
	_, module := r.ids()
	_, err := r.Store.ChangeMapping(t.Context(), module, r.mappingRows()["c1"].DistributorCustomerID, ids[2], "tester")
	must(t, err)
	r.fake.subscriptions.scopes = append(r.fake.subscriptions.scopes, scopeSays{ref: "other"})
	r.fake.subscriptions.scopes[0].outcome = pluginhost.OutcomeFailed
	r.wants(r.sync(), Warning, map[string]int{CountMoved: 0})
	if row := r.subscriptionRows()["u1"]; row.CustomerID != ids[1] {
		t.Errorf("it is on customer #%d, want #%d", row.CustomerID, ids[1])
	}
}

// heldDeactivations is a module with ten active subscriptions, of which nine have just been held.
func heldDeactivations(t *testing.T) (*rig, []sdk.Customer, *Report) {
	t.Helper()
	r := newRig(t)
	customers := []sdk.Customer{customer("c1", "Contoso")}
	r.fake.lists(customers, tenSubs()...)
	r.sync()
	r.fake.lists(customers, tenSubs()[:1]...)
	report := r.sync()
	r.wants(report, Held, map[string]int{CountHeld: 9, CountDeactivated: 0})
	return r, customers, report
}

func TestApprovedIsOnlyWhatIsStillTrue(t *testing.T) {
	t.Parallel()
	r, customers, report := heldDeactivations(t)
	// Two are back.
	r.fake.lists(customers, tenSubs()[:3]...)
	r.wants(r.sync(approve(report.Run)), Succeeded, map[string]int{CountDeactivated: 7, CountHeld: 0})
	if got := r.statuses(report.Run); !cmp.Equal(got, map[string]int{store.ChangeApproved: 7, store.ChangeSuperseded: 2}) {
		t.Errorf("what the run held is now %v", got)
	}
	r.wants(r.sync(), NoChange, nil)
}

func TestApprovalOfWhatCannotBeReadChangesNothing(t *testing.T) {
	t.Parallel()
	r, customers, report := heldDeactivations(t)
	before := r.held()
	r.fake.subscriptions.scopes = append(r.fake.subscriptions.scopes, scopeSays{ref: "other"})
	r.fake.subscriptions.scopes[0].outcome = pluginhost.OutcomeFailed
	r.wants(r.sync(approve(report.Run)), Warning, map[string]int{CountDeactivated: 0})
	if diff := cmp.Diff(before, r.held()); diff != "" {
		t.Errorf("held changes (-before +after):\n%s", diff)
	}
	r.wants(r.sync(), Warning, nil)
	if diff := cmp.Diff(before, r.held()); diff != "" {
		t.Errorf("a run that could not look at them decided about held changes (-before +after):\n%s", diff)
	}
	r.fake.lists(customers, tenSubs()[:1]...)
	r.wants(r.sync(approve(report.Run)), Succeeded, map[string]int{CountDeactivated: 9})
}

func TestApprovalOfAListingThatFailedLeavesItHeld(t *testing.T) {
	t.Parallel()
	r, _, report := heldDeactivations(t)
	before := r.held()
	r.fake.subscriptions.refused = &sdk.Error{Class: sdk.ClassTransient, Message: "try later"}
	failed, err := r.Run(t.Context(), r.request(approve(report.Run)))
	if err == nil || failed.Outcome != Failed {
		t.Fatalf("outcome %s, error %v", failed.Outcome, err)
	}
	if diff := cmp.Diff(before, r.held()); diff != "" {
		t.Errorf("held changes (-before +after):\n%s", diff)
	}
}

func TestAnEmptyListingOfCustomersIsHeldUntilApproved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")})
	r.sync()
	r.fake.lists(nil)
	report := r.sync()
	r.wants(report, Held, map[string]int{CountHeld: 2, CountCustomersGone: 0})
	r.wants(r.sync(approve(report.Run)), Succeeded, map[string]int{CountCustomersGone: 2, CountHeld: 0})
	if r.mappingRows()["c1"].GoneAt == nil {
		t.Error("what was approved was not done")
	}
	if r.customerNamed("Contoso").ID == 0 || r.mappingRows()["c1"].CustomerID == nil {
		t.Error("a customer that is gone lost its mapping")
	}
	r.wants(r.sync(), NoChange, nil)
}

func TestRejectedIsHeldAgainWhileItIsTrue(t *testing.T) {
	t.Parallel()
	r, _, report := heldDeactivations(t)
	tenant, _ := r.ids()
	n, err := r.Store.RejectHeld(t.Context(), tenant, report.Run, "tester")
	if err != nil || n != 9 {
		t.Fatalf("%d rejected, error %v", n, err)
	}
	if list := r.held(); len(list) != 0 {
		t.Errorf("still held: %q", list)
	}
	refused, err := r.Run(t.Context(), r.request(approve(report.Run)))
	var problem *Problem
	if !errors.As(err, &problem) || problem.Code != "approve.nothing_held" || refused.Outcome != Failed {
		t.Errorf("approving what was rejected: %v", err)
	}
	r.wants(r.sync(), Held, map[string]int{CountHeld: 9})
	r.wants(r.sync(override(reconcile.GuardDeactivations)), Succeeded, map[string]int{CountDeactivated: 9})
}

// statuses counts what became of the changes that a run held.
func (r *rig) statuses(run int64) map[string]int {
	r.t.Helper()
	_, module := r.ids()
	rows, err := r.Store.Changes(r.t.Context(), store.ChangeFilter{ModuleID: module, RunID: run})
	must(r.t, err)
	counts := map[string]int{}
	for _, row := range rows {
		if row.Guard != "" {
			counts[row.Status]++
		}
	}
	return counts
}

// TestRepeatingARunLetsNothingThrough: what a run adds beside the changes it holds must not make room for them, so that
// the same run again applies them.
func TestRepeatingARunLetsNothingThrough(t *testing.T) {
	t.Parallel()
	for added := range 7 {
		t.Run(fmt.Sprintf("deactivations beside %d creations", added), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.module.Limits.Deactivations, r.module.Limits.DeactivationsPercent = 1, 50
			customers := []sdk.Customer{customer("c1", "Contoso")}
			r.fake.lists(customers, tenSubs()[:4]...)
			r.sync()
			fresh := []*distributorv1.Subscription{sub("new", "c1", "1")}
			for i := range added {
				fresh = append(fresh, sub(fmt.Sprintf("new%d", i), "c1", "1"))
			}
			r.fake.lists(customers, fresh...)
			first := r.sync()
			if again := r.sync(); again.Counts[CountDeactivated] != 0 {
				t.Errorf("first %v, and again %v", first.Counts, again.Counts)
			}
			if held := first.Counts[CountHeld] > 0; held != (4 > (4+1+added)*50/100) {
				t.Errorf("held %v with %d added", held, added+1)
			}
		})
		t.Run(fmt.Sprintf("creations beside %d mappings", added), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.module.Limits.Creations, r.module.Limits.CreationsPercent = 1, 100
			r.has("Known")
			list := []sdk.Customer{customer("k", "Known")}
			r.fake.lists(list)
			r.sync()
			for i := range added {
				name := fmt.Sprintf("Known %d", i)
				r.has(name)
				list = append(list, customer("k"+name, name))
			}
			for i := range 4 {
				list = append(list, customer(fmt.Sprintf("n%d", i), fmt.Sprintf("New %d", i)))
			}
			r.fake.lists(list)
			first := r.sync()
			if again := r.sync(); again.Counts[CountCustomersCreated] != 0 {
				t.Errorf("first %v, and again %v", first.Counts, again.Counts)
			}
			if held := first.Counts[CountHeld] > 0; held != (4 > 1+added) {
				t.Errorf("held %v with %d mapped", held, added+1)
			}
		})
	}
}

// TestTheApprovalOfARunForOneCustomerIsForThatCustomer and touches no other.
func TestTheApprovalOfARunForOneCustomerIsForThatCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Contoso", "Fabrikam")
	customers := []sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}
	r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c2", "5"), sub("u3", "c2", "5"))
	r.sync()
	r.fake.lists(customers, sub("u1", "c1", "5000"), sub("u2", "c2", "5000"))
	all := r.sync(only("customers"))
	r.wants(all, NoChange, nil)
	report := r.sync(narrowed(ids[0]))
	r.wants(report, Held, map[string]int{CountHeld: 1})
	r.wants(r.sync(approve(report.Run)), Succeeded, map[string]int{CountUpdated: 1, CountDeactivated: 0, CountHeld: 0})
	rows := r.subscriptionRows()
	if quantityOf(rows["u1"]) != "5000" || quantityOf(rows["u2"]) != "5" || !rows["u3"].Active {
		t.Errorf("subscriptions %+v", rows)
	}
	if _, err := r.Run(t.Context(), r.request(approve(999))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("approving a run that is not there: %v", err)
	}
}
