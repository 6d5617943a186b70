// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// Ten thousand times what a customer holds is no customer's: the scope fails before a record is made, the others go on.
func TestAnAnswerBeyondMeasureFailsItsScope(t *testing.T) {
	t.Parallel()
	many := func() []byte {
		var body bytes.Buffer
		body.WriteString(`{"items":[{}`)
		for i := range maxItems {
			fmt.Fprintf(&body, `,{"id":"%d"}`, i)
		}
		body.WriteString(`]}`)
		return body.Bytes()
	}
	large := func() []byte {
		return []byte(`{"items":[{"id":"1","productName":"` + strings.Repeat("x", maxElement) + `"}]}`)
	}
	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"many elements":   {many(), "listed more than 100000 elements"},
		"a large element": {large(), "listed an element 1 of more than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _ := threeCustomers(t)
			settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
				if !isFor(r, byte2) {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(c.body)
				return true
			})
			got := sdktest.Subscriptions(t, plugin(), settings)
			if got.Scopes[byte2] != "failed" || got.Scopes[acme] != "complete" || got.Scopes[calm] != "complete" || len(got.Records) != 2 {
				t.Errorf("%d records, scopes %v", len(got.Records), got.Scopes)
			}
			if got.Err == nil || got.Err.Class != sdk.ClassSchema || !strings.Contains(got.Err.Message, c.says) {
				t.Errorf("it says %v, want %q", got.Err, c.says)
			}
		})
	}
}

// Exactly as many as there may be are read.
func TestAnAnswerAtItsMeasureIsRead(t *testing.T) {
	t.Parallel()
	sim := oneCustomer(t, "[]")
	settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
		if !isFor(r, acme) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"items":[{}`+strings.Repeat(`,{}`, maxItems-1)+`]}`)
		return true
	})
	if got := sdktest.Subscriptions(t, plugin(), settings); got.Scopes[acme] != "partial" {
		t.Errorf("the scope is %q, %v", got.Scopes[acme], got.Err)
	}
}

// The id of a customer names its scope. One that cannot be an id is left out with a reason, and nothing else ends.
func TestAnIDThatCannotBeOneEndsNothing(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"too long": strings.Repeat("a", 5000), "that of another scope": "Unreadable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, account := newAccount(t, `[{"id":"`+id+`","displayName":"Odd"},{"displayName":"None"},{"id":"`+acme+`","displayName":"Acme"}]`,
				map[string]string{acme: `[{"id":"` + first + `","productName":"Mail","quantity":5,"billingCycle":"monthly"}]`})
			got := sdktest.Subscriptions(t, plugin(), sim.Settings())
			if got.Scopes[acme] != "complete" || got.Scopes[unreadable] != "failed" || len(got.Scopes) != 2 || len(got.Records) != 1 {
				t.Errorf("%d records, scopes %v, %v", len(got.Records), got.Scopes, got.Err)
			}
			if told := strings.Join(got.Warnings, "; "); !strings.Contains(told, "customer.id_unusable") || !strings.Contains(told, `"Odd"`) || len(told) > 1000 {
				t.Errorf("warnings %q", told)
			}
			if asked := account.take(); len(asked) != 2 {
				t.Errorf("asked for %d things", len(asked))
			}
			customers := sdktest.Customers(t, plugin(), sim.Settings())
			if customers.Scopes["customers"] != "partial" || len(customers.Records) != 1 || customers.Records[0].Ref != acme {
				t.Errorf("%d customers, scopes %v, %v", len(customers.Records), customers.Scopes, customers.Err)
			}
		})
	}
}

func TestAnIDThatCannotBeOneIsNotAskedFor(t *testing.T) {
	t.Parallel()
	sim, account := threeCustomers(t)
	long := strings.Repeat("a", 5000)
	got := sdktest.Subscriptions(t, plugin(), sim.Settings(), long, acme, long+"b")
	if got.Scopes[unreadable] != "failed" || got.Scopes[acme] != "complete" || len(got.Records) != 1 {
		t.Errorf("%d records, scopes %v, %v", len(got.Records), got.Scopes, got.Err)
	}
	if asked := account.take(); len(asked) != 1 || asked[0] != acme {
		t.Errorf("asked for %q", asked)
	}
}
