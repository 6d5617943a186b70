// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
)

var bom = []byte("\xef\xbb\xbf")

// Value is a JSON value, read as leniently as distributors write: numbers as text, text as numbers, names in any case,
// null for an empty list. The zero Value stands for a member that is missing and reads like null.
//
// A Value given by List is only good until the function it was given to returns; Clone keeps it.
type Value struct{ raw []byte }

// ParseValue takes one whole JSON text.
func ParseValue(text []byte) (Value, error) {
	text = bytes.TrimPrefix(text, bom)
	if !json.Valid(text) {
		var any json.RawMessage
		err := json.Unmarshal(text, &any)
		return Value{}, shapef("the answer is not valid JSON: %v", err)
	}
	return Value{bytes.TrimSpace(text)}, nil
}

func (v Value) first() byte {
	if len(v.raw) == 0 {
		return 'n'
	}
	return v.raw[0]
}

// IsNull reports whether the value is null or missing.
func (v Value) IsNull() bool { return v.first() == 'n' }

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.first() == '{' }

// IsArray reports whether the value is an array.
func (v Value) IsArray() bool { return v.first() == '[' }

// IsString reports whether the value is text.
func (v Value) IsString() bool { return v.first() == '"' }

// IsNumber reports whether the value is a number.
func (v Value) IsNumber() bool { c := v.first(); return c == '-' || c >= '0' && c <= '9' }

// Clone gives a copy that stays good.
func (v Value) Clone() Value { return Value{bytes.Clone(v.raw)} }

// Raw gives the JSON text.
func (v Value) Raw() []byte { return v.raw }

// Size is the length of the JSON text in bytes.
func (v Value) Size() int { return len(v.raw) }

// Text gives text as it is, a number or a yes/no as it is written, and "" for everything else. The result is valid UTF-8
// without NUL characters, which no database keeps.
func (v Value) Text() string {
	switch v.first() {
	case '"':
		return unquote(v.raw)
	case '{', '[', 'n':
		return ""
	default:
		return string(v.raw)
	}
}

func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// Decimal gives an exact number, written as a number or as text; absent for null and empty text. Anything else is an error.
func (v Value) Decimal() (sdk.Decimal, error) {
	switch v.first() {
	case 'n':
		return sdk.Decimal{}, nil
	case '"':
		return sdk.ParseDecimal(v.Text())
	case '{', '[', 't', 'f':
		return sdk.Decimal{}, fmt.Errorf("%s is not a number", v.kind())
	default:
		return sdk.ParseDecimal(string(v.raw))
	}
}

// Int gives a whole number, written as a number or as text.
func (v Value) Int() (int64, bool) {
	text := strings.TrimSpace(v.Text())
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	d, err := sdk.ParseDecimal(text)
	if err != nil || d.IsAbsent() {
		return 0, false
	}
	n, err := strconv.ParseInt(d.String(), 10, 64)
	return n, err == nil
}

// Bool gives a yes or no: true, "True", "yes", 1. Told is false when the value is missing or neither.
func (v Value) Bool() (yes, told bool) {
	switch strings.ToLower(strings.TrimSpace(v.Text())) {
	case "true", "yes", "y", "1":
		return true, true
	case "false", "no", "n", "0":
		return false, true
	default:
		return false, false
	}
}

func (v Value) kind() string {
	switch v.first() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "a yes/no"
	case 'n':
		return "nothing"
	default:
		return "a number"
	}
}

// Elements goes through an array. Null and everything that is no array have none.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if !v.IsArray() {
			return
		}
		for at := space(v.raw, 1); at < len(v.raw) && v.raw[at] != ']'; {
			end := skip(v.raw, at)
			if !yield(Value{v.raw[at:end]}) {
				return
			}
			if at = space(v.raw, end); at < len(v.raw) && v.raw[at] == ',' {
				at = space(v.raw, at+1)
			}
		}
	}
}

// List gives the array a value is or holds: itself, or the member Records, Items, Data or value of an object. Null is an
// empty list. Ok is false for everything else.
func (v Value) List() (list Value, ok bool) {
	if v.IsObject() {
		var o Object
		o.Read(v)
		for i := range o {
			if isOneOf(listNames, string(o[i].Name)) && (o[i].Value.IsArray() || o[i].Value.IsNull()) {
				return o[i].Value, true
			}
		}
		return Value{}, false
	}
	return v, v.IsArray() || v.IsNull()
}

// Field is a member of an object.
type Field struct {
	Name  []byte
	Value Value
}

// Object is the members of a JSON object, in their order.
type Object []Field

// Object gives the members; none for anything but an object.
func (v Value) Object() Object {
	var o Object
	o.Read(v)
	return o
}

// Read fills o with the members of v, using o's memory again. It reports whether v is an object.
func (o *Object) Read(v Value) bool {
	*o = (*o)[:0]
	if !v.IsObject() {
		return false
	}
	raw := v.raw
	for at := space(raw, 1); at < len(raw) && raw[at] == '"'; {
		end := skip(raw, at)
		name := raw[at+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(raw[at:end]))
		}
		at = space(raw, end)
		if at >= len(raw) || raw[at] != ':' {
			break
		}
		at = space(raw, at+1)
		end = skip(raw, at)
		*o = append(*o, Field{name, Value{raw[at:end]}})
		if at = space(raw, end); at < len(raw) && raw[at] == ',' {
			at = space(raw, at+1)
		}
	}
	return true
}

// Get gives the member with the first of the names that has a value; names are compared without case. Of members with
// the same name the last one counts.
func (o Object) Get(names ...string) Value {
	for _, name := range names {
		for i := len(o) - 1; i >= 0; i-- {
			if equalFold(o[i].Name, name) && !o[i].Value.IsNull() {
				return o[i].Value
			}
		}
	}
	return Value{}
}

// Has reports whether there is a member of that name, compared without case, be it null.
func (o Object) Has(name string) bool {
	for i := range o {
		if equalFold(o[i].Name, name) {
			return true
		}
	}
	return false
}

// Text gives the first of the members that has a text which is not blank.
func (o Object) Text(names ...string) string {
	for _, name := range names {
		if text := o.Get(name).Text(); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

// space gives the position of the first character from at on that is not white space.
func space(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\r' || raw[at] == '\t') {
		at++
	}
	return at
}

// skip gives the position behind the value at. The text must be valid JSON.
func skip(raw []byte, at int) int {
	depth := 0
	for at < len(raw) {
		switch c := raw[at]; c {
		case '"':
			at = skipString(raw, at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth <= 0 {
				return at + 1
			}
		default:
			if depth == 0 {
				for at < len(raw) && !isEnd(raw[at]) {
					at++
				}
				return at
			}
		}
		at++
	}
	return at
}

func skipString(raw []byte, at int) int {
	at++
	// Most text is plain: go to its end in one step.
	if end := bytes.IndexByte(raw[at:], '"'); end >= 0 && bytes.IndexByte(raw[at:at+end], '\\') < 0 {
		return at + end + 1
	}
	for ; at < len(raw); at++ {
		switch raw[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(raw)
}

func isEnd(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':'
}
