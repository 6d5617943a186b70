// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// demoSettings lead to the files of Harbour Telecom, a distributor that there is not.
func demoSettings(t *testing.T) map[string]any {
	t.Helper()
	directory, err := filepath.Abs("../../configs/demo-csv")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"distributor": "Harbour Telecom", "directory": directory, "subscriptions": "subscriptions.csv", "customers": "customers.csv",
		"settle": "0s", "currency": "AUD", "statuses": map[string]string{"In service": "active", "Disconnected": "cancelled"},
		"columns": map[string]string{
			"id": "Service ID", "customer_id": "Account", "name": "Plan", "sku": "Code", "quantity": "Lines", "started_on": "Connected",
			"billing_term": "Billed", "commitment_term": "Contract", "cost": "Unit price (ex GST)",
		},
		"customer_columns": map[string]string{
			"id": "Account", "name": "Company", "line1": "Street", "city": "Town", "region": "State", "postal_code": "Postcode", "email": "E-mail",
		},
	}
}

func TestTheDemonstrationIsReadWhole(t *testing.T) {
	t.Parallel()
	subscriptions := sdktest.Subscriptions(t, plugin(), demoSettings(t))
	if !subscriptions.Complete || len(subscriptions.Records) != 10 || len(subscriptions.Warnings) > 0 {
		t.Fatalf("%+v", subscriptions)
	}
	want := sdk.Subscription{
		Ref: "HT-50002", CustomerRef: "HT-1001", Name: "Hosted PBX Extension", State: sdk.StateActive, Status: "In service", StartedOn: "2023-07-01",
		BillingTerm: sdk.Months(1, "Monthly"), CommitmentTerm: sdk.Months(24, "24 months"),
		Items: []sdk.Item{{
			Name: "Hosted PBX Extension", SKU: "PBX-EXT", Quantity: sdk.Int(22), PricePer: sdk.PricePerUnit,
			PartnerCost: sdk.Money{Amount: number(t, "14.5"), Currency: "AUD"},
		}},
	}
	if d := diff(want, subscriptions.Records[1]); d != "" {
		t.Error(d)
	}
	states := map[sdk.State]int{}
	for _, s := range subscriptions.Records {
		states[s.State]++
	}
	if d := diff(map[sdk.State]int{sdk.StateActive: 7, sdk.StateSuspended: 1, sdk.StatePending: 1, sdk.StateCancelled: 1}, states); d != "" {
		t.Error(d)
	}
}

// Two customers are also Rhipe's in its demonstration, so that one customer there holds subscriptions of both.
func TestTheDemonstrationSharesTwoCustomersWithRhipe(t *testing.T) {
	t.Parallel()
	customers := sdktest.Customers(t, plugin(), demoSettings(t))
	if !customers.Complete || len(customers.Records) != 5 || len(customers.Warnings) > 0 {
		t.Fatalf("%+v", customers)
	}
	rhipe := readFile(t, "../rhipe/prismsim/demo.go")
	shared := 0
	for _, c := range customers.Records {
		if strings.Contains(rhipe, `"`+c.Name+`"`) {
			shared++
		}
	}
	if shared != 2 {
		t.Errorf("%d customers are shared", shared)
	}
}
