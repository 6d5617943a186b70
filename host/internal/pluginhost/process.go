// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

const (
	// callTimeout bounds the calls that need no network.
	callTimeout = 30 * time.Second
	// deathWait is how long the end of the process is waited for after its connection broke.
	deathWait = 3 * time.Second
	// exitWait is how long a process may take to exit once it has been told to.
	exitWait = time.Second
)

// Process is a running plugin that has said who it is and that it works with this host. Its methods may be called
// from several goroutines.
type Process struct {
	spec     Spec
	redact   *redactor
	sink     *sink
	child    *child
	client   *plugin.Client
	rpc      distributorv1.DistributorServiceClient
	dir      *socketDir
	sum      [32]byte
	warnings []string
	about    Description

	mu       sync.Mutex
	streams  map[*Listing]struct{}
	closing  bool
	call     string
	crash    *CrashRecord
	closed   sync.Once
	closeErr error
}

// Description gives what the plugin said about itself at its start.
func (p *Process) Description() Description { return p.about }

// Describe gives what the plugin said about itself; it asked and checked that at its start, before anything else.
func (p *Process) Describe(context.Context) (Description, error) { return p.about, nil }

// SHA256 gives the sum of the binary that runs, in hexadecimal.
func (p *Process) SHA256() string { return hex.EncodeToString(p.sum[:]) }

// Warnings gives what a person must know about this process on every run, such as that it was not checked.
func (p *Process) Warnings() []string { return p.warnings }

// Configure hands over the settings by field name. What is wrong with them comes back as diagnostics; the plugin is
// configured if none of them is an error. Values of secret fields are hidden in every text from now on.
func (p *Process) Configure(ctx context.Context, values map[string]*distributorv1.SettingValue) ([]sdk.Diagnostic, error) {
	for _, field := range p.about.Settings {
		if field.Secret {
			p.redact.add(secretTexts(values[field.Name])...)
		}
	}
	limit := callTimeout
	if p.spec.Debug {
		limit = debugTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	const call = "Configure"
	p.enter(call)
	resp, err := p.rpc.Configure(ctx, &distributorv1.ConfigureRequest{
		Settings: values, Tenant: p.spec.Tenant, Module: p.spec.Module, Run: p.spec.Run,
	})
	if err = p.callError(ctx, call, err); err != nil {
		return nil, err
	}
	var found []sdk.Diagnostic
	for _, d := range resp.GetDiagnostics() {
		found = append(found, sdk.Diagnostic{
			Warning: d.GetSeverity() == distributorv1.Severity_SEVERITY_WARNING,
			Field:   d.GetField(), Message: p.redact.clean(d.GetMessage()), Hint: p.redact.clean(d.GetHint()),
		})
	}
	if slices.ContainsFunc(found, func(d sdk.Diagnostic) bool { return !d.Warning }) {
		return found, nil
	}
	return found, p.describeConfigured(ctx)
}

func secretTexts(value *distributorv1.SettingValue) []string {
	texts := append([]string{value.GetText()}, value.GetList().GetValues()...)
	for _, text := range value.GetMap().GetValues() {
		texts = append(texts, text)
	}
	return texts
}

// ConnectionTest is the outcome of TestConnection.
type ConnectionTest struct {
	// Steps in the order they were tried. If not OK, the last one failed.
	Steps []TestStep `json:"steps"`
	OK    bool       `json:"ok"`
	// Account and Visible say, on success, whose account it is and what can be seen of it.
	Account string `json:"account,omitempty"`
	Visible string `json:"visible,omitempty"`
}

// TestStep is one step of a connection.
type TestStep struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	// Err is why it failed.
	Err *sdk.Error `json:"error,omitempty"`
}

// TestConnection tries the steps of a connection with the configured settings. It reads only.
func (p *Process) TestConnection(ctx context.Context) (*ConnectionTest, error) {
	const call = "TestConnection"
	p.enter(call)
	resp, err := p.rpc.TestConnection(ctx, &distributorv1.TestConnectionRequest{})
	if err = p.callError(ctx, call, err); err != nil {
		return nil, err
	}
	t := &ConnectionTest{OK: resp.GetOk(), Account: p.redact.clean(resp.GetAccount()), Visible: p.redact.clean(resp.GetVisible())}
	for _, s := range resp.GetSteps() {
		step := TestStep{Name: p.redact.clean(s.GetName()), OK: s.GetOk(), Detail: p.redact.clean(s.GetDetail())}
		if s.GetError() != nil {
			step.Err = p.redact.cleanError(transport.ErrorFromProto(s.GetError()))
		}
		t.OK = t.OK && step.OK
		t.Steps = append(t.Steps, step)
	}
	return t, nil
}

// Crash gives the record of the process's death, or nil if it lives or ended because it was closed.
func (p *Process) Crash() *CrashRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crash == nil && !p.closing && p.child.exited() {
		r := p.child.crashRecord(&p.spec, p.about.Version, p.call)
		p.crash = &r
	}
	return p.crash
}

// PID gives the process's id.
func (p *Process) PID() int { return p.child.pid }

func (p *Process) enter(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call = call
}

// callError turns what a call gave into what happened: the caller gave up, the plugin reported a failure, the process
// died, or it broke the contract.
func (p *Process) callError(ctx context.Context, call string, err error) error {
	if err == nil {
		return nil
	}
	name := p.spec.Name
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("plugin %q: %s: %w", name, call, context.Cause(ctx))
	}
	if told := toldError(err); told != nil {
		return p.redact.cleanError(told)
	}
	code := status.Code(err)
	if code != codes.ResourceExhausted && code != codes.Unimplemented && code != codes.DeadlineExceeded {
		if crash := p.died(call); crash != nil {
			return crash
		}
	}
	switch code {
	case codes.ResourceExhausted:
		return fail(CodeMessageTooLarge, "A plugin sends records in batches far below the limit. Report this to its vendor.",
			"plugin %q sent a message above the limit of %d MiB in %s", name, transport.MaxReceivedBytes>>20, call)
	case codes.Unimplemented:
		return sdk.Errorf(sdk.ClassUnsupported, "plugin %q does not offer %s", name, call)
	case codes.DeadlineExceeded:
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= 0 {
			// The caller's own time is over; gRPC's clock may be a little ahead of its context.
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, errStartTimeout) {
				return fmt.Errorf("plugin %q: %s: %w", name, call, cause)
			}
		}
		return fail(CodeHangs, "Run it again; if it happens again, report it to the plugin's vendor.",
			"plugin %q did not answer %s in time", name, call)
	case codes.Canceled:
		return fail(CodeClosed, "", "plugin %q: %s was stopped because the process was closed", name, call)
	case codes.Unavailable:
		return fail(CodeProtocol, "Run it again; if it happens again, report it to the plugin's vendor.",
			"plugin %q broke the connection in %s", name, call)
	}
	return fail(CodeProtocol, "Report this to the plugin's vendor.", "plugin %q answered %s in a way that is not understood: %s: %s",
		name, call, code, p.redact.clean(status.Convert(err).Message()))
}

// toldError gives the failure the plugin reported, or nil if the status is gRPC's own.
func toldError(err error) *sdk.Error {
	for _, detail := range status.Convert(err).Details() {
		if _, ok := detail.(*distributorv1.ErrorDetail); ok {
			return sdk.AsError(transport.ErrorFromStatus(err))
		}
	}
	return nil
}

// died gives the crash if the process is gone, or goes within a moment.
func (p *Process) died(call string) error {
	timer := time.NewTimer(deathWait)
	defer timer.Stop()
	select {
	case <-p.child.done:
	case <-timer.C:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return fail(CodeClosed, "", "plugin %q: %s was stopped because the process was closed", p.spec.Name, call)
	}
	if p.crash == nil {
		r := p.child.crashRecord(&p.spec, p.about.Version, call)
		p.crash = &r
	}
	return &CrashError{Record: *p.crash}
}

// Close asks the plugin to finish, and ends the process. It takes a bounded time even when ctx is over, and leaves
// neither process nor goroutine. The error says that the plugin had to be killed; closing twice gives the same.
func (p *Process) Close(ctx context.Context) error {
	p.closed.Do(func() { p.closeErr = p.close(context.WithoutCancel(ctx)) })
	return p.closeErr
}

func (p *Process) close(ctx context.Context) error {
	_ = p.Crash() // what died before was not asked to
	p.mu.Lock()
	p.closing = true
	open := make([]*Listing, 0, len(p.streams))
	for l := range p.streams {
		open = append(open, l)
	}
	p.mu.Unlock()
	for _, l := range open {
		l.Close()
	}
	var err error
	if !p.child.exited() {
		drainCtx, cancel := context.WithTimeout(ctx, p.spec.DrainTimeout)
		_, drainErr := p.rpc.Drain(drainCtx, &distributorv1.DrainRequest{DeadlineMilliseconds: p.spec.DrainTimeout.Milliseconds()})
		cancel()
		if status.Code(drainErr) == codes.DeadlineExceeded {
			err = fail(CodeHangs, "Nothing is lost. If it happens again, report it to the plugin's vendor.",
				"plugin %q did not stop within %s when it was asked to; it was killed", p.spec.Name, p.spec.DrainTimeout)
			p.child.stop()
		}
	}
	// go-plugin asks once more, without any deadline, and then waits.
	kill := time.AfterFunc(exitWait, p.child.stop)
	p.client.Kill()
	kill.Stop()
	<-p.child.done
	if err == nil && p.child.wasKilled() {
		err = fail(CodeHangs, "Nothing is lost. If it happens again, report it to the plugin's vendor.",
			"plugin %q was ready to be stopped and did not exit within %s; it was killed", p.spec.Name, exitWait)
	}
	p.sink.close()
	if rmErr := p.dir.remove(); err == nil && rmErr != nil {
		err = fmt.Errorf("plugin %q: remove its socket: %w", p.spec.Name, rmErr)
	}
	return err
}
