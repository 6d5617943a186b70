// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// problems gathers what is wrong with single records, so that ten thousand of them do not become ten thousand warnings.
type problems struct {
	codes []string
	kinds map[string]*problem
}

type problem struct {
	partial  bool
	count    int
	examples []string
}

// maxExamples is how many problems of a kind are told in full.
const maxExamples = 3

// lost notes that something could not be read: what it is in is not complete.
func (p *problems) lost(code, format string, args ...any) { p.add(true, code, format, args) }

// doubt notes something that a person should know and that loses nothing.
func (p *problems) doubt(code, format string, args ...any) { p.add(false, code, format, args) }

func (p *problems) add(partial bool, code, format string, args []any) {
	if p.kinds == nil {
		p.kinds = map[string]*problem{}
	}
	kind := p.kinds[code]
	if kind == nil {
		kind = &problem{partial: partial}
		p.kinds[code] = kind
		p.codes = append(p.codes, code)
	}
	if kind.count++; len(kind.examples) < maxExamples {
		kind.examples = append(kind.examples, fmt.Sprintf(format, args...))
	}
}

// scope is what listings of both kinds have.
type scope interface {
	Partial(code, format string, args ...any)
	Warn(code, format string, args ...any)
	Progress(format string, args ...any)
}

// report tells the problems, in the order in which the first of each kind was found.
func (p *problems) report(to scope) {
	for _, code := range p.codes {
		kind := p.kinds[code]
		tell := to.Warn
		if kind.partial {
			tell = to.Partial
		}
		for _, example := range kind.examples {
			tell(code, "%s", example)
		}
		if more := kind.count - len(kind.examples); more > 0 {
			tell(code, "and %d more like this", more)
		}
	}
}
