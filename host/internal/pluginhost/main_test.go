// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

// built is the directory with the test plugin, built once.
var built string

func TestMain(m *testing.M) {
	if lockfile := os.Getenv("TALLYMAN_TEST_HOST"); lockfile != "" {
		tinyHost()
		return
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pluginhost-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, FileName("good")), "./internal/testplugin")
	if text, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test plugin: %v\n%s", err, text)
		return 1
	}
	built = dir
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// pluginIn gives a plugin that starts in a mode, under the mode's name.
func pluginIn(t testing.TB, mode string) Installed {
	t.Helper()
	good := filepath.Join(built, FileName("good"))
	path := filepath.Join(t.TempDir(), FileName(mode))
	var err error
	if runtime.GOOS == "windows" {
		err = copyFile(path, good)
	} else {
		// A link and no copy; a hard one would change the file under other tests.
		err = os.Symlink(good, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Installed{Name: mode, Path: path}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// specOf gives a spec with the file's true sum.
func specOf(t testing.TB, in Installed) Spec {
	t.Helper()
	spec := Spec{Name: in.Name, Path: in.Path, HostVersion: "1.4.0", Tenant: "acme", Module: "acme/" + in.Name, Run: "17"}
	if b, err := readBinary(in.Name, in.Path, true); err == nil {
		spec.SHA256 = b.sum[:]
	}
	return spec
}

// launch launches a plugin and closes it at the end of the test.
func launch(t testing.TB, mode string, change ...func(*Spec)) *Process {
	t.Helper()
	spec := specOf(t, pluginIn(t, mode))
	for _, c := range change {
		c(&spec)
	}
	p, err := Launch(t.Context(), spec)
	if err != nil {
		t.Fatalf("launch: %v (%s)", err, hintOf(err))
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

type told interface {
	error
	Code() string
	Hint() string
}

func hintOf(err error) string {
	var e told
	if errors.As(err, &e) {
		return e.Hint()
	}
	return ""
}

func codeOf(err error) string {
	var e told
	if errors.As(err, &e) {
		return e.Code()
	}
	return ""
}

// logBuffer is a log that can be read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) spec(s *Spec) {
	s.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: b})
}

// all reads a listing to its end.
func all(l *Listing) ([]Event, error) {
	var events []Event
	for {
		e, err := l.Next()
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

// subscriptions reads a listing in a mode to its end.
func subscriptions(t testing.TB, p *Process, mode string) ([]Event, Result, error) {
	t.Helper()
	l, err := p.ListSubscriptions(t.Context(), []string{mode}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	events, err := all(l)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return events, l.Result(), err
}

// eventually waits for something another process does. The deadline is a backstop.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
}
