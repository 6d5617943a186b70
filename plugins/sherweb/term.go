// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// billingCycles are the values of billingCycle that Sherweb names. The member is free text. "none" is not among them: what
// it means depends on the fees.
var billingCycles = map[string]sdk.Term{
	"daily": sdk.Days(1, ""), "weekly": sdk.Days(7, ""), "monthly": sdk.Months(1, ""), "yearly": sdk.Years(1, ""),
	"unknown": {},
}

// commitmentTypes are the values of commitmentTerm.type.
var commitmentTypes = map[string]sdk.Term{
	"monthly": sdk.Months(1, ""), "annual": sdk.Years(1, ""), "biennial": sdk.Years(2, ""), "triennial": sdk.Years(3, ""),
}

// billingTerm reads billingCycle. With a cycle of none, something is either charged once, which shows in its setup fee,
// or not billed by itself.
func billingTerm(raw string, f fees, found *remarks) (sdk.Term, sdk.Charge) {
	raw = strings.TrimSpace(raw)
	word := strings.ToLower(raw)
	if word == "none" {
		if f.setup.Amount.IsAbsent() || f.setup.Amount == sdk.Int(0) {
			return sdk.Term{Kind: sdk.TermNone, Raw: raw}, sdk.ChargeUnknown
		}
		return sdk.Term{Kind: sdk.TermOneTime, Raw: raw}, sdk.ChargeOneTime
	}
	term, known := billingCycles[word]
	if !known && raw != "" {
		found.doubt("term.unknown", "the billing cycle %q is not known", raw)
	}
	term.Raw = raw
	if term.Kind == sdk.TermRecurring {
		return term, sdk.ChargeRecurring
	}
	return term, sdk.ChargeUnknown
}

// commitmentTerm reads commitmentTerm.type.
func commitmentTerm(raw string, found *remarks) sdk.Term {
	raw = strings.TrimSpace(raw)
	term, known := commitmentTypes[strings.ToLower(raw)]
	if !known && raw != "" {
		found.doubt("term.unknown", "the commitment term %q is not known", raw)
	}
	term.Raw = raw
	return term
}
