// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// subscriptionOf reads a subscription. One whose quantity is no number is lost; of a price or date that cannot be read only
// the price or date is left out.
func subscriptionOf(o rest.Object, known catalogue, found *problems) (sdk.Subscription, bool) {
	id := word(o, "id")
	quantity, err := o.Get("quantity").Decimal()
	if err != nil {
		found.lost("record.undecodable", "the quantity of subscription %s: %v", id, err)
		return sdk.Subscription{}, false
	}
	product := known[strings.ToLower(word(o, "productId"))]
	name := cmp.Or(word(o, "productName"), product.name)
	r := &reader{subscription: id, object: o, found: found}
	status, billing, commitment := statusOf(word(o, "status")), billingTerm(word(o, "billingTerm")), o.Get("commitmentTerm").Object()
	s := sdk.Subscription{
		Ref: id, CustomerRef: word(o, "companyId"), ParentRef: word(o, "parentSubscriptionId"), VendorRef: word(o, "vendorSubscriptionId"),
		Name: name, Vendor: product.vendor, State: status.state, Status: word(o, "status"), Trial: trialOf(status, billing),
		BillingTerm: billing.Term, CommitmentTerm: commitmentTerm(word(commitment, "term")),
		StartedOn: r.date(o.Get("startDate")), CommitmentEnd: r.date(commitment.Get("endDate")),
		Items: []sdk.Item{{
			Name: name, SKU: product.sku, VendorSKU: cmp.Or(word(o, "vendorSkuId"), product.vendorSKU), ProductRef: word(o, "productId"),
			Quantity: quantity, Charge: billing.charge,
		}},
	}
	if o.Has("commitmentTerm") && o.Get("commitmentTerm").IsNull() && billing.monthly() {
		s.CommitmentTerm.Kind = sdk.TermNone // So plain monthly ones are answered.
	}
	r.prices(&s.Items[0])
	if end := r.date(o.Get("endDate")); end != "" || status.ending {
		s.Extra = map[string]string{}
		put(s.Extra, "end_date", end)
		if status.ending {
			put(s.Extra, "scheduled_change", "cancel")
		}
	}
	return s, true
}

func put(extra map[string]string, name, value string) {
	if value != "" {
		extra[name] = value
	}
}

// reader reads the prices and dates of one subscription and notes those that cannot be read.
type reader struct {
	subscription string
	object       rest.Object
	found        *problems
}

// prices puts price and cost into an item. Whether they are for one unit is told by the product's price list only, so it
// is left open here.
func (r *reader) prices(item *sdk.Item) {
	currency := word(r.object, "currencyCode")
	if isCode(currency, 3) {
		currency = strings.ToUpper(currency)
	} else if currency != "" {
		r.found.doubt("currency.unknown", "the currency %q of subscription %s is no ISO 4217 code", currency, r.subscription)
		currency = ""
	}
	item.CustomerPrice, item.PartnerCost = r.money("price", currency), r.money("partnerCost", currency)
}

func (r *reader) money(name, currency string) sdk.Money {
	amount, err := r.object.Get(name).Decimal()
	if err != nil {
		r.found.doubt("price.unreadable", "the %s of subscription %s: %v", name, r.subscription, err)
	}
	if amount.IsAbsent() {
		return sdk.Money{}
	}
	return sdk.Money{Amount: amount, Currency: currency}
}

func (r *reader) date(v rest.Value) string {
	date, err := rest.ParseDate(v.Text())
	if err != nil {
		r.found.doubt("date.unreadable", "a date of subscription %s: %v", r.subscription, err)
	}
	return date.String()
}
