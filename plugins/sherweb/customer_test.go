// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestCustomers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		element string
		want    sdk.Customer
	}{
		"in good standing, without an address": {
			`{"id":"` + acme + `","displayName":"Acme Ltd","path":["root","Acme Ltd"],"suspendedOn":null}`,
			sdk.Customer{Ref: acme, Name: "Acme Ltd", Lifecycle: sdk.LifecycleActive},
		},
		"without the member suspendedOn": {
			`{"id":"` + acme + `","displayName":"Acme","path":[]}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleActive},
		},
		"suspended, at an instant without zone and with seven digits": {
			`{"id":"` + acme + `","displayName":"Acme","path":[],"suspendedOn":"2021-01-13T20:30:05.7613888"}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleSuspended, Status: "suspended on 2021-01-13T20:30:05Z"},
		},
		"suspended, on a day": {
			`{"id":"` + acme + `","displayName":"Acme","path":[],"suspendedOn":"2021-01-13"}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleSuspended, Status: "suspended on 2021-01-13"},
		},
		"suspended, on what is no date": {
			`{"id":"` + acme + `","displayName":"Acme","path":[],"suspendedOn":"last week"}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleSuspended, Status: "suspended on last week"},
		},
		"suspended at the beginning of time, which stands for never": {
			`{"id":"` + acme + `","displayName":"Acme","path":[],"suspendedOn":"0001-01-01T00:00:00"}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleActive},
		},
		"with members that nobody knows": {
			`{"id":"` + acme + `","displayName":"Acme","path":[],"addedLater":{"a":[1]}}`,
			sdk.Customer{Ref: acme, Name: "Acme", Lifecycle: sdk.LifecycleActive},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _ := newAccount(t, "["+test.element+"]", nil)
			got := sdktest.Customers(t, plugin(), sim.Settings())
			if diff := cmp.Diff([]sdk.Customer{test.want}, got.Records); diff != "" || !got.Complete {
				t.Errorf("complete %t, %v (-want +got):\n%s", got.Complete, got.Err, diff)
			}
		})
	}
}

func TestCustomersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, element := range map[string]string{"no object": `42`, "no id": `{"displayName":"?"}`, "a null id": `{"id":null}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _ := newAccount(t, `[`+element+`,{"id":"`+acme+`","displayName":"Acme"}]`, map[string]string{acme: `[{"id":"` + first + `"}]`})
			customers := sdktest.Customers(t, plugin(), sim.Settings())
			if len(customers.Records) != 1 || customers.Scopes["customers"] != "partial" || customers.Err.Class != sdk.ClassSchema {
				t.Errorf("customers: %+v", customers)
			}
			subscriptions := sdktest.Subscriptions(t, plugin(), sim.Settings())
			want := map[string]string{"unreadable": "failed", acme: "complete"}
			if diff := cmp.Diff(want, subscriptions.Scopes); diff != "" || subscriptions.Complete || len(subscriptions.Records) != 1 {
				t.Errorf("subscriptions: %+v (-want +got):\n%s", subscriptions, diff)
			}
		})
	}
}

func TestCustomersAreNarrowedAndIdsCompareWithoutCase(t *testing.T) {
	t.Parallel()
	sim, _ := threeCustomers(t)
	got := sdktest.Customers(t, plugin(), sim.Settings(), "0A1B2C3D-0002-4000-8000-000000000002")
	if len(got.Records) != 1 || got.Records[0].Ref != byte2 {
		t.Errorf("%+v", got)
	}
}

func TestAnAccountWithoutCustomersIsComplete(t *testing.T) {
	t.Parallel()
	sim, _ := newAccount(t, `[]`, nil)
	customers, subscriptions := sdktest.Customers(t, plugin(), sim.Settings()), sdktest.Subscriptions(t, plugin(), sim.Settings())
	if !customers.Complete || len(customers.Records) != 0 || !subscriptions.Complete || len(subscriptions.Scopes) != 0 {
		t.Errorf("%+v, %+v", customers, subscriptions)
	}
}
