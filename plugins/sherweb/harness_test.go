// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The ids of the tests' customers and subscriptions.
const (
	acme   = "0a1b2c3d-0001-4000-8000-000000000001"
	byte2  = "0a1b2c3d-0002-4000-8000-000000000002"
	calm   = "0a1b2c3d-0003-4000-8000-000000000003"
	first  = "5a1b2c3d-0001-4000-8000-000000000001"
	second = "5a1b2c3d-0002-4000-8000-000000000002"
)

var sameDecimals = cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b })

// asked is an account that remembers what it was asked for, in order: "customers", or a customer's id.
type asked struct {
	sherwebsim.Account
	mu   sync.Mutex
	list []string
}

func (a *asked) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, what)
}

// take gives what was asked for since the last time.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}

func (a *asked) Customers() iter.Seq[json.RawMessage] {
	a.note("customers")
	return a.Account.Customers()
}

func (a *asked) Subscriptions(id string) ([]json.RawMessage, bool) {
	a.note(id)
	return a.Account.Subscriptions(id)
}

// newAccount plays an account of JSON lists.
func newAccount(t *testing.T, customers string, subscriptions map[string]string) (*simulator.HTTP, *asked) {
	t.Helper()
	fixed, err := sherwebsim.NewFixed(customers, subscriptions)
	if err != nil {
		t.Fatal(err)
	}
	account := &asked{Account: fixed}
	sim, err := sherwebsim.With(account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim, account
}

// oneCustomer plays an account with the customer Acme and the subscriptions given.
func oneCustomer(t *testing.T, subscriptions string) *simulator.HTTP {
	t.Helper()
	sim, _ := newAccount(t, `[{"id":"`+acme+`","displayName":"Acme","path":[]}]`, map[string]string{acme: subscriptions})
	return sim
}

// threeCustomers plays an account with three customers of one subscription each.
func threeCustomers(t *testing.T) (*simulator.HTTP, *asked) {
	t.Helper()
	var customers []string
	subscriptions := map[string]string{}
	for _, id := range []string{acme, byte2, calm} {
		customers = append(customers, `{"id":"`+id+`","displayName":"Customer `+id[9:13]+`","path":[],"suspendedOn":null}`)
		subscriptions[id] = `[{"id":"5` + id[1:] + `","productName":"Mail","sku":"M1","quantity":5,"billingCycle":"monthly"}]`
	}
	return newAccount(t, "["+strings.Join(customers, ",")+"]", subscriptions)
}

// with gives settings with some changed; pairs of name and value.
func with(settings map[string]any, pairs ...any) map[string]any {
	changed := maps.Clone(settings)
	for i := 0; i+1 < len(pairs); i += 2 {
		changed[pairs[i].(string)] = pairs[i+1]
	}
	return changed
}

// before puts a handler in front of a simulator. It answers itself and gives true, or leaves the request to the simulator.
func before(t *testing.T, sim *simulator.HTTP, answers func(w http.ResponseWriter, r *http.Request) bool) map[string]any {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			sim.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return with(sim.Settings(), "api_base_url", server.URL)
}

// isFor reports whether a request is for the subscriptions of a customer.
func isFor(r *http.Request, customer string) bool { return r.URL.Query().Get("customerId") == customer }
