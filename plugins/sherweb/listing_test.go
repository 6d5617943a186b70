// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestAFullListingCostsOneRequestForEachCustomerAndOneForTheList(t *testing.T) {
	t.Parallel()
	sim, account := threeCustomers(t)
	got := sdktest.Subscriptions(t, plugin(), sim.Settings())
	asked := account.take()
	slices.Sort(asked)
	if diff := cmp.Diff([]string{acme, byte2, calm, "customers"}, asked); diff != "" || !got.Complete || len(got.Records) != 3 {
		t.Errorf("%+v, asked (-want +got):\n%s", got, diff)
	}
}

func TestOneCustomerCostsOneRequest(t *testing.T) {
	t.Parallel()
	sim, account := threeCustomers(t)
	got := sdktest.Subscriptions(t, plugin(), sim.Settings(), strings.ToUpper(byte2), byte2)
	if diff := cmp.Diff([]string{byte2}, account.take()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	// The list of customers tells who is suspended. It was not read, so the state is not told either.
	if len(got.Records) != 1 || got.Records[0].State != sdk.StateUnknown || got.Records[0].Status != "" || got.Scopes[byte2] != "complete" {
		t.Errorf("%+v", got)
	}
}

func TestACustomerWhoWasListedBeforeIsKnown(t *testing.T) {
	t.Parallel()
	sim, account := newAccount(t, `[{"id":"`+acme+`","displayName":"Acme","suspendedOn":"2025-01-13"},
		{"id":"`+byte2+`","displayName":"Byte"}]`, nil)
	settings := sim.Settings()
	text := func(name string) string { return settings[name].(string) }
	c, err := connect(connectable(text), sdk.Env{Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, whole, err := c.readCustomers(t.Context(), &remarks{}); err != nil || !whole {
		t.Fatalf("%t, %v", whole, err)
	}
	account.take()
	got := c.named([]string{strings.ToUpper(acme), byte2, "", acme, calm})
	want := []customer{
		{id: acme, name: "Acme", standing: standingSuspended, suspended: "2025-01-13"},
		{id: byte2, name: "Byte", standing: standingGood},
		{id: calm, name: calm},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(customer{})); diff != "" || len(account.take()) > 0 {
		t.Errorf("named (-want +got):\n%s", diff)
	}
}

func TestACustomerNobodyKnowsFailsItsScope(t *testing.T) {
	t.Parallel()
	sim, _ := threeCustomers(t)
	const unknown = "0a1b2c3d-0009-4000-8000-000000000009"
	got := sdktest.Subscriptions(t, plugin(), sim.Settings(), unknown, acme)
	if got.Scopes[unknown] != "failed" || got.Scopes[acme] != "complete" || got.Err.Class != sdk.ClassNotFound || len(got.Records) != 1 {
		t.Errorf("%+v", got)
	}
}

// One customer may not be read, one is gone, one is well: nothing ends, and the third is complete.
func TestOneCustomerFailingFailsOnlyItsScope(t *testing.T) {
	t.Parallel()
	sim, _ := threeCustomers(t)
	settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case isFor(r, acme):
			w.WriteHeader(http.StatusForbidden)
		case isFor(r, byte2):
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	got := sdktest.Subscriptions(t, plugin(), settings)
	want := map[string]string{acme: "failed", byte2: "failed", calm: "complete"}
	if diff := cmp.Diff(want, got.Scopes); diff != "" || got.Complete || len(got.Records) != 1 || got.Records[0].CustomerRef != calm {
		t.Errorf("%+v, scopes (-want +got):\n%s", got, diff)
	}
}

// An answer with status 200 that does not list anything must not end everything.
func TestAnAnswerWithoutAListIsNoEmptyList(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"null": `null`, "no items": `{}`, "null items": `{"items":null}`, "items of another kind": `{"items":{}}`, "text": `"none"`,
		"a problem": `{"title":"Service unavailable","status":503}`, "a bare list": `[]`, "another list": `{"data":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _ := threeCustomers(t)
			settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
				if isFor(r, byte2) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(body))
				}
				return isFor(r, byte2)
			})
			got := sdktest.Subscriptions(t, plugin(), settings)
			want := map[string]string{acme: "complete", byte2: "failed", calm: "complete"}
			if diff := cmp.Diff(want, got.Scopes); diff != "" || got.Err.Class != sdk.ClassSchema {
				t.Errorf("%v, scopes (-want +got):\n%s", got.Err, diff)
			}
		})
	}
}

func TestACustomerWithoutSubscriptionsIsComplete(t *testing.T) {
	t.Parallel()
	got := sdktest.Subscriptions(t, plugin(), oneCustomer(t, `[]`).Settings())
	if !got.Complete || got.Scopes[acme] != "complete" || len(got.Records) != 0 {
		t.Errorf("%+v", got)
	}
}

// What one customer meets and every other would meet, too, is not tried again with each.
func TestNobodyElseIsAskedForOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		class  sdk.Class
		says   string
	}{
		"the key is refused":          {401, `{"message":"Access denied due to invalid subscription key."}`, sdk.ClassAuth, "subscription_key"},
		"throttling outlasts repeats": {429, `{"message":"Rate limit is exceeded. Try again in 0 seconds."}`, sdk.ClassThrottled, "Rate limit"},
		"the wait is too long":        {429, `{"message":"Rate limit is exceeded. Try again in 9999 seconds."}`, sdk.ClassThrottled, "9999"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, account := threeCustomers(t)
			settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
				if isFor(r, byte2) {
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.body))
				}
				return isFor(r, byte2)
			})
			got := sdktest.Subscriptions(t, plugin(), with(settings, "max_parallel", 1))
			want := map[string]string{acme: "complete", byte2: "failed", calm: "failed"}
			if diff := cmp.Diff(want, got.Scopes); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
			if got.Err.Class != test.class || !strings.Contains(got.Err.Message+got.Err.Hint, test.says) {
				t.Errorf("%v (%s), want %s with %q", got.Err, got.Err.Hint, test.class, test.says)
			}
			if diff := cmp.Diff([]string{"customers", acme}, account.take()); diff != "" {
				t.Errorf("answered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWrongKeyIsToldApartFromAWrongSecret(t *testing.T) {
	t.Parallel()
	sim, account := threeCustomers(t)
	got := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "subscription_key", "another"))
	if got.Err == nil || got.Err.Class != sdk.ClassAuth || !strings.Contains(got.Err.Message, "invalid subscription key") {
		t.Errorf("a wrong key: %+v", got)
	}
	got = sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "client_secret", "another"))
	if got.Err == nil || got.Err.Class != sdk.ClassAuth || !strings.Contains(got.Err.Message, "invalid_client") || len(account.take()) > 0 {
		t.Errorf("a wrong secret: %+v", got)
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	down, gone := sdk.Errorf(sdk.ClassTransient, "down"), sdk.Errorf(sdk.ClassNotFound, "gone")
	for name, test := range map[string]struct {
		notes []error
		lost  bool
	}{
		"nothing failed":              {[]error{nil, nil, nil}, false},
		"two in a row":                {[]error{down, down}, false},
		"three in a row":              {[]error{nil, down, down, down}, true},
		"three, with one well":        {[]error{down, down, nil, down}, false},
		"three, with one not found":   {[]error{down, down, gone, down}, false},
		"many that are not found":     {[]error{gone, gone, gone, gone, gone}, false},
		"the credentials are refused": {[]error{sdk.Errorf(sdk.ClassAuth, "no")}, true},
		"it comes too often":          {[]error{sdk.Errorf(sdk.ClassThrottled, "slow")}, true},
		"one is forbidden":            {[]error{sdk.Errorf(sdk.ClassPermission, "no")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p patience
			for _, err := range test.notes {
				p.note(err)
			}
			if got := p.lost() != nil; got != test.lost {
				t.Errorf("lost %t (%v), want %t", got, p.lost(), test.lost)
			}
		})
	}
}
