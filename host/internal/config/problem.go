// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with the configuration, or worth a look.
type Problem struct {
	// Warning problems keep nothing from running.
	Warning bool
	// Origin says where: a place in a file, a variable or a flag.
	Origin Origin
	// Message says what is wrong and what was expected; Hint says what to do.
	Message, Hint string
	// SecretIn is the file in which others may see a secret: one that everybody may read, or the configuration file, where
	// the secret stands in clear. Empty: none.
	SecretIn string

	// source and caret are the line and the mark under it. Secrets in them are masked.
	source, caret string
	// order is the file's place among the files.
	order int
}

// String gives the problem with its place, its source line and what to do.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", oneLine(p.Origin.String()))
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(oneLine(p.Message))
	if p.source != "" {
		line := fmt.Sprint(p.Origin.Range.Start.Line)
		fmt.Fprintf(&b, "\n  %s | %s\n  %s | %s", line, p.source, strings.Repeat(" ", len(line)), p.caret)
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "\n  %s", oneLine(p.Hint))
	}
	return b.String()
}

// MarshalJSON gives the parts.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Warning bool   `json:"warning,omitempty"`
		Origin  Origin `json:"origin"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
		Source  string `json:"source,omitempty"`
	}{p.Warning, p.Origin, oneLine(p.Message), oneLine(p.Hint), p.source})
}

// oneLine makes text safe for a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}

// Error is everything that is wrong with the configuration.
type Error struct {
	// Problems stand in the order of the files, then variables, then flags. There is at least one.
	Problems []Problem
	// Checked is set where somebody checks the configuration already, who needs no advice to do so.
	Checked bool
}

// Error lists every problem with its place and source line.
func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	head := fmt.Sprintf("the configuration has %d problems", len(e.Problems))
	if len(e.Problems) == 1 {
		head = "the configuration has a problem"
	}
	return head + "\n\n" + strings.Join(texts, "\n\n")
}

// Code gives the stable name of the failure.
func (e *Error) Code() string { return "config.invalid" }

// Hint says what to do next where something is wrong in the files, and is empty otherwise.
func (e *Error) Hint() string {
	if e.Checked || !slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Origin.Kind == FromFile }) {
		return ""
	}
	return "Mend the lines above, then run \"tallyman config check\"."
}

// problemsError makes an error of the problems that are not warnings, or nil.
func problemsError(problems []Problem) error {
	var wrong []Problem
	for _, p := range problems {
		if !p.Warning {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	sortProblems(wrong)
	return &Error{Problems: wrong}
}

// Join makes one error of several: all their problems in order. Errors that are none of this package stay beside it.
func Join(errs ...error) error {
	var problems []Problem
	var others []error
	for _, err := range errs {
		var e *Error
		switch {
		case err == nil:
		case errors.As(err, &e):
			problems = append(problems, e.Problems...)
		default:
			others = append(others, err)
		}
	}
	if err := problemsError(problems); err != nil {
		others = append([]error{err}, others...)
	}
	if len(others) == 1 {
		return others[0]
	}
	return errors.Join(others...)
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Origin.rank(), b.Origin.rank()),
			cmp.Compare(a.order, b.order),
			cmp.Compare(a.Origin.Range.Start.Byte, b.Origin.Range.Start.Byte),
			cmp.Compare(a.Origin.Name, b.Origin.Name),
			cmp.Compare(a.Message, b.Message),
		)
	})
}
