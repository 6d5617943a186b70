// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/sdk"
)

// collect streams the listings past what is known, and keeps only what is new or different: customers in memory,
// subscriptions in a spool.
func (r *run) collect(ctx context.Context) error {
	if r.req.Entities.Customers {
		if err := r.collectCustomers(ctx); err != nil {
			return err
		}
	}
	if r.req.Entities.Subscriptions {
		return r.collectSubscriptions(ctx)
	}
	return nil
}

// customerListing is what was read of the customers.
type customerListing struct {
	// read: the listing ended as it should; otherwise nothing of it is used.
	read bool
	// complete: everything was read.
	complete bool
	// list holds each customer that needs a closer look once, by key: what a plan does must not depend on the order in which
	// they came. Those that have ended come last. No customer is created for them, but they are mapped to one that was
	// created for another.
	list []listedCustomer
	// listed counts all of them. The known ones are marked in plan.known.
	listed int
}

// listedCustomer is a customer as it was listed. The customer is nil if nothing is to be done about it.
type listedCustomer struct {
	*sdk.Customer
	key, scope string
}

// ref gives the customer's id as it was listed, as far as that is still known.
func (l listedCustomer) ref() string {
	if l.Customer == nil {
		return l.key
	}
	return l.Ref
}

func (r *run) collectCustomers(ctx context.Context) error {
	if err := r.loadKnown(ctx); err != nil {
		return err
	}
	r.progress("collect customers", 0, "")
	listing, err := r.source.ListCustomers(ctx, r.narrowRefs)
	if err != nil {
		return r.listingFailed(ctx, "customers", err)
	}
	defer listing.Close()
	c := &r.customers
	for {
		event, err := listing.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.listingFailed(ctx, "customers", err)
		}
		switch event := event.(type) {
		case pluginhost.Customers:
			for i := range event.Customers {
				told := &event.Customers[i]
				told.Ref, told.Name = withoutNUL(told.Ref), withoutNUL(told.Name)
				listed := listedCustomer{key: r.key(told.Ref), scope: event.Scope}
				if !r.quiet(r.planned.known[listed.key], told) {
					kept := *told
					listed.Customer = &kept
				}
				c.list = append(c.list, listed)
			}
			r.progress("collect customers", len(c.list), "")
		case pluginhost.Progress:
			r.progress("collect customers", len(c.list), event.Text)
		}
	}
	result := listing.Result()
	if err := r.judge(ctx, "customers", result); err != nil {
		return err
	}
	c.tidy(r, failedScopes(result))
	c.read = true
	c.complete = result.Outcome == pluginhost.OutcomeComplete
	r.count(CountCustomersListed, c.listed)
	return nil
}

// tidy drops what came from scopes that failed, of which nothing is used, and keeps each customer once.
func (c *customerListing) tidy(r *run, failed map[string]bool) {
	seen := make(map[string]bool, len(c.list))
	var kept []listedCustomer
	for _, told := range slices.Backward(c.list) {
		switch {
		case failed[told.scope]:
		case seen[told.key]:
			r.details.warn("customer %q was listed twice; the last one counts", told.ref())
		default:
			seen[told.key] = true
			if known, ok := r.planned.known[told.key]; ok {
				known.listed = true
				r.planned.known[told.key] = known
			}
			if told.Customer != nil {
				kept = append(kept, told)
			}
		}
	}
	slices.SortFunc(kept, func(a, b listedCustomer) int {
		if ended(a.Lifecycle) != ended(b.Lifecycle) {
			if ended(a.Lifecycle) {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.key, b.key)
	})
	c.list, c.listed = kept, len(seen)
}

func failedScopes(result pluginhost.Result) map[string]bool {
	failed := map[string]bool{}
	for _, s := range result.Scopes {
		if s.Outcome == pluginhost.OutcomeFailed {
			failed[s.Ref] = true
		}
	}
	return failed
}
