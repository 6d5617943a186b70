// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
)

// reader makes records of the rows of one table.
type reader struct {
	*table
	layout   layout
	settings settings
	// keys are the columns that make the id, where there is no id column.
	keys     []int
	problems *problems
}

func newReader(t *table, l layout, s settings, problems *problems) (*reader, error) {
	r := &reader{table: t, layout: l, settings: s, problems: problems}
	for _, name := range s.IDColumns {
		at := -1
		for i, column := range t.header.names {
			if column == name || at < 0 && fold(column) == fold(name) {
				at = i
			}
		}
		if at < 0 {
			return nil, sdk.Errorf(sdk.ClassSchema, "%s has no column %q (line %d); it has %s", t.name, name, t.header.line, columnNames(t.header.names)).
				WithHint("Set id_columns to columns there are.")
		}
		r.keys = append(r.keys, at)
	}
	return r, nil
}

// id gives the id of the row's subscription: that of its column, or the values of id_columns with a slash between them.
// "" if one of these is empty.
func (r *reader) id(row *row) string {
	if len(r.keys) == 0 {
		return r.header.get(row, subID)
	}
	parts := make([]string, len(r.keys))
	for i, at := range r.keys {
		if at < len(row.fields) {
			parts[i] = row.fields[at]
		}
		if parts[i] == "" {
			return ""
		}
	}
	return strings.Join(parts, "/")
}

// customerOf gives the id of the row's customer, which is the name where there is no id.
func (r *reader) customerOf(row *row) string {
	if r.header.has(subCustomerID) {
		return r.header.get(row, subCustomerID)
	}
	return r.header.get(row, subCustomerName)
}

// why the row is no subscription; "" if it is one. quantity is read on the way.
func (r *reader) check(row *row, id string) (quantity sdk.Decimal, why string) {
	switch {
	case id == "":
		return quantity, "it has no id"
	case r.customerOf(row) == "":
		return quantity, fmt.Sprintf("subscription %q has no customer", short(id))
	}
	if len(r.keys) > 0 && strings.ContainsRune(id, utf8.RuneError) {
		return quantity, fmt.Sprintf("id_columns give %q, which holds a character that could not be decoded (U+FFFD)", short(id))
	}
	quantity, err := readNumber(r.header.get(row, subQuantity), r.mark)
	if err != nil {
		return quantity, fmt.Sprintf("the quantity of %q: %v", short(id), err)
	}
	return quantity, ""
}

// subscription makes the record of a row that was checked. A price or date that cannot be read is left out with a warning.
func (r *reader) subscription(row *row, id string, quantity sdk.Decimal) sdk.Subscription {
	get := func(f field) string { return r.header.get(row, f) }
	name := get(subName)
	s := sdk.Subscription{
		Ref: id, CustomerRef: r.customerOf(row), TenantRef: get(subTenantID), VendorRef: get(subVendorID), VendorTenantRef: get(subCustomerTenant),
		ParentRef: get(subParentID), Name: name, Vendor: get(subVendor), Status: get(subStatus), State: sdk.StateActive,
		StartedOn: r.date(row, subStarted), CommitmentEnd: r.date(row, subCommitmentEnd), CancellableUntil: r.date(row, subCancellable),
		BillingTerm: readTerm(get(subBillingTerm)), CommitmentTerm: readTerm(get(subCommitmentTerm)),
		AutoRenew: truth(get(subAutoRenew)), Trial: truth(get(subTrial)),
	}
	if s.Vendor == "" {
		s.Vendor = r.layout.vendor
	}
	// A file without states lists what is live.
	if r.header.has(subStatus) {
		s.State = r.state(s.Status)
	}
	item := sdk.Item{
		Name: name, SKU: get(subSKU), VendorSKU: get(subVendorSKU), ProductRef: get(subProductID), Quantity: quantity, Unit: get(subUnit),
		Charge:        charges[fold(get(subCharge))],
		CustomerPrice: r.money(row, subPrice), PartnerCost: r.money(row, subCost), ListPrice: r.money(row, subListPrice),
	}
	if item.CustomerPrice != (sdk.Money{}) || item.PartnerCost != (sdk.Money{}) || item.ListPrice != (sdk.Money{}) {
		item.PricePer = sdk.PricePerUnit
		if r.settings.PricePer == "total" {
			item.PricePer = sdk.PricePerTotal
		}
	}
	if item.Charge == sdk.ChargeUsage {
		item.Quantity = sdk.Decimal{} // Metered use is not counted in seats.
	}
	s.Items = []sdk.Item{item}
	return s
}

// negative reports whether a record has a quantity below zero, which no subscription has.
func negative(s *sdk.Subscription) bool { return isNegative(s.Items[0].Quantity) }

// state gives the canonical state of a word: as the settings have it, or as words are usually meant.
func (r *reader) state(word string) sdk.State {
	for own, state := range r.settings.Statuses {
		if fold(own) == fold(word) {
			return stateNames[strings.ToLower(state)]
		}
	}
	return states[fold(word)]
}

func (r *reader) date(row *row, f field) string {
	text, err := readDate(r.header.get(row, f), r.order)
	if err != nil {
		r.problems.doubt(row.line, "date.unreadable", "%s is left out: %v", r.shape.names[f], err)
	}
	return text
}

// money reads an amount and its currency, which the currency column tells, or the amount itself, or the settings.
func (r *reader) money(row *row, f field) sdk.Money {
	text := r.header.get(row, f)
	amount, err := readNumber(text, r.mark)
	if err != nil {
		r.problems.doubt(row.line, "amount.unreadable", "%s is left out: %v", r.shape.names[f], err)
	}
	if amount.IsAbsent() {
		return sdk.Money{}
	}
	return sdk.Money{Amount: amount, Currency: r.currency(row, text)}
}

// signs are the currency signs that mean one currency.
var signs = map[string]string{"€": "EUR", "£": "GBP"}

func (r *reader) currency(row *row, amount string) string {
	if told := strings.ToUpper(r.header.get(row, subCurrency)); told != "" {
		if isCurrency(told) {
			return told
		}
		if code := signs[told]; code != "" {
			return code
		}
		r.problems.doubt(row.line, "currency.unknown", "%q is no ISO 4217 code; the amounts of this row have no currency", short(told))
		return ""
	}
	if isASCII(amount) {
		if code, _ := cutCurrency(strings.TrimSpace(amount)); code != "" {
			return code
		}
	}
	for sign, code := range signs {
		if strings.Contains(amount, sign) {
			return code
		}
	}
	return r.settings.Currency
}
