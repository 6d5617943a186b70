// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// A catalogue that does not end is given up with a warning, and the subscriptions are listed all the same.
func TestACatalogueWithoutEndIsGivenUp(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxElement/2)
	for name, c := range map[string]struct {
		perPage int
		filler  string
		says    string
	}{
		"one page that does not end": {1 << 30, "", "goes on after 200000 of them"},
		"pages that do not end":      {50_000, "", "goes on after 200000 of them"},
		"products that are large":    {10, long, "and 128 MiB of them are read"},
		"a product without measure":  {10, long + long, "is larger than the limit of 4.0 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := newSimulator(t, pax8sim.Options{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/products" {
					sim.ServeHTTP(w, r)
					return
				}
				page, _ := strconv.Atoi(r.URL.Query().Get("page"))
				w.Header().Set("Content-Type", "application/json")
				_, err := fmt.Fprintf(w, `{"page":{"totalElements":1000000000},"content":[{"id":"first-%d"}`, page)
				for i := 0; i < c.perPage && err == nil; i++ {
					_, err = fmt.Fprintf(w, `,{"id":"%d-%d","name":"%s"}`, page, i, c.filler)
				}
				_, _ = fmt.Fprint(w, `]}`)
			}))
			t.Cleanup(server.Close)
			got := sdktest.Subscriptions(t, plugin(), with(sim, "api_base_url", server.URL+"/v1"))
			if !got.Complete || len(got.Records) != 1050 {
				t.Fatalf("complete %t, %d records, %v", got.Complete, len(got.Records), got.Err)
			}
			if len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], "products.failed: ") || !strings.Contains(got.Warnings[0], c.says) {
				t.Errorf("warnings %q", got.Warnings)
			}
		})
	}
}
