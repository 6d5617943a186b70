// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/tallymanhq/tallyman/sdk"
)

// ListCustomers reads the file of customers, or the customers that the file of subscriptions names.
func (c *connection) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	if trim(c.settings.Customers) == "" {
		return out.Scope(ctx, scopeRef, "the customers in the file of subscriptions", func(s *sdk.CustomerScope) error { return c.namedCustomers(ctx, req, s) })
	}
	return out.Scope(ctx, scopeRef, "the file of customers", func(s *sdk.CustomerScope) error { return c.listedCustomers(ctx, req, s) })
}

func (c *connection) listedCustomers(ctx context.Context, req sdk.ListRequest, s *sdk.CustomerScope) error {
	t, err := c.customerFile(ctx)
	if err != nil {
		return err
	}
	defer t.Close() //nolint:errcheck // it was only read
	found := begin(t, s)
	defer found.end()
	if len(req.CustomerRefs) == 0 {
		s.Expect(t.rows)
	}
	step := count(t, s.Progress)
	return t.each(ctx, func(row *row) error {
		step()
		customer := t.customer(row, c.layout.vendor)
		if customer.Ref == "" {
			found.reject(row.line, "it has no id (name %q)", short(customer.Name))
			return nil
		}
		if !req.Wants(customer.Ref) {
			return nil
		}
		return s.Send(customer)
	}, func(row *row, why string) error {
		found.reject(row.line, "%s", why)
		return nil
	})
}

// namedCustomers sends each customer with its first row. It keeps the ids of those it sent.
func (c *connection) namedCustomers(ctx context.Context, req sdk.ListRequest, s *sdk.CustomerScope) error {
	t, err := c.subscriptionFile(ctx)
	if err != nil {
		return err
	}
	defer t.Close() //nolint:errcheck // it was only read
	found := begin(t, s)
	defer found.end()
	r := &reader{table: t, layout: c.layout, settings: c.settings, problems: found}
	sent := map[string]bool{}
	step := count(t, s.Progress)
	return t.each(ctx, func(row *row) error {
		step()
		ref := r.customerOf(row)
		if ref == "" {
			found.reject(row.line, "it has no customer")
			return nil
		}
		key := c.layout.key(ref)
		if sent[key] || !req.Wants(ref) {
			return nil
		}
		sent[key] = true
		return s.Send(r.named(row))
	}, func(row *row, why string) error {
		found.reject(row.line, "%s", why)
		return nil
	})
}
