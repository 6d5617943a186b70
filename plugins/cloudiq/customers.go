// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// ListCustomers lists the customer tenants of each organisation, removed ones included, and the organisations themselves
// as the partner's own.
func (c *connection) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	defer c.Count(out)()
	all, err := c.readOrganizations(ctx)
	if err != nil {
		return err
	}
	for _, o := range all.list {
		err := out.Scope(ctx, o.id, o.title(), func(s *sdk.CustomerScope) error {
			r := &customerReader{connection: c, all: all, organization: o, scope: s, wants: req.Wants}
			defer r.found.report(s)
			return r.read(ctx)
		})
		if err != nil {
			return err
		}
	}
	if all.doubt == "" {
		return nil
	}
	return out.Scope(ctx, doubted, doubtedName, func(s *sdk.CustomerScope) error {
		s.Partial("listing.moved", "%s", all.doubt)
		return nil
	})
}

// customerReader reads the customer tenants of an organisation.
type customerReader struct {
	*connection
	all          organizations
	organization organization
	scope        *sdk.CustomerScope
	wants        func(ref string) bool
	found        problems
	patience     patience
	// page holds the tenants of a page until their addresses are read.
	page []sdk.Customer
	sent int
}

func (r *customerReader) read(ctx context.Context) error {
	if own := partnerOf(r.organization); r.wants(own.Ref) {
		if err := r.scope.Send(own); err != nil {
			return err
		}
	}
	return r.eachTenant(ctx, r.organization, &r.found, r.take, func() error { return r.flush(ctx) })
}

// eachTenant reads the customer tenants of an organisation, page by page.
func (c *connection) eachTenant(ctx context.Context, o organization, found *problems, take func(rest.Object) error, after func() error) error {
	var object rest.Object
	listing, err := c.readPages(ctx, c.tenantsRequest(o), func(v rest.Value) error {
		if !object.Read(v) {
			found.lost("tenant.unreadable", "an element of the customer tenants of %s is no object", o.title())
			return nil
		}
		if trimmed(object, "Id") == "" {
			found.lost("tenant.without_id", "a customer tenant of %s has no Id (name %q)", o.title(), trimmed(object, "Name"))
			return nil
		}
		return take(object)
	}, after)
	if err == nil {
		err = nullList(listing, "customer tenants")
	}
	if err == nil && listing.Doubt != "" {
		found.lost("listing.moved", "customer tenants: %s", listing.Doubt)
	}
	return err
}

func (r *customerReader) take(o rest.Object) error {
	if r.all.whose(o, r.organization) != r.organization {
		return nil
	}
	if customer := customerOf(o, r.organization); r.wants(customer.Ref) {
		r.page = append(r.page, customer)
	}
	return nil
}

// flush reads the addresses of a page and sends it, some customers at a time.
func (r *customerReader) flush(ctx context.Context) error {
	for some := range slices.Chunk(r.page, together) {
		if err := r.complete(ctx, some); err != nil {
			return err
		}
	}
	r.page = r.page[:0]
	return nil
}

// complete reads the addresses of customers and sends these.
func (r *customerReader) complete(ctx context.Context, some []sdk.Customer) error {
	failed := make([]error, len(some))
	if r.settings.FetchAddresses {
		err := r.ask(ctx, &r.patience, len(some), func(ctx context.Context, i int) error {
			failed[i] = r.askAddress(ctx, &some[i])
			return failed[i]
		})
		if err != nil {
			return err
		}
	}
	for i, customer := range some {
		if err := failed[i]; err != nil {
			r.found.doubt("address.failed", "no details of customer tenant %s, so its address stays as it was: %s", customer.Ref, reason(err))
		}
		if err := r.scope.Send(customer); err != nil {
			return err
		}
	}
	clear(some)
	r.sent += len(some)
	r.scope.Progress("%d customers of %s", r.sent, r.organization.title())
	return nil
}

// askAddress reads the details of one tenant, unless it was removed.
func (r *customerReader) askAddress(ctx context.Context, customer *sdk.Customer) error {
	if customer.Lifecycle == sdk.LifecycleDeleted {
		return nil
	}
	if r.patience.over() {
		return errGivenUp
	}
	o, err := r.detailsOf(ctx, tenantPath, customer.Ref, func(o rest.Object) string { return trimmed(o.Get("Tenant").Object(), "Id") })
	if err == nil {
		fullCustomer(customer, o)
	}
	return err
}
