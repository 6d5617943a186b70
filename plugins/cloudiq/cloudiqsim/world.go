// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"encoding/json"
	"strconv"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// world is what there is to tell.
type world struct {
	organizations simulator.List
	// tenants gives those of an organisation; "" gives all.
	tenants func(organization string) simulator.List
	// subscriptions gives those of an organisation and of a customer tenant; "" gives all.
	subscriptions func(organization, tenant string) simulator.List
	// tenant and subscription give details; nil where there are none.
	tenant, subscription func(id string) []byte
}

// fixed is the world of given elements.
func fixed(o Options) *world {
	at := func(m map[string]string) func(string) []byte {
		return func(id string) []byte {
			if text, ok := m[id]; ok {
				return []byte(text)
			}
			return nil
		}
	}
	return &world{
		organizations: given(o.Organizations, nil),
		tenants: func(organization string) simulator.List {
			return given(o.Tenants, func(e element) bool { return isOf(e.Organization, organization) })
		},
		subscriptions: func(organization, tenant string) simulator.List {
			return given(o.Subscriptions, func(e element) bool {
				return isOf(e.Organization, organization) && isOf(e.CustomerTenant, tenant)
			})
		},
		tenant: at(o.TenantDetails), subscription: at(o.SubscriptionDetails),
	}
}

// element is what filters look at.
type element struct {
	Organization, CustomerTenant reference
	Status                       json.RawMessage
}

type reference struct {
	ID json.Number `json:"Id"`
}

// isOf tells whether an element belongs where a filter wants it. One that does not say is everywhere.
func isOf(r reference, want string) bool { return want == "" || r.ID == "" || string(r.ID) == want }

// given gives the elements that a filter lets through. What is no object passes.
func given(elements []string, pass func(element) bool) simulator.List {
	var chosen [][]byte
	for _, text := range elements {
		var e element
		if pass == nil || json.Unmarshal([]byte(text), &e) != nil || pass(e) {
			chosen = append(chosen, []byte(text))
		}
	}
	return simulator.List{Len: len(chosen), At: func(i int) []byte { return chosen[i] }}
}

// The flags of a status that there are, and those that are listed if nobody asks for more: the sum that Crayon's file of
// 2022 calls all.
const (
	everyStatus   = 511
	defaultStatus = 31
)

// ofStatus gives the subscriptions with a status that was asked for.
func ofStatus(l simulator.List, statuses string) simulator.List {
	mask := numberOf(statuses, defaultStatus)
	if mask&everyStatus == everyStatus {
		return l
	}
	var chosen []string
	for i := range l.Len {
		var e element
		text := l.At(i)
		if json.Unmarshal(text, &e) != nil {
			continue
		}
		if status, err := strconv.Atoi(string(e.Status)); err != nil || status&mask == status {
			chosen = append(chosen, string(text))
		}
	}
	return given(chosen, nil)
}
