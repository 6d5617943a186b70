// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"errors"
	"fmt"
	"math"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

func init() {
	wire.Bridge.CustomerToProto = func(c Customer) *distributorv1.Customer { return new(slabs).customer(&c) }
	wire.Bridge.CustomerFromProto = customerFromProto
	wire.Bridge.SubscriptionToProto = func(s Subscription) *distributorv1.Subscription { return new(slabs).subscription(&s) }
	wire.Bridge.SubscriptionFromProto = subscriptionFromProto
}

// slab hands out values of one type from an array, so that a batch costs a few allocations and not several a record.
type slab[T any] struct {
	free []T
	size int
}

// next gives a zero value. The first array has one element, since a single record needs no more; they double up to 128.
func (s *slab[T]) next() *T {
	if len(s.free) == 0 {
		s.size = max(1, min(s.size*2, 128))
		s.free = make([]T, s.size)
	}
	p := &s.free[0]
	s.free = s.free[1:]
	return p
}

// slabs makes the messages of one stream. It is not safe for concurrent use. Messages are never handed out twice, since
// gRPC does not say when it is done with one.
type slabs struct {
	subscriptions slab[distributorv1.Subscription]
	items         slab[distributorv1.Item]
	itemPointers  slab[[1]*distributorv1.Item]
	terms         slab[distributorv1.Term]
	moneys        slab[distributorv1.Money]
	customers     slab[distributorv1.Customer]
	addresses     slab[distributorv1.Address]
	texts         slab[string]
	flags         slab[bool]
}

// enum keeps a known value and makes any other the zero value, which is "unknown" in every enum of the contract. The
// SDK's constants have the numbers of the contract's; a test compares them name by name.
func enum[To, From ~int | ~int32](value, last From) To {
	if value < 0 || value > last {
		return 0
	}
	return To(value)
}

func cleanAll(texts []string) []string {
	if len(texts) == 0 {
		return nil
	}
	clean := make([]string, len(texts))
	for i, text := range texts {
		clean[i] = wire.Clean(text)
	}
	return clean
}

func cleanMap(texts map[string]string) map[string]string {
	if len(texts) == 0 {
		return nil
	}
	clean := make(map[string]string, len(texts))
	for key, text := range texts {
		clean[wire.Clean(key)] = wire.Clean(text)
	}
	return clean
}

func (s *slabs) flag(value *bool) *bool {
	if value == nil {
		return nil
	}
	p := s.flags.next()
	*p = *value
	return p
}

func flag(value *bool) *bool {
	if value == nil {
		return nil
	}
	copied := *value
	return &copied
}

func (s *slabs) customer(c *Customer) *distributorv1.Customer {
	p := s.customers.next()
	p.Ref = wire.Clean(c.Ref)
	p.Name = wire.Clean(c.Name)
	p.Lifecycle = enum[distributorv1.Lifecycle](c.Lifecycle, LifecycleDeleted)
	p.SourceStatus = wire.Clean(c.Status)
	if c.Address != nil {
		a := s.addresses.next()
		a.Lines = cleanAll(c.Address.Lines)
		a.City = wire.Clean(c.Address.City)
		a.Region = wire.Clean(c.Address.Region)
		a.PostalCode = wire.Clean(c.Address.PostalCode)
		a.CountryCode = wire.Clean(c.Address.CountryCode)
		a.Country = wire.Clean(c.Address.Country)
		p.Address = a
	}
	p.Phone = wire.Clean(c.Phone)
	p.Email = wire.Clean(c.Email)
	p.Website = wire.Clean(c.Website)
	p.RegistrationNumber = wire.Clean(c.RegistrationNumber)
	for _, tenant := range c.VendorTenants {
		p.VendorTenants = append(p.VendorTenants, &distributorv1.VendorTenant{
			Vendor:    wire.Clean(tenant.Vendor),
			TenantRef: wire.Clean(tenant.Ref),
			Domain:    wire.Clean(tenant.Domain),
		})
	}
	p.Domains = cleanAll(c.Domains)
	p.ParentRef = wire.Clean(c.ParentRef)
	p.ExternalRef = wire.Clean(c.ExternalRef)
	p.IsPartner = c.IsPartner
	return p
}

func customerFromProto(p *distributorv1.Customer) (Customer, error) {
	if p == nil {
		return Customer{}, errors.New("there is no record")
	}
	c := Customer{
		Ref:                wire.Clean(p.GetRef()),
		Name:               wire.Clean(p.GetName()),
		Lifecycle:          enum[Lifecycle](p.GetLifecycle(), distributorv1.Lifecycle_LIFECYCLE_DELETED),
		Status:             wire.Clean(p.GetSourceStatus()),
		Phone:              wire.Clean(p.GetPhone()),
		Email:              wire.Clean(p.GetEmail()),
		Website:            wire.Clean(p.GetWebsite()),
		RegistrationNumber: wire.Clean(p.GetRegistrationNumber()),
		Domains:            cleanAll(p.GetDomains()),
		ParentRef:          wire.Clean(p.GetParentRef()),
		ExternalRef:        wire.Clean(p.GetExternalRef()),
		IsPartner:          p.GetIsPartner(),
	}
	if a := p.GetAddress(); a != nil {
		c.Address = &Address{
			Lines:       cleanAll(a.GetLines()),
			City:        wire.Clean(a.GetCity()),
			Region:      wire.Clean(a.GetRegion()),
			PostalCode:  wire.Clean(a.GetPostalCode()),
			CountryCode: wire.Clean(a.GetCountryCode()),
			Country:     wire.Clean(a.GetCountry()),
		}
	}
	for _, tenant := range p.GetVendorTenants() {
		c.VendorTenants = append(c.VendorTenants, VendorTenant{
			Vendor: wire.Clean(tenant.GetVendor()),
			Ref:    wire.Clean(tenant.GetTenantRef()),
			Domain: wire.Clean(tenant.GetDomain()),
		})
	}
	return c, nil
}

func (s *slabs) subscription(r *Subscription) *distributorv1.Subscription {
	p := s.subscriptions.next()
	p.Ref = wire.Clean(r.Ref)
	p.CustomerRef = wire.Clean(r.CustomerRef)
	p.TenantRef = wire.Clean(r.TenantRef)
	p.VendorRef = wire.Clean(r.VendorRef)
	p.VendorTenantRef = wire.Clean(r.VendorTenantRef)
	p.ParentRef = wire.Clean(r.ParentRef)
	p.Name = wire.Clean(r.Name)
	p.Vendor = wire.Clean(r.Vendor)
	p.State = enum[distributorv1.SubscriptionState](r.State, StateDeleted)
	p.SourceStatus = wire.Clean(r.Status)
	p.Trial = s.flag(r.Trial)
	p.BillingTerm = s.term(&r.BillingTerm)
	p.CommitmentTerm = s.term(&r.CommitmentTerm)
	p.StartedOn = wire.Clean(r.StartedOn)
	p.CommitmentEnd = wire.Clean(r.CommitmentEnd)
	p.CancellableUntil = wire.Clean(r.CancellableUntil)
	p.AutoRenew = s.flag(r.AutoRenew)
	switch len(r.Items) {
	case 0:
	case 1:
		one := s.itemPointers.next()
		one[0] = s.item(&r.Items[0])
		p.Items = one[:]
	default:
		p.Items = make([]*distributorv1.Item, len(r.Items))
		for i := range r.Items {
			p.Items[i] = s.item(&r.Items[i])
		}
	}
	p.Extra = cleanMap(r.Extra)
	return p
}

func (s *slabs) item(i *Item) *distributorv1.Item {
	p := s.items.next()
	p.Ref = wire.Clean(i.Ref)
	p.Name = wire.Clean(i.Name)
	p.Sku = wire.Clean(i.SKU)
	p.VendorSku = wire.Clean(i.VendorSKU)
	p.ProductRef = wire.Clean(i.ProductRef)
	if !i.Quantity.IsAbsent() {
		text := s.texts.next()
		*text = i.Quantity.text
		p.Quantity = text
	}
	p.Unit = wire.Clean(i.Unit)
	p.ChargeKind = enum[distributorv1.ChargeKind](i.Charge, ChargeUsage)
	p.CustomerPrice = s.money(&i.CustomerPrice)
	p.PartnerCost = s.money(&i.PartnerCost)
	p.ListPrice = s.money(&i.ListPrice)
	p.PricePer = enum[distributorv1.PricePer](i.PricePer, PricePerTotal)
	return p
}

// money gives nil for an absent amount: a currency alone tells nothing.
func (s *slabs) money(m *Money) *distributorv1.Money {
	if m.Amount.IsAbsent() {
		return nil
	}
	p := s.moneys.next()
	p.Amount, p.Currency = m.Amount.text, wire.Clean(m.Currency)
	return p
}

func (s *slabs) term(t *Term) *distributorv1.Term {
	if *t == (Term{}) {
		return nil
	}
	p := s.terms.next()
	p.Kind = enum[distributorv1.TermKind](t.Kind, TermNone)
	p.Unit = enum[distributorv1.TermUnit](t.Unit, UnitYear)
	p.Count = int32(min(max(t.Count, 0), math.MaxInt32))
	p.Raw = wire.Clean(t.Raw)
	return p
}

func subscriptionFromProto(p *distributorv1.Subscription) (Subscription, error) {
	if p == nil {
		return Subscription{}, errors.New("there is no record")
	}
	r := Subscription{
		Ref:              wire.Clean(p.GetRef()),
		CustomerRef:      wire.Clean(p.GetCustomerRef()),
		TenantRef:        wire.Clean(p.GetTenantRef()),
		VendorRef:        wire.Clean(p.GetVendorRef()),
		VendorTenantRef:  wire.Clean(p.GetVendorTenantRef()),
		ParentRef:        wire.Clean(p.GetParentRef()),
		Name:             wire.Clean(p.GetName()),
		Vendor:           wire.Clean(p.GetVendor()),
		State:            enum[State](p.GetState(), distributorv1.SubscriptionState_SUBSCRIPTION_STATE_DELETED),
		Status:           wire.Clean(p.GetSourceStatus()),
		Trial:            flag(p.Trial),
		BillingTerm:      termFromProto(p.GetBillingTerm()),
		CommitmentTerm:   termFromProto(p.GetCommitmentTerm()),
		StartedOn:        wire.Clean(p.GetStartedOn()),
		CommitmentEnd:    wire.Clean(p.GetCommitmentEnd()),
		CancellableUntil: wire.Clean(p.GetCancellableUntil()),
		AutoRenew:        flag(p.AutoRenew),
		Extra:            cleanMap(p.GetExtra()),
	}
	if len(p.GetItems()) > 0 {
		r.Items = make([]Item, len(p.GetItems()))
	}
	for i, item := range p.GetItems() {
		if err := itemFromProto(&r.Items[i], item); err != nil {
			return Subscription{}, fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return r, nil
}

func itemFromProto(i *Item, p *distributorv1.Item) (err error) {
	i.Ref = wire.Clean(p.GetRef())
	i.Name = wire.Clean(p.GetName())
	i.SKU = wire.Clean(p.GetSku())
	i.VendorSKU = wire.Clean(p.GetVendorSku())
	i.ProductRef = wire.Clean(p.GetProductRef())
	i.Unit = wire.Clean(p.GetUnit())
	i.Charge = enum[Charge](p.GetChargeKind(), distributorv1.ChargeKind_CHARGE_KIND_USAGE)
	i.PricePer = enum[PricePer](p.GetPricePer(), distributorv1.PricePer_PRICE_PER_TOTAL)
	if i.Quantity, err = ParseDecimal(p.GetQuantity()); err != nil {
		return fmt.Errorf("quantity: %w", err)
	}
	if i.CustomerPrice, err = moneyFromProto(p.GetCustomerPrice()); err != nil {
		return fmt.Errorf("customer price: %w", err)
	}
	if i.PartnerCost, err = moneyFromProto(p.GetPartnerCost()); err != nil {
		return fmt.Errorf("partner cost: %w", err)
	}
	if i.ListPrice, err = moneyFromProto(p.GetListPrice()); err != nil {
		return fmt.Errorf("list price: %w", err)
	}
	return nil
}

func moneyFromProto(p *distributorv1.Money) (Money, error) {
	amount, err := ParseDecimal(p.GetAmount())
	if err != nil || amount.IsAbsent() {
		return Money{}, err
	}
	return Money{Amount: amount, Currency: wire.Clean(p.GetCurrency())}, nil
}

func termFromProto(p *distributorv1.Term) Term {
	return Term{
		Kind:  enum[TermKind](p.GetKind(), distributorv1.TermKind_TERM_KIND_NONE),
		Unit:  enum[TermUnit](p.GetUnit(), distributorv1.TermUnit_TERM_UNIT_YEAR),
		Count: int(max(p.GetCount(), 0)),
		Raw:   wire.Clean(p.GetRaw()),
	}
}
