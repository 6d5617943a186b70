// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// charge is one row of an invoice.
type charge struct {
	// start and end are the dates of the period it is for.
	start, end string
	// seats is how many are charged, or given back; never below zero.
	seats        sdk.Decimal
	amount, list sdk.Decimal
	// refund: it gives back what was charged before, in this file or an earlier one.
	refund bool
	// meaning is what its type says.
	meaning chargeMeaning
}

// chargeMeaning is what a type of charge means for seats. Zero: it charges its seats for its period, or gives them back.
type chargeMeaning int

const (
	// moneyOnly: a discount or an adjustment. Its quantity counts nothing.
	moneyOnly chargeMeaning = iota + 1
	// cancels: the subscription ended.
	cancels
	// converts: the seats live on in what they were converted to.
	converts
)

// chargeMeanings are the types that do not just charge, folded. The types are those of
// https://learn.microsoft.com/partner-center/recon-file-charge-types; "Cancel fee" is none of them: it gives back seats when
// their number changes.
var chargeMeanings = map[string]chargeMeaning{
	"offsetalineitem": moneyOnly, "customercredit": moneyOnly,
	"proratefeeswhencancel": cancels, "cancel": cancels, "cancelimmediate": cancels,
	"convert": converts, "proratefeeswhenconvertawayfromcurrentoffering": converts,
}

func meaningOf(chargeType string) chargeMeaning {
	folded := fold(chargeType)
	if strings.HasSuffix(folded, "discount") {
		return moneyOnly
	}
	return chargeMeanings[folded]
}

// later reports whether a charge is for a later period than another: one that begins later, or ends later.
func (c *charge) later(other *charge) bool {
	if c.start != other.start {
		return c.start > other.start
	}
	return c.end > other.end
}

// settled is what the charges of one subscription come to.
type settled struct {
	// seats is absent if the charges do not tell.
	seats        sdk.Decimal
	amount, list sdk.Decimal
	cancelled    bool
}

// settle tells what a subscription has from what was charged for it.
//
// A reconciliation file has a row for each period in which the number of seats was the same, rows that give back what
// an earlier invoice had charged in advance, and a row for the next period. So amounts add up over all rows, as the
// publisher says, but seats do not: 500 seats until the 11th and 5 from the 12th are not 505. What counts are the rows of
// the latest period, which is the one that begins last:
//
//   - The seats of its charges add up, and so do their amounts, discounts included.
//   - A refund gives back the whole of an earlier charge, and the new number is charged beside it ("addQuantity" is
//     used for both). If the earlier charge is of the same period and in the file, both fall away; if it is in an earlier
//     file, the refund says nothing of what there is now.
//   - If nothing is charged in the latest period, its refunds come off the charges whose periods reach into it. If
//     none is left, the subscription was cancelled. If these charges are in an earlier file, only a type that says so is
//     a cancellation; otherwise the seats are not known.
func settle(charges []charge) settled {
	var last *charge
	for i := range charges {
		if c := &charges[i]; c.meaning != moneyOnly && (last == nil || c.later(last)) {
			last = c
		}
	}
	if last == nil {
		return settled{}
	}
	var paid, refunds, discounts, before []charge
	for i := range charges {
		switch c := charges[i]; {
		case c.start != last.start || c.end != last.end:
			if c.start <= last.start && c.end >= last.start && c.meaning != moneyOnly && !c.refund {
				before = append(before, c)
			}
		case c.meaning == moneyOnly:
			discounts = append(discounts, c)
		case c.refund:
			refunds = append(refunds, c)
		default:
			paid = append(paid, c)
		}
	}
	if len(paid) == 0 {
		return refunded(refunds, before)
	}
	for i := range refunds {
		paid = without(paid, refunds[i])
	}
	if len(paid) == 0 {
		return settled{seats: sdk.Int(0), cancelled: true}
	}
	s := settled{}
	for _, c := range paid {
		s.seats, s.amount, s.list = plus(s.seats, c.seats), plus(s.amount, c.amount), plus(s.list, c.list)
	}
	for _, c := range discounts {
		s.amount, s.list = plus(s.amount, c.amount), plus(s.list, c.list)
	}
	return s
}

// without takes out one charge that a refund gives back.
func without(paid []charge, refund charge) []charge {
	at := slices.IndexFunc(paid, func(c charge) bool { return c.seats == refund.seats })
	if at < 0 || refund.meaning == converts {
		return paid
	}
	return slices.Delete(paid, at, at+1)
}

// refunded tells what is left if the latest period has refunds alone.
func refunded(refunds, before []charge) settled {
	given := sdk.Decimal{}
	ended := false
	for _, c := range refunds {
		given = plus(given, c.seats)
		ended = ended || c.meaning == cancels || c.meaning == converts
	}
	if ended {
		return settled{seats: sdk.Int(0), cancelled: true}
	}
	if len(before) == 0 {
		return settled{}
	}
	had := sdk.Decimal{}
	for _, c := range before {
		had = plus(had, c.seats)
	}
	left := had.Big().Sub(given.Big())
	if left.Sign() <= 0 {
		return settled{seats: sdk.Int(0), cancelled: true}
	}
	seats, err := sdk.ParseDecimal(left.String())
	if err != nil {
		return settled{}
	}
	return settled{seats: seats}
}

// sum adds everything up, refunds with a minus: for files without periods, whose rows are parts of one number.
func sum(charges []charge) settled {
	var s settled
	for _, c := range charges {
		seats := c.seats
		if c.refund {
			seats = minus(seats)
		}
		s.seats, s.amount, s.list = plus(s.seats, seats), plus(s.amount, c.amount), plus(s.list, c.list)
	}
	return s
}

// plus adds two numbers. Absent is not zero: nothing and 5 is 5, nothing and nothing is nothing.
func plus(a, b sdk.Decimal) sdk.Decimal {
	switch {
	case a.IsAbsent():
		return b
	case b.IsAbsent():
		return a
	}
	total, err := sdk.ParseDecimal(a.Big().Add(b.Big()).String())
	if err != nil {
		return sdk.Decimal{} // More digits than a number may have.
	}
	return total
}

// minus changes the sign of a number.
func minus(a sdk.Decimal) sdk.Decimal {
	if a.IsAbsent() {
		return a
	}
	negated, _ := sdk.ParseDecimal(a.Big().Neg().String())
	return negated
}

func isNegative(a sdk.Decimal) bool { return strings.HasPrefix(a.String(), "-") }
