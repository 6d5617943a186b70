// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// connection reads one PRISM account.
type connection struct {
	sdk.Unimplemented
	*rest.Client
	settings settings
	log      hclog.Logger
	terms    termFields
}

var (
	_ sdk.Distributor      = (*connection)(nil)
	_ sdk.ConnectionTester = (*connection)(nil)
	_ sdk.CustomerFilter   = (*connection)(nil)
	_ sdk.Closer           = (*connection)(nil)
)

const (
	credentialsHint = "Check client_id and client_secret for typing mistakes. For new ones open Customer Management in PRISM, view your own company, Manage Client Credentials, Generate Client Credentials, " +
		"and put the new client id and secret into the settings. The secret is shown once."
	permissionHint = "In PRISM check that the client credentials belong to your own company and that the contract agreement is yours."
	notFoundHint   = "Check contract_agreement_ids, api_base_url and the paths in the settings."
	agreementHint  = "Enter the id of your Microsoft CSP contract agreement as contract_agreement_ids."
)

func connect(s settings, env sdk.Env) (*connection, error) {
	client, err := rest.New(rest.Options{
		BaseURL:   s.APIBaseURL,
		AllowHTTP: s.AllowHTTP,
		Token: &rest.ClientCredentials{
			TokenURL: s.TokenURL, ClientID: strings.TrimSpace(s.ClientID), ClientSecret: s.ClientSecret.Reveal(), Scope: s.Scope,
		},
		UserAgent:         env.UserAgent,
		Allow:             s.Paths.endpoints(),
		MaxParallel:       s.MaxParallel,
		RequestsPerMinute: s.RequestsPerMinute,
		MaxAttempts:       s.MaxAttempts,
		RetryWait:         s.RetryWait,
		Timeout:           s.Timeout,
		Hints: map[sdk.Class]string{
			sdk.ClassAuth: credentialsHint, sdk.ClassPermission: permissionHint, sdk.ClassNotFound: notFoundHint,
		},
		Log: env.Log,
	})
	if err != nil {
		return nil, err
	}
	log := env.Log
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &connection{Client: client, settings: s, log: log, terms: newTermFields(s)}, nil
}

// FiltersCustomers marks that a listing may be narrowed. Agreements are still read whole: PRISM offers nothing smaller.
func (c *connection) FiltersCustomers() {}

// Close drops idle connections.
func (c *connection) Close() error { return c.Client.Close() }

func (c *connection) customersRequest() rest.Request {
	return rest.Read("GET", c.settings.Paths.Customers, nil).
		WithQuery("includeDeactivatedCustomers", strconv.FormatBool(c.settings.IncludeDeactivatedCustomers))
}

func (c *connection) tenantsRequest(agreementID string) rest.Request {
	return rest.Read("GET", c.settings.Paths.Tenants, rest.Vars{"contractAgreementId": agreementID})
}
