// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"regexp"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

var (
	decimal  = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
)

func (h *heard) takeCustomer(c *distributorv1.Customer) {
	h.remember(c.GetRef(), c.GetRef())
	if code := c.GetAddress().GetCountryCode(); code != "" && !country.MatchString(code) {
		h.breaks("listing.values", "customer %q: country_code %q is not ISO 3166-1 alpha-2; put other words into country", c.GetRef(), code)
	}
}

func (h *heard) takeSubscription(r *distributorv1.Subscription) {
	h.remember(r.GetRef(), r.GetCustomerRef())
	if r.GetCustomerRef() == "" {
		h.breaks("listing.refs", "subscription %q has no customer_ref", r.GetRef())
	}
	if len(r.GetItems()) == 0 {
		h.breaks("listing.refs", "subscription %q has no item", r.GetRef())
	}
	items := map[string]bool{}
	for _, item := range r.GetItems() {
		switch ref := item.GetRef(); {
		case ref == "" && len(r.GetItems()) > 1:
			h.breaks("listing.refs", "subscription %q has several items, and one has no ref", r.GetRef())
		case items[ref]:
			h.breaks("listing.refs", "subscription %q has two items %q", r.GetRef(), ref)
		default:
			items[ref] = true
		}
		h.checkItem(r.GetRef(), item)
	}
	for name, text := range map[string]string{
		"started_on": r.GetStartedOn(), "commitment_end": r.GetCommitmentEnd(), "cancellable_until": r.GetCancellableUntil(),
	} {
		if text != "" && !isDate(text) {
			h.breaks("listing.values", "subscription %q: %s %q is neither a date such as 2025-03-13 nor an instant such as 2025-03-13T02:11:45Z",
				r.GetRef(), name, text)
		}
	}
	for name, term := range map[string]*distributorv1.Term{"billing_term": r.GetBillingTerm(), "commitment_term": r.GetCommitmentTerm()} {
		recurring := term.GetKind() == distributorv1.TermKind_TERM_KIND_RECURRING
		if recurring && (term.GetCount() <= 0 || term.GetUnit() == distributorv1.TermUnit_TERM_UNIT_UNSPECIFIED) {
			h.breaks("listing.values", "subscription %q: %s is recurring and has no length", r.GetRef(), name)
		}
	}
}

func (h *heard) checkItem(ref string, item *distributorv1.Item) {
	if item.Quantity != nil && !decimal.MatchString(item.GetQuantity()) {
		h.breaks("listing.values", "subscription %q: the quantity %q is no number; leave it absent where there is none", ref, item.GetQuantity())
	}
	if strings.HasPrefix(item.GetQuantity(), "-") {
		h.breaks("listing.values", "subscription %q: the quantity %q is below zero", ref, item.GetQuantity())
	}
	for name, money := range map[string]*distributorv1.Money{
		"customer_price": item.GetCustomerPrice(), "partner_cost": item.GetPartnerCost(), "list_price": item.GetListPrice(),
	} {
		if money == nil {
			continue
		}
		if !decimal.MatchString(money.GetAmount()) {
			h.breaks("listing.values", "subscription %q: the %s %q is no number; leave it absent where there is none", ref, name, money.GetAmount())
		}
		if code := money.GetCurrency(); code != "" && !currency.MatchString(code) {
			h.breaks("listing.values", "subscription %q: the currency %q of %s is no ISO 4217 code", ref, code, name)
		}
	}
}

func isDate(text string) bool {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return true
	}
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}
