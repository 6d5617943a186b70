// SPDX-License-Identifier: Apache-2.0

// Package reconcile decides what has to change so that our subscriptions agree with what a distributor says.
// It knows no database and no plugin: facts in, changes out.
package reconcile

import "cmp"

// Observed is a subscription as the distributor gave it: one item of it, where it has several.
// Its JSON form is what is stored as the distributor's record.
type Observed struct {
	Ref string `json:"ref"`
	// CustomerRef is the distributor customer that holds it.
	CustomerRef     string `json:"customer_ref,omitempty"`
	TenantRef       string `json:"tenant_ref,omitempty"`
	VendorTenantRef string `json:"vendor_tenant_ref,omitempty"`
	ProductRef      string `json:"product_ref,omitempty"`
	VendorSKU       string `json:"vendor_sku,omitempty"`
	BillingRaw      string `json:"billing_raw,omitempty"`
	CommitmentRaw   string `json:"commitment_raw,omitempty"`
	PricePer        string `json:"price_per,omitempty"`
	Fields
	Extra map[string]string `json:"extra,omitempty"`
}

// Fields are what our record of a subscription holds of what the distributor says. All are text: decimals in canonical
// form, dates in ISO 8601, yes and no as "true" and "false". Empty means not told.
type Fields struct {
	Name             string `json:"name,omitempty"`
	Quantity         string `json:"quantity,omitempty"`
	Unit             string `json:"unit,omitempty"`
	State            string `json:"state,omitempty"`
	Status           string `json:"status,omitempty"`
	Charge           string `json:"charge,omitempty"`
	BillingTerm      string `json:"billing_term,omitempty"`
	CommitmentTerm   string `json:"commitment_term,omitempty"`
	StartedOn        string `json:"started_on,omitempty"`
	CommitmentEnd    string `json:"commitment_end,omitempty"`
	CancellableUntil string `json:"cancellable_until,omitempty"`
	AutoRenew        string `json:"auto_renew,omitempty"`
	Trial            string `json:"trial,omitempty"`
	SKU              string `json:"sku,omitempty"`
	Vendor           string `json:"vendor,omitempty"`
	VendorRef        string `json:"vendor_ref,omitempty"`
	ParentRef        string `json:"parent_ref,omitempty"`
	CustomerPrice    string `json:"customer_price,omitempty"`
	PartnerCost      string `json:"partner_cost,omitempty"`
	ListPrice        string `json:"list_price,omitempty"`
	Currency         string `json:"currency,omitempty"`
}

// The canonical states of a subscription.
const (
	StateUnknown   = "unknown"
	StatePending   = "pending"
	StateActive    = "active"
	StateSuspended = "suspended"
	StateCancelled = "cancelled"
	StateExpired   = "expired"
	StateConverted = "converted"
	StateFailed    = "failed"
	StateDeleted   = "deleted"
)

// ChargeUsage is the charge of what is metered: it has no number of seats.
const ChargeUsage = "usage"

// Ended reports whether the state means that the distributor no longer provides it. An unknown state does not.
func (f *Fields) Ended() bool {
	switch f.State {
	case StateCancelled, StateExpired, StateConverted, StateFailed, StateDeleted:
		return true
	default:
		return false
	}
}

// fieldTable names the fields in the order people read them.
var fieldTable = []struct {
	name string
	of   func(*Fields) *string
}{
	{"name", func(f *Fields) *string { return &f.Name }},
	{"quantity", func(f *Fields) *string { return &f.Quantity }},
	{"unit", func(f *Fields) *string { return &f.Unit }},
	{"state", func(f *Fields) *string { return &f.State }},
	{"status", func(f *Fields) *string { return &f.Status }},
	{"charge", func(f *Fields) *string { return &f.Charge }},
	{"billing_term", func(f *Fields) *string { return &f.BillingTerm }},
	{"commitment_term", func(f *Fields) *string { return &f.CommitmentTerm }},
	{"started_on", func(f *Fields) *string { return &f.StartedOn }},
	{"commitment_end", func(f *Fields) *string { return &f.CommitmentEnd }},
	{"cancellable_until", func(f *Fields) *string { return &f.CancellableUntil }},
	{"auto_renew", func(f *Fields) *string { return &f.AutoRenew }},
	{"trial", func(f *Fields) *string { return &f.Trial }},
	{"sku", func(f *Fields) *string { return &f.SKU }},
	{"vendor", func(f *Fields) *string { return &f.Vendor }},
	{"vendor_ref", func(f *Fields) *string { return &f.VendorRef }},
	{"parent_ref", func(f *Fields) *string { return &f.ParentRef }},
	{"customer_price", func(f *Fields) *string { return &f.CustomerPrice }},
	{"partner_cost", func(f *Fields) *string { return &f.PartnerCost }},
	{"list_price", func(f *Fields) *string { return &f.ListPrice }},
	{"currency", func(f *Fields) *string { return &f.Currency }},
}

// Difference is one field that differs.
type Difference struct{ Field, Before, After string }

// Merge gives the fields our record should have after the distributor said told, and how they differ from what it has.
//
// What the distributor does not tell is kept: a reading without a price does not make the price zero. The one exception
// is metered use, which has no quantity even where one was known, or where it is not told this time that it is metered.
func (f Fields) Merge(told Fields) (Fields, []Difference) {
	merged := f
	metered := cmp.Or(told.Charge, f.Charge) == ChargeUsage
	var differences []Difference
	for _, field := range fieldTable {
		have, want := field.of(&merged), *field.of(&told)
		if field.name == "quantity" && metered {
			want = ""
		} else if want == "" {
			continue
		}
		if *have != want {
			differences = append(differences, Difference{field.name, *have, want})
			*have = want
		}
	}
	return merged, differences
}

// Remember fills in what the distributor did not tell this time from what it told before. The state is taken as it is told:
// an end that is not repeated is no end. What came as the quantity of metered use was none.
func (o Observed) Remember(before Fields) Observed {
	if before.Charge == ChargeUsage {
		before.Quantity = ""
	}
	state, status := o.State, o.Status
	o.Fields, _ = before.Merge(o.Fields)
	o.State, o.Status = state, status
	return o
}

// Each calls fn with every field, in the order people read them.
func (f *Fields) Each(fn func(name string, value *string)) {
	for _, field := range fieldTable {
		fn(field.name, field.of(f))
	}
}

// Set makes the fields what the differences say they are afterwards.
func (f *Fields) Set(differences []Difference) {
	for _, d := range differences {
		for _, field := range fieldTable {
			if field.name == d.Field {
				*field.of(f) = d.After
			}
		}
	}
}
