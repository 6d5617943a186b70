// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

const premiumProduct = "3f0e8c52-1111-ec11-8c62-000d3ad20001"

// writes are the calls that change something.
var writes = []struct {
	endpoint   prismsim.Endpoint
	path, body string
}{
	{prismsim.CreateCustomer, "/api/v2/customers", `{"customerName":"New Pty Ltd","street1":"1 New Street","countryIsoCode":"NZ","billingCity":"Napier"}`},
	{
		prismsim.Order, "/api/v2/microsoftcsp/orders",
		`{"tenantId":"` + bareTen + `","orderBillingCycle":"Annual","products":[{"productId":"` + strings.ToUpper(premiumProduct) + `","qty":5}]}`,
	},
	{prismsim.ChangeQuantity, "/api/v2/microsoftcsp/subscriptions/" + premiumSub + "/quantity/31", ""},
	{prismsim.ChangeQuantity, "/api/v2/microsoftcsp/subscriptions/" + strings.ToUpper(audioAddon) + "/quantity/7", ""},
}

func TestWrites(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, w := range writes {
		c.good("POST", w.path, w.body)
	}
	tenants := c.list(tenantsPath)
	for _, test := range []struct {
		steps []any
		want  string
	}{
		{[]any{0, "Subscriptions", 0, "Quantity"}, "31"},
		{[]any{0, "Subscriptions", 0, "AddonSubscriptions", 0, "Quantity"}, "7"},
		{[]any{3, "Subscriptions", 0, "Quantity"}, "5"},
	} {
		if got := stringOf(dig(t, tenants, test.steps...)); got != test.want {
			t.Errorf("%v is %s, want %s", test.steps, got, test.want)
		}
	}
	for name, want := range map[string]any{
		"ProductId": premiumProduct, "ProductName": "Microsoft 365 Business Premium (NCE)", "Status": "Active", "BillingCycle": "Annual",
		"FirstPurchased": "2025-03-14T00:00:00+00:00", "ProgramReferenceLabel": "bare.onmicrosoft.example",
	} {
		if got := dig(t, tenants, 3, "Subscriptions", 0, name); got != want {
			t.Errorf("the ordered subscription's %s is %v, want %v", name, got, want)
		}
	}
	customers := c.list(customersPath)
	created := customers[len(customers)-1]
	for name, want := range map[string]any{
		"CustomerName": "New Pty Ltd", "Street1": "1 New Street", "CountryIsoCode": "NZ", "BillingCity": "Napier", "ParentCustomerId": partnerID, "IsActive": true,
	} {
		if got := dig(t, created, name); got != want {
			t.Errorf("the created customer's %s is %v, want %v", name, got, want)
		}
	}
	seen := c.s.Writes()
	if len(seen) != len(writes) {
		t.Fatalf("%d writes were seen: %+v", len(seen), seen)
	}
	for i, r := range seen {
		if !r.Write || r.Endpoint != writes[i].endpoint || r.Method != "POST" || r.Path != writes[i].path || r.Status != 200 {
			t.Errorf("write %d: %+v", i, r)
		}
	}
}

func TestCreatedCustomerIsAnswered(t *testing.T) {
	t.Parallel()
	c := start(t)
	answered := decode(t, c.good("POST", writes[0].path, writes[0].body))
	customers := c.list(customersPath)
	if got, want := dig(t, answered, "CustomerId"), dig(t, customers[len(customers)-1], "CustomerId"); got != want || got == "" {
		t.Errorf("answered with the id %v, listed is %v", got, want)
	}
}

func TestWritesThatAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	before := c.everything()
	const orders, quantity = "/api/v2/microsoftcsp/orders", "/api/v2/microsoftcsp/subscriptions/"
	order := func(tenant, product, qty string) string {
		return `{"tenantId":"` + tenant + `","products":[{"productId":"` + premiumProduct + `","qty":1},{"productId":"` + product + `","qty":` + qty + `}]}`
	}
	for _, test := range []struct {
		path, body string
		want       int
	}{
		{"/api/v2/customers", `{"customerName":" "}`, 400},
		{"/api/v2/customers", `{`, 400},
		{orders, `{"tenantId":"` + bareTen + `","products":[]}`, 400},
		{orders, order(unknownID, premiumProduct, "1"), 404},
		{orders, order(bareTen, unknownID, "1"), 404},
		{orders, order(bareTen, "3f0e8c52-2003-e711-a812-000d3ad20002", "1"), 404}, // retired
		{orders, order(bareTen, premiumProduct, "0"), 400},
		{quantity + unknownID + "/quantity/3", "", 404},
		{quantity + premiumSub + "/quantity/0", "", 400},
		{quantity + premiumSub + "/quantity/many", "", 400},
	} {
		if a := c.call("POST", test.path, test.body); a.status != test.want {
			t.Errorf("%s %s: %d, want %d", test.path, test.body, a.status, test.want)
		}
	}
	if n := len(c.s.Writes()); n != 10 {
		t.Errorf("%d writes were seen, want those that failed too", n)
	}
	after := c.everything()
	if different(before, after) != 0 {
		t.Error("something has changed")
	}
}

func TestGeneratedDataCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := startWith(t, prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: 10, Customers: 1}))
	if a := c.call("POST", writes[0].path, writes[0].body); a.status != http.StatusNotImplemented {
		t.Errorf("%d", a.status)
	}
	if n := len(c.s.Writes()); n != 1 {
		t.Errorf("%d writes were seen", n)
	}
}
