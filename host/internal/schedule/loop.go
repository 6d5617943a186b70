// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Entry is a module that is run by itself, or because somebody asked for it.
type Entry struct {
	// Name is the module's: acme/rhipe. Modules of one Tenant are run one after another, those of one Distributor
	// Plan.PerDistributor at once.
	Name, Tenant, Distributor string
	// Account names what modules share that must not be run at the same time, so that none of them holds a place only to wait for
	// another; empty: nothing. It must return at once. Nil: the module shares nothing.
	Account func() string
	// Schedule is nil where the module is run when somebody asks for it only.
	Schedule *Schedule
	// Past reads what is known of the module. It is asked again and again, since others run modules, too.
	Past func(context.Context) (Past, error)
	// Run makes one run and records how it ended; the wish is nil unless somebody asked for it. It gives a *Busy if somebody
	// else is running the module, ErrNotDue if they have done so meanwhile.
	Run func(context.Context, *Wish) error
}

func (e *Entry) account() string {
	if e.Account == nil {
		return ""
	}
	return e.Account()
}

// Busy says that somebody else is running a module.
type Busy struct {
	// Until is when they have to be done, unless they are alive and go on.
	Until time.Time
	By    string
}

func (b *Busy) Error() string { return "the module is being run by " + b.By }

// ErrNotDue says that a run was not made because there is no reason for it any more.
var ErrNotDue = errors.New("the module is not due any more")

// Plan is what a Loop does: the whole of it can be set anew at any time.
type Plan struct {
	Entries []Entry
	Policy  Policy
	// Limit is how many runs are made at once, at least one; PerDistributor how many of them with one distributor, no matter
	// how many if it is zero.
	Limit, PerDistributor int
	// Drain is how long runs may go on after the loop is told to end. What takes longer is cancelled.
	Drain time.Duration
	// Orders reads what people asked for. It is asked every few seconds. Nil: nobody asks for anything.
	Orders func(context.Context) (Orders, error)
}

// Loop runs modules when they are due; see turn.go for whose turn it is. It keeps nothing to itself that has to outlive it, and
// that nobody else runs the same module is for Entry.Run to see to. Several loops on one database are right: each sees what
// the others have done, and one that finds a module busy looks again.
type Loop struct {
	log   hclog.Logger
	plans chan Plan
	beat  atomic.Int64
	seen  atomic.Pointer[Glance]

	plan   Plan
	states map[string]*state
	orders orders
	turns  turns
	ended  chan ended

	// blind is when last the past of a module could not be read. Zero: all can. blindSaid is when that was said.
	blind, blindSaid time.Time
}

// ended is a run that has ended.
type ended struct {
	*state
	entry Entry
	err   error
}

// state is what a loop remembers of a module.
type state struct {
	entry Entry
	next  Attempt
	// read is when next was found out. Zero: it has to be.
	read time.Time
	// free is when the module may be tried again after it could not be run at all.
	free time.Time
	// running: the loop makes a run. gone: the module is in the plan no more, and its run is the last.
	running, gone bool
	// account is the one the run under way uses, as far as that was known when it began.
	account string
	// wish is what somebody asked for, paused why the module is not run; nil if so.
	wish   *Wish
	paused *Pause
	// passedOver is the last time that came while the module was paused.
	passedOver time.Time
	// told is what was said last about its failures, and when.
	told   Attempt
	toldAt time.Time
}

const (
	// freshFor is how long what is known of a module's past holds.
	freshFor = time.Minute
	// pause comes after a run that could not even be recorded, or a module that somebody else runs.
	pause = 10 * time.Second
	// remindAfter is when it is said again that a module is stopped, or that the database does not answer.
	remindAfter = 24 * time.Hour
)

// NewLoop makes a loop that waits for its first plan.
func NewLoop(log hclog.Logger) *Loop {
	return &Loop{log: log, plans: make(chan Plan, 1), states: map[string]*state{}, turns: newTurns(), ended: make(chan ended)}
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
	l.orders.read = time.Time{}
	planned := map[string]bool{}
	for _, entry := range plan.Entries {
		planned[entry.Name] = true
		s := l.states[entry.Name]
		if s == nil {
			s = &state{}
			l.states[entry.Name] = s
		}
		s.entry, s.read, s.free, s.gone = entry, time.Time{}, time.Time{}, false
	}
	maps.DeleteFunc(l.states, func(name string, s *state) bool { return !planned[name] && !s.running })
	for name, s := range l.states {
		if !planned[name] {
			s.gone = true // its run goes on, and is the last
		}
	}
}

// end takes note of a run that has ended.
func (l *Loop) end(run ended) {
	now := time.Now()
	l.turns.end(run.entry, run.account, now)
	l.orders.read = time.Time{}
	s := run.state
	s.running, s.read = false, time.Time{}
	if s.gone {
		delete(l.states, s.entry.Name)
	}
	var busy *Busy
	switch {
	case errors.As(run.err, &busy):
		// They may be done earlier, and they may go on.
		wait := min(busy.Until.Sub(now), pause)
		if wait <= 0 { // they are alive, and write
			wait = pause
		}
		s.free = now.Add(max(wait, time.Second))
		l.log.Debug("somebody else is running the module", "module", s.entry.Name, "holder", busy.By)
	case errors.Is(run.err, ErrNotDue):
		s.free = now.Add(time.Second)
		l.log.Debug("somebody else has run the module", "module", s.entry.Name)
	case run.err != nil:
		s.free = now.Add(min(pause, l.plan.Policy.Wait))
	}
}

// pass starts what is due and gives how long there is nothing to do.
func (l *Loop) pass(ctx, runs context.Context) time.Duration {
	now := time.Now()
	l.beat.Store(now.UnixNano())
	wait := l.readOrders(ctx, now)
	var due []*state
	for _, s := range l.states {
		if s.running || s.gone {
			continue
		}
		if s.entry.Schedule != nil {
			if l.refresh(ctx, s, now, freshFor) {
				wait = min(wait, s.read.Add(freshFor).Sub(now))
			} else if s.wish == nil {
				continue
			}
		}
		switch at := s.due(l.plan.Policy); {
		case at.IsZero():
		case latest(at, s.free).After(now):
			wait = min(wait, latest(at, s.free).Sub(now))
		case s.paused != nil:
			l.passOver(s, at)
		default:
			due = append(due, s)
		}
	}
	// The end of a run wakes the loop, so whoever has to wait for one is not waited for here.
	for l.turns.running < max(l.plan.Limit, 1) {
		i := l.turns.next(due, l.plan)
		if i < 0 {
			break
		}
		s := due[i]
		due = slices.Delete(due, i, i+1)
		// Somebody may have run it since.
		if s.wish == nil && !l.refresh(ctx, s, now, 0) {
			continue
		}
		if at := s.due(l.plan.Policy); !at.IsZero() && !at.After(now) {
			l.start(runs, s, now)
		}
	}
	if l.blind.Equal(now) {
		wait = min(wait, pause, max(l.plan.Policy.Wait, time.Second))
	}
	l.show(now)
	return max(wait, time.Millisecond)
}

// due gives when the module is to be run next, for whatever reason. Zero: never, as things are.
func (s *state) due(policy Policy) time.Time {
	at := s.next.At
	if s.entry.Schedule == nil {
		at = time.Time{}
	}
	if s.wish != nil {
		if asked := s.wish.at(policy); at.IsZero() || asked.Before(at) {
			at = asked
		}
	}
	return at
}

// refresh finds out when a module is due next, unless that is known well enough. It reports whether that is known. What keeps
// one module's past from being read is the database, so no other is asked for in the same pass, and one line tells of it.
func (l *Loop) refresh(ctx context.Context, s *state, now time.Time, fresh time.Duration) bool {
	if !s.read.IsZero() && (now.Sub(s.read) < fresh || s.read.Equal(now)) {
		return true
	}
	if l.blind.Equal(now) {
		return false
	}
	past, err := s.entry.Past(ctx)
	if err != nil {
		l.blind, s.read = now, time.Time{}
		if now.Sub(l.blindSaid) >= remindAfter && ctx.Err() == nil {
			l.blindSaid = now
			l.log.Error("it cannot be told what is due; nothing is run until it can", "module", s.entry.Name, "error", err)
		}
		return false
	}
	if !l.blind.IsZero() {
		l.blind, l.blindSaid = time.Time{}, time.Time{}
		l.log.Info("it can be told again what is due")
	}
	s.read = now
	s.next = l.plan.Policy.Next(s.entry.Schedule, past)
	l.tell(s, now)
	return true
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
	wish, due := s.wish, s.due(l.plan.Policy)
	s.account = s.entry.account()
	l.turns.start(s.entry, s.account, wish != nil)
	log := l.log.With("module", s.entry.Name)
	log.Debug("run begins", "due", due)
	if wish != nil {
		log.Info("run begins that was asked for", "who", wish.Who, "asked", wish.Asked)
	} else if late := now.Sub(due).Truncate(time.Second); late > freshFor {
		log.Info("run begins late", "due", due, "late", late.String())
	}
	entry := s.entry
	go func() { l.ended <- ended{s, entry, entry.Run(runs, wish)} }()
}

// drain waits for the runs under way, and cancels them when that takes too long.
func (l *Loop) drain(cancel context.CancelCauseFunc) {
	if l.turns.running == 0 {
		return
	}
	l.log.Info("waiting for the runs under way", "runs", l.turns.running, "limit", l.plan.Drain.String())
	limit := time.NewTimer(l.plan.Drain)
	defer limit.Stop()
	for l.turns.running > 0 {
		select {
		case run := <-l.ended:
			l.end(run)
		case <-limit.C:
			l.log.Warn("cancelling the runs that are not done; they are made anew at the next start", "runs", l.turns.running)
			cancel(errors.New("tallyman serve was told to end"))
		}
	}
}
