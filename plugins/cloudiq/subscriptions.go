// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// alone is for how many customers their subscriptions are asked for one by one. For more, reading all is less work.
const alone = 20

// ListSubscriptions lists the subscriptions of each organisation in every state. Their add-ons are nested in them and have
// a scope of their own: where Cloud-iQ does not tell of add-ons, none of them has ended.
func (c *connection) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	defer c.Count(out)()
	all, err := c.readOrganizations(ctx)
	if err != nil {
		return err
	}
	came := &arrivals{}
	patience := &patience{}
	for _, o := range all.list {
		err := out.Scope(ctx, o.id, o.title(), func(s *sdk.SubscriptionScope) error {
			var read error
			err := out.Scope(ctx, o.id+"/add-ons", "add-ons of "+o.title(), func(addons *sdk.SubscriptionScope) error {
				r := &reader{
					connection: c, all: all, organization: o, scope: s, addons: addons, request: req, came: came, patience: patience,
					agenda: agenda{req.LastComplete, c.now()},
				}
				read = r.read(ctx)
				r.report()
				return read
			})
			if err != nil {
				return err
			}
			return read
		})
		if err != nil {
			return err
		}
	}
	if all.doubt == "" {
		return nil
	}
	return out.Scope(ctx, doubted, doubtedName, func(s *sdk.SubscriptionScope) error {
		s.Partial("listing.moved", "%s", all.doubt)
		return nil
	})
}

// reader reads the subscriptions of an organisation.
type reader struct {
	*connection
	all           organizations
	organization  organization
	scope, addons *sdk.SubscriptionScope
	request       sdk.ListRequest
	came          *arrivals
	patience      *patience
	agenda        agenda
	// found and foundAddons are what is wrong with the subscriptions and with the add-ons.
	found, foundAddons problems
	// missed: a subscription could not be read, and so neither its add-ons.
	missed bool
	// vendorTenants gives the vendor's id of each customer tenant.
	vendorTenants map[string]string
	// page holds the records of a page until their details are read.
	page            []listed
	object          rest.Object
	sent, completed int
}

func (r *reader) report() {
	if r.missed {
		r.foundAddons.lost("addons.incomplete", "some subscriptions of %s could not be read, and so neither their add-ons", r.organization.title())
	}
	r.found.report(r.scope)
	r.foundAddons.report(r.addons)
}

func (r *reader) read(ctx context.Context) error {
	r.vendorTenants = map[string]string{}
	err := r.eachTenant(ctx, r.organization, &r.found, func(o rest.Object) error {
		if vendorTenant := trimmed(o, "PublisherCustomerId"); vendorTenant != "" {
			r.vendorTenants[trimmed(o, "Id")] = vendorTenant
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	if n := len(r.request.CustomerRefs); n == 0 || n > alone {
		return r.list(ctx, r.subscriptionsRequest(r.organization))
	}
	for _, ref := range r.request.CustomerRefs {
		if strings.Trim(ref, "0123456789") != "" {
			continue // An organisation is no tenant and holds nothing itself.
		}
		if err := r.list(ctx, r.subscriptionsRequest(r.organization).WithQuery("customerTenantId", ref)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) list(ctx context.Context, request rest.Request) error {
	listing, err := r.readPages(ctx, request, r.take, func() error { return r.flush(ctx) })
	if err == nil {
		err = nullList(listing, "subscriptions")
	}
	if err == nil && listing.Doubt != "" {
		r.missed = true
		r.found.lost("listing.moved", "subscriptions: %s", listing.Doubt)
	}
	return err
}

// take puts a subscription and its add-ons on the page.
func (r *reader) take(v rest.Value) error {
	if !r.object.Read(v) {
		r.missed = true
		r.found.lost("subscription.unreadable", "an element of the subscriptions of %s is no object", r.organization.title())
		return nil
	}
	o := r.object
	if r.all.whose(o, r.organization) != r.organization {
		return nil
	}
	ref, tenant := trimmed(o, "Id"), o.Get("CustomerTenant").Object()
	customer := trimmed(tenant, "Id")
	switch {
	case ref == "":
		r.missed = true
		r.found.lost("subscription.without_id", "a subscription of %s has no Id (name %q)", r.organization.title(), o.Text("Name"))
		return nil
	case customer == "":
		r.missed = true
		r.found.lost("subscription.without_tenant", "subscription %s names no customer tenant", ref)
		return nil
	case !r.request.Wants(customer):
		return nil
	}
	if came, asAddon := r.came.before(ref, false); came {
		if !asAddon {
			r.missed = true
			r.found.lost("listing.moved", "subscription %s came twice", ref)
		}
		return nil
	}
	l, ok := decode(o, ref, &r.found)
	l.record.CustomerRef, l.record.TenantRef = customer, customer
	if l.record.VendorTenantRef = trimmed(tenant, "PublisherCustomerId"); l.record.VendorTenantRef == "" {
		l.record.VendorTenantRef = r.vendorTenants[customer]
	}
	if ok {
		r.put(l)
	}
	return r.takeAddons(o, &l)
}

// takeAddons puts the add-ons of a subscription on the page. Null is none; a member that is not there does not tell.
func (r *reader) takeAddons(o rest.Object, parent *listed) error {
	list, ok := o.Get("Subscriptions").List()
	switch {
	case !o.Has("Subscriptions"):
		r.foundAddons.lost("addons.untold", "subscription %s does not tell of its add-ons", parent.record.Ref)
		return nil
	case !ok:
		r.foundAddons.lost("addons.unreadable", "the add-ons of subscription %s are no list", parent.record.Ref)
		return nil
	}
	for v := range list.Elements() {
		addon := v.Object()
		ref := trimmed(addon, "Id")
		if ref == "" {
			r.foundAddons.lost("addon.without_id", "an add-on of subscription %s has no Id (name %q)", parent.record.Ref, addon.Text("Name"))
			continue
		}
		if came, _ := r.came.before(ref, true); came {
			continue
		}
		if len(r.page) >= r.mostOfPage() {
			return r.tooMany("subscriptions and add-ons")
		}
		if l, ok := decode(addon, ref, &r.foundAddons); ok {
			l.of(parent)
			r.put(l)
		}
	}
	return nil
}

func (r *reader) put(l listed) {
	l.due = r.settings.FetchDetails && r.agenda.due(l.record.Ref, l.record.State, l.begins)
	r.page = append(r.page, l)
}

// flush reads the details that are due on a page and sends it, some records at a time.
func (r *reader) flush(ctx context.Context) error {
	for some := range slices.Chunk(r.page, together) {
		if err := r.complete(ctx, some); err != nil {
			return err
		}
	}
	r.page = r.page[:0]
	return nil
}

// complete reads the details that are due of some records and sends these.
func (r *reader) complete(ctx context.Context, some []listed) error {
	var due []*listed
	for i := range some {
		if some[i].due {
			due = append(due, &some[i])
		}
	}
	if err := r.ask(ctx, r.patience, len(due), func(ctx context.Context, i int) error { return r.askDetails(ctx, due[i]) }); err != nil {
		return err
	}
	for i := range some {
		if err := r.send(&some[i]); err != nil {
			return err
		}
	}
	r.sent, r.completed = r.sent+len(some), r.completed+len(due)
	clear(some)
	r.scope.Progress("%d subscriptions of %s, %d with details", r.sent, r.organization.title(), r.completed)
	return nil
}

func (r *reader) askDetails(ctx context.Context, l *listed) error {
	if r.patience.over() {
		l.failed = errGivenUp
		return l.failed
	}
	l.details, l.failed = r.detailsOf(ctx, subscriptionPath, l.record.Ref, func(o rest.Object) string { return trimmed(o, "Id") })
	return l.failed
}

// send sends a record. Without its details it is sent as the list tells it: what is not told, the host keeps. But the scope
// is then not complete, so that the next listing asks for them again.
func (r *reader) send(l *listed) error {
	scope, found := r.scope, &r.found
	if l.addon {
		scope, found = r.addons, &r.foundAddons
	}
	switch {
	case !l.due:
	case l.failed == nil:
		l.complete(found)
	case l.addon && sdk.ClassOf(l.failed) == sdk.ClassNotFound:
		found.doubt("addon.without_details", "Cloud-iQ tells no details of add-on %s, so it has no price", l.record.Ref)
	default:
		found.lost("details.failed", "no details of subscription %s, so its prices stay as they were: %s", l.record.Ref, reason(l.failed))
	}
	return scope.Send(l.record)
}
