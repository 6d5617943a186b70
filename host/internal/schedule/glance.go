// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// Glance is what a loop does and waits for, as of its last look.
type Glance struct {
	// Looked is when that was; zero: it has not looked yet.
	Looked time.Time
	// Due is how many modules are due and wait for their run, Oldest since when the first of them has been due.
	Due    int
	Oldest time.Time
	// Running is how many runs are under way, of at most Limit.
	Running, Limit int
	// Next is when each module is due, by name; modules that are never due, as things are, have none. Stopped are those whose
	// credentials were refused too often, Paused those that somebody paused.
	Next            map[string]time.Time
	Stopped, Paused map[string]bool
}

// Glance tells what the loop does. It may be called by any goroutine, and what it gives is not changed any more.
func (l *Loop) Glance() Glance {
	if seen := l.seen.Load(); seen != nil {
		return *seen
	}
	return Glance{}
}

// show lets others see what the loop does.
func (l *Loop) show(now time.Time) {
	g := &Glance{
		Looked: now, Running: l.turns.running, Limit: max(l.plan.Limit, 1), Next: make(map[string]time.Time, len(l.states)),
		Stopped: map[string]bool{}, Paused: map[string]bool{},
	}
	for name, s := range l.states {
		if s.gone {
			continue
		}
		if s.next.Stopped {
			g.Stopped[name] = true
		}
		if s.paused != nil {
			g.Paused[name] = true
			continue
		}
		at := s.due(l.plan.Policy)
		if at.IsZero() {
			continue
		}
		g.Next[name] = at
		if s.running || latest(at, s.free).After(now) {
			continue
		}
		if g.Due++; g.Oldest.IsZero() || at.Before(g.Oldest) {
			g.Oldest = at
		}
	}
	l.seen.Store(g)
}
