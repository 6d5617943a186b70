// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"net/http"
	"slices"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The requests that listings are made of.
var (
	companiesAsked     = simulator.Path("GET /v1/companies")
	subscriptionsAsked = simulator.Path("GET /v1/subscriptions")
	productsAsked      = simulator.Path("GET /v1/products")
	listsAsked         = simulator.Either(companiesAsked, subscriptionsAsked)
)

// laterPage matches every page of companies or subscriptions but the first.
func laterPage(r *http.Request) bool {
	number := r.URL.Query().Get("page")
	return listsAsked(r) && number != "" && number != "0"
}

// ofOneCompany matches the simulator.List of what one company holds.
func ofOneCompany(r *http.Request) bool {
	return subscriptionsAsked(r) && r.URL.Query().Has("companyId")
}

// faults are the troubles of every REST distributor and those of Pax8's own.
func faults(a *api) []simulator.HTTPFault {
	return slices.Concat(
		simulator.RESTFaults(simulator.Requests{
			Token: simulator.Path("POST /v1/token"), Customers: companiesAsked, Subscriptions: subscriptionsAsked,
		}),
		pageFaults(a), recordFaults(a), callFaults(a),
	)
}

// bothEnd is a fault in which both listings end in the same way.
func bothEnd(name, help string, expect simulator.Expect, class string) simulator.Fault {
	return simulator.Fault{Name: name, Help: help, Customers: expect, Subscriptions: expect, Class: class}
}

// callFaults are troubles of single calls, most of them in the middle of a listing.
func callFaults(a *api) []simulator.HTTPFault {
	const tooMany = `{"type":"TooManyRequests","message":"Rate limit exceeded","status":429,"details":[]}`
	revoked := func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		a.tokens.revoke()
		api.ServeHTTP(w, r)
	}
	return []simulator.HTTPFault{
		{
			Fault: bothEnd("minute.spent", "from the second page on three calls are answered 429, as when a minute's thousand are spent, and no time is named",
				simulator.Complete, ""),
			On: laterPage, Times: 3, Spoil: simulator.Status(http.StatusTooManyRequests, tooMany),
		},
		{
			Fault: bothEnd("minute.told", "the second page is answered 429 with Retry-After and X-RateLimit headers", simulator.Complete, ""),
			On:    laterPage, Times: 1,
			Spoil: simulator.Status(http.StatusTooManyRequests, tooMany, "Retry-After", "0", "X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "0"),
		},
		{
			Fault: bothEnd("token.revoked", "before the second page every token becomes worthless", simulator.Complete, ""),
			On:    laterPage, Times: 1, Spoil: revoked,
		},
		{
			Fault: bothEnd("page.failing", "every page but the first is answered 500", simulator.Incomplete, "transient"),
			On:    laterPage, Spoil: simulator.Status(http.StatusInternalServerError, `{"type":"InternalServerError","status":500}`),
		},
		{
			Fault: bothEnd("page.cut", "every page but the first breaks off with its connection", simulator.Incomplete, ""),
			On:    laterPage, Spoil: simulator.Cut(),
		},
		{
			Fault: bothEnd("page.forbidden", "every page but the first is answered 403", simulator.Incomplete, "permission"),
			On:    laterPage, Spoil: simulator.Status(http.StatusForbidden, `{"type":"Forbidden","message":"Forbidden","status":403}`),
		},
		{
			Fault: bothEnd("products.forbidden", "the products are answered 403", simulator.Complete, ""),
			On:    productsAsked, Spoil: simulator.Status(http.StatusForbidden, `{"type":"Forbidden","message":"Forbidden","status":403}`),
		},
		{
			Fault: bothEnd("products.failing", "the products are answered 500", simulator.Complete, ""),
			On:    productsAsked, Spoil: simulator.Status(http.StatusInternalServerError, `{"type":"InternalServerError","status":500}`),
		},
		{
			Fault: bothEnd("company.forbidden", "of those that are asked for alone, the first company's subscriptions are answered 403", simulator.Complete, ""),
			On:    ofOneCompany, Times: 1, Spoil: simulator.Status(http.StatusForbidden, `{"type":"Forbidden","message":"Invalid companyId","status":403}`),
		},
	}
}
