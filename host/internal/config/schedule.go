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

// Schedule says when the module is run by itself.
type Schedule struct {
	// DailyAt is the time of day in the tenant's time zone. Nil, the default: never.
	DailyAt *TimeOfDay `koanf:"daily_at"`
	// Sync is what is synced: EntityCustomers, EntitySubscriptions. Default both.
	Sync []string `koanf:"sync" choices:"customers|subscriptions" check:"distinct"`
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
