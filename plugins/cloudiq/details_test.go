// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// requests keeps what a simulator was asked.
type requests struct {
	mu   sync.Mutex
	list []string
}

func (r *requests) seen(request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, request)
}

// details gives the ids of the subscriptions whose details were asked for since the last call, sorted.
func (r *requests) details() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []string{}
	for _, request := range r.list {
		if id, ok := strings.CutPrefix(request, "/api/v1/subscriptions/"); ok && !strings.HasPrefix(id, "?") {
			ids = append(ids, strings.TrimSuffix(id, "/"))
		}
	}
	r.list = nil
	slices.Sort(ids)
	return ids
}

// bare is a subscription of the organisation and the tenant of the samples.
func bare(id int, members string) string {
	return `{"Id":` + strconv.Itoa(id) + `,"Organization":{"Id":3869},"CustomerTenant":{"Id":486},"Subscriptions":[],` + members + `}`
}

func detail(id int) string { return strings.Replace(theDetails, "%d,", strconv.Itoa(id)+",", 1) }

// TestDetailsAreAskedForWhereTheyAreDue makes the listings of a host that read everything three days ago.
func TestDetailsAreAskedForWhereTheyAreDue(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	last := now.Add(-time.Hour) // On the same day but around midnight; so what has its turn is left out below.
	form := func(t time.Time) string { return t.Format("2006-01-02T15:04:05") }
	old := `"CreationDate":"2021-03-14T02:11:45Z","StartDate":"2021-03-14T00:00:00"`
	subscriptions := map[int]string{
		1: old + `,"Status":1`,
		2: old + `,"Status":4`,
		3: `"CreationDate":"` + form(now) + `Z","Status":1`,
		4: `"CreationDate":"2021-03-14T02:11:45Z","StartDate":"` + form(last.AddDate(0, 0, -1)) + `","Status":1`,
		// The year that ends in 364 days began yesterday.
		5: old + `,"TermDuration":"P1Y","EndDate":"` + form(now.AddDate(1, 0, -1)) + `","Status":1`,
		6: old + `,"TermDuration":"P1Y","EndDate":"` + form(now.AddDate(0, 6, 0)) + `","Status":1`,
		7: `"CreationDate":"` + form(now) + `Z","Status":64`,
		8: `"CreationDate":"` + form(now) + `Z","Status":128`,
		9: `"Status":1`,
	}
	o := cloudiqsim.Options{Organizations: []string{theOrganization}, Tenants: []string{theTenant}, SubscriptionDetails: map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(subscriptions)) {
		o.Subscriptions = append(o.Subscriptions, bare(id, subscriptions[id]))
		o.SubscriptionDetails[strconv.Itoa(id)] = strings.Replace(detail(id), "%s", "2030-01-01T00:00:00Z", 1)
	}
	asked := &requests{}
	o.Seen = asked.seen
	sim := newSimulator(t, o)
	list := func(last time.Time, change map[string]any) sdktest.Listing[sdk.Subscription] {
		settings := sim.Settings()
		maps.Copy(settings, change)
		listing := sdktest.SubscriptionsAsked(t, plugin(), settings, sdk.ListRequest{LastComplete: last})
		if !listing.Complete || len(listing.Records) != len(subscriptions) {
			t.Fatalf("%d records, complete is %v: %q", len(listing.Records), listing.Complete, listing.Warnings)
		}
		return listing
	}
	if list(time.Time{}, nil); len(asked.details()) != len(subscriptions) {
		t.Error("a host that has nothing is not told all details")
	}
	listing := list(last, nil)
	got := slices.DeleteFunc(asked.details(), func(id string) bool {
		return (id == "1" || id == "6") && dayOf(last) != dayOf(time.Now())
	})
	if diff := cmp.Diff([]string{"3", "4", "5", "7", "8", "9"}, got); diff != "" {
		t.Error(diff)
	}
	for _, r := range listing.Records {
		told := !r.Items[0].PartnerCost.Amount.IsAbsent()
		if told != slices.Contains(got, r.Ref) && r.Ref != "1" && r.Ref != "6" || told != (r.CommitmentEnd != "") {
			t.Errorf("subscription %s is told with cost %q and commitment %q", r.Ref, r.Items[0].PartnerCost.Amount, r.CommitmentEnd)
		}
	}
	list(time.Time{}, map[string]any{"fetch_details": "false"})
	if got := asked.details(); len(got) > 0 {
		t.Errorf("although they are not wanted, the details of %q were asked for", got)
	}
}

// TestAddonsAreDueWithTheirSubscription: an add-on tells neither start nor end of its term.
func TestAddonsAreDueWithTheirSubscription(t *testing.T) {
	t.Parallel()
	o := sample()
	now := time.Now().UTC()
	o.Subscriptions[0] = strings.Replace(o.Subscriptions[0], `"EndDate":"2025-03-13T00:00:00"`, `"EndDate":"`+now.AddDate(1, 0, -1).Format("2006-01-02T15:04:05")+`"`, 1)
	asked := &requests{}
	o.Seen = asked.seen
	sim := newSimulator(t, o)
	listing := sdktest.SubscriptionsAsked(t, plugin(), sim.Settings(), sdk.ListRequest{LastComplete: now.Add(-time.Minute)})
	if diff := cmp.Diff([]string{"123", "124"}, asked.details()); diff != "" || !listing.Complete {
		t.Errorf("complete is %v; %s", listing.Complete, diff)
	}
}

// TestDetailsThatFail: the record is sent all the same, without what they would have told, and its scope is partial.
func TestDetailsThatFail(t *testing.T) {
	t.Parallel()
	o := sample()
	delete(o.SubscriptionDetails, "123")
	sim := newSimulator(t, o)
	listing := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if diff := cmp.Diff(map[string]string{"3869": "partial", "3869/add-ons": "complete"}, listing.Scopes); diff != "" {
		t.Error(diff)
	}
	for _, r := range listing.Records {
		item := r.Items[0]
		if told := !item.PartnerCost.Amount.IsAbsent() || r.CommitmentEnd != "" || item.CustomerPrice.Currency != ""; r.Ref == "123" && told {
			t.Errorf("without its details it is told as %+v", r)
		}
	}
	if listing.Err == nil || !strings.Contains(listing.Err.Message, "no details of subscription 123, so its prices stay as they were") {
		t.Errorf("the reason is %+v", listing.Err)
	}
	o.SubscriptionDetails = map[string]string{"123": strings.Replace(detail(123), "%s", "2030-01-01T00:00:00Z", 1)}
	sim = newSimulator(t, o)
	if listing = sdktest.Subscriptions(t, plugin(), sim.Settings()); !listing.Complete || len(listing.Warnings) != 1 ||
		!strings.Contains(listing.Warnings[0], "add-on 124") {
		t.Errorf("where an add-on has no details: complete is %v, warnings %q", listing.Complete, listing.Warnings)
	}
}

// watched gives the settings that lead to a simulator past somebody who looks at every request.
func watched(t *testing.T, sim *simulator.HTTP, seen func(string)) map[string]any {
	t.Helper()
	target, err := url.Parse(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen(r.URL.RequestURI())
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	settings := sim.Settings()
	for name, v := range settings {
		if text, ok := v.(string); ok {
			settings[name] = strings.Replace(text, sim.URL(), server.URL, 1)
		}
	}
	return settings
}

// TestPatienceEnds: where no details can be had, a thousand calls are not made to find that out.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	for fault, most := range map[string]int{
		// Each is tried twice; two may be under way when the patience ends.
		"details.failing": 2 * (enough + 1), "details.throttled": 2 * 3, "details.empty": enough + 1,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := newSimulator(t, cloudiqsim.Options{})
			if err := sim.Play(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
			// The simulator tells only of requests that it does not spoil.
			asked := &requests{}
			settings := watched(t, sim, asked.seen)
			settings["max_attempts"] = "2"
			listing := sdktest.Subscriptions(t, plugin(), settings)
			if listing.Complete || len(listing.Records) < 640 {
				t.Errorf("%d records, complete is %v", len(listing.Records), listing.Complete)
			}
			if n := len(asked.details()); n == 0 || n > most {
				t.Errorf("%d calls were made until the patience ended, want at most %d", n, most)
			}
			if len(listing.Warnings) > 4*(maxExamples+1) {
				t.Errorf("there are %d warnings: %q", len(listing.Warnings), listing.Warnings)
			}
		})
	}
}
