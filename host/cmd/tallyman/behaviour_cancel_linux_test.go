// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestCancelled: an interrupt in the middle of a run ends it soon. It is recorded as cancelled; the database is as it was;
// the module is free at once; and the plugin is gone.
func TestCancelled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  prismsim.Fault
		signal os.Signal
		mode   string
	}{
		"at the token":         {prismsim.Fault{Endpoint: prismsim.Token, Kind: prismsim.FaultHang}, os.Interrupt, "sync"},
		"in the customers":     {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultHang}, os.Interrupt, "sync"},
		"in the subscriptions": {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHangMidway, Skip: 1}, os.Interrupt, "sync"},
		"by a service manager": {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHangMidway, Skip: 1}, syscall.SIGTERM, "sync"},
		// Longer than the test may take, and not so long that the plugin gives up at once.
		"while it waits to try": {prismsim.Fault{Endpoint: prismsim.Customers, Status: 429, RetryAfter: "100"}, os.Interrupt, "sync"},
		"in a plan":             {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHang}, os.Interrupt, "plan"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSmall()
			_, subscriptions := w.customer("Contoso", 5, 6)
			p := w.place(t, createUnmatched, deactivateMissing)
			p.lease = "1h" // nobody waits for it to end by itself
			p.configure(createUnmatched, deactivateMissing)
			p.sync("succeeded")
			before := p.kept(nil, append(sourceTables, ourTables...)...)
			w.SetQuantity(subscriptions[0], 7)
			w.RemoveSubscription(subscriptions[1])
			w.customer("New", 1)

			p.sim.ForgetRequests()
			clear := p.sim.Fail(c.fault)
			b := p.start(c.mode, "acme/rhipe")
			if err := p.sim.WaitForCalls(t.Context(), c.fault.Endpoint, 1+c.fault.Skip); err != nil {
				t.Fatal(err)
			}
			plugin := p.pluginPIDs()
			if len(plugin) != 1 {
				t.Fatalf("%d plugins run, want 1", len(plugin))
			}
			if err := b.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			code, out := p.finish(b)
			clear()
			if code != 1 {
				t.Errorf("exit code %d, want 1\n%s", code, out)
			}
			p.wants(out, "Stopping cleanly", "run.cancelled", "Nothing was changed")
			if got := p.ask("SELECT outcome || ' ' || error_code FROM runs ORDER BY id DESC LIMIT 1"); got != "cancelled run.cancelled" {
				t.Errorf("the run is recorded as %q", got)
			}
			p.same("a run that was cancelled wrote", before, p.kept(nil, append(sourceTables, ourTables...)...))
			if list := p.processes(); len(list) != 0 {
				t.Errorf("processes are left: %+v", list)
			}
			if n := p.ask("SELECT count(*) FROM leases"); n != "0" {
				t.Errorf("%s leases are left", n)
			}
			p.counts(p.sync("succeeded"), map[string]int{"subscriptions_updated": 1, "subscriptions_deactivated": 1, "subscriptions_created": 1})
			p.tidy()
		})
	}
}

// TestCancelledTwice: the second interrupt does not wait for anything, here not for a plugin that never answers again.
func TestCancelledTwice(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5)
	p := w.place(t, createUnmatched)
	p.lease = "1s"
	p.configure(createUnmatched)
	p.sync("succeeded")
	before := p.kept(nil, append(sourceTables, ourTables...)...)
	w.SetQuantity(subscriptions[0], 7)

	clear := p.sim.Fail(prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHang})
	calls := p.sim.Calls(prismsim.Tenants)
	b := p.start("sync", "acme/rhipe")
	if err := p.sim.WaitForCalls(t.Context(), prismsim.Tenants, calls+1); err != nil {
		t.Fatal(err)
	}
	plugins := p.pluginPIDs()
	if len(plugins) != 1 {
		t.Fatalf("%d plugins run, want 1", len(plugins))
	}
	if err := syscall.Kill(plugins[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := b.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.until("the word that it is stopping", func() bool { return strings.Contains(b.stderr.String(), "Press Ctrl-C again") })
	if err := b.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code, out := p.finish(b); code != 130 {
		t.Errorf("exit code %d, want 130\n%s", code, out)
	}
	clear()
	p.until("the end of the plugin", func() bool { return len(p.processes()) == 0 })
	p.same("a run that was cancelled wrote", before, p.kept(nil, append(sourceTables, ourTables...)...))
	p.converge()
	if s := p.bySource()[subscriptions[0]]; s.Quantity != "7" {
		t.Errorf("the next run left it as %+v", s)
	}
	if got := p.ask("SELECT count(*) FROM runs WHERE outcome = ''"); got != "0" {
		t.Errorf("%s runs are still said to be under way", got)
	}
}

// pluginPIDs gives the process ids of this place's plugins.
func (p *place) pluginPIDs() (pids []int) {
	p.t.Helper()
	for _, x := range p.processes() {
		if x.plugin {
			pids = append(pids, x.pid)
		}
	}
	return pids
}

// converge runs until a dead run's lease is over and a run has ended well.
func (p *place) converge() {
	p.t.Helper()
	p.until("a run after the dead one's lease", func() bool {
		code, out := p.try("sync", "acme/rhipe")
		if code != 0 && !strings.Contains(out, "run.module_busy") {
			p.t.Fatalf("the next run: exit code %d\n%s", code, out)
		}
		return code == 0
	})
}

// tidy fails if a command left temporary files behind.
func (p *place) tidy() {
	p.t.Helper()
	entries, err := os.ReadDir(p.tmp)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		p.t.Errorf("%s was left in the folder for temporary files", e.Name())
	}
}
