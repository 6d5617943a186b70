// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// redactor replaces secrets in text. It is safe for concurrent use.
type redactor struct {
	mu      sync.RWMutex
	secrets []string
}

// minSecret is the shortest text treated as a secret by value; anything shorter would blot out ordinary words.
const minSecret = 4

// maxSecrets bounds how many forms of tokens are remembered; the oldest are forgotten first.
const maxSecrets = 2048

func (r *redactor) add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		secret = strings.TrimSpace(secret)
		if len(secret) < minSecret {
			continue
		}
		for _, form := range formsOf(secret) {
			if !slices.Contains(r.secrets, form) {
				r.secrets = append(r.secrets, form)
			}
		}
	}
	// The first ones are the credentials; what goes are the oldest tokens.
	if extra := len(r.secrets) - maxSecrets; extra > 0 {
		r.secrets = slices.Delete(r.secrets, maxSecrets/2, maxSecrets/2+extra)
	}
}

// formsOf gives the ways in which a secret comes back in an answer: as it is, escaped for a URL, for JSON or for HTML, in
// hexadecimal, and in base64, there also as a part of something longer such as "Basic base64(id:secret)".
func formsOf(secret string) []string {
	escaped, sum := url.QueryEscape(secret), hex.EncodeToString([]byte(secret))
	forms := []string{
		secret, escaped, strings.ToLower(escaped), url.PathEscape(secret), html.EscapeString(secret), sum, strings.ToUpper(sum),
	}
	if quoted, err := json.Marshal(secret); err == nil {
		text := string(quoted[1 : len(quoted)-1])
		plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
		forms = append(forms, text, plain, strings.ReplaceAll(plain, "/", `\/`))
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, escapedToo(encoding.EncodeToString([]byte(secret)))...)
		// What comes before the secret shifts it by none, one or two bytes. Characters that also depend on a neighbour are
		// left out.
		for shift := range 3 {
			text := encoding.EncodeToString(append(make([]byte, shift), secret...))
			if part := text[(shift*8+5)/6 : (shift+len(secret))*8/6]; len(part) >= 2*minSecret {
				forms = append(forms, escapedToo(part)...)
			}
		}
	}
	return forms
}

// escapedToo gives base64 as it is and as it stands in a URL.
func escapedToo(text string) []string {
	escaped := url.QueryEscape(text)
	if escaped == text {
		return []string{text}
	}
	small := strings.NewReplacer("%2B", "%2b", "%2F", "%2f").Replace(escaped)
	return []string{text, escaped, small}
}

// headerSecrets gives the secrets in the values of a header: all of it, what follows "Bearer", and what is in "Basic".
func headerSecrets(values []string) []string {
	list := slices.Clone(values)
	for _, value := range values {
		scheme, credentials, found := strings.Cut(value, " ")
		if !found {
			continue
		}
		list = append(list, credentials)
		if !strings.EqualFold(scheme, "Basic") {
			continue
		}
		if pair, err := base64.StdEncoding.DecodeString(credentials); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			list = append(list, password)
		}
	}
	return list
}

// redactCut is redact for a text that breaks off: what it ends in may be the beginning of a secret.
func (r *redactor) redactCut(text string) string {
	text = r.redact(text)
	r.mu.RLock()
	defer r.mu.RUnlock()
	longest := 0
	for _, secret := range r.secrets {
		for n := min(len(secret), len(text)); n > longest && n >= minSecret; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				longest = n
			}
		}
	}
	if longest > 0 {
		text = text[:len(text)-longest] + "***"
	}
	return text
}

// tokenLike finds what looks like a bearer token or a signed web token, known or not.
var tokenLike = regexp.MustCompile(`(?i)\bbearer\s+[a-z0-9._~+/=-]{8,}|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9._-]+`)

func (r *redactor) redact(text string) string {
	r.mu.RLock()
	known := slices.Clone(r.secrets)
	r.mu.RUnlock()
	// Longest first, so that a secret which contains another leaves nothing of itself.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range known {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return tokenLike.ReplaceAllString(text, "***")
}
