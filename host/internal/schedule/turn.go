// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"cmp"
	"time"
)

// turns says whose turn it is. A tenant has one run at a time: two of its modules may want to create the same customer. After it
// a tenant stands at the end of the line, however long its other modules have been due, so that ten slow modules that are
// made up for delay nobody by more than one run. What people asked for comes first, but where there is one place only it
// takes every second turn at most. Modules that share an account have one run at a time, too.
type turns struct {
	running                         int
	tenants, distributors, accounts map[string]int
	// turn is when a tenant had its last one.
	turn map[string]time.Time
	// asked: the last run that began was one that somebody asked for.
	asked bool
}

func newTurns() turns {
	return turns{tenants: map[string]int{}, distributors: map[string]int{}, accounts: map[string]int{}, turn: map[string]time.Time{}}
}

// next gives the place of the module whose turn it is, among those that are due; below zero: that of none now.
func (t *turns) next(due []*state, plan Plan) int {
	best := -1
	for i, s := range due {
		switch {
		case t.tenants[s.entry.Tenant] > 0:
		case plan.PerDistributor > 0 && t.distributors[s.entry.Distributor] >= plan.PerDistributor:
		case t.accounts[s.entry.account()] > 0:
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
func (t *turns) start(e Entry, account string, asked bool) {
	t.running++
	t.tenants[e.Tenant]++
	t.distributors[e.Distributor]++
	if account != "" {
		t.accounts[account]++
	}
	t.asked = asked
}

// end gives a place back.
func (t *turns) end(e Entry, account string, now time.Time) {
	t.running--
	t.tenants[e.Tenant]--
	t.distributors[e.Distributor]--
	if account != "" {
		t.accounts[account]--
	}
	t.turn[e.Tenant] = now
}
