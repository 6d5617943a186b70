// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/tallymanhq/tallyman/sdk"
)

// connection reads the files of one distributor.
type connection struct {
	sdk.Unimplemented
	settings settings
	layout   layout
}

var (
	_ sdk.Distributor      = (*connection)(nil)
	_ sdk.ConnectionTester = (*connection)(nil)
	_ sdk.CustomerFilter   = (*connection)(nil)
	_ sdk.Describer        = (*connection)(nil)
)

func connect(s settings) *connection {
	l := layouts[s.Layout]
	l.subscriptions = l.subscriptions.mapped(s.Columns)
	l.customers = l.customers.mapped(s.CustomerColumns)
	if s.Rows != "" {
		l.rows = s.Rows
	}
	if len(s.IDColumns) > 0 {
		l.subscriptions.needs = l.subscriptions.needs[1:] // The first is the id.
	}
	return &connection{settings: s, layout: l}
}

// Describe gives the distributor's name, and says that what a list lacks has ended, which is not so for an invoice.
func (c *connection) Describe() (string, sdk.Capabilities) {
	told := capabilities
	told.AbsenceMeansEnded = !c.layout.invoice
	told.RefsIgnoreCase = c.layout.guids
	return c.settings.Distributor, told
}

// FiltersCustomers marks that a listing may be narrowed. The file is read whole all the same.
func (c *connection) FiltersCustomers() {}

// source says where a file is and when it may be read.
func (c *connection) source(pattern string) *source {
	s := c.settings
	return &source{
		directory: s.Directory, pattern: pattern, byName: s.Pick == "name", marker: s.Marker, settle: s.Settle, wait: s.SettleWait, maxAge: s.MaxAge,
	}
}

func (c *connection) dialect() dialect {
	s := c.settings
	return dialect{
		encoding: s.Encoding, separator: s.Separator, decimal: s.Decimal, dateOrder: s.DateOrder, shortRows: s.ShortRows,
		finalLineEnd: s.FinalLineEnd, allowEmpty: s.AllowEmpty, trailer: s.Trailer,
	}
}

// subscriptionFile opens the file of subscriptions.
func (c *connection) subscriptionFile(ctx context.Context) (*table, error) {
	d := c.dialect()
	d.expectRows = c.settings.ExpectRows
	return openTable(ctx, c.source(c.settings.Subscriptions), d, c.layout.subscriptions)
}

// customerFile opens the file of customers.
func (c *connection) customerFile(ctx context.Context) (*table, error) {
	return openTable(ctx, c.source(c.settings.Customers), c.dialect(), c.layout.customers)
}

// begin tells what is known of a file before its rows are read.
func begin(t *table, to reporter) *problems {
	if t.cut != "" {
		to.Partial("file.cut", "%s is not whole: %s", t.name, t.cut)
	}
	for _, doubt := range t.doubts {
		to.Warn("file.contradicts", "%s: %s", t.name, doubt)
	}
	return newProblems(to, t.name)
}

// wholeError says that a file cannot be used because it is not whole.
func wholeError(t *table) error {
	return sdk.Errorf(sdk.ClassSchema, "%s is not whole: %s", t.name, t.cut).WithHint(cutHint)
}

// progressEvery is after how many rows progress is told.
const progressEvery = 1 << 12

// count tells progress now and then.
func count(t *table, progress func(format string, args ...any)) func() {
	n := 0
	return func() {
		if n++; n%progressEvery == 0 {
			progress("%s, row %d of %d", t.name, n, t.rows)
		}
	}
}

// scopeRef is that of both listings: a file is read as a whole.
const scopeRef = "account"

// describe tells a person what was found in a file.
func describe(t *table) string { return fmt.Sprintf("%s: %d rows (%s)", t.name, t.rows, t.form()) }
