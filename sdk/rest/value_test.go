// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

func parse(t *testing.T, text string) rest.Value {
	t.Helper()
	v, err := rest.ParseValue([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestValuesAreReadLeniently(t *testing.T) {
	t.Parallel()
	o := parse(t, "\xef\xbb\xbf"+` {"Name":"Caf\u00e9 \"A\"","n":25,"m":"27.360","e":1E2,"big":12345678901234567890.5,"yes":"True","one":1,"off":false,
		"nil":null,"obj":{"a":[1,{"b":"]}"}]},"NUL":"a\u0000b","\u0053tatus":"Active","status":null,"dup":1,"DUP":2,"empty":"","blank":"  ","bad":"abc"}`).Object()
	for name, want := range map[string]string{
		"name": `Café "A"`, "N": "25", "m": "27.360", "nil": "", "obj": "", "nul": "ab", "STATUS": "Active", "dup": "2", "missing": "",
	} {
		if got := o.Get(name).Text(); got != want {
			t.Errorf("%s: text %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"n": "25", "m": "27.36", "e": "100", "big": "12345678901234567890.5", "nil": "", "missing": "", "empty": "", "blank": ""} {
		d, err := o.Get(name).Decimal()
		if err != nil || d.String() != want {
			t.Errorf("%s: decimal %q, %v, want %q", name, d, err, want)
		}
	}
	for _, name := range []string{"name", "obj", "yes", "off", "bad"} {
		if d, err := o.Get(name).Decimal(); err == nil {
			t.Errorf("%s: decimal %q without error", name, d)
		}
	}
	for name, want := range map[string][2]bool{"yes": {true, true}, "one": {true, true}, "off": {false, true}, "nil": {}, "missing": {}, "name": {}} {
		if yes, told := o.Get(name).Bool(); yes != want[0] || told != want[1] {
			t.Errorf("%s: bool %t, %t", name, yes, told)
		}
	}
	if n, ok := o.Get("e").Int(); !ok || n != 100 {
		t.Errorf("e: int %d, %t", n, ok)
	}
	if got := o.Text("missing", "blank", "name"); got != `Café "A"` {
		t.Errorf("first text that is not blank: %q", got)
	}
}

func TestInvalidTextBecomesValid(t *testing.T) {
	t.Parallel()
	v := parse(t, "\"a\xffb\"")
	if got := v.Text(); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
	if got := parse(t, `"\ud800x"`).Text(); got != "\uFFFDx" {
		t.Errorf("%q", got)
	}
}

func TestListsAreFoundInEveryShape(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
		err  string
	}{
		"a bare array":                {` [ {"a":1} , 2,"x" ] `, []string{`{"a":1}`, "2", `"x"`}, ""},
		"empty":                       {"[]", nil, ""},
		"null":                        {"null", nil, ""},
		"Records":                     {`{"Total":9,"Records":[1,2],"Next":null}`, []string{"1", "2"}, ""},
		"items":                       {`{"items":[1]}`, []string{"1"}, ""},
		"DATA":                        {`{"DATA":[1]}`, []string{"1"}, ""},
		"value":                       {`{"@odata.context":"x","value":[1]}`, []string{"1"}, ""},
		"Records that are null":       {`{"Records":null}`, nil, ""},
		"brackets and quotes in text": {`["]\"[{\\",{"k":"}]"}]`, []string{`"]\"[{\\"`, `{"k":"}]"}`}, ""},
		"an object without a list":    {`{"Foo":[1]}`, nil, "without a list"},
		"an empty object":             {`{}`, nil, "without a list"},
		"a message":                   {`{"Message":"Something went wrong"}`, nil, "Something went wrong"},
		"text":                        {`"oops"`, nil, "not a list"},
		"cut between elements":        {`[1,2,`, []string{"1", "2"}, "ends in the middle"},
		"cut within an element":       {`[{"a":1},{"a":`, []string{`{"a":1}`}, "ends in the middle"},
		"cut before the end":          {`[1,2`, []string{"1"}, "ends in the middle"},
		"cut within text":             {`["a","b`, []string{`"a"`}, "ends in the middle"},
		"cut behind the list":         {`{"Records":[1]`, []string{"1"}, "ends in the middle"},
		"nothing":                     {``, nil, "EOF"},
		"something behind the end":    {`[1]]`, []string{"1"}, "follows the end"},
		"a missing comma":             {`[{"a":1}{"a":2}]`, []string{`{"a":1}`}, "malformed"},
		"a comma too many":            {`[1,]`, []string{"1"}, ""},
		"an element that is no JSON":  {`[1,{"a":tru}]`, []string{"1"}, "not valid JSON"},
		"brackets that do not match":  {`[{"a":[1}]}]`, nil, "not valid JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			// One byte at a time, so that every boundary falls between reads once.
			err := rest.ReadList(iotest.OneByteReader(strings.NewReader(test.text)), func(v rest.Value) error {
				got = append(got, string(v.Raw()))
				return nil
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			switch {
			case name == "a comma too many":
				if err == nil {
					t.Error("no error")
				}
			case test.err == "" && err != nil, test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

func TestPagesAreFollowed(t *testing.T) {
	t.Parallel()
	pages := func(last string, list ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n := 1
			if page := r.URL.Query().Get("page"); page != "" {
				_, _ = fmt.Sscan(page, &n)
			}
			body := last
			if n <= len(list) {
				body = list[n-1]
			}
			answer(body)(w, r)
		}
	}
	tests := map[string]struct {
		handler  http.HandlerFunc
		want     string
		requests int64
		err      string
	}{
		"until one is empty":         {pages(`{"Records":[]}`, `{"Records":[1,2]}`, `{"Records":[3]}`), "1 2 3", 3, ""},
		"until one repeats":          {pages(`{"Records":[1,2]}`, `{"Records":[1,2]}`), "1 2", 2, ""},
		"until the last one repeats": {pages(`{"Records":[3]}`, `{"Records":[1,2]}`, `{"Records":[3]}`), "1 2 3", 3, ""},
		"a bare array has one":       {pages(`[3]`, `[1,2]`), "1 2", 1, ""},
		"an empty first page":        {pages(`{"Records":[]}`), "", 1, ""},
		"pages that contradict":      {pages(`{"Records":[]}`, `{"Records":[1,2]}`, `{"Records":[1,3]}`), "1 2", 2, "begins like an earlier page"},
		"a page that fails":          {pages(`{"Message":"gone"}`, `{"Records":[1,2]}`), "1 2", 2, "gone"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, test.handler)
			var got []string
			listing, err := newClient(t, a.options()).List(t.Context(), customers, func(v rest.Value) error {
				got = append(got, v.Text())
				return nil
			})
			if test.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if listing.Elements != len(got) || listing.Pages != int(test.requests) {
					t.Errorf("%+v for %d elements", listing, len(got))
				}
			} else {
				wantError(t, err, sdk.ClassSchema, test.err)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%v, want %s", got, test.want)
			}
			if n := a.requests.Load(); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

func TestAnErrorOfTheCallerEndsTheList(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[1,2,3]`))
	mine := errors.New("mine")
	n := 0
	_, err := newClient(t, a.options()).List(t.Context(), customers, func(rest.Value) error { n++; return mine })
	if err != mine || n != 1 { //nolint:errorlint // it must come back as it was
		t.Errorf("error %v after %d elements", err, n)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2022-03-14T02:11:45.1234567+00:00": "2022-03-14T02:11:45Z",
		"2020-07-02T23:05:10+00:00":         "2020-07-02T23:05:10Z",
		"2020-07-02T23:05:10.123Z":          "2020-07-02T23:05:10Z",
		"2020-07-02T23:05:10.123456789Z":    "2020-07-02T23:05:10Z",
		"2021-07-13T10:00:00+1000":          "2021-07-13T00:00:00Z",
		"2021-07-13T10:00:00+10:00":         "2021-07-13T00:00:00Z",
		"2021-07-13T10:00:00.5+1000":        "2021-07-13T00:00:00Z",
		"2021-07-13T10:00:00":               "2021-07-13T10:00:00Z",
		"2021-07-13 10:00:00":               "2021-07-13T10:00:00Z",
		"2021-07-13":                        "2021-07-13",
		"0001-01-01T00:00:00":               "",
		"0001-01-01T00:00:00+00:00":         "",
		"9999-12-31T23:59:59Z":              "",
		"9020-01-01":                        "",
		"":                                  "",
		"null":                              "",
		" 2021-07-13 ":                      "2021-07-13",
	} {
		d, err := rest.ParseDate(text)
		if err != nil || d.String() != want {
			t.Errorf("%q is %q, %v; want %q", text, d, err, want)
		}
	}
	for _, text := range []string{"yesterday", "13/07/2021", "2021-13-01", "2021-02-30T00:00:00Z", "20210713", strings.Repeat("1", 99)} {
		if d, err := rest.ParseDate(text); err == nil {
			t.Errorf("%q is %q without error", text, d)
		}
	}
	if d, _ := rest.ParseDate("9999-12-31"); !d.Open {
		t.Error("a year of 9999 is not open")
	}
}

// FuzzList holds the element reader against encoding/json: what one takes as a list the other must take, with the same
// elements.
func FuzzList(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,"a",{"b":[null]}]`, `[1`, `[1]]`, `[{"a":"\u0041\\"}]`, `[1,]`, `null`, `{"Records":[1]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) == 0 || text[0] != '[' {
			_ = rest.ReadList(strings.NewReader(string(text)), func(rest.Value) error { return nil })
			return
		}
		var got []string
		err := rest.ReadList(strings.NewReader(string(text)), func(v rest.Value) error {
			got = append(got, string(v.Raw()))
			walk(v)
			return nil
		})
		var want []json.RawMessage
		wantErr := json.Unmarshal(text, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, encoding/json %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%d elements, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != string(want[i]) {
				t.Fatalf("element %d is %s, want %s", i, got[i], want[i])
			}
		}
	})
}

func walk(v rest.Value) {
	_, _ = v.Decimal()
	_ = v.Text()
	for _, f := range v.Object() {
		walk(f.Value)
	}
	for e := range v.Elements() {
		walk(e)
	}
}
