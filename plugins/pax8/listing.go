// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// account is the only scope: Pax8 lists all companies and all subscriptions of a partner as one.
const (
	account     = "account"
	accountName = "the account"
)

// alone is for how many customers their subscriptions are asked for one by one. For more, reading all is less work.
const alone = 20

// scope is what listings of both kinds have.
type scope interface {
	reporter
	Expect(total int)
	Progress(format string, args ...any)
}

// ListCustomers lists the companies, deleted ones included.
func (c *connection) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	defer c.Count(out)()
	return out.Scope(ctx, account, accountName, func(s *sdk.CustomerScope) error {
		var found problems
		defer found.report(s)
		total, err := c.read(ctx, companies, s, &found, func(o rest.Object) error {
			customer := customerOf(o)
			if customer.Ref != "" && !req.Wants(customer.Ref) {
				return nil
			}
			return s.Send(customer)
		})
		if err == nil {
			expect(s, req, total)
		}
		return err
	})
}

// ListSubscriptions lists the subscriptions in every state.
func (c *connection) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	defer c.Count(out)()
	return out.Scope(ctx, account, accountName, func(s *sdk.SubscriptionScope) error {
		found := &problems{}
		defer found.report(s)
		catalogue, err := c.readCatalogue(ctx, s, found)
		if err != nil {
			return err
		}
		send := func(o rest.Object) error {
			subscription, ok := subscriptionOf(o, catalogue, found)
			if !ok || subscription.CustomerRef != "" && !req.Wants(subscription.CustomerRef) {
				return nil
			}
			return s.Send(subscription)
		}
		if n := len(req.CustomerRefs); n > 0 && n <= alone {
			return c.readAlone(ctx, req.CustomerRefs, s, found, send)
		}
		total, err := c.read(ctx, subscriptions, s, found, send)
		if err == nil {
			expect(s, req, total)
		}
		return err
	})
}

// expect tells how many records Pax8 announced, where all of them were sent and it did.
func expect(s scope, req sdk.ListRequest, total int) {
	if total >= 0 && len(req.CustomerRefs) == 0 {
		s.Expect(total)
	}
}

// readAlone reads what each of several companies holds. One that fails makes the scope partial; the others are read all
// the same. It is an error if all fail, or one fails in a way in which the others must, too.
func (c *connection) readAlone(ctx context.Context, companyIDs []string, s scope, found *problems, take func(rest.Object) error) error {
	var failed []error
	for _, id := range companyIDs {
		_, err := c.read(ctx, subscriptions.WithQuery("companyId", id), s, found, take)
		if err == nil {
			continue
		}
		class := sdk.ClassOf(err)
		if failed = append(failed, err); ctx.Err() != nil || class == sdk.ClassAuth || class == sdk.ClassThrottled || len(failed) == len(companyIDs) {
			return err
		}
		found.lost("company.failed", "the subscriptions of company %s could not be read: %s", id, reason(err))
	}
	return nil
}

// read reads a list to its end and gives each element to take, whose error ends it. Total is how many elements Pax8 announced
// last. What speaks against its being whole is among the problems afterwards.
func (c *connection) read(
	ctx context.Context, list rest.Request, s scope, found *problems, take func(rest.Object) error,
) (total int, err error) {
	var object rest.Object
	n := 0
	listing, err := c.ListPages(ctx, list, c.paging(), func(v rest.Value) error {
		if n++; n%1000 == 0 {
			s.Progress("%d records", n)
		}
		if !object.Read(v) {
			found.lost("record.undecodable", "element %d is no object", n)
			return nil
		}
		return take(object)
	})
	if err != nil {
		return 0, err
	}
	if listing.Null {
		return 0, sdk.Errorf(sdk.ClassSchema, "Pax8 answered null where a list was due")
	}
	if listing.Doubt != "" {
		found.lost("listing.moved", "%s", listing.Doubt)
	}
	return listing.Total, nil
}

// reason is an error in a sentence, without its class.
func reason(err error) string {
	var e *sdk.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}
