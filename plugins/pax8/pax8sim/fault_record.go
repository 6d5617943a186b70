// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"encoding/json"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// recordFaults are troubles with what single records hold.
func recordFaults(a *api) []simulator.HTTPFault {
	incomplete, complete := simulator.Incomplete, simulator.Complete
	subscriptionsEnd := func(name, help string, expect simulator.Expect) simulator.Fault {
		return simulator.Fault{Name: name, Help: help, Subscriptions: expect}
	}
	all := func(edit func(members map[string]any)) simulator.Spoil { return a.spoil(editing(everyOne, edit)) }
	first := func(edit func(members map[string]any)) simulator.Spoil { return a.spoil(editing(theFirst, edit)) }
	return []simulator.HTTPFault{
		{
			Fault: bothEnd("record.without-id", "the first record has no id", incomplete, ""), On: listsAsked,
			Spoil: first(func(members map[string]any) { members["id"] = nil }),
		},
		{
			Fault: bothEnd("record.no-object", "the first record is a text", incomplete, ""), On: listsAsked,
			Spoil: a.spoil(func(l simulator.List, number, size int) simulator.Page {
				return simulator.Whole(simulator.List{Len: l.Len, At: func(i int) []byte {
					if i == 0 {
						return []byte(`"removed"`)
					}
					return l.At(i)
				}}, number, size)
			}),
		},
		{
			Fault: bothEnd("record.twice", "the second record is the first once more", incomplete, ""), On: listsAsked,
			Spoil: a.spoil(func(l simulator.List, number, size int) simulator.Page {
				return simulator.Whole(simulator.List{Len: l.Len, At: func(i int) []byte {
					if i == 1 {
						return l.At(0)
					}
					return l.At(i)
				}}, number, size)
			}),
		},
		{
			Fault: subscriptionsEnd("record.without-company", "the first subscription names no company", incomplete), On: subscriptionsAsked,
			Spoil: first(func(members map[string]any) { delete(members, "companyId") }),
		},
		{
			Fault: subscriptionsEnd("quantity.odd", "the first subscription's quantity is no number", incomplete), On: subscriptionsAsked,
			Spoil: first(func(members map[string]any) { members["quantity"] = "many" }),
		},
		{
			Fault: subscriptionsEnd("price.odd", "no price is a number", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) { members["price"], members["partnerCost"] = "on request", true }),
		},
		{
			Fault: subscriptionsEnd("date.odd", "no date is a date", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) {
				members["startDate"], members["endDate"] = "soon", "in 9020"
				members["commitmentTerm"] = map[string]any{"term": "1-Year", "endDate": "never"}
			}),
		},
		{
			Fault: subscriptionsEnd("number.text", "numbers come as text", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) { members["quantity"], members["price"] = "25", "12.50" }),
		},
		{
			Fault: bothEnd("word.unknown", "every status, term, currency and country is a word that nobody knows", complete, ""), On: listsAsked,
			Spoil: all(func(members map[string]any) {
				members["status"], members["billingTerm"], members["currencyCode"] = "Dreaming", "Fortnightly", "Cowries"
				members["commitmentTerm"] = map[string]any{"term": "Lunar"}
				members["address"] = map[string]any{"street": "1 Nowhere", "country": "Atlantis"}
			}),
		},
		{
			Fault: bothEnd("record.bare", "a record holds nothing but ids", complete, ""), On: listsAsked,
			Spoil: all(func(members map[string]any) {
				for name := range members {
					if name != "id" && name != "companyId" {
						delete(members, name)
					}
				}
			}),
		},
	}
}

func everyOne(int) bool { return true }

func theFirst(i int) bool { return i == 0 }

// editing is the shape of pages whose chosen elements are edited.
func editing(chosen func(i int) bool, edit func(members map[string]any)) simulator.Shape {
	return func(l simulator.List, number, size int) simulator.Page {
		return simulator.Whole(simulator.List{Len: l.Len, At: func(i int) []byte {
			if chosen(i) {
				return edited(l.At(i), edit)
			}
			return l.At(i)
		}}, number, size)
	}
}

// edited gives a JSON object with its members edited.
func edited(object []byte, edit func(members map[string]any)) []byte {
	var members map[string]any
	if json.Unmarshal(object, &members) != nil {
		return object
	}
	edit(members)
	text, err := json.Marshal(members)
	if err != nil {
		panic(err) // It came from JSON, and the edits are plain.
	}
	return text
}
