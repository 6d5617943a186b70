// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestEveryFieldOfASubscription(t *testing.T) {
	t.Parallel()
	header := strings.Join(subscriptionNames, ",")
	row := `S-1,C-1,Blue Gum Dental,bluegum.example,7e4a,Mailbox,MB-1,V-1,P-1,"1,250.5",seats,Suspended,2025-03-13,13 Mar 2026,2025-03-20T10:00:00+11:00,` +
		`Monthly,P3Y,yes,no,recurring,$12.50,10,,AUD,acme,V-9,T-1,S-0,,,,,`
	got := one(t, read(t, header+"\n"+row+"\n", nil))
	yes, no := true, false
	want := sdk.Subscription{
		Ref: "S-1", CustomerRef: "C-1", TenantRef: "T-1", VendorRef: "V-9", VendorTenantRef: "7e4a", ParentRef: "S-0", Name: "Mailbox", Vendor: "acme",
		State: sdk.StateSuspended, Status: "Suspended", Trial: &no, AutoRenew: &yes, BillingTerm: sdk.Months(1, "Monthly"), CommitmentTerm: sdk.Years(3, "P3Y"),
		StartedOn: "2025-03-13", CommitmentEnd: "2026-03-13", CancellableUntil: "2025-03-19T23:00:00Z",
		Items: []sdk.Item{{
			Name: "Mailbox", SKU: "MB-1", VendorSKU: "V-1", ProductRef: "P-1", Quantity: number(t, "1250.5"), Unit: "seats", Charge: sdk.ChargeRecurring,
			CustomerPrice: sdk.Money{Amount: number(t, "12.5"), Currency: "AUD"}, PartnerCost: sdk.Money{Amount: number(t, "10"), Currency: "AUD"},
			PricePer: sdk.PricePerUnit,
		}},
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEveryFieldOfACustomer(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("subs.csv", "id,customer_id\n", time.Hour)
	f.put("customers.csv", strings.Join(customerNames, ";")+"\n"+
		`C-1;Blue Gum Dental;Closed;"18 Eucalypt Road`+"\r\n"+`Level 2";;;Newcastle;NSW;02300;au;+61 2 5550 1234;mail@bluegum.example;bluegum.example;ABN 51 824 753 556;`+
		"BlueGum.example;7e4a;C-0;our-7\n", time.Hour)
	got := one(t, sdktest.Customers(t, plugin(), f.settings(map[string]any{"customers": "customers.csv", "allow_empty": true})))
	want := sdk.Customer{
		Ref: "C-1", Name: "Blue Gum Dental", Status: "Closed", Lifecycle: sdk.LifecycleEnded,
		Address: &sdk.Address{Lines: []string{"18 Eucalypt Road", "Level 2"}, City: "Newcastle", Region: "NSW", PostalCode: "02300", CountryCode: "AU"},
		Phone:   "+61 2 5550 1234", Email: "mail@bluegum.example", Website: "bluegum.example", RegistrationNumber: "ABN 51 824 753 556",
		Domains:       []string{"bluegum.example"},
		VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Ref: "7e4a", Domain: "bluegum.example"}}, ParentRef: "C-0", ExternalRef: "our-7",
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCustomersOfSubscriptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		want          []sdk.Customer
	}{
		{
			"by id, each once, by their first name", "id,customer_id,customer_name,customer_domain\n1,C-2,Beta,B.example\n2,C-1,Alpha,\n3,C-2,Beta Ltd,\n",
			[]sdk.Customer{
				{Ref: "C-2", Name: "Beta", Lifecycle: sdk.LifecycleActive, Domains: []string{"b.example"}},
				{Ref: "C-1", Name: "Alpha", Lifecycle: sdk.LifecycleActive},
			},
		},
		{
			"by name where there is no id", "id,customer_name\n1,Beta\n2,Beta\n",
			[]sdk.Customer{{Ref: "Beta", Name: "Beta", Lifecycle: sdk.LifecycleActive}},
		},
		{
			"by id where there is no name", "id,customer_id\n1,C-2\n",
			[]sdk.Customer{{Ref: "C-2", Name: "C-2", Lifecycle: sdk.LifecycleActive}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			f.put("subs.csv", test.content, time.Hour)
			got := sdktest.Customers(t, plugin(), f.settings(nil))
			if d := diff(test.want, got.Records); d != "" || !got.Complete {
				t.Errorf("complete %t: %s", got.Complete, d)
			}
		})
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]sdk.State{
		"Active": sdk.StateActive, "ON-HOLD": sdk.StateSuspended, "canceled": sdk.StateCancelled, "Cancelled": sdk.StateCancelled, "expired": sdk.StateExpired,
		"Pending": sdk.StatePending, "removed": sdk.StateDeleted, "converted": sdk.StateConverted, "failed": sdk.StateFailed,
		"in gutem Zustand": sdk.StateActive, "": sdk.StateUnknown, "dreaming": sdk.StateUnknown,
	} {
		got := one(t, read(t, "id,customer_id,status\n1,C,"+word+"\n", map[string]any{"statuses": map[string]string{"In gutem Zustand": "active"}}))
		if got.State != want || got.Status != word {
			t.Errorf("%q: state %v, status %q; want %v", word, got.State, got.Status, want)
		}
	}
	if got := one(t, read(t, "id,customer_id\n1,C\n", nil)); got.State != sdk.StateActive {
		t.Errorf("in a file without states: %v", got.State)
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sdk.Term{
		"": {}, "Monthly": sdk.Months(1, ""), "annual": sdk.Years(1, ""), "One-time": {Kind: sdk.TermOneTime}, "P1Y": sdk.Years(1, ""), "P36M": sdk.Months(36, ""),
		"12 months": sdk.Months(12, ""), "3-year": sdk.Years(3, ""), "1 Month(s)": {}, "2 weeks": sdk.Days(14, ""), "No commitment": {Kind: sdk.TermNone},
		"P1Q": {}, "0 months": {}, "whenever": {},
	} {
		want.Raw = text
		if got := readTerm(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cost, currency, setting string
		want                    sdk.Money
	}{
		{"12.50", "AUD", "", sdk.Money{Amount: number(t, "12.5"), Currency: "AUD"}},
		{"12.50", "eur", "AUD", sdk.Money{Amount: number(t, "12.5"), Currency: "EUR"}},
		{"12.50", "", "AUD", sdk.Money{Amount: number(t, "12.5"), Currency: "AUD"}},
		{"12.50", "", "", sdk.Money{Amount: number(t, "12.5")}},
		{"€12.50", "", "AUD", sdk.Money{Amount: number(t, "12.5"), Currency: "EUR"}},
		{"12.50 USD", "", "AUD", sdk.Money{Amount: number(t, "12.5"), Currency: "USD"}},
		{"12.50", "£", "", sdk.Money{Amount: number(t, "12.5"), Currency: "GBP"}},
		{"12.50", "dollars", "AUD", sdk.Money{Amount: number(t, "12.5")}},
		{"0", "AUD", "", sdk.Money{Amount: number(t, "0"), Currency: "AUD"}},
		{"", "AUD", "", sdk.Money{}},
		{"-", "AUD", "", sdk.Money{}},
		{"on request", "AUD", "", sdk.Money{}},
	} {
		got := one(t, read(t, "id,customer_id,cost,currency\n1,C,"+test.cost+","+test.currency+"\n", map[string]any{"currency": test.setting}))
		if item := got.Items[0]; item.PartnerCost != test.want || (item.PricePer == sdk.PricePerUnit) != (test.want != sdk.Money{}) {
			t.Errorf("%q in %q: %+v, want %+v", test.cost, test.currency, item, test.want)
		}
	}
}

func TestUsageHasNoQuantity(t *testing.T) {
	t.Parallel()
	got := one(t, read(t, "id,customer_id,quantity,charge\n1,C,730,Usage-based\n", nil))
	if item := got.Items[0]; !item.Quantity.IsAbsent() || item.Charge != sdk.ChargeUsage {
		t.Errorf("%+v", item)
	}
}

func TestAnIdOfSeveralColumns(t *testing.T) {
	t.Parallel()
	content := "Client,Product,Seats\nAlpha,Mailbox,3\nAlpha,Backup,\nBeta,,1\n"
	more := map[string]any{
		"columns":    map[string]string{"customer_name": "client", "name": "Product", "quantity": "Seats"},
		"id_columns": []string{"Client", "product"},
	}
	got := read(t, content, more)
	if len(got.Records) != 2 || got.Records[0].Ref != "Alpha/Mailbox" || got.Records[0].CustomerRef != "Alpha" || !got.Records[1].Items[0].Quantity.IsAbsent() {
		t.Errorf("%+v", got.Records)
	}
	if got.Complete || !says(got.Warnings, "subs.csv:4", "no id") {
		t.Errorf("complete %t, warnings %q", got.Complete, got.Warnings)
	}
	more["id_columns"] = []string{"Client", "SKU"}
	if got := read(t, content, more); got.Complete || !says(errorText(got), `no column "SKU"`, `"Product"`, "id_columns") {
		t.Errorf("%v", got.Err)
	}
}

func TestAListingForOneCustomer(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("subs.csv", "id,customer_id\n1,C-1\n2,C-2\n3,c-1\n", time.Hour)
	if got := f.list(nil, "C-1"); !got.Complete || len(got.Records) != 2 {
		t.Errorf("%+v", got)
	}
}
