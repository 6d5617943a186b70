// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

const head = "id,customer_id,quantity\n"

// Without a trailer there are still signs of a file that does not go to its end.
func TestFilesThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		more          map[string]any
		// records that are used all the same; outcome of the scope.
		records int
		outcome string
		says    []string
	}{
		{name: "no line end at the end", content: head + "1,C,2\n2,C,25", records: 1, outcome: "partial", says: []string{"line 3", "no line end", "final_line_end"}},
		{name: "a last row of fewer fields", content: head + "1,C,2\n2,C", records: 1, outcome: "partial", says: []string{"line 3", "2 fields", "header has 3"}},
		{
			name: "a last row of fewer fields, from a sender that writes no line end", content: head + "1,C,2\n2,C", more: map[string]any{"final_line_end": false},
			records: 1, outcome: "partial", says: []string{"line 3", "2 fields"},
		},
		{
			name: "a last row of fewer fields, where short rows are accepted", content: head + "1,C,2\n2,C\n3", more: map[string]any{"short_rows": true},
			records: 2, outcome: "partial", says: []string{"line 4"},
		},
		{name: "a quote that never closes", content: head + "1,C,2\n2,\"C,3\n3,C,4\n", records: 1, outcome: "partial", says: []string{"row of line 3", "does not end"}},
		{
			name: "a quote that never closes in a file without end", content: head + "1,C,2\n\"" + strings.Repeat("x", maxRow+10) + "\n2,C,3\n",
			records: 1, outcome: "partial", says: []string{"row of line 3"},
		},
		{name: "half a character at the end", content: head + "1,C,2\n2,Caf\xc3", records: 1, outcome: "partial", says: []string{"line 3"}},
		{name: "half a unit of UTF-16", content: "\xff\xfei\x00d\x00,\x00c\x00u\x00s\x00t\x00o\x00m\x00e\x00r\x00_\x00i\x00d\x00\n\x001\x00,\x00C\x00\n\x002", records: 1, outcome: "partial", says: []string{"middle of a character"}},
		{name: "zero bytes at the end", content: head + "1,C,2\n\x00\x00\x00\x00\x00\x00", records: 1, outcome: "partial"},
		{name: "fewer rows than there must be", content: head + "1,C,2\n", more: map[string]any{"expect_rows": 2}, records: 1, outcome: "partial", says: []string{"1 rows", "at least 2"}},
		{name: "no trailer", content: head + "1,C,2\n", more: map[string]any{"trailer": "END"}, records: 1, outcome: "partial", says: []string{`trailer "END"`}},
		{name: "no trailer, and the last row cut", content: head + "1,C,2\n2,C,25", more: map[string]any{"trailer": "END"}, records: 1, outcome: "partial"},
		{name: "a trailer that counts more", content: head + "1,C,2\nEND,2\n", more: map[string]any{"trailer": "END"}, records: 1, outcome: "partial", says: []string{"says that it has 2 rows, and it has 1"}},
		{name: "rows behind the trailer", content: head + "1,C,2\nEND\n2,C,3\n", more: map[string]any{"trailer": "END"}, records: 2, outcome: "partial", says: []string{"rows follow its trailer"}},
		{name: "two trailers", content: head + "1,C,2\nEND\n2,C,3\nend\n", more: map[string]any{"trailer": "END"}, records: 2, outcome: "partial", says: []string{"2 trailers"}},
		{name: "a header alone", content: head, outcome: "failed", says: []string{"no rows", "allow_empty"}},
		{name: "a header alone, where a trailer is due", content: head, more: map[string]any{"trailer": "END", "allow_empty": true}, outcome: "partial", says: []string{`trailer "END"`}},
		{name: "a header that is cut, where nothing is allowed", content: "id,customer_id,quan", more: map[string]any{"allow_empty": true}, outcome: "partial", says: []string{"header has no line end"}},
		{name: "nothing", content: "", more: map[string]any{"allow_empty": true}, outcome: "failed", says: []string{"is empty"}},
		{name: "a byte order mark alone", content: "\xef\xbb\xbf", more: map[string]any{"allow_empty": true}, outcome: "failed", says: []string{"is empty"}},
		{name: "blank lines", content: "\r\n\n  \n", more: map[string]any{"allow_empty": true}, outcome: "failed", says: []string{"blank lines"}},
		{name: "JSON", content: `[{"id": 1}]`, outcome: "failed", says: []string{"JSON"}},
		{name: "gzip", content: "\x1f\x8b\x08\x00", outcome: "failed", says: []string{"gzip"}},
		{name: "two columns of one name", content: "id,customer_id,quantity,quantity\n1,C,2,3\n", outcome: "failed", says: []string{`two columns "quantity"`, "line 1"}},
		{name: "a separator that is set and another that is used", content: head + "1,C,2\n", more: map[string]any{"separator": "tab"}, outcome: "failed", says: []string{"no row that names the columns", "separator"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, test.more)
			if got.Complete || got.Scopes[scopeRef] != test.outcome || len(got.Records) != test.records {
				t.Errorf("complete %t, %d records, scopes %v; want %d, %s", got.Complete, len(got.Records), got.Scopes, test.records, test.outcome)
			}
			if !says(append(got.Warnings, errorText(got)...), append(test.says, "subs.csv")...) {
				t.Errorf("it says %q, %v", got.Warnings, got.Err)
			}
		})
	}
}

func TestFilesThatAreWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		more          map[string]any
		records       int
	}{
		{"with a line end", head + "1,C,2\n", nil, 1},
		{"from a sender that writes no last line end", head + "1,C,2", map[string]any{"final_line_end": false}, 1},
		{"with a trailer that has no line end", head + "1,C,2\nEnd of file", map[string]any{"trailer": "End of file"}, 1},
		{"with a trailer that counts", head + "1,C,2\n2,C,2\nEND,rows,2\n", map[string]any{"trailer": "END"}, 2},
		{"with nothing, proven by a trailer", head + "END;0\n", map[string]any{"trailer": "END;0"}, 0},
		{"with nothing, where that is allowed", head, map[string]any{"allow_empty": true}, 0},
		{"with a separator behind each row", "id,customer_id,quantity,\n1,C,2,\n", nil, 1},
		{"with titles and a hint for Excel above", "sep=;\nLicences;of March\n\nid;customer_id\n1;C\n", nil, 1},
		{"with blanks around quotes", "id, customer_id\n\"1\" , \"C, D\"\n", nil, 1},
		{"with short rows, where they are accepted", head + "1,C\n2,C,1\n", map[string]any{"short_rows": true}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := read(t, test.content, test.more); !got.Complete || len(got.Records) != test.records {
				t.Errorf("complete %t, %d records: %v, %q", got.Complete, len(got.Records), got.Err, got.Warnings)
			}
		})
	}
}

func TestRowsThatAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, row string
		says      []string
	}{
		{"too few fields", "1,C", []string{"subs.csv:3", "2 fields", "short_rows"}},
		{"too many fields", "1,C,2,3", []string{"subs.csv:3", "4 fields", "in quotes"}},
		{"a quote that is not doubled", `1,"The "Old" Mill",2`, []string{"subs.csv:3", "not doubled"}},
		{"no customer", "1,,2", []string{"subs.csv:3", `"1" has no customer`}},
		{"no id", ",C,2", []string{"subs.csv:3", "no id"}},
		{"no number", "1,C,two", []string{"subs.csv:3", `"two"`}},
		{"a zero byte", "1,C\x00,2", []string{"subs.csv:3", "zero bytes"}},
		{"another encoding", "1,Caf\xe9,2\n3,Caf\xc3\xa9,2\n4,\xc3\x9cber,1", []string{"subs.csv:3", "not UTF-8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, head+"8,C,1\n"+test.row+"\n9,C,1\n", nil)
			last := len(got.Records) - 1
			if got.Complete || got.Scopes[scopeRef] != "partial" || got.Records[0].Ref != "8" || got.Records[last].Ref != "9" || !says(got.Warnings, test.says...) {
				t.Errorf("complete %t, scopes %v, warnings %q, %+v", got.Complete, got.Scopes, got.Warnings, got.Records)
			}
		})
	}
}

// Ten thousand bad rows are told in a few warnings, with their number.
func TestManyRowsAreLeftOut(t *testing.T) {
	t.Parallel()
	got := read(t, head+strings.Repeat("1,C,many\n", 10_000), nil)
	if got.Complete || len(got.Warnings) > maxExamples+1 || !says(errorText(got), "subs.csv:2") {
		t.Errorf("%d warnings, %v", len(got.Warnings), got.Err)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		more          map[string]any
		want          string
	}{
		{"Windows-1252 late in a long file", head + strings.Repeat("1,C,2\n", 5000) + "2,Caf\xe9 \x80,3\n", nil, "Café €"},
		{"UTF-8 late in a long file", head + strings.Repeat("1,C,2\n", 5000) + "2,Café €,3\n", nil, "Café €"},
		{"Windows-1252 in the header", "id,customer_id,St\xfcck\n1,Z\xfcrich,3\n", map[string]any{"columns": map[string]string{"quantity": "Stück"}}, "Zürich"},
		{"what is set goes before what is seen", head + "1,Café,2\n", map[string]any{"encoding": "windows-1252"}, "CafÃ©"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, test.more)
			if last := len(got.Records) - 1; !got.Complete || got.Records[last].CustomerRef != test.want {
				t.Errorf("complete %t, %q, %v, %q", got.Complete, got.Records[last].CustomerRef, got.Err, got.Warnings)
			}
		})
	}
}

func TestWhichFileIsRead(t *testing.T) {
	t.Parallel()
	file := func(id string) string { return "id,customer_id\n" + id + ",C\n" }
	for _, test := range []struct {
		name string
		put  func(f *folder)
		more map[string]any
		want string
		says []string
	}{
		{name: "the newest", put: func(f *folder) {
			f.put("subs-2.csv", file("two"), 3*time.Hour)
			f.put("subs-1.csv", file("one"), 2*time.Hour)
			f.put("other.csv", file("other"), time.Hour)
		}, want: "one"},
		{name: "the last by name, numbers by their value", put: func(f *folder) {
			f.put("subs-10.csv", file("ten"), 3*time.Hour)
			f.put("subs-9.csv", file("nine"), 2*time.Hour)
			f.put("subs-09.csv", file("zero nine"), time.Hour)
		}, more: map[string]any{"pick": "name"}, want: "ten"},
		{name: "none under a temporary name", put: func(f *folder) {
			f.put("subs.csv", file("whole"), 3*time.Hour)
			for _, name := range []string{"subs.csv.part", "subs.csv.tmp", "subs~", "subs.csv.filepart"} {
				f.put(name, file("half"), time.Hour)
			}
		}, more: map[string]any{"subscriptions": "subs*"}, want: "whole"},
		{name: "the newest that has a marker", put: func(f *folder) {
			f.put("subs-1.csv", file("one"), 3*time.Hour)
			f.put("subs-1.csv.done", "", 3*time.Hour)
			f.put("subs-2.csv", file("two"), 2*time.Hour)
			f.put("subs-2.done", "", 2*time.Hour)
			f.put("subs-3.csv", file("three"), time.Hour)
		}, more: map[string]any{"marker": ".done", "subscriptions": "subs*"}, want: "two"},
		{name: "none whose marker is of an earlier file", put: func(f *folder) {
			f.put("subs.csv", file("one"), time.Hour)
			f.put("subs.csv.done", "", 25*time.Hour)
		}, more: map[string]any{"marker": ".done"}, says: []string{"transient", "newer than its marker", "subs.csv.done"}},
		{name: "none without its marker", put: func(f *folder) {
			f.put("subs.csv", file("one"), time.Hour)
		}, more: map[string]any{"marker": ".done"}, says: []string{"transient", "no marker subs.csv.done yet"}},
		{name: "none that is too old", put: func(f *folder) {
			f.put("subs.csv", file("one"), 49*time.Hour)
		}, more: map[string]any{"max_age": "48h"}, says: []string{"transient", "49h0m", "max_age"}},
		{name: "one that is young enough", put: func(f *folder) {
			f.put("subs.csv", file("one"), 47*time.Hour)
		}, more: map[string]any{"max_age": "48h"}, want: "one"},
		{name: "one that was written just now, once it stands still", put: func(f *folder) {
			f.put("subs.csv", file("one"), 0)
		}, want: "one"},
		{name: "one from a clock that is ahead, once it stands still", put: func(f *folder) {
			f.put("subs.csv", file("one"), -time.Hour)
		}, want: "one"},
		{name: "no folder", put: func(f *folder) {
			if err := os.Mkdir(filepath.Join(f.path, "subs.csv"), 0o700); err != nil {
				f.t.Fatal(err)
			}
		}, says: []string{"not_found", `"subs*.csv"`, "subs.csv is a folder and no regular file"}},
		{name: "none where there is none", put: func(*folder) {}, says: []string{"not_found", "no file", `"subs*.csv"`, "delivery"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			test.put(f)
			got := f.list(test.more)
			if test.want != "" {
				if r := one(t, got); r.Ref != test.want {
					t.Errorf("read %q, want %q", r.Ref, test.want)
				}
				return
			}
			if got.Err == nil {
				t.Fatalf("%+v", got)
			}
			if text := got.Err.Class.String() + " " + got.Err.Message + " " + got.Err.Hint; got.Scopes[scopeRef] != "failed" || !says([]string{text}, test.says...) {
				t.Errorf("scopes %v: %s", got.Scopes, text)
			}
		})
	}
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	got := f.list(map[string]any{"directory": filepath.Join(f.path, "nowhere")})
	if got.Err == nil || got.Err.Class != sdk.ClassNotFound {
		t.Errorf("%+v", got)
	}
	f.put("file", "", time.Hour)
	got = f.list(map[string]any{"directory": filepath.Join(f.path, "file")})
	if got.Err == nil || got.Err.Class != sdk.ClassSettings {
		t.Errorf("%+v", got)
	}
}

// A folder's name is no pattern, whatever is in it.
func TestADirectoryWithSignsInItsName(t *testing.T) {
	t.Parallel()
	f := &folder{t, filepath.Join(t.TempDir(), "a [b] *c")}
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	f.put("subs.csv", head+"1,C,2\n", time.Hour)
	one(t, f.list(nil))
}

func TestAFileThatIsWrittenToWhileItIsRead(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("subs.csv", head+strings.Repeat("1,C,2\n", 10), time.Hour)
	c := connect(settings{
		Directory: f.path, Subscriptions: "subs.csv", Encoding: detect, Separator: detect, Decimal: detect, DateOrder: detect, FinalLineEnd: true,
	})
	table, err := c.subscriptionFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close() //nolint:errcheck // it was only read
	n := 0
	err = table.each(t.Context(), func(*row) error {
		if n++; n == 5 {
			f.put("subs.csv", head+strings.Repeat("1,C,2\n", 20), 0)
		}
		return nil
	}, func(*row, string) error { return nil })
	if sdk.ClassOf(err) != sdk.ClassTransient || !strings.Contains(err.Error(), "written to while it was read") {
		t.Errorf("%v", err)
	}
}

func TestTheCustomersFileIsHeldToTheSame(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("subs.csv", head+"1,C,2\n", time.Hour)
	f.put("customers.csv", "id,name\nC,Alpha\nD,Be", time.Hour)
	// expect_rows is about subscriptions.
	got := sdktest.Customers(t, plugin(), f.settings(map[string]any{"customers": "customers.csv", "expect_rows": 1}))
	if got.Complete || got.Scopes[scopeRef] != "partial" || len(got.Records) != 1 || !says(got.Warnings, "customers.csv", "no line end") {
		t.Errorf("%+v", got)
	}
}
