// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// billingCycles are the values of BillingCycle. 5 is left out: one of Crayon's own enumerations calls it BiAnnually, which
// itself means two things, another Triennial.
var billingCycles = enum[sdk.Term]{
	0: {"Unknown", sdk.Term{}},
	1: {"Monthly", sdk.Months(1, "")},
	2: {"Annual", sdk.Years(1, "")},
	3: {"None", sdk.Term{Kind: sdk.TermNone}},
	4: {"OneTime", sdk.Term{Kind: sdk.TermOneTime}},
	7: {"TwoYears", sdk.Years(2, "")},
	8: {"ThreeYears", sdk.Years(3, "")},
	9: {"Quarterly", sdk.Months(3, "")},
}

func billingTerm(v rest.Value) sdk.Term {
	term, word := billingCycles.of(v)
	term.Raw = word
	return term
}

// commitmentTerm reads an ISO 8601 duration of one unit: P1M, P1Y, P3Y.
func commitmentTerm(raw string) sdk.Term {
	text := strings.ToUpper(raw)
	if len(text) < 3 || text[0] != 'P' {
		return sdk.Term{Raw: raw}
	}
	n, err := strconv.Atoi(text[1 : len(text)-1])
	if err != nil || n < 1 || n > 1200 {
		return sdk.Term{Raw: raw}
	}
	switch text[len(text)-1] {
	case 'D':
		return sdk.Days(n, raw)
	case 'M':
		return sdk.Months(n, raw)
	case 'Y':
		return sdk.Years(n, raw)
	default:
		return sdk.Term{Raw: raw}
	}
}

// before gives the time a term before another; ok is false for a term without length.
func before(t time.Time, term sdk.Term) (earlier time.Time, ok bool) {
	if term.Kind != sdk.TermRecurring {
		return t, false
	}
	switch term.Unit {
	case sdk.UnitDay:
		return t.AddDate(0, 0, -term.Count), true
	case sdk.UnitMonth:
		return t.AddDate(0, -term.Count, 0), true
	case sdk.UnitYear:
		return t.AddDate(-term.Count, 0, 0), true
	default:
		return t, false
	}
}

// provisionTypes are the values of ProvisionType. What is behind 4 and 5 may be either seats or use.
var provisionTypes = enum[sdk.Charge]{
	0: {"None", sdk.ChargeUnknown},
	1: {"Seat", sdk.ChargeRecurring},
	2: {"Usage", sdk.ChargeUsage},
	3: {"OneTime", sdk.ChargeOneTime},
	4: {"Crayon", sdk.ChargeUnknown},
	5: {"AzureMarketplace", sdk.ChargeUnknown},
}

// chargeOf tells how something is charged. What is billed once is no seat that recurs, whatever else is said.
func chargeOf(provision rest.Value, billing sdk.Term) (sdk.Charge, string) {
	charge, word := provisionTypes.of(provision)
	if billing.Kind == sdk.TermOneTime && charge != sdk.ChargeUsage {
		charge = sdk.ChargeOneTime
	}
	return charge, word
}

// dateOf reads a date. One without an offset is a date without a time of day: Cloud-iQ writes StartDate and EndDate so.
func dateOf(v rest.Value) (rest.Date, error) {
	text := strings.TrimSpace(v.Text())
	d, err := rest.ParseDate(text)
	const dateLength = len(time.DateOnly)
	if err == nil && len(text) > dateLength && !strings.ContainsAny(text[dateLength:], "Zz+-") {
		d.DateOnly = true
	}
	return d, err
}
