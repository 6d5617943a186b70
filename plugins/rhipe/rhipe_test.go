// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallymanhq/tallyman/sdk"
)

const (
	agreementA = "c0ffee00-1a2b-e811-8130-000d3a500001"
	agreementB = "c0ffee00-1a2b-e811-8130-000d3a500002"

	customersPath = "/api/v1/me/customers"
	tenantsA      = "/api/v2/contractagreements/" + agreementA + "/tenants"
	tenantsB      = "/api/v2/contractagreements/" + agreementB + "/tenants"
	detailsT1     = "/api/v2/microsoftcsp/tenants/T1"
	usageAzure    = "/api/v2/microsoftcsp/azure/usage/summary/S-azure"
)

func agreementJSON(id, contract, program string, consumption string) string {
	return `{"Id":"` + id + `","ProgramName":"` + program + `","ContractAgreementId":"` + contract + `","IsConsumptionProgram":` + consumption +
		`,"ProgramReferenceLabel":"` + strings.ToLower(id) + `.onmicrosoft.example","CreditCard":{"Number":"4111-never"},"Contacts":[{"Name":"never"}],"PaymentMethodDetails":"never"}`
}

const fullCustomer = `{"CustomerId":"C1","CustomerName":"Fabrikam Pty Ltd","ParentCustomerId":"P0","RegistrationNumber":12345678901,
	"WebUrl":"https://fabrikam.example","MainPhone":"+61 3 7010 0000","Email":null,"CustomerNotificationEmail":"it@fabrikam.example",
	"Street1":"Level 4, 12 Example Street","Street2":"","Street3":null,"City":"Melbourne","State":"VIC","Postcode":3000,"Country":"Australia","CountryIsoCode":"au",
	"BillingStreet1":"PO Box 45","BillingCity":"Melbourne","FinanceAccounts":{"x":"never"},"IsActive":true,"CustomerActingRole":"EndCustomer","IsPartnerCustomer":true,
	"Unknown":{"deep":[1,2]},"CustomerProgramAgreements":[`

// account gives a small account: one agreement, two customers, one only a tenant knows.
func account() map[string]string {
	return map[string]string{
		"/api/v1/me": `{"Name":"x"}`,
		customersPath: `[` + fullCustomer + agreementJSON("T1", agreementA, "Microsoft CSP Indirect", "true") + `]},
			{"CustomerId":"C2","CustomerName":"Contoso Demo Ltd","IsActive":"False","CustomerProgramAgreements":[` + agreementJSON("T2", strings.ToUpper(agreementA), "microsoft csp direct", "false") + `]}]`,
		tenantsA: `[
			{"TenantId":"T1","TenantDomain":"t1.onmicrosoft.example","TenantStatus":1,"CustomerId":"c1","CustomerName":"Fabrikam Pty Ltd","Subscriptions":[
				{"SubscriptionId":"S-1","Status":"Active","ProgramReferenceLabel":"t1.onmicrosoft.example","ProductId":"3f0e","ProductName":"Microsoft 365 Business Premium (NCE)",
				 "Quantity":25,"FirstPurchased":"2022-03-14T02:11:45.1234567+00:00","DisplayTemplate":"Office365","Unit":"Licenses","BillingCycle":"Monthly","BillingCycleDuration":1},
				{"SubscriptionId":"S-azure","Status":"Active","ProductId":"az","ProductName":"Azure plan","Quantity":1,"FirstPurchased":"2020-07-02T23:05:10+00:00","DisplayTemplate":"Azure","Unit":"Usage-based","BillingCycle":"Monthly","BillingCycleDuration":1},
				{"SubscriptionId":"S-2","Status":"suspended","FriendlyName":"Mine","ProductId":"ex","ProductName":"Exchange","Quantity":"3.50","Unit":"User","UnitPrice":"5.10","BillingCycle":2,"BillingCycleDuration":null,
				 "FirstPurchased":"0001-01-01T00:00:00","TermDuration":"P1Y","EndDate":"2025-03-13T00:00:00","AutoRenewEnabled":"false",
				 "AddonSubscriptions":[{"SubscriptionId":"S-2a","FriendlyName":"Audio Conferencing","Quantity":5,"Unit":"Licenses","UnitPrice":4.9}]}]},
			{"TenantId":"T2","TenantDomain":"t2.onmicrosoft.example","CustomerId":"unlisted","CustomerName":"?","Subscriptions":null},
			{"TenantId":"T3","TenantDomain":"t3.onmicrosoft.example","CustomerId":"C3","CustomerName":"Only a tenant","Subscriptions":[{"SubscriptionId":"S-3","status":"Frozen","Unit":"Boxes","AddonSubscriptions":null}]}]`,
	}
}

func TestCustomersAreReadWhole(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	got := connected(t, p.URL, nil).listCustomers()
	want := []sdk.Customer{
		{
			Ref: "C1", Name: "Fabrikam Pty Ltd", Lifecycle: sdk.LifecycleActive, Status: "Active", Phone: "+61 3 7010 0000", Email: "it@fabrikam.example",
			Website: "https://fabrikam.example", RegistrationNumber: "12345678901", ParentRef: "P0", Domains: []string{"t1.onmicrosoft.example"},
			VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Domain: "t1.onmicrosoft.example"}},
			Address: &sdk.Address{
				Lines: []string{"Level 4, 12 Example Street"}, City: "Melbourne", Region: "VIC", PostalCode: "3000", Country: "Australia", CountryCode: "AU",
			},
		},
		{
			Ref: "C2", Name: "Contoso Demo Ltd", Lifecycle: sdk.LifecycleEnded, Status: "Deactivated", Domains: []string{"t2.onmicrosoft.example"},
			VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Domain: "t2.onmicrosoft.example"}},
		},
		{
			Ref: "C3", Name: "Only a tenant", Domains: []string{"t3.onmicrosoft.example"},
			VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Domain: "t3.onmicrosoft.example"}},
		},
	}
	if diff := cmp.Diff(want, got.customers); diff != "" {
		t.Error(diff)
	}
	if got.outcome("customers") != "complete" || got.outcome("") != "complete" || len(got.warnings) > 0 {
		t.Errorf("outcome %s, warnings %q", got.outcome(""), got.warnings)
	}
	if p.asked("includeDeactivatedCustomers=true") != 1 {
		t.Errorf("requests %q", p.requests)
	}
}

func TestSubscriptionsAreReadWhole(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	got := connected(t, p.URL, nil).listSubscriptions()
	no := false
	dec := func(text string) sdk.Decimal {
		d, err := sdk.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	extra := func(domain string, more ...string) map[string]string {
		m := map[string]string{"tenant_domain": domain}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	want := []sdk.Subscription{
		{
			Ref: "S-1", CustomerRef: "C1", TenantRef: "T1", Name: "Microsoft 365 Business Premium (NCE)", Vendor: "Microsoft", State: sdk.StateActive, Status: "Active",
			BillingTerm: sdk.Months(1, "Monthly"), StartedOn: "2022-03-14T02:11:45Z",
			Items: []sdk.Item{{Name: "Microsoft 365 Business Premium (NCE)", SKU: "3f0e", ProductRef: "3f0e", Quantity: dec("25"), Unit: "Licenses", Charge: sdk.ChargeRecurring}},
			Extra: extra("t1.onmicrosoft.example", "tenant_status", "1", "display_template", "Office365", "program_reference_label", "t1.onmicrosoft.example"),
		},
		{
			Ref: "S-azure", CustomerRef: "C1", TenantRef: "T1", Name: "Azure plan", Vendor: "Microsoft", State: sdk.StateActive, Status: "Active",
			BillingTerm: sdk.Months(1, "Monthly"), StartedOn: "2020-07-02T23:05:10Z",
			Items: []sdk.Item{{Name: "Azure plan", SKU: "az", ProductRef: "az", Unit: "Usage-based", Charge: sdk.ChargeUsage}},
			Extra: extra("t1.onmicrosoft.example", "tenant_status", "1", "display_template", "Azure"),
		},
		{
			Ref: "S-2", CustomerRef: "C1", TenantRef: "T1", Name: "Mine", Vendor: "Microsoft", State: sdk.StateSuspended, Status: "suspended",
			BillingTerm: sdk.Term{Raw: "2"}, CommitmentTerm: sdk.Years(1, "P1Y"), CommitmentEnd: "2025-03-13T00:00:00Z", AutoRenew: &no,
			Items: []sdk.Item{{
				Name: "Exchange", SKU: "ex", ProductRef: "ex", Quantity: dec("3.5"), Unit: "User", Charge: sdk.ChargeRecurring,
				PartnerCost: sdk.Money{Amount: dec("5.1")}, PricePer: sdk.PricePerUnit,
			}},
			Extra: extra("t1.onmicrosoft.example", "tenant_status", "1"),
		},
		{
			Ref: "S-3", CustomerRef: "C3", TenantRef: "T3", Vendor: "Microsoft", State: sdk.StateUnknown, Status: "Frozen",
			Items: []sdk.Item{{Unit: "Boxes"}}, Extra: extra("t3.onmicrosoft.example"),
		},
		{
			Ref: "S-2a", CustomerRef: "C1", TenantRef: "T1", ParentRef: "S-2", Name: "Audio Conferencing", Vendor: "Microsoft", State: sdk.StateSuspended, Status: "suspended",
			Items: []sdk.Item{{Quantity: dec("5"), Unit: "Licenses", Charge: sdk.ChargeRecurring, PartnerCost: sdk.Money{Amount: dec("4.9")}, PricePer: sdk.PricePerUnit}},
			Extra: extra("t1.onmicrosoft.example", "tenant_status", "1"),
		},
	}
	if diff := cmp.Diff(want, got.records, cmpopts.EquateComparable(sdk.Decimal{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{agreementA, agreementA + "/add-ons"}, got.scopes); diff != "" {
		t.Error(diff)
	}
	if got.outcome(agreementA) != "complete" || len(got.warnings) > 0 {
		t.Errorf("outcome %s, warnings %q", got.outcome(agreementA), got.warnings)
	}
	for _, r := range p.requests {
		if !strings.HasPrefix(r, "GET ") && r != "POST /core/connect/token" {
			t.Errorf("the plugin sent %s", r)
		}
	}
}

func TestOneFailedAgreementFailsOnlyItsScope(t *testing.T) {
	t.Parallel()
	tenants := `[{"TenantId":"T9","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-9","Status":"Active"},{"SubscriptionId":"S-10","Status":"Active"}]}]`
	tests := map[string]struct {
		answer string
		status int
		kind   string
		want   string
	}{
		"403":               {`{"Message":"not yours"}`, 403, "application/json", "not yours"},
		"404":               {`{"Message":"no such agreement"}`, 404, "application/json", "no such agreement"},
		"500":               {``, 500, "text/plain", "answered 500"},
		"429":               {`{"message":"slow down"}`, 429, "application/json", "slow down"},
		"HTML":              {`<html>Sign in</html>`, 200, "text/html", "HTML, not JSON"},
		"JSON cut":          {tenants[:len(tenants)-40], 200, "application/json", "ends in the middle"},
		"JSON cut at start": {`[`, 200, "application/json", "ends in the middle"},
		"a message":         {`{"Message":"An error has occurred."}`, 200, "application/json", "An error has occurred"},
		"nothing":           {``, 200, "application/json", "empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			texts[customersPath] = `[` + fullCustomer + agreementJSON("T1", agreementA, "Microsoft CSP", "true") + "," + agreementJSON("T9", agreementB, "Other", "true") + `]}]`
			texts[tenantsB] = tenants
			p := newPrism(t, texts)
			p.handle(tenantsA, respond(test.status, test.kind, test.answer))
			h := connected(t, p.URL, nil)
			got := h.listSubscriptions()
			if got.outcome(agreementA) != "failed" || got.outcome(agreementB) != "complete" || got.outcome("") != "partial" {
				t.Errorf("outcomes %s, %s, %s", got.outcome(agreementA), got.outcome(agreementB), got.outcome(""))
			}
			if message := got.ends[agreementA].GetError().GetMessage(); !strings.Contains(message, test.want) {
				t.Errorf("message %q does not hold %q", message, test.want)
			}
			if got.record("S-9") == nil || got.record("S-10") == nil {
				t.Errorf("records %s", got.refs())
			}
			customers := h.listCustomers()
			if customers.outcome("customers") != "partial" || customers.customer("C1") == nil || !customers.warned("agreement.failed") {
				t.Errorf("customers: outcome %s, %d of them, warnings %q", customers.outcome("customers"), len(customers.customers), customers.warnings)
			}
		})
	}
}

func TestAgreementsAreConfiguredOrFound(t *testing.T) {
	t.Parallel()
	t.Run("configured ones are read, each once", func(t *testing.T) {
		t.Parallel()
		texts := account()
		texts[tenantsB] = `[]`
		p := newPrism(t, texts)
		got := connected(t, p.URL, map[string]any{"contract_agreement_ids": []string{agreementB, strings.ToUpper(agreementB)}}).listSubscriptions()
		if diff := cmp.Diff([]string{agreementB, agreementB + "/add-ons"}, got.scopes); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("without any the operator is told what to enter", func(t *testing.T) {
		t.Parallel()
		texts := account()
		texts[customersPath] = `[` + fullCustomer + agreementJSON("T1", agreementA, "Microsoft SPLA", "false") + `]}]`
		h := connected(t, newPrism(t, texts).URL, nil)
		got := h.listSubscriptions()
		e := got.end.GetError()
		if got.outcome("") != "failed" || e.GetField() != "contract_agreement_ids" || !strings.Contains(e.GetHint(), "contract agreement") {
			t.Errorf("%v", got.end)
		}
		if customers := h.listCustomers(); customers.outcome("") != "complete" || !customers.warned("agreement.none") {
			t.Errorf("%v %q", customers.end, customers.warnings)
		}
	})
}

func TestRecordsThatCannotBeReadMakeTheScopePartial(t *testing.T) {
	t.Parallel()
	const good = `{"SubscriptionId":"S-good","Status":"Active"}`
	tests := map[string]struct{ tenants, code string }{
		"a subscription without id":      {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"Status":"Active"},` + good + `]}]`, "subscription.without_id"},
		"a subscription with a null id":  {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":null},` + good + `]}]`, "subscription.without_id"},
		"an add-on without id":           {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-good","AddonSubscriptions":[{"Quantity":1}]}]}]`, "subscription.without_id"},
		"add-ons that are no list":       {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-good","AddonSubscriptions":"x"}]}]`, "subscription.addons_unreadable"},
		"a subscription that is text":    {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":["x",` + good + `]}]`, "subscription.unreadable"},
		"a quantity that is no number":   {`[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-bad","Quantity":"many"},` + good + `]}]`, "subscription.quantity_unreadable"},
		"subscriptions that are no list": {`[{"TenantId":"T2","CustomerId":"C1","Subscriptions":7},{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + good + `]}]`, "tenant.subscriptions_unreadable"},
		"a tenant without the list":      {`[{"TenantId":"T2","CustomerId":"C1"},{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + good + `]}]`, "tenant.without_subscriptions"},
		"a tenant without id":            {`[{"CustomerId":"C1","Subscriptions":[` + good + `]},{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + good + `]}]`, "tenant.without_id"},
		"a tenant of nobody":             {`[{"TenantId":"T77","Subscriptions":[]},{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + good + `]}]`, "tenant.without_customer"},
		"a tenant that is null":          {`[null,{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + good + `]}]`, "tenant.unreadable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			texts[tenantsA] = test.tenants
			got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions()
			if got.outcome(agreementA) != "partial" || !got.warned(test.code) || got.refs() != "S-good" {
				t.Errorf("outcome %s, warnings %q, records %s", got.outcome(agreementA), got.warnings, got.refs())
			}
		})
	}
}

func TestDoubtsLeaveTheScopeComplete(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ member, code string }{
		"a price that is no number": {`"UnitPrice":"free"`, "subscription.price_unreadable"},
		"a date that is none":       {`"FirstPurchased":"yesterday"`, "subscription.date_unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			texts[tenantsA] = `[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-1",` + test.member + `}]}]`
			got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions()
			if got.outcome(agreementA) != "complete" || !got.warned(test.code) || got.record("S-1") == nil {
				t.Errorf("outcome %s, warnings %q", got.outcome(agreementA), got.warnings)
			}
		})
	}
}

func TestManyBadRecordsAreFewWarnings(t *testing.T) {
	t.Parallel()
	texts := account()
	texts[tenantsA] = `[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + strings.Repeat(`{"Status":"Active"},`, 5000) + `{"SubscriptionId":"S-1"}]}]`
	got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions()
	if len(got.warnings) != 4 || !got.warned("and 4997 more") {
		t.Errorf("%d warnings: %q", len(got.warnings), got.warnings)
	}
}

func TestJoinOfTenantAndCustomer(t *testing.T) {
	t.Parallel()
	texts := account()
	texts[tenantsA] = `[
		{"TenantId":"X","CustomerId":"c2","Subscriptions":[{"SubscriptionId":"by-customer"}]},
		{"TenantId":"t1","CustomerId":"gone","Subscriptions":[{"SubscriptionId":"by-tenant"}]},
		{"TenantId":"t2","CustomerId":null,"Subscriptions":[{"SubscriptionId":"by-tenant-alone"}]},
		{"TenantId":"Y","CustomerId":"C7","CustomerName":"New","Subscriptions":[{"SubscriptionId":"by-name"}]},
		{"TenantId":"Z","CustomerId":"c7","CustomerName":"New again","Subscriptions":[]}]`
	h := connected(t, newPrism(t, texts).URL, nil)
	got := h.listSubscriptions()
	for ref, want := range map[string]string{"by-customer": "C2", "by-tenant": "C1", "by-tenant-alone": "C2", "by-name": "C7"} {
		if r := got.record(ref); r == nil || r.CustomerRef != want {
			t.Errorf("%s belongs to %+v, want %s", ref, r, want)
		}
	}
	customers := h.listCustomers()
	if n := len(customers.customers); n != 3 {
		t.Errorf("%d customers, want 3", n)
	}
	if c := customers.customer("C7"); c == nil || c.Name != "New" || c.Address != nil {
		t.Errorf("%+v", c)
	}
}

func TestCustomersFromTenantsCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	got := connected(t, p.URL, map[string]any{"customers_from_tenants": "false", "include_deactivated_customers": "false"}).listCustomers()
	if len(got.customers) != 2 || p.asked("/tenants") != 0 || p.asked("includeDeactivatedCustomers=false") != 1 {
		t.Errorf("%d customers, requests %q", len(got.customers), p.requests)
	}
}

func TestAnAddOnListedTwiceIsSentOnce(t *testing.T) {
	t.Parallel()
	texts := account()
	texts[tenantsA] = `[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[
		{"SubscriptionId":"A-1","Status":"Active","Quantity":5},
		{"SubscriptionId":"S-1","Status":"Active","AddonSubscriptions":[{"SubscriptionId":"a-1","Quantity":5},{"SubscriptionId":"A-2","Status":"Suspended"}]}]}]`
	got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions()
	if got.refs() != "A-1 S-1 A-2" {
		t.Errorf("records %s", got.refs())
	}
	for _, ref := range []string{"A-1", "A-2"} {
		if r := got.record(ref); r.ParentRef != "S-1" {
			t.Errorf("%s has parent %q", ref, r.ParentRef)
		}
	}
	if s := got.record("A-2").State; s != sdk.StateSuspended {
		t.Errorf("an add-on's own status is not kept: %v", s)
	}
}

// Whether the list tells add-ons at all is not certain. Where it does not, none may be taken as ended: their scope is then
// not part of the listing.
func TestTheScopeOfAddOns(t *testing.T) {
	t.Parallel()
	const addons = agreementA + "/add-ons"
	tenants := func(subscriptions string) string {
		return `[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[` + subscriptions + `]}]`
	}
	for name, test := range map[string]struct{ answer, outcome, refs string }{
		"told":                         {tenants(`{"SubscriptionId":"S","AddonSubscriptions":[{"SubscriptionId":"A"}]}`), "complete", "S A"},
		"there are none":               {tenants(`{"SubscriptionId":"S","AddonSubscriptions":null}`), "complete", "S"},
		"the member is nowhere":        {tenants(`{"SubscriptionId":"S"},{"SubscriptionId":"S2"}`), "", "S S2"},
		"the member is somewhere":      {tenants(`{"SubscriptionId":"S"},{"SubscriptionId":"S2","AddonSubscriptions":[]}`), "complete", "S S2"},
		"no subscription at all":       {tenants(``), "complete", ""},
		"a record was lost":            {tenants(`{"SubscriptionId":"S","AddonSubscriptions":null},{}`), "partial", "S"},
		"an add-on was lost":           {tenants(`{"SubscriptionId":"S","AddonSubscriptions":[{"SubscriptionId":"A"},{}]}`), "partial", "S A"},
		"the list was cut":             {strings.TrimSuffix(tenants(`{"SubscriptionId":"S","AddonSubscriptions":[{"SubscriptionId":"A"}]}`), "]"), "failed", "S A"},
		"the list was cut, none known": {strings.TrimSuffix(tenants(``), "]"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			texts[tenantsA] = test.answer
			got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions()
			outcome := ""
			if slices.Contains(got.scopes, addons) {
				outcome = got.outcome(addons)
			}
			if outcome != test.outcome || got.refs() != test.refs {
				t.Errorf("outcome %q, records %q, want %q, %q", outcome, got.refs(), test.outcome, test.refs)
			}
		})
	}
}

func TestListingForOneCustomerReadsAgreementsWhole(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	h := connected(t, p.URL, nil)
	got := h.listSubscriptions("c3")
	if got.refs() != "S-3" || got.outcome(agreementA) != "complete" {
		t.Errorf("records %s, outcome %s", got.refs(), got.outcome(agreementA))
	}
	if customers := h.listCustomers("c2"); len(customers.customers) != 1 || customers.customer("C2") == nil {
		t.Errorf("%+v", customers.customers)
	}
}

func TestPartnersOwnRecordIsMarked(t *testing.T) {
	t.Parallel()
	list := func(customers ...string) string { return "[" + strings.Join(customers, ",") + "]" }
	one := func(ref, parent string) string {
		return `{"CustomerId":"` + ref + `","CustomerName":"` + ref + `","IsPartnerCustomer":true,"ParentCustomerId":"` + parent + `"}`
	}
	tests := map[string]struct {
		customers, configured, want string
	}{
		"as configured":                               {list(one("P", ""), one("A", "")), "p", "P"},
		"as the parent of all others":                 {list(one("P", "rhipe"), one("A", "p"), one("B", "P"), one("C", "P")), "", "P"},
		"not when one has another parent":             {list(one("P", ""), one("A", "P"), one("B", "P"), one("C", "A")), "", ""},
		"not when there are few, which proves little": {list(one("P", ""), one("A", "P"), one("B", "P")), "", ""},
		"not by the flag, whose sense is not known":   {list(one("P", ""), one("A", "")), "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			texts[customersPath] = test.customers
			got := connected(t, newPrism(t, texts).URL, map[string]any{"partner_customer_id": test.configured, "customers_from_tenants": "false"}).listCustomers()
			partner := ""
			for _, c := range got.customers {
				if c.IsPartner {
					partner += c.Ref
				}
			}
			if partner != test.want {
				t.Errorf("the partner is %q, want %q", partner, test.want)
			}
		})
	}
}

func TestEnvelopesAndPages(t *testing.T) {
	t.Parallel()
	texts := account()
	delete(texts, tenantsA)
	p := newPrism(t, texts)
	pages := map[string]string{
		"":  `{"Records":[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-1"}]}]}`,
		"2": `{"records":[{"TenantId":"T2","CustomerId":"C2","Subscriptions":{"Items":[{"SubscriptionId":"S-2"}]}}]}`,
		"3": `{"Records":[]}`,
	}
	p.handle(tenantsA, func(w http.ResponseWriter, r *http.Request) {
		respond(200, "application/json", pages[r.URL.Query().Get("page")])(w, r)
	})
	got := connected(t, p.URL, nil).listSubscriptions()
	if got.refs() != "S-1 S-2" || got.outcome(agreementA) != "complete" {
		t.Errorf("records %s, outcome %s", got.refs(), got.outcome(agreementA))
	}
}

func TestNamesAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	names := []string{
		"Fabrikam Ltd", "FABRIKAM LTD", "Fabrikam Limited", "Smith & Sons", "Smith and Sons", "The Smith Company", "Smith Company.", "Two  Spaces",
		"Non\u00a0Breaking", "Café Zürich", "Cafe\u0301 decomposed", "株式会社", "O'Brien \"Quoted\" \\ Co", strings.Repeat("long ", 200) + "end", "Same", "Same", "=cmd|' /C calc'!A0",
	}
	var list []string
	for i, name := range names {
		text, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, `{"CustomerId":"C`+strconv.Itoa(i)+`","CustomerName":`+string(text)+`}`)
	}
	texts := account()
	texts[customersPath] = "[" + strings.Join(list, ",") + "]"
	got := connected(t, newPrism(t, texts).URL, map[string]any{"customers_from_tenants": "false"}).listCustomers()
	var heard []string
	for _, c := range got.customers {
		heard = append(heard, c.Name)
	}
	if diff := cmp.Diff(names, heard); diff != "" {
		t.Error(diff)
	}
}
