// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// TestConnection tries what a run needs, step by step. Both lists are asked for a single element.
func (c *connection) TestConnection(_ context.Context, t *sdk.ConnectionTest) error {
	if err := t.Step("resolve", c.Resolve); err != nil {
		return err
	}
	if err := t.Step("connect", c.Connect); err != nil {
		return err
	}
	err := t.Step("authenticate", func(ctx context.Context) (string, error) {
		return "Pax8 gave a token for the audience " + c.settings.Audience, c.Authenticate(ctx)
	})
	if err != nil {
		return err
	}
	var customers, held int64
	err = t.Step("authorise", func(ctx context.Context) (detail string, err error) {
		customers, err = c.total(ctx, companies)
		return fmt.Sprintf("%d companies", customers), err
	})
	if err != nil {
		return err
	}
	return t.Step("read", func(ctx context.Context) (detail string, err error) {
		held, err = c.total(ctx, subscriptions)
		t.Visible("%d companies, %d subscriptions", customers, held)
		return fmt.Sprintf("%d subscriptions", held), err
	})
}

// total gives how many elements a list is said to have.
func (c *connection) total(ctx context.Context, list rest.Request) (int64, error) {
	answer, err := c.Get(ctx, list.WithQuery("page", "0").WithQuery("size", "1"))
	if err != nil {
		return 0, err
	}
	o := answer.Object()
	total, told := o.Get("page").Object().Get("totalElements").Int()
	if !told || !o.Get("content").IsArray() {
		return 0, sdk.Errorf(sdk.ClassSchema, "Pax8's answer is no page of a list: content or page.totalElements is missing").WithHint(notFoundHint)
	}
	return total, nil
}
