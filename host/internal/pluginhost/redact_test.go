// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEveryFormOfASecretIsHidden(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[ -~äöé]{8,40}`).Filter(func(s string) bool {
			return strings.TrimSpace(s) == s && !strings.Contains(s, "**")
		}).Draw(t, "secret")
		prefix := rapid.StringMatching(`[a-z]{0,7}:`).Draw(t, "prefix")
		r := &redactor{}
		r.add("another", secret)
		quoted, _ := json.Marshal(secret)
		forms := map[string]string{
			"plain":     secret,
			"query":     url.QueryEscape(secret),
			"path":      url.PathEscape(secret),
			"json":      strings.Trim(string(quoted), `"`),
			"hex":       hex.EncodeToString([]byte(secret)),
			"html":      html.EscapeString(secret),
			"base64":    base64.StdEncoding.EncodeToString([]byte(secret)),
			"rawbase64": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		}
		for name, form := range forms {
			got := r.hide("<" + form + ">")
			if got != "<***>" {
				t.Fatalf("%s: %q gives %q", name, form, got)
			}
		}
		// As in a basic Authorization header: the whole secret must not be readable.
		header := base64.StdEncoding.EncodeToString([]byte(prefix + secret))
		if got := r.hide(header); got == header || !strings.Contains(got, redacted) {
			t.Fatalf("header %q gives %q", header, got)
		}
	})
}

func TestASecretOfManyLinesIsHiddenLineByLine(t *testing.T) {
	t.Parallel()
	r := &redactor{}
	r.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQE\n-----END KEY-----\n")
	if got := r.hide("line MIIEvQIBADANBg and kqhkiG9w0BAQE"); got != "line *** and ***" {
		t.Error(got)
	}
}

func TestShortTextsAreNotTakenForSecrets(t *testing.T) {
	t.Parallel()
	r := &redactor{}
	r.add("", "a", "abc")
	if got := r.hide("abcabc"); got != "abcabc" {
		t.Error(got)
	}
}

func TestTextForPeopleIsOneCleanLineOfBoundedLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &redactor{}
		got := r.clean(string(rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "text")))
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t\x1b\x00") || len(got) > maxText+len("…") {
			t.Fatalf("%q", got)
		}
	})
}

func TestHostVersionsAreCompared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		constraint, version string
		ok, bad             bool
	}{
		{"", "anything", true, false},
		{">= 1.2, < 3", "1.2.0", true, false},
		{">= 1.2, < 3", "2.9.9", true, false},
		{">= 1.2, < 3", "3.0.0", false, false},
		{">= 1.2, < 3", "1.1.9", false, false},
		{">= 1.10", "1.9.0", false, false},
		{">=1.2,<3", "v1.2.0", true, false},
		{"> 1.2", "1.2.0", false, false},
		{"<= 1.2", "1.2.0", true, false},
		{"= 1.2.3", "1.2.3", true, false},
		{"1.2.3", "1.2.3", true, false},
		{"!= 1.2.3", "1.2.3", false, false},
		{">= 1.3", "1.3.0-rc.1+build5", true, false},
		{">= 1.3", "devel", false, true},
		{"~> 1.3", "1.3.0", false, true},
		{">= 1.3,", "1.3.0", false, true},
		{">= one", "1.3.0", false, true},
	} {
		ok, err := accepts(c.constraint, c.version)
		if ok != c.ok || (err != nil) != c.bad {
			t.Errorf("%q with %q: %v %v", c.constraint, c.version, ok, err)
		}
	}
}
