// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

const serveCommand = "TALLYMAN_TEST_SERVE_PRISMSIM"

// TestMain makes the test binary the command, when a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(serveCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the command in a process of its own.
type process struct {
	cmd      *exec.Cmd
	settings map[string]string // as printed for tallyman
	stderr   *bytes.Buffer     // to be read after its end
}

// startCommand starts the command and reads the configuration it prints, which
// comes when it can be reached.
func startCommand(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{settings: map[string]string{}, stderr: &bytes.Buffer{}}
	p.cmd = exec.Command(os.Args[0], append([]string{"-listen", "127.0.0.1:0", "-print-config"}, args...)...)
	p.cmd.Env = append(os.Environ(), serveCommand+"=1", "GOCOVERDIR="+t.TempDir())
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "}" {
		text.WriteString(lines.Text() + "\n")
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			p.settings[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	if _, problems := hclsyntax.ParseConfig([]byte(text.String()+"}\n"), "printed.hcl", hcl.Pos{Line: 1, Column: 1}); problems.HasErrors() || len(p.settings) == 0 {
		t.Fatalf("printed was %q: %v", text.String(), problems)
	}
	return p
}

// customers reads how many customers there are with the printed settings.
func (p *process) customers(t *testing.T, secret string) int {
	t.Helper()
	answer, err := http.PostForm(p.settings["token_url"], url.Values{
		"grant_type": {"client_credentials"}, "client_id": {p.settings["client_id"]}, "client_secret": {secret}, "scope": {prismsim.Scope},
	})
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	read(t, answer, &token)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.settings["api_base_url"]+"/api/v1/me/customers", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	if answer, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	var list []any
	read(t, answer, &list)
	return len(list)
}

func read(t *testing.T, answer *http.Response, into any) {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %s", answer.Status, err, body)
	}
}

func TestCommandServes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		note string
		args []string
		want int
	}{
		{"demo", nil, 8},
		{"empty", []string{"-data", "empty"}, 1},
		{"generated", []string{"-data", "generated", "-subscriptions", "50", "-customers", "5", "-seed", "7", "-day", "9"}, 6},
	} {
		t.Run(test.note, func(t *testing.T) {
			t.Parallel()
			p := startCommand(t, test.args...)
			if p.settings["client_id"] != prismsim.DemoClientID || p.settings["client_secret"] != prismsim.DemoClientSecret {
				t.Errorf("printed: %v", p.settings)
			}
			if n := p.customers(t, prismsim.DemoClientSecret); n != test.want {
				t.Errorf("%d customers, want %d", n, test.want)
			}
			answer, err := http.Get(p.settings["api_base_url"] + "/_control/")
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusNotFound {
				t.Errorf("the control endpoint is open: %s", answer.Status)
			}
		})
	}
}

func TestCommandWithASecretOfItsOwn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "the secret ${here}")
	if err := os.WriteFile(file, []byte("mine alone\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startCommand(t, "-client-id", "me", "-client-secret-file", file, "-control")
	if got := p.settings["client_secret"]; strings.Contains(got, "mine alone") || !strings.HasPrefix(got, `file("`) || !strings.Contains(got, "$${here}") {
		t.Errorf("the secret is printed as %s", got)
	}
	if n := p.customers(t, "mine alone"); n != 8 {
		t.Errorf("%d customers", n)
	}
	answer, err := http.Get(p.settings["api_base_url"] + "/_control/day")
	if err != nil {
		t.Fatal(err)
	}
	var day map[string]int
	if read(t, answer, &day); day["day"] != 1 {
		t.Errorf("%v", day)
	}
}

func TestCommandWithTLS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "certificate.pem")
	p := startCommand(t, "-tls", "-certificate", file)
	if !strings.HasPrefix(p.settings["api_base_url"], "https://127.0.0.1:") {
		t.Errorf("printed: %v", p.settings)
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE-----")) {
		t.Errorf("the certificate: %v, %s", err, b)
	}
}

func TestCommandRefuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		part string
	}{
		{[]string{"-help"}, exitDone, "-print-config"},
		{[]string{"-colour"}, exitUsage, "colour"},
		{[]string{"now"}, exitUsage, `"now"`},
		{[]string{"-data", "real"}, exitUsage, `"real"`},
		{[]string{"-data", "generated", "-subscriptions", "-1"}, exitUsage, "negative"},
		{[]string{"-data", "generated", "-customers", "9999999999"}, exitUsage, "2^31"},
		{[]string{"-client-id", ""}, exitUsage, "-client-id"},
		{[]string{"-certificate", "x"}, exitUsage, "-tls"},
		{[]string{"-day", "99"}, exitFailed, "day 99"},
		{[]string{"-client-secret-file", empty}, exitFailed, "is empty"},
		{[]string{"-client-secret-file", empty + "-not"}, exitFailed, "client secret"},
		{[]string{"-listen", "203.0.113.1:1"}, exitFailed, "203.0.113.1:1"},
	} {
		var out, told bytes.Buffer
		code := run(t.Context(), test.args, &out, &told)
		if code != test.code || !strings.Contains(told.String(), test.part) || out.Len() != 0 {
			t.Errorf("%v: %d, %s%s", test.args, code, &out, &told)
		}
	}
}
