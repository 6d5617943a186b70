// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// awkward is a secret that reads differently in every form in which a secret gets out.
const awkward = `recognisable/7f3a+9c1e=5b2d&4860 <"secret">§`

// hunt looks for secrets, in every form in which one gets out.
type hunt struct {
	t       *testing.T
	mu      sync.Mutex
	needles map[string]string
	// told are the findings so far: each is told once.
	told  map[string]bool
	bytes int
}

// add hunts for one more secret.
func (h *hunt) add(what, secret string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.needles == nil {
		h.needles, h.told = map[string]string{}, map[string]bool{}
	}
	quoted, err := json.Marshal(secret)
	if err != nil {
		h.t.Fatal(err)
	}
	for form, text := range map[string]string{
		"as it is": secret, "in JSON": strings.Trim(string(quoted), `"`), "quoted": strings.Trim(strconv.Quote(secret), `"`),
		"escaped for a query": url.QueryEscape(secret), "escaped for a page": html.EscapeString(secret), "escaped for a path": url.PathEscape(secret),
		"the first half of it": secret[:len(secret)/2], "the second half of it": secret[len(secret)/2:],
		"in hexadecimal": hex.EncodeToString([]byte(secret)), "in capital hexadecimal": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	} {
		h.needles[text] = what + ", " + form
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// What stands before it, such as "id:", shifts it by none, one or two bytes.
		for lead := range 3 {
			text := e.EncodeToString(append(make([]byte, lead), secret...))
			h.needles[text[(lead*8+5)/6:(lead+len(secret))*8/6]] = what + ", in base64"
		}
	}
}

// in fails if a secret is in data, without telling it.
func (h *hunt) in(where string, data []byte) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += len(data)
	for needle, what := range h.needles {
		finding := what + " is in " + where
		if at := bytes.Index(data, []byte(needle)); at >= 0 && !h.told[finding] {
			h.told[finding] = true
			h.t.Errorf("%s, behind %q", finding, data[max(bytes.LastIndexByte(data[:at], '\n')+1, at-300):at])
		}
	}
}

// under looks into every file of a folder.
func (h *hunt) under(dir string) (files []string) {
	h.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it has just been removed
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		h.in(path, data)
		files = append(files, d.Name())
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return files
}

// at looks everywhere in a place: what was printed, its files, the command lines of all processes of this machine, and the
// environment of its plugins.
func (h *hunt) at(p *place) (files []string) {
	h.t.Helper()
	h.in("the output", p.printed.Bytes())
	p.printed.Reset()
	files = append(h.under(p.dir), h.under(p.tmp)...)
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		h.t.Fatalf("the command lines cannot be read: %v", err)
	}
	for _, path := range lines {
		line, _ := os.ReadFile(path) // a process may be gone
		h.in(path, line)
	}
	for _, pid := range p.pluginPIDs() {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		h.in("the environment of the plugin", env)
	}
	return files
}

// front stands before the simulator. It sees the tokens, and can answer in its place.
type front struct {
	sim  http.Handler
	hunt *hunt

	mu sync.Mutex
	// token and api answer instead of the simulator, if they are set.
	token, api http.HandlerFunc
}

func (f *front) set(token, api http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token, f.api = token, api
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	token, api := f.token, f.api
	f.mu.Unlock()
	switch {
	case r.URL.Path != prismsim.TokenPath && api != nil:
		api(w, r)
		return
	case r.URL.Path != prismsim.TokenPath:
		f.sim.ServeHTTP(w, r)
		return
	case token != nil:
		token(w, r)
		return
	}
	f.sim.ServeHTTP(&tokenWriter{w, f.hunt}, r)
}

// tokenWriter hunts for the token that is written.
type tokenWriter struct {
	http.ResponseWriter
	hunt *hunt
}

func (w *tokenWriter) Write(b []byte) (int, error) {
	var told struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(b, &told) == nil && told.Token != "" {
		w.hunt.add("an access token", told.Token)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (w *tokenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hunted sets up a place whose secret is awkward and whose distributor is behind a front. Whatever the test does, at its
// end the secret is nowhere.
func hunted(t *testing.T, w *small) (*place, *front, *hunt) {
	t.Helper()
	h := &hunt{t: t}
	h.add("the client secret", awkward)
	p := w.place(t, createUnmatched)
	p.sim = prismsim.StartFor(t, w.World, prismsim.WithCredentials(prismsim.DemoClientID, awkward))
	f := &front{sim: p.sim, hunt: h}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	p.env["PRISM_URL"], p.env["RHIPE_CLIENT_SECRET"], p.env["HOME"] = server.URL, awkward, p.tmp
	t.Cleanup(func() {
		h.at(p)
		if h.bytes == 0 {
			t.Error("nothing was looked at")
		}
	})
	return p, f, h
}

// TestTheSecretIsNowhere runs a recognisable client secret, and the access tokens it is given, through everything, and
// finds neither in any form: not in what is printed, whatever the log level, not in a file, not in a command line, not in
// the plugin's environment.
func TestTheSecretIsNowhere(t *testing.T) {
	t.Parallel()
	world := func() *small {
		w := newSmall()
		w.customer("Contoso", 5, 6)
		w.customer("Fabrikam", 7)
		return w
	}
	t.Run("when all is well", func(t *testing.T) {
		t.Parallel()
		p, _, h := hunted(t, world())
		for _, c := range []struct {
			code int
			args []string
		}{
			{0, []string{"test", "acme/rhipe"}},
			{0, []string{"test", "acme/rhipe", "--json"}},
			{0, []string{"mappings", "generate", "acme/rhipe"}},
			{4, []string{"plan", "acme/rhipe"}},
			{0, []string{"sync", "acme/rhipe"}},
			{0, []string{"sync", "acme/rhipe", "--json"}},
			{0, []string{"config", "check"}},
			{0, []string{"config", "check", "acme/rhipe"}},
			{0, []string{"config", "show"}},
			{0, []string{"config", "show", "acme/rhipe", "--json"}},
			{0, []string{"module", "list"}},
			{0, []string{"plugin", "list"}},
			{0, []string{"runs", "list", "--json"}},
			{0, []string{"runs", "show", "1", "--json"}},
			{0, []string{"changes", "acme", "--json"}},
			{0, []string{"customers", "list", "acme", "--json"}},
		} {
			p.run(c.code, append(c.args, "--log-level", "trace")...)
		}
		if !strings.Contains(p.printed.String(), "[TRACE]") && !strings.Contains(p.printed.String(), "[DEBUG]") {
			t.Error("the log says nothing, so it proves nothing")
		}
		if len(h.needles) < 30 {
			t.Errorf("only %d forms are hunted for; no token was seen", len(h.needles))
		}
		if files := h.at(p); !strings.Contains(strings.Join(files, " "), "tallyman.db") {
			t.Errorf("the database was not looked into, only %v", files)
		}
	})
	t.Run("while a run is under way", func(t *testing.T) {
		t.Parallel()
		p, _, h := hunted(t, world())
		p.run(0, "sync", "acme/rhipe")
		for _, c := range []struct {
			endpoint prismsim.Endpoint
			signal   syscall.Signal
			host     bool
		}{
			{prismsim.Token, syscall.SIGINT, true},
			{prismsim.Customers, syscall.SIGINT, true},
			{prismsim.Tenants, syscall.SIGTERM, true},
			{prismsim.Customers, syscall.SIGKILL, false},
			{prismsim.Token, syscall.SIGQUIT, false},
			{prismsim.Tenants, syscall.SIGQUIT, false},
			{prismsim.Customers, syscall.SIGSEGV, false},
			{prismsim.Tenants, syscall.SIGKILL, true},
			{prismsim.Token, syscall.SIGQUIT, true},
		} {
			p.sim.ForgetRequests()
			clear := p.sim.Fail(prismsim.Fault{Endpoint: c.endpoint, Kind: prismsim.FaultHang})
			b := p.start("sync", "acme/rhipe", "--log-level", "trace")
			if err := p.sim.WaitForCalls(t.Context(), c.endpoint, 1); err != nil {
				t.Fatal(err)
			}
			plugins := p.pluginPIDs()
			if len(plugins) != 1 {
				t.Fatalf("%d plugins run, want 1", len(plugins))
			}
			h.at(p)
			pid := plugins[0]
			if c.host {
				pid = b.Process.Pid
			}
			if err := syscall.Kill(pid, c.signal); err != nil {
				t.Fatal(err)
			}
			p.finish(b)
			clear()
			h.at(p) // with the database's log and whatever else a dead host leaves
			p.until("the end of the plugin", func() bool { return len(p.processes()) == 0 })
			p.converge()
			p.run(0, "runs", "show", p.ask("SELECT max(id) FROM runs WHERE outcome = 'failed' OR outcome = 'cancelled'"), "--json")
		}
		if n := p.ask("SELECT count(*) FROM runs WHERE crash IS NOT NULL"); n != "4" {
			t.Errorf("%s crash records were looked into, want 4", n)
		}
	})
	t.Run("when the distributor fails", func(t *testing.T) {
		t.Parallel()
		p, _, h := hunted(t, world())
		p.impatient(createUnmatched)
		for name, fault := range brokenAnswers() {
			for endpoint, command := range map[prismsim.Endpoint]string{prismsim.Token: "test", prismsim.Customers: "sync"} {
				fault.Endpoint = endpoint
				clear := p.sim.Fail(fault)
				code, out := p.try(command, "acme/rhipe", "--log-level", "trace")
				clear()
				if code == 0 {
					t.Errorf("%s at %s: exit code 0\n%s", name, endpoint, out)
				}
			}
		}
		p.run(0, "runs", "list", "--json")
		h.at(p)
	})
	t.Run("when the distributor repeats it", func(t *testing.T) {
		t.Parallel()
		p, f, h := hunted(t, world())
		for name, answer := range echoes() {
			for _, c := range []struct {
				token, api http.HandlerFunc
				command    string
			}{{answer, nil, "sync"}, {nil, answer, "sync"}, {nil, answer, "test"}} {
				f.set(c.token, c.api)
				if code, out := p.try(c.command, "acme/rhipe", "--log-level", "trace"); code == 0 {
					t.Errorf("%s: exit code 0\n%s", name, out)
				}
				h.at(p)
			}
		}
		f.set(nil, nil)
		p.run(0, "runs", "list", "--json")
	})
	t.Run("when the settings are wrong", func(t *testing.T) {
		t.Parallel()
		p, _, h := hunted(t, world())
		wrongSettings(t, p, h)
	})
}

// echoes are answers that repeat what the client sent: secret and token, in every form.
func echoes() map[string]http.HandlerFunc {
	repeated := func(r *http.Request) string {
		var text []string
		for _, secret := range []string{r.FormValue("client_secret"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")} {
			if secret == "" {
				continue
			}
			quoted, _ := json.Marshal(secret)
			text = append(text, secret, string(quoted), url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), hex.EncodeToString([]byte(secret)),
				base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte("id:"+secret)))
		}
		return strings.Join(text, " ")
	}
	long := func(r *http.Request) string {
		secret := r.FormValue("client_secret") + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		return strings.Repeat(secret, 5000/len(secret))
	}
	send := func(status int, kind string, body func(r *http.Request) any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			switch b := body(r).(type) {
			case string:
				_, _ = w.Write([]byte(b))
			default:
				_ = json.NewEncoder(w).Encode(b)
			}
		}
	}
	const asJSON = "application/json"
	answers := map[string]http.HandlerFunc{
		"a page":          send(500, "text/html", func(r *http.Request) any { return "<html><body><h1>" + repeated(r) + "</h1></body></html>" }),
		"a page with 200": send(200, "text/html", func(r *http.Request) any { return "<html><body><h1>" + repeated(r) + "</h1></body></html>" }),
		"a text":          send(400, "text/plain", func(r *http.Request) any { return repeated(r) }),
		"a text with 200": send(200, "text/plain", func(r *http.Request) any { return repeated(r) }),
		"no JSON":         send(200, asJSON, func(r *http.Request) any { return "{" + repeated(r) }),
		"a JSON text":     send(200, asJSON, func(r *http.Request) any { return []any{repeated(r)}[0:1] }),
		"another shape": send(200, asJSON, func(r *http.Request) any {
			return map[string]any{repeated(r): repeated(r), "access_token": []string{repeated(r)}}
		}),
		"an odd token": send(200, asJSON, func(r *http.Request) any {
			return map[string]any{"access_token": "", "token_type": repeated(r), "expires_in": repeated(r)}
		}),
		"in the headers": func(w http.ResponseWriter, r *http.Request) {
			text := strings.ReplaceAll(repeated(r), "\n", " ")
			for _, name := range []string{"WWW-Authenticate", "X-Correlation-Id", "X-Request-Id", "Request-Id", "X-Ms-Request-Id", "Retry-After", "Content-Type"} {
				w.Header().Set(name, text)
			}
			w.WriteHeader(503)
		},
		"in a redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/"+url.PathEscape(awkward)+"?client_secret="+url.QueryEscape(repeated(r)))
			w.WriteHeader(302)
		},
	}
	for _, status := range []int{400, 401, 403, 404, 429, 500} {
		answers[fmt.Sprintf("an error with %d", status)] = send(status, asJSON, func(r *http.Request) any {
			return map[string]any{
				"error": "invalid_client", "error_description": repeated(r), "Message": repeated(r), "ExceptionMessage": repeated(r),
				"ModelState": map[string][]string{"client_secret": {repeated(r)}},
			}
		})
	}
	for _, lead := range []int{0, 13, 29} {
		answers[fmt.Sprintf("many times, behind %d others", lead)] = send(400, asJSON, func(r *http.Request) any {
			return map[string]any{"error": "invalid_client", "error_description": strings.Repeat("x", lead) + long(r), "Message": strings.Repeat("x", lead) + long(r)}
		})
		answers[fmt.Sprintf("many times in a text, behind %d others", lead)] = send(500, "text/plain", func(r *http.Request) any {
			return strings.Repeat("x", lead) + long(r)
		})
	}
	return answers
}

// wrongSettings writes the secret itself into configurations that are wrong, outside the place.
func wrongSettings(t *testing.T, p *place, h *hunt) {
	t.Helper()
	const plain = "recognisable-plain-5f1b7c9d3e2a"
	h.add("a secret in the file", plain)
	good, err := os.ReadFile(filepath.Join(p.dir, "tallyman.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	const line = `client_secret = env("RHIPE_CLIENT_SECRET")`
	for name, text := range map[string]string{
		"none":                       `client_secret = "` + plain + `"`,
		"another setting unknown":    `client_secret = "` + plain + `"` + "\n nonsense = 1",
		"another setting wrong":      `client_secret = "` + plain + `"` + "\n max_parallel = 99\n requests_per_minute = -1",
		"another setting's type":     `client_secret = "` + plain + `"` + "\n max_parallel = \"many\"",
		"a list":                     `client_secret = ["` + plain + `"]`,
		"a block":                    `client_secret { value = "` + plain + `" }`,
		"a misspelt name":            `client_secrt = "` + plain + `"`,
		"twice":                      `client_secret = "` + plain + `"` + "\n" + `client_secret = "` + plain + `"`,
		"an open quote":              `client_secret = "` + plain,
		"no quotes":                  `client_secret = ` + plain,
		"an unknown function":        `client_secret = secret("` + plain + `")`,
		"a function of two":          `client_secret = env("RHIPE_CLIENT_SECRET", "` + plain + `")`,
		"an unknown variable beside": `client_secret = "` + plain + `${nothing}"`,
		"a missing variable beside":  `client_secret = "${env("NO_SUCH_VARIABLE")}` + plain + `"`,
		"a missing file beside":      `client_secret = "${file("no-such-file")}` + plain + `"`,
		"a brace too many":           `client_secret = "` + plain + `" }`,
		"two on a line":              `client_secret = "` + plain + `" nonsense = 1`,
	} {
		wrong := strings.Replace(string(good), line, text, 1)
		if wrong == string(good) {
			t.Fatal("the configuration has no such line")
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "tallyman.hcl")
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"config", "check"}, {"config", "check", "acme/rhipe"}, {"config", "show", "--json"}, {"test", "acme/rhipe"}, {"sync", "acme/rhipe", "--json"}} {
			code, out := p.try(append(args, "--config", path, "--log-level", "trace")...)
			if name != "none" && code == 0 && args[0] != "config" {
				t.Errorf("%s: %v: exit code 0\n%s", name, args, out)
			}
			h.in(fmt.Sprintf("the output of %v with %s", args, name), p.printed.Bytes())
			p.printed.Reset()
		}
	}
}

// TestH11_18_AWrongSecretSaysSo: the test names the step and what to do; a run fails, asks once and writes nothing; and the
// secret, wrong as it is, is nowhere.
func TestH11_18_AWrongSecretSaysSo(t *testing.T) {
	t.Parallel()
	const wrong = `wrong/but+recognisable=8c2e&6a0d`
	w := newSmall()
	w.customer("Contoso", 5)
	p, f, h := hunted(t, w)
	h.add("the wrong secret", wrong)
	p.sync("succeeded")
	before := p.kept(nil, append(sourceTables, ourTables...)...)
	p.env["RHIPE_CLIENT_SECRET"] = wrong
	refusals := map[string]http.HandlerFunc{
		"as PRISM does": nil,
		"repeating it": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{
				"error": "invalid_client", "error_description": "AADSTS7000215: invalid client secret " + r.FormValue("client_secret") + " is provided",
			})
		},
	}
	for name, refusal := range refusals {
		f.set(refusal, nil)
		p.sim.ForgetRequests()
		out := p.run(1, "test", "acme/rhipe", "--log-level", "trace")
		p.wants(out, "ok resolve", "ok connect", "FAILED authenticate", "invalid_client", "distributor.auth", "Manage Client Credentials")
		if strings.Contains(out, "authorise") {
			t.Errorf("%s: it went on after it was refused:\n%s", name, out)
		}
		p.wants(p.run(1, "test", "acme/rhipe", "--json"), `"authenticate"`, `"ok": false`)
		p.wants(p.run(1, "sync", "acme/rhipe", "--log-level", "trace"), "failed", "distributor.auth", "invalid_client", "Manage Client Credentials")
		run := p.ask("SELECT max(id) FROM runs")
		p.wants(p.run(0, "runs", "show", run), "failed", "distributor.auth")
		p.same("a run that was not let in wrote", before, p.kept(nil, append(sourceTables, ourTables...)...))
		if n := p.sim.Calls(prismsim.Token); refusal == nil && n != 3 {
			t.Errorf("three commands asked for a token %d times, want once each", n)
		}
		h.at(p)
	}
}
