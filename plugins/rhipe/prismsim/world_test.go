// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// applyTests name, for each operation, what is to be found afterwards at a path
// of an answer.
var applyTests = []struct {
	operation, arguments string
	doc                  string
	steps                []any
	want                 any
}{
	{"add_agreement", `{"id":"agreement-x","program_name":"Cloud Backup"}`, customersPath, []any{0, "CustomerProgramAgreements", 2, "ContractAgreementId"}, "agreement-x"},
	{"add_customer", `{"name":"New","address":{"city":"Hobart"}}`, customersPath, []any{3, "City"}, "Hobart"},
	{
		"add_tenant", `{"id":"tenant-x","agreement_id":"` + agreementID + `","customer_id":"` + contosoID + `","subscriptions":[{"id":"sub-x"}]}`,
		tenantsPath,
		[]any{4, "Subscriptions", 0, "SubscriptionId"},
		"sub-x",
	},
	{"add_subscription", `{"tenant_id":"` + bareTen + `","product_name":"Seats","quantity":3}`, tenantsPath, []any{3, "Subscriptions", 0, "ProductName"}, "Seats"},
	{"add_addon", `{"parent_id":"` + exchangeSub + `","id":"addon-x"}`, tenantsPath, []any{0, "Subscriptions", 1, "AddonSubscriptions", 0, "SubscriptionId"}, "addon-x"},
	{"update_customer", `{"id":"` + strings.ToUpper(fabrikamID) + `","phone":"+64 4 000 0000"}`, customersPath, []any{1, "MainPhone"}, "+64 4 000 0000"},
	{"update_tenant", `{"id":"` + fabrikamTen + `","status":"Frozen"}`, tenantsPath, []any{0, "TenantStatus"}, "Frozen"},
	{"update_subscription", `{"id":"` + premiumSub + `","friendly_name":"Ours"}`, tenantsPath, []any{0, "Subscriptions", 0, "FriendlyName"}, "Ours"},
	{"rename", `{"id":"` + fabrikamID + `","name":"Fabrikam Holdings"}`, tenantsPath, []any{0, "CustomerName"}, "Fabrikam Holdings"},
	{"set_address", `{"id":"` + fabrikamID + `","address":{"street1":"1 Other Street"}}`, customersPath, []any{1, "City"}, nil},
	{"deactivate", `{"id":"` + fabrikamID + `"}`, customersPath, []any{1, "CustomerId"}, contosoID},
	{"activate", `{"id":"` + goneID + `"}`, customersPath, []any{3, "CustomerId"}, goneID},
	{"remove_customer", `{"id":"` + fabrikamID + `"}`, customersPath, []any{1, "CustomerId"}, contosoID},
	{"remove_tenant", `{"id":"` + fabrikamTen + `"}`, tenantsPath, []any{0, "TenantId"}, contosoTen},
	{"remove_subscription", `{"id":"` + premiumSub + `"}`, tenantsPath, []any{0, "Subscriptions", 0, "SubscriptionId"}, exchangeSub},
	{"set_quantity", `{"id":"` + audioAddon + `","quantity":0}`, tenantsPath, []any{0, "Subscriptions", 0, "AddonSubscriptions", 0, "Quantity"}, "0"},
	{"set_status", `{"id":"` + premiumSub + `","status":"Deleted"}`, tenantsPath, []any{0, "Subscriptions", 0, "Status"}, "Deleted"},
	{
		"move_subscription", `{"id":"` + premiumSub + `","tenant_id":"` + bareTen + `"}`, tenantsPath,
		[]any{3, "Subscriptions", 0, "AddonSubscriptions", 0, "SubscriptionId"},
		audioAddon,
	},
	{"move_tenant", `{"id":"` + fabrikamTen + `","customer_id":"` + contosoID + `"}`, tenantsPath, []any{0, "CustomerName"}, "Contoso Démo Ltd"},
	{
		"add_product", `{"agreement_id":"` + agreementID + `","product":{"id":"product-x","name":"X","group":"Group X"}}`, pricesPath + "?excludeTieredProducts=true",
		[]any{"ProductGroups", 8, "Products", 0, "ProductId"},
		"product-x",
	},
	{
		"remove_product", `{"agreement_id":"` + agreementID + `","product_id":"` + strings.ToUpper(premiumProduct) + `"}`, pricesPath,
		[]any{"ProductGroups", 0, "Products", 0, "ProductName"},
		"Microsoft 365 Business Basic (NCE)",
	},
	{"set_today", `{"day":"2025-05-01"}`, invoicesPath, []any{"Records", 0, "BillingPeriodStart"}, "2025-04-01T00:00:00+00:00"},
}

func TestApply(t *testing.T) {
	t.Parallel()
	var tested []string
	for _, test := range applyTests {
		tested = append(tested, test.operation)
		t.Run(test.operation, func(t *testing.T) {
			t.Parallel()
			w := smallWorld()
			c := startWith(t, w)
			ids, err := w.Apply(prismsim.Edit{Operation: test.operation, Arguments: []byte(test.arguments)})
			if err != nil || len(ids) != 1 || ids[0] == "" && test.operation != "set_today" {
				t.Fatalf("%q, %v", ids, err)
			}
			got := dig(t, c.read(test.doc), test.steps...)
			if n := stringOf(got); n != "" {
				got = n
			}
			if got != test.want {
				t.Errorf("%v is %v, want %v", test.steps, got, test.want)
			}
			for _, wrong := range []string{`{"colour":"red"}`, `{"id":7}`, `[]`, ``, test.arguments + "1"} {
				if _, err := w.Apply(prismsim.Edit{Operation: test.operation, Arguments: []byte(wrong)}); err == nil {
					t.Errorf("%s was taken", wrong)
				}
			}
		})
	}
	slices.Sort(tested)
	if want := prismsim.EditOperations(); !slices.Equal(want, tested) {
		t.Errorf("the operations are %v, tested are %v", want, tested)
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ operation, arguments, part string }{
		{"explode", `{}`, "add_agreement"},
		{"rename", `{"id":"` + fabrikamID + `"}`, "name is missing"},
		{"rename", `{"name":"x"}`, "id is missing"},
		{"rename", `{"id":"` + unknownID + `","name":"x"}`, unknownID},
		{"set_quantity", `{"id":"` + premiumSub + `"}`, "quantity is missing"},
		{"set_status", `{"id":"` + unknownID + `","status":"x"}`, unknownID},
		{"add_tenant", `{"agreement_id":"` + unknownID + `"}`, unknownID},
		{"add_subscription", `{"tenant_id":"` + unknownID + `"}`, unknownID},
		{"add_addon", `{"parent_id":"` + unknownID + `"}`, unknownID},
		{"update_customer", `{"id":"` + unknownID + `"}`, unknownID},
		{"update_customer", `{"id":"` + fabrikamID + `","programs":[]}`, "lists"},
		{"update_tenant", `{"id":"` + fabrikamTen + `","subscriptions":[{}]}`, "lists"},
		{"update_subscription", `{"id":"` + premiumSub + `","addons":[{}]}`, "lists"},
		{"move_subscription", `{"id":"` + premiumSub + `","tenant_id":"` + unknownID + `"}`, unknownID},
		{"remove_product", `{"agreement_id":"` + agreementID + `","product_id":"` + unknownID + `"}`, unknownID},
		{"set_today", `{"day":"tomorrow"}`, "tomorrow"},
	} {
		w := smallWorld()
		_, err := w.Apply(prismsim.Edit{Operation: test.operation, Arguments: []byte(test.arguments)})
		if err == nil || !strings.Contains(err.Error(), test.part) || !strings.Contains(err.Error(), "edit 1") {
			t.Errorf("%s %s: %v", test.operation, test.arguments, err)
		}
	}
}

func TestApplyDoesAllOrNothing(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	c := startWith(t, w)
	before := c.good("GET", tenantsPath, "")
	w.SetStatus(premiumSub, prismsim.StatusActive) // nobody else holds the state now
	_, err := w.Apply(
		prismsim.Edit{Operation: "set_quantity", Arguments: []byte(`{"id":"` + premiumSub + `","quantity":99}`)},
		prismsim.Edit{Operation: "remove_tenant", Arguments: []byte(`{"id":"` + unknownID + `"}`)},
	)
	if err == nil || !strings.Contains(err.Error(), "edit 2") {
		t.Errorf("%v", err)
	}
	if after := c.good("GET", tenantsPath, ""); string(after) != string(before) {
		t.Error("half of the edits were done")
	}
}

func TestEditsOfNothingPanic(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	for note, do := range map[string]func(){
		"quantity":  func() { w.SetQuantity(unknownID, 1) },
		"status":    func() { w.SetStatus(unknownID, "x") },
		"name":      func() { w.Rename(unknownID, "x") },
		"customer":  func() { w.RemoveCustomer(unknownID) },
		"tenant":    func() { w.RemoveTenant(unknownID) },
		"sub":       func() { w.RemoveSubscription(unknownID) },
		"move":      func() { w.MoveSubscription(premiumSub, unknownID) },
		"product":   func() { w.RemoveProduct(agreementID, unknownID) },
		"no tenant": func() { w.AddSubscription(unknownID, prismsim.Subscription{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it went through", note)
				}
			}()
			do()
		}()
	}
}

func TestCountSubscriptions(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	if n := w.CountSubscriptions(); n != 7 {
		t.Errorf("%d, want 7 with the add-on", n)
	}
	w.RemoveSubscription(premiumSub)
	if n := w.CountSubscriptions(); n != 5 {
		t.Errorf("%d, want 5: its add-on goes with a subscription", n)
	}
}

func TestWorldWithoutDays(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	w.SetToday(time.Date(2025, time.June, 1, 0, 0, 0, 0, time.UTC))
	s := prismsim.New(w)
	if err := s.SetDay(1); err != nil {
		t.Error(err)
	}
	if err := s.SetDay(2); err == nil {
		t.Error("it has a second day")
	}
}
