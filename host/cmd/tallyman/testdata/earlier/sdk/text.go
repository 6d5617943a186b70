// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"strings"
	"time"
)

// Date gives the text of a calendar date, "2025-03-13", as the time reads in its own zone. The zero time gives "".
func Date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// Instant gives the text of a point in time in UTC, "2025-03-13T02:11:45Z", with a fraction where there is one. The zero
// time gives "".
func Instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// equalFold compares two refs without case.
func equalFold(a, b string) bool { return strings.EqualFold(a, b) }
