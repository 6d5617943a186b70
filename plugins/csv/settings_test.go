// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := settings{Directory: t.TempDir(), Subscriptions: "subs*.csv"}
	if found := good.validate(); len(found) > 0 {
		t.Fatalf("good settings: %+v", found)
	}
	for _, test := range []struct {
		name  string
		spoil func(*settings)
		field string
		says  string
	}{
		{"a relative directory", func(s *settings) { s.Directory = "exports" }, "directory", "absolute"},
		{"no subscriptions", func(s *settings) { s.Subscriptions = " " }, "subscriptions", "empty"},
		{"a pattern that is none", func(s *settings) { s.Subscriptions = "subs[.csv" }, "subscriptions", "no pattern"},
		{"a way out of the directory", func(s *settings) { s.Customers = "../customers.csv" }, "customers", "leads out"},
		{"an absolute file", func(s *settings) { s.Customers = "/etc/passwd" }, "customers", "leads out"},
		{"a field that there is not", func(s *settings) { s.Columns = map[string]string{"seats": "Seats"} }, "columns", `"seats"`},
		{"a field of a customer that there is not", func(s *settings) { s.CustomerColumns = map[string]string{"quantity": "Seats"} }, "customer_columns", `"quantity"`},
		{"a state that there is not", func(s *settings) { s.Statuses = map[string]string{"live": "alive"} }, "statuses", `"alive"`},
		{"a status without letters", func(s *settings) { s.Statuses = map[string]string{"-": "cancelled"} }, "statuses", "no letter or digit"},
		{"a blank status", func(s *settings) { s.Statuses = map[string]string{" ": "cancelled"} }, "statuses", "no letter or digit"},
		{"a status that is there twice", func(s *settings) { s.Statuses = map[string]string{"On hold": "cancelled", "on-hold": "active"} }, "statuses", `"On hold" and "on-hold"`},
		{"a currency that is none", func(s *settings) { s.Currency = "dollars" }, "currency", "ISO 4217"},
		{"a negative wait", func(s *settings) { s.Settle = -time.Second }, "settle", "negative"},
		{"a negative age", func(s *settings) { s.MaxAge = -time.Second }, "max_age", "negative"},
		{"a negative number of rows", func(s *settings) { s.ExpectRows = -1 }, "expect_rows", "negative"},
	} {
		s := good
		test.spoil(&s)
		found := s.validate()
		if !slices.ContainsFunc(found, func(d sdk.Diagnostic) bool { return d.Field == test.field && strings.Contains(d.Message, test.says) }) || len(found) != 1 {
			t.Errorf("%s: %+v", test.name, found)
		}
	}
}

// Every setting and field is told of in the README, with its default.
func TestTheREADMETellsEverySettingAndField(t *testing.T) {
	t.Parallel()
	text := readFile(t, "README.md")
	for _, s := range settingTags() {
		row := "| `" + s.name + "` | "
		switch {
		case !strings.Contains(text, row):
			t.Errorf("setting %q is not told of", s.name)
		case s.fallback != "" && !strings.Contains(text, row+"`"+s.fallback+"`"):
			t.Errorf("the default of %q is not told as %q", s.name, s.fallback)
		}
	}
	for _, name := range append(slices.Clone(subscriptionNames), customerNames...) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("field %q is not told of", name)
		}
	}
}

func TestTheConnectionTestTellsWhatItFound(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.put("subs.csv", "id;customer_id;quantity;started_on\n1;C;1,5;25/3/2025\n2;C;2;1/3/2025\n", time.Hour)
	got := sdktest.Connection(t, plugin(), f.settings(nil))
	want := sdktest.ConnectionTest{
		OK: true, Account: f.path, Visible: "2 rows of subscriptions; the customers are those they name",
		Steps: []sdktest.Step{
			{Name: "find", Detail: filepath.Join(f.path, "subs.csv") + ` for "subs*.csv"`},
			{Name: "read subscriptions", Detail: "subs.csv: 2 rows (utf-8, semicolon, decimal comma, dates dmy)"},
		},
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
	f.put("subs.csv", "id;customer_id\n1;C\n2;", time.Hour)
	got = sdktest.Connection(t, plugin(), f.settings(nil))
	last := got.Steps[len(got.Steps)-1]
	if got.OK || last.Name != "read subscriptions" || last.Err.Class != sdk.ClassSchema || !strings.Contains(last.Err.Message, "subs.csv is not whole") {
		t.Errorf("%+v", got)
	}
}
