// SPDX-License-Identifier: Apache-2.0

// Package schedule says when a module is due, and runs what is. It knows no database and no configuration.
//
// There is no job queue behind it, by intent. What is due follows from schedules, from what people asked for and from the
// recorded runs, so nothing can be lost, stuck or there twice, and hosts need no leader: each works it out for itself, a
// module's lease lets one of them run it, and under the lease it is asked once more whether the run is still due.
//
// A schedule is read on the clock on the wall, in the tenant's time zone, and turned into instants by one rule: a time of
// the wall clock comes at the first instant at which that clock has reached it. So a time that is skipped when clocks go
// forward comes when they do (02:30 in Sydney on the first Sunday in October is 03:00, the next instant there is), and
// a time that is there twice when they go back comes the first time only. Every day of the calendar has its run, once.
package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Spec describes a schedule as a person does. Daily or Cron has to be set, not both.
type Spec struct {
	// Daily is a time of day, Days the days on which it counts; no days: every day.
	Daily *Clock
	Days  []time.Weekday
	// Cron is an expression with five fields; see ParseCron.
	Cron string
	// Zone is where the wall clock hangs. Nil: UTC.
	Zone *time.Location
	// Jitter spreads modules with the same time: each comes later by an amount below Jitter, in whole seconds, that is
	// always the same for the same Name. Zero: all come at once.
	Jitter time.Duration
	// Name is the module's: acme/rhipe.
	Name string
}

// Clock is a time of day.
type Clock struct{ Hour, Minute int }

// Schedule gives the instants at which a module is due. It may be used by several goroutines.
type Schedule struct {
	times recurrence
	zone  *time.Location
	// delay is the module's share of the jitter.
	delay time.Duration
	text  string
}

// New makes a schedule. The error says what is wrong with the expression.
func New(spec Spec) (*Schedule, error) {
	s := &Schedule{zone: cmp.Or(spec.Zone, time.UTC), delay: delay(spec.Name, spec.Jitter)}
	expression := spec.Cron
	switch {
	case spec.Daily != nil && spec.Cron != "":
		return nil, errors.New("a schedule has a time of day or a cron expression, not both")
	case spec.Daily != nil:
		expression = spec.Daily.cron(spec.Days)
		s.text = fmt.Sprintf("%02d:%02d %s", spec.Daily.Hour, spec.Daily.Minute, daysText(spec.Days))
	case spec.Cron != "":
		s.text = "cron " + strings.Join(strings.Fields(spec.Cron), " ")
	default:
		return nil, errors.New("a schedule needs a time of day or a cron expression")
	}
	var err error
	if s.times, err = parse(expression); err != nil {
		return nil, err
	}
	s.text += ", " + s.zone.String()
	if s.delay > 0 {
		s.text += ", " + s.delay.String() + " later"
	}
	return s, nil
}

// String gives the schedule in words. Two schedules with the same words are due at the same times.
func (s *Schedule) String() string { return s.text }

// Next gives the first instant after the given one at which the module is due. Zero: never again.
func (s *Schedule) Next(after time.Time) time.Time {
	after = after.Add(-s.delay)
	// The wall clock may be back at a time that it has shown before: what came then does not come again.
	for wall := s.times.next(wallClock(after, s.zone)); !wall.IsZero(); wall = s.times.next(wall) {
		if at := instant(wall, s.zone); at.After(after) {
			return at.Add(s.delay).In(s.zone)
		}
	}
	return time.Time{}
}

// delay gives the module's share of the jitter.
func delay(name string, jitter time.Duration) time.Duration {
	seconds := uint64(max(jitter, 0) / time.Second)
	if seconds == 0 {
		return 0
	}
	return time.Duration(xxhash.Sum64String(name)%seconds) * time.Second
}

// daysText names days as the configuration does.
func daysText(days []time.Weekday) string {
	var names []string
	for _, name := range Weekdays {
		if day, _ := Weekday(name); slices.Contains(days, day) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) == len(Weekdays) {
		return "daily"
	}
	return strings.Join(names, " ")
}

// Weekdays are the names of the days, Monday first.
var Weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// Weekday gives the day of a name in Weekdays.
func Weekday(name string) (time.Weekday, bool) {
	i := slices.Index(Weekdays, name)
	return time.Weekday((i + 1) % len(Weekdays)), i >= 0
}
