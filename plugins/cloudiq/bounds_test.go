// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// twoOrganizations is an account with two organisations, each with a customer tenant and a subscription.
func twoOrganizations() cloudiqsim.Options {
	subscription := func(id, organization, tenant int) string {
		return fmt.Sprintf(`{"Id":%d,"Name":"Mail","Quantity":1,"Status":1,"Organization":{"Id":%d},"CustomerTenant":{"Id":%d},"Subscriptions":null}`,
			id, organization, tenant)
	}
	return cloudiqsim.Options{
		Organizations: []string{theOrganization, otherOrganization}, Tenants: []string{theTenant, otherTenant},
		Subscriptions: []string{subscription(1, 3869, 486), subscription(2, 3870, 487)},
	}
}

// TestAPageBeyondMeasureFailsItsScope: what a page may hold is bounded in elements and in bytes; other organisations are read.
func TestAPageBeyondMeasureFailsItsScope(t *testing.T) {
	t.Parallel()
	tiny := func(i int) string {
		return fmt.Sprintf(`{"Id":%d,"Quantity":1,"CustomerTenant":{"Id":486},"Subscriptions":null}`, 1000+i)
	}
	for name, c := range map[string]struct {
		list    string
		element func(i int) string
		count   int
		says    string
	}{
		"many subscriptions": {subscriptionsPath, tiny, 10_001, "a page holds more than 10000 elements, and 50 elements were asked for"},
		"a page without end": {subscriptionsPath, tiny, 1 << 30, "a page holds more than 10000 elements"},
		"many tenants":       {tenantsPath, func(i int) string { return fmt.Sprintf(`{"Id":%d}`, 1000+i) }, 10_001, "a page holds more than 10000 elements"},
		"many add-ons": {subscriptionsPath, func(i int) string {
			var addons []string
			for n := range 6_000 {
				addons = append(addons, fmt.Sprintf(`{"Id":%d,"Quantity":1}`, (i+1)*1_000_000+n))
			}
			return strings.Replace(tiny(i), "null", "["+strings.Join(addons, ",")+"]", 1)
		}, 2, "a page holds more than 10000 subscriptions and add-ons"},
		"a large element": {subscriptionsPath, func(int) string { return `{"Name":"` + strings.Repeat("x", maxElement) + `"}` }, 1, "larger than the limit of 4.0 MiB"},
		"a large page": {subscriptionsPath, func(i int) string {
			return fmt.Sprintf(`{"Id":%d,"Notes":"%s"}`, 1000+i, strings.Repeat("x", maxElement/2))
		}, 1 << 30, "larger than the limit of 64.0 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := newSimulator(t, twoOrganizations())
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, c.list) || r.URL.Query().Get("organizationId") != "3869" {
					sim.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, err := fmt.Fprint(w, `{"Items":[null`)
				for i := 0; i < c.count && err == nil; i++ {
					_, err = fmt.Fprint(w, ",", c.element(i))
				}
				_, _ = fmt.Fprintf(w, `],"TotalHits":%d}`, c.count+1)
			}))
			t.Cleanup(server.Close)
			settings := with(with(sim.Settings(), "api_base_url", server.URL+"/api/v1"), "fetch_details", "false")
			got := sdktest.Subscriptions(t, plugin(), settings)
			want := map[string]string{"3869": "failed", "3869/add-ons": "failed", "3870": "complete", "3870/add-ons": "complete"}
			if diff := cmp.Diff(want, got.Scopes); diff != "" || len(got.Records) != 1 {
				t.Errorf("%d records; %s", len(got.Records), diff)
			}
			if got.Err == nil || got.Err.Class != sdk.ClassSchema || !strings.Contains(got.Err.Message, c.says) {
				t.Errorf("it says %v, want %q", got.Err, c.says)
			}
		})
	}
}

// TestALargePage is read whole, with the details of each record, although these are read some at a time.
func TestALargePage(t *testing.T) {
	t.Parallel()
	o := sample()
	o.Subscriptions = nil
	for i := range 3*together + 1 {
		o.Subscriptions = append(o.Subscriptions, bare(i, `"Status":1`))
		o.SubscriptionDetails[fmt.Sprint(i)] = fmt.Sprintf(theDetails, i, "2025-03-13T23:59:59Z")
	}
	sim := newSimulator(t, o)
	got := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "page_size", "1000"))
	if len(got.Records) != 3*together+1 || got.Scopes["3869"] != "complete" {
		t.Fatalf("%d records, scopes %v, %v", len(got.Records), got.Scopes, got.Err)
	}
	for _, r := range got.Records {
		if !strings.HasPrefix(r.CommitmentEnd, "2025-03-13") {
			t.Fatalf("subscription %s ends its commitment on %q", r.Ref, r.CommitmentEnd)
		}
	}
}

// TestAnIDThatCannotBeOneEndsNothing: an organisation's id names its scopes. One that cannot is left out with a reason.
func TestAnIDThatCannotBeOneEndsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, says string }{
		"too long":                  {strings.Repeat("7", 5000), "it has 5000 bytes and begins \"7777"},
		"that of another scope":     {"organizations", "cannot be one"},
		"that of another's add-ons": {"3869/add-ons", "cannot be one"},
		"that of another, far off":  {"3869", "organisation 3869 is listed twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := twoOrganizations()
			filler := `{"Id":3871,"Name":"Empty"}`
			o.Organizations = append(o.Organizations, filler, `{"Id":"`+c.id+`","Name":"Odd"}`)
			sim := newSimulator(t, o)
			settings := with(with(sim.Settings(), "fetch_details", "false"), "page_size", "1")
			got := sdktest.Subscriptions(t, plugin(), settings)
			want := map[string]string{doubted: "partial"}
			for _, id := range []string{"3869", "3870", "3871"} {
				want[id], want[id+"/add-ons"] = "complete", "complete"
			}
			if diff := cmp.Diff(want, got.Scopes); diff != "" || len(got.Records) != 2 {
				t.Errorf("%d records, %v; %s", len(got.Records), got.Err, diff)
			}
			if got.Err == nil || !strings.Contains(got.Err.Message, c.says) || len(got.Err.Message) > 1000 {
				t.Errorf("it says %v, want %q", got.Err, c.says)
			}
			customers := sdktest.Customers(t, plugin(), with(settings, "fetch_addresses", "false"))
			if customers.Scopes[doubted] != "partial" || len(customers.Records) != 5 {
				t.Errorf("%d customers, scopes %v, %v", len(customers.Records), customers.Scopes, customers.Err)
			}
		})
	}
}
