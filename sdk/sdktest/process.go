// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// startTimeout is how long a plugin may take to come up.
const startTimeout = 30 * time.Second

// passedOn are the variables of the environment that a host passes on.
var passedOn = []string{"TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "GOCOVERDIR"}

// process is a plugin's program, running. It is a runner of go-plugin's, so that what the program prints can be seen.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr io.ReadCloser
	texts  *textLog

	mu sync.Mutex
	// stray are lines on standard output that are no handshake.
	stray []string
	done  chan struct{}
	err   error
}

var _ runner.Runner = (*process)(nil)

// program opens a plugin's program as a host does: nothing of the host's environment, mutual TLS, an empty standard input.
func program(path string) opener {
	return func(ctx context.Context, texts *textLog) (*session, error) {
		full, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		p := &process{texts: texts, done: make(chan struct{})}
		client := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig: wire.Handshake, VersionedPlugins: wire.ClientPlugins(), AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
			AutoMTLS: true, SkipHostEnv: true, StartTimeout: startTimeout, GRPCDialOptions: wire.DialOptions(),
			Logger:     hclog.NewNullLogger(),
			SyncStdout: &lines{each: p.strayLine}, SyncStderr: texts,
			RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
				// The program is not tied to the context: it must end when it is asked to.
				p.cmd = exec.Command(full) //nolint:noctx // see above
				p.cmd.Env = append(hostEnvironment(), cmd.Env...)
				ownGroup(p.cmd)
				return p, nil
			},
		})
		// Whoever does not want to wait any more is not kept by a program that does not come up.
		defer context.AfterFunc(ctx, func() { _ = p.Kill(ctx) })()
		protocol, err := client.Client()
		if err != nil {
			client.Kill()
			killGroup(p.cmd)
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, fmt.Errorf("%w%s", err, p.lastWords())
		}
		raw, err := protocol.Dispense(wire.PluginName)
		if err != nil {
			client.Kill()
			killGroup(p.cmd)
			return nil, err
		}
		return &session{
			rpc: raw.(distributorv1.DistributorServiceClient), texts: texts, process: p,
			close: func() {
				client.Kill()
				<-p.done
				killGroup(p.cmd)
			},
		}, nil
	}
}

func hostEnvironment() []string {
	env := []string{wire.EnvParentPID + "=" + strconv.Itoa(os.Getpid()), wire.EnvLogLevel + "=debug"}
	for _, name := range passedOn {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Start starts the program.
func (p *process) Start(context.Context) error {
	out, outEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	logged, loggedEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, out.Close(), outEnd.Close())
	}
	p.cmd.Stdout, p.cmd.Stderr = outEnd, loggedEnd
	p.mu.Lock()
	err = p.cmd.Start()
	p.mu.Unlock()
	_, _ = outEnd.Close(), loggedEnd.Close()
	if err != nil {
		close(p.done)
		return errors.Join(err, out.Close(), logged.Close())
	}
	reader, writer := io.Pipe()
	p.stdout, p.stderr = reader, io.NopCloser(strings.NewReader(""))
	var readers sync.WaitGroup
	readers.Go(func() { p.readStdout(out, writer) })
	readers.Go(func() { _, _ = io.Copy(p.texts, logged) })
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
		soon := time.Now().Add(time.Second)
		_, _ = out.SetReadDeadline(soon), logged.SetReadDeadline(soon)
		readers.Wait()
		_, _ = out.Close(), logged.Close()
	}()
	return nil
}

var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|(unix|tcp)\|`)

// readStdout hands the handshake on and keeps everything else.
func (p *process) readStdout(from io.Reader, to *io.PipeWriter) {
	defer to.Close()
	told := false
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if line := scanner.Text(); told || !handshakeLine.MatchString(line) {
			p.strayLine(line)
			if !told {
				_, _ = io.WriteString(to, line+"\n")
			}
		} else {
			told = true
			_, _ = io.WriteString(to, line+"\n")
		}
	}
	_, _ = io.Copy(io.Discard, from)
}

const maxStray = 20

func (p *process) strayLine(line string) {
	p.texts.add(line)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.stray) < maxStray {
		p.stray = append(p.stray, line)
	}
}

// printed gives what the program printed to its standard output.
func (p *process) printed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.stray)
}

// lastWords gives what a program that did not start said, for an error.
func (p *process) lastWords() string {
	text := strings.TrimSpace(p.texts.String())
	if text == "" {
		return ""
	}
	const most = 1000
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return "; it said: " + text
}

// ended reports whether the program ends within a time.
func (p *process) ended(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// Wait waits until the program ended.
func (p *process) Wait(context.Context) error {
	<-p.done
	return p.err
}

// Kill kills the program.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stdout gives the handshake, Stderr nothing: what is logged is kept for the check of secrets.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr gives nothing.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name, ID and Diagnose are for go-plugin's messages.
func (p *process) Name() string { return p.cmd.Path }

// ID is the process id.
func (p *process) ID() string {
	if p.cmd == nil || p.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// Diagnose has nothing to add.
func (p *process) Diagnose(context.Context) string { return "it printed no handshake" }

// PluginToHost and HostToPlugin leave addresses as they are.
func (p *process) PluginToHost(network, address string) (translatedNetwork, translatedAddress string, err error) {
	return network, address, nil
}

// HostToPlugin leaves addresses as they are.
func (p *process) HostToPlugin(network, address string) (translatedNetwork, translatedAddress string, err error) {
	return network, address, nil
}

// lines gives each written line to a function.
type lines struct {
	each func(string)
	part string
}

func (l *lines) Write(b []byte) (int, error) {
	all := strings.Split(l.part+string(b), "\n")
	l.part = all[len(all)-1]
	for _, line := range all[:len(all)-1] {
		l.each(line)
	}
	return len(b), nil
}
