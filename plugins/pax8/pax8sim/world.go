// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"encoding/json"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// world is what a partner has at Pax8, in the order of creation.
type world struct {
	companies, subscriptions, products simulator.List
	// held gives what a company holds; ok is false where there is no such company.
	held func(companyID string) (subscriptions simulator.List, ok bool)
}

func listOf(elements []string) simulator.List {
	return simulator.List{Len: len(elements), At: func(i int) []byte { return []byte(elements[i]) }}
}

// fixed is the world of given elements.
func fixed(o Options) *world {
	w := &world{companies: listOf(o.Companies), subscriptions: listOf(o.Subscriptions), products: listOf(o.Products)}
	w.held = func(companyID string) (simulator.List, bool) {
		var held []string
		for _, s := range o.Subscriptions {
			if textMember(s, "companyId") == companyID {
				held = append(held, s)
			}
		}
		known := len(held) > 0
		for _, c := range o.Companies {
			known = known || textMember(c, "id") == companyID
		}
		return listOf(held), known
	}
	return w
}

// textMember gives the text of a member of a JSON object, or "".
func textMember(object, name string) string {
	var members map[string]any
	if json.Unmarshal([]byte(object), &members) != nil {
		return ""
	}
	text, _ := members[name].(string)
	return text
}
