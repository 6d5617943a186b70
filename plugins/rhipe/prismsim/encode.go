// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"io"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// flushAt is how much an encoder gathers before it writes, in bytes.
const flushAt = 32 << 10

// encoder writes JSON without holding it, in the shape the switches ask for.
// The first error of the writer stops it; see ok.
type encoder struct {
	w     io.Writer
	sw    *Switches
	buf   []byte
	err   error
	comma bool
	plain bool // names are sent as given, and all of them
	omit  map[string]bool

	dates    int   // dates written, for DatesInTurn
	statuses int   // statuses written, for Switches.Statuses
	customer int   // end customers written
	tenant   int   // tenants written
	sub      int   // subscriptions written
	huge     int64 // bytes of an extra text in the next record
	padding  int64 // bytes of white space before the next record
}

func newEncoder(w io.Writer, sw *Switches) *encoder {
	e := &encoder{w: w, sw: sw, buf: make([]byte, 0, flushAt+4<<10)}
	e.plain = sw.NameCase == NamesAsSeen && !sw.MissingFields && len(sw.OmitFields) == 0
	if len(sw.OmitFields) > 0 {
		e.omit = make(map[string]bool, len(sw.OmitFields))
		for _, f := range sw.OmitFields {
			e.omit[lower(f)] = true
		}
	}
	if sw.ByteOrderMark {
		e.raw("\ufeff")
	}
	return e
}

// ok reports whether it is still worth writing.
func (e *encoder) ok() bool { return e.err == nil }

func (e *encoder) flush() {
	if e.err == nil && len(e.buf) > 0 {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// breathe writes what has gathered when it is enough.
func (e *encoder) breathe() {
	if len(e.buf) >= flushAt {
		e.flush()
	}
}

func (e *encoder) raw(s string) { e.buf = append(e.buf, s...) }

// fill writes n bytes b.
func (e *encoder) fill(b byte, n int64) {
	for ; n > 0 && e.ok(); n-- {
		e.buf = append(e.buf, b)
		e.breathe()
	}
}

// pad writes the white space of a FaultPadding, once.
func (e *encoder) pad() {
	e.fill(' ', e.padding)
	e.padding = 0
}

// sep starts a value of a list or a property.
func (e *encoder) sep() {
	if e.comma {
		e.buf = append(e.buf, ',')
	}
	e.comma = true
}

func (e *encoder) open(b byte)  { e.buf = append(e.buf, b); e.comma = false }
func (e *encoder) close(b byte) { e.buf = append(e.buf, b); e.comma = true; e.breathe() }

// object writes an object that is an element of a list or the whole answer.
func (e *encoder) object(body func()) {
	e.sep()
	e.open('{')
	body()
	e.close('}')
}

// list writes a property that is a list.
func (e *encoder) list(name string, body func()) {
	if e.key(name) {
		e.open('[')
		body()
		e.close(']')
	}
}

// key writes a property's name, unless the property is to be left out.
func (e *encoder) key(name string) bool {
	if !e.plain {
		l := lower(name)
		if e.omit[l] || e.sw.MissingFields && !neededFields[l] {
			return false
		}
		name = e.sw.NameCase.apply(name)
	}
	e.sep()
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
	return true
}

func (e *encoder) null(name string) {
	if e.key(name) {
		e.raw("null")
	}
}

func (e *encoder) flag(name string, v bool) {
	if e.key(name) {
		if v {
			e.raw("true")
		} else {
			e.raw("false")
		}
	}
}

// text writes a text that is there even when empty.
func (e *encoder) text(name, v string) {
	if e.key(name) {
		e.value(v)
	}
}

func (e *encoder) value(v string) {
	if e.sw.TextAsNumbers && numberLike(v) {
		e.raw(v)
		return
	}
	e.buf = appendString(e.buf, v, e.sw.ASCIIOnly)
}

// maybe writes a text that may be missing.
func (e *encoder) maybe(name, v string) {
	if v != "" {
		e.text(name, v)
		return
	}
	switch e.sw.EmptyText {
	case EmptyAsText:
		e.text(name, "")
	case EmptyAbsent:
	default:
		e.null(name)
	}
}

// number writes a number given as decimal text; empty is null.
func (e *encoder) number(name, v string) {
	switch {
	case !e.key(name):
	case v == "":
		e.raw("null")
	case e.sw.NumbersAsText:
		e.buf = append(e.buf, '"')
		e.raw(v)
		e.buf = append(e.buf, '"')
	default:
		e.raw(v)
	}
}

func (e *encoder) integer(name string, v int64) {
	if !e.key(name) {
		return
	}
	if e.sw.NumbersAsText {
		e.buf = append(e.buf, '"')
	}
	e.buf = appendInt(e.buf, v)
	if e.sw.NumbersAsText {
		e.buf = append(e.buf, '"')
	}
}

// id writes a record's key, or what Absence makes of it.
func (e *encoder) id(name, v string, a Absence) {
	switch a {
	case Absent:
	case AbsentNull:
		e.null(name)
	case AbsentEmpty:
		e.text(name, "")
	default:
		e.text(name, v)
	}
}

// coded writes a value that is sent as text or as its number.
func (e *encoder) coded(name, text string, codes map[string]int64, asNumber bool) {
	if asNumber {
		e.integer(name, codes[lower(text)])
		return
	}
	e.text(name, text)
}

func (e *encoder) date(name string, t time.Time) {
	if t.IsZero() {
		e.null(name)
		return
	}
	if !e.key(name) {
		return
	}
	form := e.sw.Dates
	if form == DatesInTurn {
		form = dateForms[e.dates%len(dateForms)]
	}
	e.dates++
	if form == DatesNull {
		e.raw("null")
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = appendDate(e.buf, t, form)
	e.buf = append(e.buf, '"')
}

// extras writes properties no client knows.
func (e *encoder) extras() {
	if e.huge > 0 && e.key("Remarks") {
		n := e.huge
		e.huge = 0
		e.buf = append(e.buf, '"')
		e.fill('x', n)
		e.buf = append(e.buf, '"')
	}
	if e.sw.ExtraFields {
		e.text("AddedLater", "an unknown text")
		e.integer("AddedLaterCount", 42)
		if e.key("AddedLaterObject") {
			e.raw(`{"Inner":[1,"two",null,{"Deep":true}],"Status":"not the status"}`)
		}
		if e.key("AddedLaterList") {
			e.raw(`[[],{},null]`)
		}
	}
}

// numberLike reports whether v can be sent as a JSON number and come back as
// the same digits.
func numberLike(v string) bool {
	if v == "" || len(v) > 15 || v[0] == '0' && len(v) > 1 {
		return false
	}
	return strings.Trim(v, "0123456789") == ""
}

func appendInt(b []byte, v int64) []byte {
	if v < 0 {
		b = append(b, '-')
		return appendUint(b, uint64(-v))
	}
	return appendUint(b, uint64(v))
}

func appendUint(b []byte, v uint64) []byte {
	if v >= 10 {
		b = appendUint(b, v/10)
	}
	return append(b, byte('0'+v%10))
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string, ascii bool) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			default:
				b = appendEscape(b, uint16(c))
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if ascii || r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
				b = appendEscape(appendEscape(b, uint16(r1)), uint16(r2))
			} else {
				b = appendEscape(b, uint16(r))
			}
			i += size
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, u uint16) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
