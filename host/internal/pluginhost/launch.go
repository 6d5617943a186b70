// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// Defaults of a Spec.
const (
	DefaultStartTimeout = 30 * time.Second
	DefaultIdleTimeout  = 10 * time.Minute
	DefaultDrainTimeout = 5 * time.Second
)

// debugTimeout is how long a plugin that is debugged may take for what else has a shorter limit.
const debugTimeout = 24 * time.Hour

// streamWindow is how far a plugin may be ahead of the host in one stream, in bytes.
const streamWindow = 4 << 20

const callStart = "start"

// Spec says what to launch, and for whom.
type Spec struct {
	// Name is the plugin's, Path its binary's.
	Name, Path string
	// SHA256 is the sum the binary must have. It may be absent with Dev only.
	SHA256 []byte
	// Dev runs the binary whatever its sum and whoever may write to it. Process.Warnings says so each time.
	Dev bool
	// Debug: a person debugs the plugin. After its start it may take as long as it likes for
	// everything.
	Debug bool
	// Env names further variables of the host's environment that the plugin gets.
	Env []string
	// Tenant, Module and Run are what the process works for. They are added to every log line.
	Tenant, Module, Run string
	// Log takes what the plugin logs. Nil: nothing is logged.
	Log hclog.Logger
	// Traces makes spans of calls that are part of a trace. Nil: nobody wants them.
	Traces trace.TracerProvider
	// Redact are secrets that must not come out of the plugin in any text. Texts below four characters are ignored.
	Redact []string
	// HostVersion is this host's, semantic versioning without "v". A plugin that works with other versions is refused.
	HostVersion string
	// StartTimeout is how long start, handshake and description may take together. Zero: DefaultStartTimeout.
	StartTimeout time.Duration
	// IdleTimeout is how long a listing may say nothing at all. Zero: DefaultIdleTimeout.
	IdleTimeout time.Duration
	// DrainTimeout is how long the plugin may take to finish when it is closed. Zero: DefaultDrainTimeout.
	DrainTimeout time.Duration
}

func (s *Spec) defaults() {
	if s.Log == nil {
		s.Log = hclog.NewNullLogger()
	}
	if s.StartTimeout == 0 {
		s.StartTimeout = DefaultStartTimeout
	}
	if s.Debug {
		s.IdleTimeout, s.DrainTimeout = debugTimeout, debugTimeout
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = DefaultIdleTimeout
	}
	if s.DrainTimeout == 0 {
		s.DrainTimeout = DefaultDrainTimeout
	}
}

var errStartTimeout = errors.New("the plugin did not start in time")

// Launch verifies a plugin's binary, starts it, and asks it who it is. A plugin that does not work with this version
// of the host, or is not the one its file name says, is refused. The caller must Close the process.
//
// Errors are *Error, *ChecksumError or *CrashError, each with code, text and hint.
func Launch(ctx context.Context, spec Spec) (*Process, error) {
	spec.defaults()
	p := &Process{spec: spec, redact: &redactor{}, streams: map[*Listing]struct{}{}}
	env := environment(spec.Env)
	p.redact.add(spec.Redact...)
	p.redact.add(proxySecrets(env)...)
	bin, err := p.verify()
	if err != nil {
		return nil, err
	}
	p.sink = newSink(spec.Log.With("run", spec.Run, "tenant", spec.Tenant, "module", spec.Module, "plugin", spec.Name), p.redact)
	p.child = newChild(bin, p.sink)
	if err := p.start(ctx, env); err != nil {
		p.abandon()
		return nil, err
	}
	return p, nil
}

// verify hashes the binary and holds it against what was expected.
func (p *Process) verify() (*binaryFile, error) {
	spec := &p.spec
	bin, err := readBinary(spec.Name, spec.Path, spec.Dev)
	if err != nil {
		return nil, err
	}
	p.sum = bin.sum
	switch {
	case spec.Dev && string(spec.SHA256) != string(bin.sum[:]):
		p.warnings = append(p.warnings, fmt.Sprintf(
			"DEVELOPMENT MODE: plugin %q runs UNCHECKED: %s is not the file that was locked, if any was (its sha256 is %x)",
			spec.Name, spec.Path, bin.sum))
	case spec.Dev:
		p.warnings = append(p.warnings, fmt.Sprintf(
			"DEVELOPMENT MODE: plugin %q would run whatever its sha256; %s is the file that was locked", spec.Name, spec.Path))
	case len(spec.SHA256) == 0:
		return nil, fail(CodeUnlisted, fmt.Sprintf("If you trust the file, run \"tallyman plugin lock %s\".", spec.Name),
			"plugin %q has no sum to be checked against, so it is not run", spec.Name)
	default:
		if err := bin.check(spec.Name, spec.SHA256); err != nil {
			return nil, err
		}
	}
	if !executable(bin.info) {
		return nil, fail(CodeNotExecutable, fmt.Sprintf("Run \"chmod +x %s\".", spec.Path),
			"plugin %q: %s is not executable", spec.Name, spec.Path)
	}
	return bin, nil
}

// start starts the process, shakes hands and asks for the description.
func (p *Process) start(ctx context.Context, env []string) error {
	startCtx, cancel := context.WithTimeoutCause(ctx, p.spec.StartTimeout, errStartTimeout)
	defer cancel()
	// However the start is waited for, it ends with its time.
	unwatch := context.AfterFunc(startCtx, p.child.stop)

	var err error
	if p.dir, err = newSocketDir(); err != nil {
		return fail(CodeStart, "", "plugin %q: no directory for its socket", p.spec.Name).because(err)
	}
	p.client = plugin.NewClient(p.clientConfig(env))
	protocol, err := p.client.Client()
	if err == nil {
		var raw any
		if raw, err = protocol.Dispense(transport.PluginName); err == nil {
			p.rpc = raw.(distributorv1.DistributorServiceClient)
			err = p.describe(startCtx)
		}
	}
	if err == nil && !unwatch() {
		err = context.Cause(startCtx)
	}
	if err != nil {
		return p.startError(ctx, startCtx, err)
	}
	return p.checkDescription()
}

func (p *Process) clientConfig(env []string) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  transport.Handshake(),
		VersionedPlugins: transport.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     p.spec.StartTimeout + time.Second,
		Logger:           hclog.NewNullLogger(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir.path},
		SyncStdout:       &lineWriter{do: p.sink.strayLine},
		SyncStderr:       &lineWriter{do: p.sink.stderrLine},
		GRPCDialOptions: append(append(transport.DialOptions(),
			grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(2*streamWindow), grpc.WithDisableServiceConfig()),
			tracing(p.spec.Traces)...),
		// The sum is checked by us, on the file that is then proven to be the one that runs; go-plugin's own check
		// reads a path, and none at all with a runner.
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			p.child.env = append(append(env, cmd.Env...),
				fmt.Sprintf("%s=%d", transport.EnvParentPID, os.Getpid()),
				fmt.Sprintf("%s=%s", transport.EnvLogLevel, pluginLevel(p.spec.Log.GetLevel())))
			if p.spec.Debug {
				p.child.env = append(p.child.env, transport.EnvDebug+"=1")
			}
			p.child.socketDir = dir
			return p.child, nil
		},
	}
}

// pluginLevel gives the level a plugin logs at. It is at least info, whatever reaches the host's log: a crash record
// without last lines explains nothing.
func pluginLevel(host hclog.Level) hclog.Level {
	if host == hclog.NoLevel || host > hclog.Info {
		return hclog.Info
	}
	return host
}

// abandon cleans up after a start that failed.
func (p *Process) abandon() {
	p.child.stop()
	if p.client != nil {
		p.client.Kill()
	}
	if p.child.ID() != "" {
		<-p.child.done
	}
	p.sink.close()
	if p.dir != nil {
		_ = p.dir.remove()
	}
}
