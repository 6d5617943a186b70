// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// billing is what a billing term of Pax8 means.
type billing struct {
	sdk.Term
	charge sdk.Charge
	// trial: it is not billed, because it is tried out.
	trial bool
}

func (b billing) monthly() bool { return b.Unit == sdk.UnitMonth && b.Count == 1 }

// onceBilled are the billing terms that are no length of time, in lower case.
var onceBilled = map[string]billing{
	"one-time":   {Term: sdk.Term{Kind: sdk.TermOneTime}, charge: sdk.ChargeOneTime},
	"activation": {Term: sdk.Term{Kind: sdk.TermOneTime}, charge: sdk.ChargeOneTime},
	"trial":      {Term: sdk.Term{Kind: sdk.TermNone}, trial: true},
}

// billingTerm reads how often something is billed. A word that is not known is kept as text and adds to no recurring sum.
func billingTerm(raw string) billing {
	b, known := onceBilled[strings.ToLower(raw)]
	if !known {
		b.Term = length(raw)
		if b.Kind == sdk.TermRecurring {
			b.charge = sdk.ChargeRecurring
		}
	}
	b.Raw = raw
	return b
}

// commitmentTerm reads for how long something is committed.
func commitmentTerm(raw string) sdk.Term { return length(raw) }

// length reads "Monthly", "Annual" and a count of years or months: "3-Year", "1 Year".
func length(raw string) sdk.Term {
	switch strings.ToLower(raw) {
	case "monthly":
		return sdk.Months(1, raw)
	case "annual":
		return sdk.Years(1, raw)
	}
	number, unit, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(raw), " ", "-"), "-")
	count, err := strconv.ParseUint(number, 10, 8)
	switch {
	case err != nil || count == 0:
	case unit == "month":
		return sdk.Months(int(count), raw)
	case unit == "year":
		return sdk.Years(int(count), raw)
	}
	return sdk.Term{Raw: raw}
}
