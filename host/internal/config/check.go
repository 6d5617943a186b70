// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/schedule"
)

var (
	nameForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	pluginForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(@\d+\.\d+\.\d+[0-9A-Za-z.+-]*)?$`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// wrong gives what is wrong with a value of the right type, or "". It goes on "customers.unmatched …". A value that is
// not to be shown is not in it. Of a list it gives the entry that is to blame, from 0; otherwise -1.
func (a *attribute) wrong(value any, show bool) (message string, entry int) {
	// itIs ends a message with the value.
	itIs := func(text string) string {
		if !show {
			return ""
		}
		return fmt.Sprintf("; it is %q", text)
	}
	switch value := value.(type) {
	case []string:
		for i, item := range value {
			if message := a.wrongText(item, itIs(item)); message != "" {
				return fmt.Sprintf("entry %d %s", i+1, message), i
			}
		}
		if a.check == "distinct" {
			for i, item := range value {
				if first := slices.Index(value, item); first != i {
					if !show {
						return "has something twice", i
					}
					return fmt.Sprintf("has %q twice", item), i
				}
			}
			if len(value) == 0 {
				more := ", or several"
				if len(a.choices) == 2 {
					more = ", or both"
				}
				return "is empty; it must be " + orList(a.choices) + more, -1
			}
		}
	case string:
		return a.wrongText(value, itIs(value)), -1
	case int:
		end := ""
		if show {
			end = fmt.Sprintf("; it is %d", value)
		}
		return a.wrongNumber(int64(value), end), -1
	}
	return "", -1
}

func (a *attribute) wrongNumber(n int64, end string) string {
	form := func(n int64) string {
		if a.kind == kindDuration {
			return shortDuration(time.Duration(n))
		}
		return fmt.Sprint(n)
	}
	switch {
	case a.least != nil && n < *a.least && a.most != nil, a.most != nil && n > *a.most && a.least != nil:
		return fmt.Sprintf("must be from %s to %s%s", form(*a.least), form(*a.most), end)
	case a.least != nil && n < *a.least:
		return fmt.Sprintf("must be at least %s%s", form(*a.least), end)
	case a.most != nil && n > *a.most:
		return fmt.Sprintf("must be at most %s%s", form(*a.most), end)
	}
	return ""
}

func (a *attribute) wrongText(text, end string) string {
	if len(a.choices) > 0 {
		if !slices.Contains(a.choices, text) {
			return fmt.Sprintf("must be %s%s", orList(a.choices), end)
		}
		return ""
	}
	switch a.kind {
	case kindDuration:
		d, err := parseDuration(text)
		if err != nil {
			return fmt.Sprintf("must be %s%s", a.kind.expected(), end)
		}
		if a.check == "retention" && d != 0 && d < leastRetention {
			return fmt.Sprintf("must be at least %s, or 0s to keep all%s", shortDuration(leastRetention), end)
		}
		return a.wrongNumber(int64(d), end)
	case kindTime:
		if text == "" {
			return ""
		}
		if _, err := ParseTimeOfDay(text); err != nil {
			return fmt.Sprintf("must be %s%s", a.kind.expected(), end)
		}
	case kindSecret:
		if strings.TrimSpace(text) == "" {
			return "must not be empty"
		}
	}
	switch a.check {
	case "filled":
		if strings.TrimSpace(text) == "" {
			return "must not be empty"
		}
	case "name":
		if !nameForm.MatchString(text) {
			return fmt.Sprintf("must consist of a-z, 0-9 and dashes, and not begin with a dash%s", end)
		}
	case "plugin":
		if !pluginForm.MatchString(text) {
			return fmt.Sprintf("must be a plugin's name such as \"rhipe\", or with a version such as \"rhipe@1.2.0\"%s", end)
		}
	case "time_zone":
		if _, err := location(text); err != nil {
			return fmt.Sprintf("must be a time zone such as \"Australia/Sydney\" or \"UTC\"%s", end)
		}
	case "cron":
		if text == "" {
			return ""
		}
		if err := schedule.ParseCron(text); err != nil {
			why := ""
			if end != "" { // what the parser says holds parts of the text
				why = ": " + err.Error()
			}
			return `must be a cron expression such as "15 2 * * mon-fri"` + why + end
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, text); text != "" && err != nil {
			return fmt.Sprintf("must be a day such as \"2027-03-01\"%s", end)
		}
	case "address":
		if _, port, err := net.SplitHostPort(text); text != "" && (err != nil || port == "") {
			return fmt.Sprintf("must be an address with a port, such as \"127.0.0.1:8470\"%s", end)
		}
	case "url":
		if !bareURL(text) {
			return "must be a web address without user and query, such as \"http://127.0.0.1:4318\""
		}
	case "variables":
		if !variableForm.MatchString(text) {
			return fmt.Sprintf("must be the name of an environment variable%s", end)
		}
	}
	return ""
}

// hint says what was probably meant by a wrong value, or "".
func (a *attribute) hint(value any) string {
	var texts []string
	switch value := value.(type) {
	case string:
		texts = []string{value}
	case []string:
		texts = value
	}
	for _, text := range texts {
		if a.wrongText(text, "") == "" {
			continue
		}
		known := a.choices
		if a.check == "time_zone" {
			known = commonZones
		}
		if best := nearest(text, known); best != "" {
			return fmt.Sprintf("Did you mean %q?", best)
		}
	}
	return ""
}

// location reads a time zone. The machine's own is refused: the configuration must mean the same everywhere.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not the name of a time zone", name)
	}
	return time.LoadLocation(name)
}

// orList gives "one", "two" or "three".
func orList(choices []string) string {
	quoted := make([]string, len(choices))
	for i, choice := range choices {
		quoted[i] = fmt.Sprintf("%q", choice)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

// commonZones are what misspelt time zones are compared with.
var commonZones = []string{
	"Africa/Johannesburg", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/New_York", "America/Sao_Paulo",
	"America/Toronto", "America/Vancouver", "Asia/Bangkok", "Asia/Dubai", "Asia/Ho_Chi_Minh", "Asia/Hong_Kong", "Asia/Jakarta",
	"Asia/Kolkata", "Asia/Kuala_Lumpur", "Asia/Manila", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo",
	"Australia/Adelaide", "Australia/Brisbane", "Australia/Darwin", "Australia/Hobart", "Australia/Melbourne",
	"Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Berlin", "Europe/Brussels", "Europe/Copenhagen",
	"Europe/Dublin", "Europe/Helsinki", "Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Oslo", "Europe/Paris",
	"Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Fiji", "UTC",
}

// bareURL reports whether a text is empty or an address on the web that holds no secret.
func bareURL(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
