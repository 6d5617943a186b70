// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// invoice is a contract agreement's bill of a month.
type invoice struct {
	id    string
	agree Agreement
	month time.Time // its first instant
}

// invoiceMonths is how far back invoices go.
const invoiceMonths = 12

// invoicesOf lists what has been invoiced by a view's business date, the
// newest month first: on the first of a month comes the invoice for the month
// before.
func invoicesOf(v view) []invoice {
	var list []invoice
	today := v.today().UTC()
	next := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	for back := 1; back <= invoiceMonths; back++ {
		month := next.AddDate(0, -back, 0)
		for _, a := range v.agreements() {
			if a.Start.Before(month.AddDate(0, 1, 0)) {
				list = append(list, invoice{textGUID("invoice", a.ID, month.Format("2006-01")), a, month})
			}
		}
	}
	return list
}

// invoices answers the list of invoices, always as Records.
func (c *call) invoices() {
	list := invoicesOf(c.v)
	c.list("Records", func(yield func(func(*encoder)) bool) {
		for i := range list {
			if !yield(func(e *encoder) { e.invoice(&list[i]) }) {
				return
			}
		}
	})
}

func (e *encoder) invoice(v *invoice) {
	e.object(func() {
		e.text("InvoiceId", v.id)
		e.text("ProgramName", v.agree.ProgramName)
		e.date("BillingPeriodStart", v.month)
		e.integer("UsageYear", int64(v.month.Year()))
		e.integer("UsageMonth", int64(v.month.Month()))
		e.extras()
	})
}

// invoiceColumns is the first line of an invoice.
var invoiceColumns = []string{
	"SubscriptionId", "OfferName", "ChargeStartDate", "ChargeEndDate", "UnitPrice", "UnitPriceRrp", "Quantity", "BillableRatio", "SubTotal", "SubTotalRrp",
}

// invoiceCSV answers the lines of an invoice. Subscriptions have no history
// here, so a month is charged by what is subscribed now.
func (c *call) invoiceCSV() {
	for _, v := range invoicesOf(c.v) {
		if strings.EqualFold(v.id, c.id) {
			c.send("text/csv; charset=utf-8", func(w io.Writer) { c.invoiceLines(w, &v) })
			return
		}
	}
	c.unknown("The invoice")
}

func (c *call) invoiceLines(w io.Writer, v *invoice) {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	defer out.Flush()
	if out.Write(invoiceColumns) != nil || c.fault != nil && c.fault.Kind == FaultEmpty {
		return
	}
	prices := map[string]string{}
	for _, p := range v.agree.products() {
		prices[lower(p.SubscriptionProductID())] = p.Retail
	}
	for t := range c.v.tenants(v.agree.ID) {
		for s := range c.v.subscriptions(t) {
			for i := -1; i < len(s.Addons); i++ {
				one := s
				if i >= 0 {
					one = &s.Addons[i]
				}
				for _, l := range c.charges(v, t, one, prices[lower(one.ProductID)]) {
					if out.Write(l.cells(one)) != nil {
						return
					}
				}
			}
		}
	}
}

// charge is a line of an invoice.
type charge struct {
	from, to      time.Time
	price, retail decimal.Decimal
	quantity      int64
	ratio         decimal.Decimal
}

// charges are the lines of one subscription in a month: none when it had ended
// or not begun, one for metered use with its cost as price, one for the whole
// term of an annual cycle in the month it is due, else one for each period of
// the month in which the quantity was the same. In one subscription of three a
// seat was added in the middle of the month.
func (c *call) charges(v *invoice, t *Tenant, s *Subscription, retailPrice string) []charge {
	end := v.month.AddDate(0, 1, 0)
	begun := s.FirstPurchased.UTC().Truncate(day)
	if endedStatuses[lower(s.Status)] || !begun.Before(end) {
		return nil
	}
	one := decimal.New(1, 0)
	if s.Unit == UnitUsage {
		cost := newUsageRange(c.v, s, t, v.month, end).total()
		return []charge{{v.month, end, decimal.New(cost, -6), decimal.New(retail(cost), -6), 1, one}}
	}
	price, _ := decimal.NewFromString(s.UnitPrice) // empty is zero
	rrp, err := decimal.NewFromString(retailPrice)
	if err != nil {
		rrp = price
	}
	if strings.EqualFold(s.BillingCycle, "Annual") {
		years := v.month.Year() - begun.Year()
		if begun.Month() != v.month.Month() || years%max(1, s.BillingCycleDuration) != 0 {
			return nil
		}
		from := begun.AddDate(years, 0, 0)
		return []charge{{from, from.AddDate(max(1, s.BillingCycleDuration), 0, 0), price, rrp, s.Quantity, one}}
	}
	from := v.month
	if begun.After(from) {
		from = begun
	}
	days := decimal.New(int64(end.Sub(v.month)/day), 0)
	part := func(from, to time.Time, quantity int64) charge {
		ratio := decimal.New(int64(to.Sub(from)/day), 0).DivRound(days, 6)
		return charge{from, to, price, rrp, quantity, ratio}
	}
	middle := v.month.AddDate(0, 0, 14)
	if s.Quantity < 2 || !from.Before(middle) || hashText("seat", s.ID, v.id)%3 != 0 {
		return []charge{part(from, end, s.Quantity)}
	}
	return []charge{part(from, middle, s.Quantity-1), part(middle, end, s.Quantity)}
}

func (l *charge) cells(s *Subscription) []string {
	const form = "2006-01-02T15:04:05.0000000-07:00"
	name := s.ProductName
	if name == "" {
		name = s.FriendlyName
	}
	times := l.ratio.Mul(decimal.New(l.quantity, 0))
	return []string{
		s.ID, name, l.from.Format(form), l.to.Format(form), l.price.String(), l.retail.String(), strconv.FormatInt(l.quantity, 10),
		l.ratio.String(), l.price.Mul(times).String(), l.retail.Mul(times).String(),
	}
}
