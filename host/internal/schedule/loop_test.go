// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// record plays the database: it outlives loops.
type record struct {
	mu   sync.Mutex
	runs map[string][]Run
	// made are all runs in the order in which they began: "acme/rhipe 02:15".
	made []string
	// now and most are how many runs there are at once, by module and in all.
	now  map[string]int
	most int
	log  bytes.Buffer
	// orders are what people asked for.
	orders Orders
}

func newRecord() *record {
	return &record{runs: map[string][]Run{}, now: map[string]int{}, orders: Orders{map[string]Wish{}, map[string]Pause{}}}
}

// ask changes what people ask for.
func (r *record) ask(change func(Orders)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.orders)
}

func (r *record) read(context.Context) (Orders, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Orders{maps.Clone(r.orders.Wishes), maps.Clone(r.orders.Paused)}, nil
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *record) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *record) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.made)
}

// entry is a module whose runs do what work does; an error of context.Canceled is not recorded.
func (r *record) entry(t *testing.T, name string, spec Spec, since time.Time, work func(context.Context) (Outcome, error)) Entry {
	spec.Name = name
	tenant, distributor, _ := strings.Cut(name, "/")
	entry := Entry{
		Name: name, Tenant: tenant, Distributor: distributor,
		Past: func(context.Context) (Past, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return Past{Since: since, Runs: slices.Clone(r.runs[name][:min(len(r.runs[name]), 10)])}, nil
		},
		Run: func(ctx context.Context, wish *Wish) error {
			began := time.Now()
			r.mu.Lock()
			if wish != nil && r.orders.Wishes[name].ID != wish.ID {
				r.mu.Unlock()
				return ErrNotDue
			}
			made := name + " " + began.UTC().Format("2 15:04:05")
			if wish != nil {
				made += " for " + wish.Who
				begun := *wish
				begun.Begun = began
				r.orders.Wishes[name] = begun
			}
			r.made = append(r.made, made)
			r.now[name]++
			if r.now[name] > 1 {
				t.Errorf("%s is run twice at once", name)
			}
			total := 0
			for _, n := range r.now {
				total += n
			}
			r.most = max(r.most, total)
			r.mu.Unlock()
			outcome, err := work(ctx)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.now[name]--
			if !errors.Is(err, context.Canceled) {
				r.runs[name] = append([]Run{{Started: began, Ended: time.Now(), Outcome: outcome, ByHand: wish != nil}}, r.runs[name]...)
				if wish != nil {
					delete(r.orders.Wishes, name)
				}
			}
			return err
		},
	}
	if spec.Daily != nil || spec.Cron != "" {
		entry.Schedule = mustNew(t, spec)
	}
	return entry
}

func takes(d time.Duration) func(context.Context) (Outcome, error) {
	return func(ctx context.Context) (Outcome, error) {
		select {
		case <-ctx.Done():
			return Failed, ctx.Err()
		case <-time.After(d):
			return Done, nil
		}
	}
}

// up starts a loop and gives what ends it.
func (r *record) up(plan Plan) (*Loop, func()) {
	l := NewLoop(hclog.New(&hclog.LoggerOptions{Output: r, Level: hclog.Info}))
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { l.Serve(ctx) })
	l.Set(plan)
	return l, func() {
		cancel()
		wait.Wait()
	}
}

// until sleeps until a time of January 2000, in which a bubble begins at midnight in UTC.
func until(day, hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC)))
	synctest.Wait()
}

var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func expect(t *testing.T, r *record, want ...string) {
	t.Helper()
	if got := r.list(); !slices.Equal(got, want) {
		t.Errorf("the runs are %q, want %q", got, want)
	}
}

// TestSixWeeksOfTheLoop is the spring of TestAYear with a loop that lives through it: in New York and London clocks go forward,
// in Sydney back, and there is a week of downtime.
func TestSixWeeksOfTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)))
		since := time.Now()
		end := since.AddDate(0, 0, 42)
		r := newRecord()
		plan := Plan{Policy: usual, Limit: 2}
		clocks := map[string]Clock{"Australia/Sydney": {2, 30}, "Europe/London": {1, 30}, "America/New_York": {2, 30}, "UTC": {0, 0}}
		for name, clock := range clocks {
			plan.Entries = append(plan.Entries, r.entry(t, name, Spec{Daily: &clock, Zone: zone(t, name)}, since, takes(time.Minute)))
		}
		down, up := time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 23, 12, 0, 0, 0, time.UTC)
		_, stop := r.up(plan)
		time.Sleep(time.Until(down))
		stop()
		time.Sleep(time.Until(up))
		_, stop = r.up(plan)
		time.Sleep(time.Until(end))
		stop()
		for name, clock := range clocks {
			var want []time.Time
			for day := since.AddDate(0, 0, -1); day.Before(end.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
				at := instant(time.Date(day.Year(), day.Month(), day.Day(), clock.Hour, clock.Minute, 0, 0, time.UTC), zone(t, name))
				if !at.Before(down) && at.Before(up) {
					at = up
				}
				if at.After(since) && at.Before(end) && (len(want) == 0 || !want[len(want)-1].Equal(at)) {
					want = append(want, at)
				}
			}
			got := r.runs[name]
			slices.Reverse(got)
			if len(got) != len(want) {
				t.Fatalf("%s has %d runs, want %d", name, len(got), len(want))
			}
			for i, run := range got {
				// At the end of the downtime there are four for two places.
				if late := run.Started.Sub(want[i]); late < 0 || late > time.Minute || late > time.Second && want[i] != up {
					t.Errorf("%s: run %d is at %s, want %s", name, i, run.Started, want[i])
				}
			}
		}
	})
}

func TestOnlySoManyRunsAtOnceTheLongestDueFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		plan := Plan{Policy: usual, Limit: 2}
		for _, name := range []string{"d", "b", "c", "a"} {
			plan.Entries = append(plan.Entries, r.entry(t, name, Spec{Daily: &Clock{2, 0}}, bubble, takes(10*time.Minute)))
		}
		plan.Entries = append(plan.Entries, r.entry(t, "z", Spec{Daily: &Clock{1, 59}}, bubble, takes(time.Hour)))
		_, stop := r.up(plan)
		until(1, 4, 0)
		stop()
		expect(t, r, "z 1 01:59:00", "a 1 02:00:00", "b 1 02:10:00", "c 1 02:20:00", "d 1 02:30:00")
		if r.most != 2 {
			t.Errorf("%d runs were made at once", r.most)
		}
	})
}

func TestAFailingModuleWaitsAndDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		fails := func(context.Context) (Outcome, error) { return Failed, errors.New("no") }
		_, stop := r.up(Plan{Policy: usual, Limit: 1, Entries: []Entry{
			r.entry(t, "bad", Spec{Daily: &Clock{2, 0}}, bubble, fails),
			r.entry(t, "good", Spec{Cron: "0,30 2 * * *"}, bubble, takes(0)),
		}})
		until(2, 2, 1)
		stop()
		expect(t, r, "bad 1 02:00:00", "good 1 02:00:00", "bad 1 02:05:00", "bad 1 02:15:00", "good 1 02:30:00", "bad 1 02:35:00",
			"bad 2 02:00:00", "good 2 02:00:00")
		if log := r.logged(); strings.Count(log, "is tried again") != 5 || !strings.Contains(log, "keeps failing") {
			t.Errorf("the log is\n%s", log)
		}
	})
}

func TestRefusedCredentialsStopAModuleUntilItWorksByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		refused := true
		work := func(context.Context) (Outcome, error) {
			if refused {
				return Refused, errors.New("no")
			}
			return Done, nil
		}
		plan := Plan{Policy: usual, Limit: 1, Entries: []Entry{r.entry(t, "m", Spec{Daily: &Clock{2, 0}}, bubble, work)}}
		_, stop := r.up(plan)
		until(2, 12, 0)
		stop()
		// A restart is no reason to try.
		_, stop = r.up(plan)
		until(4, 12, 0)
		expect(t, r, "m 1 02:00:00", "m 1 02:05:00", "m 1 02:15:00")
		if n := strings.Count(r.logged(), "STOPPED"); n != 5 {
			t.Errorf("it was said %d times in three days with a restart\n%s", n, r.logged())
		}
		refused = false
		r.mu.Lock()
		r.runs["m"] = append([]Run{{Started: time.Now(), Ended: time.Now(), ByHand: true}}, r.runs["m"]...)
		r.mu.Unlock()
		until(5, 12, 0)
		stop()
		expect(t, r, "m 1 02:00:00", "m 1 02:05:00", "m 1 02:15:00", "m 5 02:00:00")
		if !strings.Contains(r.logged(), "works again") {
			t.Errorf("the log is\n%s", r.logged())
		}
	})
}

func TestTheEndWaitsForRunsAndCancelsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ takes, ends time.Duration }{{5 * time.Minute, 4 * time.Minute}, {3 * time.Hour, 10 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecord()
			plan := Plan{Policy: usual, Limit: 1, Drain: 10 * time.Minute, Entries: []Entry{
				r.entry(t, "a", Spec{Daily: &Clock{2, 0}}, bubble, takes(test.takes)),
				r.entry(t, "b", Spec{Daily: &Clock{2, 0}}, bubble, takes(0)),
			}}
			_, stop := r.up(plan)
			until(1, 2, 1)
			begin := time.Now()
			stop()
			if took := time.Since(begin); took != test.ends {
				t.Errorf("the end took %s, want %s", took, test.ends)
			}
			expect(t, r, "a 1 02:00:00")
			// What was cancelled, and what was not begun, is made up for.
			plan.Entries[0] = r.entry(t, "a", Spec{Daily: &Clock{2, 0}}, bubble, takes(0))
			until(1, 3, 0)
			_, stop = r.up(plan)
			until(1, 4, 0)
			stop()
			want := []string{"a 1 02:00:00", "a 1 03:00:00", "b 1 03:00:00"}
			if test.takes < time.Hour {
				want = slices.Delete(want, 1, 2)
			}
			expect(t, r, want...)
		})
	}
}

func TestAModuleThatSomebodyElseRunsIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		free := bubble.Add(2*time.Hour + 25*time.Second)
		tries := 0
		entry := r.entry(t, "m", Spec{Daily: &Clock{2, 0}}, bubble, takes(0))
		run := entry.Run
		entry.Run = func(ctx context.Context, wish *Wish) error {
			if tries++; time.Now().Before(free) {
				return fmt.Errorf("run: %w", &Busy{Until: free, By: "another host"})
			}
			return run(ctx, wish)
		}
		_, stop := r.up(Plan{Policy: usual, Limit: 1, Entries: []Entry{entry}})
		until(1, 3, 0)
		stop()
		expect(t, r, "m 1 02:00:25")
		if tries != 4 {
			t.Errorf("it was tried %d times", tries)
		}
	})
}

func TestAnotherPlanCountsAtOnceAndRunsUnderWayGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		l, stop := r.up(Plan{Policy: usual, Limit: 3, Entries: []Entry{
			r.entry(t, "goes", Spec{Daily: &Clock{2, 0}}, bubble, takes(time.Hour)),
			r.entry(t, "stays", Spec{Daily: &Clock{2, 1}}, bubble, takes(time.Hour)),
		}})
		until(1, 2, 30)
		l.Set(Plan{Policy: usual, Limit: 3, Entries: []Entry{
			r.entry(t, "stays", Spec{Daily: &Clock{2, 40}}, bubble, takes(0)),
			r.entry(t, "comes", Spec{Daily: &Clock{2, 35}}, time.Now(), takes(0)),
			r.entry(t, "too late", Spec{Daily: &Clock{2, 25}}, time.Now(), takes(0)),
		}})
		until(2, 2, 20)
		expect(t, r, "goes 1 02:00:00", "stays 1 02:01:00", "comes 1 02:35:00", "stays 1 03:01:00")
		if beat := time.Since(l.Beat()); beat > 2*time.Minute {
			t.Errorf("the loop looked last %s ago", beat)
		}
		stop()
		for _, name := range []string{"goes", "stays"} {
			if len(r.runs[name]) == 0 || r.runs[name][len(r.runs[name])-1].Outcome != Done {
				t.Errorf("the run of %s did not get through: %+v", name, r.runs[name])
			}
		}
	})
}

func TestAPastThatCannotBeReadIsSaidOnceAndTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		plan := Plan{Policy: usual, Limit: 1}
		var asked atomic.Int64
		for _, name := range []string{"a", "b", "c"} {
			entry := r.entry(t, name, Spec{Daily: &Clock{2, 0}}, bubble, takes(0))
			past := entry.Past
			entry.Past = func(ctx context.Context) (Past, error) {
				n := asked.Add(1)
				// Each module is told of it in other words.
				if now := time.Now(); now.After(bubble.Add(time.Hour)) && now.Before(bubble.Add(3*time.Hour)) {
					return Past{}, fmt.Errorf("the database is locked (%s, %d)", name, n)
				}
				return past(ctx)
			}
			plan.Entries = append(plan.Entries, entry)
		}
		_, stop := r.up(plan)
		until(1, 1, 59)
		asked.Store(0)
		until(1, 2, 1)
		if n := asked.Load(); n < 10 || n > 14 {
			t.Errorf("in two minutes it was asked for %d times", n)
		}
		until(1, 4, 0)
		stop()
		for _, run := range r.list() {
			if _, at, _ := strings.Cut(run, " "); at < "1 03:00:00" || at > "1 03:00:10" {
				t.Errorf("run %s", run)
			}
		}
		if list := r.list(); len(list) != 3 {
			t.Errorf("runs: %v", list)
		}
		if said := r.logged(); strings.Count(said, "the database is locked") != 1 || strings.Count(said, "it can be told again") != 1 {
			t.Errorf("it was said so:\n%s", said)
		}
	})
}

func TestARunThatCannotBeRecordedIsNotTriedWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		entry := r.entry(t, "m", Spec{Daily: &Clock{2, 0}}, bubble, takes(0))
		tries := 0
		entry.Run = func(context.Context, *Wish) error { tries++; return errors.New("the disk is full") }
		_, stop := r.up(Plan{Policy: usual, Limit: 1, Entries: []Entry{entry}})
		until(1, 2, 1)
		stop()
		if tries < 6 || tries > 7 {
			t.Errorf("it was tried %d times in a minute", tries)
		}
	})
}
