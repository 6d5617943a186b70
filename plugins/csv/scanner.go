// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// row is one record of a file. Its fields are good until the next one is read; take strings.Clone of what is kept.
type row struct {
	// line is where it begins, counted from 1.
	line   int
	fields []string
	// broken says why its fields cannot be trusted; "" if they can.
	broken string
	// ended: a line end follows it. Only the last row of a file can be without.
	ended bool
	// open: it is the last of the file and ends within quotes.
	open bool
	// wide: it holds characters that are not ASCII.
	wide bool
	// lines are its lines, if a field in quotes makes it span several.
	lines []rowLine
}

// blank reports whether there is nothing in the row: an empty line, or separators alone.
func (r *row) blank() bool {
	for _, field := range r.fields {
		if field != "" {
			return false
		}
	}
	return r.broken == ""
}

// maxRow bounds a row, so that a quote nobody closes does not take the whole file into memory.
const maxRow = 1 << 20

// errLongRow is told with the row that is too long.
var errLongRow = errors.New("a row is longer than 1 MiB; most likely a quote that opens in it is never closed")

// scanner reads the rows of separated text (RFC 4180, and what is really sent): lines end with CRLF, LF or CR; a field
// in quotes may hold separators, line ends and doubled quotes; a quote within an unquoted field is a quote.
type scanner struct {
	in        *bufio.Reader
	separator byte
	line      int

	row    row
	text   []byte
	bounds []int
	spanning
}

func newScanner(in io.Reader, separator byte) *scanner {
	return &scanner{in: bufio.NewReaderSize(in, 64<<10), separator: separator, line: 1}
}

// The states of a field.
const (
	fieldBegins = iota
	unquoted
	quoted
	quoteInQuoted
)

// next gives the next row, or io.EOF after the last.
func (s *scanner) next() (*row, error) {
	s.row = row{line: s.line, fields: s.row.fields[:0]}
	s.text, s.bounds, s.spanning = s.text[:0], s.bounds[:0], spanning{}
	state, read := fieldBegins, false
	for {
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			if !read {
				return nil, io.EOF
			}
			s.row.open = state == quoted
			return s.finish(), nil
		}
		if err != nil {
			return nil, err
		}
		read = true
		if len(s.text) >= maxRow {
			return s.finish(), errLongRow
		}
		if state == quoted {
			s.quotedByte(c, &state)
			continue
		}
		switch {
		case c == '"' && state == fieldBegins:
			state = quoted
		case c == '"' && state == quoteInQuoted:
			s.text, state = append(s.text, c), quoted
		case c == s.separator:
			s.bounds, state = append(s.bounds, len(s.text)), fieldBegins
			s.fieldEnds()
			s.outside++
		case c == '\n' || c == '\r':
			s.lineEnd(c)
			s.row.ended = true
			return s.finish(), nil
		case c == ' ' && (state == quoteInQuoted || state == fieldBegins && s.quoteAhead()):
			// Blanks around a field in quotes.
		default:
			if state == quoteInQuoted {
				s.row.broken = "a quote within a field in quotes is not doubled"
			}
			s.text, state = append(s.text, c), unquoted
			s.run()
		}
	}
}

// run takes what follows of an unquoted field, as far as it is at hand, up to a byte that may mean something.
func (s *scanner) run() {
	ahead, _ := s.in.Peek(s.in.Buffered())
	n := 0
	for n < len(ahead) && ahead[n] != s.separator && ahead[n] != '\n' && ahead[n] != '\r' {
		n++
	}
	s.text = append(s.text, ahead[:n]...)
	_, _ = s.in.Discard(n)
}

func (s *scanner) quotedByte(c byte, state *int) {
	if c == '"' {
		*state = quoteInQuoted
		return
	}
	switch c {
	case s.separator:
		s.inside++
	case '\r', '\n':
		s.lineEnd(c)
		s.row.lines = append(s.row.lines, s.lineWithin())
		c = '\n'
	}
	s.text = append(s.text, c)
}

// lineEnd counts a line, and takes the second half of CRLF.
func (s *scanner) lineEnd(c byte) {
	s.line++
	if c != '\r' {
		return
	}
	if ahead, err := s.in.Peek(1); err == nil && ahead[0] == '\n' {
		_, _ = s.in.Discard(1)
	}
}

// quoteAhead reports whether a quote follows after blanks.
func (s *scanner) quoteAhead() bool {
	const most = 16
	ahead, _ := s.in.Peek(most)
	for _, c := range ahead {
		if c != ' ' {
			return c == '"'
		}
	}
	return false
}

// finish makes the fields of the row.
func (s *scanner) finish() *row {
	s.fieldEnds()
	if len(s.row.lines) > 0 {
		s.row.lines = append(s.row.lines, rowLine{separators: s.outside})
	}
	s.bounds = append(s.bounds, len(s.text))
	text, begin := string(s.text), 0
	for _, end := range s.bounds {
		s.row.fields = append(s.row.fields, trim(text[begin:end]))
		begin = end
	}
	s.row.wide = !isASCII(text)
	switch {
	case s.row.broken != "":
	case s.row.wide && !utf8.ValidString(text):
		s.row.broken = brokenEncoding
	case hasNUL(text):
		s.row.broken = "it holds zero bytes, as a file does whose writer has not come to its end"
	}
	return &s.row
}

// brokenEncoding is the row.broken of a row that is not of the file's encoding.
const brokenEncoding = "it is not UTF-8"
