// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
)

// dialect is what the settings say about the form of files.
type dialect struct {
	encoding, separator, decimal, dateOrder string
	shortRows, finalLineEnd, allowEmpty     bool
	trailer                                 string
	expectRows                              int
}

// table is a file whose form is known: it was read once from end to end, to find out what a single row does not tell.
type table struct {
	*file
	dialect
	shape  shape
	coding coding
	header *header
	// mark and order are the decimal mark and the order of day and month; see readNumber and readDate.
	mark, order string
	// rows is how many rows there are, without header, trailer and blank ones.
	rows int
	// cut says why the file is not whole; "" if nothing speaks against it. cutLine is the last row then, which cannot be trusted.
	cut     string
	cutLine int
	// doubts are what a person should know besides.
	doubts []string
}

// openTable opens a file and surveys it.
func openTable(ctx context.Context, s *source, d dialect, want shape) (*table, error) {
	f, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{file: f, dialect: d, shape: want}
	if err := t.survey(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// headSize is how much of a file's beginning tells what it is.
const headSize = 4 << 10

func (t *table) survey(ctx context.Context) error {
	head := make([]byte, headSize)
	n, err := io.ReadFull(t.File, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fileError(err, "the file cannot be read")
	}
	head = head[:n]
	t.coding = codingOf(head, t.encoding)
	if int64(n) <= t.coding.mark {
		return sdk.Errorf(sdk.ClassSchema, "%s is empty", t.name).WithHint(emptyHint)
	}
	if err := notText(t.name, head); err != nil {
		return err
	}
	again, err := t.read(ctx)
	if again && err == nil {
		// What is not UTF-8 and says nothing of itself comes from an older Windows program.
		t.coding = coding{name: windows1252}
		_, err = t.read(ctx)
	}
	if err == nil {
		err = t.unchanged()
	}
	return err
}

// text gives the text of the file from its beginning.
func (t *table) text() (io.Reader, error) {
	if _, err := t.Seek(t.coding.mark, io.SeekStart); err != nil {
		return nil, fileError(err, "the file cannot be read")
	}
	return t.coding.decode(bufio.NewReaderSize(t.File, 256<<10)), nil
}

// read finds the header and reads all rows for what they tell together. again: the encoding was a guess, and a wrong one.
func (t *table) read(ctx context.Context) (again bool, err error) {
	t.header, err = findHeader(t.text, t.name, t.shape, t.separator)
	if err != nil {
		return false, err
	}
	var numbers decimals
	var dates dateOrder
	var fields []field
	for f := range t.shape.kinds {
		if t.header.has(f) {
			fields = append(fields, f)
		}
	}
	t.rows, t.cut, t.cutLine = 0, "", 0
	end := &ending{table: t}
	invalid, wide := 0, 0
	err = t.scan(ctx, func(r *row) error {
		switch {
		case r.broken == brokenEncoding:
			invalid++
		case r.wide:
			wide++
		}
		if end.take(r) {
			return nil
		}
		t.rows++
		for _, f := range fields {
			if text := t.header.get(r, f); t.shape.kinds[f] == aNumber {
				numbers.see(text)
			} else {
				dates.see(text)
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	end.judge()
	// A character that is cut at the very end is no sign of another encoding.
	if t.cut != "" && end.last.broken == brokenEncoding {
		invalid--
	}
	if invalid > wide && t.coding.name == utf8Name && !t.coding.certain {
		return true, nil
	}
	if t.mark, err = numbers.choose(t.decimal); err != nil {
		return false, sdk.Errorf(sdk.ClassSchema, "%s: %w", t.name, err).WithHint("If neither is right, look at columns: one of them may not be the number it is taken for.")
	}
	if t.order, err = dates.choose(t.dateOrder, t.shape.dates); err != nil {
		t.doubts = append(t.doubts, err.Error())
	}
	return false, t.empty()
}

// empty gives an error for a file without rows that is not allowed to be an empty list.
func (t *table) empty() error {
	if t.rows > 0 || t.allowEmpty || t.trailer != "" && t.cut == "" {
		return nil
	}
	if t.cut != "" {
		return sdk.Errorf(sdk.ClassSchema, "%s has a header, no rows, and was cut: %s", t.name, t.cut).WithHint(cutHint)
	}
	return sdk.Errorf(sdk.ClassSchema, "%s has a header (line %d) and no rows; that is not taken for an empty list", t.name, t.header.line).
		WithHint("If nothing is a possible answer of this distributor, set allow_empty.")
}

// scan reads the rows that follow the header and are not blank.
func (t *table) scan(ctx context.Context, each func(*row) error) error {
	in, err := t.text()
	if err != nil {
		return err
	}
	s := newScanner(in, t.header.separator)
	const every = 1 << 10
	for n := 0; ; n++ {
		if n%every == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLongRow):
			r.open, r.broken = true, err.Error()
			return each(r)
		case err != nil:
			return fileError(err, t.name+" cannot be read")
		}
		if n <= t.header.row || r.blank() {
			continue
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

// each gives every row that can be trusted to good and every other, with the reason, to bad. The trailer is no row.
func (t *table) each(ctx context.Context, good func(*row) error, bad func(r *row, why string) error) error {
	err := t.scan(ctx, func(r *row) error {
		if t.isTrailer(r) {
			return nil
		}
		if why := t.distrust(r); why != "" {
			return bad(r, why)
		}
		return good(r)
	})
	if err == nil {
		err = t.unchanged()
	}
	return err
}

// distrust says why a row's fields cannot be trusted.
func (t *table) distrust(r *row) string {
	width := len(t.header.names)
	switch {
	case t.cut != "" && r.line == t.cutLine:
		return "it is the last of a file that was cut"
	case r.broken != "":
		return r.broken
	case r.swallows(t.rowSeparators()) != "":
		return r.swallows(t.rowSeparators())
	case t.garbledID(r) != "":
		return t.garbledID(r)
	case len(r.fields) < width && !t.shortRows:
		return fmt.Sprintf("it has %d fields, and the header has %d (a line break within a field that is not in quotes?); short_rows accepts this",
			len(r.fields), width)
	}
	for _, extra := range r.fields[min(width, len(r.fields)):] {
		if extra != "" {
			return fmt.Sprintf("it has %d fields, and the header has %d; a field with a separator in it must be in quotes", len(r.fields), width)
		}
	}
	return ""
}

// rowSeparators is how many separators make a line a whole row. Where rows may be short, half a row is one.
func (t *table) rowSeparators() int {
	separators := len(t.header.names) - 1
	if t.shortRows {
		return (separators + 1) / 2
	}
	return separators
}

// garbledID says which id of a row holds U+FFFD, which stands for what could not be decoded: two ids may look the same so.
func (t *table) garbledID(r *row) string {
	if !r.wide {
		return ""
	}
	for _, set := range t.shape.ids {
		for _, f := range set {
			if !t.header.has(f) {
				continue
			}
			if strings.ContainsRune(t.header.get(r, f), utf8.RuneError) {
				return fmt.Sprintf("%s %q holds a character that could not be decoded (U+FFFD)", t.shape.names[f], short(t.header.get(r, f)))
			}
			break
		}
	}
	return ""
}

func (t *table) isTrailer(r *row) bool {
	return t.trailer != "" && strings.EqualFold(r.fields[0], t.trailer)
}

// form tells a person how the file was read.
func (t *table) form() string {
	parts := []string{t.coding.String(), separatorName(t.header.separator)}
	if t.mark != "" {
		parts = append(parts, "decimal "+t.mark)
	}
	if t.order != "" {
		parts = append(parts, "dates "+t.order)
	}
	return strings.Join(parts, ", ")
}
