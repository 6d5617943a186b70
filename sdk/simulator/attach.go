// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// closeTime is how long a simulator's process may take to end before it is killed.
const closeTime = 5 * time.Second

// greetTime is how long it may take to print its first line, maxGreeting how long that line may be, orderTime how long it
// may take to obey.
const (
	greetTime   = 30 * time.Second
	maxGreeting = 4 << 20
	orderTime   = time.Minute
)

// process is a Simulator that runs in a process of its own.
type process struct {
	greeting
	cmd   *exec.Cmd
	stdin io.Closer
}

var _ Simulator = (*process)(nil)

// Start starts a simulator's program, which calls Serve, and gives the simulator in it. What it writes to standard error
// goes to stderr. Close ends the program; so does the end of ctx.
func Start(ctx context.Context, stderr io.Writer, program string, args ...string) (Simulator, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr, cmd.WaitDelay = stderr, closeTime
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the simulator: %w", err)
	}
	p := &process{cmd: cmd, stdin: stdin}
	reader := bufio.NewReaderSize(stdout, maxGreeting)
	silent := time.AfterFunc(greetTime, func() { _ = cmd.Process.Kill() })
	line, err := reader.ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.greeting)
	}
	if !silent.Stop() && err != nil {
		err = fmt.Errorf("it printed no line within %s", greetTime)
	}
	if err == nil && p.Control == "" {
		err = errors.New("it names no control address")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not begin as a simulator does: %w", program, err), p.Close())
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	return p, nil
}

// Settings gives the settings that the process told.
func (p *process) Settings() map[string]any { return p.greeting.Settings }

// Faults gives the faults that the process told.
func (p *process) Faults() []Fault { return p.greeting.Faults }

// Play asks for a fault.
func (p *process) Play(ctx context.Context, fault string) error {
	return p.order(ctx, order{Play: &fault})
}

// Resize asks for that many subscriptions.
func (p *process) Resize(ctx context.Context, subscriptions int) error {
	return p.order(ctx, order{Resize: &subscriptions})
}

func (p *process) order(ctx context.Context, o order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Control, bytes.NewReader(body)) //nolint:gosec // the process we started told the address
	if err != nil {
		return err
	}
	client := http.Client{Timeout: orderTime}
	resp, err := client.Do(req) //nolint:gosec // the process we started told the address
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// Close ends the process by ending its standard input, and kills it if it does not end in time.
func (p *process) Close() error {
	err := p.stdin.Close()
	kill := time.AfterFunc(closeTime, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(err, p.cmd.Wait())
}
