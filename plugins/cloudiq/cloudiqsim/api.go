// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The sizes of a page. What the largest is, Crayon does not tell.
const (
	defaultSize = 50
	maxSize     = 1000
)

// api answers as Cloud-iQ does.
type api struct {
	world  func() *world
	tokens *tokens
	// shape makes the pages. Faults put another one here.
	shape simulator.Shape
	// bare: lists come without their envelope.
	bare bool
	seen func(request string)
}

// with gives the same API with pages of another shape.
func (a *api) with(s simulator.Shape) http.Handler {
	other := *a
	other.shape = s
	return &other
}

// ServeHTTP answers a request. Paths end in a slash or not, and are read in any case.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource, under := strings.CutPrefix(strings.Trim(strings.ToLower(r.URL.Path), "/"), "api/v1/")
	if resource == "connect/token" && r.Method == http.MethodPost {
		a.tokens.ServeHTTP(w, r)
		return
	}
	if a.seen != nil {
		a.seen(r.URL.RequestURI())
	}
	switch {
	case !under:
		refuse(w, http.StatusNotFound, "NotFound", "there is no such resource")
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "this simulator only reads")
	case resource == "ping":
		answer(w, http.StatusOK, "pong")
	case !a.tokens.accepts(r):
		refuse(w, http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized), "Authorization has been denied for this request.")
	default:
		a.read(w, resource, r.URL.Query())
	}
}

// read answers what a resource holds.
func (a *api) read(w http.ResponseWriter, resource string, query url.Values) {
	world := a.world()
	noun, rest, _ := strings.Cut(resource, "/")
	id, kind, _ := strings.Cut(rest, "/")
	switch {
	case resource == "me":
		answer(w, http.StatusOK, map[string]any{"Id": 17, "UserName": username})
	case resource == "organizations":
		a.list(w, query, world.organizations)
	case resource == "customertenants":
		a.list(w, query, world.tenants(query.Get("organizationId")), "organizationId")
	case resource == "subscriptions" && query.Get("sortBy") != "" && query.Get("sortBy") != "CreationDate":
		refuse(w, http.StatusNotImplemented, "NotPlayed", "this simulator plays no other order than that of CreationDate")
	case resource == "subscriptions":
		list := world.subscriptions(query.Get("organizationId"), query.Get("customerTenantId"))
		a.list(w, query, ofStatus(list, query.Get("statuses")), "organizationId", "customerTenantId", "statuses", "sortBy")
	case noun == "customertenants" && kind == "detailed":
		found(w, world.tenant(id))
	case noun == "subscriptions" && kind == "":
		found(w, world.subscription(id))
	default:
		refuse(w, http.StatusNotFound, "NotFound", "there is no such resource")
	}
}

// list answers a page of a list. A parameter that is neither about pages nor played is refused.
func (a *api) list(w http.ResponseWriter, query url.Values, l simulator.List, played ...string) {
	for name := range query {
		if name != "page" && name != "pageSize" && !slices.Contains(played, name) {
			refuse(w, http.StatusNotImplemented, "NotPlayed", "this simulator does not play the parameter "+name)
			return
		}
	}
	number, size := numberOf(query.Get("page"), 1), numberOf(query.Get("pageSize"), defaultSize)
	if number < 1 || size < 1 {
		refuse(w, http.StatusBadRequest, "BadRequest", "page and pageSize begin with 1")
		return
	}
	a.write(w, a.shape(l, number-1, min(size, maxSize)))
}

func numberOf(text string, unset int) int {
	if text == "" {
		return unset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

func found(w http.ResponseWriter, element []byte) {
	if element == nil {
		refuse(w, http.StatusNotFound, "NotFound", "there is no such element")
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(element)
}

// refuse answers with an error as Cloud-iQ writes them.
func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{
		"ErrorCode": strconv.Itoa(status) + " " + code, "Message": message, "Parameters": map[string]string{}, "ObjectErrors": []string{},
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
