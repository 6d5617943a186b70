// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

const key = "open-sesame"

// newSimulator plays the distributor: api answers for one with that many subscriptions.
func newSimulator(t *testing.T, api func(subscriptions int) http.Handler) simulator.Simulator {
	t.Helper()
	const few = 12
	var current atomic.Value
	resize := func(n int) error {
		if n < 1 {
			n = few
		}
		current.Store(api(n))
		return nil
	}
	sim, err := simulator.NewHTTP(simulator.Options{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+key {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			current.Load().(http.Handler).ServeHTTP(w, r)
		}),
		Settings: func(url string) map[string]any { return map[string]any{"url": url, "key": key, "retry_wait": "1ms"} },
		Faults: simulator.RESTFaults(simulator.Requests{
			Customers: simulator.Path("/customers"), Subscriptions: simulator.Path("/subscriptions"),
		}),
		Resize: resize,
	})
	if err == nil {
		err = resize(few)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// generated answers with that many subscriptions, ten for each customer.
func generated(subscriptions int) http.Handler {
	list := func(n int, element func(i int) string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := range n {
				before := ","
				if i == 0 {
					before = "["
				}
				fmt.Fprint(w, before, element(i))
			}
			fmt.Fprint(w, "]")
		}
	}
	const each = 10
	api := http.NewServeMux()
	api.HandleFunc("GET /customers", list((subscriptions+each-1)/each, func(i int) string {
		return fmt.Sprintf(`{"id": "c%d", "name": "Customer %d"}`, i, i)
	}))
	api.HandleFunc("GET /subscriptions", list(subscriptions, func(i int) string {
		return fmt.Sprintf(`{"id": "s%d", "customer": "c%d", "product": "Mail", "seats": %d, "status": "live"}`, i, i/each, i%7)
	}))
	return api
}
