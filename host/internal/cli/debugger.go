// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

// waitForDebugger tells how to attach a debugger to a plugin that has started, and waits until a person has done so.
func (a *app) waitForDebugger(ctx context.Context, p *pluginhost.Process) error {
	if !a.debugger {
		return nil
	}
	fmt.Fprintf(a.errOut, "Plugin %s runs as process %d and has not been given its settings yet. Attach a debugger to it, for Go with\n"+
		"  dlv attach %d\nset a breakpoint, then press Enter here.\n", p.Description().Name, p.PID(), p.PID())
	pressed := make(chan error, 1)
	go func() {
		pressed <- readLine(a.in)
	}()
	select {
	case err := <-pressed:
		if errors.Is(err, io.EOF) {
			return usagef("--wait-for-debugger waits for Enter, and the standard input has ended")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLine reads to the end of a line and not beyond, since the next plugin waits for the next one.
func readLine(from io.Reader) error {
	one := make([]byte, 1)
	for one[0] != '\n' {
		if _, err := io.ReadFull(from, one); err != nil {
			return err
		}
	}
	return nil
}
