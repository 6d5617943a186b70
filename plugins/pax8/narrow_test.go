// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// watched is a simulator that tells what it was asked for.
type watched struct {
	*simulator.HTTP
	mu       sync.Mutex
	requests []string
}

func newWatched(t *testing.T, o pax8sim.Options) *watched {
	t.Helper()
	w := &watched{}
	o.Seen = func(request string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requests = append(w.requests, request)
	}
	w.HTTP = newSimulator(t, o)
	return w
}

func (w *watched) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

// companyID is the id of a company of the simulator's.
func companyID(i int) string { return fmt.Sprintf("c0000000-0000-4000-8000-%012x", i) }

func TestWhatAListingAsksFor(t *testing.T) {
	t.Parallel()
	w := newWatched(t, pax8sim.Options{Subscriptions: []string{
		`{"id": "s1", "companyId": "c1"}`, `{"id": "s2", "companyId": "c1"}`, `{"id": "s3", "companyId": "c2"}`,
	}})
	sdktest.Customers(t, plugin(), w.Settings())
	sdktest.Subscriptions(t, plugin(), with(w.HTTP, "page_size", "2"))
	sdktest.Subscriptions(t, plugin(), with(w.HTTP, "fetch_products", "false"), "c2")
	want := []string{
		"/v1/companies?page=0&size=200&sort=name%2Casc",
		"/v1/products?page=0&size=2&sort=name%2Casc",
		"/v1/subscriptions?page=0&size=2&sort=createdDate%2Casc",
		"/v1/subscriptions?page=1&size=2&sort=createdDate%2Casc",
		"/v1/subscriptions?companyId=c2&page=0&size=200&sort=createdDate%2Casc",
	}
	if diff := cmp.Diff(want, w.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestAFewCustomersAreAskedForAlone(t *testing.T) {
	t.Parallel()
	w := newWatched(t, pax8sim.Options{})
	got := sdktest.Subscriptions(t, plugin(), with(w.HTTP, "fetch_products", "false"), companyID(3), companyID(9))
	if !got.Complete || len(got.Records) != 10 || len(w.asked()) != 2 {
		t.Errorf("complete %t, %d records, asked for %q", got.Complete, len(got.Records), w.asked())
	}
}

func TestManyCustomersAreReadWithAll(t *testing.T) {
	t.Parallel()
	w := newWatched(t, pax8sim.Options{})
	var refs []string
	for i := range alone + 1 {
		refs = append(refs, companyID(i))
	}
	got := sdktest.Subscriptions(t, plugin(), with(w.HTTP, "fetch_products", "false"), refs...)
	asked := w.asked()
	if !got.Complete || len(got.Records) != 5*len(refs) || len(asked) != 6 || strings.Contains(strings.Join(asked, " "), "companyId") {
		t.Errorf("complete %t, %d records, asked for %q", got.Complete, len(got.Records), asked)
	}
}

func TestOneCompanyOfSeveralFails(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	play(t, sim, "company.forbidden")
	got := sdktest.Subscriptions(t, plugin(), sim.Settings(), companyID(3), companyID(9), companyID(12))
	if got.Complete || got.Scopes[account] != "partial" || len(got.Records) != 10 {
		t.Errorf("the scope ends %s with %d records: %v", got.Scopes[account], len(got.Records), got.Err)
	}
	for i := range got.Records {
		if got.Records[i].CustomerRef == companyID(3) {
			t.Errorf("%+v", got.Records[i])
		}
	}
	if !slices.ContainsFunc(got.Warnings, func(w string) bool {
		return strings.HasPrefix(w, "company.failed: ") && strings.Contains(w, companyID(3))
	}) {
		t.Errorf("warnings %q", got.Warnings)
	}
}

func TestEveryCompanyFails(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	got := sdktest.Subscriptions(t, plugin(), sim.Settings(), "nobody", "no one")
	if got.Scopes[account] != "failed" || got.Err == nil || got.Err.Class != sdk.ClassPermission {
		t.Errorf("the scope ends %s: %v", got.Scopes[account], got.Err)
	}
}

// A thousand calls a minute are what Pax8 allows; the pace is kept from the first minute on.
func TestTheRateIsKept(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	s := with(sim, "page_size", "150") // Seven pages of subscriptions, and a token.
	s["fetch_products"], s["requests_per_minute"] = "false", "240"
	began := time.Now()
	got := sdktest.Subscriptions(t, plugin(), s)
	// Four a second: four at once, the other four a quarter of a second apart.
	if took := time.Since(began); took < 900*time.Millisecond || !got.Complete {
		t.Errorf("complete %t after %s", got.Complete, took)
	}
	d := plugin().Capabilities
	if d.RequestsPerMinute != 1000 {
		t.Errorf("it declares %d requests a minute", d.RequestsPerMinute)
	}
}
