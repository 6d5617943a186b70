// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wish asks for a run now.
func (r *record) wish(id int64, who, module string) {
	r.ask(func(o Orders) { o.Wishes[module] = Wish{ID: id, Who: who, Asked: time.Now()} })
}

func TestWhatSomebodyAskedForIsRunOnceWithinSecondsOnOneOfTheHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		var stops []func()
		for range 3 {
			_, stop := r.up(Plan{Policy: usual, Limit: 2, Orders: r.read, Entries: []Entry{
				r.entry(t, "a/m", Spec{}, bubble, takes(0)),
				r.entry(t, "b/m", Spec{Daily: &Clock{2, 0}}, bubble, takes(0)),
			}})
			stops = append(stops, stop)
			time.Sleep(300 * time.Millisecond)
		}
		until(1, 1, 0)
		r.wish(1, "ann", "a/m")
		r.wish(2, "bob", "nobody/knows")
		until(1, 1, 30)
		list := r.list()
		if len(list) != 1 || !strings.HasSuffix(list[0], " for ann") || list[0] < "a/m 1 01:00:00" || list[0] > "a/m 1 01:00:03" {
			t.Errorf("the runs are %q", list)
		}
		for _, stop := range stops {
			stop()
		}
	})
}

func TestAWishComesFirstAndLeavesEverySecondTurnToTheSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		plan := Plan{Policy: usual, Limit: 1, Orders: r.read}
		for _, name := range []string{"a/m", "b/m", "c/m", "x/m", "y/m", "z/m"} {
			spec := Spec{Daily: &Clock{1, 0}}
			if name > "w" {
				spec = Spec{}
				r.wish(1, "ann", name)
			}
			plan.Entries = append(plan.Entries, r.entry(t, name, spec, bubble, takes(10*time.Minute)))
		}
		until(1, 2, 0)
		_, stop := r.up(plan)
		until(1, 4, 0)
		stop()
		expect(t, r, "x/m 1 02:00:00 for ann", "a/m 1 02:10:00", "y/m 1 02:20:00 for ann", "b/m 1 02:30:00",
			"z/m 1 02:40:00 for ann", "c/m 1 02:50:00")
	})
}

func TestAWishThatFailedIsDoneAndOneWhoseHostDiedIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		fails := func(context.Context) (Outcome, error) { return Failed, errors.New("no") }
		_, stop := r.up(Plan{Policy: usual, Limit: 1, Orders: r.read, Entries: []Entry{
			r.entry(t, "a/m", Spec{}, bubble, fails), r.entry(t, "b/m", Spec{}, bubble, takes(0)),
		}})
		until(1, 1, 0)
		r.wish(1, "ann", "a/m")
		r.ask(func(o Orders) {
			o.Wishes["b/m"] = Wish{ID: 2, Who: "bob", Asked: time.Now(), Begun: time.Now().Add(-time.Minute)}
		})
		until(1, 2, 0)
		stop()
		list := r.list()
		if len(list) != 2 || !strings.HasPrefix(list[0], "a/m 1 01:00:0") || list[1] != "b/m 1 01:04:00 for bob" {
			t.Errorf("the runs are %q", list)
		}
	})
}

func TestAPausedModuleIsNotRunAndWhatItMissedIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		paused := func(module string, p Pause) { r.ask(func(o Orders) { o.Paused[module] = p }) }
		_, stop := r.up(Plan{Policy: usual, Limit: 2, Orders: r.read, Entries: []Entry{
			r.entry(t, "a/m", Spec{Daily: &Clock{2, 0}}, bubble, takes(time.Hour)),
			r.entry(t, "b/m", Spec{Daily: &Clock{2, 1}}, bubble, takes(0)),
		}})
		until(1, 2, 30)
		// The run under way goes on.
		paused("a/m", Pause{Who: "ann", Reason: "they are moving", Until: time.Date(2000, 1, 2, 12, 0, 0, 0, time.UTC)})
		until(2, 3, 0)
		r.wish(1, "bob", "a/m")
		until(2, 12, 0)
		expect(t, r, "a/m 1 02:00:00", "b/m 1 02:01:00", "b/m 2 02:01:00")
		if run := r.runs["a/m"]; len(run) != 1 || run[0].Outcome != Done {
			t.Errorf("the run under way ended as %+v", run)
		}
		r.ask(func(o Orders) { delete(o.Wishes, "a/m"); delete(o.Paused, "a/m") })
		until(3, 1, 0)
		stop()
		expect(t, r, "a/m 1 02:00:00", "b/m 1 02:01:00", "b/m 2 02:01:00", r.list()[3])
		if made := r.list()[3]; !strings.HasPrefix(made, "a/m 2 12:00:0") {
			t.Errorf("the missed time is made up for at %s", made)
		}
		log := r.logged()
		for text, times := range map[string]int{
			"the module is paused: ": 1, `reason="they are moving"`: 2, "2000-01-02T12:00:00Z": 2,
			"is not run, since it is paused": 1, "is paused no more": 1,
		} {
			if n := strings.Count(log, text); n != times {
				t.Errorf("%q is said %d times, want %d\n%s", text, n, times, log)
			}
		}
	})
}

func TestWhatIsAskedForStaysKnownWhileItCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		r.ask(func(o Orders) { o.Paused["a/m"] = Pause{Who: "ann"} })
		read := func(ctx context.Context) (Orders, error) {
			if time.Now().After(bubble.Add(time.Hour)) {
				return Orders{}, errors.New("the database is locked")
			}
			return r.read(ctx)
		}
		_, stop := r.up(Plan{Policy: usual, Limit: 1, Orders: read, Entries: []Entry{
			r.entry(t, "a/m", Spec{Daily: &Clock{2, 0}}, bubble, takes(0)),
		}})
		until(1, 3, 0)
		stop()
		expect(t, r)
		if n := strings.Count(r.logged(), "the database is locked"); n != 1 {
			t.Errorf("it was said %d times\n%s", n, r.logged())
		}
	})
}
