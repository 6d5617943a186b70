// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// decodeSubscription reads a subscription of a customer, given its members. Prices is what the call for prices told of it,
// or nothing. Ok is false for one that cannot be read, which is remarked as lost.
func decodeSubscription(o rest.Object, prices rest.Value, owner *customer, found *remarks) (s sdk.Subscription, ok bool) {
	if strings.TrimSpace(o.Text("id")) == "" {
		found.lost("subscription.without_id", "a subscription has no id (product %q)", o.Text("productName"))
		return s, false
	}
	s.Ref, s.CustomerRef, s.Name = strings.TrimSpace(o.Text("id")), owner.id, o.Text("productName")
	quantity, err := o.Get("quantity").Decimal()
	if err != nil {
		found.lost("subscription.undecodable", "the quantity of subscription %s is no number: %v", s.Ref, err)
		return s, false
	}
	if prices.IsObject() {
		// What the first call tells goes before what the call for prices does: of members with one name the last counts.
		o = append(prices.Object(), o...)
	}
	extra := map[string]string{}
	charged := decodeFees(o.Get("fees"), found)
	item := sdk.Item{Name: s.Name, SKU: o.Text("sku"), Quantity: quantity, CustomerPrice: charged.recurring}
	s.BillingTerm, item.Charge = billingTerm(o.Text("billingCycle"), charged, found)
	switch {
	case item.Charge == sdk.ChargeOneTime:
		item.CustomerPrice = charged.setup
	case !charged.setup.Amount.IsAbsent() && charged.setup.Amount != sdk.Int(0):
		extra["setup_fee"] = moneyText(charged.setup)
	}
	s.Items = []sdk.Item{item}
	s.StartedOn = instant(o.Get("purchaseDate"), s.Ref, found)
	if description := o.Text("description"); description != s.Name {
		put(extra, "description", description)
	}
	decodeCommitment(&s, o, extra, found)
	switch owner.standing {
	case standingGood:
		s.State = sdk.StateActive
	case standingSuspended:
		s.State = sdk.StateSuspended
		put(extra, "customer_suspended_on", owner.suspended)
	case standingUnknown:
		// The host keeps the state it knows.
	}
	if len(extra) > 0 {
		s.Extra = extra
	}
	return s, true
}

// decodeCommitment reads commitmentTerm. Null means that there is no commitment; where the member is missing, nothing was
// told. Within it, renewalConfiguration is null where the subscription will not renew.
func decodeCommitment(s *sdk.Subscription, o rest.Object, extra map[string]string, found *remarks) {
	commitment := o.Get("commitmentTerm")
	if !commitment.IsObject() {
		if o.Has("commitmentTerm") {
			s.CommitmentTerm = sdk.Term{Kind: sdk.TermNone}
		}
		return
	}
	c := commitment.Object()
	s.CommitmentTerm = commitmentTerm(c.Text("type"), found)
	s.CommitmentEnd = day(c.Get("termEndDate"), s.Ref, found)
	if c.Has("renewalConfiguration") {
		renews := c.Get("renewalConfiguration").IsObject()
		s.AutoRenew = &renews
	}
	renewal := c.Get("renewalConfiguration").Object()
	put(extra, "renewal_date", day(renewal.Get("renewalDate"), s.Ref, found))
	put(extra, "renewal_quantity", renewal.Get("scheduledQuantity").Text())
	var least []string
	for v := range c.Get("committedMinimalQuantities").Elements() {
		m := v.Object()
		least = append(least, m.Get("quantity").Text()+" until "+day(m.Get("committedUntil"), s.Ref, found))
	}
	put(extra, "minimum_quantity", strings.Join(least, ", "))
}

func put(extra map[string]string, name, text string) {
	if text != "" {
		extra[name] = text
	}
}

// instant reads a point in time. Sherweb's carry no zone and are in UTC.
func instant(v rest.Value, ref string, found *remarks) string { return date(v, ref, found).String() }

// day reads a date. Some versions of the API write it with a time of day, which means nothing.
func day(v rest.Value, ref string, found *remarks) string { return sdk.Date(date(v, ref, found).Time) }

func date(v rest.Value, ref string, found *remarks) rest.Date {
	d, err := rest.ParseDate(v.Text())
	if err != nil {
		found.doubt("date.undecodable", "a date of subscription %s cannot be read: %v", ref, err)
	}
	return d
}
