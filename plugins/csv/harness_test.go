// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// folder is where a distributor's files arrive.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	return &folder{t, t.TempDir()}
}

// put writes a file that was finished so long ago.
func (f *folder) put(name, content string, ago time.Duration) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	when := time.Now().Add(-ago)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, when, when); err != nil {
		f.t.Fatal(err)
	}
}

// link makes a symbolic link.
func (f *folder) link(target, name string) {
	f.t.Helper()
	if err := os.Symlink(target, filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

// settings lead to the folder; more replaces some.
func (f *folder) settings(more map[string]any) map[string]any {
	s := map[string]any{"directory": f.path, "subscriptions": "subs*.csv", "settle": "20ms", "settle_wait": "60ms"}
	maps.Copy(s, more)
	return s
}

// list lists the subscriptions.
func (f *folder) list(more map[string]any, customers ...string) sdktest.Listing[sdk.Subscription] {
	f.t.Helper()
	return sdktest.Subscriptions(f.t, plugin(), f.settings(more), customers...)
}

// read lists the subscriptions of one file.
func read(t *testing.T, content string, more map[string]any) sdktest.Listing[sdk.Subscription] {
	t.Helper()
	f := newFolder(t)
	f.put("subs.csv", content, time.Hour)
	return f.list(more)
}

// one gives the only record of a complete listing.
func one[R any](t *testing.T, l sdktest.Listing[R]) R {
	t.Helper()
	if !l.Complete || len(l.Records) != 1 {
		t.Fatalf("complete %t, %d records, %v, warnings %q", l.Complete, len(l.Records), l.Err, l.Warnings)
	}
	return l.Records[0]
}

// number makes a Decimal of a text that is one.
func number(t *testing.T, text string) sdk.Decimal {
	t.Helper()
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b }))
}

// says reports whether one of the texts holds all the words.
func says(texts []string, words ...string) bool {
	for _, text := range texts {
		all := true
		for _, word := range words {
			all = all && strings.Contains(text, word)
		}
		if all {
			return true
		}
	}
	return false
}

// errorText gives why a listing is not complete, with the hint.
func errorText[R any](l sdktest.Listing[R]) []string {
	if l.Err == nil {
		return nil
	}
	return []string{l.Err.Message + " " + l.Err.Hint}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settingTag is what the tags say of a setting.
type settingTag struct{ name, fallback string }

func settingTags() []settingTag {
	var list []settingTag
	for f := range reflect.TypeFor[settings]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("setting"), ",")
		list = append(list, settingTag{name, f.Tag.Get("default")})
	}
	return list
}
