// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"os/user"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestServeRunsWhatIsQueuedOnceAndNothingThatIsPaused: two hosts on one database, one of them killed in the end.
func TestServeRunsWhatIsQueuedOnceAndNothingThatIsPaused(t *testing.T) {
	t.Parallel()
	p := serving(t, 2, impatience)
	// The second tenant's module has no schedule: it is run when somebody asks for it only.
	before, after, _ := strings.Cut(p.configuration(), `tenant "t1"`)
	p.write("tallyman.hcl", before+`tenant "t1"`+strings.ReplaceAll(after, yearly, ""))
	one, two := p.start("serve"), p.start("serve")
	for _, b := range []*background{one, two} {
		p.says(b, "serving: scheduled_modules=1")
	}
	p.until("both hosts", func() bool { return p.ask("SELECT count(*) FROM hosts") == "2" })
	p.wants(p.run(0, "status"), "Serving: ")

	if out := p.run(0, "sync", "t1/rhipe", "--queue"); strings.Contains(out, "Warning") || !strings.Contains(out, "t1/rhipe is queued") {
		t.Errorf("with two hosts it says:\n%s", out)
	}
	made := func(where string) string {
		t.Helper()
		return p.ask("SELECT coalesce(group_concat(trigger || ' ' || who || ' ' || outcome, ', '), '') FROM runs WHERE " + where)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("queue %s succeeded", me.Username)
	p.until("the run that was queued", func() bool { return made("finished_at IS NOT NULL") == want })
	p.until("no wish", func() bool { return p.ask("SELECT count(*) FROM wishes") == "0" })

	// Paused: what is due is passed over, what is queued is refused, and by hand it is run.
	p.run(0, "pause", "acme", "--reason", "they are moving")
	for _, b := range []*background{one, two} {
		p.says(b, `the module is paused: module=acme/rhipe`)
	}
	p.missed()
	for _, b := range []*background{one, two} {
		if err := b.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.says(b, `the module is due and is not run, since it is paused: module=acme/rhipe`)
	}
	p.wants(p.run(1, "sync", "acme/rhipe", "--queue"), "acme/rhipe is not queued: acme is paused", "they are moving", "tallyman resume acme")
	if got := made("trigger = 'schedule'"); got != "" {
		t.Fatalf("while paused it was run: %s", got)
	}
	p.run(0, "resume", "acme")
	p.until("the run that was missed", func() bool { return made("trigger = 'schedule' AND finished_at IS NOT NULL") != "" })

	// A host that is killed in a run it was asked for leaves it to the other.
	clear := p.sim.Fail(prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHang})
	calls := p.sim.Calls(prismsim.Tenants)
	p.run(0, "sync", "t1/rhipe", "--queue")
	if err := p.sim.WaitForCalls(t.Context(), prismsim.Tenants, calls+1); err != nil {
		t.Fatal(err)
	}
	running := p.ask("SELECT holder FROM runs WHERE finished_at IS NULL")
	victim, other := one, two
	if strings.Contains(running, fmt.Sprintf("process %d,", two.Process.Pid)) {
		victim, other = two, one
	}
	_ = victim.Process.Kill()
	<-victim.ended
	clear()
	p.until("the run by the other host", func() bool {
		return p.ask("SELECT group_concat(error_code || outcome, ' ') FROM (SELECT * FROM runs WHERE trigger = 'queue' ORDER BY id)") ==
			"succeeded run.abandonedfailed no_change"
	})
	time.Sleep(3 * time.Second) // another one would have begun
	p.stop(other)
	if got := made("trigger = 'schedule'"); got != "schedule tallyman serve succeeded" && got != "schedule tallyman serve no_change" {
		t.Errorf("of what was missed, this was made up for: %s", got)
	}
	got := p.ask("SELECT (SELECT count(*) FROM wishes) || ' ' || (SELECT count(*) FROM runs WHERE trigger = 'queue') || ' ' || " +
		"(SELECT count(*) FROM hosts)")
	if got != "0 3 1" {
		t.Errorf("wishes, runs that were asked for, hosts: %s", got)
	}
	p.change("UPDATE hosts SET seen_at = '2020-01-02 00:00:00+00:00'")
	p.wants(p.run(0, "doctor"), "did not say that it ends")
}

// TestServeHoldsNoPlaceForAnAccountThatIsInUse: another program uses it, and a module of another account is run meanwhile.
func TestServeHoldsNoPlaceForAnAccountThatIsInUse(t *testing.T) {
	t.Parallel()
	p := serving(t, 3, "serve { max_runs = 1 }\n")
	text, last, _ := strings.Cut(p.configuration(), `tenant "t2"`)
	// Where it is used makes it another account.
	p.write("tallyman.hcl", strings.ReplaceAll(text, yearly, "")+`tenant "t2"`+
		strings.ReplaceAll(strings.ReplaceAll(last, yearly, ""), "PRISM_URL", "OTHER_URL"))
	p.env["OTHER_URL"] = strings.Replace(p.env["PRISM_URL"], "127.0.0.1", "localhost", 1)
	b := p.start("serve")
	made := func(tenant string) string {
		t.Helper()
		return p.ask("SELECT count(*) FROM runs JOIN tenants ON tenants.id = tenant_id WHERE finished_at IS NOT NULL AND name = '" + tenant + "'")
	}
	queue := func(tenant, runs string) {
		t.Helper()
		p.run(0, "sync", tenant+"/rhipe", "--queue")
		p.until("the run of "+tenant, func() bool { return made(tenant) == runs })
	}
	queue("acme", "1") // from now on it is known who shares an account
	p.until("the end of the run", func() bool { return p.ask("SELECT count(*) FROM leases") == "0" })
	p.change("INSERT INTO leases (module_id, tenant_id, holder, purpose, acquired_at, expires_at) " +
		"SELECT modules.id, tenant_id, 'elsewhere', 'sync', '2026-01-01 00:00:00+00:00', '2999-01-01 00:00:00+00:00' " +
		"FROM modules JOIN tenants ON tenants.id = tenant_id WHERE tenants.name = 'acme'")
	p.run(0, "sync", "t1/rhipe", "--queue")
	time.Sleep(3 * time.Second) // it would have taken its place
	queue("t2", "1")
	if got := p.ask("SELECT count(*) FROM runs JOIN tenants ON tenants.id = tenant_id WHERE name = 't1'"); got != "0" {
		t.Errorf("t1 has %s runs while its account is in use", got)
	}
	p.change("DELETE FROM leases")
	p.until("the run of t1", func() bool { return made("t1") == "1" })
	p.stop(b)
}
