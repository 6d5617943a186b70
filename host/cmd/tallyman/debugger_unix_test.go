// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main_test

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

var attachLine = regexp.MustCompile(`dlv attach (\d+)`)

// debugged is a command that waits for a person with a debugger.
type debugged struct {
	input io.WriteCloser
	said  *bufio.Reader
	wait  func() error
	pid   int
}

func (p *place) debug(args ...string) *debugged {
	p.t.Helper()
	cmd := p.command(append(args, "--wait-for-debugger")...)
	input, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	output, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	d := &debugged{input: input, said: bufio.NewReader(output), wait: cmd.Wait}
	for d.pid == 0 {
		line, err := d.said.ReadString('\n')
		if err != nil {
			p.t.Fatalf("it ends without saying how to attach: %v %s", err, line)
		}
		if found := attachLine.FindStringSubmatch(line); found != nil {
			if d.pid, err = strconv.Atoi(found[1]); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	return d
}

func (d *debugged) rest(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(d.said)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPersonHasTimeToAttachADebugger(t *testing.T) {
	t.Parallel()
	p := newPlace(t, prismsim.Demo())
	d := p.debug("test", "acme/rhipe")
	if err := syscall.Kill(d.pid, 0); err != nil {
		t.Fatalf("the plugin does not run: %v", err)
	}
	time.Sleep(500 * time.Millisecond)
	if asked := p.sim.Requests(); len(asked) > 0 {
		t.Errorf("it does not wait: %d requests were sent", len(asked))
	}
	if _, err := io.WriteString(d.input, "\n"); err != nil {
		t.Fatal(err)
	}
	said := d.rest(t)
	if err := d.wait(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if len(p.sim.Requests()) == 0 {
		t.Error("nothing was asked of the distributor")
	}
}

// A plugin that stands at a breakpoint is as good as stopped. It must not be given up.
func TestAPluginThatStandsStillIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, prismsim.Demo())
	d := p.debug("test", "acme/rhipe")
	if err := syscall.Kill(d.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d.input, "\n"); err != nil {
		t.Fatal(err)
	}
	const longerThanAnyCall = 35 * time.Second
	time.Sleep(longerThanAnyCall)
	if err := syscall.Kill(d.pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	said := d.rest(t)
	if err := d.wait(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

func TestWithoutAPersonNobodyWaits(t *testing.T) {
	t.Parallel()
	p := newPlace(t, prismsim.Demo())
	d := p.debug("sync", "acme/rhipe")
	if err := d.input.Close(); err != nil {
		t.Fatal(err)
	}
	said := d.rest(t)
	if err := d.wait(); err == nil || !strings.Contains(said, "waits for Enter") {
		t.Errorf("%v\n%s", err, said)
	}
	if err := syscall.Kill(d.pid, 0); err == nil {
		t.Errorf("process %d of the plugin is left", d.pid)
	}
}
