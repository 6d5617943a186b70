// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"strconv"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// current gives our record as the rules take it.
func current(sub *store.Subscription) *reconcile.Current {
	if sub == nil {
		return nil
	}
	return &reconcile.Current{Active: sub.Active, Customer: sub.CustomerID, Fields: fieldsOf(sub)}
}

func fieldsOf(s *store.Subscription) reconcile.Fields {
	return reconcile.Fields{
		Name: s.Name, Quantity: textOf(s.Quantity), Unit: s.Unit, State: s.State, Status: s.Status, Charge: s.Charge,
		BillingTerm: s.BillingTerm, CommitmentTerm: s.CommitmentTerm, StartedOn: s.StartedOn, CommitmentEnd: s.CommitmentEnd,
		CancellableUntil: s.CancellableUntil, AutoRenew: yesNoText(s.AutoRenew), Trial: yesNoText(s.Trial), SKU: s.SKU,
		Vendor: s.Vendor, VendorRef: s.VendorRef, ParentRef: s.ParentRef, CustomerPrice: textOf(s.CustomerPrice),
		PartnerCost: textOf(s.PartnerCost), ListPrice: textOf(s.ListPrice), Currency: s.Currency,
	}
}

func setFields(s *store.Subscription, f reconcile.Fields) {
	s.Name, s.Quantity, s.Unit, s.State, s.Status, s.Charge = f.Name, orNull(f.Quantity), f.Unit, f.State, f.Status, f.Charge
	s.BillingTerm, s.CommitmentTerm, s.StartedOn, s.CommitmentEnd = f.BillingTerm, f.CommitmentTerm, f.StartedOn, f.CommitmentEnd
	s.CancellableUntil, s.AutoRenew, s.Trial = f.CancellableUntil, yesNo(f.AutoRenew), yesNo(f.Trial)
	s.SKU, s.Vendor, s.VendorRef, s.ParentRef = f.SKU, f.Vendor, f.VendorRef, f.ParentRef
	s.CustomerPrice, s.PartnerCost, s.ListPrice, s.Currency = orNull(f.CustomerPrice), orNull(f.PartnerCost), orNull(f.ListPrice), f.Currency
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func yesNo(s string) *bool {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil
	}
	return &b
}
