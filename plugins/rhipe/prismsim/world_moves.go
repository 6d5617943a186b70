// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rename gives a customer another name.
func (w *World) Rename(customerID, name string) {
	w.UpdateCustomer(customerID, func(c *Customer) { c.Name = name })
}

// SetAddress gives a customer another main address.
func (w *World) SetAddress(customerID string, a Address) {
	w.UpdateCustomer(customerID, func(c *Customer) { c.Address = a })
}

// Deactivate marks a customer as deactivated.
func (w *World) Deactivate(customerID string) {
	w.UpdateCustomer(customerID, func(c *Customer) { c.Deactivated = true })
}

// Activate undoes Deactivate.
func (w *World) Activate(customerID string) {
	w.UpdateCustomer(customerID, func(c *Customer) { c.Deactivated = false })
}

// RemoveCustomer drops a customer's record; its tenants stay.
func (w *World) RemoveCustomer(customerID string) {
	w.must(func(st *worldState) error { return st.removeCustomer(customerID) })
}

func (st *worldState) removeCustomer(id string) error {
	i := slices.IndexFunc(st.custs, func(c Customer) bool { return strings.EqualFold(c.ID, id) })
	if i < 0 {
		return fmt.Errorf("no customer %q", id)
	}
	st.custs = slices.Delete(st.custs, i, i+1)
	return nil
}

// RemoveTenant drops a tenant with its subscriptions.
func (w *World) RemoveTenant(tenantID string) {
	w.must(func(st *worldState) error { return st.removeTenant(tenantID) })
}

func (st *worldState) removeTenant(id string) error {
	i := st.tenantIndex(id)
	if i < 0 {
		return fmt.Errorf("no tenant %q", id)
	}
	st.tens = slices.Delete(st.tens, i, i+1)
	return nil
}

// SetQuantity changes the quantity of a subscription or add-on.
func (w *World) SetQuantity(subscriptionID string, quantity int64) {
	w.UpdateSubscription(subscriptionID, func(s *Subscription) { s.Quantity = quantity })
}

// SetStatus changes the status of a subscription or add-on.
func (w *World) SetStatus(subscriptionID, status string) {
	w.UpdateSubscription(subscriptionID, func(s *Subscription) { s.Status = status })
}

// RemoveSubscription drops a subscription with its add-ons, or one add-on.
func (w *World) RemoveSubscription(id string) {
	w.must(func(st *worldState) error { return st.removeSubscription(id) })
}

func (st *worldState) removeSubscription(id string) error {
	p := st.find(id)
	if p.sub == nil {
		return fmt.Errorf("no subscription %q", id)
	}
	*p.list = slices.Delete(*p.list, p.at, p.at+1)
	return nil
}

// MoveSubscription puts a subscription, with its add-ons, under another tenant.
func (w *World) MoveSubscription(id, tenantID string) {
	w.must(func(st *worldState) error { return st.moveSubscription(id, tenantID) })
}

func (st *worldState) moveSubscription(id, tenantID string) error {
	p, to := st.find(id), st.tenantIndex(tenantID)
	if p.sub == nil {
		return fmt.Errorf("no subscription %q", id)
	}
	if to < 0 {
		return fmt.Errorf("no tenant %q", tenantID)
	}
	s := *p.sub
	*p.list = slices.Delete(*p.list, p.at, p.at+1)
	st.tens[to].Subscriptions = append(st.tens[to].Subscriptions, s)
	return nil
}

// MoveTenant gives a tenant to another customer, who need not exist.
func (w *World) MoveTenant(tenantID, customerID string) {
	w.UpdateTenant(tenantID, func(t *Tenant) { t.CustomerID, t.CustomerName = customerID, "" })
}

// AddProduct puts a product on an agreement's price list.
func (w *World) AddProduct(agreementID string, p Product) {
	w.must(func(st *worldState) error { return st.addProduct(agreementID, p) })
}

func (st *worldState) addProduct(agreementID string, p Product) error {
	a, ok := agreementByID(st, agreementID)
	if !ok {
		return fmt.Errorf("no contract agreement %q", agreementID)
	}
	a.Products = append(slices.Clone(a.products()), p)
	return nil
}

// RemoveProduct takes a product, named by its id, from an agreement's price
// list. Subscriptions to it stay.
func (w *World) RemoveProduct(agreementID, productID string) {
	w.must(func(st *worldState) error { return st.removeProduct(agreementID, productID) })
}

func (st *worldState) removeProduct(agreementID, productID string) error {
	a, ok := agreementByID(st, agreementID)
	if !ok {
		return fmt.Errorf("no contract agreement %q", agreementID)
	}
	list := slices.Clone(a.products())
	i := slices.IndexFunc(list, func(p Product) bool { return strings.EqualFold(p.ID, productID) })
	if i < 0 {
		return fmt.Errorf("no product %q in contract agreement %q", productID, agreementID)
	}
	a.Products = slices.Delete(list, i, i+1)
	return nil
}

// SetToday moves the business date, on which invoices depend.
func (w *World) SetToday(day time.Time) {
	w.must(func(st *worldState) error { st.date = day; return nil })
}

// CountSubscriptions counts subscriptions and add-ons.
func (w *World) CountSubscriptions() int {
	n := 0
	st := w.snapshot()
	for t := range st.tenants("") {
		for s := range st.subscriptions(t) {
			n += 1 + len(s.Addons)
		}
	}
	return n
}
