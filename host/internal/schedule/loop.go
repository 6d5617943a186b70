// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Entry is a module that is run by itself.
type Entry struct {
	// Name is the module's: acme/rhipe.
	Name     string
	Schedule *Schedule
	// Past reads what is known of the module. It is asked again and again, since others run modules, too.
	Past func(context.Context) (Past, error)
	// Run makes one run and records how it ended. It gives a *Busy if somebody else is running the module.
	Run func(context.Context) error
}

// Busy says that somebody else is running a module.
type Busy struct {
	// Until is when they have to be done, unless they are alive and go on.
	Until time.Time
	By    string
}

func (b *Busy) Error() string { return "the module is being run by " + b.By }

// Plan is what a Loop does: the whole of it can be set anew at any time.
type Plan struct {
	Entries []Entry
	Policy  Policy
	// Limit is how many runs are made at once, at least one.
	Limit int
	// Drain is how long runs may go on after the loop is told to end. What takes longer is cancelled.
	Drain time.Duration
}

// Loop runs modules when they are due, the longest due first. It keeps nothing to itself that has to outlive it: what is due
// follows from the record of the runs, and that nobody else runs the same module is for Entry.Run to see to. So there is no
// queue, and no leader: several loops on one database are right, if not clever; each sees what the others have done, and one
// that finds a module busy looks again. A job library (River) is worth its tables once there are jobs that do not follow from
// schedule and record.
type Loop struct {
	log   hclog.Logger
	plans chan Plan
	beat  atomic.Int64

	plan    Plan
	states  map[string]*state
	running int
	ended   chan ended
}

// ended is a run that has ended.
type ended struct {
	*state
	err error
}

// state is what a loop remembers of a module.
type state struct {
	entry Entry
	next  Attempt
	// read is when next was found out. Zero: it has to be.
	read time.Time
	// free is when the module may be tried again after it could not be run at all.
	free    time.Time
	running bool
	// told is what was said last about its failures, and when.
	told   Attempt
	toldAt time.Time
	// failing is the last reason for which its past could not be read.
	failing string
}

const (
	// freshFor is how long what is known of a module's past holds.
	freshFor = time.Minute
	// pause comes after a run that could not even be recorded, or a module that somebody else runs.
	pause = 10 * time.Second
	// remindAfter is when it is said again that a module is stopped.
	remindAfter = 24 * time.Hour
)

// NewLoop makes a loop that waits for its first plan.
func NewLoop(log hclog.Logger) *Loop {
	return &Loop{log: log, plans: make(chan Plan, 1), states: map[string]*state{}, ended: make(chan ended)}
}

// Set gives the loop another plan. Runs under way go on. Only one goroutine may call it.
func (l *Loop) Set(plan Plan) {
	select {
	case <-l.plans: // one that was not taken up yet
	default:
	}
	l.plans <- plan
}

// Beat gives when the loop last looked what is due: less than two minutes ago, as long as it lives.
func (l *Loop) Beat() time.Time { return time.Unix(0, l.beat.Load()) }

// Serve runs what is due until ctx ends. Then it starts nothing more, waits for the runs under way as long as the plan says,
// and cancels what is left.
func (l *Loop) Serve(ctx context.Context) {
	runs, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		select {
		case <-ctx.Done():
			l.drain(cancel)
			return
		case plan := <-l.plans:
			l.take(plan)
		case run := <-l.ended:
			l.end(run)
		case <-wake.C:
		}
		if ctx.Err() != nil {
			continue
		}
		wake.Reset(l.pass(ctx, runs))
	}
}

// take takes a plan up.
func (l *Loop) take(plan Plan) {
	l.plan = plan
	planned := map[string]bool{}
	for _, entry := range plan.Entries {
		planned[entry.Name] = true
		s := l.states[entry.Name]
		if s == nil {
			s = &state{}
			l.states[entry.Name] = s
		}
		s.entry, s.read, s.free = entry, time.Time{}, time.Time{}
	}
	maps.DeleteFunc(l.states, func(name string, s *state) bool { return !planned[name] && !s.running })
	for name, s := range l.states {
		if !planned[name] {
			s.entry.Schedule = nil // its run goes on, and is the last
		}
	}
}

// end takes note of a run that has ended.
func (l *Loop) end(run ended) {
	l.running--
	s := run.state
	s.running, s.read = false, time.Time{}
	if s.entry.Schedule == nil {
		delete(l.states, s.entry.Name)
	}
	var busy *Busy
	switch now := time.Now(); {
	case errors.As(run.err, &busy):
		// They may be done earlier, and they may go on.
		s.free = now.Add(max(min(busy.Until.Sub(now), pause), time.Second))
		l.log.Debug("somebody else is running the module", "module", s.entry.Name, "holder", busy.By)
	case run.err != nil:
		s.free = now.Add(min(pause, l.plan.Policy.Wait))
	}
}

// pass starts what is due and gives how long there is nothing to do.
func (l *Loop) pass(ctx, runs context.Context) time.Duration {
	now := time.Now()
	l.beat.Store(now.UnixNano())
	var due []*state
	wait := freshFor
	for _, s := range l.states {
		if s.running || s.entry.Schedule == nil {
			continue
		}
		l.refresh(ctx, s, now, freshFor)
		switch at := latest(s.next.At, s.free); {
		case s.next.At.IsZero():
		case at.After(now):
			wait = min(wait, at.Sub(now))
		default:
			due = append(due, s)
		}
		wait = min(wait, s.read.Add(freshFor).Sub(now))
	}
	slices.SortFunc(due, func(a, b *state) int {
		return cmp.Or(a.next.At.Compare(b.next.At), cmp.Compare(a.entry.Name, b.entry.Name))
	})
	for _, s := range due {
		if l.running >= max(l.plan.Limit, 1) {
			break // the end of a run wakes the loop
		}
		// Somebody may have run it since.
		if l.refresh(ctx, s, now, 0); !s.next.At.IsZero() && !s.next.At.After(now) {
			l.start(runs, s, now)
		}
	}
	return max(wait, time.Millisecond)
}

// refresh finds out when a module is due next, unless that is known well enough.
func (l *Loop) refresh(ctx context.Context, s *state, now time.Time, fresh time.Duration) {
	if !s.read.IsZero() && now.Sub(s.read) < fresh || !s.read.IsZero() && s.read.Equal(now) {
		return
	}
	s.read = now
	past, err := s.entry.Past(ctx)
	if err != nil {
		s.next, s.free = Attempt{}, now.Add(pause)
		if message := err.Error(); message != s.failing && ctx.Err() == nil {
			s.failing = message
			l.log.Error("it cannot be told when a module is due", "module", s.entry.Name, "error", err)
		}
		return
	}
	s.next, s.failing = l.plan.Policy.Next(s.entry.Schedule, past), ""
	l.tell(s, now)
}

// tell says what has changed about a module's failures.
func (l *Loop) tell(s *state, now time.Time) {
	log := l.log.With("module", s.entry.Name)
	switch was := s.told; {
	case s.next.Stopped && (!was.Stopped || now.Sub(s.toldAt) >= remindAfter):
		log.Error("STOPPED: the distributor refuses the credentials; the module is not run any more, lest the account be locked",
			"failures", s.next.Failures, "hint", fmt.Sprintf("Renew the credentials, then run \"tallyman sync %s\": once that works, the schedule goes on.", s.entry.Name))
	case s.next.Stopped:
		return
	case s.next.Failures == 0 && was.Failures > 0:
		log.Info("the module works again", "next", s.next.At)
	case s.next.Failures > was.Failures && s.next.Repeat:
		log.Warn("the module failed and is tried again", "failures", s.next.Failures, "next", s.next.At)
	case s.next.Failures > was.Failures:
		log.Error("the module keeps failing; it is tried again when its time comes", "failures", s.next.Failures, "next", s.next.At)
	}
	s.told, s.toldAt = s.next, now
}

// start makes a run beside the loop.
func (l *Loop) start(runs context.Context, s *state, now time.Time) {
	s.running = true
	l.running++
	log := l.log.With("module", s.entry.Name)
	log.Debug("run begins", "due", s.next.At)
	if late := now.Sub(s.next.At).Truncate(time.Second); late > freshFor {
		log.Info("run begins late", "due", s.next.At, "late", late.String())
	}
	entry := s.entry
	go func() { l.ended <- ended{s, entry.Run(runs)} }()
}

// drain waits for the runs under way, and cancels them when that takes too long.
func (l *Loop) drain(cancel context.CancelCauseFunc) {
	if l.running == 0 {
		return
	}
	l.log.Info("waiting for the runs under way", "runs", l.running, "limit", l.plan.Drain.String())
	limit := time.NewTimer(l.plan.Drain)
	defer limit.Stop()
	for l.running > 0 {
		select {
		case run := <-l.ended:
			l.end(run)
		case <-limit.C:
			l.log.Warn("cancelling the runs that are not done; they are made anew at the next start", "runs", l.running)
			cancel(errors.New("tallyman serve was told to end"))
		}
	}
}
