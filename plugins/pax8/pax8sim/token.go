// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"crypto/rand"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// The credentials that are accepted, and the audience of the partner API.
const (
	clientID     = "pax8-simulator"
	clientSecret = "5ecret-of-the-pax8-simulator"
	audience     = "https://api.pax8.com"
)

// lifetime of a token, in seconds.
const lifetime = 86400

// tokens are the tokens that were given out and still hold.
type tokens struct {
	mu   sync.Mutex
	hold map[string]bool
}

// ServeHTTP gives a token for an object of client_id, client_secret, audience and grant_type.
func (t *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Audience     string `json:"audience"`
		GrantType    string `json:"grant_type"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" || json.NewDecoder(r.Body).Decode(&asked) != nil {
		refuseToken(w, http.StatusBadRequest, "invalid_request", "the body is not a JSON object")
		return
	}
	if asked.GrantType != "client_credentials" {
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	if asked.ClientID != clientID || asked.ClientSecret != clientSecret || asked.Audience != audience {
		refuseToken(w, http.StatusUnauthorized, "access_denied", http.StatusText(http.StatusUnauthorized))
		return
	}
	token := rand.Text()
	t.mu.Lock()
	if t.hold == nil {
		t.hold = map[string]bool{}
	}
	t.hold[token] = true
	t.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})
}

func refuseToken(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, map[string]any{"error": code, "error_description": text})
}

// accepts tells whether a request carries a token that holds.
func (t *tokens) accepts(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hold[token]
}

// revoke makes all tokens worthless.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.hold)
}
