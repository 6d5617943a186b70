// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The requests that listings are made of.
var (
	tokenAsked         = simulator.Path("POST /api/v1/connect/token")
	organizationsAsked = simulator.Path("GET /api/v1/organizations/{$}")
	tenantsAsked       = simulator.Path("GET /api/v1/customertenants/{$}")
	subscriptionsAsked = simulator.Path("GET /api/v1/subscriptions/{$}")
	addressAsked       = simulator.Path("GET /api/v1/customertenants/{id}/detailed/{$}")
	detailsAsked       = simulator.Path("GET /api/v1/subscriptions/{id}/{$}")
	listsAsked         = simulator.Either(tenantsAsked, subscriptionsAsked)
	everyList          = simulator.Either(organizationsAsked, listsAsked)
)

// laterPage matches every page of tenants or subscriptions but the first.
func laterPage(r *http.Request) bool {
	number := r.URL.Query().Get("page")
	return listsAsked(r) && number != "" && number != "1"
}

// secondOrganization matches what is asked of the second organisation.
func secondOrganization(r *http.Request) bool {
	return listsAsked(r) && r.URL.Query().Get("organizationId") == strconv.Itoa(firstOrganization+1)
}

// faults are the troubles of every REST distributor and those of Cloud-iQ's own.
func faults(a *api) []simulator.HTTPFault {
	return slices.Concat(
		simulator.RESTFaults(simulator.Requests{Token: tokenAsked, Customers: tenantsAsked, Subscriptions: subscriptionsAsked}),
		organizationFaults(a), callFaults(a), detailFaults(a), pageFaults(a), recordFaults(a),
	)
}

// bothEnd is a fault in which both listings end in the same way.
func bothEnd(name, help string, expect simulator.Expect, class string) simulator.Fault {
	return simulator.Fault{Name: name, Help: help, Customers: expect, Subscriptions: expect, Class: class}
}

const (
	broken    = `{"ErrorCode":"500 InternalServerError","Message":"An error has occurred.","Parameters":{},"ObjectErrors":[]}`
	forbidden = `{"ErrorCode":"403 Forbidden","Message":"Forbidden","Parameters":{},"ObjectErrors":[]}`
	tooMany   = `{"ErrorCode":"429 TooManyRequests","Message":"Too many requests","Parameters":{},"ObjectErrors":[]}`
)

// organizationFaults are troubles with the simulator.List that all others follow from.
func organizationFaults(a *api) []simulator.HTTPFault {
	wholly := func(name, help string, class string) simulator.Fault {
		f := bothEnd(name, help, simulator.Incomplete, class)
		f.TestFails = true
		return f
	}
	return []simulator.HTTPFault{
		{
			Fault: wholly("organizations.failing", "the organisations are answered 500", "transient"), On: organizationsAsked,
			Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
		{
			Fault: wholly("organizations.forbidden", "the organisations are answered 403", "permission"), On: organizationsAsked,
			Spoil: simulator.Status(http.StatusForbidden, forbidden),
		},
		{
			Fault: wholly("organizations.null", "the organisations are null", ""), On: organizationsAsked, Spoil: simulator.Status(http.StatusOK, "null"),
		},
		{
			Fault: bothEnd("organizations.more", "one organisation more is announced than is listed", simulator.Partly, ""), On: organizationsAsked,
			Spoil: a.spoil(func(l simulator.List, number, size int) simulator.Page {
				p := simulator.Whole(l, number, size)
				p.Total++
				return p
			}),
		},
		{
			Fault: bothEnd("organization.failing", "the lists of one of two organisations are answered 500", simulator.Partly, "transient"),
			On:    secondOrganization, Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
		{
			Fault: bothEnd("organization.forbidden", "the lists of one of two organisations are answered 403", simulator.Partly, "permission"),
			On:    secondOrganization, Spoil: simulator.Status(http.StatusForbidden, forbidden),
		},
		{
			Fault: bothEnd("organization.ignored", "every organisation is told what all hold", simulator.Complete, ""), On: listsAsked,
			Spoil: func(w http.ResponseWriter, r *http.Request, api http.Handler) {
				query := r.URL.Query()
				query.Del("organizationId")
				other := r.Clone(r.Context())
				other.URL.RawQuery = query.Encode()
				api.ServeHTTP(w, other)
			},
		},
	}
}

// callFaults are troubles of single calls, most of them in the middle of a listing.
func callFaults(a *api) []simulator.HTTPFault {
	const enough = 25
	revoked := func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		a.tokens.revoke()
		api.ServeHTTP(w, r)
	}
	return []simulator.HTTPFault{
		{
			Fault: bothEnd("throttled.within", "from the second page on three calls are answered 429, and no time is named", simulator.Complete, ""),
			On:    laterPage, Times: 3, Spoil: simulator.Status(http.StatusTooManyRequests, tooMany),
		},
		{
			Fault: bothEnd("token.revoked", "before the second page every token becomes worthless", simulator.Complete, ""),
			On:    laterPage, Times: 1, Spoil: revoked,
		},
		{
			Fault: bothEnd("token.worn", "a token is good for 25 requests", simulator.Complete, ""), On: tokenAsked,
			Spoil: func(w http.ResponseWriter, r *http.Request, _ http.Handler) { a.tokens.give(w, r, enough) },
		},
		{
			Fault: bothEnd("page.failing", "every page but the first is answered 500", simulator.Incomplete, "transient"),
			On:    laterPage, Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
		{
			Fault: bothEnd("page.cut", "every page but the first breaks off with its connection", simulator.Incomplete, ""),
			On:    laterPage, Spoil: simulator.Cut(),
		},
	}
}

// detailFaults are troubles with the calls for one tenant or one subscription.
func detailFaults(*api) []simulator.HTTPFault {
	prices := func(name, help string, expect simulator.Expect) simulator.Fault {
		return simulator.Fault{Name: name, Help: help, Customers: simulator.Complete, Subscriptions: expect}
	}
	return []simulator.HTTPFault{
		{
			Fault: prices("details.failing", "the details of every subscription are answered 500", simulator.Incomplete), On: detailsAsked,
			Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
		{
			Fault: prices("details.throttled", "the details of every subscription are answered 429", simulator.Incomplete), On: detailsAsked,
			Spoil: simulator.Status(http.StatusTooManyRequests, tooMany),
		},
		{
			Fault: prices("details.stumble", "the details of one subscription are answered 500 once", simulator.Complete), On: detailsAsked, Times: 1,
			Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
		{
			Fault: prices("details.forbidden", "the details of the first subscription are answered 403", simulator.Incomplete), On: detailsAsked, Times: 1,
			Spoil: simulator.Status(http.StatusForbidden, forbidden),
		},
		{
			Fault: prices("details.empty", "the details of every subscription are an empty object", simulator.Incomplete), On: detailsAsked,
			Spoil: simulator.Status(http.StatusOK, `{}`),
		},
		{
			Fault: prices("details.cut", "the details of every subscription break off", simulator.Incomplete), On: detailsAsked, Spoil: simulator.CutCleanly(),
		},
		{
			Fault: prices("details.priceless", "no details hold a price", simulator.Complete), On: detailsAsked,
			Spoil: rewritten(func(members map[string]any) { delete(members, "Pricing") }),
		},
		{
			Fault: prices("details.odd", "currencies, prices and ends in details are not what they should be", simulator.Complete), On: detailsAsked,
			Spoil: rewritten(func(members map[string]any) {
				members["CommitmentEndDate"] = "soon"
				members["Pricing"] = map[string]any{"CurrencyCode": "Cowries", "PurchasePrice": "on request", "RecommendedRetailPrice": "12.50"}
			}),
		},
		{
			Fault: prices("addons.without-details", "there are no details of add-ons", simulator.Complete),
			On: func(r *http.Request) bool {
				return detailsAsked(r) && !strings.HasSuffix(strings.TrimRight(r.URL.Path, "/"), "0")
			},
			Spoil: simulator.Status(http.StatusNotFound, `{"ErrorCode":"404 NotFound","Message":"Not found"}`),
		},
		{
			Fault: prices("addresses.failing", "the details of every tenant are answered 500", simulator.Complete), On: addressAsked,
			Spoil: simulator.Status(http.StatusInternalServerError, broken),
		},
	}
}
