// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

const secret = "5ecret5ecret5ecret5ecret5ecret00"

// api is a distributor's service for tests: a token endpoint and whatever handler a test gives.
type api struct {
	*httptest.Server
	tokens   atomic.Int64
	requests atomic.Int64
	// expiresIn is what the token endpoint says; refuse makes it answer so.
	expiresIn string
	refuse    func(w http.ResponseWriter, r *http.Request) bool
}

func newAPI(t *testing.T, handler http.HandlerFunc) *api {
	t.Helper()
	a := &api{expiresIn: "3600"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		n := a.tokens.Add(1)
		if a.refuse != nil && a.refuse(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token-number-%d","expires_in":%s,"token_type":"Bearer"}`, n, a.expiresIn)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		handler(w, r)
	})
	a.Server = httptest.NewServer(mux)
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(a.Close)
	return a
}

func (a *api) options() rest.Options {
	return rest.Options{
		BaseURL: a.URL, RetryWait: time.Millisecond, MaxRetryWait: 5 * time.Second,
		Token: &rest.ClientCredentials{TokenURL: a.URL + "/token", ClientID: "the-client", ClientSecret: secret, Scope: "api"},
	}
}

func newClient(t *testing.T, options rest.Options) *rest.Client {
	t.Helper()
	c, err := rest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

func status(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// wantError checks class and parts of the message, and that no secret is in anything a person may see.
func wantError(t *testing.T, err error, class sdk.Class, parts ...string) *sdk.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want class %s", class)
	}
	var e *sdk.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T) is no *sdk.Error", err, err)
	}
	if e.Class != class {
		t.Errorf("class %s, want %s (%s)", e.Class, class, e.Message)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message+" | "+e.Hint, part) {
			t.Errorf("message %q with hint %q does not hold %q", e.Message, e.Hint, part)
		}
	}
	shown := fmt.Sprintf("%v %+v %s %s", e, e.Err, e.Hint, e.CorrelationID)
	for _, never := range []string{secret, "token-number"} {
		if strings.Contains(shown, never) {
			t.Errorf("the error shows %q: %s", never, shown)
		}
	}
	return e
}

var customers = rest.Read("GET", "/v1/customers", nil)

func TestTokenIsFetchedOnceAndSent(t *testing.T) {
	t.Parallel()
	var header sync.Map
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		header.Store(r.Header.Get("Authorization"), true)
		answer(`[]`)(w, r)
	})
	c := newClient(t, a.options())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), customers); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := a.tokens.Load(); n != 1 {
		t.Errorf("%d tokens were fetched, want 1", n)
	}
	if _, ok := header.Load("Bearer token-number-1"); !ok {
		t.Error("the token was not sent as a bearer token")
	}
}

func TestTokenRequestForms(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rest.ClientCredentials)
		want   string
	}{
		"a form by default": {
			func(*rest.ClientCredentials) {},
			"application/x-www-form-urlencoded client_id=the-client&client_secret=" + secret + "&grant_type=client_credentials&scope=api",
		},
		"a JSON object": {
			func(c *rest.ClientCredentials) { c.JSON = true },
			`application/json {"client_id":"the-client","client_secret":"` + secret + `","grant_type":"client_credentials","scope":"api"}`,
		},
		"extra parameters and another grant": {func(c *rest.ClientCredentials) {
			c.Extra = map[string]string{"grant_type": "password", "username": "sam", "password": "hunter22"}
			c.Basic = true
		}, "application/x-www-form-urlencoded Basic the-client:" + secret + " grant_type=password&password=hunter22&scope=api&username=sam"},
		"Basic, escaped": {func(c *rest.ClientCredentials) {
			c.Basic, c.ClientSecret = true, "a+b/c="
		}, "application/x-www-form-urlencoded Basic the-client:a%2Bb%2Fc%3D grant_type=client_credentials&scope=api"},
		"Basic, as it is": {func(c *rest.ClientCredentials) {
			c.Basic, c.Unescaped, c.ClientSecret = true, true, "a+b/c="
		}, "application/x-www-form-urlencoded Basic the-client:a+b/c= grant_type=client_credentials&scope=api"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, answer(`[]`))
			var got string
			a.refuse = func(_ http.ResponseWriter, r *http.Request) bool {
				body, _ := io.ReadAll(r.Body)
				got = r.Header.Get("Content-Type") + " "
				if user, password, ok := r.BasicAuth(); ok {
					got += "Basic " + user + ":" + password + " "
				}
				got += string(body)
				return false
			}
			options := a.options()
			test.change(options.Token)
			if _, err := newClient(t, options).Get(t.Context(), customers); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenIsRenewedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[]`))
	// Half the lifetime is the latest time to renew, so a token of one second is old at once only after 500 ms; a margin
	// cannot be negative, so what is left to see is that a token without a lifetime is kept.
	a.expiresIn = "0"
	c := newClient(t, a.options())
	for range 3 {
		if _, err := c.Get(t.Context(), customers); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.tokens.Load(); n != 1 {
		t.Errorf("%d tokens for a lifetime that was not told, want 1", n)
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-number-1" {
			status(401, "application/json", `{"Message":"Authorization has been denied for this request."}`)(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		answer(`["`+string(body)+`"]`)(w, r)
	})
	c := newClient(t, a.options())
	v, err := c.Get(t.Context(), rest.Read("POST", "/v1/search", nil).WithBody(7))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Raw()); got != `["7"]` {
		t.Errorf("the repeat got %s: its body was not sent again", got)
	}
	if n := a.tokens.Load(); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}

// TestATokenThatWearsOutIsReplacedAgain: while a request is on its way, others use its fresh token up.
func TestATokenThatWearsOutIsReplacedAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refusals, requests int64
		fails              bool
	}{
		"twice":       {2, 3, false},
		"three times": {3, 4, false},
		"for ever":    {1000, 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c *rest.Client
			var asked atomic.Int64
			a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/others" {
					answer(`[]`)(w, r)
					return
				}
				if asked.Add(1) > test.refusals {
					answer(`["in"]`)(w, r)
					return
				}
				if _, err := c.Get(t.Context(), rest.Read("GET", "/v1/others", nil)); err != nil {
					t.Error(err)
				}
				status(401, "application/json", `{"Message":"denied"}`)(w, r)
			})
			c = newClient(t, a.options())
			v, err := c.Get(t.Context(), customers)
			if test.fails {
				wantError(t, err, sdk.ClassAuth, "401", "denied")
			} else if err != nil || string(v.Raw()) != `["in"]` {
				t.Errorf("got %s (%v)", v.Raw(), err)
			}
			if n := asked.Load(); n != test.requests {
				t.Errorf("it was asked for %d times, want %d", n, test.requests)
			}
		})
	}
}

func TestSecondRefusalOfATokenIsAnAuthError(t *testing.T) {
	t.Parallel()
	a := newAPI(t, status(401, "application/json", `{"Message":"denied"}`))
	_, err := newClient(t, a.options()).Get(t.Context(), customers)
	wantError(t, err, sdk.ClassAuth, "401", "denied", "/v1/customers")
	if n := a.requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestRefusedCredentialsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		class  sdk.Class
		field  string
	}{
		"wrong secret":                {400, `{"error":"invalid_client"}`, sdk.ClassAuth, ""},
		"wrong secret, answered 401":  {401, `{"error":"invalid_client","error_description":"no"}`, sdk.ClassAuth, ""},
		"wrong scope":                 {400, `{"error":"invalid_scope"}`, sdk.ClassSettings, "scope"},
		"grant not supported":         {400, `{"error":"unsupported_grant_type"}`, sdk.ClassSettings, "token_url"},
		"no token endpoint there":     {404, `nothing here`, sdk.ClassSettings, "token_url"},
		"refused without explanation": {403, ``, sdk.ClassAuth, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, answer(`[]`))
			a.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
				return true
			}
			c := newClient(t, a.options())
			for range 3 {
				_, err := c.Get(t.Context(), customers)
				if e := wantError(t, err, test.class, "/token"); e.Field != test.field {
					t.Errorf("field %q, want %q", e.Field, test.field)
				}
			}
			if n := a.tokens.Load(); n != 1 {
				t.Errorf("the token endpoint was asked %d times, want 1", n)
			}
			if n := a.requests.Load(); n != 0 {
				t.Errorf("%d requests went out without a token", n)
			}
		})
	}
}

func TestTokenEndpointFaultIsRetried(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[]`))
	a.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		if a.tokens.Load() > 2 {
			return false
		}
		w.WriteHeader(503)
		return true
	}
	if _, err := newClient(t, a.options()).Get(t.Context(), customers); err != nil {
		t.Fatal(err)
	}
	if n := a.tokens.Load(); n != 3 {
		t.Errorf("%d token requests, want 3", n)
	}
}

func TestReadsAreRepeatedAndWritesAreNot(t *testing.T) {
	t.Parallel()
	drop := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	tests := map[string]struct {
		fail    http.HandlerFunc
		request rest.Request
		want    int64
		class   sdk.Class
	}{
		"a read answered 500":        {status(500, "text/plain", "oops"), customers, 4, sdk.ClassTransient},
		"a read answered 429":        {status(429, "text/plain", "slow down"), customers, 4, sdk.ClassThrottled},
		"a read answered 404":        {status(404, "text/plain", "no"), customers, 1, sdk.ClassNotFound},
		"a read answered 400":        {status(400, "text/plain", "no"), customers, 1, sdk.ClassInvalid},
		"a read answered 501":        {status(501, "text/plain", "no"), customers, 1, sdk.ClassUnsupported},
		"a read that lost its line":  {drop, customers, 4, sdk.ClassTransient},
		"a read by POST":             {status(502, "text/plain", "oops"), rest.Read("POST", "/v1/usage", nil).WithBody(1), 4, sdk.ClassTransient},
		"a write answered 500":       {status(500, "text/plain", "oops"), rest.Write("POST", "/v1/orders", nil).WithBody(1), 1, sdk.ClassTransient},
		"a write answered 429":       {status(429, "text/plain", "oops"), rest.Write("POST", "/v1/orders", nil), 1, sdk.ClassThrottled},
		"a write answered 401":       {status(401, "text/plain", "oops"), rest.Write("POST", "/v1/orders", nil), 1, sdk.ClassAuth},
		"a write that lost its line": {drop, rest.Write("PUT", "/v1/orders", nil).WithBody(1), 1, sdk.ClassTransient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, test.fail)
			options := a.options()
			options.MaxAttempts = 4
			// Without a token request before it no connection is reused; net/http itself repeats a GET on a reused one.
			if test.class == sdk.ClassTransient {
				options.Token = nil
			}
			_, err := newClient(t, options).Get(t.Context(), test.request)
			wantError(t, err, test.class)
			if n := a.requests.Load(); n != test.want {
				t.Errorf("%d requests, want %d", n, test.want)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func() string{
		"in seconds": func() string { return "1" },
		"as a date":  func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var times []time.Time
			var a *api
			a = newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				times = append(times, time.Now())
				if a.requests.Load() == 1 {
					w.Header().Set("Retry-After", header())
					status(429, "text/plain", "slow down")(w, r)
					return
				}
				answer(`[]`)(w, r)
			})
			if _, err := newClient(t, a.options()).Get(t.Context(), customers); err != nil {
				t.Fatal(err)
			}
			if len(times) != 2 || times[1].Sub(times[0]) < 900*time.Millisecond {
				t.Errorf("requests at %v: the wait asked for was not kept", times)
			}
		})
	}
}

func TestTooLongAWaitIsReportedNotSlept(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "86400")
		status(429, "application/json", `{"message":"quota used up"}`)(w, r)
	})
	_, err := newClient(t, a.options()).Get(t.Context(), customers)
	e := wantError(t, err, sdk.ClassThrottled, "quota used up")
	if e.RetryAfter != 24*time.Hour {
		t.Errorf("RetryAfter %s, want 24h", e.RetryAfter)
	}
	if n := a.requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestErrorTextIsReadInEveryStyle(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very long ", 200)
	tests := map[string]struct {
		contentType, body, want, not string
	}{
		"Message":                {"application/json", `{"Message":"Tenant is locked"}`, "Tenant is locked", ""},
		"message":                {"application/json", `{"message":"Tenant is locked"}`, "Tenant is locked", ""},
		"ExceptionMessage":       {"application/json", `{"Message":"","ExceptionMessage":"Object reference"}`, "Object reference", ""},
		"OAuth":                  {"application/json", `{"error":"access_denied","error_description":"not yours"}`, "access_denied: not yours", ""},
		"error only":             {"application/json", `{"error":"boom"}`, "boom", ""},
		"nested error":           {"application/json", `{"error":{"code":"X1","message":"inner"}}`, "inner", ""},
		"ModelState":             {"application/json", `{"Message":"The request is invalid.","ModelState":{"id":["is no GUID"]}}`, "id: is no GUID", ""},
		"HTML":                   {"text/html", `<html><head><style>p{x}</style><script>evil()</script></head><body><h1>Bad &amp; sad</h1></body>`, "Bad &amp; sad", "evil"},
		"text":                   {"text/plain", "line one\r\n\tline two\x00\x1b[31m", "line one line two", "\x1b"},
		"empty":                  {"text/plain", "", "403 Forbidden", ""},
		"too long":               {"text/plain", long, "very long", long},
		"not UTF-8":              {"text/plain", "caf\xe9 closed", "caf closed", "\xe9"},
		"a secret within":        {"text/plain", "bad client_secret " + secret, "bad client_secret ***", secret},
		"a secret over the edge": {"text/plain", strings.Repeat("x", 480) + " " + secret, "x", secret[:12]},
		"a token within":         {"text/plain", "bad token token-number-1 and Bearer abcdefghijkl", "bad token *** and ***", "abcdefghijkl"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, status(403, test.contentType, test.body))
			_, err := newClient(t, a.options()).Get(t.Context(), customers)
			e := wantError(t, err, sdk.ClassPermission, test.want)
			if test.not != "" && strings.Contains(e.Message, test.not) {
				t.Errorf("message %q holds %q", e.Message, test.not)
			}
			if len(e.Message) > 700 {
				t.Errorf("the message has %d bytes", len(e.Message))
			}
		})
	}
}

func TestErrorNamesRequestAndCorrelationWithoutQuery(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Correlation-ID", "corr-1")
		status(404, "text/plain", "")(w, r)
	})
	_, err := newClient(t, a.options()).Get(t.Context(), rest.Read("GET", "/v1/t/{id}", rest.Vars{"id": "a b"}).WithQuery("key", "hush"))
	e := wantError(t, err, sdk.ClassNotFound, "GET "+strings.TrimPrefix(a.URL, "http://")+"/v1/t/a%20b answered 404")
	if e.CorrelationID != "corr-1" || strings.Contains(e.Message, "hush") {
		t.Errorf("correlation id %q, message %q", e.CorrelationID, e.Message)
	}
}

func TestAnswersThatAreNotJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ contentType, body, want string }{
		"a sign-in page":                {"text/html; charset=utf-8", "<!DOCTYPE html><html>Sign in</html>", "HTML, not JSON"},
		"a sign-in page sold as JSON":   {"application/json", "\n <html><body>Sign in", "HTML, not JSON"},
		"XML":                           {"application/xml", "<Fault/>", "XML, not JSON"},
		"nothing":                       {"application/json", "", "empty"},
		"JSON cut in the middle":        {"application/json", `[{"a":1},{"b"`, ""},
		"JSON with something behind it": {"application/json", `[1] oops`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, status(200, test.contentType, test.body))
			c := newClient(t, a.options())
			_, err := c.Get(t.Context(), customers)
			wantError(t, err, sdk.ClassSchema, test.want)
			_, err = c.List(t.Context(), customers, func(rest.Value) error { return nil })
			wantError(t, err, sdk.ClassSchema, test.want)
		})
	}
}

func TestOnlyListedRequestsAreSent(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[]`))
	options := a.options()
	options.BaseURL += "/prism/"
	options.Allow = []rest.Endpoint{{"GET", "/v1/customers"}, {"GET", "/v2/tenants/{id}"}, {"GET", "/v2/prices/{y}/{m}/?all=true"}}
	c := newClient(t, options)
	for name, test := range map[string]struct {
		request rest.Request
		ok      bool
	}{
		"a listed path":              {rest.Read("GET", "/v1/customers", nil), true},
		"with a trailing slash":      {rest.Read("GET", "/v1/customers/", nil), true},
		"with a query":               {rest.Read("GET", "/v1/customers?x=1", nil), true},
		"with an id":                 {rest.Read("GET", "/v2/tenants/{id}", rest.Vars{"id": "7"}), true},
		"with a trailing slash, ids": {rest.Read("GET", "/v2/prices/{y}/{m}/", rest.Vars{"y": "2024", "m": "5"}), true},
		"another method":             {rest.Read("POST", "/v1/customers", nil), false},
		"another path":               {rest.Write("POST", "/v2/orders", nil), false},
		"a longer path":              {rest.Read("GET", "/v2/tenants/7/orders", nil), false},
		"an id with a slash":         {rest.Read("GET", "/v2/tenants/{id}", rest.Vars{"id": "7/../../orders"}), false},
		"an id of two dots":          {rest.Read("GET", "/v2/tenants/{id}", rest.Vars{"id": ".."}), false},
		"an escaped slash":           {rest.Read("GET", "/v2/tenants/7%2F8", nil), false},
		"an empty id":                {rest.Read("GET", "/v2/tenants/{id}", rest.Vars{"id": ""}), false},
		"an unknown variable":        {rest.Read("GET", "/v2/tenants/{tenant}", rest.Vars{"id": "7"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			before := a.requests.Load()
			_, err := c.Get(t.Context(), test.request)
			if (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
			if sent := a.requests.Load() - before; (sent == 1) != test.ok {
				t.Errorf("%d requests were sent", sent)
			}
		})
	}
}

func TestRedirectNeverCarriesTheTokenAway(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(true)
	}))
	t.Cleanup(elsewhere.Close)
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/login", http.StatusFound)
	})
	_, err := newClient(t, a.options()).Get(t.Context(), customers)
	wantError(t, err, sdk.ClassSchema, "302", "/login")
	if leaked.Load() {
		t.Error("the redirect was followed to another host")
	}
}

func TestAnswersThatNeverCome(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	}
	begin := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `[{"a":1},`)
			_ = http.NewResponseController(w).Flush()
			then(w, r)
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"no head":            {hang, "no answer within"},
		"a head and silence": {begin(hang), "nothing came for"},
		"a drip":             {begin(drip), "came in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, test.handler)
			options := a.options()
			options.Timeout, options.MaxAttempts, options.MinRate = 300*time.Millisecond, 1, 4096
			c := newClient(t, options)
			_, err := c.Get(t.Context(), customers)
			wantError(t, err, sdk.ClassTransient, test.want)
			_, err = c.List(t.Context(), customers, func(rest.Value) error { return nil })
			wantError(t, err, sdk.ClassTransient, test.want)
		})
	}
}

func TestCancelEndsARequestAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := newClient(t, a.options()).Get(ctx, customers)
	wantError(t, err, sdk.ClassTransient, "cancelled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

// bigList writes a JSON list of about size bytes.
func bigList(w io.Writer, size int) {
	element := []byte(`{"SubscriptionId":"e2f1d7aa-90c4-ec11-b656-000d3ad10001","Note":"` + strings.Repeat("x", 900) + `"}`)
	_, _ = w.Write([]byte("["))
	for written := 0; written < size; written += len(element) + 1 {
		if written > 0 {
			_, _ = w.Write([]byte(","))
		}
		_, _ = w.Write(element)
	}
	_, _ = w.Write([]byte("]"))
}

func TestLargeAnswers(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		bigList(w, 50<<20)
	})
	t.Run("streamed in bounded memory", func(t *testing.T) {
		c := newClient(t, a.options())
		var peak uint64
		n := 0
		_, err := c.List(t.Context(), customers, func(rest.Value) error {
			if n++; n%5000 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			return nil
		})
		if err != nil || n < 50_000 {
			t.Fatalf("%d elements, error %v", n, err)
		}
		if peak > 20<<20 {
			t.Errorf("%d MiB of heap were alive while a list of 50 MiB was streamed", peak>>20)
		}
	})
	t.Run("refused beyond the limit", func(t *testing.T) {
		options := a.options()
		options.MaxBody, options.MaxStream = 1<<20, 2<<20
		c := newClient(t, options)
		before := a.requests.Load()
		_, err := c.Get(t.Context(), customers)
		wantError(t, err, sdk.ClassSchema, "larger than the limit of 1.0 MiB")
		_, err = c.List(t.Context(), customers, func(rest.Value) error { return nil })
		wantError(t, err, sdk.ClassSchema, "larger than the limit of 2.0 MiB")
		if n := a.requests.Load() - before; n != 2 {
			t.Errorf("%d requests, want 2: size is no passing failure", n)
		}
	})
}

func TestCompressedAnswerIsBoundedByItsRealSize(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	bigList(z, 4<<20)
	_ = z.Close()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("no compression is offered")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	options := a.options()
	if _, err := newClient(t, options).Get(t.Context(), customers); err != nil {
		t.Fatal(err)
	}
	options.MaxBody = 1 << 20
	_, err := newClient(t, options).Get(t.Context(), customers)
	wantError(t, err, sdk.ClassSchema, "larger than the limit")
}

func TestABodyCutByTheLine(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `[{"a":1},{"a":2}`)
	})
	options := a.options()
	options.MaxAttempts = 3
	c := newClient(t, options)
	_, err := c.Get(t.Context(), customers)
	wantError(t, err, sdk.ClassTransient, "connection broke", "tried 3 times")
	n := 0
	_, err = c.List(t.Context(), customers, func(rest.Value) error { n++; return nil })
	wantError(t, err, sdk.ClassTransient, "broke off")
	if n != 2 {
		t.Errorf("%d elements, want the 2 that came whole", n)
	}
}

func TestMaxParallelIsKept(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		runtime.Gosched()
		answer(`[1,2,3]`)(w, r)
	})
	options := a.options()
	options.MaxParallel = 3
	c := newClient(t, options)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.List(t.Context(), customers, func(rest.Value) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d requests ran at a time, want at most 3", n)
	}
}

func TestRepeatsCountAgainstTheRate(t *testing.T) {
	t.Parallel()
	a := newAPI(t, status(500, "text/plain", ""))
	options := a.options()
	options.Token = nil
	options.RequestsPerMinute, options.MaxAttempts = 600, 4
	c := newClient(t, options)
	begin := time.Now()
	_, err := c.Get(t.Context(), customers)
	wantError(t, err, sdk.ClassTransient)
	// Ten at once are allowed; so spend them, then four more take at least 300 ms.
	for range 2 {
		_, _ = c.Get(t.Context(), customers)
	}
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("12 attempts at 600 a minute with a burst of 10 took only %s", took)
	}
	if c.Requests() != 12 {
		t.Errorf("%d requests were counted, want 12", c.Requests())
	}
}

// counted is what a listing was told of requests.
type counted struct {
	requests int
	answers  map[int]int
}

func (c *counted) Requests(n int) { c.requests += n }

func (c *counted) Answers(byStatus map[int]int) {
	if c.answers == nil {
		c.answers = map[int]int{}
	}
	for status, n := range byStatus {
		c.answers[status] += n
	}
}

func TestAnswersAreCountedByTheirStatus(t *testing.T) {
	t.Parallel()
	answers := []http.HandlerFunc{
		status(200, "application/json", `{}`), status(500, "text/plain", ""), status(429, "text/plain", ""),
		func(w http.ResponseWriter, _ *http.Request) { // cut off
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "{")
		},
		status(200, "application/json", `{}`),
	}
	turn := -1
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		turn++
		answers[turn](w, r)
	})
	c := newClient(t, a.options())
	before := counted{}
	c.Count(&before)()
	if _, err := c.Get(t.Context(), customers); err != nil { // with a token
		t.Fatal(err)
	}
	first := counted{}
	tell := c.Count(&first)
	if _, err := c.Get(t.Context(), customers); err != nil {
		t.Fatal(err)
	}
	tell()
	tell()
	if before.requests != 0 || len(before.answers) != 0 {
		t.Errorf("before the first request told was %+v", before)
	}
	if want := (counted{4, map[int]int{200: 1, 500: 1, 429: 1, 0: 1}}); first.requests != want.requests || !maps.Equal(first.answers, want.answers) {
		t.Errorf("told is %+v, want %+v", first, want)
	}
}

func TestNetworkFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(answer(`[]`))
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(answer(`[]`))
	t.Cleanup(plain.Close)
	gone := httptest.NewServer(answer(`[]`))
	gone.Close()
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	tests := map[string]struct {
		url   string
		tls   *tls.Config
		class sdk.Class
		want  []string
	}{
		"no such name":            {"https://nowhere.invalid", nil, sdk.ClassTransient, []string{"nowhere.invalid", "Check api_base_url"}},
		"refused":                 {gone.URL, nil, sdk.ClassTransient, []string{"refused", "firewall"}},
		"an unknown authority":    {secure.URL, nil, sdk.ClassSettings, []string{"not from an authority", "SSL_CERT_FILE"}},
		"a certificate of others": {secure.URL, &tls.Config{RootCAs: roots, ServerName: "other.test"}, sdk.ClassSettings, []string{"not for"}},
		"an expired certificate":  {secure.URL, &tls.Config{RootCAs: roots, Time: func() time.Time { return time.Now().AddDate(200, 0, 0) }}, sdk.ClassTransient, []string{"expired", "clock"}},
		"no TLS there":            {strings.Replace(plain.URL, "http:", "https:", 1), nil, sdk.ClassSettings, []string{"does not speak TLS"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, rest.Options{BaseURL: test.url, RetryWait: time.Millisecond, MaxAttempts: 2, TLS: test.tls})
			_, err := c.Get(t.Context(), customers)
			wantError(t, err, test.class, test.want...)
		})
	}
}

func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"https://api.example.com": true, "https://api.example.com/prism/": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true,
		"http://localhost:1": true, "http://api.example.com": false, "api.example.com": false, "ftp://api.example.com": false,
		"https://user:pw@api.example.com": false, "https://api.example.com?x=1": false, "": false, "https://": false, ":": false,
	} {
		if _, err := rest.CheckURL(text, false); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := rest.CheckURL("http://api.example.com", true); err != nil {
		t.Error(err)
	}
	_, err := rest.New(rest.Options{BaseURL: "http://api.example.com"})
	if e := sdk.AsError(err); e == nil || e.Class != sdk.ClassSettings || e.Field != "api_base_url" {
		t.Errorf("%+v", e)
	}
}
