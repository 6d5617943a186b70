// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// A time of the wall clock is kept as if it were one in UTC, where every one exists, and exists once.

// wallClock gives what the clock on the wall shows at an instant.
func wallClock(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	_, offset := local.Zone()
	return local.UTC().Add(time.Duration(offset) * time.Second)
}

// instant gives the first instant at which the clock on the wall has reached a time.
func instant(wall time.Time, zone *time.Location) time.Time {
	// No zone is as far from UTC as this, so the wall clock has not reached the time here.
	at := wall.Add(-48 * time.Hour).In(zone)
	for {
		_, offset := at.Zone()
		reached := wall.Add(-time.Duration(offset) * time.Second)
		if reached.Before(at) {
			return at // the clock jumped over it
		}
		_, end := at.ZoneBounds()
		if end.IsZero() || reached.Before(end) {
			return reached.In(zone)
		}
		at = end
	}
}
