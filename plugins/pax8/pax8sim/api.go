// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The sizes of a page, as they are described.
const (
	defaultSize = 10
	maxSize     = 200
)

// api answers as the partner API does.
type api struct {
	world  func() *world
	tokens *tokens
	// shape makes the pages. Faults put another one here.
	shape simulator.Shape
	seen  func(request string)
}

// with gives the same API with pages of another shape.
func (a *api) with(s simulator.Shape) http.Handler {
	other := *a
	other.shape = s
	return &other
}

// ServeHTTP answers a request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource, under := strings.CutPrefix(r.URL.Path, "/v1/")
	if resource == "token" && r.Method == http.MethodPost {
		a.tokens.ServeHTTP(w, r)
		return
	}
	if a.seen != nil {
		a.seen(r.URL.RequestURI())
	}
	switch {
	case !a.tokens.accepts(r):
		refuse(w, r, http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized))
	case !under:
		refuse(w, r, http.StatusNotFound, "There is nothing here")
	case r.Method != http.MethodGet:
		refuse(w, r, http.StatusMethodNotAllowed, "Only reads are simulated")
	default:
		a.list(w, r, resource)
	}
}

// orders are the orders that are played, by resource. Elements are kept in the order of creation, and names follow it.
var orders = map[string]string{"companies": "name", "subscriptions": "createdDate", "products": "name"}

func (a *api) list(w http.ResponseWriter, r *http.Request, resource string) {
	query, all := r.URL.Query(), a.world()
	lists := map[string]simulator.List{"companies": all.companies, "subscriptions": all.subscriptions, "products": all.products}
	listed, known := lists[resource]
	if !known {
		refuse(w, r, http.StatusNotFound, "There is nothing here")
		return
	}
	if order := query.Get("sort"); order != "" && order != orders[resource]+",asc" {
		refuse(w, r, http.StatusNotImplemented, "The simulator does not sort by "+order)
		return
	}
	if companyID := query.Get("companyId"); companyID != "" {
		if listed, known = all.held(companyID); !known || resource != "subscriptions" {
			refuse(w, r, http.StatusForbidden, "Invalid companyId")
			return
		}
	}
	for name := range query {
		if name != "sort" && name != "companyId" && name != "page" && name != "size" {
			refuse(w, r, http.StatusNotImplemented, "The simulator does not know the parameter "+name)
			return
		}
	}
	number, goodPage := whole32(query.Get("page"), 0)
	size, goodSize := whole32(query.Get("size"), defaultSize)
	if !goodPage || !goodSize || size == 0 {
		refuse(w, r, http.StatusBadRequest, "page and size are numbers")
		return
	}
	write(w, a.shape(listed, number, min(size, maxSize)))
}

// whole32 reads a whole number that is not negative.
func whole32(text string, absent int) (int, bool) {
	if text == "" {
		return absent, true
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

// refuse answers with the error object that is described.
func refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	answer(w, status, map[string]any{
		"type": http.StatusText(status), "message": message, "instance": r.URL.Path, "status": status, "details": []any{},
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
