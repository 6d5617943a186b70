// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// The endpoints that write do what they are asked to, in a World, so that a
// client that should not write is seen by what it changed as well as in the
// request log. A source that cannot be edited answers them with 501.

// editable is a source whose content can be changed by a call.
type editable interface {
	edit(change func(*worldState) error) error
}

// refusal is an edit that is answered with a status.
type refusal struct {
	status int
	what   string
}

func (r *refusal) Error() string { return r.what }

func notFound(what string) error { return &refusal{http.StatusNotFound, what + " was not found."} }
func badValue(what string) error { return &refusal{http.StatusBadRequest, what} }

// change edits the source; it answers the call itself when that fails.
func (c *call) change(edit func(*worldState) error) bool {
	w, ok := c.s.source.(editable)
	if !ok {
		c.fail(http.StatusNotImplemented, "The simulator cannot change this data.")
		return false
	}
	err := w.edit(edit)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		c.fail(refused.status, refused.what)
	} else if err != nil {
		c.fail(http.StatusInternalServerError, err.Error())
	}
	return err == nil
}

// createCustomer takes the fields the list of customers has and answers with
// the new record.
func (c *call) createCustomer() {
	var in struct {
		CustomerName, CustomerNotificationEmail, ParentCustomerID, RegistrationNumber, WebURL, MainPhone, Email string

		Street1, Street2, Street3, City, State, Postcode, Country, CountryIsoCode string

		BillingStreet1, BillingStreet2, BillingStreet3, BillingCity, BillingState, BillingPostcode, BillingCountry, BillingCountryIsoCode string
	}
	if !c.body(&in) {
		return
	}
	cu := Customer{
		Name: in.CustomerName, NotificationEmail: in.CustomerNotificationEmail, ParentID: in.ParentCustomerID,
		RegistrationNumber: in.RegistrationNumber, WebURL: in.WebURL, Phone: in.MainPhone, Email: in.Email,
		Address: Address{in.Street1, in.Street2, in.Street3, in.City, in.State, in.Postcode, in.Country, in.CountryIsoCode},
		Billing: Address{
			in.BillingStreet1, in.BillingStreet2, in.BillingStreet3, in.BillingCity, in.BillingState, in.BillingPostcode,
			in.BillingCountry, in.BillingCountryIsoCode,
		},
	}
	if strings.TrimSpace(cu.Name) == "" {
		c.invalid("customerName", "The CustomerName field is required.")
		return
	}
	if c.change(func(st *worldState) error { return st.addCustomer(&cu) }) {
		c.sendJSON(func(e *encoder) { c.customerRecord(e, &cu, Present) })
	}
}

// order adds a subscription for each product, bought on the business date. It
// answers without a body.
func (c *call) order() {
	var in struct {
		TenantID, OrderBillingCycle string
		Products                    []struct {
			ProductID string
			Qty       int64
		}
	}
	if !c.body(&in) {
		return
	}
	if len(in.Products) == 0 {
		c.invalid("products", "The Products field is required.")
		return
	}
	done := c.change(func(st *worldState) error {
		i := st.tenantIndex(in.TenantID)
		if i < 0 {
			return notFound("The tenant")
		}
		a, ok := agreementByID(st, st.tens[i].AgreementID)
		if !ok {
			return notFound("The contract agreement")
		}
		var bought []Subscription
		for _, o := range in.Products {
			p, ok := a.product(o.ProductID)
			if !ok || p.Retired {
				return notFound("The product")
			}
			if o.Qty < 1 {
				return badValue("The quantity is not valid.")
			}
			s := p.Of("", o.Qty)
			s.FirstPurchased = st.date
			if in.OrderBillingCycle != "" {
				s.BillingCycle = in.OrderBillingCycle
			}
			bought = append(bought, s)
		}
		for j := range bought {
			if err := st.addSubscription(in.TenantID, &bought[j]); err != nil {
				return err
			}
		}
		return nil
	})
	if done {
		c.w.WriteHeader(http.StatusOK)
	}
}

// product finds a product by its id in any letter case.
func (a *Agreement) product(id string) (*Product, bool) {
	list := a.products()
	for i := range list {
		if strings.EqualFold(list[i].ID, id) {
			return &list[i], true
		}
	}
	return nil, false
}

// changeQuantity sets the quantity of a subscription or an add-on. It answers
// without a body.
func (c *call) changeQuantity() {
	quantity, err := strconv.ParseInt(c.args[1], 10, 64)
	if err != nil || quantity < 1 {
		c.invalid("newQuantity", "The value '"+c.args[1]+"' is not valid for newQuantity.")
		return
	}
	done := c.change(func(st *worldState) error {
		p := st.find(c.id)
		if p.sub == nil {
			return notFound("The subscription")
		}
		p.sub.Quantity = quantity
		return nil
	})
	if done {
		c.w.WriteHeader(http.StatusOK)
	}
}
