// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestWhatIsNewIsDue(t *testing.T) {
	t.Parallel()
	// Later on the same day nothing else is due.
	a := agenda{last: at("2026-03-10 02:15"), now: at("2026-03-10 09:00")}
	longAgo, lately := at("2024-03-14 00:00"), at("2026-03-08 02:15")
	for name, c := range map[string]struct {
		agenda agenda
		state  sdk.State
		begins []time.Time
		want   bool
	}{
		"active, old":                     {a, sdk.StateActive, []time.Time{longAgo, longAgo}, false},
		"active, created two days before": {a, sdk.StateActive, []time.Time{longAgo, lately}, true},
		"active, a minute too early":      {a, sdk.StateActive, []time.Time{lately.Add(-time.Minute)}, false},
		"suspended, old":                  {a, sdk.StateSuspended, []time.Time{longAgo}, false},
		"pending, created since":          {a, sdk.StatePending, []time.Time{at("2026-03-10 08:00")}, true},
		"begins in the future":            {a, sdk.StateActive, []time.Time{longAgo, at("2026-04-01 00:00")}, true},
		"tells no date":                   {a, sdk.StateActive, nil, true},
		"never read":                      {agenda{now: a.now}, sdk.StateActive, []time.Time{longAgo}, true},
		"never read, ended":               {agenda{now: a.now}, sdk.StateCancelled, []time.Time{longAgo}, true},
		"ended, not read for weeks":       {agenda{at("2026-01-10 02:15"), a.now}, sdk.StateCancelled, []time.Time{longAgo}, false},
		"active, not read for a week":     {agenda{at("2026-03-03 23:59"), at("2026-03-10 00:01")}, sdk.StateActive, []time.Time{longAgo}, true},
		"the host's clock is ahead":       {agenda{at("2026-03-11 00:30"), a.now}, sdk.StateActive, []time.Time{longAgo}, false},
	} {
		if got := c.agenda.due("123", c.state, c.begins); got != c.want {
			t.Errorf("%s: due is %v", name, got)
		}
	}
}

// TestEverythingHasItsTurn: by daily readings each active subscription is due once in seven days, about as many on each day;
// after days without a reading, theirs are due together.
func TestEverythingHasItsTurn(t *testing.T) {
	t.Parallel()
	const n = 7000
	old := []time.Time{at("2024-03-14 00:00")}
	due := func(last, now time.Time) map[int]bool {
		list := map[int]bool{}
		for i := range n {
			if (agenda{last, now}).due(strconv.Itoa(i), sdk.StateActive, old) {
				list[i] = true
			}
		}
		return list
	}
	begin := at("2026-03-10 02:15")
	turns := make([]int, n)
	for d := range round {
		last := begin.Add(time.Duration(d) * day)
		today := due(last, last.Add(day))
		if len(today) < n/round*8/10 || len(today) > n/round*12/10 {
			t.Errorf("on day %d %d are due, want about %d", d, len(today), n/round)
		}
		for i := range today {
			turns[i]++
		}
	}
	for i, times := range turns {
		if times != 1 {
			t.Fatalf("subscription %d had %d turns in a week", i, times)
		}
	}
	missed := due(begin, begin.Add(3*day))
	for d := range 3 {
		last := begin.Add(time.Duration(d) * day)
		for i := range due(last, last.Add(day)) {
			if !missed[i] {
				t.Fatalf("subscription %d lost its turn on day %d", i, d)
			}
			delete(missed, i)
		}
	}
	if len(missed) > 0 {
		t.Errorf("%d are due before their turn", len(missed))
	}
}
