// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var usual = Policy{Wait: 5 * time.Minute, Repeats: 3, Refusals: 3}

// past reads runs of 1 July 2026, newest first: "02:15 failed", by hand with a star.
// Each takes a minute.
func past(t *testing.T, lines ...string) Past {
	t.Helper()
	p := Past{Since: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)}
	for _, line := range lines {
		clock, how, _ := strings.Cut(line, " ")
		at, err := time.Parse("2006-01-02 15:04", "2026-07-01 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		run := Run{Started: at, Ended: at.Add(time.Minute), ByHand: strings.Contains(how, "*")}
		switch strings.TrimRight(how, "*") {
		case "failed":
			run.Outcome = Failed
		case "refused":
			run.Outcome = Refused
		case "died":
			run.Outcome, run.Ended = Died, time.Time{}
		case "done":
		default:
			t.Fatalf("what is %q?", line)
		}
		p.Runs = append(p.Runs, run)
	}
	return p
}

func TestWhatFollowsARun(t *testing.T) {
	t.Parallel()
	daily := mustNew(t, Spec{Daily: &Clock{2, 15}})
	for name, test := range map[string]struct {
		runs []string
		want string
	}{
		"none yet":                                {nil, "1 02:15"},
		"one that got through":                    {[]string{"02:15 done"}, "2 02:15"},
		"one that failed":                         {[]string{"02:15 failed"}, "1 02:21 repeat 1"},
		"two that failed":                         {[]string{"02:21 failed", "02:15 failed"}, "1 02:32 repeat 2"},
		"three that failed":                       {[]string{"02:32 failed", "02:21 failed", "02:15 failed"}, "1 02:53 repeat 3"},
		"more than are repeated":                  {[]string{"02:53 failed", "02:32 failed", "02:21 failed", "02:15 failed"}, "2 02:15 4"},
		"a failure long before a success":         {[]string{"02:21 done", "02:15 failed"}, "2 02:15"},
		"one that died":                           {[]string{"02:15 died"}, "1 02:20 repeat"},
		"many that died":                          {[]string{"02:35 died", "02:30 died", "02:25 died", "02:20 died", "02:15 died"}, "1 02:40 repeat"},
		"one that died between those that failed": {[]string{"02:31 failed", "02:21 died", "02:15 failed"}, "1 02:42 repeat 2"},
		"one that died after more failures than are repeated": {
			[]string{"03:00 died", "02:53 failed", "02:32 failed", "02:21 failed", "02:15 failed"}, "1 03:05 repeat 4",
		},
		"one by hand, under way":                {[]string{"02:14 died*"}, "1 02:15"},
		"one by hand, in time":                  {[]string{"02:20 done*"}, "2 02:15"},
		"one by hand, before time":              {[]string{"02:10 done*"}, "1 02:15"},
		"one by hand that failed":               {[]string{"02:10 failed*"}, "1 02:15"},
		"one by hand that failed, after one":    {[]string{"09:00 failed*", "02:15 done"}, "2 02:15"},
		"one by hand that failed, while due":    {[]string{"02:20 failed*", "02:15 failed"}, "1 02:21 repeat 1"},
		"one by hand that mends it":             {[]string{"02:40 done*", "02:21 failed", "02:15 failed"}, "2 02:15"},
		"refused once":                          {[]string{"02:15 refused"}, "1 02:21 repeat 1"},
		"refused twice, between them a failure": {[]string{"02:32 refused", "02:21 failed", "02:15 refused"}, "1 02:53 repeat 3"},
		"refused three times":                   {[]string{"02:32 refused", "02:21 refused", "02:15 refused"}, "never stopped 3"},
		"refused three times, also by hand":     {[]string{"02:32 refused*", "02:21 refused*", "02:15 refused"}, "never stopped 3"},
		"refused, and then by hand it works":    {[]string{"09:00 done*", "02:32 refused", "02:21 refused", "02:15 refused"}, "2 02:15"},
		"refused, and by hand it fails":         {[]string{"09:00 failed*", "02:32 refused", "02:21 refused", "02:15 refused"}, "1 02:53 repeat 3"},
	} {
		next := usual.Next(daily, past(t, test.runs...))
		got := "never"
		if !next.At.IsZero() {
			got = next.At.Format("2 15:04")
		}
		if next.Repeat {
			got += " repeat"
		}
		if next.Stopped {
			got += " stopped"
		}
		if next.Failures > 0 {
			got += fmt.Sprint(" ", next.Failures)
		}
		if got != test.want {
			t.Errorf("%s: next is %s, want %s", name, got, test.want)
		}
	}
}

func TestWhatWasDueBeforeTheScheduleWasSetIsNotMissed(t *testing.T) {
	t.Parallel()
	p := past(t, "02:15 done")
	p.Since = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	next := usual.Next(mustNew(t, Spec{Daily: &Clock{6, 0}}), p)
	if want := time.Date(2026, 7, 2, 6, 0, 0, 0, time.UTC); !next.At.Equal(want) {
		t.Errorf("next is %s, want %s", next.At, want)
	}
}

func TestARepeatNeverComesAfterTheScheduledTime(t *testing.T) {
	t.Parallel()
	hourly := mustNew(t, Spec{Cron: "0 * * * *"})
	next := Policy{Wait: 2 * time.Hour, Repeats: 3}.Next(hourly, past(t, "02:00 failed"))
	if want := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC); !next.At.Equal(want) || next.Repeat {
		t.Errorf("next is %+v, want %s", next, want)
	}
}

func TestWaitsDoubleUpToADay(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{1: 5 * time.Minute, 2: 10 * time.Minute, 5: 80 * time.Minute, 10: 24 * time.Hour, 1 << 40: 24 * time.Hour} {
		if got := usual.wait(n); got != want {
			t.Errorf("before repeat %d are %s, want %s", n, got, want)
		}
	}
}
