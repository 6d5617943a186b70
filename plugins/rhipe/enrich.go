// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// details are the subscriptions of one tenant as its own request tells them. Nil tells nothing.
type details struct{ byRef map[string]rest.Object }

func (d *details) of(ref string) rest.Object {
	if d == nil {
		return nil
	}
	return d.byRef[strings.ToLower(ref)]
}

// addons gives the add-ons of a subscription: those of the list, then those the details tell besides.
func (d *details) addons(ref string, o rest.Object) iter.Seq[rest.Value] {
	return func(yield func(rest.Value) bool) {
		for _, object := range []rest.Object{o, d.of(ref)} {
			list, _ := object.Get("AddonSubscriptions").List()
			for v := range list.Elements() {
				if !yield(v) {
					return
				}
			}
		}
	}
}

func (c *connection) fetchDetails(ctx context.Context, tenantID string) (*details, error) {
	v, err := c.Get(ctx, rest.Read("GET", c.settings.Paths.TenantDetails, rest.Vars{"tenantId": tenantID}))
	if err != nil {
		return nil, err
	}
	object := v.Object()
	list, ok := object.Get("Subscriptions").List()
	if !object.Has("Subscriptions") || !ok {
		return nil, sdk.Errorf(sdk.ClassSchema, "the details of tenant %s hold no list of subscriptions", tenantID)
	}
	d := &details{byRef: map[string]rest.Object{}}
	for element := range list.Elements() {
		o := element.Object()
		if ref := id(o, "SubscriptionId"); ref != "" {
			d.byRef[strings.ToLower(ref)] = o
		}
	}
	return d, nil
}

// product is an entry of the price list.
type product struct {
	name, sku   string
	cost, price sdk.Decimal
	trial       bool
}

// extras add what the price list and the usage summaries tell. Whatever fails to be fetched is left untold: what the host
// knows from an earlier run then stays.
type extras struct {
	// prices gives products by id and by code, in lower case. Nil: not asked for, or not to be had.
	prices map[string]*product
	// pricesFailed: the price list was asked for and did not come, so product codes are not known.
	pricesFailed bool

	mu    sync.Mutex
	usage map[string]usage
}

// usage is the cost of a metered subscription in a month.
type usage struct {
	cost     sdk.Money
	from, to string
}

func (e *extras) apply(s *sdk.Subscription, item *sdk.Item) {
	if e.pricesFailed {
		item.SKU = ""
	}
	if p := e.prices[strings.ToLower(item.ProductRef)]; p != nil && item.ProductRef != "" {
		if item.Name == "" {
			item.Name = p.name
		}
		if p.sku != "" {
			item.SKU = p.sku
		}
		if item.Charge != sdk.ChargeUsage {
			if item.PartnerCost.Amount.IsAbsent() && !p.cost.IsAbsent() {
				item.PartnerCost.Amount, item.PricePer = p.cost, sdk.PricePerUnit
			}
			if !p.price.IsAbsent() {
				item.ListPrice.Amount, item.PricePer = p.price, sdk.PricePerUnit
			}
		}
		if p.trial {
			s.Trial = &p.trial
		}
	}
	e.mu.Lock()
	u, known := e.usage[strings.ToLower(s.Ref)]
	e.mu.Unlock()
	if known {
		item.PartnerCost, item.PricePer = u.cost, sdk.PricePerTotal
		s.Extra["usage_from"], s.Extra["usage_to"] = u.from, u.to
	}
}

func (c *connection) fetchPrices(ctx context.Context, a agreement, day time.Time) (map[string]*product, error) {
	v, err := c.Get(ctx, rest.Read("GET", c.settings.Paths.PriceList, rest.Vars{
		"contractAgreementId": a.id, "year": strconv.Itoa(day.Year()), "month": strconv.Itoa(int(day.Month())), "day": strconv.Itoa(day.Day()),
	}))
	if err != nil {
		return nil, err
	}
	object := v.Object()
	groups, ok := object.Get("ProductGroups").List()
	if !object.Has("ProductGroups") || !ok {
		return nil, sdk.Errorf(sdk.ClassSchema, "the price list of %s holds no ProductGroups", a.name())
	}
	prices := map[string]*product{}
	skus := map[string]*product{}
	var o rest.Object
	for group := range groups.Elements() {
		products, _ := group.Object().Get("Products").List()
		for element := range products.Elements() {
			if !o.Read(element) {
				continue
			}
			p := &product{name: o.Text("ProductName"), sku: trimmed(o, "ProductSku")}
			p.cost = firstDecimal(o, "UnitPrice", "Price")
			p.price = firstDecimal(o, "RetailUnitPrice", "RetailPrice")
			p.trial, _ = o.Get("IsTrialProduct").Bool()
			if key := strings.ToLower(id(o, "ProductId")); key != "" {
				prices[key] = p
			}
			if key := strings.ToLower(p.sku); key != "" {
				skus[key] = p
			}
		}
	}
	// An id goes before another product's code.
	for key, p := range skus {
		if prices[key] == nil {
			prices[key] = p
		}
	}
	return prices, nil
}

func firstDecimal(o rest.Object, names ...string) sdk.Decimal {
	for _, name := range names {
		if d, err := o.Get(name).Decimal(); err == nil && !d.IsAbsent() {
			return d
		}
	}
	return sdk.Decimal{}
}

// usageMonth gives the first of the month asked for and of the next.
func usageMonth(which string, now time.Time) (from, to time.Time) {
	from = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	if which != "current" {
		from = from.AddDate(0, -1, 0)
	}
	return from, from.AddDate(0, 1, 0)
}

func (c *connection) fetchUsage(ctx context.Context, ref string, now time.Time) (usage, error) {
	from, to := usageMonth(c.settings.AzureUsageMonth, now)
	const form = "2006-01-02T15:04:05.000Z"
	v, err := c.Get(ctx, rest.Read("GET", c.settings.Paths.AzureUsage, rest.Vars{"subscriptionId": ref}).
		WithQuery("startDate", from.Format(form)).WithQuery("endDate", to.Format(form)))
	if err != nil {
		return usage{}, err
	}
	o := v.Object()
	total, err := o.Get("TotalCost").Decimal()
	if err != nil || total.IsAbsent() {
		return usage{}, sdk.Errorf(sdk.ClassSchema, "the usage summary of subscription %s holds no TotalCost", ref)
	}
	u := usage{cost: sdk.Money{Amount: total}, from: from.Format(time.DateOnly), to: to.Format(time.DateOnly)}
	if currency := strings.ToUpper(trimmed(o, "Currency")); len(currency) == 3 {
		u.cost.Currency = currency
	}
	return u, nil
}

// enrich fetches what the settings ask for and sends the tenants, several at a time. The tenants are held in memory: one
// more request for each would keep PRISM's list open for longer than servers allow.
func (c *connection) enrich(ctx context.Context, s *sdk.SubscriptionScope, tenants []tenant, newReader func(*extras) *reader) error {
	now := time.Now().UTC()
	x := &extras{usage: map[string]usage{}}
	first := newReader(x)
	if c.settings.FetchPrices && len(tenants) > 0 {
		prices, err := c.fetchPrices(ctx, first.agreement, now)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			x.pricesFailed = true
			first.problems.doubt("prices.failed", "no price list for %s, so prices and product codes stay as they were: %v", first.agreement.name(), err)
		}
		x.prices = prices
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.MaxParallel())
	for i := range tenants {
		group.Go(func() error {
			if i%20 == 0 {
				s.Progress("details of tenant %d of %d", i+1, len(tenants))
			}
			return c.enrichTenant(ctx, &tenants[i], newReader(x), now)
		})
	}
	return group.Wait()
}

func (c *connection) enrichTenant(ctx context.Context, t *tenant, r *reader, now time.Time) error {
	if isEmptyList(t.subscriptions) {
		return nil
	}
	var found *details
	if c.settings.FetchTenantDetails {
		var err error
		found, err = c.fetchDetails(ctx, t.id)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			// Add-ons may be told by the details alone; so their absence must not be read as an end.
			r.problems.lost("details.failed", "no details for tenant %s (%s); its subscriptions are sent as the list tells them: %v", t.id, t.domain, err)
		}
	}
	if c.settings.FetchAzureUsage {
		if err := c.enrichUsage(ctx, t, found, r, now); err != nil {
			return err
		}
	}
	return r.read(t, found)
}

func (c *connection) enrichUsage(ctx context.Context, t *tenant, d *details, r *reader, now time.Time) error {
	for v := range t.subscriptions.Elements() {
		o := v.Object()
		ref := id(o, "SubscriptionId")
		unit := trimmed(o, "Unit")
		if unit == "" {
			unit = trimmed(d.of(ref), "Unit")
		}
		if ref == "" || !isUsage(unit) {
			continue
		}
		u, err := c.fetchUsage(ctx, ref, now)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			r.problems.doubt("usage.failed", "no usage for subscription %s, so its cost stays as it was: %v", ref, err)
			continue
		}
		r.extras.mu.Lock()
		r.extras.usage[strings.ToLower(ref)] = u
		r.extras.mu.Unlock()
	}
	return nil
}

func isEmptyList(list rest.Value) bool {
	for range list.Elements() {
		return false
	}
	return true
}
