// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// movedTo is what Cloud-iQ says of a customer that was Rhipe's.
type movedTo struct {
	name, domain string
	products     []string
	quantities   []int
}

// newCloudIQ is a partner's account at Cloud-iQ with these customers.
//
//nolint:misspell // Cloud-iQ says Organization
func newCloudIQ(t *testing.T, customers []movedTo) simulator.Simulator {
	t.Helper()
	o := cloudiqsim.Options{
		Organizations: []string{`{"Id": 3869, "Name": "Acme IT", "ParentId": 0}`},
		TenantDetails: map[string]string{}, SubscriptionDetails: map[string]string{},
	}
	subscription := 1000
	for i, c := range customers {
		id := 500 + i
		tenant := fmt.Sprintf(`{"Id": %d, "Name": %q, "Publisher": {"Id": 2, "Name": "Microsoft"}, "PublisherCustomerId": "00000000-aaaa-4000-8000-%012d",
			"Domain": %q, "CustomerTenantType": 2, "EntityStatus": 0, "Organization": {"Id": 3869, "Name": "Acme IT"}}`, id, c.name, id, c.domain)
		o.Tenants = append(o.Tenants, tenant)
		o.TenantDetails[fmt.Sprint(id)] = `{"Tenant": ` + tenant + `, "User": null, "Profile": null, "Company": null}`
		for k, product := range c.products {
			subscription++
			body := fmt.Sprintf(`"Id": %d, "PublisherSubscriptionId": "00000000-bbbb-4000-8000-%012d", "Publisher": {"Id": 2, "Name": "Microsoft"},
				"Organization": {"Id": 3869, "Name": "Acme IT"}, "CustomerTenant": {"Id": %d}, "Product": {"Id": 1, "PartNumber": "P1", "ItemName": %q},
				"Quantity": %d, "Name": %q, "Status": 1, "ProvisionType": 1, "BillingCycle": 1, "TermDuration": "P1Y",
				"CreationDate": "2025-03-14T02:11:45.37+00:00", "StartDate": "2025-03-14T00:00:00", "EndDate": "2026-03-13T00:00:00",
				"SalesPrice": 27.36, "PriceType": 1, "IsTrial": false, "Subscriptions": []`, subscription, subscription, id, product, c.quantities[k], product)
			o.Subscriptions = append(o.Subscriptions, "{"+body+"}")
			o.SubscriptionDetails[fmt.Sprint(subscription)] = "{" + body +
				`, "Pricing": {"CurrencyCode": "AUD", "PurchasePrice": 20.5, "RecommendedRetailPrice": 30}}`
		}
	}
	sim, err := cloudiqsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// Rhipe's partners are being moved to Cloud-iQ. Names change on the way, some are merged, some cannot be told apart.
func TestAMoveFromRhipeToCloudIQ(t *testing.T) {
	t.Parallel()
	world := newSmall()
	domains := map[string]string{"Contoso": "contoso.onmicrosoft.com", "Fabrikam": "fabrikam.onmicrosoft.com", "Tailspin": "", "Twin": ""}
	for _, name := range []string{"Contoso", "Fabrikam", "Tailspin", "Twin"} {
		id, _ := world.customer(name, 5, 7)
		world.UpdateTenant(world.tenants[id], func(tenant *prismsim.Tenant) { tenant.Domain = domains[name] })
	}
	cloudiq := newCloudIQ(t, []movedTo{
		{"Contoso Holdings", domains["Contoso"], []string{"Product 1", "Product 2"}, []int{5, 9}}, // renamed, one quantity differs
		{"Fabrikam", domains["Fabrikam"], []string{"Product 1", "Product 2"}, []int{5, 7}},
		{"Tailspin", "tailspin.example", []string{"Product 2", "Product 1"}, []int{7, 5}}, // by its name alone
		{"Twin", "twin-a.example", []string{"Product 1"}, []int{5}},                       // two of that name: nobody's
		{"Twin", "twin-b.example", []string{"Product 2"}, []int{7}},
		{"Newcomer", "newcomer.example", []string{"Product 1"}, []int{1}},
	})
	s := newShop(t, world.World, map[string]simulator.Simulator{"cloudiq": cloudiq})
	s.sync("succeeded")
	before := map[int64]subscription{}
	for _, one := range s.subscriptions() {
		before[one.ID] = one
	}

	plan := s.run(4, "module", "move", "acme/rhipe", "acme/cloudiq")
	s.wants(plan, "Contoso Holdings", "Twin")
	for _, one := range s.subscriptions() {
		if before[one.ID] != one {
			t.Errorf("the plan of a move changes %+v into %+v", before[one.ID], one)
		}
	}
	s.run(0, "module", "move", "acme/rhipe", "acme/cloudiq", "--apply")

	moved := map[string]int{}
	for _, one := range s.subscriptions() {
		old, known := before[one.ID]
		switch {
		case !known:
			t.Errorf("the move made a subscription: %+v", one)
		case old.Customer != one.Customer:
			t.Errorf("the move took %+v to %+v", old, one)
		case one.Distributor != old.Distributor:
			moved[one.Customer]++
		}
	}
	if moved["Contoso"] != 2 || moved["Fabrikam"] != 2 || moved["Tailspin"] != 2 || moved["Twin"] != 0 {
		t.Errorf("moved are %v", moved)
	}
	if out := s.run(0, "module", "move", "acme/rhipe", "acme/cloudiq"); strings.Contains(out, "planned") {
		t.Errorf("a second move has something to do:\n%s", out)
	}

	// What is planned now are the true differences: a quantity, prices and terms that only Cloud-iQ tells, and the newcomer.
	out := s.run(4, "plan", "acme/cloudiq")
	s.wants(out, "quantity: 7 -> 9", "Newcomer")
	for _, wrong := range []string{"deactivate", "quantity: 5", "quantity: 9"} {
		if strings.Contains(out, wrong) {
			t.Errorf("the plan after the move has %q:\n%s", wrong, out)
		}
	}
	if out := s.run(0, "plan", "acme/rhipe"); strings.Contains(out, "planned") {
		t.Errorf("Rhipe's plan after the move has something to do:\n%s", out)
	}
	s.run(0, "sync", "acme/cloudiq")
	for _, one := range s.subscriptions() {
		if old, known := before[one.ID]; known && old.Customer != one.Customer {
			t.Errorf("the run after the move took %+v to %+v", old, one)
		}
	}
	s.run(0, "plan", "acme/cloudiq")
}
