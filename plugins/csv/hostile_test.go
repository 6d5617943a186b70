// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

const wideHead = "id,customer_id,customer_name,name,quantity,status,cost\n"

// Two stray quotes make several rows one that has the right number of fields.
func TestRowsThatAreSwallowedByQuotes(t *testing.T) {
	t.Parallel()
	const first, last = "S1,C2,Cust 2,Prod,5,Active,10.5\n", "S9,C2,Cust 2,Prod,5,Active,10.5\n"
	for _, test := range []struct {
		name, content string
		more          map[string]any
		outcome       string
		says          []string
	}{
		{name: "three rows", content: wideHead + first + "S5,C2,\"Cust 2,Prod,5,Active,10.5\nS6,C2,Cust 2,Prod,5,Active,10.5\nS7,C2,Cust 2,Prod,5,Active,10.5\n" +
			"S8,C2,Cust 2\",Prod,5,Active,10.5\n" + last, outcome: "partial", says: []string{"subs.csv:3", "line 4", "stray quote"}},
		{
			name: "the next row alone", content: wideHead + first + "S5,C2,\"Cust 2,Prod,5,Active,10.5\nS6,C2,Cust 2\",Prod,5,Active,10.5\n" + last,
			outcome: "partial", says: []string{"subs.csv:3", "line 4"},
		},
		{
			name: "from the first column", content: wideHead + first + "\"S5,C2,Cust 2,Prod,5,Active,10.5\r\nS6\",C2,Cust 2,Prod,5,Active,10.5\n" + last,
			outcome: "partial", says: []string{"subs.csv:3"},
		},
		{
			name: "to the last column", content: wideHead + first + "S5,C2,Cust 2,Prod,5,Active,\"10.5\nS6,C2,Cust 2,Prod,5,Active,10.5\"\n" + last,
			outcome: "partial", says: []string{"subs.csv:3"},
		},
		{
			name: "with quotes in the rows", content: wideHead + first + "S5,C2,\"Cust 2,Prod,5,Active,10.5\nS6,C2,\"\",Prod,5,Active,10.5\nS7,C2,Cust 2\",Prod,5,Active,10.5\n" + last,
			outcome: "partial", says: []string{"subs.csv:3"},
		},
		{
			name: "where rows may be short", content: wideHead + first + "S5,C2,\"Cust 2,Prod\nS6,C2,Cust 2,Prod\nS7,C2,Cust 2\",Prod\n" + last,
			more: map[string]any{"short_rows": true}, outcome: "partial", says: []string{"subs.csv:3"},
		},
		{
			name: "where rows add up", content: wideHead + first + "S5,C2,\"Cust 2,Prod,5,Active,10.5\nS6,C2,Cust 2\",Prod,5,Active,10.5\n" + last,
			more: map[string]any{"rows": "add"}, outcome: "failed", says: []string{"subs.csv:3", "stray quote"},
		},
		{
			name: "by the header", content: "id,customer_id,\"name\nS5,C2,Prod\nS6,C2,Prod\"\n" + "S1,C2,Prod\nS9,C2,Prod\n", outcome: "failed",
			says: []string{"header", "line 2", "stray quote"},
		},
		{
			name: "by a title", content: "Licences,\"of March\n" + wideHead + first + "of April\"\n" + wideHead + last, outcome: "failed",
			says: []string{"header", "line 2"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, test.more)
			if got.Complete || got.Scopes[scopeRef] != test.outcome || !says(append(got.Warnings, errorText(got)...), test.says...) {
				t.Errorf("complete %t, scopes %v, warnings %q, %v", got.Complete, got.Scopes, got.Warnings, got.Err)
			}
			if test.outcome == "partial" && (len(got.Records) != 2 || got.Records[0].Ref != "S1" || got.Records[1].Ref != "S9") {
				t.Errorf("%+v", got.Records)
			}
		})
	}
}

func TestFieldsThatMaySpanLines(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{
		"an address":          "S1,C2,\"Cust 2\n18 Eucalypt Road, Level 2\r\nNewcastle, NSW, 2300\",Prod,5,Active,10.5\n",
		"in the last column":  "S1,C2,Cust 2,Prod,5,Active,\"10.5\n\n\"\n",
		"in the first column": "\"S1\n\",C2,Cust 2,Prod,5,Active,10.5\n",
		"two of them":         "S1,C2,\"Cust 2,\nLtd\",\"Prod,\nBasic\",5,Active,10.5\n",
		"beside commas":       "S1,C2,\"Cust 2\nLtd\",\"Prod, the one, with, all, of, it\",5,Active,10.5\n",
	} {
		if got := read(t, wideHead+row, nil); !got.Complete || len(got.Records) != 1 {
			t.Errorf("%s: %v, %q", name, got.Err, got.Warnings)
		}
	}
}

// A status that no letter is in is not known, whatever the settings have.
func TestABlankStatusIsNoEnd(t *testing.T) {
	t.Parallel()
	got := read(t, "id,customer_id,status\n1,C,\n2,C,-\n3,C,Off\n", map[string]any{"statuses": map[string]string{"off": "cancelled"}})
	if !got.Complete || len(got.Records) != 3 || got.Records[0].State != sdk.StateUnknown || got.Records[1].State != sdk.StateUnknown ||
		got.Records[2].State != sdk.StateCancelled {
		t.Errorf("%+v", got)
	}
}

func TestLinksOutOfTheDirectory(t *testing.T) {
	t.Parallel()
	other := newFolder(t)
	other.put("secret.csv", head+"secret,C,2\n", time.Hour)
	for _, test := range []struct{ name, target, link, pattern string }{
		{"an absolute link", filepath.Join(other.path, "secret.csv"), "subs.csv", "subs*.csv"},
		{"a relative link", filepath.Join("..", filepath.Base(other.path), "secret.csv"), "subs.csv", "subs.csv"},
		{"a folder", other.path, "subs", "subs/*.csv"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			f.put("subs-1.csv", head+"1,C,2\n", 2*time.Hour)
			f.link(test.target, test.link)
			got := f.list(map[string]any{"subscriptions": test.pattern})
			if got.Err == nil || got.Err.Class != sdk.ClassPermission || len(got.Records) > 0 || !says(errorText(got), "subs", "leads out of directory", "Remove the link") {
				t.Errorf("%+v, %v", got.Records, got.Err)
			}
			tried := sdktest.Connection(t, plugin(), f.settings(map[string]any{"subscriptions": test.pattern}))
			if tried.OK || tried.Steps[0].Err == nil || tried.Steps[0].Err.Class != sdk.ClassPermission {
				t.Errorf("%+v", tried)
			}
		})
	}
}

// A delivery may name its newest file by a link, and the directory itself may be one.
func TestLinksWithinTheDirectory(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("delivery-7.csv", head+"7,C,2\n", time.Hour)
	f.link("delivery-7.csv", "subs.csv")
	outside := newFolder(t)
	outside.link(f.path, "here")
	if got := one(t, f.list(map[string]any{"directory": filepath.Join(outside.path, "here")})); got.Ref != "7" {
		t.Errorf("%+v", got)
	}
}

// A marker that is a link to elsewhere vouches for nothing.
func TestAMarkerOutsideOfTheDirectory(t *testing.T) {
	t.Parallel()
	f, other := newFolder(t), newFolder(t)
	other.put("done", "", time.Hour)
	f.put("subs.csv", head+"1,C,2\n", time.Hour)
	f.link(filepath.Join(other.path, "done"), "subs.csv.done")
	if got := f.list(map[string]any{"marker": ".done"}); got.Err == nil || !says(errorText(got), "no marker") {
		t.Errorf("%+v", got)
	}
}

func TestAFileOfNoKnownColumnIsNotRepeated(t *testing.T) {
	t.Parallel()
	got := read(t, "root:$6$hash;x,hidden|word:19000:0\nsync:*:19000\n", nil)
	if got.Err == nil || !says(errorText(got), "no row that names the columns") {
		t.Fatalf("%+v", got)
	}
	for _, word := range []string{"root", "hash", "hidden", "word:", "sync"} {
		if says(append(got.Warnings, errorText(got)...), word) {
			t.Errorf("%q is repeated: %v", word, errorText(got))
		}
	}
	if got := read(t, "id,Account,Seats\n1,C,2\n", nil); !says(errorText(got), `"Account", "Seats"`) {
		t.Errorf("the columns beside a known one are not told: %v", errorText(got))
	}
}

func TestNoRegularFile(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	listener, err := net.Listen("unix", filepath.Join(f.path, "subs-1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if got := f.list(nil); got.Err == nil || got.Err.Class != sdk.ClassNotFound || !says(errorText(got), "subs-1.csv is a socket and no regular file") {
		t.Errorf("%v", got.Err)
	}
	f.put("subs.csv", head+"1,C,2\n", time.Hour)
	if got := one(t, f.list(nil)); got.Ref != "1" {
		t.Errorf("%+v", got)
	}
}

// utf16LE encodes a text; \uFFFF stands for half of a surrogate pair.
func utf16LE(text string) string {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text)) {
		if u == 0xFFFF {
			u = 0xD800
		}
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestIDsThatCouldNotBeDecoded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		more          map[string]any
	}{
		{name: "UTF-16", content: utf16LE(head + "8,C,1\nS\uffff,C,2\n9,C,1\n")},
		{name: "UTF-16, the customer", content: utf16LE(head + "8,C,1\nS,C\uffff,2\n9,C,1\n")},
		{name: "UTF-16, the customer's name", content: utf16LE("id,customer_name\n8,C\nS,C\uffff\n9,C\n")},
		{name: "Windows-1252", content: head + "8,C,1\nS\x81,C,2\n9,C,1\n", more: map[string]any{"encoding": "windows-1252"}},
		{name: "Windows-1252, detected", content: head + "8,C,1\nS\x81,C,2\n9,C,1\n"},
		{name: "UTF-8 that says so", content: head + "8,C,1\nS\ufffd,C,2\n9,C,1\n"},
		{name: "id_columns", content: utf16LE("key,customer_id\n8,C\nS\uffff,C\n9,C\n"), more: map[string]any{"id_columns": []string{"key"}}},
		{name: "the parent", content: head[:len(head)-1] + ",parent_id\n8,C,1,\nS,C,2,S\ufffd\n9,C,1,\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, test.more)
			if got.Complete || len(got.Records) != 2 || got.Records[0].Ref != "8" || got.Records[1].Ref != "9" || !says(got.Warnings, "subs.csv:3", "U+FFFD") {
				t.Errorf("complete %t, %q, %v, %+v", got.Complete, got.Warnings, got.Err, got.Records)
			}
		})
	}
	if got := read(t, utf16LE("id,customer_id,name\n8,C,Mailb\uffffx\n"), nil); !got.Complete || len(got.Records) != 1 {
		t.Errorf("a name need not be certain: %v, %q", got.Err, got.Warnings)
	}
	f := newFolder(t)
	f.put("subs.csv", head+"1,C,2\n", time.Hour)
	f.put("customers.csv", "id,name\nC\ufffd,Alpha\nD,Beta\n", time.Hour)
	got := sdktest.Customers(t, plugin(), f.settings(map[string]any{"customers": "customers.csv"}))
	if got.Complete || len(got.Records) != 1 || got.Records[0].Ref != "D" || !says(got.Warnings, "customers.csv:2", "U+FFFD") {
		t.Errorf("%+v", got)
	}
}

func TestQuantitiesBelowZero(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rows string
		more       map[string]any
		says       []string
	}{
		{"one row", "1,C,2\n2,C,-3\n", nil, []string{"subs.csv:3", `"2"`, "-3"}},
		{"in parentheses", "1,C,2\n2,C,(3)\n", nil, []string{"subs.csv:3", "-3"}},
		{"rows that add up", "1,C,5\n2,C,2\n1,C,-3\n2,C,-3\n", map[string]any{"rows": "add"}, []string{"subs.csv:3", `"2"`, "-1"}},
	} {
		got := read(t, head+test.rows, test.more)
		if got.Complete || got.Scopes[scopeRef] != "partial" || len(got.Records) != 1 || !says(got.Warnings, test.says...) ||
			got.Records[0].Items[0].Quantity != number(t, "2") {
			t.Errorf("%s: %q, %v, %+v", test.name, got.Warnings, got.Err, got.Records)
		}
	}
	if got := one(t, read(t, head+"1,C,5\n1,C,-5\n", map[string]any{"rows": "add"})); got.Items[0].Quantity != sdk.Int(0) {
		t.Errorf("nothing is left of 5 and -5, and that is no error: %+v", strings.TrimSpace(got.Items[0].Quantity.String()))
	}
}
