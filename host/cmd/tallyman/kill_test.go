// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// pluginKills is how many plugins are killed.
const pluginKills = 50

// TestKilledPlugin kills the plugin with SIGKILL at random instants of its life. Each time the database must hold the old
// state or the new one; a run that did not get through must say that its plugin was killed, and keep a crash record; the
// next run must converge; and no process may be left.
func TestKilledPlugin(t *testing.T) {
	t.Parallel()
	const subscriptions = 40
	w := newSmall()
	other := w.AddAgreement(prismsim.Agreement{ProgramName: "Cloud Backup"})
	ones := make([]int64, subscriptions/4)
	for i := range ones {
		ones[i] = 1
	}
	var refs []string
	for _, name := range []string{"Contoso", "Fabrikam"} {
		ref, first := w.customer(name, ones...)
		_, second := w.tenant(ref, other, ones...)
		refs = append(append(refs, first...), second...)
	}
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sync("succeeded")
	count := func(quantity int) string {
		return p.ask("SELECT count(*) FROM subscriptions WHERE active AND quantity = ?", fmt.Sprint(quantity))
	}
	all := fmt.Sprint(subscriptions)

	usual := p.lastRun()
	failed, late, never := 0, 0, 0
	for kills := 0; kills < pluginKills; {
		before, after := failed+late+never+1, failed+late+never+2
		for _, ref := range refs {
			w.SetQuantity(ref, int64(after))
		}
		b := p.start("sync", "acme/rhipe")
		pid := p.pluginOf(b)
		if pid != 0 {
			timer := time.NewTimer(rand.N(usual))
			select {
			case <-timer.C:
			case <-b.ended:
			}
			timer.Stop()
			if pids := p.pluginPIDs(); len(pids) == 0 || syscall.Kill(pid, syscall.SIGKILL) != nil {
				pid = 0
			}
		}
		code, out := p.finish(b)
		row := p.ask("SELECT outcome || ' ' || error_code FROM runs ORDER BY id DESC LIMIT 1")
		old, now := count(before), count(after)
		switch {
		case old == all && now == "0" && row == "failed plugin.crashed" && code == 1 && pid != 0:
			failed++
			p.crashIsKept(out, pid)
		case now == all && old == "0" && row == "succeeded " && code == 0 && pid != 0:
			late++ // everything had been read
		case now == all && old == "0" && row == "succeeded " && code == 0:
			never++ // it was not killed: it ended first
		default:
			t.Fatalf("after %d kills: %s subscriptions have the old quantity and %s the new one, of %s; outcome %q, exit code %d\n%s",
				kills, old, now, all, row, code, out)
		}
		if pid != 0 {
			kills++
		}
		if list := p.processes(); len(list) != 0 {
			t.Fatalf("after %d kills: processes are left: %+v", kills, list)
		}
		if code, out := p.try("sync", "acme/rhipe"); code != 0 || count(after) != all {
			t.Fatalf("after %d kills the next run ended with exit code %d, and %s of %s subscriptions are right\n%s", kills, code, count(after), all, out)
		}
		usual = p.lastRun()
		if never > 10*pluginKills {
			t.Fatalf("%d runs ended before their plugin was killed, %d after", never, kills)
		}
	}
	t.Logf("%d runs failed, %d got through although their plugin was killed, %d ended first; a run takes %s", failed, late, never, usual)
	if failed < pluginKills/5 {
		t.Errorf("only %d of %d kills came while the distributor was read", failed, pluginKills)
	}
	p.sync("no_change")
	if n := p.ask("SELECT count(*) FROM leases"); n != "0" {
		t.Errorf("%s leases are left", n)
	}
	p.tidy()
}

// lastRun gives how long the last run took.
func (p *place) lastRun() time.Duration {
	p.t.Helper()
	text := p.ask("SELECT CAST(1e9 * 86400 * (julianday(finished_at) - julianday(started_at)) AS INTEGER) FROM runs ORDER BY id DESC LIMIT 1")
	took, err := strconv.ParseInt(text, 10, 64)
	if err != nil || took <= 0 {
		p.t.Fatalf("the last run took %q (%v)", text, err)
	}
	return time.Duration(took)
}

// TestKilledPluginInACall kills the plugin while it waits for the distributor, in each of its calls.
func TestKilledPluginInACall(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5, 6)
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sync("succeeded")
	before := p.kept(nil, append(sourceTables, ourTables...)...)
	w.SetQuantity(subscriptions[0], 7)
	w.RemoveSubscription(subscriptions[1])
	for name, c := range map[string]struct {
		fault prismsim.Fault
		call  string
		args  []string
	}{
		"its first customers":      {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultHang}, "ListCustomers", []string{"sync"}},
		"half of the customers":    {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultHangMidway}, "ListCustomers", []string{"sync"}},
		"half of an agreement":     {prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHangMidway}, "ListSubscriptions", []string{"sync", "--only", "subscriptions"}},
		"a plan":                   {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultHang}, "ListCustomers", []string{"plan"}},
		"a connection test":        {prismsim.Fault{Endpoint: prismsim.Me, Kind: prismsim.FaultHang}, "TestConnection", []string{"test"}},
		"mappings being generated": {prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultHang}, "ListCustomers", []string{"mappings", "generate"}},
	} {
		clear := p.sim.Fail(c.fault)
		p.sim.ForgetRequests()
		b := p.start(append(c.args, "acme/rhipe")...)
		if err := p.sim.WaitForCalls(t.Context(), c.fault.Endpoint, 1); err != nil {
			t.Fatal(err)
		}
		pid := p.pluginOf(b)
		if pid == 0 {
			t.Fatalf("%s: there is no plugin", name)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		code, out := p.finish(b)
		clear()
		if code != 1 {
			t.Errorf("%s: exit code %d, want 1\n%s", name, code, out)
		}
		p.wants(out, "plugin.crashed", `plugin "rhipe" crashed during `+c.call, "killed", "->")
		if c.call != "TestConnection" {
			p.crashIsKept(out, pid)
		}
		p.same(name+": something was written", before, p.kept(nil, append(sourceTables, ourTables...)...))
		if list := p.processes(); len(list) != 0 {
			t.Errorf("%s: processes are left: %+v", name, list)
		}
	}
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_updated": 1, "subscriptions_deactivated": 1})
	p.tidy()
}

// pluginOf waits for a command's plugin to run and gives its process id; 0 if the command ended first.
func (p *place) pluginOf(b *background) (pid int) {
	p.t.Helper()
	p.until("a plugin", func() bool {
		if pids := p.pluginPIDs(); len(pids) == 1 {
			pid = pids[0]
			return true
		}
		select {
		case <-b.ended:
			return true
		default:
			return false
		}
	})
	return pid
}

// crashIsKept checks that the last run says how its plugin died, in its output, its record and "runs show".
func (p *place) crashIsKept(out string, pid int) {
	p.t.Helper()
	p.wants(out, "plugin.crashed", "killed")
	run := p.ask("SELECT max(id) FROM runs")
	var record struct {
		Plugin, File, Signal, Call string
		PID                        int
		ExitCode                   int `json:"exit_code"`
	}
	text := p.ask("SELECT coalesce(crash, '') FROM runs WHERE id = ?", run)
	if err := json.Unmarshal([]byte(text), &record); err != nil || record.PID != pid || record.Signal != "killed" || record.ExitCode != -1 || record.Plugin != "rhipe" {
		p.t.Errorf("the crash of process %d is recorded as %q (%v)", pid, text, err)
	}
	p.wants(p.run(0, "runs", "show", run), "failed", "plugin.crashed", "Crash:", fmt.Sprint(pid))
}
