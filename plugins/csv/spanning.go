// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// rowLine is one line of a row that spans several.
type rowLine struct {
	// separators is how many it has, without those in fields in quotes that begin and end on it.
	separators int
	// within: all of it is in one field.
	within bool
}

// spanning counts the separators of the line that is being read, as if the quotes of fields that span lines were not there.
type spanning struct {
	// outside are those between fields; inside those of the field in quotes that is being read.
	outside, inside int
	// spans: that field began on an earlier line.
	spans bool
}

// fieldEnds takes in what the field has on this line.
func (s *spanning) fieldEnds() {
	if s.spans {
		s.outside += s.inside
	}
	s.inside, s.spans = 0, false
}

// lineWithin ends a line within a field in quotes.
func (s *spanning) lineWithin() rowLine {
	line := rowLine{separators: s.outside + s.inside, within: s.spans}
	*s = spanning{spans: true}
	return line
}

// swallows says why a row looks like several that two stray quotes have made one; "" if it does not. The first quote hides the line
// ends and separators that follow it, up to the second, and what is left may well have the right number of fields. But
// each of the lines is still a row by itself: it has the separators of one, at least so many. The lines of an address
// have few, so a row is believed that has no such line within a field and not two of them in all.
func (r *row) swallows(separators int) string {
	whole := 0
	for i, line := range r.lines {
		if line.separators < max(1, separators) {
			continue
		}
		if whole++; line.within || whole > 1 {
			return fmt.Sprintf("a field in quotes spans lines, and line %d, which belongs to it, looks like a row of its own (a stray quote?)", r.line+i)
		}
	}
	return ""
}
