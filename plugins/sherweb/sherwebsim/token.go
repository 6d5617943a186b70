// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// lifetime is how long a token is good.
const lifetime = time.Hour

// tokens are those that were issued, with their ends.
type tokens struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

// issue answers the token endpoint: OAuth 2.0 client credentials in a form, scope service-provider.
func (t *tokens) issue(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.ParseForm() != nil || r.PostForm.Get("grant_type") == "":
		answer(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
	case r.PostForm.Get("grant_type") != "client_credentials":
		answer(w, http.StatusBadRequest, `{"error":"unsupported_grant_type"}`)
	case r.PostForm.Get("client_id") != ClientID || r.PostForm.Get("client_secret") != ClientSecret:
		answer(w, http.StatusBadRequest, `{"error":"invalid_client"}`)
	case r.PostForm.Get("scope") != "service-provider":
		answer(w, http.StatusBadRequest, `{"error":"invalid_scope"}`)
	default:
		answer(w, http.StatusOK, fmt.Sprintf(`{"access_token":%q,"expires_in":%d,"token_type":"Bearer","scope":"service-provider"}`,
			t.add(), int(lifetime.Seconds())))
	}
}

func (t *tokens) add() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends == nil {
		t.ends = map[string]time.Time{}
	}
	token := fmt.Sprintf("eyJhbGciOiJSUzI1NiJ9.simulated-%08d.c2lnbmF0dXJl", len(t.ends)+1)
	t.ends[token] = time.Now().Add(lifetime)
	return token
}

// require lets only calls with a token pass.
func (t *tokens) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.good(bearer(r)) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			answer(w, http.StatusUnauthorized, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (t *tokens) good(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.ends[token])
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}
