// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// termFields are the members that may hold what PRISM is not known to tell.
type termFields struct{ term, end, autoRenew []string }

func newTermFields(s settings) termFields {
	return termFields{
		term:      orDefault(s.TermFields, "TermDuration", "CommitmentTerm"),
		end:       orDefault(s.EndDateFields, "CommitmentEndDate", "TermEndDate", "RenewalDate", "EndDate"),
		autoRenew: orDefault(s.AutoRenewFields, "AutoRenewEnabled", "AutoRenew"),
	}
}

// billingTerm reads BillingCycle and BillingCycleDuration. What a number as cycle means is not known, nor what a duration
// other than 1 does to it; both are kept as text only.
func billingTerm(cycle, duration rest.Value) sdk.Term {
	raw := strings.TrimSpace(cycle.Text())
	count, told := duration.Int()
	if told && count > 1 {
		return sdk.Term{Raw: strings.TrimSpace(raw + " x " + strconv.FormatInt(count, 10))}
	}
	return parseTerm(raw)
}

// words are the terms whose meaning is certain.
var words = map[string]sdk.Term{
	"monthly": sdk.Months(1, ""), "month": sdk.Months(1, ""), "quarterly": sdk.Months(3, ""),
	"annual": sdk.Years(1, ""), "annually": sdk.Years(1, ""), "yearly": sdk.Years(1, ""), "year": sdk.Years(1, ""),
	"triennial": sdk.Years(3, ""), "daily": sdk.Days(1, ""), "weekly": sdk.Days(7, ""),
	"one-time": {Kind: sdk.TermOneTime}, "onetime": {Kind: sdk.TermOneTime}, "one time": {Kind: sdk.TermOneTime},
	"none": {Kind: sdk.TermNone}, "usage": {Kind: sdk.TermUsage},
}

// parseTerm reads a word ("Monthly"), an ISO 8601 duration ("P1Y") or a number with a unit ("12 Months").
func parseTerm(raw string) sdk.Term {
	term, known := words[strings.ToLower(raw)]
	if !known {
		term = parseCount(strings.ToUpper(raw))
	}
	term.Raw = raw
	return term
}

func parseCount(text string) sdk.Term {
	number, unit := "", ""
	if iso, ok := strings.CutPrefix(text, "P"); ok && len(iso) >= 2 {
		number, unit = iso[:len(iso)-1], iso[len(iso)-1:]
	} else if before, after, ok := strings.Cut(text, " "); ok {
		number, unit = before, strings.TrimSuffix(strings.TrimSpace(after), "S")
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1200 {
		return sdk.Term{}
	}
	switch unit {
	case "D", "DAY":
		return sdk.Days(n, "")
	case "W", "WEEK":
		return sdk.Days(7*n, "")
	case "M", "MONTH":
		return sdk.Months(n, "")
	case "Y", "YEAR":
		return sdk.Years(n, "")
	default:
		return sdk.Term{}
	}
}

// states are the words of PRISM and of Microsoft behind it.
var states = map[string]sdk.State{
	"active": sdk.StateActive, "suspended": sdk.StateSuspended, "pending": sdk.StatePending, "expired": sdk.StateExpired,
	"cancelled": sdk.StateCancelled, "canceled": sdk.StateCancelled, "deleted": sdk.StateDeleted,
	// The stage between expired and deleted.
	"disabled": sdk.StateExpired,
}

// stateOf gives the canonical state. A word that is not known is never an end.
func stateOf(status string) sdk.State {
	switch status {
	case "Active":
		return sdk.StateActive
	case "Suspended":
		return sdk.StateSuspended
	}
	return states[strings.ToLower(status)]
}

// chargeOf tells how something is charged from its unit, where that is certain.
func chargeOf(unit string, billing sdk.Term) sdk.Charge {
	switch {
	case isUsage(unit):
		return sdk.ChargeUsage
	case billing.Kind == sdk.TermOneTime:
		return sdk.ChargeOneTime
	case foldsTo(unit, "Licenses", "License", "User", "Users"):
		return sdk.ChargeRecurring
	default:
		return sdk.ChargeUnknown
	}
}

// isUsage reports whether the unit is that of metered use, whose quantity means nothing.
func isUsage(unit string) bool { return foldsTo(unit, "Usage-based", "Usage based", "Usage") }

func foldsTo(text string, words ...string) bool {
	for _, word := range words {
		if strings.EqualFold(text, word) {
			return true
		}
	}
	return false
}
