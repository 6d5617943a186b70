// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// ListCustomers lists the customers as one scope, by one request.
func (c *connection) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	defer c.Count(out)()
	return out.Scope(ctx, "customers", "the customers of the account", func(s *sdk.CustomerScope) error {
		var found remarks
		d, _, err := c.readCustomers(ctx, &found)
		if err != nil {
			return err
		}
		for i := range d.customers {
			if !req.Wants(d.customers[i].id) {
				continue
			}
			if err := s.Send(d.customers[i].record()); err != nil {
				return err
			}
		}
		found.report(s)
		return nil
	})
}

// ListSubscriptions lists the subscriptions, one scope for each customer, by one request each. A customer that cannot be read
// fails its own scope.
//
// The customers are those of the list of customers, read anew. For customers that are asked for by id the list is not
// read: they cost one request each. Whether a customer is suspended is then known only if the list was read before.
func (c *connection) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	defer c.Count(out)()
	var err error
	customers := c.named(req.CustomerRefs)
	if len(customers) == 0 {
		if customers, err = c.listed(ctx, out); err != nil {
			return err
		}
	} else if customers, err = c.onlyUsable(ctx, out, customers); err != nil {
		return err
	}
	var (
		patience patience
		done     atomic.Int64
	)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.MaxParallel())
	for i := range customers {
		owner := &customers[i]
		group.Go(func() error {
			return out.Scope(ctx, strings.ToLower(owner.id), owner.name, func(s *sdk.SubscriptionScope) error {
				if err := patience.lost(); err != nil {
					return err
				}
				err := c.listCustomer(ctx, s, owner, &patience)
				s.Progress("%d of %d customers", done.Add(1), len(customers))
				return err
			})
		})
	}
	return group.Wait()
}

// named gives the customers that are asked for by id, each once.
func (c *connection) named(refs []string) []customer {
	known := c.directory.Load()
	seen := map[string]bool{}
	var list []customer
	for _, ref := range refs {
		key := strings.ToLower(strings.TrimSpace(ref))
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		one, found := known.find(key)
		if !found {
			one = customer{id: strings.TrimSpace(ref), name: ref}
		}
		list = append(list, one)
	}
	return list
}

// onlyUsable leaves out the customers whose id cannot be one. A scope that failed stands for them.
func (c *connection) onlyUsable(ctx context.Context, out *sdk.SubscriptionListing, customers []customer) ([]customer, error) {
	good := slices.DeleteFunc(slices.Clone(customers), func(one customer) bool { return !usable(one.id) })
	if len(good) == len(customers) {
		return customers, nil
	}
	err := out.Scope(ctx, unreadable, unreadableName, func(*sdk.SubscriptionScope) error {
		return sdk.Errorf(sdk.ClassSchema, "%d of the customers asked for have an id that cannot be one", len(customers)-len(good))
	})
	return good, err
}

// listed gives the customers of the list. If some of it could not be read, a scope that failed keeps the listing from being
// complete.
func (c *connection) listed(ctx context.Context, out *sdk.SubscriptionListing) ([]customer, error) {
	var found remarks
	d, whole, err := c.readCustomers(ctx, &found)
	if err != nil {
		return nil, err
	}
	if !whole {
		err = out.Scope(ctx, unreadable, unreadableName, func(s *sdk.SubscriptionScope) error {
			found.report(s)
			return sdk.Errorf(sdk.ClassSchema, "the list of customers holds some without an id that can be used, whose subscriptions cannot be asked for")
		})
	}
	return d.customers, err
}

// listCustomer sends the subscriptions of a customer, each once.
func (c *connection) listCustomer(ctx context.Context, s *sdk.SubscriptionScope, owner *customer, patience *patience) error {
	list, err := c.items(ctx, c.settings.Paths.Subscriptions, owner.id)
	patience.note(err)
	if err != nil {
		return err
	}
	var found remarks
	defer func() { found.report(s) }()
	prices := c.prices(ctx, owner, patience, &found)
	var (
		records []sdk.Subscription
		o       rest.Object
	)
	at := map[string]int{}
	for element := range list.Elements() {
		o.Read(element) // What is no object has no members, and so no id.
		key := strings.ToLower(strings.TrimSpace(o.Text("id")))
		record, ok := decodeSubscription(o, prices[key], owner, &found)
		if !ok {
			continue
		}
		if i, twice := at[key]; twice {
			found.doubt("subscription.twice", "subscription %s is listed twice; the last one counts", record.Ref)
			records[i] = record
			continue
		}
		at[key] = len(records)
		records = append(records, record)
	}
	for i := range records {
		if err := s.Send(records[i]); err != nil {
			return err
		}
	}
	return nil
}

// prices gives what the call for prices tells of each subscription, by its id in lower case; nil if it is not asked for. If
// it fails, that is a remark: what it would have told is left untold, and the host keeps what it knew.
func (c *connection) prices(ctx context.Context, owner *customer, patience *patience, found *remarks) map[string]rest.Value {
	if !c.settings.FetchPrices {
		return nil
	}
	list, err := c.items(ctx, c.settings.Paths.Prices, owner.id)
	patience.note(err)
	if err != nil {
		found.doubt("prices.failed", "billing cycles and fees could not be read: %s", sdk.AsError(err).Message)
		return nil
	}
	prices := map[string]rest.Value{}
	for element := range list.Elements() {
		prices[strings.ToLower(strings.TrimSpace(element.Object().Text("id")))] = element
	}
	return prices
}
