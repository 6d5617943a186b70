// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// scan reads all rows of a text, and tells of each where it begins.
func scan(t *testing.T, text string) (rows [][]string, lines []int, last row) {
	t.Helper()
	s := newScanner(strings.NewReader(text), ',')
	for {
		r, err := s.next()
		if errors.Is(err, io.EOF) {
			return rows, lines, last
		}
		if err != nil {
			t.Fatal(err)
		}
		rows, lines, last = append(rows, append([]string{}, r.fields...)), append(lines, r.line), *r
	}
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		rows       [][]string
		lines      []int
	}{
		{"plain rows", "a,b\nc,d\n", [][]string{{"a", "b"}, {"c", "d"}}, []int{1, 2}},
		{"three kinds of line ends", "a\r\nb\rc\n", [][]string{{"a"}, {"b"}, {"c"}}, []int{1, 2, 3}},
		{"quotes", `"a,b","c ""d""",""`, [][]string{{"a,b", `c "d"`, ""}}, []int{1}},
		{"line ends in quotes", "\"a\r\nb\",c\nd,\"e\nf\rg\"\nh", [][]string{{"a\nb", "c"}, {"d", "e\nf\ng"}, {"h"}}, []int{1, 3, 6}},
		{"a quote in the middle", `5" pipe,a"b`, [][]string{{`5" pipe`, `a"b`}}, []int{1}},
		{"white space around", "  a , \u00a0b\t,\"  c \" ,  \"d\"\n", [][]string{{"a", "b", "c", "d"}}, []int{1}},
		{"empty fields and lines", ",\n\n,,", [][]string{{"", ""}, {""}, {"", "", ""}}, []int{1, 2, 3}},
		{"nothing", "", nil, nil},
	} {
		rows, lines, _ := scan(t, test.text)
		if d := cmp.Diff(test.rows, rows); d != "" {
			t.Errorf("%s: %s", test.name, d)
		}
		if d := cmp.Diff(test.lines, lines); d != "" {
			t.Errorf("%s: lines %s", test.name, d)
		}
	}
}

func TestScannerKnowsWhatItCannotTrust(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]row{
		"a,b":          {},
		"a,b\n":        {ended: true},
		"a,\"b\n":      {open: true},
		"a,\"b\"\n":    {ended: true},
		"a,\"b\"c\n":   {ended: true, broken: "a quote within a field in quotes is not doubled"},
		"a,\xff\n":     {ended: true, wide: true, broken: brokenEncoding},
		"é\n":          {ended: true, wide: true},
		"a,\"b\"\"c\"": {},
	} {
		_, _, last := scan(t, text)
		last.fields, last.lines, last.line = nil, nil, 0
		if d := cmp.Diff(want, last, cmp.AllowUnexported(row{})); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

// What a strict reader reads is read the same, but for white space around fields and blank lines.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{"a,b\n", "\"a\"\"\",b\n", "a,\"b\nc\"\n\n", "\"", "\"a\"b,c\n", "a\rb"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, _, last := scan(t, text)
		strict := csv.NewReader(strings.NewReader(text))
		strict.FieldsPerRecord = -1
		want, err := strict.ReadAll()
		if err != nil || strings.Contains(text, "\r") || last.open {
			return
		}
		for _, fields := range want {
			for i := range fields {
				fields[i] = trim(fields[i])
			}
		}
		isBlank := func(fields []string) bool { return strings.Join(fields, "") == "" }
		if d := cmp.Diff(slices.DeleteFunc(want, isBlank), slices.DeleteFunc(got, isBlank), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	})
}
