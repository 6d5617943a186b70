// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// listed is a subscription or an add-on of the page that is being read.
type listed struct {
	record sdk.Subscription
	addon  bool
	// begins are when it was created, when it started, when its term began, as far as that is told.
	begins []time.Time
	// due: its details are to be read. They are in details, or failed says why not.
	due     bool
	details rest.Object
	failed  error
}

// decode reads what a list tells of a subscription, or of an add-on of it. It reports false if what counts in it cannot be
// read; what the host knows of it then stays as it is.
func decode(o rest.Object, ref string, found *problems) (listed, bool) {
	l := listed{record: sdk.Subscription{Ref: ref, Name: o.Text("Name"), VendorRef: trimmed(o, "PublisherSubscriptionId"), Vendor: vendorName(o)}}
	s := &l.record
	s.State, s.Status = statusOf(o.Get("Status"))
	if trial, told := o.Get("IsTrial").Bool(); told {
		s.Trial = &trial
	}
	if renews, told := o.Get("AutoRenewEnabled").Bool(); told {
		s.AutoRenew = &renews
	}
	if v := o.Get("BillingCycle"); !v.IsNull() {
		s.BillingTerm = billingTerm(v)
	}
	s.CommitmentTerm = commitmentTerm(trimmed(o, "TermDuration"))
	item := itemOf(o, s.BillingTerm)
	if item.Charge != sdk.ChargeUsage {
		quantity, err := o.Get("Quantity").Decimal()
		if err != nil {
			found.lost("subscription.quantity_unreadable", "the quantity of subscription %s cannot be read: %v", ref, err)
			return l, false
		}
		item.Quantity = quantity
		price, err := o.Get("SalesPrice").Decimal()
		if err != nil {
			found.doubt("subscription.price_unreadable", "the sales price of subscription %s cannot be read: %v", ref, err)
		} else if !price.IsAbsent() {
			// The currency is told with the details alone.
			item.CustomerPrice, item.PricePer = sdk.Money{Amount: price}, sdk.PricePerUnit
		}
	}
	s.Items = []sdk.Item{item}
	if s.Name == "" {
		s.Name = item.Name
	}
	l.dates(o, found)
	l.extras(o)
	return l, true
}

func itemOf(o rest.Object, billing sdk.Term) sdk.Item {
	product := o.Get("Product").Object()
	item := sdk.Item{
		Name: product.Text("ItemName", "ItemLegalName"), SKU: trimmed(o, "PartNumber"), VendorSKU: trimmed(product, "PublisherProductId"),
		ProductRef: trimmed(product, "Id"),
	}
	if item.SKU == "" {
		item.SKU = trimmed(product, "PartNumber")
	}
	item.Charge, item.Unit = chargeOf(o.Get("ProvisionType"), billing)
	return item
}

// dates reads when it was made, when it started, and when its term ends, from which follows when that began.
func (l *listed) dates(o rest.Object, found *problems) {
	s := &l.record
	read := func(name string) rest.Date {
		d, err := dateOf(o.Get(name))
		if err != nil {
			found.doubt("subscription.date_unreadable", "%s of subscription %s cannot be read: %v", name, s.Ref, err)
		}
		return d
	}
	created, started, ends := read("CreationDate"), read("StartDate"), read("EndDate")
	s.CancellableUntil = read("CancellationAllowedUntilDate").String()
	if s.StartedOn = started.String(); s.StartedOn == "" {
		s.StartedOn = created.String()
	}
	for _, d := range []rest.Date{created, started} {
		if d.IsSet() {
			l.begins = append(l.begins, d.Time)
		}
	}
	if ends.IsSet() {
		if began, ok := before(ends.Time, s.CommitmentTerm); ok {
			l.begins = append(l.begins, began)
		}
		l.note("end_date", ends.String())
	}
}

// extras keeps what else is worth it. Nothing of the details is among it: it would come and go with them.
func (l *listed) extras(o rest.Object) {
	l.note("entitlement_id", trimmed(o, "EntitlementId"))
	l.note("order_id", trimmed(o, "OrderId"))
	l.note("next_term_quantity", trimmed(o.Get("ScheduledNextTermInstructions").Object(), "Quantity"))
}

func (l *listed) note(name, value string) {
	if value == "" {
		return
	}
	if l.record.Extra == nil {
		l.record.Extra = map[string]string{}
	}
	l.record.Extra[name] = value
}

// of makes l an add-on of a subscription. What an add-on does not tell of itself is that of the subscription.
func (l *listed) of(parent *listed) {
	s := &l.record
	l.addon, s.ParentRef = true, parent.record.Ref
	s.CustomerRef, s.TenantRef, s.VendorTenantRef = parent.record.CustomerRef, parent.record.TenantRef, parent.record.VendorTenantRef
	if s.Vendor == "" {
		s.Vendor = parent.record.Vendor
	}
	if s.Status == "" {
		s.State, s.Status = parent.record.State, parent.record.Status
	}
	l.begins = slices.Concat(l.begins, parent.begins)
}

// complete adds what the details tell: the end of the commitment, the prices and their currency.
func (l *listed) complete(found *problems) {
	s := &l.record
	ends, err := dateOf(l.details.Get("CommitmentEndDate"))
	if err != nil {
		found.doubt("subscription.date_unreadable", "CommitmentEndDate of subscription %s cannot be read: %v", s.Ref, err)
	}
	s.CommitmentEnd = ends.String()
	item := &s.Items[0]
	if item.Charge == sdk.ChargeUsage {
		return
	}
	pricing := l.details.Get("Pricing").Object()
	currency := strings.ToUpper(trimmed(pricing, "CurrencyCode"))
	if currency != "" && !isCurrency(currency) {
		found.doubt("price.unknown_currency", "the currency of subscription %s is %q, which is none; it is left out", s.Ref, currency)
		currency = ""
	}
	for name, price := range map[string]*sdk.Money{"PurchasePrice": &item.PartnerCost, "RecommendedRetailPrice": &item.ListPrice} {
		amount, err := pricing.Get(name).Decimal()
		if err != nil {
			found.doubt("subscription.price_unreadable", "%s of subscription %s cannot be read: %v", name, s.Ref, err)
		} else if !amount.IsAbsent() {
			*price, item.PricePer = sdk.Money{Amount: amount, Currency: currency}, sdk.PricePerUnit
		}
	}
	if !item.CustomerPrice.Amount.IsAbsent() {
		item.CustomerPrice.Currency = currency
	}
}

// isCurrency reports whether a text has the form of ISO 4217.
func isCurrency(code string) bool {
	const letters = 3
	return len(code) == letters && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
