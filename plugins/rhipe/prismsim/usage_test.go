// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

const invoiceColumns = "SubscriptionId OfferName ChargeStartDate ChargeEndDate UnitPrice UnitPriceRrp Quantity BillableRatio SubTotal SubTotalRrp"

func amount(t *testing.T, v any) decimal.Decimal {
	t.Helper()
	text := stringOf(v)
	if s, ok := v.(string); ok {
		text = s
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		t.Fatalf("%v is no amount: %v", v, err)
	}
	return d
}

// sum adds up a property of the records of a list.
func sum(t *testing.T, list any, name string) decimal.Decimal {
	t.Helper()
	total := decimal.Zero
	for _, record := range list.([]any) {
		total = total.Add(amount(t, dig(t, record, name)))
	}
	return total
}

// month is February 2025.
const month = "?startDate=2025-02-01T00:00:00.000Z&endDate=2025-03-01T00:00:00.000Z"

func monthRows(id string, page, size int) string {
	return fmt.Sprintf(`{"subscriptionId":%q,"startDate":"2025-02-01T00:00:00.000Z","endDate":"2025-03-01T00:00:00.000Z","page":%d,"pageSize":%d}`, id, page, size)
}

// allRows reads page after page until one is empty.
func (c *client) allRows(id string, size int) (rows []any) {
	c.t.Helper()
	for page := 1; ; page++ {
		records := dig(c.t, decode(c.t, c.good("POST", rowsPath, monthRows(id, page, size))), "Records").([]any)
		if len(records) == 0 {
			return rows
		}
		if len(records) > size {
			c.t.Fatalf("%d rows on a page of %d", len(records), size)
		}
		rows = append(rows, records...)
	}
}

func TestUsageAddsUp(t *testing.T) {
	t.Parallel()
	c := start(t)
	total := amount(t, dig(t, c.read(summaryPath+month), "TotalCost"))
	if !total.IsPositive() {
		t.Fatalf("the month costs %s", total)
	}
	for _, aggregation := range []string{"", "ByResourceOnly", "ByResourceAndDay", "ByResourceCategoryAndDay", "byresourceandday"} {
		s := c.read(summaryPath + month + "&aggregation=" + aggregation)
		if got := amount(t, dig(t, s, "TotalCost")); !got.Equal(total) {
			t.Errorf("%q: the total is %s, want %s", aggregation, got, total)
		}
		if got := sum(t, dig(t, s, "ResourceUsageSummaries"), "Cost"); !got.Equal(total) {
			t.Errorf("%q: the resources cost %s, want %s", aggregation, got, total)
		}
	}
	rows := c.allRows(azureSub, 17)
	if got := sum(t, rows, "PartnerCost"); !got.Equal(total) {
		t.Errorf("the rows cost %s, want %s", got, total)
	}
	days := map[any]bool{}
	for _, row := range rows {
		days[dig(t, row, "UsageDate")] = true
	}
	if len(days) != 28 || !days["2025-02-01T00:00:00+00:00"] || !days["2025-02-28T00:00:00+00:00"] {
		t.Errorf("%d days have rows", len(days))
	}
	byDay := decimal.Zero
	for day := range 28 {
		byDay = byDay.Add(amount(t, dig(t, c.read(fmt.Sprintf("%s?startDate=2025-02-%02dT00:00:00%%2B0000&endDate=2025-02-%02dT23:59:59%%2B0000", summaryPath, day+1, day+1)), "TotalCost")))
	}
	if !byDay.Equal(total) {
		t.Errorf("day by day it costs %s, want %s", byDay, total)
	}
	if other := amount(t, dig(t, c.read(strings.ReplaceAll(summaryPath, azureSub, azureOldSub)+month), "TotalCost")); other.Equal(total) {
		t.Error("another subscription costs the same")
	}
}

func TestUsagePages(t *testing.T) {
	t.Parallel()
	c := start(t)
	count := func(page, size int) int {
		return len(dig(t, decode(t, c.good("POST", rowsPath, monthRows(azureSub, page, size))), "Records").([]any))
	}
	all := len(c.allRows(azureSub, 500))
	for _, test := range []struct{ page, size, want int }{
		{1, 500, all},
		{2, 500, 0},
		{1, all, all},
		{2, all, 0},
		{1, all - 1, all - 1},
		{2, all - 1, 1},
		{3, all - 1, 0},
		{99, 500, 0},
		{1 << 40, 1 << 30, 0},
		{1, 1, 1},
		{all, 1, 1},
		{all + 1, 1, 0},
	} {
		if got := count(test.page, test.size); got != test.want {
			t.Errorf("page %d of %d holds %d rows, want %d", test.page, test.size, got, test.want)
		}
	}
	c.s.Set(func(s *prismsim.Switches) { s.PageSize = 10 })
	if got := count(2, 500); got != 10 {
		t.Errorf("a page holds %d rows, the greatest size is 10", got)
	}
}

func TestUsageBeginsWithThePurchase(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	w.UpdateSubscription(azureSub, func(s *prismsim.Subscription) {
		s.FirstPurchased = time.Date(2025, time.February, 26, 13, 0, 0, 0, time.UTC)
		s.VendorID = "0a1b2c3d-1111-4222-8333-444455556666"
	})
	c := startWith(t, w)
	var days []string
	for _, row := range c.allRows(azureSub, 500) {
		if day := dig(t, row, "UsageDate").(string)[:10]; !slices.Contains(days, day) {
			days = append(days, day)
		}
		if dig(t, row, "VendorSubscriptionId") != "0a1b2c3d-1111-4222-8333-444455556666" {
			t.Fatal("the vendor's id is another")
		}
	}
	if got := strings.Join(days, " "); got != "2025-02-26 2025-02-27 2025-02-28" {
		t.Errorf("days with rows: %s", got)
	}
	empty := c.read(summaryPath + "?startDate=2025-01-01&endDate=2025-02-01")
	if got := amount(t, dig(t, empty, "TotalCost")); !got.IsZero() {
		t.Errorf("the month before it was bought costs %s", got)
	}
	if n := len(dig(t, empty, "ResourceUsageSummaries").([]any)); n != 0 {
		t.Errorf("it has %d resources", n)
	}
}

func TestUsageRowsLag(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithSwitches(prismsim.Switches{UsageLag: 2}))
	total := amount(t, dig(t, c.read(summaryPath+month), "TotalCost"))
	for reading, late := range []bool{true, true, false, false} {
		got := sum(t, c.allRows(azureSub, 40), "PartnerCost")
		if late != got.LessThan(total) || !late && !got.Equal(total) {
			t.Errorf("reading %d adds up to %s of %s", reading+1, got, total)
		}
	}
	if got := amount(t, dig(t, c.read(summaryPath+month), "TotalCost")); !got.Equal(total) {
		t.Errorf("the total itself has changed to %s", got)
	}
	if got := sum(t, c.allRows(azureOldSub, 40), "PartnerCost"); got.Equal(amount(t, dig(t, c.read(strings.ReplaceAll(summaryPath, azureSub, azureOldSub)+month), "TotalCost"))) {
		t.Error("another subscription's rows do not lag")
	}
}

func TestUsageRowsOfOld(t *testing.T) {
	t.Parallel()
	c := start(t)
	read := func(path, more string) []any {
		body := `{"startDate":"2025-02-01T00:00:00+0000","endDate":"2025-03-01T00:00:00+0000"` + more + `}`
		return dig(t, decode(t, c.good("POST", path, body)), "UsageLineItems").([]any)
	}
	rows := read(oldRowsPath, "")
	total := amount(t, dig(t, c.read(strings.ReplaceAll(summaryPath, azureSub, azureOldSub)+month), "TotalCost"))
	if got := sum(t, rows, "Cost"); !got.Equal(total) {
		t.Errorf("the rows cost %s, want %s", got, total)
	}
	if n := len(read(oldRowsPath, `,"pageSize":5`)); n != 5 {
		t.Errorf("%d rows, want the five asked for", n)
	}
	if n := len(read(strings.ReplaceAll(oldRowsPath, azureOldSub, azureSub), "")); n != 0 {
		t.Errorf("the Azure plan has %d rows in the old form", n)
	}
}

func TestInvoices(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	c := startWith(t, w)
	list := dig(t, c.read(invoicesPath), "Records").([]any)
	if len(list) != 24 {
		t.Fatalf("%d invoices, want a year of two agreements", len(list))
	}
	ids := map[any]bool{}
	for i, v := range list {
		ids[dig(t, v, "InvoiceId")] = true
		at := time.Date(2025, time.February, 1, 0, 0, 0, 0, time.UTC).AddDate(0, -i/2, 0)
		if dig(t, v, "BillingPeriodStart") != at.Format("2006-01-02T15:04:05+00:00") || stringOf(dig(t, v, "UsageYear")) != at.Format("2006") ||
			stringOf(dig(t, v, "UsageMonth")) != at.Format("1") || dig(t, v, "ProgramName") != []string{"Microsoft CSP Indirect", "Microsoft SPLA"}[i%2] {
			t.Errorf("invoice %d: %v", i, v)
		}
	}
	if len(ids) != 24 {
		t.Errorf("only %d ids", len(ids))
	}
	if got := dig(t, c.read(invoicesPath+"?page=2&pageSize=1"), "Records").([]any); len(got) != 1 || dig(t, got, 0, "InvoiceId") != dig(t, list, 1, "InvoiceId") {
		t.Errorf("the second page: %v", got)
	}
	if got := dig(t, c.read(invoicesPath+"?page=2"), "Records").([]any); len(got) != 0 {
		t.Errorf("after the only page: %v", got)
	}
	c.s.Set(func(s *prismsim.Switches) { s.PageSize = 5 })
	if got := dig(t, c.read(invoicesPath+"?page=5"), "Records").([]any); len(got) != 4 {
		t.Errorf("the last page: %v", got)
	}
	c.s.ResetSwitches()
	w.SetToday(time.Date(2025, time.April, 1, 0, 0, 0, 0, time.UTC))
	later := dig(t, c.read(invoicesPath), "Records").([]any)
	if stringOf(dig(t, later, 0, "UsageMonth")) != "3" || dig(t, later, 2, "InvoiceId") != dig(t, list, 0, "InvoiceId") {
		t.Errorf("on the first of April: %v", later[:3])
	}
}

func (c *client) invoice(n int) (header []string, lines []map[string]string) {
	c.t.Helper()
	id := dig(c.t, c.read(invoicesPath), "Records", n, "InvoiceId").(string)
	a := c.get("/api/v1/me/invoice/" + strings.ToUpper(id) + "/csv")
	if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		c.t.Fatalf("%d %q", a.status, a.header.Get("Content-Type"))
	}
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, row := range rows[1:] {
		line := map[string]string{}
		for i, cell := range row {
			line[rows[0][i]] = cell
		}
		lines = append(lines, line)
	}
	return rows[0], lines
}

func TestInvoiceLines(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	products := prismsim.Catalogue()
	add := func(product int, id string, quantity int64, first string) {
		s := products[product].Of(id, quantity)
		s.FirstPurchased, _ = time.Parse(time.DateOnly, first)
		w.AddSubscription(bareTen, s)
	}
	for i := range 20 {
		add(0, fmt.Sprintf("seats-%02d", i), 10, "2022-01-01")
	}
	add(0, "half", 4, "2025-02-15")
	add(0, "later", 4, "2025-03-01")
	add(2, "annual", 2, "2023-02-10")
	add(2, "annual-other-month", 2, "2023-03-10")
	add(10, "three-years", 2, "2023-02-10")
	c := startWith(t, w)
	header, lines := c.invoice(0)
	if got := strings.Join(header, " "); got != invoiceColumns {
		t.Errorf("the header is %s", got)
	}
	of := func(id string) (list []map[string]string) {
		for _, l := range lines {
			if l["SubscriptionId"] == id {
				list = append(list, l)
			}
		}
		return list
	}
	split := 0
	for _, l := range lines {
		price, rrp, ratio, quantity := amount(t, l["UnitPrice"]), amount(t, l["UnitPriceRrp"]), amount(t, l["BillableRatio"]), amount(t, l["Quantity"])
		if l["SubscriptionId"] == "" || l["OfferName"] == "" || ratio.GreaterThan(decimal.New(1, 0)) || !ratio.IsPositive() {
			t.Errorf("%v", l)
		}
		if !amount(t, l["SubTotal"]).Equal(price.Mul(quantity).Mul(ratio)) || !amount(t, l["SubTotalRrp"]).Equal(rrp.Mul(quantity).Mul(ratio)) {
			t.Errorf("%v does not multiply", l)
		}
		for _, name := range []string{"ChargeStartDate", "ChargeEndDate"} {
			if !strings.HasSuffix(l[name], "T00:00:00.0000000+00:00") {
				t.Errorf("%s is %s", name, l[name])
			}
		}
		if l["ChargeStartDate"][:10] == "2025-02-15" && strings.HasPrefix(l["SubscriptionId"], "seats") {
			split++
		}
	}
	if split == 0 || split == 20 {
		t.Errorf("%d of 20 subscriptions have a line for each of two periods", split)
	}
	const feb, mar, rest = "2025-02-01", "2025-03-01", "T00:00:00.0000000+00:00"
	for id, want := range map[string]map[string]string{
		exchangeSub: {"ChargeStartDate": feb + rest, "ChargeEndDate": mar + rest, "UnitPrice": "5.1", "UnitPriceRrp": "6", "OfferName": "Exchange Online (Plan 1)"},
		"half":      {"ChargeStartDate": "2025-02-15" + rest, "ChargeEndDate": mar + rest, "BillableRatio": "0.5", "Quantity": "4", "SubTotal": "54.72"},
		"annual":    {"ChargeStartDate": "2025-02-10" + rest, "ChargeEndDate": "2026-02-10" + rest, "BillableRatio": "1", "SubTotal": "1102.8"},
		audioAddon:  {"UnitPrice": "4.9", "OfferName": "Audio Conferencing (NCE)"},
		azureSub: {
			"Quantity": "1", "BillableRatio": "1", "ChargeStartDate": feb + rest,
			"UnitPrice": stringOf(dig(t, c.read(summaryPath+month), "TotalCost")),
		},
	} {
		found := of(id)
		if len(found) == 0 {
			t.Errorf("%s has no line", id)
			continue
		}
		for name, v := range want {
			if found[0][name] != v && !(len(found) == 2 && name == "ChargeEndDate") {
				t.Errorf("%s: %s is %s, want %s", id, name, found[0][name], v)
			}
		}
	}
	for _, id := range []string{"later", "annual-other-month", "three-years", endedSub} {
		if found := of(id); len(found) != 0 {
			t.Errorf("%s has lines: %v", id, found)
		}
	}
	if _, lines := c.invoice(1); len(lines) != 0 {
		t.Errorf("an agreement without subscriptions has %d lines", len(lines))
	}
}
