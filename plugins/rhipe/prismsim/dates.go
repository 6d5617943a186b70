// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"strconv"
	"strings"
	"time"
)

// DateForm is the form in which dates are sent.
type DateForm string

// The forms of dates. By default a date has the fewest of 0, 3 or 7 fraction
// digits that hold it, and the offset +00:00.
const (
	DatesAsSeen    DateForm = ""
	DatesZulu      DateForm = "zulu"         // 2025-03-13T02:11:45Z
	DatesNine      DateForm = "nine_digits"  // 2025-03-13T02:11:45.123456700+00:00
	DatesNoColon   DateForm = "no_colon"     // 2025-03-13T02:11:45+0000
	DatesNoOffset  DateForm = "no_offset"    // 2025-03-13T02:11:45
	DatesElsewhere DateForm = "other_offset" // 2025-03-13T12:11:45+10:00
	DatesOnly      DateForm = "date_only"    // 2025-03-13
	DatesYearOne   DateForm = "year_one"     // 0001-01-01T00:00:00, not set
	DatesNull      DateForm = "null"
	DatesBroken    DateForm = "broken" // no date at all
	// DatesInTurn sends each of the forms above but the broken one in turn.
	DatesInTurn DateForm = "in_turn"
)

const dateFormNames = "zulu nine_digits no_colon no_offset other_offset date_only year_one null broken in_turn"

var dateForms = []DateForm{
	DatesAsSeen, DatesZulu, DatesNine, DatesNoColon, DatesNoOffset, DatesElsewhere, DatesOnly, DatesYearOne, DatesNull,
}

var elsewhere = time.FixedZone("", 10*60*60)

func appendDate(b []byte, t time.Time, form DateForm) []byte {
	t = t.UTC()
	switch form {
	case DatesZulu:
		return t.AppendFormat(b, "2006-01-02T15:04:05Z")
	case DatesNine:
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000000-07:00")
	case DatesNoColon:
		return t.AppendFormat(b, "2006-01-02T15:04:05-0700")
	case DatesNoOffset:
		return t.AppendFormat(b, "2006-01-02T15:04:05")
	case DatesElsewhere:
		return t.In(elsewhere).AppendFormat(b, "2006-01-02T15:04:05-07:00")
	case DatesOnly:
		return t.AppendFormat(b, "2006-01-02")
	case DatesYearOne:
		return append(b, "0001-01-01T00:00:00"...)
	case DatesBroken:
		return append(b, "the day after tomorrow"...)
	}
	layout := "2006-01-02T15:04:05-07:00"
	switch ns := t.Nanosecond(); {
	case ns == 0:
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000-07:00"
	default:
		layout = "2006-01-02T15:04:05.0000000-07:00"
	}
	return t.AppendFormat(b, layout)
}

// parseDate reads what clients of PRISM send: an offset with or without colon,
// Z or none, a fraction or none, and a plus sign that a form made a blank of.
func parseDate(s string) (time.Time, bool) {
	s = strings.Replace(strings.TrimSpace(s), " ", "+", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// dateParts reports whether the path segments of a year, a month and a day are
// a date. Leading zeros are taken.
func dateParts(year, month, day string) bool {
	var n [3]int
	for i, part := range []string{year, month, day} {
		v, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return false
		}
		n[i] = int(v)
	}
	if n[0] < 1 || n[0] > 9999 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 {
		return false
	}
	return time.Date(n[0], time.Month(n[1]), n[2], 0, 0, 0, 0, time.UTC).Day() == n[2]
}
