// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pluginhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func kill(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// alive reports whether there is such a process that is more than an entry in its parent's book.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err)
	}
	_, after, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(after, "Z")
}

// tinyHost is a host that launches a plugin, lists, and waits to be killed.
func tinyHost() {
	ctx := context.Background()
	path := os.Getenv("TALLYMAN_TEST_HOST")
	p, err := Launch(ctx, Spec{Name: "good", Path: path, Dev: true, HostVersion: "1.0.0"})
	if err == nil {
		var l *Listing
		if l, err = p.ListSubscriptions(ctx, []string{"hang"}, time.Time{}); err == nil {
			_, err = l.Next()
		}
	}
	fmt.Println(p.PID(), err)
	select {}
}

func TestAKilledHostLeavesNoPlugin(t *testing.T) {
	t.Parallel()
	in := pluginIn(t, "good")
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "TALLYMAN_TEST_HOST="+in.Path)
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || rest != "<nil>" || !alive(pid) {
		t.Fatalf("the host said %q", line)
	}
	kill(t, host.Process.Pid)
	_ = host.Wait()
	eventually(t, "the plugin is gone", func() bool { return !alive(pid) })
}

func TestWhatAPluginStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	l, err := p.ListSubscriptions(t.Context(), []string{"child"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	child := 0
	for child == 0 {
		e, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := e.(Warning); ok {
			if child, err = strconv.Atoi(w.Message); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !alive(child) {
		t.Fatal("the plugin's own process does not run")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "the plugin's own process is gone", func() bool { return !alive(child) })
}

func TestAStoppedPluginIsKilledWhenItIsClosed(t *testing.T) {
	t.Parallel()
	p := launch(t, "good", func(s *Spec) { s.DrainTimeout = 300 * time.Millisecond })
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// The signal stops one thread after the other; until the last one is, the plugin may still answer and even exit.
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.PID(), &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the plugin did not stop: %v %v", status, err)
	}
	if err := p.Close(t.Context()); codeOf(err) != CodeHangs {
		t.Errorf("close: %v", err)
	}
	if alive(p.PID()) || p.Crash() != nil {
		t.Errorf("alive %v, crash %v", alive(p.PID()), p.Crash())
	}
}
