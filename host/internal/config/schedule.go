// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"time"

	// The zones are built in: a container may have none.
	_ "time/tzdata"

	"github.com/tallymanhq/tallyman/host/internal/schedule"
)

// What a schedule can sync.
const (
	EntityCustomers     = "customers"
	EntitySubscriptions = "subscriptions"
)

// Schedule says when "tallyman serve" runs the module.
type Schedule struct {
	// Enabled is false where the module is to be run by hand only, for a while. Default true.
	Enabled bool `koanf:"enabled"`
	// DailyAt is the time of day in the tenant's time zone. Nil, the default: never.
	DailyAt *TimeOfDay `koanf:"daily_at"`
	// Days are the days on which DailyAt counts. Default all.
	Days []string `koanf:"days" choices:"mon|tue|wed|thu|fri|sat|sun" check:"distinct"`
	// Cron says it instead of DailyAt; see schedule.ParseCron. Default none.
	Cron string `koanf:"cron" check:"cron"`
	// Jitter spreads modules with the same time over this long, each with a delay of its own. Default 0s.
	Jitter time.Duration `koanf:"jitter" least:"0s" most:"24h"`
	// Sync is what is synced: EntityCustomers, EntitySubscriptions. Default both.
	Sync []string `koanf:"sync" choices:"customers|subscriptions" check:"distinct"`
}

// On reports whether there is anything to run.
func (s Schedule) On() bool { return s.Enabled && (s.DailyAt != nil || s.Cron != "") }

// When gives the instants at which the module is due, or nil if that is never.
func (t *Tenant) When(m *Module) (*schedule.Schedule, error) {
	if !m.On() || !m.Schedule.On() {
		return nil, nil
	}
	spec := schedule.Spec{Cron: m.Schedule.Cron, Zone: t.Location, Jitter: m.Schedule.Jitter, Name: m.String()}
	if at := m.Schedule.DailyAt; at != nil {
		spec.Daily = &schedule.Clock{Hour: at.Hour, Minute: at.Minute}
		for _, name := range m.Schedule.Days {
			day, _ := schedule.Weekday(name)
			spec.Days = append(spec.Days, day)
		}
	}
	return schedule.New(spec)
}

// scheduleProblems finds what each layer has right and all of them together do not: a time of day beside a cron
// expression.
func (c *Config) scheduleProblems() []Problem {
	var problems []Problem
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if m.Schedule.DailyAt != nil && m.Schedule.Cron != "" {
				problems = append(problems, c.at(c.origins[m.key()+".schedule.cron"],
					"a schedule has daily_at or cron, not both", "Remove one of them."))
			}
		}
	}
	return problems
}

// TimeOfDay is a time of day to the minute, in no particular zone.
type TimeOfDay struct {
	Hour, Minute int
}

// ParseTimeOfDay reads 24-hour time with two digits each: "02:15".
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	at, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return TimeOfDay{}, fmt.Errorf("%q is not a time of day such as \"02:15\"", text)
	}
	return TimeOfDay{at.Hour(), at.Minute()}, nil
}

// String gives the time as it is written: "02:15".
func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", t.Hour, t.Minute) }

// MarshalText gives the time as it is written.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
