// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"bytes"
	"context"
	enc "encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAPluginStartsAndSaysWhoItIs(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	d := p.Description()
	if d.Name != "good" || d.DisplayName != "Test good" || d.Version != "1.2.3" || d.Protocol != 1 {
		t.Errorf("description: %+v", d)
	}
	if !d.RefsIgnoreCase() || !d.AbsenceMeansEnded() || len(d.Settings) != 1 || !d.Settings[0].Secret {
		t.Errorf("capabilities or settings: %+v", d)
	}
	if len(p.Warnings()) != 0 || p.Crash() != nil {
		t.Errorf("warnings %v, crash %v", p.Warnings(), p.Crash())
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if p.Crash() != nil {
		t.Errorf("a plugin that was closed has crashed: %+v", p.Crash())
	}
	if _, err := os.Stat(p.dir.path); !os.IsNotExist(err) {
		t.Errorf("the socket's directory is left: %v", err)
	}
	if _, err := p.ListCustomers(t.Context(), nil); codeOf(err) != CodeClosed {
		t.Errorf("listing after close: %v", err)
	}
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, code string
		says       []string
		hint       string
	}{
		{"plain", CodeNotAPlugin, []string{"is not a plugin", "Hello, world!"}, "right file"},
		{"silent", CodeNotAPlugin, []string{"exit code 3"}, "cannot find my files"},
		{"other-product", CodeNotAPlugin, []string{"without a handshake"}, "not meant to be executed directly"},
		{"protocol-nine", CodeProtocolVersion, []string{"version 9", "version 1"}, "go together"},
		{"core-seven", CodeProtocolVersion, []string{"(7)"}, "go together"},
		{"far-away", CodeProtocol, []string{"192.0.2.1:443"}, "vendor"},
		{"stdout-early", CodeStdout, []string{"starting up, please wait"}, "standard output"},
		{"panic-start", CodeCrashed, []string{"at its start", "exit code 2", "panic: no bananas left"}, "fault of the plugin"},
		{"panic-describe", CodeCrashed, []string{"Describe", "panic: cannot describe myself"}, "fault of the plugin"},
		{"newer-host", CodeHostVersion, []string{">= 99.1", "1.4.0"}, "Update the host"},
		{"odd-range", CodeHostVersion, []string{"the latest"}, "vendor"},
		{"wrong-name", CodeName, []string{`"wrong-name"`, `"someone-else"`}, "Rename"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			p, err := Launch(t.Context(), specOf(t, pluginIn(t, c.mode)))
			if err == nil {
				_ = p.Close(t.Context())
				t.Fatal("it started")
			}
			if codeOf(err) != c.code {
				t.Errorf("code %q, want %q: %v", codeOf(err), c.code, err)
			}
			contains(t, err.Error(), c.says...)
			contains(t, hintOf(err), c.hint)
			if strings.Contains(strings.ToLower(err.Error()+hintOf(err)), "architecture") {
				t.Errorf("it guesses: %v %s", err, hintOf(err))
			}
		})
	}
}

func TestAPluginThatHangsAtItsStartIsKilled(t *testing.T) {
	t.Parallel()
	for mode, says := range map[string]string{"hang-start": "did not say that it is ready", "hang-describe": "did not describe itself"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			spec := specOf(t, pluginIn(t, mode))
			spec.StartTimeout = 2 * time.Second
			_, err := Launch(t.Context(), spec)
			if codeOf(err) != CodeStartTimeout {
				t.Fatalf("error: %v", err)
			}
			contains(t, err.Error(), says, "2s")
			if mode == "hang-start" {
				contains(t, hintOf(err), "thinking")
			}
		})
	}
}

func TestAStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := &logBuffer{}
	spec := specOf(t, pluginIn(t, "hang-start"))
	log.spec(&spec)
	done := make(chan error, 1)
	go func() {
		_, err := Launch(ctx, spec)
		done <- err
	}()
	eventually(t, "the plugin runs", func() bool { return strings.Contains(log.String(), "thinking") })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestAFileThatIsNoProgramIsNotRun(t *testing.T) {
	t.Parallel()
	foreign := elfHeader(243) // RISC-V
	if len(foreign) != 64 {
		t.Fatal("odd header")
	}
	for _, c := range []struct {
		name, code string
		content    []byte
		mode       os.FileMode
		says, hint string
	}{
		{"not executable", CodeNotExecutable, []byte("#!/bin/sh\n"), 0o644, "not executable", "chmod +x"},
		{"of another platform", CodePlatform, foreign, 0o755, "built for linux/riscv64", "Get the vendor's file"},
		{"no program", CodeNotAPlugin, []byte("\x00\x01nonsense"), 0o755, "not a program", "right file"},
		{"empty", CodeNotAPlugin, nil, 0o755, "not a program", "right file"},
		{"without its interpreter", CodeStart, []byte("#!/no/such/interpreter\n"), 0o755, "interpreter", "install"},
		{"writable by all", CodeWritable, foreign, 0o757, "anybody", "chmod o-w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := Installed{Name: "x", Path: filepath.Join(t.TempDir(), FileName("x"))}
			if err := os.WriteFile(in.Path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(in.Path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Launch(t.Context(), specOf(t, in))
			if codeOf(err) != c.code {
				t.Fatalf("code %q, want %q: %v", codeOf(err), c.code, err)
			}
			contains(t, err.Error(), c.says, in.Path)
			contains(t, hintOf(err), c.hint)
		})
	}
}

// elfHeader is the beginning of a 64-bit ELF program for a machine.
func elfHeader(machine uint16) []byte {
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01")
	b.Write(make([]byte, 9))
	for _, v := range []any{
		uint16(2), machine, uint32(1), uint64(0), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(0), uint16(64), uint16(0), uint16(0),
	} {
		_ = enc.Write(&b, enc.LittleEndian, v)
	}
	return b.Bytes()
}

func TestADirectoryAnybodyMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	in := pluginIn(t, "good")
	if err := os.Chmod(filepath.Dir(in.Path), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := Launch(t.Context(), specOf(t, in))
	if codeOf(err) != CodeWritable {
		t.Fatalf("error: %v", err)
	}
	contains(t, err.Error(), "anybody", filepath.Dir(in.Path))
}

func TestAChangedFileIsRefusedAndDevelopmentSaysSoLoudly(t *testing.T) {
	t.Parallel()
	spec := specOf(t, pluginIn(t, "good"))
	actual := spec.SHA256
	spec.SHA256 = bytes.Repeat([]byte{0xab}, 32)
	_, err := Launch(t.Context(), spec)
	var sum *ChecksumError
	if !errors.As(err, &sum) || codeOf(err) != CodeChecksum {
		t.Fatalf("error: %v", err)
	}
	if sum.File != spec.Path || sum.Expected != strings.Repeat("ab", 32) || len(sum.Actual) != 64 || sum.Actual[:2] == "ab" && actual[0] != 0xab {
		t.Errorf("error: %+v", sum)
	}
	contains(t, err.Error(), sum.File, sum.Expected, sum.Actual)
	contains(t, hintOf(err), "tallyman plugin lock good")

	spec.SHA256 = nil
	if _, err := Launch(t.Context(), spec); codeOf(err) != CodeUnlisted {
		t.Errorf("without a sum: %v", err)
	}
	spec.Dev = true
	for range 2 {
		p, err := Launch(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, strings.Join(p.Warnings(), "\n"), "DEVELOPMENT", "UNCHECKED", spec.Path)
		_ = p.Close(t.Context())
	}
}

func TestAFileReplacedBetweenCheckAndStartIsKilled(t *testing.T) {
	t.Parallel()
	in := pluginIn(t, "good")
	b, err := readBinary(in.Name, in.Path, false)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := copyFile(other, b.real); err != nil {
		t.Fatal(err)
	}
	b.real = other
	c := newChild(b, newSink(specLog(), &redactor{}))
	if err := c.Start(t.Context()); codeOf(err) != CodeChecksum {
		t.Errorf("error: %v", err)
	}
	<-c.done
}

func TestLeftoversOfAKilledHostAreRemovedAndThoseOfALivingOneAreNot(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dirs := map[string]bool{"dead": false, "living": true, "fresh": true, "unrelated": true}
	for name := range dirs {
		path := filepath.Join(base, socketDirPrefix+name)
		if name == "unrelated" {
			path = filepath.Join(base, "tallyman-notes")
		}
		if err := os.MkdirAll(filepath.Join(path, "plugin-dir1"), 0o700); err != nil {
			t.Fatal(err)
		}
		if name == "living" {
			d := &socketDir{path: path}
			if err := d.hold(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.remove() }()
		}
		if name != "fresh" {
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeLeftovers(base)
	for name, stays := range dirs {
		path := filepath.Join(base, socketDirPrefix+name)
		if name == "unrelated" {
			path = filepath.Join(base, "tallyman-notes")
		}
		if exists(path) != stays {
			t.Errorf("%s: there: %v, want %v", name, exists(path), stays)
		}
	}
}
