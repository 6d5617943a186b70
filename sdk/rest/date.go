// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"fmt"
	"strings"
	"time"
)

// Date is a point in time as a distributor wrote it: not set, a date, or an instant.
type Date struct {
	// Time is in UTC; zero when not set.
	Time time.Time
	// DateOnly: no time of day was told.
	DateOnly bool
	// Open: a year of 9000 or later, which stands for "no end". Time is zero.
	Open bool
}

// IsSet reports whether there is a point in time.
func (d Date) IsSet() bool { return !d.Time.IsZero() }

// String gives ISO 8601 text, "2025-03-13" or "2025-03-13T02:11:45Z", or "" when not set. Fractions of a second are left
// out: distributors write the same instant now with, now without them.
func (d Date) String() string {
	switch {
	case !d.IsSet():
		return ""
	case d.DateOnly:
		return d.Time.Format(time.DateOnly)
	default:
		return d.Time.UTC().Format("2006-01-02T15:04:05Z")
	}
}

// dateLayouts are the forms seen. Go reads a fraction of any length behind the seconds by itself.
var dateLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04",
}

// ParseDate reads the forms distributors use: RFC 3339 with 0 to 9 fraction digits, an offset with or without colon, no
// offset (taken as UTC), or a date alone. Empty text, "null" and years up to 1 are not set; years from 9000 on are open.
func ParseDate(text string) (Date, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.EqualFold(text, "null") {
		return Date{}, nil
	}
	if len(text) > 40 {
		return Date{}, fmt.Errorf("%q is not a date", clip(text, 40))
	}
	if len(text) == len(time.DateOnly) {
		if t, err := time.Parse(time.DateOnly, text); err == nil {
			return settle(t, true), nil
		}
	}
	form := text
	if len(form) > 10 && (form[10] == ' ' || form[10] == 't') {
		form = form[:10] + "T" + form[11:]
	}
	if tail := len(form) - 1; form[tail] == 'z' {
		form = form[:tail] + "Z"
	}
	// A space may stand before the offset, and a "+" may have become one.
	form = strings.ReplaceAll(form, " ", "")
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, form); err == nil {
			return settle(t.UTC(), false), nil
		}
	}
	return Date{}, fmt.Errorf("%q is not a date", text)
}

func settle(t time.Time, dateOnly bool) Date {
	switch {
	case t.Year() <= 1:
		return Date{}
	case t.Year() >= 9000:
		return Date{Open: true}
	default:
		return Date{Time: t, DateOnly: dateOnly}
	}
}
