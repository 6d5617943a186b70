// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"fmt"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/mapping"
)

// sameName is where subscriptions are compared by name: one customer of ours and one name.
type sameName struct {
	customer int64
	name     string
}

// byNames matches what has exactly the same name and belongs to the same customer, where a vendor's id says neither yes nor
// no. What has a record at the target already, or was carried over before, still has the name: one that is left is not the
// same only because the others are done.
func (m *matching) byNames() {
	sources := map[sameName][]int{}
	for i := range m.source.Subscriptions {
		s := &m.source.Subscriptions[i]
		if owner, _ := m.ownerOfSource(i); owner != 0 && nameOf(s) != "" && len(m.targets.subscriptions[m.sources.key[i]]) == 0 {
			sources[sameName{owner, nameOf(s)}] = append(sources[sameName{owner, nameOf(s)}], i)
		}
	}
	targets := map[sameName][]int{}
	var order []sameName
	for i := range m.target.Subscriptions {
		t := &m.target.Subscriptions[i]
		owner, undecided := m.ownerOfTarget(i)
		if t.Ended || owner == 0 || undecided || len(m.sources.subscriptions[m.targets.key[i]]) > 0 {
			continue
		}
		key := sameName{owner, nameOf(t)}
		if len(sources[key]) == 0 {
			continue
		}
		if targets[key] == nil {
			order = append(order, key)
		}
		targets[key] = append(targets[key], i)
	}
	for _, key := range order {
		m.ofOneName(sources[key], targets[key])
	}
}

// ofOneName matches the subscriptions of one customer that have one name.
func (m *matching) ofOneName(sources, targets []int) {
	// Two that both have a vendor's id, and not the same, are two.
	sources, targets = m.comparable(sources, targets)
	if len(sources) == 0 || len(targets) == 0 {
		return
	}
	alive, _ := m.alive(sources, nil)
	here, there := len(targets), len(alive)
	if there == 0 {
		ended, open := m.open(sources, targets)
		for _, i := range open {
			if len(ended) > 0 {
				m.leaveNamed(ended, i, "has ended at "+m.source.Module)
			}
		}
		return
	}
	pairs := m.unique(alive, targets, sameItem)
	if there == 1 && here == 1 {
		pairs = [][2]int{{alive[0], targets[0]}}
	}
	for _, pair := range pairs {
		if s, t := m.open(pair[:1], pair[1:]); len(s) > 0 && len(t) > 0 {
			m.carryNamed(pair[0], pair[1])
		}
	}
	alive, targets = m.open(alive, targets)
	if len(alive) == 0 {
		return
	}
	for _, i := range targets {
		m.leaveNamed(alive, i, fmt.Sprintf("is not the only one of that name: %d at %s and %d at %s", there, m.source.Module, here, m.target.Module))
	}
}

// open gives what has not been matched and could be: of the source what we have a record of, of the target what has none.
func (m *matching) open(sources, targets []int) (s, t []int) {
	s, t = m.free(sources, targets)
	return s, slices.DeleteFunc(t, func(i int) bool { return m.target.Subscriptions[i].RecordID != 0 })
}

// comparable gives those that no vendor's ids keep apart.
func (m *matching) comparable(sources, targets []int) (s, t []int) {
	sourceWithout, targetWithout := false, false
	for _, i := range sources {
		sourceWithout = sourceWithout || m.sources.key[i] == ""
	}
	for _, i := range targets {
		targetWithout = targetWithout || m.targets.key[i] == ""
	}
	for _, i := range sources {
		if m.sources.key[i] == "" || targetWithout {
			s = append(s, i)
		}
	}
	for _, i := range targets {
		if m.targets.key[i] == "" || sourceWithout {
			t = append(t, i)
		}
	}
	return s, t
}

// carryNamed proposes a pair that has the same name, unless something contradicts it.
func (m *matching) carryNamed(source, target int) {
	s, t := &m.source.Subscriptions[source], &m.target.Subscriptions[target]
	for _, told := range []struct{ what, source, target string }{
		{"vendor", mapping.Fold(s.Vendor), mapping.Fold(t.Vendor)},
		{"vendor's product id", vendorSKU(s), vendorSKU(t)},
		{"kind of charge", s.Charge, t.Charge},
	} {
		if told.source != "" && told.target != "" && told.source != told.target {
			m.leaveNamed([]int{source}, target, fmt.Sprintf("differs in its %s", told.what))
			return
		}
	}
	if !m.target.Complete {
		m.leaveNamed([]int{source}, target, fmt.Sprintf("is not certain to be the only one: %s was not read completely", m.target.Module))
		return
	}
	m.carry(source, target, ByName, "it has exactly the same name and belongs to the same customer")
}

// leaveNamed leaves to a person what only the name speaks for.
func (m *matching) leaveNamed(sources []int, target int, but string) {
	t := &m.target.Subscriptions[target]
	s := &m.source.Subscriptions[sources[0]]
	m.leave(target, fmt.Sprintf("%s at %s has the same name and customer, but %s", quoted(s.Name, s.Ref), m.source.Module, but), m.choose(sources, t))
	for _, i := range sources {
		m.usedSource[i] = m.usedSource[i] || len(sources) == 1
	}
}
