// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// meter is what a metered subscription uses every day.
type meter struct {
	id, resource, name, category, subCategory, unit, service, group string
	tags, info                                                      string // empty is null
	least, spread                                                   int64  // cost of a day, in millionths
	rate                                                            int64  // cost of a unit, in millionths
}

// meters are the same for all metered subscriptions; only the costs differ.
// Tags and AdditionalInfo are JSON in a text, free text or null.
var meters = []meter{
	{
		id: "7a6f3c10-0001-4b1e-9d00-0000000000a1", resource: "vm-app-01", name: "D2s v5", category: "Virtual Machines",
		subCategory: "Dsv5 Series", unit: "1 Hour", service: "Microsoft.Compute", group: "rg-production",
		tags: `{"costCentre":"1200","owner":"it"}`, info: `{"ServiceType":"Standard_D2s_v5"}`, least: 2_900_000, spread: 6_000_000, rate: 120_833,
	},
	{
		id: "7a6f3c10-0002-4b1e-9d00-0000000000a2", resource: "disk-app-01", name: "P10 LRS Disk", category: "Storage",
		subCategory: "Premium SSD Managed Disks", unit: "1/Month", service: "Microsoft.Compute", group: "rg-production",
		tags: "shared, not tagged properly", least: 700_000, spread: 250_000, rate: 21_300_000,
	},
	{
		id: "7a6f3c10-0003-4b1e-9d00-0000000000a3", resource: "vnet-hub", name: "Standard Data Transfer Out", category: "Bandwidth",
		subCategory: "Rtn Preference: MGN", unit: "1 GB", service: "Microsoft.Network", group: "RG-Hub",
		info: "inter-region", least: 1_250, spread: 90_000, rate: 125_000,
	},
	{
		id: "7a6f3c10-0004-4b1e-9d00-0000000000a4", resource: "stbackup", name: "Hot LRS Data Stored", category: "Storage",
		subCategory: "Tiered Block Blob", unit: "1 GB/Month", service: "Microsoft.Storage", group: "RG-Hub",
		tags: "{}", info: "{}", least: 35_125, spread: 400_000, rate: 28_750,
	},
}

// usageRegion is where every resource of a metered subscription is.
const usageRegion = "AU East"

// usageRange is the metered use of one subscription in a range of days. Each
// day has a row for each meter; the rows go day by day.
type usageRange struct {
	sub      *Subscription
	tenant   *Tenant
	agree    Agreement
	from, to time.Time // as asked for
	first    int       // the first day with use, in days since 1970
	days     int
}

// newUsageRange works the days out: those whose beginning lies in the
// half-open range, from the day of purchase on. So a month may be asked for
// from its first to the next one's first, and a day until 23:59:59.
func newUsageRange(v view, s *Subscription, t *Tenant, from, to time.Time) *usageRange {
	u := &usageRange{sub: s, tenant: t, from: from, to: to}
	if a, ok := agreementByID(v, t.AgreementID); ok {
		u.agree = *a
	}
	u.first = max(daysUp(from), daysUp(s.FirstPurchased.Truncate(day)))
	u.days = max(0, daysUp(to)-u.first)
	return u
}

const day = 24 * time.Hour

// daysUp counts the days since 1970 to the first midnight, in UTC, that is not
// before t.
func daysUp(t time.Time) int {
	const second = int64(day / time.Second)
	sec := t.Unix()
	if t.Nanosecond() > 0 {
		sec++
	}
	n := sec / second
	if sec%second > 0 {
		n++
	}
	return int(n)
}

func (u *usageRange) name() string {
	if u.sub.FriendlyName != "" {
		return u.sub.FriendlyName
	}
	return u.sub.ProductName
}

func (u *usageRange) rows() int { return u.days * len(meters) }

// date is the day of row i.
func (u *usageRange) date(i int) time.Time {
	return time.Unix(int64(u.first+i/len(meters))*int64(day/time.Second), 0).UTC()
}

// cost is what row i costs, in millionths of the currency; never zero.
func (u *usageRange) cost(i int) int64 {
	m := &meters[i%len(meters)]
	h := hashText("usage", u.sub.ID, m.id, strconv.Itoa(u.first+i/len(meters)))
	return m.least + int64(h%uint64(m.spread))
}

func (u *usageRange) total() (sum int64) {
	for i := range u.rows() {
		sum += u.cost(i)
	}
	return sum
}

// millionths is the decimal text of n/1,000,000 without idle zeros.
func millionths(n int64) string {
	text := strconv.FormatInt(n/1_000_000, 10)
	rest := strconv.FormatInt(1_000_000+n%1_000_000, 10)[1:]
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		text += "." + rest
	}
	return text
}

// retail is the suggested price of a partner cost in millionths: 15 % more.
func retail(cost int64) int64 { return cost + cost*15/100 }

// metered finds a metered subscription and reads the two dates. It answers the
// call itself when it cannot.
func (c *call) metered(id, startDate, endDate string) (*usageRange, bool) {
	from, ok := parseDate(startDate)
	if !ok {
		c.invalid("startDate", "The value '"+startDate+"' is not valid for startDate.")
		return nil, false
	}
	to, ok := parseDate(endDate)
	if !ok || to.Before(from) {
		c.invalid("endDate", "The value '"+endDate+"' is not valid for endDate.")
		return nil, false
	}
	s, t, ok := c.v.subscription(id)
	if !ok || s.Unit != UnitUsage {
		c.unknown("The Azure subscription")
		return nil, false
	}
	return newUsageRange(c.v, s, t, from, to), true
}

// usageSummary answers what a metered subscription cost in a range of days.
// The use goes on for ever: it does not end with the business date, because
// clients ask for the months of their own clock.
func (c *call) usageSummary() {
	aggregation := lower(c.query("aggregation"))
	switch aggregation {
	case "", "byresourceonly", "byresourcecategoryandday", "byresourceandday":
	default:
		c.invalid("aggregation", "The value '"+c.query("aggregation")+"' is not valid for aggregation.")
		return
	}
	u, ok := c.metered(c.id, c.query("startDate"), c.query("endDate"))
	if !ok {
		return
	}
	updated := u.to.Add(7 * time.Hour)
	if today := c.v.today(); today.After(u.from) && today.Before(u.to) {
		updated = today.Add(7 * time.Hour)
	}
	c.sendJSON(func(e *encoder) {
		e.object(func() {
			e.text("SubscriptionName", u.name())
			e.date("StartDate", u.from)
			e.date("EndDate", u.to)
			e.text("Currency", u.agree.Currency)
			e.number("TotalCost", millionths(u.total()))
			e.date("LastUpdateDate", updated)
			e.list("ResourceUsageSummaries", func() {
				if c.fault == nil || c.fault.Kind != FaultEmpty {
					u.summaries(e, aggregation)
				}
			})
			e.extras()
		})
	})
}

func (u *usageRange) summaries(e *encoder, aggregation string) {
	one := func(id, name, category string, cost int64) {
		e.object(func() {
			e.text("ResourceId", id)
			e.text("ResourceName", name)
			e.text("ResourceCategory", category)
			e.number("Cost", millionths(cost))
			e.extras()
		})
	}
	switch aggregation {
	case "byresourceandday":
		for i := range u.rows() {
			m := &meters[i%len(meters)]
			one(m.resource, m.name, m.category, u.cost(i))
		}
	case "byresourcecategoryandday":
		for d := range u.days {
			var names []string
			sums := map[string]int64{}
			for j := range meters {
				name := meters[j].category
				if sums[name] == 0 {
					names = append(names, name)
				}
				sums[name] += u.cost(d*len(meters) + j)
			}
			for _, name := range names {
				one("", "", name, sums[name])
			}
		}
	default:
		if u.days == 0 {
			return
		}
		for j := range meters {
			var sum int64
			for d := range u.days {
				sum += u.cost(d*len(meters) + j)
			}
			one(meters[j].resource, meters[j].name, meters[j].category, sum)
		}
	}
}

// usagePage is the size of a page of usage rows unless the request says.
const usagePage = 500

// pageOf reads page and pageSize; Switches.PageSize is the greatest size.
func (c *call) pageOf(page, size string) (int, int, bool) {
	if size == "" && c.sw.PageSize == 0 {
		size = strconv.Itoa(usagePage)
	}
	return c.paging(page, size, c.sw.PageSize)
}

// reading counts the readings of a subscription's usage rows and says how many
// rows there are to be seen: one less than there should be while they lag. A
// reading begins with its first page.
func (c *call) reading(u *usageRange, page int) int {
	rows := u.rows()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	id := lower(u.sub.ID)
	if page == 1 {
		c.s.lagged[id]++
	}
	if c.fault != nil && c.fault.Kind == FaultEmpty {
		return 0
	}
	if c.s.lagged[id] <= c.sw.UsageLag {
		rows = max(0, rows-1)
	}
	return rows
}

// usageRows answers a page of usage rows, which is empty after the last.
func (c *call) usageRows() {
	var in struct {
		SubscriptionID, StartDate, EndDate string
		Page, PageSize                     json.Number
	}
	if !c.body(&in) {
		return
	}
	page, size, ok := c.pageOf(string(in.Page), string(in.PageSize))
	if !ok {
		return
	}
	u, ok := c.metered(in.SubscriptionID, in.StartDate, in.EndDate)
	if !ok {
		return
	}
	rows := c.reading(u, page)
	if last := max(1, (rows+size-1)/size); c.sw.RepeatLastPage {
		page = min(page, last)
	} else {
		page = min(page, last+1)
	}
	from := min(rows, (page-1)*size)
	to := min(rows, from+size)
	c.sendJSON(func(e *encoder) {
		e.object(func() {
			e.list("Records", func() {
				e.pad()
				for i := from; i < to && e.ok(); i++ {
					e.object(func() { c.usageRow(e, u, i) })
				}
			})
		})
	})
}

func (c *call) usageRow(e *encoder, u *usageRange, i int) {
	m, cost := &meters[i%len(meters)], u.cost(i)
	e.text("SubscriptionId", u.sub.ID)
	e.text("SubscriptionName", u.name())
	e.text("CustomerName", u.tenant.CustomerName)
	e.text("VendorSubscriptionId", u.vendorID())
	e.maybe("BillingMpnId", u.agree.Reference)
	e.null("AdvisorMpnId")
	e.text("PrimaryDomain", u.tenant.Domain)
	e.text("BillableContractAgreementId", u.tenant.AgreementID)
	e.date("UsageDate", u.date(i))
	e.text("Currency", u.agree.Currency)
	e.number("PartnerCost", millionths(cost))
	e.number("Rrp", millionths(retail(cost)))
	e.number("VendorFxRate", "1")
	e.text("MeterId", m.id)
	e.text("MeterName", m.name)
	e.text("MeterCategory", m.category)
	e.text("MeterSubCategory", m.subCategory)
	e.text("MeterRegion", usageRegion)
	e.text("MeterType", "Consumption")
	e.text("ConsumedService", m.service)
	e.text("ResourceUri", m.uri(u))
	e.text("ResourceLocation", usageRegion)
	e.text("ResourceGroup", m.group)
	e.maybe("Tags", m.tags)
	e.maybe("AdditionalInfo", m.info)
	e.number("Quantity", m.quantity(cost))
	e.text("Unit", m.unit)
	e.text("ProductId", u.sub.ProductID)
	e.text("ProductName", u.sub.ProductName)
	e.text("SkuId", strings.ToUpper(m.id[:8]))
	e.text("SkuName", m.name)
	e.extras()
}

func (u *usageRange) vendorID() string {
	if u.sub.VendorID != "" {
		return u.sub.VendorID
	}
	return textGUID("vendor", u.sub.ID)
}

func (m *meter) uri(u *usageRange) string {
	return "/subscriptions/" + u.vendorID() + "/resourceGroups/" + m.group + "/providers/" + m.service + "/" + m.resource
}

// quantity is the use behind a cost.
func (m *meter) quantity(cost int64) string { return millionths(cost * 1_000_000 / m.rate) }

// usageRowsOld answers the older form of the usage rows, which has one page
// only and knows nothing of subscriptions to the Azure plan.
func (c *call) usageRowsOld() {
	var in struct {
		StartDate, EndDate string
		PageSize           json.Number
	}
	if !c.body(&in) {
		return
	}
	_, size, ok := c.pageOf("1", string(in.PageSize))
	if !ok {
		return
	}
	u, ok := c.metered(c.id, in.StartDate, in.EndDate)
	if !ok {
		return
	}
	rows := min(size, c.reading(u, 1))
	if strings.EqualFold(u.sub.ProductName, catalogue[productAzurePlan].Name) {
		rows = 0
	}
	c.sendJSON(func(e *encoder) {
		e.object(func() {
			e.list("UsageLineItems", func() {
				e.pad()
				for i := 0; i < rows && e.ok(); i++ {
					m, cost := &meters[i%len(meters)], u.cost(i)
					e.object(func() {
						e.number("Cost", millionths(cost))
						e.number("RRP", millionths(retail(cost)))
						e.number("Quantity", m.quantity(cost))
						e.text("Unit", m.unit)
						e.text("MeterName", m.name)
						e.text("MeterCategory", m.category)
						e.text("MeterSubCategory", m.subCategory)
						e.text("MeterRegion", usageRegion)
						e.text("ResourceGroup", m.group)
						e.text("ResourceId", m.resource)
						e.maybe("InstanceData", m.info)
						e.maybe("Tags", m.tags)
						e.extras()
					})
				}
			})
		})
	})
}
