// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

const (
	// strayWait is how long a plugin that wrote something else first may take to come up with a handshake. It only
	// decides which of two errors is told.
	strayWait = time.Second
	// pipeWait is how long what a dead process wrote is waited for, when something it started holds the pipe open.
	pipeWait = 2 * time.Second
)

// helloLine is how a handshake begins: core protocol, protocol, network, address.
var helloLine = regexp.MustCompile(`^(\d{1,9})\|(\d{1,9})\|(unix|tcp)\|([^|]+)\|`)

// child is the operating system's side of a plugin: one process in a group of its own, its streams, and how it ended.
//
// It is a runner of go-plugin's, so that go-plugin never sees what the plugin writes but the handshake: its own reader
// of log lines panics on a line of JSON whose message is no text, and its reader of standard output gives up on a
// long line and then leaves the plugin blocked.
type child struct {
	bin  *binaryFile
	env  []string
	sink *sink

	socketDir string

	// out is what go-plugin reads as the plugin's standard output.
	out    *io.PipeReader
	outEnd *io.PipeWriter
	done   chan struct{}

	mu      sync.Mutex
	cmd     *exec.Cmd
	pid     int
	started time.Time
	reaped  bool
	killed  bool // It was to be killed.
	forced  bool // It was killed while it still ran, as far as could be seen.
	state   *os.ProcessState
	ended   time.Time
	spoke   spoken
}

// spoken is what the plugin wrote to its standard output before or instead of the handshake.
type spoken struct {
	noise          []string
	hello          bool
	core, protocol int
	network, addr  string
	badAddr        bool
}

var _ runner.Runner = (*child)(nil)

func newChild(bin *binaryFile, sink *sink) *child {
	c := &child{bin: bin, sink: sink, done: make(chan struct{})}
	c.out, c.outEnd = io.Pipe()
	return c
}

// errKilled is why a process that was to be killed before it was started is not started.
var errKilled = errors.New("stopped before it was started")

// Start starts the process. What goes wrong with that is told by the error alone.
func (c *child) Start(context.Context) error {
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		_ = stdout.Close()
		_ = stdoutEnd.Close()
		return fmt.Errorf("make a pipe: %w", err)
	}
	started := make(chan error, 1)
	go c.live(stdoutEnd, stderrEnd, stdout, stderr, started)
	return <-started
}

// live starts the process and stays with it until it is gone. It holds one thread for that long, because the system
// ends the process with the thread that started it.
func (c *child) live(stdoutEnd, stderrEnd, stdout, stderr *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer stdout.Close() //nolint:errcheck // it was only read
	defer stderr.Close() //nolint:errcheck // it was only read

	cmd := exec.Command(c.bin.real) //nolint:noctx // it is stopped by stop, with all it started
	cmd.Args[0] = c.bin.path
	cmd.Env = c.env
	// Nil is the null device: a plugin never reads what was meant for the host.
	cmd.Stdin = nil
	cmd.Stdout, cmd.Stderr = stdoutEnd, stderrEnd
	cmd.SysProcAttr = childAttributes()

	c.mu.Lock()
	err := errKilled
	if !c.killed {
		err = cmd.Start()
	}
	if err == nil {
		c.cmd, c.pid, c.started = cmd, cmd.Process.Pid, time.Now()
	}
	c.mu.Unlock()
	_ = stdoutEnd.Close()
	_ = stderrEnd.Close()
	if err == nil && !c.ranTheHashed() {
		err = fail(CodeChecksum, "See who writes to the plugins directory while the host starts plugins.",
			"%s was changed or replaced between the check of its sum and its start; it was killed", c.bin.path)
		c.stop()
	}
	if c.pid == 0 {
		c.outEnd.Close()
		close(c.done)
		started <- err
		return
	}

	var readers sync.WaitGroup
	readers.Go(func() { c.sink.readStderr(stderr) })
	readers.Go(func() { c.readStdout(stdout) })
	started <- err

	waitExit(c.pid)
	c.mu.Lock()
	c.reaped = true
	killGroup(c.pid)
	c.mu.Unlock()
	_ = cmd.Wait()
	soon := time.Now().Add(pipeWait)
	_ = stdout.SetReadDeadline(soon)
	_ = stderr.SetReadDeadline(soon)
	readers.Wait()
	c.outEnd.Close()
	c.mu.Lock()
	c.state, c.ended = cmd.ProcessState, time.Now()
	c.mu.Unlock()
	close(c.done)
}

// readStdout looks for the handshake, hands it on alone, and reports everything else.
func (c *child) readStdout(stdout io.Reader) {
	var late *time.Timer
	told := false
	eachLine(stdout, func(line string) {
		c.mu.Lock()
		match := helloLine.FindStringSubmatch(line)
		switch {
		case c.spoke.hello, match == nil && len(c.spoke.noise) >= lastLines:
		case match != nil:
			c.spoke.hello = true
			c.spoke.core, _ = strconv.Atoi(match[1])
			c.spoke.protocol, _ = strconv.Atoi(match[2])
			c.spoke.network, c.spoke.addr = match[3], match[4]
		default:
			c.spoke.noise = append(c.spoke.noise, cut(line, maxLogged))
		}
		noise := len(c.spoke.noise) > 0
		c.mu.Unlock()
		switch {
		case told:
			c.sink.strayLine(line)
		case match != nil && !noise:
			told = true
			_, _ = io.WriteString(c.outEnd, line+"\n")
		case match != nil:
			told = true
			c.outEnd.Close()
		case late == nil:
			late = time.AfterFunc(strayWait, func() { c.outEnd.Close() })
		}
	})
	if late != nil {
		late.Stop()
	}
	c.outEnd.Close()
}

// stop kills the process and what it started. It may be called at any time and more than once.
func (c *child) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.cmd != nil && !c.reaped {
		c.forced = true
		killGroup(c.pid)
		_ = c.cmd.Process.Kill()
	}
	// Whoever waits for a handshake waits no longer.
	c.outEnd.Close()
}

// wasKilled reports whether the process ended because stop killed it. It may be asked once the process is gone.
func (c *child) wasKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forced && (c.state == nil || !c.state.Success())
}

// exited reports whether the process is gone and everything it wrote has been read.
func (c *child) exited() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// said gives what the plugin wrote to its standard output.
func (c *child) said() spoken {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spoke
}

// Wait waits for the end of the process.
func (c *child) Wait(context.Context) error {
	<-c.done
	return nil
}

// Kill ends the process.
func (c *child) Kill(context.Context) error {
	c.stop()
	return nil
}

// ID gives the process's id, empty before it has one.
func (c *child) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 {
		return ""
	}
	return strconv.Itoa(c.pid)
}

// Name gives the path of the binary.
func (c *child) Name() string { return c.bin.path }

// Stdout gives the handshake and nothing else.
func (c *child) Stdout() io.ReadCloser { return c.out }

// Stderr is empty: the sink has it.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Diagnose says nothing: whoever launched the process knows better what went wrong.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost accepts a socket in the directory made for this process, or a port of this machine.
func (c *child) PluginToHost(network, addr string) (string, string, error) {
	ok := false
	switch network {
	case "unix":
		ok = filepath.Dir(filepath.Clean(addr)) == filepath.Clean(c.socketDir)
	case "tcp":
		host, _, err := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		ok = err == nil && ip != nil && ip.IsLoopback()
	}
	if !ok {
		c.mu.Lock()
		c.spoke.badAddr = true
		c.mu.Unlock()
		return "", "", fmt.Errorf("the plugin listens at %s %q, which is not where it was told to", network, addr)
	}
	return network, addr, nil
}

// HostToPlugin changes nothing: both see the same files.
func (c *child) HostToPlugin(network, addr string) (string, string, error) { return network, addr, nil }
