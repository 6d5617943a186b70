// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// faults are the troubles of Sherweb's own: customers are read one by one, so each may fail by itself; the gateway has a
// key and tells its throttling in words.
func faults(account func() Account) []simulator.HTTPFault {
	one := ofOneCustomer(account)
	api := simulator.Either(isCustomers, isSubscriptions)
	list := []simulator.HTTPFault{
		{
			Fault: simulator.Fault{
				Name: "throttled.problem", Help: "for a second every request is answered 429, and the detail of a problem says for how long",
				Customers: simulator.Complete, Subscriptions: simulator.Complete,
			},
			On:    api,
			Begin: simulator.ThrottleInWords(`{"title":"Too Many Requests","status":429,"detail":"Try again in 1 seconds."}`),
		},
		{
			Fault: simulator.Fault{
				Name: "throttled.often", Help: "each request is answered 429 at first, to be tried again at once",
				Customers: simulator.Complete, Subscriptions: simulator.Complete,
			},
			On: api, Begin: onceEach(simulator.Status(http.StatusTooManyRequests,
				`{"statusCode":429,"message":"Rate limit is exceeded. Try again in 0 seconds."}`)),
		},
		{
			Fault: simulator.Fault{
				Name: "token.short", Help: "each token is good for eight requests",
				Customers: simulator.Complete, Subscriptions: simulator.Complete,
			},
			On: api, Begin: goodForEight,
		},
		{
			Fault: simulator.Fault{
				Name: "key.revoked", Help: "from the third request on, the gateway refuses the key",
				Customers: simulator.Any, Subscriptions: simulator.Partly, Class: "auth",
			},
			On: api, Skip: 2, Spoil: simulator.Status(http.StatusUnauthorized, invalidKey),
		},
		{
			Fault: simulator.Fault{
				Name: "subscriptions.unfamiliar", Help: "cycles, terms and currencies are words that nobody knows, and there is a member more",
				Subscriptions: simulator.Complete,
			},
			On: isSubscriptions, Spoil: simulator.Rewrite(unfamiliar),
		},
		{
			Fault: simulator.Fault{Name: "subscriptions.twice", Help: "each subscription is listed twice", Subscriptions: simulator.Complete},
			On:    isSubscriptions, Spoil: rewriteItems(twice),
		},
		{
			Fault: simulator.Fault{
				Name: "customers.twice", Help: "each customer is listed twice", Customers: simulator.Complete, Subscriptions: simulator.Complete,
			},
			On: isCustomers, Spoil: rewriteItems(twice),
		},
		{
			Fault: simulator.Fault{
				Name: "customers.without-id", Help: "one customer has no id", Customers: simulator.Incomplete, Subscriptions: simulator.Partly,
				Class: "schema",
			},
			On: isCustomers, Spoil: rewriteItems(func(items []json.RawMessage) []json.RawMessage {
				return append(items, json.RawMessage(`{"displayName":"?"}`))
			}),
		},
	}
	for _, f := range failures {
		list = append(list, simulator.HTTPFault{
			Fault: simulator.Fault{Name: "customer." + f.name, Help: "one customer: " + f.help, Subscriptions: simulator.Partly, Class: f.class},
			On:    one, Spoil: f.spoil,
		})
	}
	return list
}

// failures are what the subscriptions of one customer may fail with, while those of the others are read.
var failures = []struct {
	name, help, class string
	spoil             simulator.Spoil
}{
	{"forbidden", "each answer is 403", "permission", simulator.Status(http.StatusForbidden, `{"title":"Forbidden","status":403}`)},
	{"not-found", "each answer is 404", "not_found", simulator.Status(http.StatusNotFound, `{"title":"Customer not found"}`)},
	{"failing", "each answer is 500", "transient", simulator.Status(http.StatusInternalServerError, `{"status":500}`)},
	{"throttled", "each answer is 429", "throttled", simulator.Status(http.StatusTooManyRequests, `{"detail":"Try again in 0 seconds."}`)},
	{"cut", "each answer breaks off with its connection", "transient", simulator.Cut()},
	{"cut-cleanly", "half of each answer, whole for HTTP", "schema", simulator.CutCleanly()},
	{"empty", "each answer is 200 with an empty body", "schema", simulator.Status(http.StatusOK, "")},
	{"no-list", "each answer is 200 with an object that holds no list", "schema", simulator.Status(http.StatusOK, "{}")},
	{"quantity", "a quantity is no number", "schema", simulator.Rewrite(func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"quantity":`), []byte(`"quantity":"many","was":`), 1)
	})},
	{"without-id", "a subscription has no id", "schema", simulator.Rewrite(func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"id":`), []byte(`"was":`), 1)
	})},
	{"no-object", "a subscription is a number", "schema", rewriteItems(func(items []json.RawMessage) []json.RawMessage {
		return append(items, json.RawMessage("42"))
	})},
}

// ofOneCustomer matches the requests for the subscriptions of the second customer.
func ofOneCustomer(account func() Account) simulator.Match {
	return func(r *http.Request) bool {
		if !isSubscriptions(r) {
			return false
		}
		n := 0
		for raw := range account().Customers() {
			if n++; n < 2 {
				continue
			}
			var customer struct{ ID string }
			return json.Unmarshal(raw, &customer) == nil && strings.EqualFold(customer.ID, r.URL.Query().Get("customerId"))
		}
		return false
	}
}

// onceEach spoils each request once: the first for the customers, and the first for each customer.
func onceEach(spoil simulator.Spoil) func() simulator.Spoil {
	return func() simulator.Spoil {
		var seen sync.Map
		return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
			if _, again := seen.LoadOrStore(r.URL.RequestURI(), true); !again {
				spoil(w, r, api)
				return
			}
			api.ServeHTTP(w, r)
		}
	}
}

// goodForEight refuses a token from its ninth request on.
func goodForEight() simulator.Spoil {
	var mu sync.Mutex
	uses := map[string]int{}
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		mu.Lock()
		uses[bearer(r)]++
		spent := uses[bearer(r)] > 8
		mu.Unlock()
		if spent {
			simulator.Status(http.StatusUnauthorized, "")(w, r, api)
			return
		}
		api.ServeHTTP(w, r)
	}
}

// unfamiliar replaces the words of cycles, terms and currencies, and adds members.
func unfamiliar(body []byte) []byte {
	return []byte(strings.NewReplacer(
		`"monthly"`, `"fortnightly"`, `"Annual"`, `"Centennial"`, `"Usd"`, `"Doubloon"`, `"sku":`, `"addedLater":{"a":[1]},"sku":`,
	).Replace(string(body)))
}

func twice(items []json.RawMessage) []json.RawMessage { return append(items, items...) }

// rewriteItems changes the elements of a list.
func rewriteItems(change func([]json.RawMessage) []json.RawMessage) simulator.Spoil {
	return simulator.Rewrite(func(body []byte) []byte {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if json.Unmarshal(body, &list) != nil {
			return body
		}
		list.Items = change(list.Items)
		changed, err := json.Marshal(list)
		if err != nil {
			return body
		}
		return changed
	})
}
