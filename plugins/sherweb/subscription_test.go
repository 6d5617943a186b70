// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func number(t *testing.T, text string) sdk.Decimal {
	t.Helper()
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestASubscriptionWithEverything(t *testing.T) {
	t.Parallel()
	sim := oneCustomer(t, `[{
		"id":"`+first+`","productName":"Microsoft 365 Business Premium","description":"By the seat, a year","sku":"CFQ7TTC0LCHC",
		"quantity":25,"billingCycle":"monthly","purchaseDate":"2023-11-21T20:27:05.7613888",
		"fees":{"recurringFee":22.50,"setupFee":100,"currency":"Cad"},
		"commitmentTerm":{"type":"Annual","termEndDate":"2026-11-20",
			"renewalConfiguration":{"renewalDate":"2026-11-21","scheduledQuantity":20},
			"committedMinimalQuantities":[{"committedUntil":"2026-11-20","quantity":10},{"committedUntil":"2027-11-20T00:00:00","quantity":5}]},
		"addedLater":{"a":[1]}}]`)
	yes := true
	want := sdk.Subscription{
		Ref: first, CustomerRef: acme, Name: "Microsoft 365 Business Premium", State: sdk.StateActive,
		BillingTerm: sdk.Months(1, "monthly"), CommitmentTerm: sdk.Years(1, "Annual"),
		StartedOn: "2023-11-21T20:27:05Z", CommitmentEnd: "2026-11-20", AutoRenew: &yes,
		Items: []sdk.Item{{
			Name: "Microsoft 365 Business Premium", SKU: "CFQ7TTC0LCHC", Quantity: sdk.Int(25), Charge: sdk.ChargeRecurring,
			CustomerPrice: sdk.Money{Amount: number(t, "22.5"), Currency: "CAD"},
		}},
		Extra: map[string]string{
			"description": "By the seat, a year", "setup_fee": "100 CAD", "renewal_date": "2026-11-21", "renewal_quantity": "20",
			"minimum_quantity": "10 until 2026-11-20, 5 until 2027-11-20",
		},
	}
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if diff := cmp.Diff([]sdk.Subscription{want}, got.Records, sameDecimals); diff != "" || !got.Complete || len(got.Warnings) > 0 {
		t.Errorf("complete %t, warnings %q (-want +got):\n%s", got.Complete, got.Warnings, diff)
	}
}

// Each case changes one member of a plain subscription.
func TestMembersOfASubscription(t *testing.T) {
	t.Parallel()
	price := func(amount, currency string) func(*sdk.Subscription) {
		return func(s *sdk.Subscription) {
			s.Items[0].CustomerPrice = sdk.Money{Amount: number(t, amount), Currency: currency}
		}
	}
	billing := func(term sdk.Term, charge sdk.Charge) func(*sdk.Subscription) {
		return func(s *sdk.Subscription) { s.BillingTerm, s.Items[0].Charge = term, charge }
	}
	committed := func(term sdk.Term, end string, renews *bool, extra map[string]string) func(*sdk.Subscription) {
		return func(s *sdk.Subscription) {
			s.CommitmentTerm, s.CommitmentEnd, s.AutoRenew, s.Extra = term, end, renews, extra
		}
	}
	nothing := func(*sdk.Subscription) {}
	yes, no := true, false
	for name, test := range map[string]struct {
		members string
		want    func(s *sdk.Subscription)
		warning string
	}{
		"nothing more": {``, nothing, ""},

		"billed daily":         {`"billingCycle":"daily"`, billing(sdk.Days(1, "daily"), sdk.ChargeRecurring), ""},
		"billed weekly":        {`"billingCycle":"weekly"`, billing(sdk.Days(7, "weekly"), sdk.ChargeRecurring), ""},
		"billed monthly":       {`"billingCycle":"monthly"`, billing(sdk.Months(1, "monthly"), sdk.ChargeRecurring), ""},
		"billed yearly":        {`"billingCycle":"yearly"`, billing(sdk.Years(1, "yearly"), sdk.ChargeRecurring), ""},
		"billed in capitals":   {`"billingCycle":"Yearly"`, billing(sdk.Years(1, "Yearly"), sdk.ChargeRecurring), ""},
		"a cycle of unknown":   {`"billingCycle":"unknown"`, billing(sdk.Term{Raw: "unknown"}, sdk.ChargeUnknown), ""},
		"a cycle nobody knows": {`"billingCycle":"fortnightly"`, billing(sdk.Term{Raw: "fortnightly"}, sdk.ChargeUnknown), "term.unknown"},
		"no cycle, without prices": {
			`"billingCycle":"none","fees":null`, billing(sdk.Term{Kind: sdk.TermNone, Raw: "none"}, sdk.ChargeUnknown), "",
		},
		"no cycle, no setup fee": {
			`"billingCycle":"none","fees":{"recurringFee":0,"setupFee":0.00,"currency":"Usd"}`, func(s *sdk.Subscription) {
				billing(sdk.Term{Kind: sdk.TermNone, Raw: "none"}, sdk.ChargeUnknown)(s)
				price("0", "USD")(s)
			}, "",
		},
		"charged once": {
			`"billingCycle":"none","fees":{"recurringFee":0,"setupFee":49.90,"currency":"Usd"}`, func(s *sdk.Subscription) {
				billing(sdk.Term{Kind: sdk.TermOneTime, Raw: "none"}, sdk.ChargeOneTime)(s)
				price("49.9", "USD")(s)
			}, "",
		},

		"no catalogue item":           {`"fees":null`, nothing, ""},
		"a price in dollars":          {`"fees":{"recurringFee":1234567.891,"setupFee":0,"currency":"Usd"}`, price("1234567.891", "USD"), ""},
		"a price in Canadian dollars": {`"fees":{"recurringFee":5,"setupFee":0,"currency":"Cad"}`, price("5", "CAD"), ""},
		"a price in euro":             {`"fees":{"recurringFee":5,"setupFee":0,"currency":"Eur"}`, price("5", "EUR"), ""},
		"a price in pounds":           {`"fees":{"recurringFee":5,"setupFee":0,"currency":"Gbp"}`, price("5", "GBP"), ""},
		"a price of zero":             {`"fees":{"recurringFee":0,"setupFee":0,"currency":"Eur"}`, price("0", "EUR"), ""},
		"a price in no currency":      {`"fees":{"recurringFee":5,"setupFee":0,"currency":"Undefined"}`, price("5", ""), ""},
		"a price in a currency nobody knows": {
			`"fees":{"recurringFee":5,"setupFee":0,"currency":"Doubloon"}`, price("5", ""), "price.unknown_currency",
		},
		"a price as text":            {`"fees":{"recurringFee":"5.10","currency":"Eur"}`, price("5.1", "EUR"), ""},
		"a price below a binary one": {`"fees":{"recurringFee":0.1,"currency":"Eur"}`, price("0.1", "EUR"), ""},
		"a price that is none":       {`"fees":{"recurringFee":"cheap","currency":"Eur"}`, nothing, "price.undecodable"},

		"no commitment":         {`"commitmentTerm":null`, committed(sdk.Term{Kind: sdk.TermNone}, "", nil, nil), ""},
		"committed for a month": {`"commitmentTerm":{"type":"Monthly"}`, committed(sdk.Months(1, "Monthly"), "", nil, nil), ""},
		"committed for a year":  {`"commitmentTerm":{"type":"Annual"}`, committed(sdk.Years(1, "Annual"), "", nil, nil), ""},
		"committed for two":     {`"commitmentTerm":{"type":"Biennial"}`, committed(sdk.Years(2, "Biennial"), "", nil, nil), ""},
		"committed for three":   {`"commitmentTerm":{"type":"Triennial"}`, committed(sdk.Years(3, "Triennial"), "", nil, nil), ""},
		"a term nobody knows":   {`"commitmentTerm":{"type":"Eternal"}`, committed(sdk.Term{Raw: "Eternal"}, "", nil, nil), "term.unknown"},
		"an end with a time": {
			`"commitmentTerm":{"type":"Annual","termEndDate":"2026-11-20T00:00:00"}`,
			committed(sdk.Years(1, "Annual"), "2026-11-20", nil, nil), "",
		},
		"an end in year 9020": {
			`"commitmentTerm":{"type":"Annual","termEndDate":"9020-11-20"}`, committed(sdk.Years(1, "Annual"), "", nil, nil), "",
		},
		"an end that is no date": {
			`"commitmentTerm":{"type":"Annual","termEndDate":"soon"}`,
			committed(sdk.Years(1, "Annual"), "", nil, nil), "date.undecodable",
		},
		"it will not renew": {
			`"commitmentTerm":{"type":"Annual","renewalConfiguration":null}`, committed(sdk.Years(1, "Annual"), "", &no, nil), "",
		},
		"it renews as it is": {
			`"commitmentTerm":{"type":"Annual","renewalConfiguration":{"renewalDate":"2026-11-21","scheduledQuantity":null}}`,
			committed(sdk.Years(1, "Annual"), "", &yes, map[string]string{"renewal_date": "2026-11-21"}), "",
		},

		"bought on a day":    {`"purchaseDate":"2023-11-21"`, func(s *sdk.Subscription) { s.StartedOn = "2023-11-21" }, ""},
		"bought with a zone": {`"purchaseDate":"2023-11-21T20:27:05Z"`, func(s *sdk.Subscription) { s.StartedOn = "2023-11-21T20:27:05Z" }, ""},
		"bought on no date":  {`"purchaseDate":"once"`, nothing, "date.undecodable"},
		"a quantity of zero": {`"quantity":0`, func(s *sdk.Subscription) { s.Items[0].Quantity = sdk.Int(0) }, ""},
		"a quantity as text": {`"quantity":"12"`, func(s *sdk.Subscription) { s.Items[0].Quantity = sdk.Int(12) }, ""},
		"a quantity of null": {`"quantity":null`, func(s *sdk.Subscription) { s.Items[0].Quantity = sdk.Decimal{} }, ""},
		"a name in other text": {
			`"productName":"Büro – 日本"`, func(s *sdk.Subscription) { s.Name, s.Items[0].Name = "Büro – 日本", "Büro – 日本" }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := []string{`"id":"` + first + `"`, `"description":"Mail"`, `"sku":"M1"`}
			for name, usual := range map[string]string{"productName": `"Mail"`, "quantity": `7`} {
				if !strings.Contains(test.members, name) {
					members = append(members, `"`+name+`":`+usual)
				}
			}
			if test.members != "" {
				members = append(members, test.members)
			}
			want := sdk.Subscription{
				Ref: first, CustomerRef: acme, Name: "Mail", State: sdk.StateActive,
				Items: []sdk.Item{{Name: "Mail", SKU: "M1", Quantity: sdk.Int(7)}},
			}
			test.want(&want)
			if want.Name != "Mail" {
				want.Extra = map[string]string{"description": "Mail"}
			}
			sim := oneCustomer(t, "[{"+strings.Join(members, ",")+"}]")
			got := sdktest.Subscriptions(t, plugin(), sim.Settings())
			if diff := cmp.Diff([]sdk.Subscription{want}, got.Records, sameDecimals); diff != "" || !got.Complete {
				t.Errorf("complete %t (-want +got):\n%s", got.Complete, diff)
			}
			switch {
			case test.warning == "" && len(got.Warnings) > 0:
				t.Errorf("warnings %q, want none", got.Warnings)
			case test.warning != "" && (len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], test.warning+": ")):
				t.Errorf("warnings %q, want one %s", got.Warnings, test.warning)
			}
		})
	}
}

func TestSubscriptionsThatCannotBeReadMakeTheirScopePartial(t *testing.T) {
	t.Parallel()
	for name, element := range map[string]string{
		"no object":                  `"x"`,
		"no id":                      `{"productName":"Mail","quantity":1}`,
		"a blank id":                 `{"id":" ","quantity":1}`,
		"a quantity that is none":    `{"id":"` + second + `","quantity":"many"}`,
		"a quantity that is a truth": `{"id":"` + second + `","quantity":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := oneCustomer(t, `[`+element+`,`+element+`,{"id":"`+first+`","quantity":1}]`)
			got := sdktest.Subscriptions(t, plugin(), sim.Settings())
			if len(got.Records) != 1 || got.Scopes[acme] != "partial" || got.Err.Class != sdk.ClassSchema ||
				!strings.Contains(got.Warnings[0], "and 1 more like this") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestASubscriptionListedTwiceIsSentOnceAndTheLastCounts(t *testing.T) {
	t.Parallel()
	sim := oneCustomer(t, `[{"id":"`+first+`","quantity":1},{"id":"`+second+`","quantity":2},
		{"id":"`+strings.ToUpper(first)+`","quantity":3}]`)
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if len(got.Records) != 2 || got.Records[0].Items[0].Quantity != sdk.Int(3) || !got.Complete || len(got.Warnings) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestTheSubscriptionsOfASuspendedCustomerAreSuspended(t *testing.T) {
	t.Parallel()
	sim, _ := newAccount(t, `[{"id":"`+acme+`","displayName":"Acme","suspendedOn":"2025-01-13T20:30:05.7613888"},
		{"id":"`+byte2+`","displayName":"Byte"}]`,
		map[string]string{acme: `[{"id":"` + first + `","quantity":1}]`, byte2: `[{"id":"` + second + `","quantity":1}]`})
	got := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "max_parallel", 1))
	if len(got.Records) != 2 || !got.Complete {
		t.Fatalf("%+v", got)
	}
	if s := got.Records[0]; s.State != sdk.StateSuspended || s.Extra["customer_suspended_on"] != "2025-01-13T20:30:05Z" {
		t.Errorf("of the suspended customer: %+v", s)
	}
	if s := got.Records[1]; s.State != sdk.StateActive || s.Extra != nil {
		t.Errorf("of the other: %+v", s)
	}
}
