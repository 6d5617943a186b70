// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// minSecret is the shortest text that is redacted by value. Anything shorter would blot out ordinary words.
const minSecret = 4

// redactor removes the values of secret settings from text. It is safe for concurrent use, and nil removes nothing.
type redactor struct {
	replacer atomic.Pointer[strings.Replacer]
}

// set makes values the secrets.
func (r *redactor) set(values []string) {
	var forms []string
	for _, value := range values {
		forms = append(forms, secretForms(value)...)
		// A value read from a file often ends in a newline that is lost on the way to a message.
		if trimmed := strings.TrimSpace(value); trimmed != value {
			forms = append(forms, secretForms(trimmed)...)
		}
	}
	// Longest first: of two forms that begin at the same place the longer wins, so nothing of it is left over.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, hidden)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// text gives text without secrets.
func (r *redactor) text(text string) string {
	if r == nil {
		return text
	}
	if replacer := r.replacer.Load(); replacer != nil {
		return replacer.Replace(text)
	}
	return text
}

// error gives err for the other side: an *Error without secrets.
func (r *redactor) error(err error) *Error {
	e := AsError(err)
	if e == nil {
		return nil
	}
	clean := *e
	if clean.Message == "" && clean.Err != nil {
		clean.Message = clean.Err.Error()
	}
	clean.Message = r.text(clean.Message)
	clean.Hint = r.text(clean.Hint)
	clean.CorrelationID = r.text(clean.CorrelationID)
	clean.Field = r.text(clean.Field)
	return &clean
}

// secretForms gives the ways in which a secret turns up in messages: as it is, in a URL, in JSON and in base64, there
// also as a part of something longer such as "Basic base64(id:secret)".
func secretForms(value string) []string {
	if len(value) < minSecret {
		return nil
	}
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	if quoted, err := json.Marshal(value); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err == nil {
		quoted := strings.TrimSpace(plain.String())
		forms = append(forms, quoted[1:len(quoted)-1])
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(value)))
		// Three bytes become four characters, so what comes before the secret shifts it by 0, 1 or 2 bytes. Characters
		// that also depend on a neighbour are left out.
		for shift := range 3 {
			encoded := encoding.EncodeToString(append(make([]byte, shift), value...))
			from := (shift*8 + 5) / 6
			to := (shift + len(value)) * 8 / 6
			if part := encoded[from:to]; len(part) >= 2*minSecret {
				forms = append(forms, part)
			}
		}
	}
	return slices.DeleteFunc(forms, func(form string) bool { return len(form) < minSecret })
}
