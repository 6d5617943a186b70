// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// World is a small distributor's state, edited while it is served. All methods
// are safe for concurrent use and are seen by the next request. Methods that
// name an id panic when there is no such record, since a test that edits
// nothing would prove nothing; [World.Apply] returns an error instead.
type World struct {
	mu     sync.Mutex
	state  *worldState
	shared bool // state was handed out and must be copied before an edit

	days []demoDay
	base *worldState
}

var _ Source = (*World)(nil)

// demoDay is one day of a world that has days.
type demoDay struct {
	edit   func(*World)
	faults []Fault
}

// NewWorld returns a world with the partner's own record and nothing else. Its
// business date is 14 March 2025.
func NewWorld(partner Customer) *World {
	if partner.ID == "" {
		partner.ID = textGUID("partner", partner.Name)
	}
	if partner.ActingRole == 0 {
		partner.ActingRole = 1
	}
	return &World{state: &worldState{owner: partner, date: time.Date(2025, time.March, 14, 0, 0, 0, 0, time.UTC)}}
}

func (w *World) snapshot() view {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shared = true
	return w.state
}

func (w *World) setDay(day int) ([]Fault, error) {
	if day < 1 || day > max(1, len(w.days)) {
		return nil, fmt.Errorf("go to day %d: the world has days 1 to %d", day, max(1, len(w.days)))
	}
	if len(w.days) == 0 {
		return nil, nil
	}
	w.mu.Lock()
	w.state, w.shared = w.base.clone(), false
	w.mu.Unlock()
	for _, d := range w.days[:day] {
		if d.edit != nil {
			d.edit(w)
		}
	}
	return w.days[day-1].faults, nil
}

// edit changes a private copy of the state. A change that fails must fail
// before it changes anything.
func (w *World) edit(change func(*worldState) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.state
	if w.shared {
		st = st.clone()
	}
	if err := change(st); err != nil {
		return err
	}
	w.state, w.shared = st, false
	return nil
}

func (w *World) must(change func(*worldState) error) {
	if err := w.edit(change); err != nil {
		panic("prismsim: " + err.Error())
	}
}

func (st *worldState) newID(kind string) string {
	st.serial++
	return textGUID(kind, strconv.Itoa(st.serial))
}

// AddAgreement adds a contract agreement and returns its id.
func (w *World) AddAgreement(a Agreement) string {
	w.must(func(st *worldState) error { return st.addAgreement(&a) })
	return a.ID
}

func (st *worldState) addAgreement(a *Agreement) error {
	if a.ID == "" {
		a.ID = st.newID("agreement")
	}
	if a.ProgramName == "" {
		a.ProgramName = ProgramCSP
	}
	if a.ProgramID == "" {
		a.ProgramID = textGUID("program", a.ProgramName)
	}
	if a.Currency == "" {
		a.Currency = "AUD"
	}
	st.agrees = append(st.agrees, *a)
	return nil
}

// AddCustomer adds an end customer and returns its id.
func (w *World) AddCustomer(c Customer) string {
	w.must(func(st *worldState) error { return st.addCustomer(&c) })
	return c.ID
}

func (st *worldState) addCustomer(c *Customer) error {
	if c.ID == "" {
		c.ID = st.newID("customer")
	}
	if c.ParentID == "" {
		c.ParentID = st.owner.ID
	}
	st.custs = append(st.custs, *c)
	return nil
}

// AddTenant adds a tenant to a contract agreement and returns its id. It is put
// under the only agreement when it names none. Its customer need not exist.
func (w *World) AddTenant(t Tenant) string {
	w.must(func(st *worldState) error { return st.addTenant(&t) })
	return t.ID
}

func (st *worldState) addTenant(t *Tenant) error {
	if t.AgreementID == "" && len(st.agrees) == 1 {
		t.AgreementID = st.agrees[0].ID
	}
	if _, ok := agreementByID(st, t.AgreementID); !ok {
		return fmt.Errorf("add tenant: no contract agreement %q", t.AgreementID)
	}
	if t.ID == "" {
		t.ID = st.newID("tenant")
	}
	if t.Status == "" {
		t.Status = StatusActive
	}
	subs := t.Subscriptions
	t.Subscriptions = nil
	for i := range subs {
		s := subs[i]
		st.complete(&s, t)
		t.Subscriptions = append(t.Subscriptions, s)
	}
	st.tens = append(st.tens, *t)
	return nil
}

// complete fills what a subscription of tenant t leaves open.
func (st *worldState) complete(s *Subscription, t *Tenant) {
	if s.ID == "" {
		s.ID = st.newID("subscription")
	}
	if s.Status == "" {
		s.Status = StatusActive
	}
	if s.Unit == "" {
		s.Unit = UnitLicenses
	}
	if s.BillingCycle == "" {
		s.BillingCycle = "Monthly"
	}
	if s.BillingCycleDuration == 0 {
		s.BillingCycleDuration = 1
	}
	if s.ProgramReferenceLabel == "" {
		s.ProgramReferenceLabel = t.Domain
	}
	if s.FirstPurchased.IsZero() {
		s.FirstPurchased = st.date.AddDate(-1, 0, 0)
	}
	s.Addons = slices.Clone(s.Addons)
	for i := range s.Addons {
		st.complete(&s.Addons[i], t)
	}
}

// AddSubscription adds a subscription to a tenant and returns its id.
func (w *World) AddSubscription(tenantID string, s Subscription) string {
	w.must(func(st *worldState) error { return st.addSubscription(tenantID, &s) })
	return s.ID
}

func (st *worldState) addSubscription(tenantID string, s *Subscription) error {
	i := st.tenantIndex(tenantID)
	if i < 0 {
		return fmt.Errorf("no tenant %q", tenantID)
	}
	st.complete(s, &st.tens[i])
	st.tens[i].Subscriptions = append(st.tens[i].Subscriptions, *s)
	return nil
}

// AddAddon adds an add-on to a subscription and returns its id.
func (w *World) AddAddon(parentID string, s Subscription) string {
	w.must(func(st *worldState) error { return st.addAddon(parentID, &s) })
	return s.ID
}

func (st *worldState) addAddon(parentID string, s *Subscription) error {
	p := st.find(parentID)
	if p.sub == nil {
		return fmt.Errorf("no subscription %q", parentID)
	}
	st.complete(s, &st.tens[p.tenant])
	p.sub.Addons = append(p.sub.Addons, *s)
	return nil
}

// UpdateCustomer lets change edit the customer (or the partner) of that id.
func (w *World) UpdateCustomer(id string, change func(*Customer)) {
	w.must(func(st *worldState) error { return st.updateCustomer(id, change) })
}

func (st *worldState) updateCustomer(id string, change func(*Customer)) error {
	c := st.customer(id)
	if c == nil {
		return fmt.Errorf("no customer %q", id)
	}
	change(c)
	return nil
}

// UpdateSubscription lets change edit the subscription or add-on of that id.
func (w *World) UpdateSubscription(id string, change func(*Subscription)) {
	w.must(func(st *worldState) error { return st.updateSubscription(id, change) })
}

func (st *worldState) updateSubscription(id string, change func(*Subscription)) error {
	p := st.find(id)
	if p.sub == nil {
		return fmt.Errorf("no subscription %q", id)
	}
	change(p.sub)
	return nil
}

// UpdateTenant lets change edit the tenant of that id.
func (w *World) UpdateTenant(id string, change func(*Tenant)) {
	w.must(func(st *worldState) error { return st.updateTenant(id, change) })
}

func (st *worldState) updateTenant(id string, change func(*Tenant)) error {
	i := st.tenantIndex(id)
	if i < 0 {
		return fmt.Errorf("no tenant %q", id)
	}
	change(&st.tens[i])
	return nil
}
