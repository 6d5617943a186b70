// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// sourceSide is what the database knows of the module that is moved from.
func (r *run) sourceSide(ctx context.Context) (*moving.Side, error) {
	side := &moving.Side{Module: r.details.From, Complete: true}
	var err error
	if side.Customers, err = r.storedCustomers(ctx, r.from.ID); err != nil {
		return nil, err
	}
	return side, r.eachPair(ctx, r.from.ID, func(pair *store.Pair) error {
		s, err := storedSubscription(pair)
		side.Subscriptions = append(side.Subscriptions, s)
		return err
	})
}

// targetSide is what the database knows of the run's own module, and what was listed. Rows are made for distributor
// customers that are new.
func (m *move) targetSide(ctx context.Context) (*moving.Side, error) {
	side := &moving.Side{Module: m.req.Module.String(), Complete: m.run.customers.complete && m.run.subscriptions.complete}
	var err error
	if side.Customers, err = m.storedCustomers(ctx, m.module.ID); err != nil {
		return nil, err
	}
	m.listedCustomers(side)
	at := map[string]int{}
	err = m.eachPair(ctx, m.module.ID, func(pair *store.Pair) error {
		s, err := storedSubscription(pair)
		if e := m.entryOf(pair); e != nil && m.isMissing(e) {
			s.Ended = true
		}
		at[s.Key] = len(side.Subscriptions)
		side.Subscriptions = append(side.Subscriptions, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = m.run.subscriptions.each(m.key, func(rec spooled) error {
		told := rec.told()
		key := rec.name(m.key)
		i, known := at[key]
		if !known {
			i = len(side.Subscriptions)
			side.Subscriptions = append(side.Subscriptions, moving.Subscription{})
		}
		side.Subscriptions[i].Key = key
		tellSubscription(&side.Subscriptions[i], &told, m.key(told.CustomerRef))
		return nil
	})
	return side, err
}

// listedCustomers adds to what is known of the target's customers what was listed.
func (m *move) listedCustomers(side *moving.Side) {
	at := make(map[string]int, len(side.Customers))
	for i := range side.Customers {
		c := &side.Customers[i]
		at[c.Key] = i
		if m.findsGone() && !m.planned.known[c.Key].listed {
			c.Ended = true
		}
	}
	for _, listed := range m.run.customers.list {
		told := listed.Customer
		i, known := at[listed.key]
		if !known {
			i = len(side.Customers)
			side.Customers = append(side.Customers, moving.Customer{Key: listed.key})
			row := &store.DistributorCustomer{
				Ref: told.Ref, RefKey: listed.key, Name: told.Name, Lifecycle: lifecycleName(told.Lifecycle), IsPartner: told.IsPartner,
				CreatedAt: m.started, UpdatedAt: m.started,
			}
			row.Fingerprint, row.Record = customerPrint(told)
			m.customers[listed.key] = row
		}
		c := &side.Customers[i]
		c.Ref, c.Name, c.Ended, c.Partner = told.Ref, told.Name, ended(told.Lifecycle), told.IsPartner
		c.Tenants, c.Domains = evidenceOf(told.VendorTenants, told.Domains)
	}
}

// storedCustomers gives the distributor customers of a module with what they are mapped to.
func (r *run) storedCustomers(ctx context.Context, moduleID int64) ([]moving.Customer, error) {
	rows, err := r.store.DistributorCustomers(ctx, moduleID)
	if err != nil {
		return nil, err
	}
	mappings, err := r.store.Mappings(ctx, moduleID)
	if err != nil {
		return nil, err
	}
	mapped, ours := make(map[int64]int64, len(mappings)), map[int64]bool{}
	for _, m := range mappings {
		mapped[m.DistributorCustomerID], ours[m.CustomerID] = m.CustomerID, true
	}
	names, err := r.store.CustomerNames(ctx, slices.Sorted(maps.Keys(ours)))
	if err != nil {
		return nil, err
	}
	list := make([]moving.Customer, len(rows))
	for i := range rows {
		row := &rows[i]
		var record struct {
			Tenants []sdk.VendorTenant `json:"vendor_tenants"`
			Domains []string           `json:"domains"`
		}
		if err := json.Unmarshal(row.Record, &record); err != nil {
			return nil, fmt.Errorf("read the stored record of distributor customer %q: %w", row.Ref, err)
		}
		c := &list[i]
		c.ID, c.Key, c.Ref, c.Name, c.Partner = row.ID, row.RefKey, row.Ref, row.Name, row.IsPartner
		c.Ended = row.GoneAt != nil || row.Lifecycle == lifecycleName(sdk.LifecycleEnded) || row.Lifecycle == lifecycleName(sdk.LifecycleDeleted)
		c.CustomerID = mapped[row.ID]
		c.CustomerName = names[c.CustomerID]
		c.Tenants, c.Domains = evidenceOf(record.Tenants, record.Domains)
	}
	return list, nil
}

// evidenceOf gives what a distributor says of a customer that other distributors may say too.
func evidenceOf(tenants []sdk.VendorTenant, domains []string) ([]moving.Tenant, []string) {
	list := make([]moving.Tenant, len(tenants))
	domains = slices.Clone(domains)
	for i, t := range tenants {
		list[i] = moving.Tenant{Vendor: t.Vendor, Ref: t.Ref}
		domains = append(domains, t.Domain)
	}
	return list, domains
}

// eachPair goes through all distributor subscriptions that the database knows of a module.
func (r *run) eachPair(ctx context.Context, moduleID int64, fn func(*store.Pair) error) error {
	for after := int64(0); ; {
		page, err := r.store.DistributorSubscriptions(ctx, moduleID, after, chunk)
		if err != nil {
			return err
		}
		for i := range page {
			after = page[i].ID
			if err := fn(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < chunk {
			return nil
		}
	}
}

// storedSubscription gives a subscription as the database knows it.
func storedSubscription(pair *store.Pair) (moving.Subscription, error) {
	s := moving.Subscription{ID: pair.ID, Key: pair.RefKey}
	if pair.Subscription != nil {
		s.RecordID, s.CustomerID = pair.Subscription.ID, pair.Subscription.CustomerID
	}
	told, err := storedRecord(pair)
	if err != nil {
		return s, err
	}
	tellSubscription(&s, &told, pair.CustomerKey)
	s.Ended = s.Ended || pair.Flags&store.FlagGone != 0
	return s, nil
}

// tellSubscription fills in what the distributor says.
func tellSubscription(s *moving.Subscription, told *reconcile.Observed, customerKey string) {
	s.Ref, s.CustomerKey, s.Ended, s.Name = told.Ref, customerKey, told.Ended(), told.Name
	s.Vendor, s.VendorRef, s.VendorTenant, s.VendorSKU = told.Vendor, told.VendorRef, told.VendorTenantRef, told.VendorSKU
	s.BillingTerm, s.CommitmentTerm, s.Charge = told.BillingTerm, told.CommitmentTerm, told.Charge
}
