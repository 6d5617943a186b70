// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

const (
	otherOrganization = `{"Id":3870,"Name":"Example MSP New Zealand","ParentId":3869}`
	otherTenant       = `{"Id":487,"Name":"Contoso","EntityStatus":0,"Organization":{"Id":3870}}`
)

func refsOf(list []sdk.Subscription) []string {
	refs := []string{}
	for _, s := range list {
		refs = append(refs, s.Ref)
	}
	slices.Sort(refs)
	return refs
}

func with(settings map[string]any, name string, value any) map[string]any {
	settings = maps.Clone(settings)
	settings[name] = value
	return settings
}

// TestAllIsWell: where all is well, nothing is warned of.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, cloudiqsim.Options{})
	customers, subscriptions := sdktest.Customers(t, plugin(), sim.Settings()), sdktest.Subscriptions(t, plugin(), sim.Settings())
	if !customers.Complete || !subscriptions.Complete || len(customers.Warnings)+len(subscriptions.Warnings) > 0 {
		t.Errorf("complete is %v and %v, warnings %q and %q", customers.Complete, subscriptions.Complete, customers.Warnings, subscriptions.Warnings)
	}
	for _, c := range customers.Records {
		if !c.IsPartner && c.Lifecycle == sdk.LifecycleActive && c.Address == nil {
			t.Errorf("customer %s has no address", c.Ref)
		}
	}
}

// TestOrganizationsThatAreRead: all that can be seen, or those named.
func TestOrganizationsThatAreRead(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, cloudiqsim.Options{
		Organizations: []string{theOrganization, otherOrganization}, Tenants: []string{theTenant, otherTenant},
	})
	settings := with(sim.Settings(), "fetch_addresses", "false")
	for name, c := range map[string]struct {
		named  []string
		scopes []string
	}{
		"all":        {nil, []string{"3869", "3870"}},
		"one":        {[]string{" 3870 "}, []string{"3870"}},
		"one, twice": {[]string{"3869", "3869"}, []string{"3869"}},
	} {
		listing := sdktest.Customers(t, plugin(), with(settings, "organization_ids", c.named))
		if got := slices.Sorted(maps.Keys(listing.Scopes)); !listing.Complete || !slices.Equal(got, c.scopes) || len(listing.Records) != 2*len(c.scopes) {
			t.Errorf("%s: scopes %q with %d records, complete is %v", name, got, len(listing.Records), listing.Complete)
		}
	}
	listing := sdktest.Subscriptions(t, plugin(), with(settings, "organization_ids", []string{"3869", "77"}))
	if listing.Err == nil || listing.Err.Class != sdk.ClassSettings || listing.Err.Field != "organization_ids" || !strings.Contains(listing.Err.Message, "77") {
		t.Errorf("an organisation that cannot be seen: %+v", listing.Err)
	}
	nobody := newSimulator(t, cloudiqsim.Options{Organizations: []string{}})
	if listing := sdktest.Subscriptions(t, plugin(), nobody.Settings()); listing.Complete || listing.Err.Class != sdk.ClassPermission {
		t.Errorf("a user without any organisation: %+v", listing)
	}
}

// TestARecordIsListedWithTheOrganizationItNames, and once, also where a list holds what belongs to an organisation below.
func TestARecordIsListedWithTheOrganizationItNames(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, cloudiqsim.Options{})
	if err := sim.Play(t.Context(), "organization.ignored"); err != nil {
		t.Fatal(err)
	}
	settings := with(sim.Settings(), "fetch_details", "false")
	customers := sdktest.Customers(t, plugin(), with(settings, "fetch_addresses", "false"))
	if n := len(customers.Records); n != 640/5+2 || !customers.Complete {
		t.Errorf("%d customers, complete is %v", n, customers.Complete)
	}
	const addons = 192 // Each fifth subscription has one or two.
	listing := sdktest.Subscriptions(t, plugin(), settings)
	refs := refsOf(listing.Records)
	if len(refs) != 640+addons || len(slices.Compact(refs)) != len(listing.Records) || !listing.Complete {
		t.Errorf("%d subscriptions, complete is %v", len(listing.Records), listing.Complete)
	}
}

// TestAnAddonThatAlsoStandsAlone is listed once, whichever comes first.
func TestAnAddonThatAlsoStandsAlone(t *testing.T) {
	t.Parallel()
	nested := fmt.Sprintf(theSubscription, theAddon)
	alone := bare(124, `"Name":"Audio Conferencing","Status":1`)
	for name, subscriptions := range map[string][]string{"nested first": {nested, alone}, "alone first": {alone, nested}} {
		o := sample()
		o.Subscriptions = subscriptions
		sim := newSimulator(t, o)
		listing := sdktest.Subscriptions(t, plugin(), sim.Settings())
		if diff := cmp.Diff([]string{"123", "124"}, refsOf(listing.Records)); diff != "" || !listing.Complete {
			t.Errorf("%s: complete is %v; %s", name, listing.Complete, diff)
		}
	}
}

// TestASubscriptionThatComesTwice far apart shows that the list moved.
func TestASubscriptionThatComesTwice(t *testing.T) {
	t.Parallel()
	o := sample()
	o.Subscriptions = []string{bare(1, `"Status":1`), bare(2, `"Status":1`), bare(3, `"Status":1`), bare(1, `"Status":2`)}
	sim := newSimulator(t, o)
	settings := with(with(sim.Settings(), "page_size", "1"), "fetch_details", "false")
	listing := sdktest.Subscriptions(t, plugin(), settings)
	if diff := cmp.Diff(map[string]string{"3869": "partial", "3869/add-ons": "partial"}, listing.Scopes); diff != "" || len(listing.Records) != 3 {
		t.Errorf("%d records; %s", len(listing.Records), diff)
	}
}

// TestEveryStatusIsAskedFor: the simulator lists what Crayon's older file calls all unless it is asked for more.
func TestEveryStatusIsAskedFor(t *testing.T) {
	t.Parallel()
	o := sample()
	o.Subscriptions = nil
	for i, status := range []int{0, 1, 2, 4, 8, 16, 32, 64, 128, 256} {
		o.Subscriptions = append(o.Subscriptions, bare(i, fmt.Sprintf(`"Status":%d`, status)))
	}
	sim := newSimulator(t, o)
	settings := with(sim.Settings(), "fetch_details", "false")
	if listing := sdktest.Subscriptions(t, plugin(), settings); len(listing.Records) != 10 || !listing.Complete {
		t.Errorf("%d of 10 statuses are listed, complete is %v", len(listing.Records), listing.Complete)
	}
	if listing := sdktest.Subscriptions(t, plugin(), with(settings, "statuses", "31")); len(listing.Records) != 6 {
		t.Errorf("with the old sum %d are listed, want 6", len(listing.Records))
	}
}

// TestAListingForSomeCustomers asks for what these hold and no more.
func TestAListingForSomeCustomers(t *testing.T) {
	t.Parallel()
	asked := &requests{}
	sim := newSimulator(t, cloudiqsim.Options{Seen: asked.seen})
	settings := with(sim.Settings(), "fetch_details", "false")
	listing := sdktest.Subscriptions(t, plugin(), settings, "487", "organization-3869")
	if diff := cmp.Diff([]string{"100050", "100051", "100052", "100060", "100070", "100080", "100090"}, refsOf(listing.Records)); diff != "" || !listing.Complete {
		t.Errorf("complete is %v; %s", listing.Complete, diff)
	}
	for _, request := range asked.list {
		if strings.HasPrefix(request, "/api/v1/subscriptions/") && !strings.Contains(request, "customerTenantId=487") {
			t.Errorf("asked for %s", request)
		}
	}
	// For many it reads all, and keeps to them.
	var many []string
	for i := range alone + 1 {
		many = append(many, fmt.Sprint(486+i))
	}
	listing = sdktest.Subscriptions(t, plugin(), settings, many...)
	for _, r := range listing.Records {
		if !slices.Contains(many, r.CustomerRef) {
			t.Errorf("subscription %s is of customer %s", r.Ref, r.CustomerRef)
		}
	}
	if len(listing.Records) < 5*len(many) || !listing.Complete {
		t.Errorf("%d records, complete is %v", len(listing.Records), listing.Complete)
	}
}

// TestVendorIDsSurvive: the tenant's id at Microsoft is told with every subscription, although the list does not tell it.
func TestVendorIDsSurvive(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, cloudiqsim.Options{})
	listing := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "fetch_details", "false"))
	for _, r := range listing.Records {
		if r.VendorRef == "" || !strings.HasPrefix(r.VendorTenantRef, "7e000000-") {
			t.Fatalf("subscription %s has the vendor ids %q and %q", r.Ref, r.VendorRef, r.VendorTenantRef)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := settings{
		GrantType: "password", Username: "u", Password: sdk.Secret{}, PageSize: 50, Statuses: 511, MaxParallel: 2, MaxAttempts: 5,
		Timeout: 120e9, RetryWait: 1e9, APIBaseURL: "https://api.crayon.com/api/v1", TokenURL: "https://api.crayon.com/api/v1/connect/token",
	}
	for name, c := range map[string]struct {
		edit func(*settings)
		want []string
	}{
		"no password":         {func(*settings) {}, []string{"password"}},
		"no user":             {func(s *settings) { s.Username = " " }, []string{"password", "username"}},
		"another grant":       {func(s *settings) { s.GrantType, s.Username = "client_credentials", "" }, nil},
		"plain http":          {func(s *settings) { s.TokenURL = "http://api.crayon.example/token" }, []string{"password", "token_url"}},
		"an id that is none":  {func(s *settings) { s.OrganizationIDs = []string{"3869", "Example MSP"} }, []string{"organization_ids", "password"}},
		"a page of nothing":   {func(s *settings) { s.PageSize = 0 }, []string{"page_size", "password"}},
		"an old sum of flags": {func(s *settings) { s.Statuses = 31 }, []string{"password", "statuses"}},
	} {
		s := good
		c.edit(&s)
		var got []string
		for _, d := range s.validate() {
			got = append(got, d.Field)
			if d.Warning != (d.Field == "statuses") {
				t.Errorf("%s: %s: warning is %v", name, d.Field, d.Warning)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: problems with %q, want %q", name, got, c.want)
		}
	}
}
