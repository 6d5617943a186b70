// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// The conformance suite plays every fault and holds how a listing ends against it. These tests hold what was listed, and
// what is said, against it.
func TestWhatIsListedOfTroubledPages(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]struct {
		records int
		scope   string
		class   sdk.Class
		says    string
	}{
		"":               {1050, "complete", 0, ""},
		"total.exact":    {1000, "complete", 0, ""},
		"total.one-more": {1001, "complete", 0, ""},
		"total.none":     {0, "complete", 0, ""},
		"total.grows":    {1051, "partial", sdk.ClassSchema, "went from 1050 to 1051"},
		"total.shifts":   {1050, "partial", sdk.ClassSchema, "came twice"},
		"total.shrinks":  {1049, "partial", sdk.ClassSchema, "went from 1050 to 1049"},
		"total.too-high": {1050, "partial", sdk.ClassSchema, "1050 of 1051"},
		"total.too-low":  {1050, "partial", sdk.ClassSchema, "only 1049 are announced"},
		"total.untold":   {1050, "partial", sdk.ClassSchema, "page.totalElements"},
		"page.capped":    {1050, "complete", 0, ""},
		"page.default":   {1050, "complete", 0, ""},
		"page.empty":     {200, "partial", sdk.ClassSchema, "200 of 1050"},
		"page.lacks":     {1049, "partial", sdk.ClassSchema, "1049 of 1050"},
		"record.twice":   {1049, "partial", sdk.ClassSchema, "came twice"},
		"page.stuck":     {200, "failed", sdk.ClassSchema, "begins like an earlier page"},
		"page.failing":   {200, "failed", sdk.ClassTransient, "500"},
		"page.cut":       {-1, "failed", sdk.ClassTransient, ""},
		"page.forbidden": {200, "failed", sdk.ClassPermission, "403"},
		"minute.spent":   {1050, "complete", 0, ""},
		"minute.told":    {1050, "complete", 0, ""},
		"token.revoked":  {1050, "complete", 0, ""},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := newSimulator(t, pax8sim.Options{})
			play(t, sim, fault)
			got := sdktest.Subscriptions(t, plugin(), with(sim, "fetch_products", "false"))
			if got.Scopes[account] != want.scope || got.Complete != (want.scope == "complete") {
				t.Errorf("the scope ends %s, the listing is complete %t: %v", got.Scopes[account], got.Complete, got.Err)
			}
			if want.records >= 0 && len(got.Records) != want.records {
				t.Errorf("%d records, want %d", len(got.Records), want.records)
			}
			if got.Err != nil && (got.Err.Class != want.class || !strings.Contains(got.Err.Message, want.says)) {
				t.Errorf("it says %v; want %s and %q", got.Err, want.class, want.says)
			}
			seen := map[string]bool{}
			for i := range got.Records {
				if ref := got.Records[i].Ref; seen[ref] {
					t.Errorf("%s is listed twice", ref)
				}
				seen[got.Records[i].Ref] = true
			}
		})
	}
}

func TestThrottlingForEverTellsTheLimit(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	play(t, sim, "throttled.forever")
	got := sdktest.Subscriptions(t, plugin(), with(sim, "max_attempts", "2"))
	if got.Err == nil || got.Err.Class != sdk.ClassThrottled || got.Err.Hint != throttledHint || got.Complete {
		t.Errorf("complete %t, %+v", got.Complete, got.Err)
	}
}

func TestWordsNobodyKnowsAreKeptAndEndNothing(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	play(t, sim, "word.unknown")
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if !got.Complete || len(got.Records) != 1050 {
		t.Fatalf("complete %t, %d records", got.Complete, len(got.Records))
	}
	s := got.Records[0]
	if s.State != sdk.StateUnknown || s.Status != "Dreaming" || s.Trial != nil || s.BillingTerm != (sdk.Term{Raw: "Fortnightly"}) ||
		s.CommitmentTerm != (sdk.Term{Raw: "Lunar"}) || s.Items[0].Charge != sdk.ChargeUnknown || s.Items[0].CustomerPrice.Currency != "" {
		t.Errorf("%+v", s)
	}
	if !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "Cowries") }) {
		t.Errorf("warnings %q", got.Warnings)
	}
	customers := sdktest.Customers(t, plugin(), sim.Settings())
	c := customers.Records[0]
	if !customers.Complete || c.Lifecycle != sdk.LifecycleUnknown || c.Status != "Dreaming" || c.Address.Country != "Atlantis" || c.Address.CountryCode != "" {
		t.Errorf("complete %t, %+v", customers.Complete, c)
	}
}

func TestProductsThatCannotBeReadAreMissedAndNoMore(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"products.forbidden", "products.failing"} {
		sim := newSimulator(t, pax8sim.Options{})
		play(t, sim, fault)
		got := sdktest.Subscriptions(t, plugin(), sim.Settings())
		if !got.Complete || len(got.Records) != 1050 || got.Records[0].Vendor != "" || got.Records[0].Items[0].VendorSKU == "" {
			t.Errorf("%s: complete %t, %d records", fault, got.Complete, len(got.Records))
		}
		if len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], "products.failed: ") {
			t.Errorf("%s: warnings %q", fault, got.Warnings)
		}
	}
}
