// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/base64"
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

// maxSecrets bounds how many tokens are remembered; the oldest are forgotten first.
const maxSecrets = 256

func (r *redactor) add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		secret = strings.TrimSpace(secret)
		if len(secret) < minSecret {
			continue
		}
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
		} {
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
