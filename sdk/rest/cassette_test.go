// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// recorded records what ask asks of a distributor, and gives the cassette's folder.
func recorded(t *testing.T, options rest.Options, scrub rest.Scrub, ask func(*rest.Client)) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "cassettes", "listing")
	cassette, err := rest.Record(folder, scrub)
	if err != nil {
		t.Fatal(err)
	}
	options.Cassette = cassette
	ask(newClient(t, options))
	if err := cassette.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// replaying gives a client that a cassette answers, at an address where nobody is.
func replaying(t *testing.T, folder string, scrub rest.Scrub) (*rest.Client, *rest.Cassette) {
	t.Helper()
	cassette, err := rest.Replay(folder, scrub)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, rest.Options{
		BaseURL: "https://distributor.invalid", Cassette: cassette, RequestsPerMinute: 1,
		Token: &rest.ClientCredentials{TokenURL: "https://login.invalid/token", ClientID: "any", ClientSecret: "any secret"},
	}), cassette
}

// written makes a cassette by hand.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func pageOf(n int) rest.Request {
	return rest.Read("GET", "/v1/customers", nil).WithQuery("size", "2").WithQuery("page", strconv.Itoa(n))
}

func get(t *testing.T, c *rest.Client, r rest.Request) string {
	t.Helper()
	v, err := c.Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Raw())
}

func TestWhatWasRecordedIsPlayedWithTheServerGone(t *testing.T) {
	t.Parallel()
	var answers atomic.Int64
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer(fmt.Sprintf(`{"number": %d, "url": %q, "body": %q}`, answers.Add(1), r.URL.String(), body))(w, r)
	})
	search := rest.Read("POST", "/v1/search", nil)
	ask := func(c *rest.Client) []string {
		var got []string
		for _, r := range []rest.Request{
			pageOf(0), pageOf(1), pageOf(0), search.WithBody(map[string]int{"year": 2026}), search.WithBody(map[string]int{"year": 2027}),
		} {
			got = append(got, get(t, c, r))
		}
		var streamed strings.Builder
		err := c.Stream(t.Context(), pageOf(2), func(body io.Reader) error {
			_, err := io.Copy(&streamed, body)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return append(got, streamed.String())
	}
	var want []string
	folder := recorded(t, a.options(), nil, func(c *rest.Client) { want = ask(c) })
	a.Close()

	c, cassette := replaying(t, folder, nil)
	if diff := cmp.Diff(want, ask(c)); diff != "" {
		t.Error(diff)
	}
	for name, probe := range map[string]func() (string, error){
		"resolve":      func() (string, error) { return c.Resolve(t.Context()) },
		"connect":      func() (string, error) { return c.Connect(t.Context()) },
		"authenticate": func() (string, error) { return "", c.Authenticate(t.Context()) },
	} {
		if _, err := probe(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileOfACassetteReadsAsTheWireDoes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r-17")
		w.Header().Set("Server", "leaky/1.0")
		answer(`{"found": []}`)(w, r)
	})
	folder := recorded(t, a.options(), nil, func(c *rest.Client) {
		get(t, c, rest.Read("POST", "/v1/search?b=2&a=1", nil).WithBody(map[string]int{"year": 2026}))
	})
	got := map[string]string{}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name) //nolint:gosec // the test's own folder
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = strings.ReplaceAll(string(text), a.URL, "http://host")
	}
	want := map[string]string{
		"0001-token.http": "POST http://host/token\nTallyman-Token: true\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n" +
			`{"access_token":"***","expires_in":3600,"token_type":"Bearer"}`,
		"0002-POST-v1-search.http": "POST http://host/v1/search?a=1&b=2\n\n{\"year\":2026}\n\nHTTP/1.1 200 OK\n" +
			"Content-Type: application/json\nX-Request-Id: r-17\n\n" + `{"found": []}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARequestThatIsNotOnTheCassetteIsAnError(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[]`))
	folder := recorded(t, a.options(), nil, func(c *rest.Client) {
		get(t, c, pageOf(0))
		get(t, c, pageOf(1))
		get(t, c, rest.Read("GET", "/v1/orders", nil))
	})
	c, cassette := replaying(t, folder, nil)
	_, err := c.Get(t.Context(), pageOf(2))
	wantError(t, err, sdk.ClassInternal, "GET /v1/customers?page=2&size=2 is not on the cassette", "is GET /v1/customers?page=0&size=2 (0002-GET-v1-customers.http)")
	get(t, c, pageOf(0))
	_, err = c.Get(t.Context(), pageOf(0))
	wantError(t, err, sdk.ClassInternal, "page=0&size=2 is asked for once more than it was recorded; it is on the cassette 1 times")
	err = cassette.Close()
	for _, part := range []string{
		"page=2&size=2 is not on the cassette", "page=0&size=2 is asked for once more",
		"nobody asked for GET /v1/customers?page=1&size=2 (0003-GET-v1-customers.http)", "nobody asked for GET /v1/orders",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Close gives %v, want %q", err, part)
		}
	}
}

func TestRecordedWaitsAreNotWaited(t *testing.T) {
	t.Parallel()
	const throttled = "GET https://h/v1/customers\n\nHTTP/1.1 429 Too Many Requests\nRetry-After: 100\n\nslow down"
	folder := written(t, map[string]string{
		"0001-a.http": throttled, "0003-c.http": "GET https://h/v1/customers\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[7]",
		"0002-b.http": "GET https://h/v1/customers\n\nHTTP/1.1 429 Too Many Requests\n\nslow down",
		"0004-d.http": strings.ReplaceAll(throttled, "100", "86400"),
	})
	c, cassette := replaying(t, folder, nil)
	began := time.Now()
	if got := get(t, c, customers); got != "[7]" {
		t.Errorf("got %s", got)
	}
	_, err := c.Get(t.Context(), customers)
	if e := wantError(t, err, sdk.ClassThrottled, "slow down"); e.RetryAfter != 24*time.Hour {
		t.Errorf("RetryAfter is %s, want 24h", e.RetryAfter)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
}

func TestAWaitUntilADateIsKeptAsSeconds(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(24*time.Hour).UTC().Format(http.TimeFormat))
		status(429, "text/plain", "tomorrow")(w, r)
	})
	ask := func(c *rest.Client) time.Duration {
		_, err := c.Get(t.Context(), customers)
		return wantError(t, err, sdk.ClassThrottled).RetryAfter
	}
	folder := recorded(t, a.options(), nil, func(c *rest.Client) { ask(c) })
	c, _ := replaying(t, folder, nil)
	if wait := ask(c); wait < 24*time.Hour-time.Minute || wait > 24*time.Hour {
		t.Errorf("RetryAfter is %s", wait)
	}
}

func TestACutAnswerIsCutAgain(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	var asked atomic.Int64
	a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" && asked.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `["first half of `+secret[:20])
			return
		}
		answer(`["whole"]`)(w, r)
	})
	options := a.options()
	options.Token, options.Secrets = nil, []string{secret}
	folder := recorded(t, options, nil, func(c *rest.Client) { get(t, c, customers) })
	if text := everything(t, folder); !strings.Contains(text, `["first half of ***`) || strings.Contains(text, secret[:4]) {
		t.Errorf("the beginning of a secret is on the cassette: %s", text)
	}
	c, cassette := replaying(t, folder, nil)
	var got strings.Builder
	err := c.Stream(t.Context(), customers, func(body io.Reader) error {
		_, err := io.Copy(&got, body)
		return err
	})
	wantError(t, err, sdk.ClassTransient, "broke")
	if got.String() != `["first half of ***` {
		t.Errorf("got %q", got.String())
	}
	if got := get(t, c, customers); got != `["whole"]` {
		t.Errorf("got %s", got)
	}
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusedCredentialsAreRefusedAgain(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`[]`))
	a.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		status(400, "application/json", `{"error":"invalid_client","error_description":"unknown","echo":"`+secret+`","token":"x1x2x3x4"}`)(w, nil)
		return true
	}
	ask := func(c *rest.Client) {
		_, err := c.Get(t.Context(), customers)
		wantError(t, err, sdk.ClassAuth, "invalid_client", "unknown")
	}
	folder := recorded(t, a.options(), nil, ask)
	if text := everything(t, folder); strings.Contains(text, "echo") || strings.Contains(text, "x1x2") {
		t.Errorf("more than the refusal is on the cassette: %s", text)
	}
	c, _ := replaying(t, folder, nil)
	ask(c)
}

func TestATokenThatExpiredExpiresAgain(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-number-2" {
			status(401, "application/json", `{}`)(w, r)
			return
		}
		answer(`["in"]`)(w, r)
	})
	folder := recorded(t, a.options(), nil, func(c *rest.Client) { get(t, c, customers) })
	c, cassette := replaying(t, folder, nil)
	if got := get(t, c, customers); got != `["in"]` || c.Requests() != 4 {
		t.Errorf("got %s after %d requests", got, c.Requests())
	}
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
}

// A scrub takes out what people are called, and what is different each day.
func TestAScrubHoldsForRequestsOnReplayToo(t *testing.T) {
	t.Parallel()
	day := "2026-01-31"
	scrub := func(e *rest.Exchange) {
		e.URL = strings.ReplaceAll(e.URL, day, "DAY")
		e.Body = []byte(strings.ReplaceAll(string(e.Body), "Contoso Pty Ltd", "Customer 1"))
	}
	prices := func() rest.Request { return rest.Read("GET", "/v1/prices/{day}", rest.Vars{"day": day}) }
	a := newAPI(t, answer(`["Contoso Pty Ltd"]`))
	folder := recorded(t, a.options(), scrub, func(c *rest.Client) {
		if got := get(t, c, prices()); got != `["Contoso Pty Ltd"]` {
			t.Errorf("while recording the plugin got %s", got)
		}
	})
	if text := everything(t, folder); strings.Contains(text, "Contoso") || strings.Contains(text, day) {
		t.Errorf("the cassette holds %s", text)
	}
	day = "2031-12-01"
	c, _ := replaying(t, folder, scrub)
	if got := get(t, c, prices()); got != `["Customer 1"]` {
		t.Errorf("got %s", got)
	}
}

func TestARecordingThatFailsLeavesTheLastOne(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`["old"]`))
	folder := recorded(t, a.options(), nil, func(c *rest.Client) { get(t, c, customers) })
	before := everything(t, folder)

	cassette, err := rest.Record(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := cassette.Close(); err == nil || !strings.Contains(err.Error(), "nothing was asked for") {
		t.Errorf("an empty recording gives %v", err)
	}
	if diff := cmp.Diff(before, everything(t, folder)); diff != "" {
		t.Error(diff)
	}
	left, err := filepath.Glob(folder + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRecordingAgainReplacesTheLastOne(t *testing.T) {
	t.Parallel()
	text := `["old"]`
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) { answer(text)(w, r) })
	folder := recorded(t, a.options(), nil, func(c *rest.Client) {
		get(t, c, customers)
		get(t, c, pageOf(1))
	})
	text = `["new"]`
	cassette, err := rest.Record(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	options := a.options()
	options.Cassette = cassette
	get(t, newClient(t, options), customers)
	if err := cassette.Close(); err != nil {
		t.Fatal(err)
	}
	c, replay := replaying(t, folder, nil)
	if got := get(t, c, customers); got != `["new"]` {
		t.Errorf("got %s", got)
	}
	if err := replay.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFolderThatIsNoCassetteIsRefused(t *testing.T) {
	t.Parallel()
	precious := written(t, map[string]string{"thesis.txt": "ten years of work"})
	if _, err := rest.Record(precious, nil); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("recording over it gives %v", err)
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no exchanges": {map[string]string{"thesis.txt": ""}, "no recorded exchange"},
		"no number":    {map[string]string{"page-one.http": "GET https://h/\n\nHTTP/1.1 200 OK\n\n"}, "page-one.http: its name does not begin with its place"},
		"no request":   {map[string]string{"0001-a.http": ""}, "0001-a.http: it does not begin with a method and a URL"},
		"no answer":    {map[string]string{"0001-a.http": "GET https://h/\n\n{}"}, "0001-a.http: it holds no answer"},
		"no status":    {map[string]string{"0001-a.http": "GET https://h/\n\nHTTP/1.1 OK\n\n"}, "0001-a.http: it holds no answer"},
	} {
		if _, err := rest.Replay(written(t, test.files), nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := rest.Replay(filepath.Join(precious, "nowhere"), nil); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a folder that is not there gives %v", err)
	}
}

func TestRecordingDoesNotHoldAnswersUp(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first,")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-read:
			_, _ = io.WriteString(w, "second")
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
			t.Error("what was sent first was not read")
		}
	})
	folder := recorded(t, a.options(), nil, func(c *rest.Client) {
		err := c.Stream(t.Context(), customers, func(body io.Reader) error {
			if _, err := io.ReadFull(body, make([]byte, 6)); err != nil {
				return err
			}
			close(read)
			_, err := io.Copy(io.Discard, body)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if text := everything(t, folder); !strings.HasSuffix(strings.TrimSpace(text), "first,second") {
		t.Errorf("recorded: %s", text)
	}
}

// An answer that is too large for a cassette reaches the plugin all the same, and spoils the recording only.
func TestAnAnswerTooLargeIsNotRecorded(t *testing.T) {
	t.Parallel()
	const size = 65 << 20
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		part := make([]byte, 1<<20)
		for range size / len(part) {
			_, _ = w.Write(part)
		}
	})
	folder := filepath.Join(t.TempDir(), "cassette")
	cassette, err := rest.Record(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	options := a.options()
	options.Cassette = cassette
	var n int64
	err = newClient(t, options).Stream(t.Context(), customers, func(body io.Reader) (err error) {
		n, err = io.Copy(io.Discard, body)
		return err
	})
	if err != nil || n != size {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	if err := cassette.Close(); err == nil || !strings.Contains(err.Error(), "GET /v1/customers is larger than 64.0 MiB") {
		t.Errorf("Close gives %v", err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("there is a cassette")
	}
}

// everything is all that is in a folder, the names of files included.
func everything(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // the test's own folder
		fmt.Fprintf(&all, "%s\n%s\n", entry.Name(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
