// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// header is the row that names the columns. Columns without a name at its end are none.
type header struct {
	separator byte
	// row is its number among the rows of the file, from 0; line the line it begins in.
	row, line int
	// ended: a line end follows it.
	ended bool
	// names are the columns' names. at gives the column of each field, or -1.
	names []string
	at    []int
	found int
	// swallows says why it, or a row above it, seems to have other rows within; see row.swallows.
	swallows string
}

// get gives a field of a row; "" where there is no column or the row ends before it.
func (h *header) get(r *row, f field) string {
	if at := h.at[f]; at >= 0 && at < len(r.fields) {
		return r.fields[at]
	}
	return ""
}

// has reports whether there is a column for a field.
func (h *header) has(f field) bool { return h.at[f] >= 0 }

// headerRows is within how many rows the header must come. Portals write titles and dates above it.
const headerRows = 30

// separators are the separators there are, by the names of the setting.
var separators = []struct {
	name string
	char byte
}{{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"pipe", '|'}}

// findHeader finds the row with the columns that are needed, and the separator with it.
func findHeader(open func() (io.Reader, error), name string, want shape, setting string) (*header, error) {
	var best, nearest *header
	for _, separator := range separators {
		if setting != detect && setting != separator.name {
			continue
		}
		in, err := open()
		if err != nil {
			return nil, err
		}
		h, whole, err := headerWith(newScanner(in, separator.char), want)
		if err != nil {
			return nil, err
		}
		if whole && (best == nil || h.found > best.found) {
			best = h
		}
		if h != nil && (nearest == nil || h.found > nearest.found || h.found == nearest.found && len(h.names) > len(nearest.names)) {
			nearest = h
		}
	}
	switch {
	case best != nil && best.swallows != "":
		return nil, sdk.Errorf(sdk.ClassSchema, "%s: the header or what is above it cannot be trusted: %s", name, best.swallows).
			WithHint("Have the quotes corrected, or the file delivered again.")
	case best != nil:
		return best, best.unambiguous(name, want)
	case nearest == nil:
		return nil, sdk.Errorf(sdk.ClassSchema, "%s holds nothing but blank lines", name).WithHint(emptyHint)
	default:
		return nil, nearest.lacks(name, want)
	}
}

// headerWith gives the first row that has all the columns needed; if none has, that with the most.
func headerWith(s *scanner, want shape) (best *header, whole bool, err error) {
	var spanning []row
	for n := range headerRows {
		r, err := s.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errLongRow) {
			break
		}
		if err != nil {
			return nil, false, err
		}
		if r.blank() {
			continue
		}
		h := headerOf(r, want)
		h.row, h.separator = n, s.separator
		if best == nil || h.found > best.found || h.found == 0 && len(h.names) > len(best.names) {
			best = h
		}
		if len(r.lines) > 0 {
			spanning = append(spanning, *r)
		}
		if len(h.missing(want)) == 0 {
			for _, r := range spanning {
				h.swallows = cmp.Or(h.swallows, r.swallows(len(h.names)-1))
			}
			return h, true, nil
		}
	}
	return best, false, nil
}

// headerOf looks for the columns in a row: names that are exactly the same first, then those that are the same but for case,
// blanks and signs.
func headerOf(r *row, want shape) *header {
	h := &header{line: r.line, ended: r.ended, at: make([]int, len(want.columns))}
	exact, folded := map[string]int{}, map[string]int{}
	fields := r.fields
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	for i, name := range fields {
		name = strings.Clone(name)
		h.names = append(h.names, name)
		if _, taken := exact[name]; !taken {
			exact[name] = i
		}
		if _, taken := folded[fold(name)]; !taken {
			folded[fold(name)] = i
		}
	}
	for f, names := range want.columns {
		h.at[f] = -1
		for _, name := range names {
			at, ok := exact[name]
			if key := fold(name); !ok && key != "" {
				at, ok = folded[key]
			}
			if ok {
				h.at[f] = at
				h.found++
				break
			}
		}
	}
	return h
}

// missing names what is needed and not there.
func (h *header) missing(want shape) []string {
	var list []string
	for _, set := range want.needs {
		var names []string
		there := false
		for _, f := range set {
			there = there || h.has(f)
			names = append(names, want.names[f])
		}
		if !there {
			list = append(list, strings.Join(names, " or "))
		}
	}
	return list
}

// lacks says which columns are missing, and which there are.
func (h *header) lacks(name string, want shape) error {
	missing := h.missing(want)
	field, _, _ := strings.Cut(missing[0], " or ")
	if h.found == 0 {
		// What the file holds is not repeated: it may be any file at all, a secret too.
		return sdk.Errorf(sdk.ClassSchema, "%s has no row that names the columns for %s, nor one that names any other column; its widest is line %d with %d fields",
			name, strings.Join(missing, " and "), h.line, len(h.names)).
			WithHint(fmt.Sprintf("Say which column it is: %s = { %s = \"…\" }. If it has other columns altogether, check the pattern, separator, encoding and layout.", want.setting, field))
	}
	return sdk.Errorf(sdk.ClassSchema, "%s has no row that names the columns for %s; the nearest is line %d with %s",
		name, strings.Join(missing, " and "), h.line, columnNames(h.names)).
		WithHint(fmt.Sprintf("Say which column it is: %s = { %s = \"…\" }. If these are no columns, check separator, encoding and layout.", want.setting, field))
}

// unambiguous refuses a header in which a column that is used is there twice.
func (h *header) unambiguous(name string, want shape) error {
	for f, at := range h.at {
		if at < 0 {
			continue
		}
		for other, column := range h.names {
			if other != at && column == h.names[at] {
				return sdk.Errorf(sdk.ClassSchema, "%s has two columns %q (line %d), and %s is read from it", name, column, h.line, want.names[f]).
					WithHint("Have one of them renamed or left out.")
			}
		}
	}
	return nil
}

func columnNames(names []string) string {
	const most = 40
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", short(name)))
	}
	if len(names) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(quoted, ", ")
}

// separatorName gives the name of a separator.
func separatorName(char byte) string {
	for _, s := range separators {
		if s.char == char {
			return s.name
		}
	}
	return string(char)
}
