// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

func TestCommandEndsOnASignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := startCommand(t, "-verbose")
		p.customers(t, prismsim.DemoClientSecret)
		if err := p.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("on %v it ended with %v", signal, err)
		}
		log := p.stderr.String()
		for _, part := range []string{"serving", "answered", "/api/v1/me/customers", "ending"} {
			if !strings.Contains(log, part) {
				t.Errorf("the log does not tell %q:\n%s", part, log)
			}
		}
		if strings.Contains(log, prismsim.DemoClientSecret) {
			t.Error("the secret is in the log")
		}
	}
}
