// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// Outcome is how a run ended, as far as the next one depends on it.
type Outcome int

// The outcomes of a run.
const (
	// Done: it got through, with warnings or held changes perhaps.
	Done Outcome = iota
	// Failed: it did not.
	Failed
	// Refused: it failed because the distributor does not accept the credentials.
	Refused
	// Died: the program ended before the run did, or it is under way still.
	Died
)

// Run is one run of a module.
type Run struct {
	Started time.Time
	// Ended means nothing where the run died.
	Ended   time.Time
	Outcome Outcome
	// ByHand: a person asked for it. One that did not get through leaves the scheduled ones as they are.
	ByHand bool
}

// Past is what is known of a module.
type Past struct {
	// Since is when it got its schedule: times before count as done.
	Since time.Time
	// Runs are its last runs, newest first. Runs that somebody stopped are left out, as if they had not been.
	Runs []Run
}

// Attempt is the next run of a module.
type Attempt struct {
	// At is when it is due. Zero: never, as things are.
	At time.Time
	// Failures is how many runs in a row have failed. Those that died are not among them: a host that is restarted often must
	// not keep a module from its run.
	Failures int
	// Repeat: it repeats a run that failed, before its time comes again.
	Repeat bool
	// Stopped: the credentials were refused so often that nothing is tried any more, lest the account be locked. A run by
	// hand that gets through ends it.
	Stopped bool
}

// Policy says what follows a failure.
type Policy struct {
	// Wait comes before the first repeat and doubles each time. It is also how long after its beginning a run that died is made
	// anew, however often that happens.
	Wait time.Duration
	// Repeats is how often a run is repeated before its time comes again.
	Repeats int
	// Refusals is after how many refused runs in a row a module is stopped. Zero: never.
	Refusals int
}

// longestWait bounds the doubling.
const longestWait = 24 * time.Hour

// Next gives the next run. What was missed, however often, is one run, which is due already.
func (p Policy) Next(s *Schedule, past Past) Attempt {
	var last Run
	found, counting, refusing := false, true, true
	next, refusals := Attempt{}, 0
	for _, run := range past.Runs {
		refusing = refusing && run.Outcome == Refused
		if refusing {
			refusals++
		}
		if run.ByHand && run.Outcome != Done {
			continue
		}
		if !found {
			last, found = run, true
		}
		counting = counting && run.Outcome != Done
		if counting && run.Outcome != Died {
			next.Failures++
		}
	}
	if p.Refusals > 0 && refusals >= p.Refusals {
		next.Failures, next.Stopped = max(next.Failures, refusals), true
		return next
	}
	next.At = s.Next(latest(past.Since, last.Started))
	var repeat time.Time
	switch {
	case last.Outcome == Died:
		repeat = last.Started.Add(p.Wait)
	case next.Failures > 0 && next.Failures <= p.Repeats:
		repeat = latest(last.Started, last.Ended).Add(p.wait(next.Failures))
	default:
		return next
	}
	if next.At.IsZero() || repeat.Before(next.At) {
		next.At, next.Repeat = repeat, true
	}
	return next
}

// wait gives the time before the nth repeat.
func (p Policy) wait(n int) time.Duration {
	wait := p.Wait
	for ; n > 1 && wait < longestWait; n-- {
		wait *= 2
	}
	return min(wait, longestWait)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
