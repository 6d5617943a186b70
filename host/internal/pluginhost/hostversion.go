// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

var comparison = regexp.MustCompile(`^(>=|<=|>|<|=|==|!=)?\s*v?(\d+(?:\.\d+){0,2}(?:[-+][0-9A-Za-z.+-]+)?)$`)

// accepts reports whether a host version is in a range such as ">= 1.2, < 3". An empty range is any. A host built from
// a version yet to be released counts as that version.
func accepts(constraint, version string) (bool, error) {
	if strings.TrimSpace(constraint) == "" {
		return true, nil
	}
	v := "v" + strings.TrimPrefix(version, "v")
	if !semver.IsValid(v) {
		return false, fmt.Errorf("the host's version %q is not a semantic version", version)
	}
	v, _, _ = strings.Cut(semver.Canonical(v), "-")
	for part := range strings.SplitSeq(constraint, ",") {
		match := comparison.FindStringSubmatch(strings.TrimSpace(part))
		if match == nil {
			return false, fmt.Errorf("%q is not a comparison such as \">= 1.2\"", strings.TrimSpace(part))
		}
		c := semver.Compare(v, "v"+match[2])
		var ok bool
		switch match[1] {
		case ">=":
			ok = c >= 0
		case "<=":
			ok = c <= 0
		case ">":
			ok = c > 0
		case "<":
			ok = c < 0
		case "!=":
			ok = c != 0
		default:
			ok = c == 0
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}
