// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// states are the words for states, folded. A word that is not known is never an end.
var states = map[string]sdk.State{
	"active": sdk.StateActive, "live": sdk.StateActive, "enabled": sdk.StateActive, "current": sdk.StateActive, "running": sdk.StateActive,
	"ok": sdk.StateActive, "provisioned": sdk.StateActive, "aktiv": sdk.StateActive, "actif": sdk.StateActive, "activo": sdk.StateActive,
	"pending": sdk.StatePending, "ordered": sdk.StatePending, "provisioning": sdk.StatePending, "inprogress": sdk.StatePending,
	"suspended": sdk.StateSuspended, "paused": sdk.StateSuspended, "onhold": sdk.StateSuspended,
	"cancelled": sdk.StateCancelled, "canceled": sdk.StateCancelled, "terminated": sdk.StateCancelled, "ended": sdk.StateCancelled,
	"expired": sdk.StateExpired, "lapsed": sdk.StateExpired,
	"converted": sdk.StateConverted, "failed": sdk.StateFailed, "rejected": sdk.StateFailed,
	"deleted": sdk.StateDeleted, "removed": sdk.StateDeleted,
}

// lifecycles are the words for states of customers, folded.
var lifecycles = map[string]sdk.Lifecycle{
	"active": sdk.LifecycleActive, "live": sdk.LifecycleActive, "enabled": sdk.LifecycleActive, "current": sdk.LifecycleActive,
	"suspended": sdk.LifecycleSuspended, "onhold": sdk.LifecycleSuspended, "incomplete": sdk.LifecycleIncomplete,
	"ended": sdk.LifecycleEnded, "inactive": sdk.LifecycleEnded, "deactivated": sdk.LifecycleEnded, "closed": sdk.LifecycleEnded,
	"terminated": sdk.LifecycleEnded, "deleted": sdk.LifecycleDeleted, "removed": sdk.LifecycleDeleted,
}

// charges are the words for how something is charged, folded.
var charges = map[string]sdk.Charge{
	"recurring": sdk.ChargeRecurring, "subscription": sdk.ChargeRecurring, "licence": sdk.ChargeRecurring, "license": sdk.ChargeRecurring,
	"onetime": sdk.ChargeOneTime, "once": sdk.ChargeOneTime, "setup": sdk.ChargeOneTime, "perpetual": sdk.ChargeOneTime,
	"usage": sdk.ChargeUsage, "usagebased": sdk.ChargeUsage, "metered": sdk.ChargeUsage, "consumption": sdk.ChargeUsage,
}

// truths are the words for yes and no, folded.
var truths = map[string]bool{
	"true": true, "yes": true, "y": true, "1": true, "on": true, "enabled": true, "ja": true, "oui": true, "si": true,
	"false": false, "no": false, "n": false, "0": false, "off": false, "disabled": false, "nein": false, "non": false,
}

// truth reads yes or no; nil is neither.
func truth(text string) *bool {
	if yes, known := truths[fold(text)]; known {
		return &yes
	}
	return nil
}

// terms are the words for terms, folded.
var terms = map[string]sdk.Term{
	"day": sdk.Days(1, ""), "daily": sdk.Days(1, ""), "week": sdk.Days(7, ""), "weekly": sdk.Days(7, ""),
	"month": sdk.Months(1, ""), "monthly": sdk.Months(1, ""), "quarter": sdk.Months(3, ""), "quarterly": sdk.Months(3, ""),
	"halfyearly": sdk.Months(6, ""), "semiannual": sdk.Months(6, ""), "semiannually": sdk.Months(6, ""),
	"year": sdk.Years(1, ""), "yearly": sdk.Years(1, ""), "annual": sdk.Years(1, ""), "annually": sdk.Years(1, ""),
	"biennial": sdk.Years(2, ""), "triennial": sdk.Years(3, ""),
	"once": {Kind: sdk.TermOneTime}, "onetime": {Kind: sdk.TermOneTime}, "none": {Kind: sdk.TermNone}, "nocommitment": {Kind: sdk.TermNone},
	"usage": {Kind: sdk.TermUsage},
}

// readTerm reads a word ("Monthly"), an ISO 8601 duration ("P1Y"), or a number with a unit ("12 months", "3-year"). What it
// cannot read is kept as text.
func readTerm(text string) sdk.Term {
	term, known := terms[fold(text)]
	if !known {
		term = countedTerm(strings.ToUpper(text))
	}
	term.Raw = text
	return term
}

func countedTerm(text string) sdk.Term {
	text = strings.TrimPrefix(text, "P")
	number := digitsOf(text)
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1200 {
		return sdk.Term{}
	}
	unit := strings.TrimLeft(text[len(number):], " -_")
	switch strings.TrimSuffix(strings.TrimSuffix(unit, "LY"), "S") {
	case "D", "DAY":
		return sdk.Days(n, "")
	case "W", "WEEK":
		return sdk.Days(7*n, "")
	case "M", "MO", "MONTH":
		return sdk.Months(n, "")
	case "Y", "YR", "YEAR":
		return sdk.Years(n, "")
	default:
		return sdk.Term{}
	}
}
