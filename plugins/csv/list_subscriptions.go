// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/tallymanhq/tallyman/sdk"
)

// ListSubscriptions reads the file of subscriptions.
func (c *connection) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	return out.Scope(ctx, scopeRef, "the file of subscriptions", func(s *sdk.SubscriptionScope) error {
		t, err := c.subscriptionFile(ctx)
		if err != nil {
			return err
		}
		defer t.Close() //nolint:errcheck // it was only read
		if c.layout.rows == rowsAdd {
			return c.addUp(ctx, t, req, s)
		}
		return c.oneByOne(ctx, t, req, s)
	})
}

// oneByOne sends each row as it is read.
func (c *connection) oneByOne(ctx context.Context, t *table, req sdk.ListRequest, s *sdk.SubscriptionScope) error {
	found := begin(t, s)
	defer found.end()
	r, err := newReader(t, c.layout, c.settings, found)
	if err != nil {
		return err
	}
	if len(req.CustomerRefs) == 0 {
		s.Expect(t.rows)
	}
	step := count(t, s.Progress)
	return t.each(ctx, func(row *row) error {
		step()
		id := r.id(row)
		quantity, why := r.check(row, id)
		if why != "" {
			found.reject(row.line, "%s", why)
			return nil
		}
		if !req.Wants(r.customerOf(row)) {
			return nil
		}
		record := r.subscription(row, id, quantity)
		if negative(&record) {
			found.reject(row.line, "the quantity of %q is %s, below zero", short(id), quantity)
			return nil
		}
		return s.Send(record)
	}, func(row *row, why string) error {
		found.reject(row.line, "%s", why)
		return nil
	})
}

// addUp gathers the rows of each subscription before it is sent. A sum of which a row is missing is wrong, so a file that
// was cut is of no use.
func (c *connection) addUp(ctx context.Context, t *table, req sdk.ListRequest, s *sdk.SubscriptionScope) error {
	if t.cut != "" {
		return wholeError(t)
	}
	found := begin(t, s)
	defer found.end()
	r, err := newReader(t, c.layout, c.settings, found)
	if err != nil {
		return err
	}
	l := newLedger(r)
	step := count(t, s.Progress)
	err = t.each(ctx, func(row *row) error {
		step()
		return l.add(row)
	}, l.useless)
	if err != nil {
		return err
	}
	for _, a := range l.list {
		if a.spoilt || !req.Wants(a.record.CustomerRef) {
			continue
		}
		record := l.subscriptionOf(a)
		if negative(&record) {
			found.reject(a.line, "the rows of subscription %q come to a quantity of %s, below zero", short(record.Ref), record.Items[0].Quantity)
			continue
		}
		if err := s.Send(record); err != nil {
			return err
		}
	}
	return nil
}
