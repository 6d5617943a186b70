// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// connection reads one partner's account.
type connection struct {
	sdk.Unimplemented
	*rest.Client
	settings settings
}

var (
	_ sdk.Distributor      = (*connection)(nil)
	_ sdk.ConnectionTester = (*connection)(nil)
	_ sdk.CustomerFilter   = (*connection)(nil)
	_ sdk.Closer           = (*connection)(nil)
)

const (
	credentialsHint = "Check client_id and client_secret for typing mistakes. A partner administrator makes new ones in the Pax8 portal under " +
		"Settings, Integrations, Credentials. Credentials of a vendor's or an old application may need another audience or token_url."
	permissionHint = "In the Pax8 portal check that the credentials are your own company's and still exist."
	notFoundHint   = "Check api_base_url; it ends in /v1."
	throttledHint  = "Pax8 allows 1000 calls a minute for all who use the credentials. Lower requests_per_minute, or look for other tools that use them."
)

// maxElement is the largest element of a list that is read, in bytes. A record has some kilobytes.
const maxElement = 4 << 20

func connect(s settings, env sdk.Env) (*connection, error) {
	client, err := rest.New(rest.Options{
		BaseURL:   s.APIBaseURL,
		AllowHTTP: s.AllowHTTP,
		Token: &rest.ClientCredentials{
			TokenURL: s.TokenURL, ClientID: strings.TrimSpace(s.ClientID), ClientSecret: s.ClientSecret.Reveal(),
			Extra: map[string]string{"audience": strings.TrimSpace(s.Audience)}, JSON: true,
		},
		UserAgent:         env.UserAgent,
		Allow:             []rest.Endpoint{{Method: "GET", Path: "/companies"}, {Method: "GET", Path: "/subscriptions"}, {Method: "GET", Path: "/products"}},
		RequestsPerMinute: s.RequestsPerMinute,
		MaxAttempts:       s.MaxAttempts,
		RetryWait:         s.RetryWait,
		Timeout:           s.Timeout,
		MaxElement:        maxElement,
		Hints: map[sdk.Class]string{
			sdk.ClassAuth: credentialsHint, sdk.ClassPermission: permissionHint, sdk.ClassNotFound: notFoundHint, sdk.ClassThrottled: throttledHint,
		},
		Log: env.Log,
	})
	if err != nil {
		return nil, err
	}
	return &connection{Client: client, settings: s}, nil
}

// FiltersCustomers marks that the subscriptions of single customers can be asked for.
func (c *connection) FiltersCustomers() {}

// Close drops idle connections.
func (c *connection) Close() error { return c.Client.Close() }

// The lists, in an order in which what is added comes last, where Pax8 has such an order.
var (
	companies     = rest.Read("GET", "/companies", nil).WithQuery("sort", "name,asc")
	subscriptions = rest.Read("GET", "/subscriptions", nil).WithQuery("sort", "createdDate,asc")
	products      = rest.Read("GET", "/products", nil).WithQuery("sort", "name,asc")
)

// paging is how Pax8 pages every list.
func (c *connection) paging() rest.Paging {
	return rest.Paging{First: 0, SizeParam: "size", Size: c.settings.PageSize, List: "content", Total: "page.totalElements", ID: "id"}
}
