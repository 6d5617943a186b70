// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// TestConnection tries what a run needs, step by step. That the token endpoint is content proves little: the gateway's key
// and the rights are checked with the first real request.
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
	var d *directory
	err = t.Step("authorise", func(ctx context.Context) (string, error) {
		var err error
		var found remarks
		d, _, err = c.readCustomers(ctx, &found)
		return "the gateway accepts the key and lists the customers", err
	})
	if err != nil {
		return err
	}
	suspended := 0
	for i := range d.customers {
		if d.customers[i].standing == standingSuspended {
			suspended++
		}
	}
	t.Visible("%d customers (%d suspended)", len(d.customers), suspended)
	return t.Step("read", func(ctx context.Context) (string, error) { return c.tryRead(ctx, d.customers) })
}

// tryRead reads the subscriptions of one customer. One may have trouble of its own, so a few are tried.
func (c *connection) tryRead(ctx context.Context, customers []customer) (string, error) {
	const few = 3
	var first error
	for i := range customers[:min(few, len(customers))] {
		list, err := c.items(ctx, c.settings.Paths.Subscriptions, customers[i].id)
		if err == nil {
			n := 0
			for range list.Elements() {
				n++
			}
			return fmt.Sprintf("%s has %d subscriptions", customers[i].name, n), nil
		}
		if first == nil {
			first = err
		}
	}
	return "there is no customer whose subscriptions could be read", first
}
