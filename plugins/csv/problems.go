// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// reporter is the part of a scope that problems are told to.
type reporter interface {
	Partial(code, format string, args ...any)
	Warn(code, format string, args ...any)
}

// problems tells what is wrong with single rows as it is found: the first of a kind in full, the rest by their number, so
// that ten thousand rows do not become ten thousand warnings.
type problems struct {
	to     reporter
	file   string
	codes  []string
	counts map[string]int
}

// maxExamples is how many problems of a kind are told in full.
const maxExamples = 20

func newProblems(to reporter, file string) *problems {
	return &problems{to: to, file: file, counts: map[string]int{}}
}

// rejected is the code of rows that are left out.
const rejected = "row.rejected"

// reject tells that a row is left out, which makes the scope partial.
func (p *problems) reject(line int, format string, args ...any) {
	if p.first(rejected) {
		p.to.Partial(rejected, "%s:%d: the row is left out: %s", p.file, line, fmt.Sprintf(format, args...))
	}
}

// doubt tells that a value is left out, or something else a person should know.
func (p *problems) doubt(line int, code, format string, args ...any) {
	if p.first(code) {
		p.to.Warn(code, "%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
	}
}

// first counts a problem and reports whether it is to be told in full.
func (p *problems) first(code string) bool {
	if p.counts[code] == 0 {
		p.codes = append(p.codes, code)
	}
	p.counts[code]++
	return p.counts[code] <= maxExamples
}

// end tells how many problems were not told in full.
func (p *problems) end() {
	for _, code := range p.codes {
		more := p.counts[code] - maxExamples
		switch {
		case more <= 0:
		case code == rejected:
			p.to.Partial(code, "%s: and %d more rows are left out like these", p.file, more)
		default:
			p.to.Warn(code, "%s: and %d more like these", p.file, more)
		}
	}
}
