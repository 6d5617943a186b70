// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
)

const (
	redacted = "***"
	// minSecret is the shortest text that is taken for a secret: hiding shorter ones would hide everything.
	minSecret = 4
	// maxText bounds a text of the plugin's that is shown or kept, in bytes.
	maxText = 2000
)

// redactor hides secrets in what a plugin says, in the forms in which they get out: as they are, escaped for a URL,
// in JSON, in HTML, in base64 (alone or in the middle of something longer, as in an Authorization header) and in hexadecimal.
type redactor struct {
	mu       sync.RWMutex
	secrets  []string
	replacer *strings.Replacer
}

// add hides more secrets from now on.
func (r *redactor) add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secrets...)
	forms := map[string]bool{}
	for _, s := range r.secrets {
		for _, part := range append(strings.Split(s, "\n"), s) {
			part = strings.TrimSpace(part)
			if len(part) < minSecret {
				continue
			}
			for _, form := range formsOf(part) {
				if len(form) >= minSecret {
					forms[form] = true
				}
			}
		}
	}
	list := make([]string, 0, len(forms))
	for form := range forms {
		list = append(list, form)
	}
	// The longest first, so that no part of one form is left over from a shorter one.
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	pairs := make([]string, 0, 2*len(list))
	for _, form := range list {
		pairs = append(pairs, form, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret)
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(secret)
	sum := hex.EncodeToString([]byte(secret))
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret)),
		strings.Trim(string(quoted), `"`), strings.Trim(strings.TrimSpace(plain.String()), `"`), sum, strings.ToUpper(sum), html.EscapeString(secret),
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, e.EncodeToString([]byte(secret)), strings.TrimRight(e.EncodeToString([]byte(secret)), "="))
		// The same bytes behind one, two or three others: only the characters that hold nothing but the secret.
		for lead := range 3 {
			n := lead + len(secret)
			text := e.EncodeToString(append(make([]byte, lead), secret...))
			inner := text[(lead*8+5)/6 : n*8/6]
			if len(inner) >= 6 {
				forms = append(forms, inner)
			}
		}
	}
	return forms
}

// hide gives text without secrets.
func (r *redactor) hide(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}

// clean gives a text of the plugin's as it may be shown: without secrets, on one line, without control characters, of
// bounded length.
func (r *redactor) clean(text string) string {
	text = r.hide(text)
	text = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			return ' '
		case c == utf8.RuneError || unicode.IsControl(c):
			return -1
		}
		return c
	}, text)
	return cut(strings.TrimSpace(text), maxText)
}

// cut bounds a text in bytes, on a whole character.
func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size] + "…"
}

// cleanError gives a failure the plugin reported as it may be shown and kept.
func (r *redactor) cleanError(e *sdk.Error) *sdk.Error {
	if e == nil {
		return nil
	}
	c := *e
	c.Message, c.Hint, c.CorrelationID = r.clean(e.Message), r.clean(e.Hint), r.clean(e.CorrelationID)
	c.Err = nil
	return &c
}
