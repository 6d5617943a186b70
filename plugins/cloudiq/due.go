// SPDX-License-Identifier: Apache-2.0

package main

import (
	"hash/fnv"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

const (
	day = 24 * time.Hour
	// margin is how long before the last complete reading something may have begun and still be new: Cloud-iQ's dates have
	// no offset, terms end inclusively, and records may show up late.
	margin = 2 * day
	// round is in how many days the details of every active subscription are read once, whatever they seem.
	round = 7
)

// agenda says which details are to be read. What was read since the last complete reading the host still has.
type agenda struct{ last, now time.Time }

// due reports whether the details of a subscription are to be read: all, if the host has none; those of what began since
// the last complete reading (created, started or renewed); and of everything else that is active a seventh on each day
// since then, so that prices that change in silence are noticed.
func (a agenda) due(ref string, state sdk.State, begins []time.Time) bool {
	if a.last.IsZero() || a.isNew(begins) {
		return true
	}
	if state != sdk.StateActive {
		return false
	}
	turn := fnv.New64a()
	_, _ = turn.Write([]byte(ref))
	mine := int64(turn.Sum64() % round)
	for d, today := dayOf(a.last)+1, dayOf(a.now); d <= today; d++ {
		if d%round == mine || d-dayOf(a.last) >= round {
			return true
		}
	}
	return false
}

// isNew reports whether something began since the last complete reading. What tells no dates is new.
func (a agenda) isNew(begins []time.Time) bool {
	since := a.last.Add(-margin)
	for _, t := range begins {
		if !t.Before(since) {
			return true
		}
	}
	return len(begins) == 0
}

// dayOf numbers the days in UTC.
func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }
