// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// reading is what a client reads of a distributor.
type reading struct {
	customers  map[string]string            // name by id
	owners     map[string]string            // customer by tenant
	agreements map[string]string            // agreement by tenant, as the customers tell it
	quantities map[string]string            // by subscription or add-on
	products   map[string]string            // by subscription or add-on
	raw        map[string]json.RawMessage   // by subscription
	tenants    map[string][]json.RawMessage // by agreement
}

func (c *client) readAll() *reading {
	c.t.Helper()
	r := &reading{
		map[string]string{},
		map[string]string{},
		map[string]string{},
		map[string]string{},
		map[string]string{},
		map[string]json.RawMessage{},
		map[string][]json.RawMessage{},
	}
	into := func(body []byte, v any) {
		if err := json.Unmarshal(body, v); err != nil {
			c.t.Fatal(err)
		}
	}
	once := func(m map[string]string, id, v string) {
		if _, ok := m[id]; ok || id == "" {
			c.t.Errorf("the id %q is there twice, or empty", id)
		}
		m[id] = v
	}
	var customers []struct {
		CustomerID, CustomerName  string
		CustomerProgramAgreements []struct {
			ID, ContractAgreementID string
			IsConsumptionProgram    bool
		}
	}
	into(c.good("GET", customersPath+"?includeDeactivatedCustomers=true", ""), &customers)
	for i, cu := range customers {
		once(r.customers, cu.CustomerID, cu.CustomerName)
		for _, p := range cu.CustomerProgramAgreements {
			if i > 0 {
				once(r.agreements, p.ID, p.ContractAgreementID)
			} else if p.IsConsumptionProgram {
				var tenants []json.RawMessage
				into(c.good("GET", "/api/v2/contractagreements/"+p.ContractAgreementID+"/tenants", ""), &tenants)
				r.tenants[p.ContractAgreementID] = tenants
			}
		}
	}
	type subscription struct {
		SubscriptionID, ProductID, FriendlyName string
		Quantity                                json.Number
		AddonSubscriptions                      []subscription
	}
	for agreement, tenants := range r.tenants {
		for _, raw := range tenants {
			var t struct {
				TenantID, CustomerID, CustomerName string
				Subscriptions                      []json.RawMessage
			}
			into(raw, &t)
			once(r.owners, t.TenantID, t.CustomerID)
			if name, ok := r.customers[t.CustomerID]; !ok || name != t.CustomerName {
				c.t.Errorf("tenant %s belongs to %q, %q; that is %q", t.TenantID, t.CustomerID, t.CustomerName, name)
			}
			if r.agreements[t.TenantID] != agreement {
				c.t.Errorf("tenant %s is in %s, its customer says %s", t.TenantID, agreement, r.agreements[t.TenantID])
			}
			for _, raw := range t.Subscriptions {
				var s subscription
				into(raw, &s)
				r.raw[s.SubscriptionID] = raw
				for _, one := range append(s.AddonSubscriptions, s) {
					once(r.quantities, one.SubscriptionID, one.Quantity.String())
					r.products[one.SubscriptionID] = one.ProductID
				}
			}
		}
	}
	return r
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	for _, o := range []prismsim.GeneratedOptions{
		{},
		{Subscriptions: 1},
		{Subscriptions: 7, Customers: 30, Seed: 3},
		{Subscriptions: 400, Seed: 1},
		{Subscriptions: 400, Customers: 3, Agreements: 5, Seed: 1 << 63},
		{Subscriptions: 397, Customers: 31, Agreements: 1, Seed: 2},
	} {
		g := prismsim.NewGenerated(o)
		c := startWith(t, g)
		first := c.readAll()
		customers, subscriptions := g.Size()
		if len(first.customers) != customers+1 || len(first.owners) != customers || len(first.quantities) != subscriptions || subscriptions != o.Subscriptions {
			t.Errorf("%+v: %d customers with %d tenants and %d subscriptions", o, len(first.customers), len(first.owners), len(first.quantities))
		}
		if len(first.tenants) != len(g.AgreementIDs()) {
			t.Errorf("%+v: %d agreements, want %d", o, len(first.tenants), len(g.AgreementIDs()))
		}
		if o.Subscriptions > 100 && (len(first.raw) == len(first.quantities)) {
			t.Errorf("%+v: no add-ons", o)
		}
		n := 0
		for id, raw := range first.raw {
			if n++; n > 40 {
				break
			}
			if got := c.good("GET", "/api/v2/consumption/subscriptions/"+id, ""); string(got) != string(raw) {
				t.Errorf("%+v: alone it is %s, in the list %s", o, got, raw)
			}
		}
		n = 0
		for _, list := range first.tenants {
			for _, raw := range list {
				if n++; n > 20 {
					break
				}
				id := dig(t, decode(t, raw), "TenantId").(string)
				if got := c.good("GET", "/api/v2/microsoftcsp/tenants/"+id, ""); string(got) != string(raw) {
					t.Errorf("%+v: alone it is %s, in the list %s", o, got, raw)
				}
			}
		}
		for day, before := 2, first; day <= 3; day++ {
			if err := c.s.SetDay(day); err != nil {
				t.Fatal(err)
			}
			after, changed := c.readAll(), 0
			for id, quantity := range after.quantities {
				if quantity != before.quantities[id] {
					changed++
				}
			}
			if changed != g.Changed(day) || len(after.quantities) != len(before.quantities) || cmp.Diff(before.products, after.products) != "" {
				t.Errorf("%+v: on day %d %d changed, want %d", o, day, changed, g.Changed(day))
			}
			if o.Subscriptions == 400 && changed == 0 {
				t.Errorf("%+v: nothing changes on day %d", o, day)
			}
			before = after
		}
		if err := c.s.SetDay(1); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.quantities, c.readAll().quantities); diff != "" {
			t.Errorf("%+v: back on day 1 (-want +got):\n%s", o, diff)
		}
		if diff := cmp.Diff(first.quantities, startWith(t, prismsim.NewGenerated(o)).readAll().quantities); diff != "" {
			t.Errorf("%+v: the same again (-want +got):\n%s", o, diff)
		}
	}
	if err := prismsim.New(prismsim.NewGenerated(prismsim.GeneratedOptions{})).SetDay(0); err == nil {
		t.Error("it has a day 0")
	}
}

func TestGeneratedSeeds(t *testing.T) {
	t.Parallel()
	one := startWith(t, prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: 50, Seed: 1})).readAll()
	two := startWith(t, prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: 50, Seed: 2})).readAll()
	for id := range one.quantities {
		if _, ok := two.quantities[id]; ok {
			t.Fatalf("both have %s", id)
		}
	}
	for _, id := range []string{unknownID, "no id", ""} {
		c := startWith(t, prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: 5}))
		if a := c.get("/api/v2/microsoftcsp/subscriptions/" + id); a.status != 404 {
			t.Errorf("%q is answered with %d", id, a.status)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	c := startWith(t, prismsim.Demo())
	first := c.readAll()
	if len(first.customers) != 9 || len(first.tenants) != 2 || len(first.quantities) != 16 {
		t.Errorf("%d customers, %d agreements, %d subscriptions", len(first.customers), len(first.tenants), len(first.quantities))
	}
	if err := c.s.SetDay(2); err != nil {
		t.Fatal(err)
	}
	second := c.readAll()
	added, gone, changed := 0, 0, 0
	for id, quantity := range second.quantities {
		if before, ok := first.quantities[id]; !ok {
			added++
		} else if before != quantity {
			changed++
		}
	}
	for id := range first.quantities {
		if _, ok := second.quantities[id]; !ok {
			gone++
		}
	}
	if added != 1 || gone != 1 || changed != 2 || first.customers[prismsim.DemoBlueGum] == second.customers[prismsim.DemoBlueGum] {
		t.Errorf("day 2: %d added, %d gone, %d changed, %q", added, gone, changed, second.customers[prismsim.DemoBlueGum])
	}
	if err := c.s.SetDay(3); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/api/v2/contractagreements/" + prismsim.DemoAgreementBackup + "/tenants"); a.status != 200 || json.Valid(a.body) {
		t.Errorf("day 3: %d %s", a.status, a.body)
	}
	if a := c.get("/api/v2/contractagreements/" + prismsim.DemoAgreementMicrosoft + "/tenants"); a.status != 200 || !json.Valid(a.body) {
		t.Errorf("day 3: %d %s", a.status, a.body)
	}
	if err := c.s.SetDay(prismsim.DemoDays); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/api/v2/contractagreements/" + prismsim.DemoAgreementBackup + "/tenants"); a.status != 200 || !json.Valid(a.body) {
		t.Errorf("day 4: %d %s", a.status, a.body)
	}
	// As on day 3, with what was cut off then: the tenant of one subscription is gone.
	if last := c.readAll(); len(last.quantities) != len(second.quantities)-1 || len(last.customers) != len(second.customers) {
		t.Errorf("day 4: %d subscriptions, %d customers", len(last.quantities), len(last.customers))
	}
	if err := c.s.SetDay(prismsim.DemoDays + 1); err == nil {
		t.Error("there is a day more")
	}
	if err := c.s.SetDay(1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, c.readAll(), cmp.AllowUnexported(reading{})); diff != "" {
		t.Errorf("day 1 again (-want +got):\n%s", diff)
	}
}
