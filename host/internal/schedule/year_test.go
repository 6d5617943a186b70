// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// host plays a host with a clock of its own: it makes every run when it is due, or as soon as it is up again.
type host struct {
	schedule *Schedule
	policy   Policy
	past     Past
	// down are the spans in which it is not there.
	down []span
	// outcome says how the nth run ends, from 0. Nil: all get through.
	outcome func(n int) Outcome
	// takes is how long a run takes.
	takes time.Duration
	made  []time.Time
}

type span struct{ from, to time.Time }

// until lets the time pass.
func (h *host) until(end time.Time) {
	now := h.past.Since
	for {
		next := h.policy.Next(h.schedule, h.past)
		if next.At.IsZero() {
			return
		}
		now = latest(now, next.At)
		for _, d := range h.down {
			if !now.Before(d.from) && now.Before(d.to) {
				now = d.to
			}
		}
		if !now.Before(end) {
			return
		}
		run := Run{Started: now, Ended: now.Add(h.takes)}
		if h.outcome != nil {
			run.Outcome = h.outcome(len(h.made))
		}
		h.made = append(h.made, now)
		h.past.Runs = append([]Run{run}, h.past.Runs[:min(len(h.past.Runs), 9)]...)
		now = run.Ended
	}
}

// TestAYear: exactly one run per local day, at the right instant, through both changes of the clock, and one run for a week of
// downtime.
func TestAYear(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone  string
		clock Clock
		// special are the instants of the days on which the clock changes.
		special map[string]string
	}{
		{"Australia/Sydney", Clock{2, 30}, map[string]string{"2026-04-05": "2026-04-04T15:30:00Z", "2026-10-04": "2026-10-03T16:00:00Z"}},
		{"Europe/London", Clock{1, 30}, map[string]string{"2026-03-29": "2026-03-29T01:00:00Z", "2026-10-25": "2026-10-25T00:30:00Z"}},
		{"America/New_York", Clock{2, 30}, map[string]string{"2026-03-08": "2026-03-08T07:00:00Z", "2026-11-01": "2026-11-01T07:30:00Z"}},
		{"America/New_York", Clock{1, 30}, map[string]string{"2026-03-08": "2026-03-08T06:30:00Z", "2026-11-01": "2026-11-01T05:30:00Z"}},
		{"UTC", Clock{2, 30}, nil},
	} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v, down %v", test.zone, test.clock, down), func(t *testing.T) {
				t.Parallel()
				z := zone(t, test.zone)
				h := &host{
					schedule: mustNew(t, Spec{Daily: &test.clock, Zone: z}), takes: time.Minute,
					past: Past{Since: time.Date(2026, 1, 1, 0, 0, 0, 0, z)},
				}
				up := time.Date(2026, 4, 8, 12, 0, 0, 0, z)
				if down {
					// Of the days from the 2nd to the 8th, some of which change the clock, the last is made up for.
					h.down = []span{{time.Date(2026, 4, 1, 12, 0, 0, 0, z), up}}
				}
				h.until(time.Date(2027, 1, 1, 0, 0, 0, 0, z))
				made := h.made
				for day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2026; day = day.AddDate(0, 0, 1) {
					date := day.Format(time.DateOnly)
					if down && date > "2026-04-01" && date < "2026-04-08" {
						continue
					}
					want := time.Date(2026, day.Month(), day.Day(), test.clock.Hour, test.clock.Minute, 0, 0, z)
					if special, ok := test.special[date]; ok {
						var err error
						if want, err = time.Parse(time.RFC3339, special); err != nil {
							t.Fatal(err)
						}
					}
					if down && date == "2026-04-08" {
						want = up
					}
					if len(made) == 0 || !made[0].Equal(want) {
						t.Fatalf("of %s, %s is to be made next; there are %v", date, want, made[:min(len(made), 3)])
					}
					made = made[1:]
				}
				if len(made) != 0 {
					t.Errorf("there are runs too many: %v", made)
				}
			})
		}
	}
}

// TestWhatIsMissedIsMadeUpForOnce holds for any downtimes: while the host is up, each instant has its run at once, and what
// fell into a downtime has one run together when it ends.
func TestWhatIsMissedIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		cron := rapid.SampledFrom([]string{"15 2 * * *", "0 */6 * * *", "30 2 * * sun", "0 0 1 * *", "45 1,2,3 * * *"}).Draw(t, "cron")
		start := time.Date(rapid.IntRange(2012, 2037).Draw(t, "year"), 1, 1, 12, 0, 0, 0, time.UTC)
		h := &host{schedule: mustNew(t, Spec{Cron: cron, Zone: z, Jitter: time.Hour, Name: "acme/rhipe"}), past: Past{Since: start}}
		hours := func(most int, name string) time.Duration {
			return time.Duration(rapid.IntRange(1, most).Draw(t, name)) * time.Hour
		}
		from := start
		for range rapid.IntRange(0, 5).Draw(t, "downtimes") {
			from = from.Add(hours(90*24, "up"))
			to := from.Add(hours(10*24, "down"))
			h.down = append(h.down, span{from, to})
			from = to
		}
		end := start.AddDate(1, 0, 0)
		h.until(end)
		var want []time.Time
		for at := h.schedule.Next(start); at.Before(end); at = h.schedule.Next(at) {
			made := at
			for _, d := range h.down {
				if !made.Before(d.from) && made.Before(d.to) {
					made = d.to
				}
			}
			if n := len(want); made.Before(end) && (n == 0 || !want[n-1].Equal(made)) {
				want = append(want, made)
			}
		}
		if len(want) != len(h.made) {
			t.Fatalf("%d runs were made, want %d", len(h.made), len(want))
		}
		for i := range want {
			if !want[i].Equal(h.made[i]) {
				t.Fatalf("run %d was made at %s, want %s", i, h.made[i], want[i])
			}
		}
	})
}
