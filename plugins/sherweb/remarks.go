// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// remarks gathers what is wrong with the records of a scope: one remark of a kind, and how many more there are.
type remarks struct{ list []remark }

type remark struct {
	code, first string
	partial     bool
	more        int
}

// lost notes a record that could not be read: its scope is not complete.
func (r *remarks) lost(code, format string, args ...any) { r.add(true, code, format, args...) }

// doubt notes what a person should know and that loses no record.
func (r *remarks) doubt(code, format string, args ...any) { r.add(false, code, format, args...) }

func (r *remarks) add(partial bool, code, format string, args ...any) {
	for i := range r.list {
		if r.list[i].code == code {
			r.list[i].more++
			return
		}
	}
	r.list = append(r.list, remark{code: code, first: fmt.Sprintf(format, args...), partial: partial})
}

// report tells the remarks to a scope.
func (r *remarks) report(to interface {
	Partial(code, format string, args ...any)
	Warn(code, format string, args ...any)
},
) {
	for _, it := range r.list {
		text := it.first
		if it.more > 0 {
			text += fmt.Sprintf(", and %d more like this", it.more)
		}
		if it.partial {
			to.Partial(it.code, "%s", text)
		} else {
			to.Warn(it.code, "%s", text)
		}
	}
}
