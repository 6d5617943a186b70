// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// root is the top of the project.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// vendor is a person who makes a plugin, at work in a folder.
type vendor struct {
	t   *testing.T
	dir string
}

// run runs a program, wants an exit code, and gives what it printed to either side.
func (v *vendor) run(code int, program string, args ...string) (out, errOut string) {
	v.t.Helper()
	cmd := exec.CommandContext(v.t.Context(), program, args...)
	cmd.Dir = v.dir
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		v.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		v.t.Fatalf("%s %s: exit code %d, want %d\n%s%s", program, strings.Join(args, " "), got, code, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

func (v *vendor) tallyman(code int, args ...string) (out, errOut string) {
	v.t.Helper()
	return v.run(code, filepath.Join(binaries, "tallyman")+exe(), args...)
}

// report runs "plugin test" and gives its report.
func (v *vendor) report(code int, args ...string) sdktest.Report {
	v.t.Helper()
	out, errOut := v.tallyman(code, append([]string{"plugin", "test", "--json"}, args...)...)
	var report sdktest.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		v.t.Fatalf("%v\n%s%s", err, out, errOut)
	}
	return report
}

func outcome(report sdktest.Report, rule string) sdktest.Outcome {
	at := slices.IndexFunc(report.Results, func(r sdktest.Result) bool { return r.Rule == rule })
	if at < 0 {
		return "there is no such rule"
	}
	return report.Results[at].Outcome
}

// scaffolded writes the project of a plugin and gives the folder.
func scaffolded(t *testing.T, name string, args ...string) *vendor {
	t.Helper()
	v := &vendor{t, t.TempDir()}
	v.tallyman(0, append([]string{"plugin", "new", name, "--dir", "project", "--sdk", root(t)}, args...)...)
	v.dir = filepath.Join(v.dir, "project")
	return v
}

// TestEveryCommandOfTheVendorsREADME runs the commands of sdk/README.md, one after the other, from an empty folder.
func TestEveryCommandOfTheVendorsREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root(t), "sdk", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	v := &vendor{t, t.TempDir()}
	// The program was not built in the checkout here, so that it is told where one is.
	bin := filepath.Join(v.dir, "bin")
	wrapper := fmt.Sprintf("#!/bin/sh\nif [ \"$1 $2\" = \"plugin new\" ]; then set -- \"$@\" --sdk %q; fi\nexec %q \"$@\"\n",
		root(t), filepath.Join(binaries, "tallyman"))
	script := "set -eux\nexport PATH=" + bin + ":$PATH\nmkdir work\ncd work\n"
	blocks := 0
	for _, part := range strings.Split(string(readme), "```sh\n")[1:] {
		commands, _, _ := strings.Cut(part, "```")
		script += commands
		blocks++
	}
	if blocks < 3 {
		t.Fatalf("only %d blocks of commands", blocks)
	}
	for path, text := range map[string]string{filepath.Join(bin, "tallyman"): wrapper, filepath.Join(v.dir, "script"): script} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o700)); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
	}
	out, _ := v.run(0, "sh", "script")
	for _, wanted := range []string{"ok  \texample.com/tallyman-plugin-acmecloud", "0 broken, 0 not checked", "acmecloud 0.1.0 is locked"} {
		if !strings.Contains(out, wanted) {
			t.Errorf("the commands do not print %q:\n%s", wanted, out)
		}
	}
}

func TestANewPluginConformsAsItIsWritten(t *testing.T) {
	t.Parallel()
	v := scaffolded(t, "7seas", "--module", "example.org/vendors/7seas")
	v.run(0, "make", "build")
	v.run(0, "go", "build", "-o", filepath.Join("bin", "sim7seas")+exe(), "./sim7seas/cmd/sim7seas")
	program := filepath.Join("bin", "tallyman-plugin-7seas")
	report := v.report(0, program, "--simulator", "bin/sim7seas"+exe(), "--require-all", "--junit", "report.xml", "--large", "20000")
	if report.Plugin != "7seas" || report.Version != "0.1.0" || report.Count(sdktest.Passed) != len(report.Results) || len(report.Results) < 50 {
		t.Errorf("%+v", report)
	}
	var junit struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name string `xml:"name,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	text, err := os.ReadFile(filepath.Join(v.dir, "report.xml"))
	if err == nil {
		err = xml.Unmarshal(text, &junit)
	}
	if err != nil || len(junit.Suites) != 1 || junit.Suites[0].Tests != len(report.Results) || len(junit.Suites[0].Cases) != len(report.Results) {
		t.Errorf("JUnit: %v %+v", err, junit)
	}
}

// A distributor that speaks to the plugin through the settings of a configuration, as a real one would.
func TestPluginTestWithSettings(t *testing.T) {
	t.Parallel()
	v := scaffolded(t, "acmecloud")
	v.run(0, "make", "build")
	v.run(0, "go", "build", "-o", filepath.Join("bin", "acmecloudsim")+exe(), "./acmecloudsim/cmd/acmecloudsim")
	program := filepath.Join("bin", "tallyman-plugin-acmecloud")
	url := v.serve(filepath.Join("bin", "acmecloudsim") + exe())
	configure := func(key, address string) string {
		text := `tenant "demo" {
  module "acmecloud" {
    settings {
      api_base_url = "` + address + `"
      api_key      = "` + key + `"
      retry_wait   = "1ms"
    }
  }
}
`
		if err := os.WriteFile(filepath.Join(v.dir, "try.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "try.hcl"
	}
	report := v.report(0, program, "--settings", configure("simulated-api-key", url))
	for rule, want := range map[string]sdktest.Outcome{
		"listing.complete": sdktest.Passed, "test.refused": sdktest.Passed, "secret.kept": sdktest.Passed, "listing.memory": sdktest.NotChecked,
	} {
		if got := outcome(report, rule); got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
	v.report(1, program, "--settings", "try.hcl", "--require-all")
	v.report(1, program, "--settings", configure("another-api-key", url))
	v.report(3, program, "--settings", configure("simulated-api-key", "http://127.0.0.1:1"))
}

// serve starts a simulator and gives its address.
func (v *vendor) serve(program string) string {
	v.t.Helper()
	cmd := exec.CommandContext(v.t.Context(), filepath.Join(v.dir, program))
	in, err := cmd.StdinPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			v.t.Logf("the simulator: %v", err)
		}
	})
	var hello struct {
		Settings struct {
			URL string `json:"api_base_url"`
		}
	}
	if err := json.NewDecoder(out).Decode(&hello); err != nil {
		v.t.Fatal(err)
	}
	return hello.Settings.URL
}

func TestPluginNewRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	v := &vendor{t, t.TempDir()}
	if err := os.WriteFile(filepath.Join(v.dir, "precious.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		part string
	}{
		{[]string{"Acme", "--sdk", root(t)}, "cannot be a plugin's name"},
		{[]string{"../acme", "--sdk", root(t)}, "cannot be a plugin's name"},
		{[]string{"acme", "--sdk", root(t), "--module", "bad module"}, "cannot be a Go module's path"},
		{[]string{"acme", "--sdk", root(t), "--module", "x/../y"}, "cannot be a Go module's path"},
		{[]string{"acme", "--sdk", root(t), "--dir", "."}, "is not empty: it holds precious.txt"},
		{[]string{"acme", "--sdk", "."}, "is no checkout of Tallyman"},
		{[]string{"acme"}, "say where one is with --sdk"},
	} {
		if _, errOut := v.tallyman(2, append([]string{"plugin", "new"}, c.args...)...); !strings.Contains(errOut, c.part) {
			t.Errorf("%q: %q does not hold %q", c.args, errOut, c.part)
		}
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v %v", entries, err)
	}
}

func TestPluginTestSaysWhatIsWrongWithItsCall(t *testing.T) {
	t.Parallel()
	v := &vendor{t, t.TempDir()}
	program := filepath.Join(binaries, "plugins", "tallyman-plugin-rhipe") + exe()
	if err := os.WriteFile(filepath.Join(v.dir, "none.hcl"), []byte(`tenant "demo" {}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		part string
	}{
		{[]string{"missing"}, "no such file"},
		{[]string{"."}, "is a folder"},
		{[]string{program, "--simulator", "x", "--settings", "y"}, "leave out --settings"},
		{[]string{program, "--module", "demo/rhipe"}, "needs --settings"},
		{[]string{program, "--settings", "none.hcl"}, `has no module of plugin "rhipe"`},
	} {
		if _, errOut := v.tallyman(2, append([]string{"plugin", "test"}, c.args...)...); !strings.Contains(errOut, c.part) {
			t.Errorf("%q: %q does not hold %q", c.args, errOut, c.part)
		}
	}
	v.tallyman(1, "plugin", "test", program, "--simulator", "false")
}
