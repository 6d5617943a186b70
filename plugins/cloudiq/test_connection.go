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

// authorise asks who we are.
func (c *connection) authorise(ctx context.Context) (string, error) {
	_, err := c.Get(ctx, rest.Read("GET", mePath, nil))
	return "Cloud-iQ accepts the token", err
}

// tryRead reads the organisations, and of each how many customers and subscriptions it has.
func (c *connection) tryRead(ctx context.Context, t *sdk.ConnectionTest) (string, error) {
	all, err := c.readOrganizations(ctx)
	if err != nil {
		return "", err
	}
	var names, visible []string
	for _, o := range all.list {
		tenants, err := c.count(ctx, c.tenantsRequest(o), "customer tenants")
		if err != nil {
			return "", err
		}
		subscriptions, err := c.count(ctx, c.subscriptionsRequest(o), "subscriptions")
		if err != nil {
			return "", err
		}
		names = append(names, o.name)
		visible = append(visible, fmt.Sprintf("%s with %d customer tenants and %d subscriptions", o.title(), tenants, subscriptions))
	}
	t.Account(strings.Join(names, ", "))
	t.Visible("%s", strings.Join(visible, "; "))
	return fmt.Sprintf("%d organisations", len(all.list)), nil
}

// count reads the first page of a list for the number of all its elements.
func (c *connection) count(ctx context.Context, request rest.Request, what string) (int64, error) {
	v, err := c.Get(ctx, request.WithQuery("page", "1").WithQuery("pageSize", "1"))
	if err != nil {
		return 0, err
	}
	total, told := v.Object().Get("TotalHits").Int()
	if !told {
		return 0, &sdk.Error{
			Class: sdk.ClassSchema, Origin: sdk.OriginDistributor, Message: "the list of " + what + " does not tell how many there are (TotalHits)",
			Hint: "Check api_base_url in the settings.",
		}
	}
	return total, nil
}
