// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
)

// reconciliation is Microsoft's reconciliation file with these rows: subscription, charge type, period, quantity, amount.
func reconciliation(rows ...string) string {
	const header = "PartnerId,CustomerId,CustomerName,MpnId,ResellerMpnId,OrderId,SubscriptionId,SyndicationPartnerSubscriptionNumber,OfferId," +
		"DurableOfferId,OfferName,SubscriptionStartDate,SubscriptionEndDate,ChargeStartDate,ChargeEndDate,ChargeType,UnitPrice,Quantity,Amount," +
		"TotalOtherDiscount,Subtotal,Tax,TotalForCustomer,Currency,DomainName,SubscriptionName,SubscriptionDescription,BillingCycleType\r\n"
	var b strings.Builder
	b.WriteString(header)
	for _, row := range rows {
		f := strings.Split(row, "|")
		b.WriteString("8ddd0364,7e4a-0001,Blue Gum Dental,4390934,,566890604832738111,usCBMgAAAAAAAAIA," + f[0] + ",FE616D64,1017D7F3," +
			"Office 365 E3,9/16/2020 0:00,9/15/2021 0:00," + f[2] + " 0:00," + f[3] + " 23:59," + f[1] + ",51.93," + f[4] + "," + f[5] +
			",0," + f[5] + ",0," + f[5] + ",EUR,bluegum.onmicrosoft.example,Office 365 E3,Office 365 E3,MONTHLY\r\n")
	}
	return b.String()
}

var partnerCenterSettings = map[string]any{"layout": partnerCenter}

func TestAReconciliationFile(t *testing.T) {
	t.Parallel()
	got := one(t, read(t, reconciliation("fb977ab5|Cycle fee|3/1/2021|3/31/2021|5|259.65"), partnerCenterSettings))
	want := sdk.Subscription{
		Ref: "fb977ab5", CustomerRef: "7e4a-0001", VendorRef: "fb977ab5", VendorTenantRef: "7e4a-0001", Name: "Office 365 E3", Vendor: "microsoft",
		State: sdk.StateActive, BillingTerm: sdk.Months(1, "MONTHLY"), StartedOn: "2020-09-16", CommitmentEnd: "2021-09-15",
		Items: []sdk.Item{{
			Name: "Office 365 E3", VendorSKU: "1017D7F3", Quantity: sdk.Int(5), PricePer: sdk.PricePerTotal,
			PartnerCost: sdk.Money{Amount: number(t, "259.65"), Currency: "EUR"},
		}},
		Extra: map[string]string{"period_start": "2021-03-01", "period_end": "2021-03-31", "rows": "1"},
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLayoutsSayWhatAbsenceMeans(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ ended, ignoreCase bool }{
		plainLayout: {true, false}, rhipeInvoice: {false, true}, partnerCenter: {false, true},
	} {
		displayName, told := connect(settings{Layout: name, Distributor: "Harbour Telecom"}).Describe()
		if displayName != "Harbour Telecom" || told.AbsenceMeansEnded != want.ended || told.RefsIgnoreCase != want.ignoreCase || told.SubscriptionScope != sdk.ScopeAccount {
			t.Errorf("layout %q: %q, %+v", name, displayName, told)
		}
	}
}

func TestWhatChargesComeTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		rows           []string
		quantity, cost string
		state          sdk.State
	}{
		{
			name: "the rows of one period add up",
			rows: []string{"Cycle fee|3/1/2021|3/31/2021|5|50", "Cycle fee|3/1/2021|3/31/2021|3|27"}, quantity: "8", cost: "77",
		},
		{
			name: "a change in the past period does not add to the present one", // 495 fewer from 12 April on, as a partner's guide has it
			rows: []string{
				"Cycle fee|4/16/2021|5/15/2021|5|259.65", "Cycle instance prorate|3/16/2021|4/11/2021|500|22614.68",
				"Cycle instance prorate|4/12/2021|4/15/2021|5|33.50", "Cycle instance prorate|3/16/2021|4/15/2021|495|-25705.35",
			},
			quantity: "5", cost: "259.65",
		},
		{
			name: "whatever the order of the rows",
			rows: []string{
				"Cycle instance prorate|1/1/2021|1/31/2021|97|-2705.40", "Cycle instance prorate|1/6/2021|1/31/2021|100|2193.56",
				"Prorate fee when renew|2/1/2021|2/28/2021|100|2791.80", "Cycle instance prorate|1/1/2021|1/5/2021|97|579.73",
			},
			quantity: "100", cost: "2791.8",
		},
		{
			name: "seats added on the day of purchase: what was bought is given back and all is charged anew",
			rows: []string{"New|2/1/2021|2/28/2021|5|50", "addQuantity|2/1/2021|2/28/2021|5|-50", "addQuantity|2/1/2021|2/28/2021|8|80"}, quantity: "8", cost: "80",
		},
		{
			name: "the same, where what was bought is on an earlier invoice",
			rows: []string{"addQuantity|2/15/2021|2/28/2021|5|-25", "addQuantity|2/15/2021|2/28/2021|8|40"}, quantity: "8", cost: "40",
		},
		{
			name:     "the same, with negative quantities",
			rows:     []string{"New|2/1/2021|2/28/2021|5|50", "removeQuantity|2/3/2021|2/28/2021|-5|-46", "removeQuantity|2/3/2021|2/28/2021|2|18"},
			quantity: "2", cost: "18",
		},
		{
			name: "cancelled in the middle",
			rows: []string{"Cycle fee|3/1/2021|3/31/2021|5|50", "Prorate fees when cancel|3/10/2021|3/31/2021|5|-35"}, quantity: "0", state: sdk.StateCancelled,
		},
		{
			name: "cancelled on the first day",
			rows: []string{"New|3/1/2021|3/31/2021|5|50", "cancelImmediate|3/1/2021|3/31/2021|5|-50"}, quantity: "0", state: sdk.StateCancelled,
		},
		{
			name: "cancelled, and charged on an earlier invoice",
			rows: []string{"Prorate fees when cancel|3/10/2021|3/31/2021|5|-35"}, quantity: "0", state: sdk.StateCancelled,
		},
		{
			name: "two of five given back and nothing charged anew",
			rows: []string{"Cycle fee|3/1/2021|3/31/2021|5|50", "Cancel fee|3/10/2021|3/31/2021|2|-14"}, quantity: "3",
		},
		{
			name: "seats given back of which nobody knows how many there were",
			rows: []string{"Cancel fee|3/10/2021|3/31/2021|2|-14"}, quantity: "",
		},
		{
			name: "a discount takes off money and no seats",
			rows: []string{"Cycle fee|3/1/2021|3/31/2021|5|50", "Cycle discount|3/1/2021|3/31/2021|5|-10"}, quantity: "5", cost: "40",
		},
		{
			name: "so does an adjustment, whatever its period",
			rows: []string{"Cycle fee|3/1/2021|3/31/2021|5|50", "Offset a line item|4/1/2021|4/30/2021|5|-50"}, quantity: "5", cost: "50",
		},
		{
			name: "a trial costs nothing and counts",
			rows: []string{"New|3/1/2021|3/31/2021|25|0"}, quantity: "25", cost: "0",
		},
		{
			name: "converted in place: the same seats are given back and charged",
			rows: []string{"Convert|3/10/2021|3/31/2021|5|-35", "Convert|3/10/2021|3/31/2021|5|70"}, quantity: "5", cost: "70",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := make([]string, len(test.rows))
			for i, row := range test.rows {
				rows[i] = []string{"fb977ab5|", "FB977AB5|"}[i%2] + row // GUIDs come in any case.
			}
			got := one(t, read(t, reconciliation(rows...), partnerCenterSettings))
			want := sdk.Money{}
			if test.cost != "" {
				want = sdk.Money{Amount: number(t, test.cost), Currency: "EUR"}
			}
			if test.state == sdk.StateUnknown {
				test.state = sdk.StateActive
			}
			item := got.Items[0]
			if item.Quantity.String() != test.quantity || item.PartnerCost != want || got.State != test.state {
				t.Errorf("%s seats for %v, state %v; want %s for %v, %v", item.Quantity, item.PartnerCost, got.State, test.quantity, want, test.state)
			}
		})
	}
}

// Thousands of rows of one subscription are settled in little memory, and come to the same.
func TestManyChargesOfOneSubscription(t *testing.T) {
	t.Parallel()
	rows := []string{"fb977ab5|Cycle fee|4/1/2021|4/30/2021|7|70"}
	for range 500 {
		rows = append(rows, "fb977ab5|Offset a line item|5/1/2021|5/31/2021|1|-1")
		rows = append(rows, "fb977ab5|Cycle instance prorate|3/1/2021|3/9/2021|5|15", "fb977ab5|Cycle instance prorate|3/1/2021|3/9/2021|5|-15")
	}
	got := one(t, read(t, reconciliation(rows...), partnerCenterSettings))
	if got.Items[0].Quantity != sdk.Int(7) || got.Extra["rows"] != "1501" {
		t.Errorf("%+v", got)
	}
}

func TestRowsThatCannotBeAddedUp(t *testing.T) {
	t.Parallel()
	good := "a1|Cycle fee|3/1/2021|3/31/2021|5|50"
	for _, test := range []struct {
		name, content string
		records       int
		failed        bool
		says          []string
	}{
		{
			"leave their subscription out", reconciliation(good, "b2|Cycle fee|3/1/2021|3/31/2021|5|50", "b2|Cycle fee|3/1/2021|3/31/2021|many|27"), 1, false,
			[]string{"subs.csv:4", `"many"`, `subscription "b2" is left out`},
		},
		{
			"for want of a period, too", reconciliation(good, "b2|Cycle fee|soon|3/31/2021|5|50"), 1, false,
			[]string{"subs.csv:3", "period_start", `"soon 0:00"`, `subscription "b2" is left out`},
		},
		{
			"fail the file if nobody knows whose they are", reconciliation(good, "|Cycle fee|3/1/2021|3/31/2021|5|50"), 0, true,
			[]string{"subs.csv:3", "it has no id", "not known which subscription"},
		},
		{
			"fail the file if they are broken", reconciliation(good) + "a1,Cycle fee\r\n" + strings.SplitAfter(reconciliation(good), "\n")[1], 0, true,
			[]string{"subs.csv:3", "2 fields"},
		},
		{"fail the file if it was cut", strings.TrimSuffix(reconciliation(good, good), "\r\n"), 0, true, []string{"subs.csv", "not whole", "no line end"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, partnerCenterSettings)
			outcome := map[bool]string{true: "failed", false: "partial"}[test.failed]
			if got.Complete || got.Scopes[scopeRef] != outcome || len(got.Records) != test.records {
				t.Errorf("%d records, scopes %v", len(got.Records), got.Scopes)
			}
			if !says(append(got.Warnings, errorText(got)...), test.says...) {
				t.Errorf("it says %q, %v", got.Warnings, got.Err)
			}
		})
	}
}

// The columns are those that were read by a client of PRISM; the customer's is an assumption.
func TestARhipeInvoice(t *testing.T) {
	t.Parallel()
	content := "\ufeffSubscriptionId,EndCustomer,OfferName,ChargeStartDate,ChargeEndDate,UnitPrice,UnitPriceRrp,Quantity,BillableRatio,SubTotal,SubTotalRrp\r\n" +
		"50b5-01,Wattle Street Legal,Business Premium,2024-05-01T00:00:00.0000000+00:00,2024-05-14T00:00:00.0000000+00:00,30,33,5,0.4516,67.74,74.51\r\n" +
		"50b5-01,Wattle Street Legal,Business Premium,2024-05-15T00:00:00.0000000+00:00,2024-05-31T00:00:00.0000000+00:00,30,33,8,0.5484,131.62,144.78\r\n"
	more := map[string]any{"layout": rhipeInvoice, "currency": "AUD"}
	if got := read(t, content, more); got.Complete || !says(errorText(got), "customer_id or customer_name", `"EndCustomer"`, `columns = { customer_id = "…" }`) {
		t.Errorf("without a column for the customer: %v", got.Err)
	}
	more["columns"] = map[string]string{"customer_name": "EndCustomer"}
	got := one(t, read(t, content, more))
	want := sdk.Subscription{
		Ref: "50b5-01", CustomerRef: "Wattle Street Legal", Name: "Business Premium", State: sdk.StateActive,
		Items: []sdk.Item{{
			Name: "Business Premium", Quantity: sdk.Int(8), PricePer: sdk.PricePerTotal,
			PartnerCost: sdk.Money{Amount: number(t, "131.62"), Currency: "AUD"}, ListPrice: sdk.Money{Amount: number(t, "144.78"), Currency: "AUD"},
		}},
		Extra: map[string]string{"period_start": "2024-05-15", "period_end": "2024-05-31", "rows": "2"},
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRowsWithoutPeriodsAddUp(t *testing.T) {
	t.Parallel()
	content := "id,customer_id,quantity,amount,currency\n1,C,5,50,AUD\n2,C,1,10,AUD\n1,C,3,30,AUD\n1,C,-2,-20,AUD\n2,C,,5,EUR\n3,C,,,\n"
	got := read(t, content, map[string]any{"rows": rowsAdd})
	if !got.Complete || len(got.Records) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []sdk.Item{
		{Quantity: sdk.Int(6), PartnerCost: sdk.Money{Amount: sdk.Int(60), Currency: "AUD"}, PricePer: sdk.PricePerTotal},
		{Quantity: sdk.Int(1), PricePer: sdk.PricePerTotal},
		{PricePer: sdk.PricePerTotal},
	} {
		if d := diff(want, got.Records[i].Items[0]); d != "" {
			t.Errorf("record %d: %s", i, d)
		}
	}
	if !says(got.Warnings, "subs.csv:6", `"2"`, "several currencies") {
		t.Errorf("warnings %q", got.Warnings)
	}
	// In more rows than are kept one by one.
	many := "id,customer_id,quantity\n" + strings.Repeat("1,C,2\n1,C,-1\n", 100)
	if got := one(t, read(t, many, map[string]any{"rows": rowsAdd})); got.Items[0].Quantity != sdk.Int(100) {
		t.Errorf("%+v", got)
	}
}
