// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

var exactly = cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b })

func decimal(t *testing.T, text string) sdk.Decimal {
	t.Helper()
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCustomersAreReadAsTheyAreTold(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{Companies: []string{
		`{"id": "c1", "name": "VFC Network, Inc", "address": {"street": "48918 Liberty Lane Ave", "street2": "Ste. 350", "city": "Denver",
			"stateOrProvince": "Colorado", "postalCode": "80210", "country": "US"}, "phone": "123-456-5555", "website": "vfc.example",
			"externalId": "A123", "billOnBehalfOfEnabled": false, "selfServiceAllowed": false, "orderApprovalRequired": false,
			"status": "Active", "updatedDate": "2026-05-12T08:30:00Z"}`,
		`{"id": "c2", "name": " Contacts missing ", "address": {"street": "", "country": "United States"}, "status": "Inactive"}`,
		`{"id": "c3", "name": "Gone", "address": {"street": "1 High St", "country": "gb"}, "status": "Deleted"}`,
		`{"id": "c4", "name": "No address", "address": null, "status": "Dormant", "mood": {"a": []}}`,
		`{"id": "c5", "name": "Empty address", "address": {}}`,
	}})
	want := []sdk.Customer{
		{
			Ref: "c1", Name: "VFC Network, Inc", Lifecycle: sdk.LifecycleActive, Status: "Active", Phone: "123-456-5555", Website: "vfc.example",
			ExternalRef: "A123", Address: &sdk.Address{
				Lines: []string{"48918 Liberty Lane Ave", "Ste. 350"}, City: "Denver", Region: "Colorado", PostalCode: "80210", CountryCode: "US",
			},
		},
		{Ref: "c2", Name: "Contacts missing", Lifecycle: sdk.LifecycleIncomplete, Status: "Inactive", Address: &sdk.Address{Country: "United States"}},
		{Ref: "c3", Name: "Gone", Lifecycle: sdk.LifecycleDeleted, Status: "Deleted", Address: &sdk.Address{Lines: []string{"1 High St"}, CountryCode: "GB"}},
		{Ref: "c4", Name: "No address", Status: "Dormant"},
		{Ref: "c5", Name: "Empty address", Address: &sdk.Address{}},
	}
	got := sdktest.Customers(t, plugin(), sim.Settings())
	if diff := cmp.Diff(want, got.Records); diff != "" || !got.Complete || len(got.Warnings) > 0 {
		t.Errorf("complete %t, warnings %q (-want +got):\n%s", got.Complete, got.Warnings, diff)
	}
	got = sdktest.Customers(t, plugin(), sim.Settings(), "C3")
	if diff := cmp.Diff(want[2:3], got.Records); diff != "" || !got.Complete {
		t.Errorf("for one customer: complete %t (-want +got):\n%s", got.Complete, diff)
	}
}

func TestSubscriptionsAreReadAsTheyAreTold(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{
		Products: []string{`{"id": "P1", "name": "Business Premium", "vendorName": "Microsoft", "sku": "MST-BP", "vendorSku": "CFQ7"}`},
		Subscriptions: []string{
			`{"id": "s1", "companyId": "c1", "productId": "p1", "productName": "Microsoft 365 Business Premium", "vendorSubscriptionId": "v1",
				"vendorSkuId": "CFQ7:0002", "quantity": 25, "startDate": "2021-01-01T08:30:00Z", "createdDate": "2020-12-01T13:20:13.153-0700",
				"billingStart": "2021-01-01", "status": "Active", "price": 32.010, "currencyCode": "USD", "partnerCost": 1.5e1, "billingTerm": "Annual",
				"commitmentTerm": {"id": "t1", "term": "3-Year", "endDate": "2024-01-01T00:00:00.000-0300"}, "unheardOf": [1, 2]}`,
			`{"id": "s2", "parentSubscriptionId": "s1", "companyId": "c1", "productId": "p2", "productName": "Add-on", "quantity": "2.5",
				"startDate": "2020-12-03", "endDate": "2020-12-31", "status": "PendingCancel", "price": "0", "currencyCode": "eur",
				"billingTerm": "Monthly", "commitmentTerm": null}`,
			`{"id": "s3", "companyId": "c2", "productId": "p1", "quantity": 1, "status": "Trial", "price": 0, "currencyCode": "GBP", "billingTerm": "Trial"}`,
			`{"id": "s4", "companyId": "c2", "productName": "Onboarding", "quantity": 1, "status": "Activated", "price": 900.00, "billingTerm": "One-Time"}`,
			`{"id": "s5", "companyId": "c2", "status": "Cancelled", "endDate": "2020-11-18", "commitmentTerm": {"term": "1-Year", "endDate": "9020-01-01"}}`,
		},
	})
	usd := func(amount string) sdk.Money { return sdk.Money{Amount: decimal(t, amount), Currency: "USD"} }
	is, isNot := true, false
	want := []sdk.Subscription{
		{
			Ref: "s1", CustomerRef: "c1", VendorRef: "v1", Name: "Microsoft 365 Business Premium", Vendor: "Microsoft", State: sdk.StateActive,
			Status: "Active", Trial: &isNot, BillingTerm: sdk.Years(1, "Annual"), CommitmentTerm: sdk.Years(3, "3-Year"),
			StartedOn: "2021-01-01T08:30:00Z", CommitmentEnd: "2024-01-01T03:00:00Z",
			Items: []sdk.Item{{
				Name: "Microsoft 365 Business Premium", SKU: "MST-BP", VendorSKU: "CFQ7:0002", ProductRef: "p1", Quantity: sdk.Int(25),
				Charge: sdk.ChargeRecurring, CustomerPrice: usd("32.01"), PartnerCost: usd("15"),
			}},
		},
		{
			Ref: "s2", CustomerRef: "c1", ParentRef: "s1", Name: "Add-on", State: sdk.StateActive, Status: "PendingCancel", Trial: &isNot,
			BillingTerm: sdk.Months(1, "Monthly"), CommitmentTerm: sdk.Term{Kind: sdk.TermNone}, StartedOn: "2020-12-03",
			Extra: map[string]string{"end_date": "2020-12-31", "scheduled_change": "cancel"},
			Items: []sdk.Item{{
				Name: "Add-on", ProductRef: "p2", Quantity: decimal(t, "2.5"), Charge: sdk.ChargeRecurring,
				CustomerPrice: sdk.Money{Amount: sdk.Int(0), Currency: "EUR"},
			}},
		},
		{
			Ref: "s3", CustomerRef: "c2", Name: "Business Premium", Vendor: "Microsoft", State: sdk.StateActive, Status: "Trial", Trial: &is,
			BillingTerm: sdk.Term{Kind: sdk.TermNone, Raw: "Trial"},
			Items: []sdk.Item{{
				Name: "Business Premium", SKU: "MST-BP", VendorSKU: "CFQ7", ProductRef: "p1", Quantity: sdk.Int(1),
				CustomerPrice: sdk.Money{Amount: sdk.Int(0), Currency: "GBP"},
			}},
		},
		{
			Ref: "s4", CustomerRef: "c2", Name: "Onboarding", State: sdk.StateActive, Status: "Activated", Trial: &isNot,
			BillingTerm: sdk.Term{Kind: sdk.TermOneTime, Raw: "One-Time"},
			Items:       []sdk.Item{{Name: "Onboarding", Quantity: sdk.Int(1), Charge: sdk.ChargeOneTime, CustomerPrice: sdk.Money{Amount: sdk.Int(900)}}},
		},
		{
			Ref: "s5", CustomerRef: "c2", State: sdk.StateCancelled, Status: "Cancelled", Trial: &isNot, CommitmentTerm: sdk.Years(1, "1-Year"),
			Extra: map[string]string{"end_date": "2020-11-18"}, Items: []sdk.Item{{}},
		},
	}
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if diff := cmp.Diff(want, got.Records, exactly); diff != "" || !got.Complete || len(got.Warnings) > 0 {
		t.Errorf("complete %t, warnings %q (-want +got):\n%s", got.Complete, got.Warnings, diff)
	}
}

func TestEachStatus(t *testing.T) {
	t.Parallel()
	is, isNot := true, false
	for raw, want := range map[string]struct {
		state sdk.State
		trial *bool
	}{
		"Active": {sdk.StateActive, &isNot}, "Activated": {sdk.StateActive, &isNot}, "PendingCancel": {sdk.StateActive, &isNot},
		"Trial": {sdk.StateActive, &is}, "Cancelled": {sdk.StateCancelled, &isNot}, "Converted": {sdk.StateConverted, nil},
		"PendingManual": {sdk.StatePending, &isNot}, "PendingAutomated": {sdk.StatePending, &isNot},
		"WaitingForDetails": {sdk.StatePending, &isNot}, "PendingActivation": {sdk.StatePending, &isNot},
		"active": {sdk.StateActive, &isNot}, "Suspended": {sdk.StateUnknown, nil}, "": {sdk.StateUnknown, nil},
	} {
		s := statusOf(raw)
		trial := trialOf(s, billingTerm("Monthly"))
		if s.state != want.state || (trial == nil) != (want.trial == nil) || trial != nil && *trial != *want.trial {
			t.Errorf("%q: state %d, trial %v; want %+v", raw, s.state, trial, want)
		}
		if s.ending != (raw == "PendingCancel") {
			t.Errorf("%q: ending %t", raw, s.ending)
		}
	}
	if trial := trialOf(statusOf("Dreaming"), billingTerm("Trial")); trial == nil || !*trial {
		t.Errorf("billed as a trial: %v", trial)
	}
}

func TestEachTerm(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]billing{
		"Monthly":    {Term: sdk.Months(1, "Monthly"), charge: sdk.ChargeRecurring},
		"Annual":     {Term: sdk.Years(1, "Annual"), charge: sdk.ChargeRecurring},
		"1-Year":     {Term: sdk.Years(1, "1-Year"), charge: sdk.ChargeRecurring},
		"2-Year":     {Term: sdk.Years(2, "2-Year"), charge: sdk.ChargeRecurring},
		"3-Year":     {Term: sdk.Years(3, "3-Year"), charge: sdk.ChargeRecurring},
		"3 Year":     {Term: sdk.Years(3, "3 Year"), charge: sdk.ChargeRecurring},
		"6-Month":    {Term: sdk.Months(6, "6-Month"), charge: sdk.ChargeRecurring},
		"One-Time":   {Term: sdk.Term{Kind: sdk.TermOneTime, Raw: "One-Time"}, charge: sdk.ChargeOneTime},
		"One-time":   {Term: sdk.Term{Kind: sdk.TermOneTime, Raw: "One-time"}, charge: sdk.ChargeOneTime},
		"Activation": {Term: sdk.Term{Kind: sdk.TermOneTime, Raw: "Activation"}, charge: sdk.ChargeOneTime},
		"Trial":      {Term: sdk.Term{Kind: sdk.TermNone, Raw: "Trial"}, trial: true},
		// Words nobody knows add to no recurring sum.
		"":               {},
		"Arrears":        {Term: sdk.Term{Raw: "Arrears"}},
		"0-Year":         {Term: sdk.Term{Raw: "0-Year"}},
		"-3-Year":        {Term: sdk.Term{Raw: "-3-Year"}},
		"1000-Year":      {Term: sdk.Term{Raw: "1000-Year"}},
		"3-Year-Prepaid": {Term: sdk.Term{Raw: "3-Year-Prepaid"}},
		"Year":           {Term: sdk.Term{Raw: "Year"}},
	} {
		if got := billingTerm(raw); got != want {
			t.Errorf("billing term %q: %+v, want %+v", raw, got, want)
		}
	}
	for raw, want := range map[string]sdk.Term{
		"1-Year": sdk.Years(1, "1-Year"), "Monthly": sdk.Months(1, "Monthly"), "": {}, "Lunar": {Raw: "Lunar"},
	} {
		if got := commitmentTerm(raw); got != want {
			t.Errorf("commitment term %q: %+v, want %+v", raw, got, want)
		}
	}
}

// Only with monthly billing is it known that null says there is no commitment.
func TestACommitmentThatIsNotTold(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]sdk.TermKind{
		`"billingTerm": "Monthly", "commitmentTerm": null`: sdk.TermNone,
		`"billingTerm": "Monthly"`:                         sdk.TermUnknown,
		`"billingTerm": "Annual", "commitmentTerm": null`:  sdk.TermUnknown,
		`"billingTerm": "Monthly", "commitmentTerm": {}`:   sdk.TermUnknown,
	} {
		sim := newSimulator(t, pax8sim.Options{Subscriptions: []string{`{"id": "s1", "companyId": "c1", ` + members + `}`}})
		got := sdktest.Subscriptions(t, plugin(), sim.Settings())
		if len(got.Records) != 1 || got.Records[0].CommitmentTerm.Kind != want {
			t.Errorf("%s: %+v", members, got.Records)
		}
	}
}

func TestWhatOfARecordCannotBeRead(t *testing.T) {
	t.Parallel()
	const good = `{"id": "good", "companyId": "c1", "quantity": 1}`
	for name, test := range map[string]struct {
		record   string
		records  int
		complete bool
		warns    string
	}{
		"a quantity that is text":   {`{"id": "bad", "companyId": "c1", "quantity": "many"}`, 1, false, "the quantity of subscription bad"},
		"a quantity that is a list": {`{"id": "bad", "companyId": "c1", "quantity": [1]}`, 1, false, "the quantity of subscription bad"},
		"no id":                     {`{"companyId": "c1", "productName": "Mail"}`, 1, false, `name "Mail"`},
		"no company":                {`{"id": "bad"}`, 1, false, `"bad" has no customer`},
		"no object":                 {`"bad"`, 1, false, "element 1 is no object"},
		"null":                      {`null`, 1, false, "element 1 is no object"},
		"a price that is text":      {`{"id": "s", "companyId": "c1", "price": "on request", "currencyCode": "USD"}`, 2, true, "the price of subscription s"},
		"a cost that is an object":  {`{"id": "s", "companyId": "c1", "partnerCost": {}}`, 2, true, "the partnerCost of subscription s"},
		"a currency that is a word": {`{"id": "s", "companyId": "c1", "price": 1, "currencyCode": "Dollars"}`, 2, true, `"Dollars" of subscription s`},
		"a date that is a word":     {`{"id": "s", "companyId": "c1", "startDate": "soon"}`, 2, true, `"soon" is not a date`},
	} {
		sim := newSimulator(t, pax8sim.Options{Subscriptions: []string{test.record, good}})
		got := sdktest.Subscriptions(t, plugin(), sim.Settings())
		told := slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, test.warns) })
		if len(got.Records) != test.records || got.Complete != test.complete || !told || got.Records[len(got.Records)-1].Ref != "good" {
			t.Errorf("%s: complete %t, %d records, warnings %q", name, got.Complete, len(got.Records), got.Warnings)
		}
	}
}

func TestWithoutACurrencyThereIsStillAnAmount(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{Subscriptions: []string{`{"id": "s1", "companyId": "c1", "price": 1.10, "currencyCode": "Dollars"}`}})
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if want := (sdk.Money{Amount: decimal(t, "1.1")}); len(got.Records) != 1 || got.Records[0].Items[0].CustomerPrice != want {
		t.Errorf("%+v", got.Records)
	}
}

func TestManyOddRecordsAreFewWarnings(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	if err := sim.Play(t.Context(), "price.odd"); err != nil {
		t.Fatal(err)
	}
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	last := len(got.Warnings) - 1
	if last != maxExamples || got.Warnings[last] != "price.unreadable: and 2097 more like this" || !got.Complete {
		t.Errorf("complete %t, %q", got.Complete, got.Warnings)
	}
}
