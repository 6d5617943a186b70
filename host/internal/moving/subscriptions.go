// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"fmt"
	"slices"
	"strings"
)

// subscriptions finds out which subscriptions are the same, first by a person's word, then by the vendor's ids, then by
// exactly the same names within a customer.
func (p *proposing) subscriptions() error {
	m := &matching{proposing: p, usedSource: make([]bool, len(p.source.Subscriptions)), usedTarget: make([]bool, len(p.target.Subscriptions))}
	if err := m.decide(); err != nil {
		return err
	}
	m.byVendorIDs()
	m.byNames()
	for i := range p.source.Subscriptions {
		if s := &p.source.Subscriptions[i]; s.RecordID != 0 && !s.Ended && !m.usedSource[i] {
			p.Stay = append(p.Stay, s)
		}
	}
	for i := range p.target.Subscriptions {
		if t := &p.target.Subscriptions[i]; t.RecordID == 0 && !t.Ended && !m.usedTarget[i] {
			p.New = append(p.New, t)
		}
	}
	return nil
}

// matching is the comparison of subscriptions. What is used has been matched or left to a person.
type matching struct {
	*proposing

	usedSource, usedTarget []bool
}

// ownerOfSource gives the customer of ours that a subscription of the source belongs to: the one its distributor customer is
// mapped to, or the one its record is with where that one is not mapped.
func (m *matching) ownerOfSource(i int) (id int64, name string) {
	s := &m.source.Subscriptions[i]
	if at := m.sources.owner[i]; at >= 0 && m.source.Customers[at].CustomerID != 0 {
		return m.source.Customers[at].CustomerID, m.source.Customers[at].CustomerName
	}
	return s.CustomerID, ""
}

func (m *matching) ownerOfTarget(i int) (id int64, undecided bool) {
	at := m.targets.owner[i]
	if at < 0 {
		return 0, false
	}
	return m.owner[at], m.undecided[at]
}

// carry proposes one pair, or leaves it to a person.
func (m *matching) carry(source, target int, by Evidence, reason string) {
	s, t := &m.source.Subscriptions[source], &m.target.Subscriptions[target]
	owner, undecided := m.ownerOfTarget(target)
	was, name := m.ownerOfSource(source)
	m.usedTarget[target] = true
	switch {
	case t.RecordID != 0 && by != Decided:
		m.usedSource[source] = true
		m.leave(target, fmt.Sprintf("it is the same as %s at %s (%s), which is subscription #%d, but has become a record of its own already: subscription #%d",
			quoted(s.Name, s.Ref), m.source.Module, reason, s.RecordID, t.RecordID),
			fmt.Sprintf("To go on with #%d and end #%d, move again with %s. Otherwise leave it.", s.RecordID, t.RecordID, sameFlag(s, t)))
		return
	case owner == 0 || undecided:
		// Its customer comes first; it is listed, or nothing is known about it.
		m.usedSource[source] = true
		m.Waiting++
		return
	case owner != was && by != Decided:
		m.usedSource[source] = true
		m.leave(target, fmt.Sprintf("it is the same as %s at %s (%s), but that one belongs to customer #%d, and this one to customer #%d",
			quoted(s.Name, s.Ref), m.source.Module, reason, was, owner),
			fmt.Sprintf("If they are the same customer, map them to the same one with \"tallyman mappings add\" and move again; "+
				"if the subscription has gone to the other customer, move again with %s.", sameFlag(s, t)))
		return
	}
	m.usedSource[source] = true
	m.Subscriptions = append(m.Subscriptions, Carry{
		Source: s, Target: t, CustomerID: was, CustomerName: name, By: by, Reason: reason, Replaces: t.RecordID,
	})
}

func (m *matching) leave(target int, why, next string) {
	m.usedTarget[target] = true
	m.Left = append(m.Left, Left{Subscription: &m.target.Subscriptions[target], Why: why, Next: next})
}

func sameFlag(s, t *Subscription) string { return "--same " + word(s.Ref+"="+t.Ref) }

// decide follows a person's word.
func (m *matching) decide() error {
	for _, d := range m.decided {
		source, err := findSubscription(m.source, d.Source)
		if err != nil {
			return err
		}
		target, err := findSubscription(m.target, d.Target)
		if err != nil {
			return err
		}
		s, t := &m.source.Subscriptions[source], &m.target.Subscriptions[target]
		owner, undecided := m.ownerOfTarget(target)
		switch {
		case s.RecordID == 0 || m.usedSource[source]:
			return &DecisionError{
				d, fmt.Sprintf("%s of %s has no subscription of ours that could be carried over", quoted(s.Name, s.Ref), m.source.Module),
				"It may have been carried over already: see \"tallyman changes\".",
			}
		case m.usedTarget[target]:
			return &DecisionError{d, fmt.Sprintf("%s of %s is named twice", quoted(t.Name, t.Ref), m.target.Module), "Name each subscription once."}
		case owner == 0 || undecided:
			return &DecisionError{
				d, fmt.Sprintf("the customer of %s of %s is not mapped yet", quoted(t.Name, t.Ref), m.target.Module),
				"Map it first with \"tallyman mappings add\".",
			}
		}
		m.carry(source, target, Decided, "a person said so")
	}
	return nil
}

// DecisionError is a decision that cannot be followed.
type DecisionError struct {
	Decision     Decision
	Reason, Next string
}

// Error says why.
func (e *DecisionError) Error() string {
	return fmt.Sprintf("%s=%s: %s", e.Decision.Source, e.Decision.Target, e.Reason)
}

// Code is the error's stable name.
func (e *DecisionError) Code() string { return "move.decision" }

// Hint says what to do.
func (e *DecisionError) Hint() string { return e.Next }

func findSubscription(side *Side, ref string) (int, error) {
	at := slices.IndexFunc(side.Subscriptions, func(s Subscription) bool { return s.Ref == ref })
	if at < 0 {
		return 0, &DecisionError{Decision{ref, ref}, fmt.Sprintf("%s has no subscription with the id %q", side.Module, ref), "Give the distributor's id; the move shows it."}
	}
	return at, nil
}

// byVendorIDs matches what has the same vendor's id. Several items of a subscription share it; they are told apart by what
// they are.
func (m *matching) byVendorIDs() {
	seen := map[string]bool{}
	for i := range m.target.Subscriptions {
		key := m.targets.key[i]
		if key == "" || seen[key] || len(m.sources.subscriptions[key]) == 0 {
			continue
		}
		seen[key] = true
		reason := "the vendor's subscription id is the same: " + m.target.Subscriptions[i].VendorRef
		sources, targets := m.free(m.sources.subscriptions[key], m.targets.subscriptions[key])
		aliveSources, aliveTargets := m.alive(sources, targets)
		m.pair(aliveSources, aliveTargets, true, reason)
		// What has ended counts by itself only where nothing lives. Beside what lives it has to be recognised. What lives at
		// the source never goes on as what has ended at the target: nobody would be billed for it any more.
		m.pair(m.ended(sources), targets, len(aliveSources) == 0, reason)
		m.leaveRest(sources, targets)
	}
}

// free gives what has not been matched, of the source only what we have a record of.
func (m *matching) free(sources, targets []int) (s, t []int) {
	s = slices.DeleteFunc(slices.Clone(sources), func(i int) bool { return m.usedSource[i] || m.source.Subscriptions[i].RecordID == 0 })
	t = slices.DeleteFunc(slices.Clone(targets), func(i int) bool { return m.usedTarget[i] })
	return s, t
}

func (m *matching) alive(sources, targets []int) (s, t []int) {
	s = slices.DeleteFunc(slices.Clone(sources), func(i int) bool { return m.source.Subscriptions[i].Ended })
	t = slices.DeleteFunc(slices.Clone(targets), func(i int) bool { return m.target.Subscriptions[i].Ended })
	return s, t
}

func (m *matching) ended(sources []int) []int {
	return slices.DeleteFunc(slices.Clone(sources), func(i int) bool { return !m.source.Subscriptions[i].Ended })
}

// pair matches what shares a vendor's id: one with one, if that is enough, and items by what they are.
func (m *matching) pair(sources, targets []int, alone bool, reason string) {
	sources, targets = m.free(sources, targets)
	if alone && len(sources) == 1 && len(targets) == 1 {
		m.carry(sources[0], targets[0], BySubscriptionID, reason)
		return
	}
	for _, trait := range []func(*Subscription) string{sameItem, vendorSKU, nameOf} {
		for _, pair := range m.unique(sources, targets, trait) {
			m.carry(pair[0], pair[1], BySubscriptionID, reason)
		}
	}
}

// leaveRest leaves to a person what shares a vendor's id and could not be told apart.
func (m *matching) leaveRest(sources, targets []int) {
	sources, targets = m.free(sources, targets)
	targets = slices.DeleteFunc(targets, func(i int) bool { return m.target.Subscriptions[i].RecordID != 0 || m.target.Subscriptions[i].Ended })
	if len(sources) == 0 || len(targets) == 0 {
		return
	}
	var here, there []string
	for _, i := range sources {
		m.usedSource[i] = true
		there = append(there, quoted(m.source.Subscriptions[i].Name, m.source.Subscriptions[i].Ref))
	}
	for _, i := range targets {
		here = append(here, quoted(m.target.Subscriptions[i].Name, m.target.Subscriptions[i].Ref))
	}
	for _, i := range targets {
		if owner, undecided := m.ownerOfTarget(i); owner == 0 || undecided {
			m.usedTarget[i] = true
			m.Waiting++
			continue
		}
		t := &m.target.Subscriptions[i]
		m.leave(i, fmt.Sprintf("the vendor's subscription id %s does not say which is which: %s at %s; %s at %s",
			t.VendorRef, enough(there), m.source.Module, enough(here), m.target.Module), m.choose(sources, t))
	}
}

// choose says how a person says which one it is.
func (m *matching) choose(sources []int, t *Subscription) string {
	var flags []string
	for _, i := range sources {
		flags = append(flags, sameFlag(&m.source.Subscriptions[i], t))
	}
	text := "If it is the same, say so and move again: "
	if len(flags) > 1 {
		text = "Say which one it is and move again: "
	}
	return text + strings.Join(flags[:min(len(flags), 3)], ", or ") + ". If it is another, leave it: the next sync makes a record of it."
}

// unique gives the pairs that are the only ones with the same trait on either side, which has to say something.
func (m *matching) unique(sources, targets []int, trait func(*Subscription) string) [][2]int {
	sources, targets = m.free(sources, targets)
	bySource, byTarget := map[string][]int{}, map[string][]int{}
	for _, i := range sources {
		t := trait(&m.source.Subscriptions[i])
		bySource[t] = append(bySource[t], i)
	}
	for _, i := range targets {
		t := trait(&m.target.Subscriptions[i])
		byTarget[t] = append(byTarget[t], i)
	}
	var pairs [][2]int
	for _, i := range targets {
		t := trait(&m.target.Subscriptions[i])
		if t != "" && len(byTarget[t]) == 1 && len(bySource[t]) == 1 {
			pairs = append(pairs, [2]int{bySource[t][0], i})
		}
	}
	return pairs
}

func nameOf(s *Subscription) string    { return strings.TrimSpace(s.Name) }
func vendorSKU(s *Subscription) string { return strings.ToLower(strings.TrimSpace(s.VendorSKU)) }

// sameItem is all that tells items apart. It says nothing about one without a name.
func sameItem(s *Subscription) string {
	if nameOf(s) == "" {
		return ""
	}
	return strings.Join([]string{nameOf(s), vendorSKU(s), s.BillingTerm, s.CommitmentTerm, s.Charge}, "\x00")
}
