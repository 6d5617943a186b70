// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// badBlocks let the misbehaving plugin's start be told what to do.
var badBlocks = append([]string{`environment = ["BAD_START"]`}, switchBlocks...)

// newBadPlace is a place where the misbehaving plugin has been locked and has once behaved.
func newBadPlace(t *testing.T, plugins string) *place {
	t.Helper()
	p := newPlaceWithout(t, plugins)
	p.configure(badBlocks...)
	p.run(0, "plugin", "lock")
	p.sync("succeeded")
	return p
}

// badCall is a run in which the plugin misbehaves.
type badCall struct {
	// mode is what it does in a call, start what at its start.
	mode, start string
	env         map[string]string
	args        []string

	code    int
	outcome string
	says    []string
	// crash must be in the crash record, shown by "runs show"; empty: there is none.
	crash []string
	// log must be in what the program logs.
	log []string
}

func badCalls() map[string]badCall {
	slow := map[string]string{"TALLYMAN_RUNS_TIMEOUT": "2s"}
	crashed := func(mode string, says, crash []string) badCall {
		return badCall{
			mode: mode, code: 1, outcome: "failed", crash: crash,
			says: append([]string{"plugin.crashed", `plugin "rhipe" crashed during ListSubscriptions`}, says...),
		}
	}
	return map[string]badCall{
		"panics at its start": {
			start: "panic", code: 1, outcome: "failed", crash: []string{`"call":"start"`, `"exit_code":2`, "panic: no bananas left"},
			says: []string{"plugin.crashed", `plugin "rhipe" crashed at its start (exit code 2)`, "panic: no bananas left", "fault of the plugin"},
		},
		"exits at its start": {
			start: "exit", code: 1, outcome: "failed",
			says: []string{"plugin.not_a_plugin", "exit code 3 and without a handshake", "cannot find my files"},
		},
		"hangs at its start":               {start: "hang", env: slow, code: 1, outcome: "failed", says: []string{"run.timeout", "longer than 2s", "Nothing was changed"}},
		"writes to its standard output":    {start: "stdout", code: 1, outcome: "failed", says: []string{"plugin.stdout", "starting up, please wait", "it has a log for that"}},
		"speaks another protocol":          {start: "protocol", code: 1, outcome: "failed", says: []string{"plugin.protocol_version", "version 9 of the protocol", "this host speaks version 1", "needs an update"}},
		"calls itself otherwise":           {start: "name", code: 1, outcome: "failed", says: []string{"plugin.name", `"someone-else"`, "Rename"}},
		"wants another host":               {start: "host", code: 1, outcome: "failed", says: []string{"plugin.host_version", ">= 99.1", "Update the host"}},
		"panics when asked who it is":      {start: "panic in Describe", code: 1, outcome: "failed", crash: []string{`"call":"Describe"`, "panic: cannot describe myself"}, says: []string{"plugin.crashed", "panic: cannot describe myself", "fault of the plugin"}},
		"panics when it gets its settings": {mode: "panic in Configure", code: 1, outcome: "failed", crash: []string{`"call":"Configure"`, "panic: these settings are too much for me"}, says: []string{"plugin.crashed", "during Configure", "panic: these settings are too much for me"}},
		"hangs when it gets its settings":  {mode: "hang in Configure", env: slow, code: 1, outcome: "failed", says: []string{"run.timeout", "longer than 2s"}},

		"panics with the customers": {
			mode: "panic with the customers", code: 1, outcome: "failed", crash: []string{`"call":"ListCustomers"`, "boom with the customers"},
			says: []string{"plugin.crashed", `crashed during ListCustomers (exit code 2): panic: boom with the customers`, "fault of the plugin", "crash record that is kept with the run"},
		},
		"panics": crashed("panic", []string{"(exit code 2): panic: boom in a call", "Report it to its vendor"},
			[]string{`"exit_code":2`, "panic: boom in a call", "goroutine", `"version":"1.2.3"`}),
		"panics elsewhere": crashed("panic elsewhere", []string{"(exit code 2): panic: boom in a goroutine"}, []string{`"exit_code":2`, "panic: boom in a goroutine"}),
		"exits":            crashed("exit", []string{"(exit code 7)", "I have had enough"}, []string{`"exit_code":7`, "I have had enough"}),
		"exits with 0":     crashed("exit as if all were well", []string{"(exit code 0)"}, []string{`"exit_code":0`}),
		"is killed":        crashed("killed", []string{"(ended by signal: killed)", "memory ran out"}, []string{`"signal":"killed"`, `"oom_hint":true`}),

		"hangs":         {mode: "hang", env: slow, code: 1, outcome: "failed", says: []string{"run.timeout", "longer than 2s", "find out why the distributor is slow"}},
		"hangs at once": {mode: "hang at once", env: slow, code: 1, outcome: "failed", says: []string{"run.timeout", "longer than 2s"}},
		"does not exit": {mode: "hang at exit", outcome: "no_change", log: []string{"the plugin did not end cleanly", "killed"}},
		"floods its log": {
			mode: "flood", outcome: "no_change", args: []string{"--log-level", "trace"},
			log: []string{"line 0 of far too many", "lines were left out"},
		},
		"sends a message of 10 MiB": {mode: "large", code: 1, outcome: "failed", says: []string{"plugin.message_too_large", "8 MiB", "ListSubscriptions"}},
		"answers with an odd error": {mode: "status", code: 1, outcome: "failed", says: []string{"plugin.protocol", "something odd"}},
		"ends without an end":       {mode: "no end", outcome: "warning", says: []string{"the plugin ended the listing without saying whether everything was read", "only part of the account could be read"}},
		"counts wrongly":            {mode: "wrong count", outcome: "warning", says: []string{"only part of the account could be read, so nothing counts as missing from it", "2"}},
		"ends in a scope":           {mode: "end before the scope's", outcome: "warning", says: []string{"only part of the account could be read"}},
		"sends no number":           {mode: "no number", outcome: "warning", says: []string{"only part of the account could be read", `subscription "s1" was left out: its quantity cannot be read: "many" is not a number`}},
	}
}

// TestPluginsThatMisbehave: whatever a plugin does, the database stays as it was, the run says what happened, nothing is
// left running, and the next run is as if nothing had been.
func TestPluginsThatMisbehave(t *testing.T) {
	t.Parallel()
	first := newBadPlace(t, filepath.Join(binaries, "bad"))
	for name, c := range badCalls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := copyPlaceWithout(t, first)
			before := p.contents()
			p.settings, p.env["BAD_START"] = []string{`mode = "` + c.mode + `"`}, c.start
			p.configure(badBlocks...)
			maps.Copy(p.env, c.env)
			p.printed.Reset()
			code, r := p.report(c.args...)
			if code != c.code || r.Outcome != c.outcome {
				t.Errorf("exit code %d, outcome %q, want %d, %q:\n%.5000s", code, r.Outcome, c.code, c.outcome, p.printed.String())
			}
			p.unchanged(before)
			p.wants(r.text(), c.says...)
			p.wants(p.printed.String(), c.log...)
			if n := p.printed.Len(); n > 2<<20 {
				t.Errorf("%d bytes were printed", n)
			}
			if left := p.processes(); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}
			shown := p.run(0, "runs", "show", "2")
			p.wants(shown, strings.ReplaceAll(c.outcome, "_", " "))
			if c.outcome == "failed" {
				p.wants(shown, c.says[0])
			}
			p.crashRecord(c.crash)

			p.settings, p.env["BAD_START"] = nil, ""
			delete(p.env, "TALLYMAN_RUNS_TIMEOUT")
			p.configure(badBlocks...)
			p.sync("no_change")
			p.unchanged(before)
		})
	}
}

// crashRecord checks the crash record of run 2.
func (p *place) crashRecord(wanted []string) {
	p.t.Helper()
	record := p.ask("SELECT coalesce(crash, '') FROM runs WHERE id = 2")
	if (record != "") != (len(wanted) > 0) {
		p.t.Errorf("crash record %q", record)
	}
	for _, w := range wanted {
		if !strings.Contains(record, w) {
			p.t.Errorf("the crash record lacks %q: %s", w, record)
		}
	}
	if record != "" {
		if !json.Valid([]byte(record)) {
			p.t.Errorf("the crash record is no JSON: %s", record)
		}
		p.wants(p.run(0, "runs", "show", "2"), "Crash:")
	}
}

// TestFilesThatAreNoPlugin puts something else where the plugin was.
func TestFilesThatAreNoPlugin(t *testing.T) {
	t.Parallel()
	good := filepath.Join(binaries, "bad", "tallyman-plugin-rhipe")
	for name, c := range map[string]struct {
		replace func(t *testing.T, file string)
		// locked is what a run says to the file in place of the one that was locked; dev what it says with --dev, and lock
		// what locking it says.
		locked, dev []string
		lock        []string
	}{
		"a text": {
			func(t *testing.T, file string) { put(t, file, []byte("A recipe for apple pie.\n"), 0o755) },
			[]string{"plugin.checksum", "is not the file that was locked"},
			[]string{"plugin.not_a_plugin", "is not a program", "right file"},
			[]string{"plugin.not_a_plugin", "is not a program", "right file"},
		},
		"a script": {
			func(t *testing.T, file string) { put(t, file, []byte("#!/bin/sh\necho Hello, world\n"), 0o755) },
			[]string{"plugin.checksum", "is not the file that was locked"},
			[]string{"plugin.not_a_plugin", `instead of a handshake it wrote "Hello, world"`, "right file"},
			[]string{"plugin.not_a_plugin", `instead of a handshake it wrote "Hello, world"`},
		},
		"another program": {
			func(t *testing.T, file string) { put(t, file, content(t, "/bin/true"), 0o755) },
			[]string{"plugin.checksum", "is not the file that was locked"},
			[]string{"plugin.not_a_plugin", "ended with exit code 0 and without a handshake", "right file"},
			[]string{"plugin.not_a_plugin", "ended with exit code 0 and without a handshake"},
		},
		"for another processor": {
			func(t *testing.T, file string) { put(t, file, content(t, foreignProgram(t)), 0o755) },
			[]string{"plugin.checksum", "is not the file that was locked"},
			[]string{"plugin.platform", "is built for linux/" + foreign(), "this host runs on linux/" + runtime.GOARCH, "Get the vendor's file for linux/" + runtime.GOARCH},
			[]string{"plugin.platform", "is built for linux/" + foreign()},
		},
		"not executable": {
			func(t *testing.T, file string) { put(t, file, content(t, good), 0o644) },
			[]string{"plugin.not_executable", "chmod +x"},
			[]string{"plugin.not_executable", "chmod +x"},
			[]string{"plugin.not_executable", "chmod +x"},
		},
		"for everybody to change": {
			func(t *testing.T, file string) { put(t, file, content(t, good), 0o757) },
			[]string{"plugin.writable", "anybody on this machine may change", "chmod o-w"},
			nil,
			[]string{"plugin.writable", "chmod o-w"},
		},
		"gone": {
			func(t *testing.T, file string) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"plugin.not_found", `no plugin "rhipe" is installed in`, "Put its file there under the name tallyman-plugin-rhipe"},
			[]string{"plugin.not_found"},
			nil,
		},
		"a directory": {
			func(t *testing.T, file string) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(file, 0o755); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"plugin.not_found", `no plugin "rhipe" is installed in`},
			[]string{"plugin.not_found"},
			[]string{"plugin.not_a_plugin", "is not a file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := pluginDirectory(t)
			p := newBadPlace(t, dir)
			before := p.contents()
			lock := string(content(t, filepath.Join(p.dir, "tallyman.lock")))
			file := filepath.Join(dir, "tallyman-plugin-rhipe")
			c.replace(t, file)

			code, r := p.report()
			if code != 1 || r.Outcome != "failed" {
				t.Errorf("exit code %d, outcome %q, want 1, failed", code, r.Outcome)
			}
			p.wants(r.text(), append(c.locked, dir)...)
			code, r = p.report("--dev")
			if want := map[bool]int{true: 1, false: 0}[c.dev != nil]; code != want {
				t.Errorf("with --dev: exit code %d, want %d: %s", code, want, r.text())
			}
			p.wants(r.text(), c.dev...)
			p.unchanged(before)
			if c.lock != nil {
				p.wants(p.run(1, "plugin", "lock"), append(c.lock, file)...)
			}
			if now := string(content(t, filepath.Join(p.dir, "tallyman.lock"))); now != lock {
				t.Errorf("the lock file has changed:\n%s", now)
			}
			p.wants(p.run(0, "runs", "show", "2"), c.locked[0])
			if left := p.processes(); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}

			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			put(t, file, content(t, good), 0o755)
			p.sync("no_change")
			p.unchanged(before)
		})
	}
}

// TestAPluginThatChangedSinceItWasLocked is not run, unless somebody says so, and then loudly.
func TestAPluginThatChangedSinceItWasLocked(t *testing.T) {
	t.Parallel()
	dir := pluginDirectory(t)
	p := newBadPlace(t, dir)
	before := p.contents()
	file := filepath.Join(dir, "tallyman-plugin-rhipe")
	var lock struct {
		Plugins map[string]struct{ SHA256 map[string]string }
	}
	lockFile := filepath.Join(p.dir, "tallyman.lock")
	if err := json.Unmarshal(content(t, lockFile), &lock); err != nil {
		t.Fatal(err)
	}
	expected := lock.Plugins["rhipe"].SHA256["linux_"+runtime.GOARCH]
	if len(expected) != 64 {
		t.Fatalf("the lock file: %s", content(t, lockFile))
	}
	put(t, file, append(content(t, file), "one more byte"...), 0o755)

	code, r := p.report()
	if code != 1 || r.Outcome != "failed" {
		t.Errorf("exit code %d, outcome %q", code, r.Outcome)
	}
	p.wants(r.text(), "plugin.checksum", file, "its sha256 is ", "the lock file says "+expected, `run "tallyman plugin lock rhipe"`, "replace the file by the one from its vendor")
	p.wants(p.run(1, "sync", "acme/rhipe"), "plugin.checksum", "the lock file says "+expected, `"tallyman plugin lock rhipe"`)
	p.wants(p.run(0, "plugin", "list"), "is not the file that was locked", expected)
	p.unchanged(before)

	r = p.sync("warning", "--dev")
	p.wants(r.text(), "DEVELOPMENT MODE", "UNCHECKED", file)
	p.wants(p.run(0, "sync", "acme/rhipe", "--dev"), "DEVELOPMENT MODE", "UNCHECKED")
	p.unchanged(before)

	p.run(0, "plugin", "lock", "rhipe")
	p.sync("no_change")
	p.unchanged(before)
	if strings.Contains(string(content(t, lockFile)), expected) {
		t.Errorf("the old sum is still in the lock file:\n%s", content(t, lockFile))
	}

	for text, says := range map[string]string{
		"{ not JSON":                "is damaged",
		`{"format":9,"plugins":{}}`: "has format 9; this host knows format 1",
		`{"format":1,"plugins":{}}`: "is not in the lock file",
		`{"format":1,"plugins":{"rhipe":{"file":"x","version":"1","sha256":{"plan9_mips":"00"}}}}`: "but not for linux_" + runtime.GOARCH,
	} {
		put(t, lockFile, []byte(text), 0o644)
		code, r := p.report()
		if code != 1 || r.Outcome != "failed" {
			t.Errorf("%s: exit code %d, outcome %q", text, code, r.Outcome)
		}
		p.wants(r.text(), "plugin.", says, lockFile, "tallyman plugin lock")
		p.unchanged(before)
	}
}

// pluginDirectory is a plugins directory of a test's own, with the misbehaving plugin.
func pluginDirectory(t *testing.T) string {
	t.Helper()
	// Beside the program, where the processes of a place are looked for.
	dir, err := os.MkdirTemp(binaries, "plugins-*") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "tallyman-plugin-rhipe"), content(t, filepath.Join(binaries, "bad", "tallyman-plugin-rhipe")), 0o755)
	return dir
}

// foreign is a processor that this machine has not.
func foreign() string {
	if runtime.GOARCH == "arm64" {
		return "amd64"
	}
	return "arm64"
}

// foreignProgram builds a program for it.
func foreignProgram(t *testing.T) string {
	t.Helper()
	source, program := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "foreign")
	put(t, source, []byte("package main\n\nfunc main() {}\n"), 0o600)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "GOARCH="+foreign(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for %s: %v\n%s", foreign(), err, out)
	}
	return program
}
