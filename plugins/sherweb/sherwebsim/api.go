// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The addresses of the API.
const (
	tokenPath         = "/auth/oidc/connect/token" //nolint:gosec // it is an address
	customersPath     = "/service-provider/v1/customers"
	subscriptionsPath = "/service-provider/v1/billing/subscriptions"
	detailsPath       = subscriptionsPath + "/details"
	pricesPath        = subscriptionsPath + "/pricing-information"
)

var (
	isToken         = simulator.Path("POST " + tokenPath)
	isCustomers     = simulator.Path("GET " + customersPath)
	isSubscriptions = simulator.Path("GET "+subscriptionsPath, "GET "+detailsPath, "GET "+pricesPath)
)

// The members that the calls tell of a subscription. The published document has one call with all of them; newer clients
// use two calls that share them out.
var (
	detailMembers = []string{"id", "productName", "description", "sku", "quantity", "purchaseDate", "commitmentTerm"}
	priceMembers  = []string{"id", "billingCycle", "fees", "commitmentTerm"}
)

// newAPI answers as Sherweb does when all is well.
func newAPI(account func() Account) http.Handler {
	behind := http.NewServeMux()
	behind.HandleFunc("GET "+customersPath, func(w http.ResponseWriter, _ *http.Request) {
		list := newList(w)
		for customer := range account().Customers() {
			list.add(customer)
		}
		list.end()
	})
	behind.HandleFunc("GET "+subscriptionsPath, func(w http.ResponseWriter, r *http.Request) { listSubscriptions(w, r, account(), nil) })
	behind.HandleFunc("GET "+detailsPath, func(w http.ResponseWriter, r *http.Request) { listSubscriptions(w, r, account(), detailMembers) })
	behind.HandleFunc("GET "+pricesPath, func(w http.ResponseWriter, r *http.Request) { listSubscriptions(w, r, account(), priceMembers) })

	mux := http.NewServeMux()
	tokens := &tokens{}
	mux.HandleFunc("POST "+tokenPath, tokens.issue)
	mux.Handle("/", gateway(tokens.require(behind)))
	return mux
}

// What the gateway answers to a call without its key, and with a wrong one.
const (
	missingKey = `{"statusCode":401,"message":"Access denied due to missing subscription key. ` +
		`Make sure to include subscription key when making requests to an API."}`
	invalidKey = `{"statusCode":401,"message":"Access denied due to invalid subscription key. ` +
		`Make sure to provide a valid key for an active subscription."}`
)

// gateway wants its key with every call, as Azure API Management does.
func gateway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch key := r.Header.Get("Ocp-Apim-Subscription-Key"); key {
		case SubscriptionKey:
			next.ServeHTTP(w, r)
		case "":
			answer(w, http.StatusUnauthorized, missingKey)
		default:
			answer(w, http.StatusUnauthorized, invalidKey)
		}
	})
}

var uuid = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// listSubscriptions lists a customer's subscriptions with some members, or with all for nil.
func listSubscriptions(w http.ResponseWriter, r *http.Request, account Account, members []string) {
	id := r.URL.Query().Get("customerId")
	if !uuid.MatchString(id) {
		problem(w, http.StatusBadRequest, "One or more validation errors occurred.", "The value of customerId is not valid.")
		return
	}
	subscriptions, found := account.Subscriptions(strings.ToLower(id))
	if !found {
		problem(w, http.StatusNotFound, "Customer not found", "The customer "+id+" was not found.")
		return
	}
	list := newList(w)
	for _, subscription := range subscriptions {
		if members != nil {
			subscription = pick(subscription, members)
		}
		list.add(subscription)
	}
	list.end()
}

// pick gives an object with some of its members, each as it is written. What is no object stays what it is.
func pick(element json.RawMessage, members []string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(element, &all) != nil {
		return element
	}
	var text []byte
	for _, name := range members {
		if value, told := all[name]; told {
			text = fmt.Appendf(text, `,%q:%s`, name, value)
		}
	}
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	text[0] = '{'
	return append(text, '}')
}

// list writes {"items":[…]} element by element.
type list struct {
	w      http.ResponseWriter
	before string
}

func newList(w http.ResponseWriter) *list {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	return &list{w, `{"items":[`}
}

func (l *list) add(element json.RawMessage) {
	fmt.Fprintf(l.w, "%s%s", l.before, element) //nolint:gosec // it is JSON, and said to be
	l.before = ","
}

func (l *list) end() {
	if l.before != "," {
		fmt.Fprint(l.w, l.before)
	}
	fmt.Fprint(l.w, "]}")
}

// problem answers with a problem (RFC 7807), as the services behind the gateway do.
func problem(w http.ResponseWriter, status int, title, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	answer(w, status, fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q}`, title, status, detail))
}

func answer(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body) //nolint:gosec // it is JSON, and said to be
}
