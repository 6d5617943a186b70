// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/sdk"
)

// TestACustomerListedTwiceDifferently: the last one counts, whichever of them is as it was before.
func TestACustomerListedTwiceDifferently(t *testing.T) {
	t.Parallel()
	as, other := customer("c1", "Contoso"), customer("c1", "Contoso Group")
	for name, c := range map[string]struct {
		listed  []sdk.Customer
		renamed int
	}{
		"as before, then renamed": {[]sdk.Customer{as, other}, 1},
		"renamed, then as before": {[]sdk.Customer{other, as}, 0},
		"as before, twice":        {[]sdk.Customer{as, as}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists([]sdk.Customer{as})
			r.sync()
			r.fake.lists(c.listed)
			r.wants(r.sync(), Warning, map[string]int{CountCustomersListed: 1, CountCustomersRenamed: c.renamed, CountCustomersGone: 0})
		})
	}
}

// TestAMappingByHandWhileTheListingIsRead: what somebody maps or unmaps between the reading of a customer and the plan
// counts in the plan.
func TestAMappingByHandWhileTheListingIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Unmatched = UnmatchedIgnore
	ids := r.has("Contoso", "Another")
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso"), customer("c2", "Nobody")}, sub("u1", "c1", "5"), sub("u2", "c2", "6"))
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 1, CountWaiting: 1, CountCustomersUnmatched: 1})
	_, module := r.ids()
	rows := r.mappingRows()
	r.fake.at = func(ctx context.Context, step string) error {
		if step != "subscriptions" {
			return nil
		}
		if err := r.Store.RemoveMapping(ctx, module, rows["c1"].DistributorCustomerID, "kim"); err != nil {
			return err
		}
		_, err := r.Store.AddMapping(ctx, module, rows["c2"].DistributorCustomerID, ids[1], "kim")
		return err
	}
	r.wants(r.sync(), Succeeded, map[string]int{CountCreated: 1, CountWaiting: 0, CountCustomersUnmatched: 0})
	if on := r.subscriptionRows()["u2"].CustomerID; on != ids[1] {
		t.Errorf("it is on customer #%d, want #%d", on, ids[1])
	}
	r.fake.at = nil
	// The name is exactly the same, so the next run maps it again.
	r.wants(r.sync(), Succeeded, map[string]int{CountCustomersMapped: 1, CountUnchanged: 2})
	r.wants(r.sync(), NoChange, map[string]int{CountUnchanged: 2})
}

// TestAHeldCreationIsSupersededOnceItIsMapped, even where the reading that lists the customer is not complete.
func TestAHeldCreationIsSupersededOnceItIsMapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.module.Unmatched = UnmatchedHold
	ids := r.has("Contoso")
	r.fake.lists([]sdk.Customer{customer("c1", "Nobody"), customer("c2", "Nobody either")})
	r.wants(r.sync(), Held, nil)
	_, module := r.ids()
	_, err := r.Store.AddMapping(t.Context(), module, r.mappingRows()["c1"].DistributorCustomerID, ids[0], "kim")
	must(t, err)
	r.fake.customers.scopes[0].customers = []sdk.Customer{customer("c1", "Nobody")}
	r.fake.customers.scopes[0].outcome = pluginhost.OutcomePartial
	r.sync()
	if diff := cmp.Diff([]string{"customer create c2", "mapping map c2"}, r.held()); diff != "" {
		t.Errorf("held changes (-want +got):\n%s", diff)
	}
}

// TestAPlanNamesTheCustomers of its changes, even where nothing happens with the customers.
func TestAPlanNamesTheCustomers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.has("Ours")
	customers := []sdk.Customer{customer("c1", "Theirs"), customer("c2", "Contoso")}
	r.fake.lists(customers, sub("u1", "c1", "5"), sub("u2", "c2", "5"), sub("u3", "c2", "5"))
	r.sync()
	_, module := r.ids()
	_, err := r.Store.ChangeMapping(t.Context(), module, r.mappingRows()["c1"].DistributorCustomerID, ids[0], "kim")
	must(t, err)
	r.sync()
	must(t, r.Store.RemoveMapping(t.Context(), module, r.mappingRows()["c2"].DistributorCustomerID, "kim"))
	r.sync(only("subscriptions"))
	// c2 is not mapped again by a run that is about subscriptions only: it goes by its own name.
	r.fake.lists(customers, sub("u1", "c1", "6"), sub("u2", "c2", "5", ending))
	for range 2 {
		r.sync(planOnly, only("subscriptions"))
		var got []string
		for _, c := range r.planned {
			got = append(got, fmt.Sprintf("%s %s of %s", c.Kind, c.Key, c.Customer))
		}
		want := []string{"update u1 of Ours", "deactivate u2 of Contoso", "deactivate u3 of Contoso"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("planned (-want +got):\n%s", diff)
		}
	}
}
