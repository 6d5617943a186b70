// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// This file is the distributor of the random histories: what there is, what it says of it, and what goes wrong with that.

// world is what there is at the distributor.
type world struct {
	customers map[string]*worldCustomer
	subs      map[string]*worldSub
	// removed are the scopes in which removed subscriptions are still listed as such.
	removed map[string]string
}

type worldCustomer struct {
	saidCustomer
	scope string
}

type worldSub struct {
	saidSub
	scope string
}

var (
	somewhere = modelAddress{"1 Example Street", "Sydney", "2000", "Australia"}
	addresses = []*modelAddress{
		nil,
		{},
		{country: "Australia"},
		{line: "9 Half Street"},
		&somewhere,
		{"2 Other Street", "Perth", "6000", ""},
		{line: "3 Third Street", city: "Hobart"},
	}
	names = []string{"Contoso", "Fabrikam", "Tailspin", "Contoso Ltd", ""}
	costs = []string{"", "27.36", "30"}
)

// editWorld changes something at the distributor.
func (h *history) editWorld() {
	w := &h.world
	customerRef, subRef := fmt.Sprintf("C%d", h.pick("customer", 4)), fmt.Sprintf("U%d", h.pick("subscription", 8))
	customerScope, scope := []string{"k", "k", "k", "l"}[h.pick("customer scope", 4)], []string{"a", "a", "b"}[h.pick("scope", 3)]
	edit := h.pick("edit", 26)
	c, u := w.customers[customerRef], w.subs[subRef]
	switch {
	case edit < 9 && c == nil:
		w.customers[customerRef] = &worldCustomer{saidCustomer{ref: customerRef, name: names[h.pick("name", len(names))]}, customerScope}
	case edit == 0:
		delete(w.customers, customerRef)
	case edit == 1:
		c.name = names[h.pick("name", len(names))]
	case edit == 2:
		c.ended = !c.ended
	case edit == 3:
		c.partner = !c.partner && h.chance("partner", 3)
	case edit == 4:
		c.scope = customerScope
	case edit < 9:
		c.address = addresses[h.pick("address", len(addresses))]
	case u == nil:
		delete(w.removed, subRef)
		w.subs[subRef] = &worldSub{saidSub{
			ref: subRef, customer: customerRef, name: "Product", quantity: strconv.Itoa(h.pick("quantity", 9)), cost: costs[h.pick("cost", 3)],
			items: [][]string{nil, nil, nil, {"i", "J"}}[h.pick("items", 4)],
		}, scope}
	case edit < 12:
		delete(w.subs, subRef)
		if h.chance("says so", 3) {
			w.removed[subRef] = u.scope
		}
	case edit < 14:
		u.quantity = strconv.Itoa(h.pick("quantity", 9))
	case edit == 14:
		u.quantity = strconv.Itoa(100 + h.pick("quantity", 9))
	case edit == 15:
		u.quantity = ""
	case edit < 19:
		u.ended = !u.ended
	case edit == 19:
		u.name = []string{"Product", "Other product"}[h.pick("product", 2)]
	case edit < 22:
		u.customer = customerRef
	case edit == 22:
		u.scope = scope
	case edit == 23:
		u.metered = !u.metered
	default:
		u.cost = costs[h.pick("cost", 3)]
	}
}

// spelling is how a ref is written this time.
func (h *history) spelling(ref string) string {
	if h.fake.info.RefsIgnoreCase && h.chance("spelling", 8) {
		return strings.ToLower(ref)
	}
	return ref
}

// say draws how the distributor answers to both listings.
func (h *history) say() (customers, subs saidListing) {
	byScope := map[string]*saidScope{"k": {ref: "k"}, "l": {ref: "l"}}
	for _, ref := range slices.Sorted(maps.Keys(h.world.customers)) {
		c := h.world.customers[ref]
		said := c.saidCustomer
		said.ref = h.spelling(ref)
		byScope[c.scope].customers = append(byScope[c.scope].customers, said)
	}
	customers = h.fail("customers", byScope)
	byScope = map[string]*saidScope{"a": {ref: "a"}, "b": {ref: "b"}}
	for _, ref := range slices.Sorted(maps.Keys(h.world.subs)) {
		u := h.world.subs[ref]
		said := u.saidSub
		said.ref, said.customer = h.spelling(ref), h.spelling(u.customer)
		byScope[u.scope].subs = append(byScope[u.scope].subs, said)
	}
	for _, ref := range slices.Sorted(maps.Keys(h.world.removed)) {
		scope := byScope[h.world.removed[ref]]
		scope.removed = append(scope.removed, ref)
	}
	subs = h.fail("subscriptions", byScope)
	return customers, subs
}

// fail makes a listing of scopes, in any order and with whatever can go wrong.
func (h *history) fail(what string, byScope map[string]*saidScope) saidListing {
	var l saidListing
	for _, ref := range rapid.Permutation(slices.Sorted(maps.Keys(byScope))).Draw(h.T, what+" scopes") {
		s := *byScope[ref]
		s.outcome = pluginhost.OutcomeComplete
		if len(s.customers) > 1 {
			s.customers = rapid.Permutation(s.customers).Draw(h.T, "order")
		}
		l.scopes = append(l.scopes, s)
	}
	if !h.chance(what+" go wrong", 4) {
		return l
	}
	at := h.pick("which scope", len(l.scopes))
	s := &l.scopes[at]
	other := l.scopes[1-at]
	switch h.pick(what+" fault", 12) {
	case 0:
		l.refused = true
	case 1:
		l.denied = true
	case 2:
		l.broken = true
	case 3:
		l.doubted = true
	case 4, 11:
		s.outcome = pluginhost.OutcomeFailed
		s.customers, s.subs = cut(s.customers, h.pick("cut", 4)), cut(s.subs, h.pick("cut", 4))
	case 5:
		// Cut off in the middle: what is under way is partial, what has not begun is not there.
		s.outcome, l.doubted = pluginhost.OutcomePartial, true
		s.customers, s.subs = cut(s.customers, h.pick("cut", 4)), cut(s.subs, h.pick("cut", 4))
		l.scopes = l.scopes[:at+1]
	case 6:
		// Everything came, but the counts were wrong.
		s.outcome = pluginhost.OutcomePartial
	case 7:
		// The scope is no longer there.
		l.scopes = slices.Delete(l.scopes, at, at+1)
	case 8:
		// Listed twice, the second time differently.
		if len(other.customers) > 0 {
			twice := other.customers[0]
			twice.name = names[h.pick("name", len(names))]
			s.customers = append(slices.Clone(s.customers), twice)
		}
		if len(other.subs) > 0 {
			twice := other.subs[0]
			twice.quantity = strconv.Itoa(h.pick("quantity", 9))
			s.subs = append(slices.Clone(s.subs), twice)
		}
		if h.chance("and fails", 2) {
			s.outcome = pluginhost.OutcomeFailed
		}
	case 9:
		s.removed = []string{fmt.Sprintf("U%d", h.pick("removed", 8))}
		s.outcome = []pluginhost.Outcome{pluginhost.OutcomeComplete, pluginhost.OutcomePartial, pluginhost.OutcomeFailed}[h.pick("outcome", 3)]
	case 10:
		// Empty, and it says that this is all.
		for i := range l.scopes {
			l.scopes[i].customers, l.scopes[i].subs = nil, nil
		}
	}
	return l
}

func cut[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// speak turns what is said into what the fake says.
func (h *history) speak(l saidListing) says {
	var s says
	switch {
	case l.refused:
		s.refused = &sdk.Error{Class: sdk.ClassPermission, Message: "not allowed"}
	case l.denied:
		s.refused = &sdk.Error{Class: sdk.ClassAuth, Message: "wrong secret"}
	}
	if l.broken {
		s.broken = errors.New("the plugin died")
	}
	s.doubted = l.doubted
	for _, scope := range l.scopes {
		told := scopeSays{ref: scope.ref, outcome: scope.outcome, removed: scope.removed}
		for _, c := range scope.customers {
			said := sdk.Customer{Ref: c.ref, Name: c.name, Lifecycle: sdk.LifecycleActive, IsPartner: c.partner}
			if c.ended {
				said.Lifecycle = sdk.LifecycleEnded
			}
			if c.address != nil {
				said.Address = &sdk.Address{Lines: []string{c.address.line}, City: c.address.city, PostalCode: c.address.code, Country: c.address.country}
			}
			told.customers = append(told.customers, said)
		}
		for _, u := range scope.subs {
			told.subs = append(told.subs, sub(u.ref, u.customer, u.quantity, called(u.name), func(p *distributorv1.Subscription) {
				if u.ended {
					ending(p)
				}
				item := p.Items[0]
				if u.metered {
					item.ChargeKind = distributorv1.ChargeKind_CHARGE_KIND_USAGE
				}
				if u.cost != "" {
					item.PartnerCost = &distributorv1.Money{Amount: u.cost, Currency: "AUD"}
				}
				if len(u.items) > 0 {
					p.Items = nil
					for _, ref := range u.items {
						p.Items = append(p.Items, &distributorv1.Item{Ref: ref, Quantity: item.Quantity, ChargeKind: item.ChargeKind, PartnerCost: item.PartnerCost})
					}
				}
			}))
		}
		s.scopes = append(s.scopes, told)
	}
	return s
}

// narrowSaid leaves out what a distributor that is asked for some customers only does not say.
func (h *history) narrowSaid(q *question) {
	asked := func(ref string) bool {
		told := h.model.told[h.model.key(ref)]
		return told != nil && told.mapped == q.narrow
	}
	for _, l := range []*saidListing{&q.customers, &q.subscriptions} {
		l.scopes = slices.Clone(l.scopes)
		for i := range l.scopes {
			s := &l.scopes[i]
			s.customers = slices.DeleteFunc(slices.Clone(s.customers), func(c saidCustomer) bool { return !asked(c.ref) })
			s.subs = slices.DeleteFunc(slices.Clone(s.subs), func(u saidSub) bool { return !asked(u.customer) })
		}
	}
}
