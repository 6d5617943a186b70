// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"time"
)

// GeneratedOptions size a generated distributor. Zero values take the
// defaults.
type GeneratedOptions struct {
	// Subscriptions is how many there are, add-ons included; 0 is legal.
	Subscriptions int
	// Customers is how many end customers there are, each with one tenant; by
	// default one for each twenty subscriptions, and at least one.
	Customers int
	// Agreements is how many contract agreements the tenants are dealt out to;
	// by default 2.
	Agreements int
	// Seed makes another distributor of the same size.
	Seed uint64
}

// Generated is a distributor of any size that is computed while it is
// streamed: it holds no record in memory. The same options give the same
// distributor. Each day after the first changes the quantity of one
// subscription in a hundred, chosen by the seed and the day.
type Generated struct {
	options                        GeneratedOptions
	owner                          Customer
	agrees                         []Agreement
	customerIDs, tenantIDs, subIDs guidKind
	generation                     atomic.Int64
}

var _ Source = (*Generated)(nil)

// maxGenerated is how many records of a kind can be told apart by their ids.
const maxGenerated = 1 << 31

// NewGenerated returns a generated distributor. It panics when a size is
// negative or beyond 2^31.
func NewGenerated(o GeneratedOptions) *Generated {
	if o.Customers == 0 {
		o.Customers = max(1, o.Subscriptions/20)
	}
	if o.Agreements == 0 {
		o.Agreements = 2
	}
	if min(o.Subscriptions, o.Customers, o.Agreements) < 0 || max(o.Subscriptions, o.Customers, o.Agreements) >= maxGenerated {
		panic(fmt.Sprintf("prismsim: no distributor of this size: %+v", o))
	}
	g := &Generated{
		options: o, owner: Customer{ID: textGUID("partner", "generated"), Name: "Harbourside IT Pty Ltd", ActingRole: 1},
		customerIDs: newGUIDKind(o.Seed, "customer"), tenantIDs: newGUIDKind(o.Seed, "tenant"), subIDs: newGUIDKind(o.Seed, "subscription"),
	}
	agreementIDs := newGUIDKind(o.Seed, "agreement")
	for i := range o.Agreements {
		g.agrees = append(g.agrees, Agreement{
			ID: agreementIDs.id(i), ProgramID: textGUID("program", ProgramCSP), ProgramName: ProgramCSP, Currency: "AUD",
			Reference: "generated-" + strconv.Itoa(i+1), Start: generatedStart,
		})
	}
	return g
}

// AgreementIDs are the ids of the contract agreements.
func (g *Generated) AgreementIDs() []string {
	ids := make([]string, len(g.agrees))
	for i := range g.agrees {
		ids[i] = g.agrees[i].ID
	}
	return ids
}

// Changed counts the subscriptions whose quantity differs from the day before.
func (g *Generated) Changed(day int) int {
	n := 0
	for i := range g.options.Subscriptions {
		if day > 1 && g.changes(i, int64(day-1)) {
			n++
		}
	}
	return n
}

// Size counts end customers and subscriptions.
func (g *Generated) Size() (customers, subscriptions int) {
	return g.options.Customers, g.options.Subscriptions
}

func (g *Generated) snapshot() view {
	return &generatedView{Generated: g, generation: g.generation.Load()}
}

func (g *Generated) setDay(day int) ([]Fault, error) {
	if day < 1 {
		return nil, fmt.Errorf("go to day %d: days are counted from 1", day)
	}
	g.generation.Store(int64(day - 1))
	return nil, nil
}

var generatedStart = time.Date(2021, time.July, 1, 0, 0, 0, 0, time.UTC)

// scatter is the number that decides what subscription i is like.
func (g *Generated) scatter(i int) uint64 { return mix(g.options.Seed ^ uint64(i)<<1) }

func productAt(scatter uint64) *Product { return &catalogue[scatter%uint64(productTiered)] }

// changes reports whether a generation gives subscription i another quantity.
// Metered use has none.
func (g *Generated) changes(i int, generation int64) bool {
	return productAt(g.scatter(i)).Unit != UnitUsage && mix(g.options.Seed^mix(uint64(i))^mix(uint64(generation)<<32))%100 == 0
}

// first is the number of the first subscription of tenant t.
func (g *Generated) first(t int) int {
	return int(int64(t) * int64(g.options.Subscriptions) / int64(g.options.Customers))
}

// tenantOf is the number of the tenant that holds subscription i.
func (g *Generated) tenantOf(i int) int {
	t := int(int64(i) * int64(g.options.Customers) / int64(g.options.Subscriptions))
	for g.first(t+1) <= i {
		t++
	}
	for g.first(t) > i {
		t--
	}
	return t
}

// addonEvery makes every eighth subscription of a tenant an add-on of the one
// before it.
const addonEvery = 8

func (g *Generated) isAddon(i, t int) bool { return (i-g.first(t))%addonEvery == addonEvery-1 }

// generatedView is the distributor on one day.
type generatedView struct {
	*Generated
	generation int64
}

var _ view = (*generatedView)(nil)

func (v *generatedView) partner() *Customer      { return &v.owner }
func (v *generatedView) agreements() []Agreement { return v.agrees }

func (v *generatedView) today() time.Time {
	return time.Date(2025, time.March, 14, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(v.generation))
}

func (v *generatedView) customers() iter.Seq[*Customer] {
	return func(yield func(*Customer) bool) {
		if !yield(&v.owner) {
			return
		}
		var c Customer
		for i := range v.options.Customers {
			v.customerAt(i, &c)
			if !yield(&c) {
				return
			}
		}
	}
}

var (
	firstNames = []string{
		"Banksia", "Bluegum", "Boronia", "Coolabah", "Correa", "Grevillea", "Hakea", "Ironbark", "Jarrah", "Karri",
		"Kauri", "Mallee", "Melaleuca", "Rata", "Redgum", "Rimu", "Tallowwood", "Totara", "Waratah", "Wattle",
	}
	secondNames = []string{
		"Accounting", "Architects", "Builders", "Consulting", "Dental", "Engineering", "Foods", "Freight", "Joinery",
		"Legal", "Marine", "Motors", "Optical", "Pharmacy", "Physio", "Plumbing", "Printing", "Surveying", "Textiles", "Vets",
	}
	cities = []Address{
		{City: "Sydney", State: "NSW", Postcode: "2000"},
		{City: "Melbourne", State: "VIC", Postcode: "3000"},
		{City: "Brisbane", State: "QLD", Postcode: "4000"},
		{City: "Perth", State: "WA", Postcode: "6000"},
		{City: "Adelaide", State: "SA", Postcode: "5000"},
		{City: "Hobart", State: "TAS", Postcode: "7000"},
	}
)

func (v *generatedView) customerAt(i int, c *Customer) {
	h := mix(v.options.Seed ^ uint64(i))
	place := cities[h%uint64(len(cities))]
	place.Street1 = strconv.Itoa(1+int(h>>8%400)) + " Example Street"
	place.Country, place.CountryISOCode = "Australia", "AU"
	*c = Customer{
		ID: v.customerIDs.id(i), ParentID: v.owner.ID, Address: place,
		Name: firstNames[h>>20%uint64(len(firstNames))] + " " + secondNames[h>>28%uint64(len(secondNames))] + " " + strconv.Itoa(i+1),
	}
}

func (v *generatedView) programs(c *Customer) []ProgramAgreement {
	if c == &v.owner {
		return ownPrograms(v.agrees)
	}
	i, ok := v.customerIDs.index(c.ID)
	if !ok {
		return nil
	}
	a := v.agreementOf(i)
	return []ProgramAgreement{{
		ID: v.tenantIDs.id(i), AgreementID: a.ID, ProgramID: a.ProgramID, ProgramName: a.ProgramName, Reference: domainOf(i), Start: a.Start,
	}}
}

func (v *generatedView) agreementOf(tenant int) *Agreement { return &v.agrees[tenant%len(v.agrees)] }

func domainOf(i int) string { return "customer" + strconv.Itoa(i+1) + ".example" }

func (v *generatedView) tenants(agreementID string) iter.Seq[*Tenant] {
	return func(yield func(*Tenant) bool) {
		var t Tenant
		var c Customer
		for i := range v.options.Customers {
			if agreementID != "" && lower(v.agreementOf(i).ID) != lower(agreementID) {
				continue
			}
			v.tenantAt(i, &t, &c)
			if !yield(&t) {
				return
			}
		}
	}
}

func (v *generatedView) tenantAt(i int, t *Tenant, c *Customer) {
	v.customerAt(i, c)
	*t = Tenant{
		ID: v.tenantIDs.id(i), AgreementID: v.agreementOf(i).ID, CustomerID: c.ID, CustomerName: c.Name, Domain: domainOf(i),
		Status: StatusActive, index: i,
	}
}

func (v *generatedView) subscriptions(t *Tenant) iter.Seq[*Subscription] {
	return func(yield func(*Subscription) bool) {
		var s Subscription
		var addon [1]Subscription
		end := v.first(t.index + 1)
		for i := v.first(t.index); i < end; i++ {
			v.subscriptionAt(i, t.index, &s)
			if i+1 < end && v.isAddon(i+1, t.index) {
				i++
				v.subscriptionAt(i, t.index, &addon[0])
				s.Addons = addon[:]
			}
			if !yield(&s) {
				return
			}
		}
	}
}

func (v *generatedView) subscriptionAt(i, tenant int, s *Subscription) {
	h := v.scatter(i)
	p := productAt(h)
	quantity := int64(1 + h>>16%60)
	for day := int64(1); day <= v.generation; day++ {
		if v.changes(i, day) {
			quantity++
		}
	}
	*s = p.Of(v.subIDs.id(i), quantity)
	s.ProgramReferenceLabel = domainOf(tenant)
	s.FirstPurchased = generatedStart.Add(time.Duration(h>>24%100_000_000) * time.Second)
	if h>>56%50 == 0 {
		s.Status = StatusSuspended
	}
}

func (v *generatedView) tenant(id string) (*Tenant, bool) {
	i, ok := v.tenantIDs.index(id)
	if !ok || i >= v.options.Customers {
		return nil, false
	}
	var t Tenant
	var c Customer
	v.tenantAt(i, &t, &c)
	return &t, true
}

func (v *generatedView) subscription(id string) (*Subscription, *Tenant, bool) {
	i, ok := v.subIDs.index(id)
	if !ok || i >= v.options.Subscriptions {
		return nil, nil, false
	}
	n := v.tenantOf(i)
	var s Subscription
	v.subscriptionAt(i, n, &s)
	if next := i + 1; next < v.first(n+1) && v.isAddon(next, n) {
		var addon Subscription
		v.subscriptionAt(next, n, &addon)
		s.Addons = []Subscription{addon}
	}
	t, _ := v.tenant(v.tenantIDs.id(n))
	return &s, t, true
}
