// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

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
	addon := func(edit func(members map[string]any)) simulator.Spoil {
		return all(func(members map[string]any) {
			if list, ok := members["Subscriptions"].([]any); ok && len(list) > 0 {
				edit(list[0].(map[string]any))
			}
		})
	}
	return []simulator.HTTPFault{
		{
			Fault: bothEnd("record.without-id", "the first record has no id", incomplete, ""), On: listsAsked,
			Spoil: first(func(members map[string]any) { members["Id"] = nil }),
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
			Fault: bothEnd("record.bare", "a record holds nothing but ids and its simulator.List of add-ons", complete, ""), On: listsAsked,
			Spoil: all(func(members map[string]any) {
				for name := range members {
					if name != "Id" && name != "CustomerTenant" && name != "Subscriptions" {
						delete(members, name)
					}
				}
			}),
		},
		{
			Fault: bothEnd("names.camel", "members are named in camelCase, as in the OpenAPI file", complete, ""), On: everyList,
			Spoil: simulator.Rewrite(camelled),
		},
		{
			Fault: bothEnd("numbers.text", "numbers come as text", complete, ""), On: listsAsked,
			Spoil: all(func(members map[string]any) {
				for name, v := range members {
					if number, ok := v.(json.Number); ok {
						members[name] = number.String()
					}
				}
			}),
		},
		{
			Fault: bothEnd("words.unknown", "statuses, cycles, terms and kinds are of those that nobody knows", complete, ""), On: listsAsked,
			Spoil: all(func(members map[string]any) {
				members["Status"], members["EntityStatus"], members["BillingCycle"], members["ProvisionType"] = 1024, 7, 77, 66
				members["TermDuration"] = "P1F"
			}),
		},
		{
			Fault: subscriptionsEnd("dates.odd", "no date is a date", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) {
				for _, name := range []string{"CreationDate", "StartDate", "EndDate", "CancellationAllowedUntilDate"} {
					members[name] = "soon"
				}
			}),
		},
		{
			Fault: subscriptionsEnd("price.odd", "no price in the simulator.List is a number", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) { members["SalesPrice"] = "on request" }),
		},
		{
			Fault: subscriptionsEnd("quantity.odd", "the first subscription's quantity is no number", incomplete), On: subscriptionsAsked,
			Spoil: first(func(members map[string]any) { members["Quantity"] = "many" }),
		},
		{
			Fault: subscriptionsEnd("record.without-tenant", "the first subscription names no customer tenant", incomplete), On: subscriptionsAsked,
			Spoil: first(func(members map[string]any) { members["CustomerTenant"] = nil }),
		},
		{
			Fault: subscriptionsEnd("addons.null", "subscriptions without add-ons have null in place of an empty list", complete), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) {
				if list, ok := members["Subscriptions"].([]any); ok && len(list) == 0 {
					members["Subscriptions"] = nil
				}
			}),
		},
		{
			Fault: subscriptionsEnd("addons.untold", "no subscription has a member for its add-ons", simulator.Partly), On: subscriptionsAsked,
			Spoil: all(func(members map[string]any) { delete(members, "Subscriptions") }),
		},
		{
			Fault: subscriptionsEnd("addons.no-list", "the first subscription's add-ons are a text", simulator.Partly), On: subscriptionsAsked,
			Spoil: first(func(members map[string]any) { members["Subscriptions"] = "none" }),
		},
		{
			Fault: subscriptionsEnd("addons.without-id", "add-ons have no id", simulator.Partly), On: subscriptionsAsked,
			Spoil: addon(func(members map[string]any) { members["Id"] = nil }),
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

// rewritten answers rightly but for members of the answer.
func rewritten(edit func(members map[string]any)) simulator.Spoil {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		simulator.Rewrite(func(body []byte) []byte { return edited(body, edit) })(w, r, api)
	}
}

// edited gives a JSON object with its members edited. Numbers keep every digit.
func edited(object []byte, edit func(members map[string]any)) []byte {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return object
	}
	edit(members)
	return marshal(members)
}

// camelled gives an answer whose members all begin in lower case.
func camelled(body []byte) []byte {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return body
	}
	return marshal(lowered(v))
}

func lowered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[strings.ToLower(name[:1])+name[1:]] = lowered(member)
		}
		return members
	case []any:
		for i := range v {
			v[i] = lowered(v[i])
		}
	}
	return v
}
