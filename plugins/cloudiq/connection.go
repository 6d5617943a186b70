// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// connection reads one Cloud-iQ account.
type connection struct {
	sdk.Unimplemented
	*rest.Client
	settings settings
	// now is the clock; which details are due depends on the day.
	now func() time.Time
}

var (
	_ sdk.Distributor      = (*connection)(nil)
	_ sdk.ConnectionTester = (*connection)(nil)
	_ sdk.CustomerFilter   = (*connection)(nil)
	_ sdk.Closer           = (*connection)(nil)
)

// The requests there are. Nothing else is ever sent, and all of them by GET.
const (
	mePath            = "/me/"
	organizationsPath = "/organizations/"
	tenantsPath       = "/customertenants/"
	tenantPath        = "/customertenants/{id}/detailed/"
	subscriptionsPath = "/subscriptions/"
	subscriptionPath  = "/subscriptions/{id}/"
)

const passwordGrant = "password"

const (
	credentialsHint = "Check client_id, client_secret, username and password for typing mistakes. For a new secret open Manage, " +
		"API Management in Cloud-iQ; it is shown once. The user must be able to sign in to Cloud-iQ and must not have to change its password."
	permissionHint = "In Cloud-iQ give the API's user access to this organisation, with the right to read customer tenants and subscriptions."
	notFoundHint   = "Check api_base_url and organization_ids in the settings."
)

func connect(s settings, env sdk.Env) (*connection, error) {
	token := &rest.ClientCredentials{
		TokenURL: s.TokenURL, ClientID: strings.TrimSpace(s.ClientID), ClientSecret: s.ClientSecret.Reveal(), Scope: s.Scope,
		Basic: true, Unescaped: true, // Crayon's own SDK does not escape them.
	}
	if s.GrantType == passwordGrant {
		token.Extra = map[string]string{"grant_type": passwordGrant, "username": strings.TrimSpace(s.Username), "password": s.Password.Reveal()}
	}
	var allow []rest.Endpoint
	for _, path := range []string{mePath, organizationsPath, tenantsPath, tenantPath, subscriptionsPath, subscriptionPath} {
		allow = append(allow, rest.Endpoint{Method: "GET", Path: path})
	}
	client, err := rest.New(rest.Options{
		BaseURL:           s.APIBaseURL,
		AllowHTTP:         s.AllowHTTP,
		Token:             token,
		UserAgent:         env.UserAgent,
		Allow:             allow,
		MaxParallel:       s.MaxParallel,
		RequestsPerMinute: s.RequestsPerMinute,
		MaxAttempts:       s.MaxAttempts,
		RetryWait:         s.RetryWait,
		Timeout:           s.Timeout,
		MaxBody:           maxElement,
		MaxStream:         maxPage,
		MaxElement:        maxElement,
		Hints: map[sdk.Class]string{
			sdk.ClassAuth: credentialsHint, sdk.ClassPermission: permissionHint, sdk.ClassNotFound: notFoundHint,
		},
		Log: env.Log,
	})
	if err != nil {
		return nil, err
	}
	return &connection{Client: client, settings: s, now: time.Now}, nil
}

// FiltersCustomers marks that a listing may be narrowed to customers.
func (c *connection) FiltersCustomers() {}

// Close drops idle connections.
func (c *connection) Close() error { return c.Client.Close() }

func (c *connection) tenantsRequest(o organization) rest.Request {
	return rest.Read("GET", tenantsPath, nil).WithQuery("organizationId", o.id)
}

// subscriptionsRequest asks for every status: which ones are listed otherwise is not documented. Those that were created last
// come last, so that one that is added while the list is read moves no other to another page.
func (c *connection) subscriptionsRequest(o organization) rest.Request {
	return rest.Read("GET", subscriptionsPath, nil).WithQuery("organizationId", o.id).
		WithQuery("statuses", strconv.Itoa(c.settings.Statuses)).WithQuery("sortBy", "CreationDate")
}
