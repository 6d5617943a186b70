// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"time"

	// The zones are built in: a container may have none.
	_ "time/tzdata"
)

// What a schedule can sync.
const (
	EntityCustomers     = "customers"
	EntitySubscriptions = "subscriptions"
)

// Schedule says when the module is to be run by itself. Nothing acts on it yet; see Config.Advice.
type Schedule struct {
	// DailyAt is the time of day in the tenant's time zone. Nil, the default: never.
	DailyAt *TimeOfDay `koanf:"daily_at"`
	// Sync is what is synced: EntityCustomers, EntitySubscriptions. Default both.
	Sync []string `koanf:"sync" choices:"customers|subscriptions" check:"distinct"`
}

// Advice gives warnings for somebody who checks the configuration: what is right and does not do what it seems to.
func (c *Config) Advice() []Problem {
	var advice []Problem
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if !m.Schedule.On() {
				continue
			}
			p := c.at(c.origins[m.key()+".schedule.daily_at"], "schedule is not acted on by this version",
				fmt.Sprintf("Run \"tallyman sync %s\" daily from cron or a timer.", t.Name))
			p.Warning = true
			advice = append(advice, p)
		}
	}
	sortProblems(advice)
	return advice
}

// On reports whether there is anything to run.
func (s Schedule) On() bool { return s.DailyAt != nil }

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
