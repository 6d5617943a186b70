// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Run(t, sdktest.Suite{Plugin: plugin, Simulator: newSimulator(t, generated)})
}

func TestTheExampleListsWhatThereIs(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, fixed(`[{"id": "c1", "name": "Acme"}]`, `[
		{"id": "s1", "customer": "c1", "product": "Mail", "seats": 25, "status": "live"},
		{"id": "s2", "customer": "c1", "product": "Backup", "seats": "2.50", "status": "dreaming"},
		{"id": "s3", "customer": "c1", "product": "Metered", "status": "ended"}]`))
	half, err := sdk.ParseDecimal("2.5")
	if err != nil {
		t.Fatal(err)
	}
	want := []sdk.Subscription{
		{Ref: "s1", CustomerRef: "c1", Name: "Mail", State: sdk.StateActive, Status: "live", Items: []sdk.Item{{Name: "Mail", Quantity: sdk.Int(25)}}},
		{Ref: "s2", CustomerRef: "c1", Name: "Backup", Status: "dreaming", Items: []sdk.Item{{Name: "Backup", Quantity: half}}},
		{Ref: "s3", CustomerRef: "c1", Name: "Metered", State: sdk.StateCancelled, Status: "ended", Items: []sdk.Item{{Name: "Metered"}}},
	}
	got := sdktest.Subscriptions(t, plugin, sim.Settings())
	if diff := cmp.Diff(want, got.Records, cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b })); diff != "" || !got.Complete {
		t.Errorf("complete %t (-want +got):\n%s", got.Complete, diff)
	}
	customers := sdktest.Customers(t, plugin, sim.Settings())
	if diff := cmp.Diff([]sdk.Customer{{Ref: "c1", Name: "Acme"}}, customers.Records); diff != "" || !customers.Complete {
		t.Errorf("complete %t (-want +got):\n%s", customers.Complete, diff)
	}
}

func TestSeatsThatAreNoNumberMakeTheScopePartial(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, fixed(`[]`, `[{"id": "s1", "customer": "c1", "seats": "many"}, {"id": "s2", "customer": "c1", "seats": 1}]`))
	got := sdktest.Subscriptions(t, plugin, sim.Settings())
	if len(got.Records) != 1 || got.Scopes["account"] != "partial" || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "s1") }) {
		t.Errorf("%+v", got)
	}
}

func TestTheExampleIsSmall(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(source), "\n"), "\n")
	if len(lines) > 80 {
		t.Errorf("%d lines, want at most 80", len(lines))
	}
	if long := slices.MaxFunc(lines, func(a, b string) int { return len(a) - len(b) }); len(long) > 140 {
		t.Errorf("a line of %d characters", len(long))
	}
}

// fixed answers with two texts.
func fixed(customers, subscriptions string) func(int) http.Handler {
	return func(int) http.Handler {
		api := http.NewServeMux()
		api.HandleFunc("GET /customers", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, customers) })
		api.HandleFunc("GET /subscriptions", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, subscriptions) })
		return api
	}
}
