// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// worldState is the content of a World. Once it has been handed out as a
// snapshot it is never changed again.
type worldState struct {
	owner  Customer
	agrees []Agreement
	custs  []Customer
	tens   []Tenant
	date   time.Time
	serial int
}

var _ view = (*worldState)(nil)

func (st *worldState) clone() *worldState {
	c := *st
	c.owner.Programs = slices.Clone(st.owner.Programs)
	c.agrees = slices.Clone(st.agrees)
	for i := range c.agrees {
		c.agrees[i].Products = slices.Clone(c.agrees[i].Products)
	}
	c.custs = slices.Clone(st.custs)
	for i := range c.custs {
		c.custs[i].Programs = slices.Clone(c.custs[i].Programs)
	}
	c.tens = slices.Clone(st.tens)
	for i := range c.tens {
		c.tens[i].Subscriptions = slices.Clone(c.tens[i].Subscriptions)
		for j := range c.tens[i].Subscriptions {
			s := &c.tens[i].Subscriptions[j]
			s.Addons = slices.Clone(s.Addons)
		}
	}
	return &c
}

func (st *worldState) partner() *Customer      { return &st.owner }
func (st *worldState) agreements() []Agreement { return st.agrees }
func (st *worldState) today() time.Time        { return st.date }

func (st *worldState) customers() iter.Seq[*Customer] {
	return func(yield func(*Customer) bool) {
		if !yield(&st.owner) {
			return
		}
		for i := range st.custs {
			if !yield(&st.custs[i]) {
				return
			}
		}
	}
}

func (st *worldState) programs(c *Customer) []ProgramAgreement {
	if c == &st.owner {
		return append(ownPrograms(st.agrees), c.Programs...)
	}
	var list []ProgramAgreement
	for i := range st.tens {
		t := &st.tens[i]
		if !strings.EqualFold(t.CustomerID, c.ID) {
			continue
		}
		p := ProgramAgreement{ID: t.ID, AgreementID: t.AgreementID, Reference: t.Domain, ProgramName: ProgramCSP}
		if a, ok := agreementByID(st, t.AgreementID); ok {
			p.ProgramID, p.ProgramName, p.Start, p.Reported = a.ProgramID, a.ProgramName, a.Start, a.Reported
		}
		list = append(list, p)
	}
	return append(list, c.Programs...)
}

// ownPrograms are the partner's own program agreements: one for each contract
// agreement.
func ownPrograms(agreements []Agreement) []ProgramAgreement {
	list := make([]ProgramAgreement, 0, len(agreements))
	for i := range agreements {
		a := &agreements[i]
		list = append(list, ProgramAgreement{
			ID: textGUID("own", a.ID), AgreementID: a.ID, ProgramID: a.ProgramID, ProgramName: a.ProgramName,
			Reference: a.Reference, Start: a.Start, Reported: a.Reported,
		})
	}
	return list
}

func (st *worldState) tenants(agreementID string) iter.Seq[*Tenant] {
	return func(yield func(*Tenant) bool) {
		for i := range st.tens {
			if agreementID != "" && !strings.EqualFold(st.tens[i].AgreementID, agreementID) {
				continue
			}
			if !yield(st.named(i)) {
				return
			}
		}
	}
}

// named is tenant i with its customer's name filled in.
func (st *worldState) named(i int) *Tenant {
	t := st.tens[i]
	if t.CustomerName == "" {
		if c := st.customer(t.CustomerID); c != nil {
			t.CustomerName = c.Name
		}
	}
	return &t
}

func (st *worldState) customer(id string) *Customer {
	if strings.EqualFold(st.owner.ID, id) {
		return &st.owner
	}
	for i := range st.custs {
		if strings.EqualFold(st.custs[i].ID, id) {
			return &st.custs[i]
		}
	}
	return nil
}

func (st *worldState) subscriptions(t *Tenant) iter.Seq[*Subscription] {
	return func(yield func(*Subscription) bool) {
		for i := range t.Subscriptions {
			if !yield(&t.Subscriptions[i]) {
				return
			}
		}
	}
}

func (st *worldState) tenantIndex(id string) int {
	return slices.IndexFunc(st.tens, func(t Tenant) bool { return strings.EqualFold(t.ID, id) })
}

func (st *worldState) tenant(id string) (*Tenant, bool) {
	i := st.tenantIndex(id)
	if i < 0 {
		return nil, false
	}
	return st.named(i), true
}

func (st *worldState) subscription(id string) (*Subscription, *Tenant, bool) {
	p := st.find(id)
	if p.sub == nil {
		return nil, nil, false
	}
	return p.sub, st.named(p.tenant), true
}

// place says where a subscription stands; list holds it at index at.
type place struct {
	sub    *Subscription
	list   *[]Subscription
	at     int
	tenant int
}

func (st *worldState) find(id string) place {
	for i := range st.tens {
		subs := &st.tens[i].Subscriptions
		for j := range *subs {
			s := &(*subs)[j]
			if strings.EqualFold(s.ID, id) {
				return place{s, subs, j, i}
			}
			for k := range s.Addons {
				if strings.EqualFold(s.Addons[k].ID, id) {
					return place{&s.Addons[k], &s.Addons, k, i}
				}
			}
		}
	}
	return place{}
}
