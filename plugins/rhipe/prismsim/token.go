// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Scope is the scope a token is asked for.
const Scope = "rhipeapi"

// tokenPrefix starts every token, as the header of a JSON web token does.
const tokenPrefix = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." //nolint:gosec // no secret

type tokenState struct {
	expires time.Time
	calls   int
}

// tokenStore holds the tokens that are good. It is safe for concurrent use.
type tokenStore struct {
	mu   sync.Mutex
	good map[string]*tokenState
}

func (ts *tokenStore) issue(now time.Time, life time.Duration) string {
	var b [48]byte
	_, _ = rand.Read(b[:]) // never fails
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.good) > 1000 {
		for k, t := range ts.good {
			if !now.Before(t.expires) {
				delete(ts.good, k)
			}
		}
	}
	ts.good[token] = &tokenState{expires: now.Add(life)}
	return token
}

// use counts a call and reports whether the token is still good.
func (ts *tokenStore) use(token string, now time.Time, limit int) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, ok := ts.good[token]
	if !ok {
		return false
	}
	if !now.Before(t.expires) || limit > 0 && t.calls >= limit {
		delete(ts.good, token)
		return false
	}
	t.calls++
	return true
}

func (ts *tokenStore) expireAll() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	clear(ts.good)
}

// blot replaces whatever looks like one of our tokens.
func (ts *tokenStore) blot(text string) string {
	for {
		i := strings.Index(text, tokenPrefix)
		if i < 0 {
			return text
		}
		end := i + len(tokenPrefix)
		for end < len(text) && (text[end] == '-' || text[end] == '_' || isAlnum(text[end])) {
			end++
		}
		text = text[:i] + "***" + text[end:]
	}
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// ExpireTokens makes every token that was issued worthless.
func (s *Server) ExpireTokens() { s.tokens.expireAll() }

// token answers the token endpoint: credentials in the form, or as Basic.
func (c *call) token() {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		c.refuseToken("invalid_request")
		return
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	if err := c.r.ParseForm(); err != nil {
		c.refuseToken("invalid_request")
		return
	}
	form := c.r.PostForm
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if id == "" {
		if user, pass, ok := c.r.BasicAuth(); ok {
			id, secret = user, pass
		}
	}
	switch {
	case form.Get("grant_type") == "" || id == "":
		c.refuseToken("invalid_request")
		return
	case form.Get("grant_type") != "client_credentials":
		c.refuseToken("unsupported_grant_type")
		return
	case !same(id, c.s.clientID) || !same(secret, c.s.clientSecret):
		c.refuseToken("invalid_client")
		return
	case form.Get("scope") != Scope:
		c.refuseToken("invalid_scope")
		return
	}
	life := time.Duration(c.sw.TokenLifetime)
	if life == 0 {
		life = time.Hour
	}
	kindOfToken := c.sw.TokenType
	if kindOfToken == "" {
		kindOfToken = "Bearer"
	}
	c.w.Header().Set("Cache-Control", "no-store, no-cache")
	body := marshal(map[string]any{
		"access_token": c.s.tokens.issue(c.s.now(), life), "expires_in": int64(life / time.Second), "token_type": kindOfToken,
	})
	c.send("application/json; charset=utf-8", func(w io.Writer) { _, _ = w.Write(body) })
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (c *call) refuseToken(word string) {
	status := c.sw.TokenErrorStatus
	if status == 0 {
		status = http.StatusBadRequest
	}
	c.answerJSON(status, map[string]string{"error": word})
}

// authorised checks the bearer token and answers 401 without a good one. The
// scheme is taken in any letter case, or as Switches.TokenType spells it.
func (c *call) authorised() bool {
	scheme, token, ok := strings.Cut(strings.TrimSpace(c.r.Header.Get("Authorization")), " ")
	if ok && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, c.sw.TokenType)) &&
		c.s.tokens.use(strings.TrimSpace(token), c.s.now(), c.sw.TokenCalls) {
		return true
	}
	c.w.Header().Set("WWW-Authenticate", "Bearer")
	c.fail(http.StatusUnauthorized, "Authorization has been denied for this request.")
	return false
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only for values made here
	}
	return body
}

func (c *call) answerJSON(status int, v any) {
	body := marshal(v)
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}
