// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// recurrence gives times of the wall clock. The library is asked in UTC only: what daylight saving does to a time is
// decided by instant.
type recurrence struct{ spec *cron.SpecSchedule }

// next gives the first time after the given one; zero: never again.
func (r recurrence) next(wall time.Time) time.Time { return r.spec.Next(wall) }

// cronForm are the five fields of crontab(5). Where day of month and day of week are both restricted, either is enough,
// as it is there. Day of month takes L (the last day) and 15W (the weekday nearest to it), day of week takes FRI#2.
var cronForm = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom | cron.Extended).
	WithMaxSearchYears(12) // from 29 February 2096 to the next are eight years

// ParseCron checks a cron expression: minute, hour, day of month, month and day of week, as in crontab(5), with *, lists,
// ranges and steps, and names of months and days. The time zone is not part of it.
func ParseCron(expression string) error {
	_, err := parse(expression)
	return err
}

func parse(expression string) (recurrence, error) {
	fields := strings.Fields(expression)
	if len(fields) > 0 && strings.Contains(fields[0], "=") {
		return recurrence{}, errors.New("the time zone is the tenant's time_zone and does not belong here")
	}
	if len(fields) != 5 {
		return recurrence{}, fmt.Errorf("a cron expression has five fields (minute, hour, day of month, month, day of week), not %d", len(fields))
	}
	parsed, err := cronForm.Parse(strings.Join(fields, " "))
	if err != nil {
		return recurrence{}, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return recurrence{}, fmt.Errorf("%q is not a cron expression", expression)
	}
	spec.Location = time.UTC
	if spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return recurrence{}, errors.New("it never comes")
	}
	return recurrence{spec}, nil
}

// cron gives the time on these days as an expression.
func (c Clock) cron(days []time.Weekday) string {
	on := "*"
	for i, day := range days {
		if i == 0 {
			on = ""
		} else {
			on += ","
		}
		on += fmt.Sprint(int(day))
	}
	return fmt.Sprintf("%d %d * * %s", c.Minute, c.Hour, on)
}
