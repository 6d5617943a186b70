// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// yearly is a schedule whose time comes only when a test says so, impatience what makes failures be repeated at once.
const (
	yearly     = `schedule { cron = "0 0 1 1 *" }`
	impatience = "serve {\n  retry_wait = \"1s\"\n  listen = \"127.0.0.1:0\"\n  drain = \"30s\"\n}\n"
)

// serving sets up a place whose modules are run by schedule, in so many tenants.
func serving(t *testing.T, tenants int, serve string) *place {
	t.Helper()
	w := newSmall()
	w.customer("Contoso", 5, 7)
	p := w.place(t, createUnmatched)
	p.lease = "1s"
	p.configure(createUnmatched)
	text := p.configuration() + serve
	for n := 1; n < tenants; n++ {
		_, tenant, _ := strings.Cut(p.configuration(), "tenant \"acme\"")
		tenant, _, _ = strings.Cut(tenant, "\nserve")
		text += fmt.Sprintf("tenant \"t%d\"%s", n, tenant)
	}
	p.write("tallyman.hcl", strings.ReplaceAll(text, createUnmatched, createUnmatched+"\n    "+yearly))
	return p
}

func (p *place) configuration() string {
	p.t.Helper()
	text, err := os.ReadFile(p.dir + "/tallyman.hcl")
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// change changes the database.
func (p *place) change(statement string) {
	p.t.Helper()
	db := p.database()
	defer db.Close() //nolint:errcheck // it was written
	if _, err := db.ExecContext(p.t.Context(), statement); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// missed lets all that has happened so far be long ago, so that every module has missed its time.
func (p *place) missed() {
	p.t.Helper()
	p.change("UPDATE schedules SET since = '2020-01-01 00:00:00+00:00'")
	p.change("UPDATE runs SET started_at = '2020-01-02 00:00:00+00:00', finished_at = '2020-01-02 00:00:01+00:00' WHERE finished_at IS NOT NULL")
}

// says waits for a text in what the command prints, and gives all of it.
func (p *place) says(b *background, text string) string {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", text, b.stderr.String()), func() bool {
		select {
		case <-b.ended:
			if !strings.Contains(b.stderr.String(), text) {
				p.t.Fatalf("it ended without %q:\n%s", text, b.stderr.String())
			}
		default:
		}
		return strings.Contains(b.stderr.String(), text)
	})
	return b.stderr.String()
}

// stop asks the program to end and checks that it does.
func (p *place) stop(b *background) string {
	p.t.Helper()
	if err := b.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	code, out := p.finish(b)
	if code != 0 {
		p.t.Fatalf("tallyman serve ended with code %d\n%s", code, out)
	}
	return out
}

// once lets the program take the schedules up, and ends it.
func (p *place) once() {
	p.t.Helper()
	b := p.start("serve")
	p.says(b, "serving: scheduled_modules=")
	p.stop(b)
}

// outcomes gives the outcomes of runs by schedule that are not long ago, oldest first.
func (p *place) outcomes(where string) string {
	p.t.Helper()
	return p.ask("SELECT coalesce(group_concat(outcome, ' '), '') FROM (SELECT outcome FROM runs WHERE trigger = 'schedule' AND started_at > '2021-01-01' AND " + where + " ORDER BY id)")
}

func TestServeMakesUpForWhatWasMissedOnce(t *testing.T) {
	t.Parallel()
	p := serving(t, 1, impatience)
	p.once()
	if got := p.outcomes("true"); got != "" {
		t.Fatalf("before its time the module was run: %s", got)
	}
	p.missed()
	// As systemd starts it.
	unit, err := os.ReadFile("../../../configs/systemd/tallyman-serve.service")
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(unit), "\nExecStart=/opt/tallyman/tallyman --config /etc/tallyman ")
	command, _, _ = strings.Cut(command, "\n")
	for range 2 {
		b := p.start(strings.Fields(command)...)
		p.until("the run", func() bool { return p.outcomes("true") == "succeeded" })
		time.Sleep(300 * time.Millisecond)
		out := p.stop(b)
		if strings.Contains(out, secret) {
			t.Error("the secret was printed")
		}
	}
	if got := p.outcomes("true"); got != "succeeded" {
		t.Errorf("of six years, these were made up for: %s", got)
	}
	p.wants(p.run(0, "runs", "list", "--json"), `"schedule"`, `"tallyman serve"`)
}

var answeringAt = regexp.MustCompile(`address=(\S+)`)

func TestServeTakesAnotherConfigurationAndRefusesABadOne(t *testing.T) {
	t.Parallel()
	p := serving(t, 1, impatience)
	good := p.configuration()
	p.write("tallyman.hcl", strings.ReplaceAll(good, yearly, ""))
	b := p.start("serve")
	address := answeringAt.FindStringSubmatch(p.says(b, "no module has a schedule"))[1]
	get := func(path string) string {
		t.Helper()
		answer, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return fmt.Sprint(answer.StatusCode, " ", strings.TrimSpace(string(body)))
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := get(path); got != "200 ok" {
			t.Errorf("%s answers %q", path, got)
		}
	}

	p.write("tallyman.hcl", strings.ReplaceAll(good, yearly, `schedule { cron = "61 * * * *" }`))
	p.says(b, "REFUSED the new configuration; the old one stays")
	if out := p.says(b, "above maximum"); !strings.Contains(out, "tallyman.hcl:18:") {
		t.Errorf("the log does not say where:\n%s", out)
	}
	p.write("tallyman.hcl", "database { url = \"sqlite:other.db\" }\n"+good)
	if err := b.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.says(b, "database.url cannot be changed while tallyman serve runs")
	p.write("tallyman.hcl", good)
	if err := b.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.says(b, "serving: scheduled_modules=1")
	if spec := p.ask("SELECT spec FROM schedules"); spec != "cron 0 0 1 1 *, UTC, customers,subscriptions" {
		t.Errorf("the schedule is kept as %q", spec)
	}
	p.write("tallyman.hcl", strings.ReplaceAll(good, yearly, ""))
	p.until("no schedule", func() bool { return p.ask("SELECT count(*) FROM schedules") == "0" })
	p.stop(b)
}

func TestServeStopsAModuleWhoseCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	p := serving(t, 1, impatience)
	p.once()
	p.missed()
	p.env["RHIPE_CLIENT_SECRET"] = "wrong"
	b := p.start("serve")
	p.says(b, "STOPPED: the distributor refuses the credentials")
	p.stop(b)
	calls := p.sim.Calls(prismsim.Token)
	b = p.start("serve")
	p.says(b, "STOPPED: the distributor refuses the credentials")
	time.Sleep(1500 * time.Millisecond)
	p.stop(b)
	if got := p.outcomes("true"); got != "failed failed failed" || p.sim.Calls(prismsim.Token) != calls {
		t.Errorf("the runs are %s, and a token was asked for %d times after the stop", got, p.sim.Calls(prismsim.Token)-calls)
	}
	p.env["RHIPE_CLIENT_SECRET"] = secret
	p.sync("succeeded")
	p.missed()
	p.change("UPDATE runs SET trigger = 'command' WHERE outcome = 'succeeded'")
	b = p.start("serve")
	p.until("the run", func() bool { return p.outcomes("outcome <> 'failed'") != "" })
	p.stop(b)
}

func TestServeWaitsForRunsWhenToldToEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ drain, outcome string }{{"30s", "succeeded"}, {"0s", "cancelled"}} {
		t.Run(test.outcome, func(t *testing.T) {
			t.Parallel()
			p := serving(t, 1, strings.ReplaceAll(impatience, "30s", test.drain))
			// An answer that hangs is asked for again.
			p.write("tallyman.hcl", strings.ReplaceAll(p.configuration(), "max_attempts ", "timeout = \"3s\"\n      max_attempts "))
			p.once()
			p.missed()
			clear := p.sim.Fail(prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultHang})
			b := p.start("serve")
			if err := p.sim.WaitForCalls(t.Context(), prismsim.Tenants, 1); err != nil {
				t.Fatal(err)
			}
			if err := b.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			p.says(b, "waiting for the runs under way")
			if test.outcome == "succeeded" {
				clear()
			}
			if code, out := p.finish(b); code != 0 {
				t.Fatalf("it ended with code %d\n%s", code, out)
			}
			if got := p.outcomes("true"); got != test.outcome {
				t.Fatalf("the run under way ended as %q, want %q", got, test.outcome)
			}
			if left := p.ask("SELECT count(*) FROM leases"); left != "0" {
				t.Errorf("%s leases are left", left)
			}
			if test.outcome == "cancelled" {
				clear()
				b = p.start("serve")
				p.until("the run", func() bool { return p.outcomes("outcome <> 'cancelled'") == "succeeded" })
				p.stop(b)
			}
		})
	}
}

// serveKills is how many hosts are killed at least.
const serveKills = 100

// TestServeKilledAtAnyInstant ends the host with SIGKILL at random instants, a hundred times or more, while three tenants' modules are due
// again and again: each gets its run, once, whenever all have missed their time; never are two at once; and at the end
// the database is right and no process is left.
func TestServeKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	const tenants = 3
	p := serving(t, tenants, impatience+"\n")
	p.once()
	rounds, made := 0, 0
	done := func() bool {
		return p.ask("SELECT count(DISTINCT module_id) FROM runs WHERE started_at > '2021-01-01' AND outcome IN ('succeeded', 'no_change')") == fmt.Sprint(tenants)
	}
	// overlap finds two runs of a module at once: the later one began before the earlier one had ended, and the earlier one was
	// not found dead.
	overlap := func() string {
		return p.ask(`SELECT coalesce(group_concat(a.id || ' and ' || b.id), '') FROM runs a JOIN runs b ON a.module_id = b.module_id AND a.id < b.id
			WHERE a.started_at > '2021-01-01' AND b.started_at > '2021-01-01' AND a.error_code <> 'run.abandoned' AND a.finished_at IS NOT NULL AND a.finished_at > b.started_at`)
	}
	next := func() {
		if again := p.ask("SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM runs WHERE started_at > '2021-01-01' AND outcome IN ('succeeded', 'no_change') GROUP BY module_id)"); again != "1" {
			t.Errorf("in round %d a module got through %s times", rounds, again)
		}
		if two := overlap(); two != "" {
			t.Errorf("in round %d these runs were made at once: %s", rounds, two)
		}
		rounds++
		p.missed()
	}
	p.missed()
	begin := time.Now()
	b := p.start("serve")
	p.until("the runs of all modules", done)
	usual := time.Since(begin)
	p.stop(b)
	next()
	// A machine that becomes slower is given more time: else nothing but beginnings would be killed.
	const tooMany = 6 // kills in a round
	inRound := 0
	span, _ := chaosTime(t, 0)
	kills := 0
	for begun := time.Now(); kills < serveKills || time.Since(begun) < span; kills++ {
		b := p.start("serve")
		select {
		case <-b.ended:
			t.Fatalf("it ended by itself:\n%s", b.stderr.String())
		case <-time.After(rand.N(usual + usual/2)):
		}
		made += strings.Count(b.stderr.String(), "run ended")
		_ = b.Process.Kill()
		<-b.ended
		if inRound++; done() {
			next()
			inRound = 0
		}
		if inRound >= tooMany {
			usual, inRound = usual*3/2, 0
		}
		if t.Failed() {
			t.Fatalf("after %d kills", kills+1)
		}
	}
	b = p.start("serve")
	p.until("the runs of all modules", done)
	p.stop(b)
	next()
	t.Logf("%d kills, a round takes %s, %d times all %d modules were due, %d runs got through before the kill", kills, usual, rounds, tenants, made)
	if rounds < 10 {
		t.Errorf("only %d times all modules got through", rounds)
	}
	if got := p.ask("SELECT group_concat(n) FROM (SELECT count(*) n FROM subscriptions WHERE active GROUP BY tenant_id)"); got != strings.TrimSuffix(strings.Repeat("2,", tenants), ",") {
		t.Errorf("the tenants have these numbers of subscriptions: %s", got)
	}
	p.until("the end of all processes", func() bool { return len(p.processes()) == 0 })
}
