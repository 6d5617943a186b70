// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// account is a subscription whose rows add up.
type account struct {
	// record is what the row of the latest period tells.
	record  sdk.Subscription
	latest  charge
	charges []charge
	rows    int
	// line is that of the first row.
	line int
	// currency is that of the rows; mixed: they differ.
	currency string
	mixed    bool
	// spoilt: one of its rows was left out, so what the others come to is wrong.
	spoilt bool
}

// ledger gathers the rows of a file by subscription. It holds every subscription, about 1 KiB each, and at most so many.
type ledger struct {
	*reader
	accounts map[string]*account
	// list are the accounts in the order of their first rows.
	list []*account
	// periods: rows name the period they are for.
	periods bool
}

// maxAccounts bounds the memory that adding up takes.
const maxAccounts = 1_000_000

// errTooMany is told when there are more.
var errTooMany = sdk.Errorf(sdk.ClassUnsupported, "the file has more than %d subscriptions whose rows add up", maxAccounts).
	WithHint(`Have it split by customer. A file with one row for each subscription is read with rows = "single", whatever its length.`)

func newLedger(r *reader) *ledger {
	return &ledger{reader: r, accounts: map[string]*account{}, periods: r.header.has(subPeriodStart) && r.header.has(subPeriodEnd)}
}

// of gives the account of a subscription.
func (l *ledger) of(id string) (*account, error) {
	key := l.layout.key(id)
	a := l.accounts[key]
	if a == nil {
		if len(l.list) >= maxAccounts {
			return nil, errTooMany
		}
		a = &account{}
		l.accounts[key] = a
		l.list = append(l.list, a)
	}
	return a, nil
}

// add takes a row. One without id could belong to any subscription, so that no sum would be certain: that is an error.
func (l *ledger) add(row *row) error {
	id := l.id(row)
	if id == "" {
		return l.useless(row, "it has no id")
	}
	a, err := l.of(id)
	if err != nil {
		return err
	}
	c, why := l.charge(row, id)
	if why != "" {
		a.spoilt = true
		l.problems.reject(row.line, "%s; subscription %q is left out with it", why, short(id))
		return nil
	}
	currency := l.currency(row, l.header.get(row, subAmount))
	if a.rows == 0 {
		a.line = row.line
	}
	if a.rows++; a.rows > 1 && currency != a.currency && !a.mixed {
		a.mixed = true
		l.problems.doubt(row.line, "currency.mixed", "subscription %q has rows in several currencies; its amount is left out", short(id))
	}
	a.currency = strings.Clone(currency)
	if later := c.meaning != moneyOnly && !a.latest.later(&c); later || a.record.Ref == "" {
		a.record = l.subscription(row, id, c.seats)
		if later {
			a.latest = c
		}
	}
	a.charges = append(a.charges, c)
	a.prune(l.periods)
	return nil
}

// useless fails a file for a row that cannot be read.
func (l *ledger) useless(row *row, why string) error {
	return sdk.Errorf(sdk.ClassSchema, "%s:%d: %s, so that it is not known which subscription it adds to", l.name, row.line, why).
		WithHint("Correct the row, or have the file delivered again.")
}

// charge reads what a row charges.
func (l *ledger) charge(row *row, id string) (c charge, why string) {
	quantity, why := l.check(row, id)
	if why != "" {
		return c, why
	}
	var wrong error
	number := func(f field) sdk.Decimal {
		d, err := readNumber(strings.Clone(l.header.get(row, f)), l.mark)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s of %q: %w", l.shape.names[f], short(id), err))
		}
		return d
	}
	day := func(f field) string {
		text, err := readDate(l.header.get(row, f), l.order)
		if err == nil && text == "" && l.periods {
			err = errors.New("is empty")
		}
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s of %q: %w", l.shape.names[f], short(id), err))
		}
		return text
	}
	c = charge{
		start: day(subPeriodStart), end: day(subPeriodEnd), seats: number(subQuantity),
		amount: number(subAmount), list: number(subListAmount), meaning: meaningOf(l.header.get(row, subChargeType)),
	}
	c.refund = isNegative(quantity) || isNegative(c.amount)
	if isNegative(quantity) {
		c.seats = minus(quantity)
	}
	if wrong != nil {
		return c, strings.ReplaceAll(wrong.Error(), "\n", "; ")
	}
	return c, ""
}

// maxCharges is how many charges of an account are kept before those are dropped that no longer count.
const maxCharges = 32

func (a *account) prune(periods bool) {
	if len(a.charges) < maxCharges {
		return
	}
	if !periods {
		s := sum(a.charges)
		c := charge{seats: s.seats, amount: s.amount, list: s.list}
		if c.refund = isNegative(s.seats); c.refund {
			c.seats = minus(s.seats)
		}
		a.charges = append(a.charges[:0], c)
		return
	}
	kept := a.charges[:0]
	for _, c := range a.charges {
		if c.end >= a.latest.start {
			kept = append(kept, c)
		}
	}
	a.charges = kept
}

// subscription gives what the rows of an account come to.
func (l *ledger) subscriptionOf(a *account) sdk.Subscription {
	s := a.record
	result := sum(a.charges)
	if l.periods {
		result = settle(a.charges)
		s.Extra = map[string]string{"period_start": a.latest.start, "period_end": a.latest.end, "rows": strconv.Itoa(a.rows)}
	}
	if result.cancelled && !l.header.has(subStatus) {
		s.State = sdk.StateCancelled
	}
	item := s.Items[0]
	item.Quantity = result.seats
	if l.header.has(subAmount) || l.header.has(subListAmount) {
		item.PricePer = sdk.PricePerTotal
		item.CustomerPrice, item.PartnerCost, item.ListPrice = sdk.Money{}, a.money(result.amount), a.money(result.list)
	}
	s.Items = []sdk.Item{item}
	return s
}

// money gives an amount; none where the rows are of several currencies.
func (a *account) money(amount sdk.Decimal) sdk.Money {
	if amount.IsAbsent() || a.mixed {
		return sdk.Money{}
	}
	return sdk.Money{Amount: amount, Currency: a.currency}
}
