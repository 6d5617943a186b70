// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// waitInWords finds how long to wait in a refusal that says so to people: "Rate limit is exceeded. Try again in 26
// seconds." (Azure's API gateway, behind several distributors), "Please retry after 2 minutes", "Expected available in
// 18.5 seconds".
var waitInWords = regexp.MustCompile(`(?i)\b(?:try again|try it again|retry|wait|available)\b(?: again)?(?: in| after| for)? (?:about )?` +
	`(\d{1,7}(?:\.\d{1,3})?) ?(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|hours?|hrs?|h)\b`)

// unitSeconds gives the length of a unit by its first letters.
func unitSeconds(unit string) float64 {
	switch unit = strings.ToLower(unit); {
	case unit == "ms", strings.HasPrefix(unit, "milli"):
		return 0.001
	case unit[0] == 'm':
		return 60
	case unit[0] == 'h':
		return 3600
	default:
		return 1
	}
}

// tellWait puts the wait that a refusal tells in its text where a wait belongs, the header Retry-After. One that is
// there already is left alone.
func tellWait(resp *http.Response, body []byte) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return
	}
	if strings.TrimSpace(resp.Header.Get("Retry-After")) != "" {
		return
	}
	found := waitInWords.FindSubmatch(body)
	if found == nil {
		return
	}
	number, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return
	}
	resp.Header.Set("Retry-After", strconv.FormatFloat(number*unitSeconds(string(found[2])), 'f', 3, 64))
}
