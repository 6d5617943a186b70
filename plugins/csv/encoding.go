// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/tallymanhq/tallyman/sdk"
)

// The encodings, as the setting names them.
const (
	detect      = "detect"
	utf8Name    = "utf-8"
	utf16LEName = "utf-16le"
	utf16BEName = "utf-16be"
	windows1252 = "windows-1252"
)

// coding is how a file's bytes are text.
type coding struct {
	name string
	// mark is the length of the byte order mark, which is no text.
	mark int64
	// certain: the setting or a byte order mark says so. An uncertain UTF-8 becomes Windows-1252 if it is no UTF-8.
	certain bool
}

func (c coding) String() string {
	if c.mark > 0 {
		return c.name + " with byte order mark"
	}
	return c.name
}

// unit is how many bytes a character has at least.
func (c coding) unit() int64 {
	if c.name == utf16LEName || c.name == utf16BEName {
		return 2
	}
	return 1
}

// decode gives the text of a file whose mark has been passed as UTF-8.
func (c coding) decode(in io.Reader) io.Reader {
	var e encoding.Encoding
	switch c.name {
	case utf16LEName:
		e = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case utf16BEName:
		e = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case windows1252:
		e = charmap.Windows1252
	default:
		return in
	}
	return e.NewDecoder().Reader(in)
}

// marks are the byte order marks.
var marks = []struct {
	bytes []byte
	name  string
}{
	{[]byte{0xEF, 0xBB, 0xBF}, utf8Name},
	{[]byte{0xFF, 0xFE}, utf16LEName},
	{[]byte{0xFE, 0xFF}, utf16BEName},
}

// codingOf tells a file's encoding from its beginning, within what the setting says.
func codingOf(head []byte, setting string) coding {
	for _, mark := range marks {
		if bytes.HasPrefix(head, mark.bytes) && (setting == detect || setting == mark.name) {
			return coding{name: mark.name, mark: int64(len(mark.bytes)), certain: true}
		}
	}
	if setting != detect {
		return coding{name: setting, certain: true}
	}
	// Text of two bytes a character has its zeros, in Latin script, at every second place.
	var even, odd int
	for i, c := range head {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	switch quarter := len(head) / 4; {
	case odd > quarter && even == 0:
		return coding{name: utf16LEName, certain: true}
	case even > quarter && odd == 0:
		return coding{name: utf16BEName, certain: true}
	}
	if !looksUTF8(head) {
		return coding{name: windows1252}
	}
	return coding{name: utf8Name}
}

// looksUTF8 reports whether there is more to be said for UTF-8 than against it. The last character may be cut.
func looksUTF8(head []byte) bool {
	good, bad := 0, 0
	for len(head) >= utf8.UTFMax {
		r, size := utf8.DecodeRune(head)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		head = head[size:]
	}
	return good >= bad
}

// kinds are files that are no separated text, known by how they begin.
var kinds = []struct {
	begins []string
	what   string
	hint   string
}{
	{[]string{"PK\x03\x04", "\xD0\xCF\x11\xE0"}, "an Excel workbook or a ZIP archive", "Have it exported or unpacked as CSV."},
	{[]string{"\x1f\x8b"}, "compressed with gzip", "Have it delivered, or unpacked, as CSV."},
	{[]string{"%PDF"}, "a PDF document", "Ask the distributor for the CSV file."},
	{[]string{"<!DOCTYPE", "<!doctype", "<html", "<HTML", "<?xml"}, "a page for people or XML", "The download failed or needs a sign-in; look into the file."},
	{[]string{"{", "["}, "JSON", "Have it exported as CSV."},
}

// notText gives an error if the beginning of a file is not that of separated text.
func notText(name string, head []byte) error {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, marks[0].bytes), " \t\r\n")
	for _, kind := range kinds {
		for _, begin := range kind.begins {
			if bytes.HasPrefix(head, []byte(begin)) {
				return sdk.Errorf(sdk.ClassSchema, "%s is not CSV: it is %s", name, kind.what).WithHint(kind.hint)
			}
		}
	}
	return nil
}
