// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// connection reads the account of one service provider.
type connection struct {
	sdk.Unimplemented
	*rest.Client
	settings settings
	// directory is the list of customers as it was last read whole; nil before.
	directory atomic.Pointer[directory]
}

var (
	_ sdk.Distributor      = (*connection)(nil)
	_ sdk.ConnectionTester = (*connection)(nil)
	_ sdk.CustomerFilter   = (*connection)(nil)
	_ sdk.Closer           = (*connection)(nil)
)

const (
	credentialsHint = "Check client_id, client_secret and subscription_key for typing mistakes: the token endpoint wants the first two, " +
		"the gateway the last one with every request. All three are under Security, APIs in Sherweb's partner portal."
	permissionHint = "Check in Sherweb's partner portal that the application may use the scope service-provider, " +
		"and that the customer is yours."
	notFoundHint = "If one customer is not found, it may have been removed meanwhile. If none is, set paths.subscriptions to " +
		"/service-provider/v1/billing/subscriptions/details and fetch_prices to true."
)

func connect(s settings, env sdk.Env) (*connection, error) {
	client, err := rest.New(rest.Options{
		BaseURL:   s.APIBaseURL,
		AllowHTTP: s.AllowHTTP,
		Token: &rest.ClientCredentials{
			TokenURL: s.TokenURL, ClientID: strings.TrimSpace(s.ClientID), ClientSecret: s.ClientSecret.Reveal(), Scope: s.Scope,
		},
		Header:            http.Header{"Ocp-Apim-Subscription-Key": {strings.TrimSpace(s.SubscriptionKey.Reveal())}},
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
	return &connection{Client: client, settings: s}, nil
}

// FiltersCustomers marks that a listing may be narrowed: one customer costs one request.
func (c *connection) FiltersCustomers() {}

// Close drops idle connections.
func (c *connection) Close() error { return c.Client.Close() }

// A list comes without pages and is held whole. These bound what it may hold: far more than any customer has.
const (
	maxItems   = 100_000
	maxElement = 4 << 20
)

// items reads a list: {"items": […]}, whole and without pages. An answer without that list is an error, null in its place
// too: that nothing is listed would mean that everything ended. So is one that holds more than maxItems, or one larger than
// maxElement.
func (c *connection) items(ctx context.Context, path, customerID string) (rest.Value, error) {
	request := rest.Read("GET", path, nil)
	if customerID != "" {
		request = request.WithQuery("customerId", customerID)
	}
	answer, err := c.Get(ctx, request)
	if err != nil {
		return rest.Value{}, err
	}
	list := answer.Object().Get("items")
	wrong := "answered 200 without a list under items"
	if list.IsArray() {
		wrong = beyond(list)
	}
	if wrong == "" {
		return list, nil
	}
	e := sdk.Errorf(sdk.ClassSchema, "GET %s %s", path, wrong).
		WithHint("Sherweb's service has a fault, or its API has changed. Try again later.")
	e.Origin = sdk.OriginDistributor
	return rest.Value{}, e
}

// beyond says by what a list is larger than any can be; empty: it is not.
func beyond(list rest.Value) string {
	n := 0
	for element := range list.Elements() {
		if n++; n > maxItems {
			return fmt.Sprintf("listed more than %d elements, which is more than is read of one answer", maxItems)
		}
		if element.Size() > maxElement {
			return fmt.Sprintf("listed an element %d of more than %d MiB, which is more than is read of one", n, maxElement>>20)
		}
	}
	return ""
}
