// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// ending looks for signs that a file does not go to its end. What was cut exactly between two rows shows none; only a
// trailer or a number of rows can tell then.
type ending struct {
	*table
	last     row
	short    string
	trailers int
	closed   bool // The last row is the trailer.
	counted  int  // What it says; -1 if it says nothing.
}

const cutHint = "Have the file delivered again. Its rows are used; what it lacks is not taken to have ended."

// take looks at a row. trailer: it is the row that ends the file and no record.
func (e *ending) take(r *row) (trailer bool) {
	e.last = *r
	e.last.fields = nil
	e.short = ""
	if len(r.fields) < len(e.header.names) {
		e.short = fmt.Sprintf("its last row (line %d) has %d fields, and the header has %d", r.line, len(r.fields), len(e.header.names))
	}
	e.closed = e.isTrailer(r)
	if !e.closed {
		return false
	}
	e.trailers++
	e.counted = -1
	for _, field := range r.fields[1:] {
		if digits := strings.TrimSpace(field); digits != "" && len(digits) < 10 && allDigits(digits) {
			e.counted = atoi(digits)
			break
		}
	}
	return true
}

// judge writes into the table whether the file was cut, and why that is thought.
func (e *ending) judge() {
	t := e.table
	partial := func(format string, args ...any) {
		if t.cut == "" {
			t.cut = fmt.Sprintf(format, args...)
		}
	}
	if size := t.info.Size() - t.coding.mark; size%t.coding.unit() != 0 {
		partial("it ends in the middle of a character (%d bytes)", t.info.Size())
	}
	switch {
	case e.last.open:
		partial("a field in quotes that begins in the row of line %d does not end", e.last.line)
	case !e.closed && e.short != "" && !e.last.ended:
		partial("%s", e.short)
	case e.last.line == 0 && t.finalLineEnd && !t.header.ended:
		partial("its header has no line end")
	case t.trailer != "" && e.trailers == 0:
		partial("its last row is not the trailer %q", t.trailer)
	case t.trailer != "" && !e.closed:
		partial("rows follow its trailer %q (line %d)", t.trailer, e.last.line)
	case e.trailers > 1:
		partial("it has %d trailers", e.trailers)
	case e.trailers == 1 && e.counted >= 0 && e.counted != t.rows:
		partial("its trailer says that it has %d rows, and it has %d", e.counted, t.rows)
	case t.trailer == "" && t.finalLineEnd && e.last.line > 0 && !e.last.ended:
		partial("its last row (line %d) has no line end; for a sender that never writes it set final_line_end = false", e.last.line)
	case t.rows < t.expectRows:
		partial("it has %d rows, and expect_rows says that there are at least %d", t.rows, t.expectRows)
	}
	if t.cut != "" && !e.closed && !e.last.ended {
		t.cutLine = e.last.line
	}
}
