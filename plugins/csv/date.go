// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// The orders of day and month, as the setting names them. Dates that begin with the year need none.
const (
	dayFirst   = "dmy"
	monthFirst = "mdy"
)

// dateOrder is what the dates of a file tell about their order.
type dateOrder struct{ dayFirst, monthFirst bool }

// see takes what a date tells: 13/3/2025 has the day first, 3/13/2025 the month.
func (o *dateOrder) see(text string) {
	first, second, _, _, ok := slashed(text)
	switch {
	case !ok:
	case first > 12 && second <= 12:
		o.dayFirst = true
	case second > 12 && first <= 12:
		o.monthFirst = true
	}
}

// errMixedDates says that the dates of a file contradict each other.
var errMixedDates = errors.New(`the file has dates with the day first and dates with the month first; set date_order to "dmy" or "mdy"`)

// choose decides on the order: what is set, what the layout's publisher says, or what the dates tell. "" is not known.
func (o *dateOrder) choose(setting, published string) (string, error) {
	switch {
	case setting != detect:
		return setting, nil
	case o.dayFirst && o.monthFirst:
		return "", errMixedDates
	case o.dayFirst:
		return dayFirst, nil
	case o.monthFirst:
		return monthFirst, nil
	default:
		return published, nil
	}
}

// isoForms are the forms that begin with the year; a fraction of a second is read besides.
var isoForms = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05", "2006-01-02 15:04", "2006/1/2", "2006/1/2 15:04:05", "2006/1/2 15:04", "20060102", "2006.01.02",
}

// wordForms are the forms that name the month.
var wordForms = []string{
	"2 Jan 2006", "2-Jan-2006", "2-Jan-06", "2 January 2006", "Jan 2, 2006", "January 2, 2006", "Jan 2 2006", "January 2 2006", "2. January 2006",
}

// readDate gives a date in the forms of the SDK: the calendar date, or the instant where the text names a time of day and
// a zone. order is that of day and month. Empty text, and years that stand for "never", give "".
func readDate(text, order string) (string, error) {
	if text == "" {
		return "", nil
	}
	t, zoned, err := parseDate(text, order)
	if err != nil {
		return "", err
	}
	if t.Year() <= 1900 || t.Year() >= 9000 {
		return "", nil
	}
	if zoned && (t.Hour() != 0 || t.Minute() != 0 || t.Second() != 0) {
		return sdk.Instant(t), nil
	}
	return sdk.Date(t), nil
}

// parseDate reads a date and an optional time of day. zoned: the text names the zone.
func parseDate(text, order string) (t time.Time, zoned bool, err error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, false, nil
	}
	if first, second, year, rest, ok := slashed(text); ok {
		t, err := numericDate(text, order, first, second, year, rest)
		return t, false, err
	}
	for _, form := range isoForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, strings.Contains(form, "07"), nil
		}
	}
	for _, form := range wordForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, false, nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%q is no date that is known, such as 2025-03-13 or 13/03/2025", short(text))
}

func numericDate(text, order string, first, second, year int, rest string) (time.Time, error) {
	if !isTime(rest) {
		return time.Time{}, fmt.Errorf("%q does not end as a date or a time of day does", short(text))
	}
	day, month := first, second
	switch {
	case strings.Contains(text[:len(text)-len(rest)], "."): // With points it is always the day that comes first.
	case order == monthFirst:
		day, month = second, first
	case order == "" && first != second && first <= 12 && second <= 12:
		return time.Time{}, fmt.Errorf(`%q can be read in two ways; set date_order to "dmy" or "mdy"`, short(text))
	case order == "" && first <= 12 && second > 12:
		day, month = second, first
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if month < 1 || month > 12 || t.Day() != day {
		return time.Time{}, fmt.Errorf("%q is no date with the %s first", short(text), map[bool]string{true: "month", false: "day"}[order == monthFirst])
	}
	return t, nil
}

// isTime reports whether a text is empty or a time of day, which is not kept: such dates name no zone.
func isTime(text string) bool {
	text = strings.ToUpper(strings.TrimLeft(text, " T,"))
	if text == "" {
		return true
	}
	for _, form := range []string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM"} {
		if _, err := time.Parse(form, text); err == nil {
			return true
		}
	}
	return false
}

// slashed takes apart a date of three numbers with the year last: 13/3/2025, 3-13-25, 13.03.2025. rest is what follows.
func slashed(text string) (first, second, year int, rest string, ok bool) {
	a := digitsOf(text)
	if len(a) < 1 || len(a) > 2 || len(text) <= len(a) {
		return 0, 0, 0, "", false
	}
	mark := text[len(a)]
	if mark != '/' && mark != '-' && mark != '.' {
		return 0, 0, 0, "", false
	}
	text = text[len(a)+1:]
	b := digitsOf(text)
	if len(b) < 1 || len(b) > 2 || len(text) <= len(b) || text[len(b)] != mark {
		return 0, 0, 0, "", false
	}
	text = text[len(b)+1:]
	c := digitsOf(text)
	if len(c) != 2 && len(c) != 4 {
		return 0, 0, 0, "", false
	}
	first, second, year = atoi(a), atoi(b), atoi(c)
	if len(c) == 2 {
		year += 2000
	}
	return first, second, year, text[len(c):], true
}

// atoi reads a few digits.
func atoi(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
