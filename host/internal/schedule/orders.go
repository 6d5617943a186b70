// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"time"
)

// Orders is what people asked for beside the schedules, by the modules' names.
type Orders struct {
	Wishes map[string]Wish
	Paused map[string]Pause
}

// Wish is a run that somebody asked for, whichever host makes it.
type Wish struct {
	ID       int64
	Who      string
	Asked    time.Time
	Entities string
	// Begun is when a host began the run. It is done, or somebody else's, or that host died.
	Begun time.Time
}

// at gives when the run is due. One whose host died is not made anew at once: the run may be what killed it.
func (w *Wish) at(policy Policy) time.Time {
	if w.Begun.IsZero() {
		return w.Asked
	}
	return w.Begun.Add(policy.Wait)
}

// Pause keeps a module from being run.
type Pause struct {
	Who, Reason string
	// Until is when it ends by itself. Zero: when somebody resumes the module.
	Until time.Time
}

// orders is what a loop knows of what people asked for.
type orders struct {
	// read is when it was read. Zero: it has to be.
	read time.Time
	// failing is the last reason for which it could not be.
	failing string
}

// ordersEvery is how often it is read.
const ordersEvery = 2 * time.Second

// readOrders reads what people asked for, unless that was done just now, and gives when to look next. If it cannot be read, what
// was known stays.
func (l *Loop) readOrders(ctx context.Context, now time.Time) time.Duration {
	if l.plan.Orders == nil {
		return freshFor
	}
	if next := l.orders.read.Add(ordersEvery); !l.orders.read.IsZero() && now.Before(next) {
		return next.Sub(now)
	}
	l.orders.read = now
	found, err := l.plan.Orders(ctx)
	if err != nil {
		if message := err.Error(); message != l.orders.failing && ctx.Err() == nil {
			l.orders.failing = message
			l.log.Error("it cannot be told what is asked for and what is paused; what was known stays", "error", err)
		}
		return ordersEvery
	}
	l.orders.failing = ""
	for name, s := range l.states {
		s.wish = nil
		if wish, ok := found.Wishes[name]; ok {
			s.wish = &wish
		}
		var paused *Pause
		if p, ok := found.Paused[name]; ok {
			paused = &p
		}
		l.tellPause(s, paused)
		s.paused = paused
	}
	return ordersEvery
}

// tellPause says that a module was paused or resumed.
func (l *Loop) tellPause(s *state, paused *Pause) {
	log := l.log.With("module", s.entry.Name)
	switch was := s.paused; {
	case paused != nil && (was == nil || !same(*was, *paused)):
		log.Info("the module is paused", "who", paused.Who, "reason", paused.Reason, "until", untilText(paused.Until))
	case paused == nil && was != nil:
		log.Info("the module is paused no more")
	}
}

func same(a, b Pause) bool { return a.Who == b.Who && a.Reason == b.Reason && a.Until.Equal(b.Until) }

func untilText(until time.Time) string {
	if until.IsZero() {
		return "it is resumed"
	}
	return until.Format(time.RFC3339)
}

// passOver says once of each time that it came while the module was paused. It is made up for after that.
func (l *Loop) passOver(s *state, at time.Time) {
	if s.passedOver.Equal(at) {
		return
	}
	s.passedOver = at
	l.log.Warn("the module is due and is not run, since it is paused", "module", s.entry.Name, "due", at,
		"who", s.paused.Who, "reason", s.paused.Reason, "until", untilText(s.paused.Until))
}
