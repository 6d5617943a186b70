// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	c := start(t)
	ask := func() map[string]any {
		a := c.postForm(tokenForm(), nil)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%d %q", a.status, a.header.Get("Content-Type"))
		}
		return decode(t, a.body).(map[string]any)
	}
	got := ask()
	if len(got) != 3 || got["expires_in"] != json.Number("3600") || got["token_type"] != "Bearer" || got["access_token"] == "" {
		t.Errorf("%v", got)
	}
	if again := ask(); again["access_token"] == got["access_token"] {
		t.Error("the same token twice")
	}
	c.s.Set(func(s *prismsim.Switches) { s.TokenLifetime, s.TokenType = prismsim.Duration(90*time.Second), "PRISM" })
	if got := ask(); got["expires_in"] != json.Number("90") || got["token_type"] != "PRISM" {
		t.Errorf("with switches: %v", got)
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, test := range []struct {
		note   string
		form   func(url.Values)
		change func(*http.Request)
		word   string
	}{
		{"wrong secret", func(f url.Values) { f.Set("client_secret", "wrong") }, nil, "invalid_client"},
		{"no secret", func(f url.Values) { f.Del("client_secret") }, nil, "invalid_client"},
		{"wrong client", func(f url.Values) { f.Set("client_id", unknownID) }, nil, "invalid_client"},
		{"no client", func(f url.Values) { f.Del("client_id") }, nil, "invalid_request"},
		{"wrong scope", func(f url.Values) { f.Set("scope", "openid") }, nil, "invalid_scope"},
		{"no scope", func(f url.Values) { f.Del("scope") }, nil, "invalid_scope"},
		{"wrong grant", func(f url.Values) { f.Set("grant_type", "password") }, nil, "unsupported_grant_type"},
		{"no grant", func(f url.Values) { f.Del("grant_type") }, nil, "invalid_request"},
		{"not a form", func(url.Values) {}, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "invalid_request"},
		{"no content type", func(url.Values) {}, func(r *http.Request) { r.Header.Del("Content-Type") }, "invalid_request"},
		{
			"wrong secret as Basic", func(f url.Values) { f.Del("client_id"); f.Del("client_secret") },
			func(r *http.Request) { r.SetBasicAuth(prismsim.DemoClientID, "wrong") }, "invalid_client",
		},
	} {
		form := tokenForm()
		test.form(form)
		a := c.postForm(form, test.change)
		if a.status != http.StatusBadRequest || string(a.body) != `{"error":"`+test.word+`"}` {
			t.Errorf("%s: %d %s, want %s", test.note, a.status, a.body, test.word)
		}
	}
	form := tokenForm()
	form.Set("scope", "openid")
	c.s.Set(func(s *prismsim.Switches) { s.TokenErrorStatus = http.StatusUnauthorized })
	if a := c.postForm(form, nil); a.status != http.StatusUnauthorized || string(a.body) != `{"error":"invalid_scope"}` {
		t.Errorf("with another status: %d %s", a.status, a.body)
	}
	if a := c.postForm(tokenForm(), nil); a.status != http.StatusOK {
		t.Errorf("the right form then: %d", a.status)
	}
}

func TestOtherCredentials(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithCredentials("someone", "something"))
	if a := c.postForm(tokenForm(), nil); a.status != http.StatusBadRequest {
		t.Errorf("the demo credentials: %d", a.status)
	}
	form := tokenForm()
	form.Set("client_id", "someone")
	form.Set("client_secret", "something")
	if a := c.postForm(form, nil); a.status != http.StatusOK {
		t.Errorf("the right ones: %d", a.status)
	}
	defer func() {
		if recover() == nil {
			t.Error("an empty secret was taken")
		}
	}()
	prismsim.New(smallWorld(), prismsim.WithCredentials("someone", ""))
}

// clock is a clock that is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	hands := &clock{at: time.Date(2025, time.March, 14, 9, 0, 0, 0, time.UTC)}
	c := start(t, prismsim.WithClock(hands.now), prismsim.WithSwitches(prismsim.Switches{TokenLifetime: prismsim.Duration(time.Minute)}))
	expect := func(when string, status int) {
		t.Helper()
		if a := c.get("/api/v1/me"); a.status != status {
			t.Errorf("%s: %d, want %d", when, a.status, status)
		}
	}
	expect("at once", 200)
	hands.move(59 * time.Second)
	expect("just before its end", 200)
	hands.move(time.Second)
	expect("at its end", 401)
	hands.move(-time.Hour)
	expect("once it was refused", 401)

	c.token = c.logIn()
	c.s.ExpireTokens()
	expect("after all have expired", 401)

	c.s.Set(func(s *prismsim.Switches) { s.TokenCalls = 2 })
	c.token = c.logIn()
	expect("first call", 200)
	expect("second call", 200)
	expect("third call", 401)
	c.token = c.logIn()
	expect("with another token", 200)
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	c := start(t)
	token := c.logIn()
	for header, want := range map[string]int{
		"":                         401,
		"Bearer":                   401,
		"Bearer ":                  401,
		"Bearer nonsense":          401,
		"Basic " + token:           401,
		token:                      401,
		"Bearer " + token + "x":    401,
		"Bearer " + token:          200,
		"bearer " + token:          200,
		"BEARER  " + token + "   ": 200,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.APIURL()+customersPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		a, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != want {
			t.Errorf("%q: %d, want %d", strings.ReplaceAll(header, token, "TOKEN"), a.status, want)
		}
		if want == 401 && (a.header.Get("WWW-Authenticate") != "Bearer" || string(a.body) != `{"Message":"Authorization has been denied for this request."}`) {
			t.Errorf("%q: %q %s", header, a.header.Get("WWW-Authenticate"), a.body)
		}
	}
	c.s.Set(func(s *prismsim.Switches) { s.TokenType = "PRISM" })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.APIURL()+customersPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "PRISM "+token)
	if a, err := send(r); err != nil || a.status != 200 {
		t.Errorf("the scheme the token names: %v, %+v", err, a)
	}
}

func TestEveryEndpointNeedsAToken(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.token = "nonsense"
	for _, r := range reads {
		if a := c.call(r.method, r.path, r.body); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", r.doc, a.status)
		}
	}
	for _, w := range writes {
		if a := c.call("POST", w.path, w.body); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", w.path, a.status)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := prismsim.New(smallWorld())
	if s.APIURL() != "" || s.TokenURL() != "" || s.CertificatePEM() != nil {
		t.Error("it has addresses before it listens")
	}
	if err := s.StartTLS(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Start(); err == nil {
		t.Error("it was started twice")
	}
	client := httpsClient(t, s.CertificatePEM())
	response, err := client.PostForm(s.TokenURL(), tokenForm())
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 || !strings.HasPrefix(s.TokenURL(), "https://127.0.0.1:") {
		t.Errorf("%s: %d", s.TokenURL(), response.StatusCode)
	}
	if response, err := httpsClient(t, nil).PostForm(s.TokenURL(), tokenForm()); err == nil {
		_ = response.Body.Close()
		t.Error("a client without the certificate trusts it")
	}
}
