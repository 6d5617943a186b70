// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// nearest gives the known name that was probably meant, or "".
func nearest(name string, known []string) string {
	best, distance := "", min(max((len(name)+1)/3, 1), 3)+1
	for _, candidate := range known {
		if difference := len(candidate) - len(name); difference >= distance || -difference >= distance {
			continue
		}
		d := typos(strings.ToLower(name), strings.ToLower(candidate))
		if d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	return best
}

// typos counts the slips of the hand between two texts. Two letters that changed places are one.
func typos(a, b string) int {
	d := levenshtein.Distance(a, b, nil)
	if d != 2 || len(a) != len(b) {
		return d
	}
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	if string(x) == string(y) {
		return 1
	}
	return d
}

// suggest says which known name was probably meant, or else which ones there are.
func suggest(name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return fmt.Sprintf("Did you mean %q?", best)
	}
	switch {
	case len(known) == 0:
		return ""
	case len(known) > 15:
		return "See configs/example.hcl for what there is."
	}
	sorted := slices.Sorted(slices.Values(known))
	return "Known here: " + strings.Join(sorted, ", ") + "."
}

// Nearest gives the known name that was probably meant, or "".
func Nearest(name string, known []string) string { return nearest(name, known) }
