// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"strings"
	"testing"
	"time"

	// The zones are built in: a machine may have none.
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// tester is a test, or a check of rapid's.
type tester interface {
	Helper()
	Fatal(args ...any)
}

func zone(t tester, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func mustNew(t tester, spec Spec) *Schedule {
	t.Helper()
	s, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// between gives all instants in a span, as people read them there.
func between(s *Schedule, from, to string) []string {
	parse := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(err)
		}
		return at
	}
	var list []string
	for at := s.Next(parse(from)); !at.IsZero() && at.Before(parse(to)); at = s.Next(at) {
		list = append(list, at.Format(time.RFC3339))
	}
	return list
}

func TestWhatDaylightSavingDoesToATime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spec     Spec
		zone     string
		from, to string
		want     string
	}{
		"Sydney forward: 02:30 is not there": {
			Spec{Daily: &Clock{2, 30}},
			"Australia/Sydney", "2026-10-02T20:00:00Z", "2026-10-05T00:00:00Z",
			"2026-10-04T03:00:00+11:00 2026-10-05T02:30:00+11:00",
		},
		"Sydney back: 02:30 is there twice": {
			Spec{Daily: &Clock{2, 30}},
			"Australia/Sydney", "2026-04-03T20:00:00Z", "2026-04-06T00:00:00Z",
			"2026-04-05T02:30:00+11:00 2026-04-06T02:30:00+10:00",
		},
		"New York forward, a little before": {
			Spec{Daily: &Clock{1, 59}},
			"America/New_York", "2026-03-08T00:00:00Z", "2026-03-09T12:00:00Z",
			"2026-03-08T01:59:00-05:00 2026-03-09T01:59:00-04:00",
		},
		"New York forward, its first minute": {
			Spec{Daily: &Clock{2, 0}}, "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T12:00:00Z", "2026-03-08T03:00:00-04:00",
		},
		"New York forward, just after": {
			Spec{Daily: &Clock{3, 0}}, "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T12:00:00Z", "2026-03-08T03:00:00-04:00",
		},
		"New York back: the second hour's end": {
			Spec{Daily: &Clock{2, 0}}, "America/New_York", "2026-11-01T00:00:00Z", "2026-11-01T20:00:00Z", "2026-11-01T02:00:00-05:00",
		},
		"London forward": {
			Spec{Daily: &Clock{1, 15}}, "Europe/London", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-29T02:00:00+01:00",
		},
		"London back": {
			Spec{Daily: &Clock{1, 15}}, "Europe/London", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "2026-10-25T01:15:00+01:00",
		},
		"Nuuk forward: the hour before midnight is not there": {
			Spec{Daily: &Clock{23, 30}},
			"America/Nuuk", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z",
			"2026-03-29T00:00:00-01:00 2026-03-29T23:30:00-01:00",
		},
		"Lord Howe forward: half an hour": {
			Spec{Daily: &Clock{2, 15}}, "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", "2026-10-04T02:30:00+11:00",
		},
		"every quarter of an hour, forward": {
			Spec{Cron: "*/15 1-3 * * *"},
			"Australia/Sydney", "2026-10-03T15:25:00Z", "2026-10-03T16:40:00Z",
			"2026-10-04T01:30:00+10:00 2026-10-04T01:45:00+10:00 2026-10-04T03:00:00+11:00 2026-10-04T03:15:00+11:00 2026-10-04T03:30:00+11:00",
		},
		"every quarter of an hour, back": {
			Spec{Cron: "*/15 2-3 * * *"},
			"Australia/Sydney", "2026-04-04T15:25:00Z", "2026-04-04T17:20:00Z",
			"2026-04-05T02:30:00+11:00 2026-04-05T02:45:00+11:00 2026-04-05T03:00:00+10:00 2026-04-05T03:15:00+10:00",
		},
		"a day that never was": {
			Spec{Daily: &Clock{2, 15}},
			"Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-31T20:00:00Z",
			"2011-12-31T00:00:00+14:00 2011-12-31T02:15:00+14:00 2012-01-01T02:15:00+14:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.spec.Zone = zone(t, test.zone)
			if got := strings.Join(between(mustNew(t, test.spec), test.from, test.to), " "); got != test.want {
				t.Errorf("it is due at\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestDaysAndExpressions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spec Spec
		want string
	}{
		"weekdays":                        {Spec{Daily: &Clock{6, 5}, Days: []time.Weekday{1, 2, 3, 4, 5}}, "02T06:05 03T06:05 06T06:05 07T06:05 08T06:05"},
		"Sundays":                         {Spec{Daily: &Clock{0, 0}, Days: []time.Weekday{0}}, "05T00:00 12T00:00"},
		"cron, by name, with Sunday as 7": {Spec{Cron: "0 4 * Jul mon,7"}, "05T04:00 06T04:00 12T04:00"},
		"cron, either day":                {Spec{Cron: "0 4 3 * mon"}, "03T04:00 06T04:00"},
		"cron, the second Friday":         {Spec{Cron: "0 4 * * FRI#2"}, "10T04:00"},
	} {
		got := strings.Join(between(mustNew(t, test.spec), "2026-07-01T12:00:00Z", "2026-07-12T12:00:00Z"), " ")
		got = strings.ReplaceAll(strings.ReplaceAll(got, "2026-07-", ""), ":00Z", "")
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: it is due at %s, want %s", name, got, test.want)
		}
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"": "five fields", "0 4 * *": "not 4", "0 0 4 * * *": "not 6", "@every 5m": "five fields", "@daily": "five fields",
		"CRON_TZ=UTC 0 4 * * *": "time_zone", "60 4 * * *": "60", "0 24 * * *": "24", "a b c d e": "a",
		"0 4 30 2 *": "never comes", "0 4 H * *": "", strings.Repeat("1,", 2000) + "1 * * * *": "too long",
	} {
		if err := ParseCron(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: the error is %v, want %q", expression, err, want)
		}
	}
	if err := ParseCron("15 2 29 2 *"); err != nil {
		t.Errorf("29 February comes: %v", err)
	}
}

func TestASpecNeedsOneTime(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec{{}, {Daily: &Clock{2, 15}, Cron: "* * * * *"}} {
		if _, err := New(spec); err == nil {
			t.Errorf("%+v was taken", spec)
		}
	}
}

func TestSchedulesInWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec Spec
		want string
	}{
		{Spec{Daily: &Clock{2, 15}}, "02:15 daily, UTC"},
		{Spec{Daily: &Clock{2, 15}, Days: []time.Weekday{0, 1}, Zone: zone(t, "Europe/London")}, "02:15 mon sun, Europe/London"},
		{Spec{Cron: " 0 4  * * *", Jitter: time.Hour, Name: "acme/rhipe"}, "cron 0 4 * * *, UTC, 40m18s later"},
	} {
		if got := mustNew(t, test.spec).String(); got != test.want {
			t.Errorf("it is %q, want %q", got, test.want)
		}
	}
}

func TestJitterIsTheModulesOwnAndStaysTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9]{1,8}/[a-z0-9]{1,8}`).Draw(t, "name")
		jitter := time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second
		got := delay(name, jitter)
		if got < 0 || got >= jitter || got%time.Second != 0 || got != delay(name, jitter) {
			t.Fatalf("%s comes %s later, of %s", name, got, jitter)
		}
	})
	// A thousand modules at the same time are spread evenly over the hour.
	quarters := map[int]int{}
	for i := range 1000 {
		quarters[int(delay(strings.Repeat("x", i%7)+string(rune('a'+i%26))+"/"+time.Duration(i).String(), time.Hour)/(15*time.Minute))]++
	}
	for quarter := range 4 {
		if quarters[quarter] < 200 {
			t.Errorf("quarter %d has %d modules of 1000", quarter, quarters[quarter])
		}
	}
}

var zones = []string{
	"UTC", "Australia/Sydney", "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Nuuk", "Africa/Casablanca",
	"Pacific/Apia", "Asia/Kathmandu", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Chatham", "Pacific/Kiritimati",
}

// TestAnInstantIsTheFirstAtWhichTheClockHasGotThere holds instant against its own words, minute by minute.
func TestAnInstantIsTheFirstAtWhichTheClockHasGotThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
		wall := from.Add(time.Duration(rapid.IntRange(0, 20*366*24*60).Draw(t, "minutes")) * time.Minute)
		// Near a change of the clock most of the time.
		if _, end := wall.In(z).ZoneBounds(); !end.IsZero() && rapid.IntRange(0, 3).Draw(t, "near") > 0 {
			wall = wallClock(end, z).Add(time.Duration(rapid.IntRange(-26*60, 4*60).Draw(t, "off")) * time.Minute)
		}
		want := wall.Add(-30 * time.Hour)
		for wallClock(want, z).Before(wall) {
			want = want.Add(time.Minute)
		}
		if got := instant(wall, z); !got.Equal(want) {
			t.Fatalf("%s is %s, want %s", wall, got, want.In(z))
		}
	})
}

// TestEveryDayHasItsRunOnce holds for any time of day, zone and jitter: over a year, each day of the calendar has one
// instant, in order, and it is the same one from wherever it is looked for.
func TestEveryDayHasItsRunOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		clock := Clock{rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")}
		year := rapid.IntRange(2012, 2037).Draw(t, "year")
		jitter := time.Duration(rapid.IntRange(0, 3*3600).Draw(t, "jitter")) * time.Second
		s := mustNew(t, Spec{Daily: &clock, Zone: z, Jitter: jitter, Name: "acme/rhipe"})
		day := time.Date(year, 1, 1, clock.Hour, clock.Minute, 0, 0, time.UTC)
		at := instant(day, z).Add(s.delay)
		for day.Year() == year {
			if want := instant(day, z).Add(s.delay); !at.Equal(want) {
				t.Fatalf("%s has its run at %s, want %s", day.Format(time.DateOnly), at, want)
			}
			day = day.AddDate(0, 0, 1)
			next := s.Next(at)
			before := at.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(at)-1)).Draw(t, "before")))
			if again := s.Next(before); !again.Equal(next) {
				t.Fatalf("after %s comes %s, after %s %s", at, next, before, again)
			}
			if gap := next.Sub(at); gap < 21*time.Hour || gap > 27*time.Hour {
				t.Fatalf("from %s to %s are %s", at, next, gap)
			}
			at = next
		}
	})
}
