// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

// chaosFor is how long the tests of many kills go on, where it is set: make chaos sets it to minutes.
const chaosFor = "TALLYMAN_TEST_CHAOS"

// chaosTime gives how long to go on, and whether that is the long form.
func chaosTime(t *testing.T, usual time.Duration) (time.Duration, bool) {
	t.Helper()
	text := os.Getenv(chaosFor)
	if text == "" {
		return usual, false
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", chaosFor, err)
	}
	return long, true
}

// fleet is several hosts on one database.
type fleet struct {
	*place
	server  *pgtest.Server
	tenants int
	// refs are the distributor's ids of the subscriptions.
	refs []string
	gate turnstile
	// seen is how many runs reached the distributor.
	seen  int
	hosts []*background
	// kills, cuts and restarts count what was done to them.
	kills, cuts, restarts int
	// refused is how often a host ended by itself because the database could not be reached when it started.
	refused int
}

// TestHostsOnOneDatabaseSurviveAnything: three hosts share one database, while they are killed and started again, connections
// are cut and the server is restarted or crashes. All tenants' modules are due again and again. Each time each gets its run;
// never are two runs of one module made at once, neither by the record nor as the distributor sees it; and at the end the
// database is right to the last change.
func TestHostsOnOneDatabaseSurviveAnything(t *testing.T) {
	t.Parallel()
	span, long := chaosTime(t, 20*time.Second)
	f := newFleet(t, map[bool]int{false: 20, true: 200}[long])
	f.due(0)
	for range 3 {
		f.hosts = append(f.hosts, f.start("serve"))
	}
	rounds := 0
	for begin := time.Now(); time.Since(begin) < span; {
		f.disturb()
		if f.done() {
			rounds++
			f.check()
			f.due(rounds)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	f.revive()
	for begin := time.Now(); !f.done(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > patience+span {
			t.Fatalf("the rest of the runs was waited for in vain: %s", f.ask("SELECT string_agg(m.id || ' ' || coalesce(r.outcome, '?') || ' ' || coalesce(r.error, ''), '; ') FROM modules m LEFT JOIN LATERAL (SELECT * FROM runs WHERE module_id = m.id ORDER BY id DESC LIMIT 1) r ON true WHERE m.id NOT IN (SELECT module_id FROM runs WHERE "+through+")"))
		}
		f.revive()
	}
	for _, host := range f.hosts {
		f.stop(host)
	}
	rounds++
	f.check()
	f.right(rounds - 1)
	f.until("the end of all processes", func() bool { return len(f.processes()) == 0 })
	t.Logf("%d tenants, %d kills, %d times cut, %d restarts of the server, %d hosts that did not find it; %d rounds; %s runs, %d of them seen by the distributor, of which %s ended with their host and %s failed otherwise; in the last round %s runs found nothing left to do",
		f.tenants, f.kills, f.cuts, f.restarts, f.refused, rounds, f.ask("SELECT count(*) FROM runs"), f.seen,
		f.ask("SELECT count(*) FROM runs WHERE error_code = 'run.abandoned'"),
		f.ask("SELECT count(*) FROM runs WHERE outcome = 'failed' AND error_code <> 'run.abandoned'"),
		f.ask("SELECT count(*) FROM runs WHERE outcome = 'no_change' AND "+recent))
}

const (
	// recent are the runs since all modules were due last.
	recent = "started_at > '2021-01-01'"
	// through are those of them that got through.
	through = recent + " AND outcome IN ('succeeded', 'no_change')"
)

// newFleet sets up a database and the configuration of many tenants, each of whom reaches the distributor by a way of its own.
func newFleet(t *testing.T, tenants int) *fleet {
	t.Helper()
	w := newSmall()
	_, refs := w.customer("Contoso", 1, 1)
	f := &fleet{place: w.place(t, createUnmatched), server: pgtest.Own(t), tenants: tenants, refs: refs, gate: turnstile{spans: map[string]map[string]*span{}}}
	front := httptest.NewServer(f.gate.before(f.sim))
	t.Cleanup(front.Close)
	f.lease = "8s"
	f.configure(createUnmatched, yearly)
	first, tenant, _ := strings.Cut(f.configuration(), "tenant \"acme\"")
	text := first + "serve {\n  retry_wait = \"1s\"\n  drain = \"30s\"\n  max_runs = 3\n}\n"
	for n := range tenants {
		way := fmt.Sprintf("%s/t%d", front.URL, n)
		own := strings.ReplaceAll(tenant, `${env("PRISM_URL")}`, way)
		text += fmt.Sprintf("tenant \"t%d\"%s", n, strings.ReplaceAll(own, `env("PRISM_URL")`, `"`+way+`"`))
	}
	f.write("tallyman.hcl", text)
	f.env["TALLYMAN_DATABASE_URL"] = f.server.URL()
	f.once()
	return f
}

// ask gives the first value of a query.
func (f *fleet) ask(query string) (answer string) {
	f.t.Helper()
	ctx := context.WithoutCancel(f.t.Context())
	conn, err := pgx.Connect(ctx, f.server.URL())
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT coalesce(("+query+")::text, '')").Scan(&answer)
		_ = conn.Close(ctx)
	}
	if err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// change runs statements in one transaction.
func (f *fleet) change(statements string) {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), f.server.URL())
	if err == nil {
		_, err = conn.Exec(f.t.Context(), "BEGIN; "+statements+"; COMMIT")
		_ = conn.Close(f.t.Context())
	}
	if err != nil {
		f.t.Fatalf("%s: %v", statements, err)
	}
}

// due lets every module have missed its time, after so many rounds, and lets the distributor have changed since.
func (f *fleet) due(round int) {
	f.t.Helper()
	for _, ref := range f.refs {
		f.world.SetQuantity(ref, int64(round+1))
	}
	f.change("UPDATE schedules SET since = '2020-01-01'; " +
		"UPDATE runs SET started_at = '2020-01-02', finished_at = '2020-01-02 00:00:01' WHERE finished_at IS NOT NULL")
	for _, host := range f.hosts {
		_ = host.Process.Signal(syscall.SIGHUP) // or it would look in a minute
	}
}

// done reports whether every module has got through since all were due.
func (f *fleet) done() bool {
	return f.ask("SELECT count(DISTINCT module_id) FROM runs WHERE "+through) == fmt.Sprint(f.tenants)
}

// atFirst are the things that disturb does at first, so that each is done.
var atFirst = [...]int{0, 9, 6, 0, 8}

// disturb does one thing to the fleet, and waits.
func (f *fleet) disturb() {
	f.t.Helper()
	n := rand.IntN(10)
	if done := f.kills + f.cuts + f.restarts; done < len(atFirst) {
		n = atFirst[done]
	}
	switch {
	case n < 6:
		host := f.hosts[rand.IntN(len(f.hosts))]
		_ = host.Process.Kill()
		f.kills++
	case n < 8:
		f.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tallyman'")
		f.cuts++
	default:
		again := f.server.Restart
		if n == 9 {
			again = f.server.Crash
		}
		if err := again(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		f.restarts++
	}
	time.Sleep(rand.N(700 * time.Millisecond))
	f.revive()
	time.Sleep(rand.N(700 * time.Millisecond))
}

// revive starts hosts that have ended again. None may end by itself, unless it finds no database when it starts.
func (f *fleet) revive() {
	f.t.Helper()
	for i, host := range f.hosts {
		select {
		case <-host.ended:
		default:
			continue
		}
		if killed := !host.ProcessState.Exited(); !killed {
			f.refused++
			if out := host.stderr.String(); strings.Contains(out, "serving: scheduled_modules=") || !strings.Contains(out, "database.unreachable") {
				f.t.Fatalf("a host ended by itself:\n%s", out)
			}
		}
		f.printed.WriteString(host.stderr.String())
		f.hosts[i] = f.start("serve")
	}
}

// check finds modules that were run twice at once, or more often than they had to be.
func (f *fleet) check() {
	f.t.Helper()
	// A run whose host died was found dead by a later one; one that lost its lease changed nothing after that.
	if two := f.ask(`SELECT string_agg(a.id || ' (' || a.outcome || ' ' || a.error_code || ', until ' || a.finished_at || ') and ' || b.id || ' (since ' || b.started_at || ')', ', ')
		FROM runs a JOIN runs b ON a.module_id = b.module_id AND a.id < b.id
		WHERE a.started_at > '2021-01-01' AND a.error_code NOT IN ('run.abandoned', 'run.lease_lost') AND a.finished_at > b.started_at`); two != "" {
		f.t.Errorf("these runs were made at once: %s", two)
	}
	if again := f.ask("SELECT string_agg(module_id || ': ' || n, ', ') FROM (SELECT module_id, string_agg(id || ' ' || outcome || ' ' || started_at || ' ' || finished_at || ' ' || holder, '; ') n FROM runs WHERE " + through + " GROUP BY module_id HAVING count(*) > 1) x"); again != "" {
		f.t.Errorf("these modules got through more often than once: %s", again)
	}
	together, runs := f.gate.together()
	if f.seen += runs; len(together) > 0 {
		f.t.Errorf("of these the distributor saw two runs at once: %s", strings.Join(together, ", "))
	}
}

// right holds the database at the end against the rules that nothing may break.
func (f *fleet) right(last int) {
	f.t.Helper()
	for what, c := range map[string]struct{ query, want string }{
		"tenants without exactly one customer": {
			"SELECT count(*) FROM tenants t WHERE (SELECT count(*) FROM customers c WHERE c.tenant_id = t.id) <> 1", "0",
		},
		"tenants without exactly two active subscriptions, as the distributor has them": {
			fmt.Sprintf("SELECT count(*) FROM tenants t WHERE (SELECT count(*) FROM subscriptions s WHERE s.tenant_id = t.id AND s.active AND s.quantity = '%d') <> 2", last+1), "0",
		},
		"subscriptions":               {"SELECT count(*) FROM subscriptions", fmt.Sprint(2 * f.tenants)},
		"mappings":                    {"SELECT count(*) FROM mappings", fmt.Sprint(f.tenants)},
		"distributor's subscriptions": {"SELECT count(*) FROM distributor_subscriptions WHERE flags = 0 AND subscription_id IS NOT NULL", fmt.Sprint(2 * f.tenants)},
		"runs that never ended":       {"SELECT count(*) FROM runs WHERE finished_at IS NULL", "0"},
		"changes of runs that did not get through": {
			"SELECT count(*) FROM changes c JOIN runs r ON r.id = c.run_id WHERE r.outcome <> 'succeeded'", "0",
		},
		"runs whose changes are not those they report": {
			"SELECT count(*) FROM runs r WHERE outcome IN ('succeeded', 'no_change') AND coalesce((counts::json->>'changes_applied')::int, 0) <> (SELECT count(*) FROM changes c WHERE c.run_id = r.id)", "0",
		},
		// What a change found is what the one before left.
		"changes that do not follow from the one before": {`SELECT count(*) FROM (SELECT before::json->>'quantity' AS found,
			lag(after::json->>'quantity') OVER (PARTITION BY entity_id ORDER BY id) AS left_before FROM changes WHERE entity = 'subscription') c
			WHERE found IS DISTINCT FROM left_before`, "0"},
		"subscriptions that are not what the last change left": {`SELECT count(*) FROM subscriptions s WHERE quantity IS DISTINCT FROM
			(SELECT after::json->>'quantity' FROM changes c WHERE c.entity = 'subscription' AND c.entity_id = s.id ORDER BY id DESC LIMIT 1)`, "0"},
	} {
		if got := f.ask(c.query); got != c.want {
			f.t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	// One that could not be given back ends by itself.
	f.until("the end of all leases", func() bool { return f.ask("SELECT count(*) FROM leases WHERE expires_at > now()") == "0" })
	if strings.Contains(f.printed.String(), secret) {
		f.t.Error("the secret was printed")
	}
}

// turnstile stands before the distributor and notes when which run of which tenant was there. Each run has a token of its own.
type turnstile struct {
	mu    sync.Mutex
	spans map[string]map[string]*span
}

// span is from a run's first request to the end of its last.
type span struct{ first, last time.Time }

// before lets requests of /tenant/… through.
func (g *turnstile) before(distributor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.URL.Path, r.URL.RawPath = "/"+rest, ""
		begun, token := time.Now(), r.Header.Get("Authorization")
		distributor.ServeHTTP(w, r)
		if token == "" {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.spans[tenant] == nil {
			g.spans[tenant] = map[string]*span{}
		}
		s := g.spans[tenant][token]
		if s == nil {
			s = &span{first: begun}
			g.spans[tenant][token] = s
		}
		s.last = time.Now()
	})
}

// together gives the tenants of whom two runs were at the distributor at once, and how many runs there were, and forgets them.
func (g *turnstile) together() (tenants []string, runs int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for tenant, spans := range g.spans {
		list := slices.SortedFunc(maps.Values(spans), func(a, b *span) int { return a.first.Compare(b.first) })
		for i := range list[:len(list)-1] {
			if list[i+1].first.Before(list[i].last) {
				tenants = append(tenants, fmt.Sprintf("%s (%s before the other had ended)", tenant, list[i].last.Sub(list[i+1].first)))
			}
		}
		runs += len(list)
	}
	clear(g.spans)
	return tenants, runs
}
