// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// binaries is the directory with the program and, under plugins, the plugin: both built as they are shipped.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tallyman-program-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
		binaries = dir
		for target, source := range map[string]string{
			"tallyman": ".", "plugins/tallyman-plugin-rhipe": "../../../plugins/rhipe", "bad/tallyman-plugin-rhipe": "./testdata/badplugin",
		} {
			build := exec.Command("go", "build", "-o", filepath.Join(dir, filepath.FromSlash(target))+exe(), source)
			if out, err := build.CombinedOutput(); err != nil {
				panic(fmt.Sprintf("build %s: %v\n%s", source, err, out))
			}
		}
		return m.Run()
	}())
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// secret is recognisable wherever it turns up.
const secret = "recognisable-7f3a9c1e5b2d4860-secret"

// place is where one installation lives: a configuration, a database, and a distributor.
type place struct {
	t     *testing.T
	dir   string
	sim   *prismsim.Server
	world *prismsim.World // nil with another source
	env   map[string]string
	// tmp is where temporary files go. It also tells the processes of this place from those of others.
	tmp string
	// settings are more lines of the module's settings, lease is how long a dead run blocks the module: configure writes them.
	settings []string
	lease    string
	// plugins is the directory of the plugins.
	plugins string
	// printed is all that every command printed.
	printed bytes.Buffer
}

// newPlace sets up tenant acme with module rhipe against a simulator of the source, with the plugin locked. Blocks, such
// as `customers { unmatched = "create" }`, go into the module.
func newPlace(t *testing.T, source prismsim.Source, blocks ...string) *place {
	t.Helper()
	return newPlaceWith(t, source, nil, blocks...)
}

// newPlaceWith is newPlace with more lines of settings.
func newPlaceWith(t *testing.T, source prismsim.Source, settings []string, blocks ...string) *place {
	t.Helper()
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	sim := prismsim.StartFor(t, source, prismsim.WithCredentials(prismsim.DemoClientID, secret))
	p := &place{t: t, dir: t.TempDir(), sim: sim, settings: settings, lease: "2s", plugins: filepath.Join(binaries, "plugins")}
	// Short, since a socket's path must be.
	tmp, err := os.MkdirTemp("", "tallyman-place-*") //nolint:usetesting // its path may be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	p.tmp, p.env = tmp, map[string]string{"PRISM_URL": sim.APIURL(), "RHIPE_CLIENT_SECRET": secret, "TMPDIR": tmp}
	p.world, _ = source.(*prismsim.World)
	p.configure(blocks...)
	p.run(0, "plugin", "lock")
	return p
}

// configure writes the configuration anew.
func (p *place) configure(blocks ...string) {
	p.t.Helper()
	p.write("tallyman.hcl", fmt.Sprintf(`
plugins { directory = %q }
runs { lease = %q }
tenant "acme" {
  display_name = "Acme IT"
  module "rhipe" {
    settings {
      client_id     = %q
      client_secret = env("RHIPE_CLIENT_SECRET")
      api_base_url  = env("PRISM_URL")
      token_url     = "${env("PRISM_URL")}/core/connect/token"
      max_attempts  = 2
      retry_wait    = "10ms"
      requests_per_minute = 0
      %s
    }
    %s
  }
}
`, p.plugins, p.lease, prismsim.DemoClientID, strings.Join(p.settings, "\n      "), strings.Join(blocks, "\n    ")))
}

func (p *place) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// command is the program as a process, not started yet, with nothing of this process' environment but what it needs.
func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, "tallyman"+exe()), args...)
	cmd.Dir = p.dir
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SYSTEMROOT"} {
		cmd.Env = append(cmd.Env, name+"="+os.Getenv(name))
	}
	for name := range maps.Keys(p.env) {
		cmd.Env = append(cmd.Env, name+"="+p.env[name])
	}
	return cmd
}

// run runs a command, checks its exit code and gives all it printed.
func (p *place) run(code int, args ...string) string {
	p.t.Helper()
	got, out := p.try(args...)
	if got != code {
		p.t.Fatalf("tallyman %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// try runs a command and gives its exit code and all it printed.
func (p *place) try(args ...string) (int, string) {
	p.t.Helper()
	cmd := p.command(args...)
	out, err := cmd.CombinedOutput()
	p.printed.Write(out)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// sync runs a sync and checks its outcome: no_change, succeeded, warning, held, failed. It gives the report.
func (p *place) sync(outcome string, args ...string) report {
	p.t.Helper()
	cmd := p.command(append([]string{"sync", "acme/rhipe", "--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	p.printed.Write(stdout.Bytes())
	p.printed.Write(stderr.Bytes())
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || r.Outcome != outcome {
		p.t.Fatalf("sync: outcome %q, want %q (%v)\n%s%s", r.Outcome, outcome, err, stdout.String(), stderr.String())
	}
	return r
}

// report is what a run prints with --json.
type report struct {
	Run      int64
	Outcome  string
	Counts   map[string]int
	Warnings []string
	Notes    []string
	Guards   map[string]string
	Error    *struct{ Code, Message, Hint string }
}

// rows reads a list as JSON into a slice.
func rows[T any](p *place, args ...string) []T {
	p.t.Helper()
	cmd := p.command(append(args, "--json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("tallyman %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	p.printed.Write(out)
	var list []T
	if err := json.Unmarshal(out, &list); err != nil {
		p.t.Fatalf("tallyman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return list
}

// subscription is a line of "subscriptions list".
type subscription struct {
	ID                                                int64
	Customer, Name, Quantity, State, Distributor, Ref string
	Active                                            bool
}

func (p *place) subscriptions() []subscription {
	p.t.Helper()
	return rows[subscription](p, "subscriptions", "list", "acme", "--all")
}

// wants finds texts in an output, whose lines may be broken anywhere.
func (p *place) wants(text string, wanted ...string) {
	p.t.Helper()
	folded := strings.Join(strings.Fields(text), " ")
	for _, w := range wanted {
		if !strings.Contains(text, w) && !strings.Contains(folded, w) {
			p.t.Errorf("the output lacks %q:\n%s", w, text)
		}
	}
}
