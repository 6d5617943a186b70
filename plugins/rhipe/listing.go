// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// ListCustomers lists the customers as one scope.
//
// A tenant may name a customer that the customer list lacks; its subscriptions would then belong to nobody. So the tenants
// are read here too, their subscriptions skipped unread. That is PRISM's largest answer, once more in every run; it is
// not kept for ListSubscriptions, so that what is in memory does not grow with the number of subscriptions. Where every
// tenant's customer is listed, customers_from_tenants = false saves it.
func (c *connection) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	count := c.Count(out)
	defer count()
	return out.Scope(ctx, "customers", "the customers of the account", func(s *sdk.CustomerScope) error {
		var found problems
		defer func() { found.report(s) }()
		var customers []sdk.Customer
		d, err := c.readCustomers(ctx, &found, func(customer sdk.Customer) error {
			customers = append(customers, customer)
			return nil
		})
		if err != nil {
			return err
		}
		count()
		s.Progress("%d customers", len(customers))
		if c.settings.CustomersFromTenants {
			if customers, err = c.addFromTenants(ctx, s, d, customers, &found); err != nil {
				return err
			}
		}
		partner := d.partner(c.settings.PartnerCustomerID)
		if partner != "" && d.refs[partner] == "" {
			found.doubt("partner.not_found", "partner_customer_id %s is not among the customers", c.settings.PartnerCustomerID)
		}
		for i := range customers {
			customer := &customers[i]
			if !req.Wants(customer.Ref) {
				continue
			}
			customer.IsPartner = partner != "" && strings.ToLower(customer.Ref) == partner
			sortDomains(customer)
			if err := s.Send(*customer); err != nil {
				return err
			}
		}
		return nil
	})
}

// addFromTenants adds to the customers the domains of their tenants, and the customers that only tenants name.
func (c *connection) addFromTenants(ctx context.Context, s *sdk.CustomerScope, d *directory, customers []sdk.Customer, found *problems) ([]sdk.Customer, error) {
	agreements, err := d.agreements(c.settings.ContractAgreementIDs)
	if err != nil {
		found.doubt("agreement.none", "no contract agreement is known, so no tenant was read. %s", agreementHint)
		return customers, nil //nolint:nilerr // a warning tells it
	}
	at := make(map[string]int, len(customers))
	for i := range customers {
		at[strings.ToLower(customers[i].Ref)] = i
	}
	for _, a := range agreements {
		var object rest.Object
		listing, err := c.List(ctx, c.tenantsRequest(a.id), func(v rest.Value) error {
			if !object.Read(v) {
				return nil // Told with the subscriptions.
			}
			tenantID := id(object, "TenantId")
			ref := d.customerOf(tenantID, id(object, "CustomerId"))
			if ref == "" || tenantID == "" {
				return nil
			}
			key := strings.ToLower(ref)
			i, known := at[key]
			if !known {
				i = len(customers)
				at[key] = i
				customers = append(customers, sdk.Customer{Ref: ref, Name: object.Text("CustomerName")})
			}
			if domain := trimmed(object, "TenantDomain"); isDomain(domain) {
				addDomain(&customers[i], a.vendor(), domain)
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			found.lost("agreement.failed", "the tenants of %s could not be read, so customers that only they name are missing: %s", a.name(), reason(err))
		}
		if listing.Null {
			found.lost("tenants.null", "PRISM answered null where the tenants of %s were due, so customers that only they name are missing", a.name())
		}
		s.Progress("%d customers, tenants of %s read", len(customers), a.name())
	}
	return customers, nil
}

// reason is an error in a sentence, without its class.
func reason(err error) string {
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Message != "" {
		return e.Message
	}
	return err.Error()
}

// ListSubscriptions lists the subscriptions, one scope for each contract agreement. Agreements are read one after the
// other: each is one large answer, and PRISM's limits are not known.
func (c *connection) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	count := c.Count(out)
	defer count()
	var found problems
	d, err := c.readCustomers(ctx, &found, func(sdk.Customer) error { return nil })
	if err != nil {
		return err
	}
	if found.lossy() {
		out.Warn("customers.incomplete", "some customers could not be read; contract agreements that only they name are not listed")
	}
	agreements, err := d.agreements(c.settings.ContractAgreementIDs)
	if err != nil {
		return err
	}
	for _, a := range agreements {
		count()
		if err := c.listAgreement(ctx, out, a, d, req); err != nil {
			return err
		}
	}
	return nil
}

// listAgreement sends the subscriptions of an agreement in one scope and what is nested in them in another.
func (c *connection) listAgreement(ctx context.Context, out *sdk.SubscriptionListing, a agreement, d *directory, req sdk.ListRequest) error {
	var found problems
	addons := newAddonScope(ctx, out, a)
	read := error(sdk.Errorf(sdk.ClassInternal, "%s was not read to its end", a.name()))
	err := out.Scope(ctx, a.scopeRef(), a.name(), func(s *sdk.SubscriptionScope) error {
		defer found.report(s)
		read = c.readAgreement(ctx, s, addons, a, d, req, &found)
		return read
	})
	if endErr := addons.close(&found, read); err == nil {
		err = endErr
	}
	return err
}

func (c *connection) readAgreement(ctx context.Context, s *sdk.SubscriptionScope, addons *addonScope, a agreement, d *directory, req sdk.ListRequest, found *problems) error {
	newReader := func(x *extras) *reader {
		return &reader{
			directory: d, agreement: a, terms: &c.terms, problems: found, extras: x, wants: req.Wants,
			send: s.Send, sendAddon: addons.send, sawAddons: addons.saw,
		}
	}
	enriched := c.settings.FetchTenantDetails || c.settings.FetchPrices || c.settings.FetchAzureUsage
	var kept []tenant
	r := newReader(nil)
	told := 0
	listing, err := c.List(ctx, c.tenantsRequest(a.id), func(v rest.Value) error {
		t, ok := r.tenant(v)
		if !ok || !r.wants(t.customerRef) {
			return nil
		}
		if enriched {
			t, _ = r.again(t)
			kept = append(kept, t)
			return nil
		}
		if err := r.read(&t, nil); err != nil {
			return err
		}
		if r.sent-told >= 1000 {
			told = r.sent
			s.Progress("%d tenants, %d subscriptions", r.position, r.sent)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if listing.Null {
		found.lost("tenants.null", "PRISM answered null where the tenants of %s were due", a.name())
	}
	if enriched {
		return c.enrich(ctx, s, kept, newReader)
	}
	return nil
}

// again gives the tenant with memory of its own.
func (r *reader) again(t tenant) (tenant, bool) {
	t.raw = t.raw.Clone()
	var o rest.Object
	o.Read(t.raw)
	var ok bool
	t.subscriptions, ok = o.Get("Subscriptions").List()
	return t, ok
}
