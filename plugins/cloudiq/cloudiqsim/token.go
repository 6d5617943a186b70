// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
)

// The credentials that are accepted. The secret holds characters that an encoding too many would change.
const (
	clientID     = "0a1b2c3d-c10d-4000-8000-00000000c1d1"
	clientSecret = "5ecret/of+the=cloudiq-simulator"
	username     = "api.user@msp.example"
	password     = "pa55word of the API user"
	scope        = "CustomerApi"
)

// lifetime of a token, in seconds.
const lifetime = 3600

// tokens are the tokens that were given out, with how many requests each is still good for.
type tokens struct {
	mu   sync.Mutex
	good map[string]int
}

// forever is more requests than anybody makes.
const forever = 1 << 40

// ServeHTTP gives a token for a form with the grant password and a client that names itself by HTTP Basic.
func (t *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.give(w, r, forever) }

// give gives a token that is good for so many requests.
func (t *tokens) give(w http.ResponseWriter, r *http.Request, requests int) {
	id, secret, basic := r.BasicAuth()
	if err := r.ParseForm(); err != nil || r.PostForm.Has("client_id") || r.PostForm.Has("client_secret") {
		refuseToken(w, "invalid_request")
		return
	}
	switch {
	case !basic || id != clientID || secret != clientSecret:
		refuseToken(w, "invalid_client")
	case r.PostForm.Get("grant_type") != "password":
		refuseToken(w, "unsupported_grant_type")
	case r.PostForm.Get("scope") != scope:
		refuseToken(w, "invalid_scope")
	case r.PostForm.Get("username") != username || r.PostForm.Get("password") != password:
		refuseToken(w, "invalid_grant")
	default:
		token := rand.Text()
		t.mu.Lock()
		if t.good == nil {
			t.good = map[string]int{}
		}
		t.good[token] = requests
		t.mu.Unlock()
		answer(w, http.StatusOK, map[string]any{
			"AccessToken": token, "IdentityToken": nil, "Error": nil, "ExpiresIn": lifetime, "TokenType": "Bearer", "RefreshToken": nil,
		})
	}
}

// refuseToken answers 400 to whatever is wrong, as Cloud-iQ is seen to do.
func refuseToken(w http.ResponseWriter, code string) {
	answer(w, http.StatusBadRequest, map[string]any{"AccessToken": nil, "Error": code, "ExpiresIn": 0, "TokenType": nil})
}

// accepts tells whether a request carries a token that holds.
func (t *tokens) accepts(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.good[token] == 0 {
		return false
	}
	t.good[token]--
	return true
}

// revoke makes all tokens worthless.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.good)
}
