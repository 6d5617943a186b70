// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// TestConnection tries what a run needs, step by step.
func (c *connection) TestConnection(_ context.Context, t *sdk.ConnectionTest) error {
	if err := t.Step("resolve", c.Resolve); err != nil {
		return err
	}
	if err := t.Step("connect", c.Connect); err != nil {
		return err
	}
	err := t.Step("authenticate", func(ctx context.Context) (string, error) {
		return fmt.Sprintf("client %s has a token for scope %s", strings.TrimSpace(c.settings.ClientID), c.settings.Scope), c.Authenticate(ctx)
	})
	if err != nil {
		return err
	}
	if err := t.Step("authorise", c.authorise); err != nil {
		return err
	}
	return t.Step("read", func(ctx context.Context) (string, error) { return c.tryRead(ctx, t) })
}

// authorise asks who we are. What that answers is not known in detail, nor whether it always works; the customer list
// tells as well whether the token is good.
func (c *connection) authorise(ctx context.Context) (string, error) {
	_, err := c.Get(ctx, rest.Read("GET", c.settings.Paths.Me, nil))
	if err == nil {
		return "PRISM accepts the token", nil
	}
	switch sdk.ClassOf(err) {
	case sdk.ClassNotFound, sdk.ClassSchema, sdk.ClassTransient:
		c.log.Debug("asking who we are did not work; trying the customer list", "error", err)
	default:
		return "", err
	}
	enough := fmt.Errorf("the list has begun")
	_, err = c.List(ctx, c.customersRequest(), func(rest.Value) error { return enough })
	if err != nil && err != enough { //nolint:errorlint // List passes it on as it is
		return "", err
	}
	return "PRISM accepts the token", nil
}

func (c *connection) tryRead(ctx context.Context, t *sdk.ConnectionTest) (string, error) {
	var found problems
	var ended, customers int
	names := map[string]string{}
	d, err := c.readCustomers(ctx, &found, func(customer sdk.Customer) error {
		customers++
		if customer.Lifecycle == sdk.LifecycleEnded {
			ended++
		}
		names[strings.ToLower(customer.Ref)] = customer.Name
		return nil
	})
	if err != nil {
		return "", err
	}
	if partner := d.partner(c.settings.PartnerCustomerID); names[partner] != "" {
		t.Account(names[partner])
	}
	agreements, err := d.agreements(c.settings.ContractAgreementIDs)
	if err != nil {
		return "", err
	}
	var list []string
	for _, a := range agreements {
		tenants := 0
		if _, err := c.List(ctx, c.tenantsRequest(a.id), func(rest.Value) error { tenants++; return nil }); err != nil {
			return "", err
		}
		list = append(list, fmt.Sprintf("%s with %d tenants", a.name(), tenants))
	}
	t.Visible("%d customers (%d deactivated); %s", customers, ended, strings.Join(list, "; "))
	return fmt.Sprintf("%d customers, %d contract agreements", customers, len(agreements)), nil
}
