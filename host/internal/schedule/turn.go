// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"cmp"
	"time"
)

// turns says whose turn it is. A tenant has one run at a time: two of its modules may want to create the same customer. After it
// a tenant stands at the end of the line, however long its other modules have been due, so that ten slow modules that are
// made up for delay nobody by more than one run. What people asked for comes first, but where there is one place only it
// takes every second turn at most.
type turns struct {
	running               int
	tenants, distributors map[string]int
	// turn is when a tenant had its last one.
	turn map[string]time.Time
	// asked: the last run that began was one that somebody asked for.
	asked bool
}

func newTurns() turns {
	return turns{tenants: map[string]int{}, distributors: map[string]int{}, turn: map[string]time.Time{}}
}

// next gives the place of the module whose turn it is, among those that are due; below zero: that of none now.
func (t *turns) next(due []*state, plan Plan) int {
	best := -1
	for i, s := range due {
		switch {
		case t.tenants[s.entry.Tenant] > 0:
		case plan.PerDistributor > 0 && t.distributors[s.entry.Distributor] >= plan.PerDistributor:
		case best < 0 || t.compare(s, due[best], plan.Policy) < 0:
			best = i
		}
	}
	return best
}

// compare gives less than zero if it is a's turn before b's.
func (t *turns) compare(a, b *state, policy Policy) int {
	if one, other := a.wish != nil, b.wish != nil; one != other {
		if one != t.asked {
			return -1
		}
		return 1
	}
	waiting := func(s *state) time.Time { return latest(s.due(policy), t.turn[s.entry.Tenant]) }
	return cmp.Or(waiting(a).Compare(waiting(b)), a.due(policy).Compare(b.due(policy)), cmp.Compare(a.entry.Name, b.entry.Name))
}

// start takes a place.
func (t *turns) start(e Entry, asked bool) {
	t.running++
	t.tenants[e.Tenant]++
	t.distributors[e.Distributor]++
	t.asked = asked
}

// end gives a place back.
func (t *turns) end(e Entry, now time.Time) {
	t.running--
	t.tenants[e.Tenant]--
	t.distributors[e.Distributor]--
	t.turn[e.Tenant] = now
}
