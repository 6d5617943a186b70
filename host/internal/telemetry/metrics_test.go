// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// scrape gives what is told now.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d\n%s", w.Code, w.Body)
	}
	return w.Body.String()
}

func measure(t *testing.T, s Sources) *Metrics {
	t.Helper()
	if s.Standings == nil {
		s.Standings = func(context.Context) ([]Standing, error) { return nil, nil }
	}
	if s.Host == nil {
		s.Host = func() Host { return Host{} }
	}
	if s.Log == nil {
		s.Log = hclog.NewNullLogger()
	}
	m, err := NewMetrics(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// lines finds the lines of a metric.
func lines(text, metric string) []string {
	var found []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, metric+"{") || strings.HasPrefix(line, metric+" ") {
			found = append(found, line)
		}
	}
	return found
}

var words = Words{Outcomes: []string{"succeeded", "failed"}, Records: []string{"customers"}, Changes: []string{"subscriptions_created"}}

func TestThousandsOfModulesAreToldOneByOne(t *testing.T) {
	t.Parallel()
	const n = 3000
	var modules []Module
	var standings []Standing
	for i := range n {
		m := Module{Tenant: fmt.Sprintf("t%d", i), Name: "rhipe", Distributor: "rhipe"}
		modules = append(modules, m)
		standings = append(standings, Standing{Tenant: m.Tenant, Name: m.Name, Held: i})
	}
	m := measure(t, Sources{Standings: func(context.Context) ([]Standing, error) { return standings, nil }})
	m.Serves(modules, words)
	for _, module := range modules {
		m.Ended(Run{Module: module, Outcome: "failed", Took: time.Second})
	}
	text := scrape(t, m)
	for metric, want := range map[string]int{
		"tallyman_runs_total": 2 * n, "tallyman_module_held_changes": n,
		// However many modules there are.
		"tallyman_run_duration_seconds_count": 1,
	} {
		if got := len(lines(text, metric)); got != want {
			t.Errorf("%s has %d series, want %d", metric, got, want)
		}
	}
	if strings.Contains(text, "overflow") {
		t.Error("what is beyond a limit is told as one")
	}
	if want := `tallyman_runs_total{distributor="rhipe",module="rhipe",outcome="failed",tenant="t2999"} 1`; !strings.Contains(text, want) {
		t.Errorf("%s is not told", want)
	}
}

func TestOnlyModulesOfTheConfigurationAreTold(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	is := func(tenant string) Standing {
		return Standing{Tenant: tenant, Name: "csv", Complete: map[string]time.Time{"customers": begin, "subscriptions": begin}}
	}
	m := measure(t, Sources{Standings: func(context.Context) ([]Standing, error) { return []Standing{is("acme"), is("gone")}, nil }})
	if got := lines(scrape(t, m), "tallyman_module_failures"); got != nil {
		t.Errorf("before there is a configuration: %q", got)
	}
	m.Serves([]Module{
		{Tenant: "acme", Name: "csv", Distributor: "csv", Kinds: []string{"subscriptions"}},
		{Tenant: "new", Name: "csv", Distributor: "csv", Kinds: []string{"subscriptions"}},
	}, words)
	text := scrape(t, m)
	for metric, want := range map[string]string{
		"tallyman_module_failures":                   `[tallyman_module_failures{distributor="csv",module="csv",tenant="acme"} 0]`,
		"tallyman_module_complete_timestamp_seconds": `[tallyman_module_complete_timestamp_seconds{distributor="csv",kind="subscriptions",module="csv",tenant="acme"} 1.7723304e+09]`,
		// The loop has not looked yet.
		"tallyman_module_stopped": `[]`,
	} {
		if got := fmt.Sprint(lines(text, metric)); got != want {
			t.Errorf("%s: %s, want %s", metric, got, want)
		}
	}
	// What may happen one day is told at zero.
	if want := `tallyman_runs_total{distributor="csv",module="csv",outcome="failed",tenant="new"} 0`; !strings.Contains(text, want) {
		t.Errorf("%s is not told", want)
	}
}

func TestTheDatabaseIsAskedOnceForManyScrapes(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	m := measure(t, Sources{Standings: func(context.Context) ([]Standing, error) {
		asked.Add(1)
		return []Standing{{Tenant: "acme", Name: "csv", Held: int(asked.Load())}}, nil
	}})
	module := Module{Tenant: "acme", Name: "csv", Distributor: "csv"}
	m.Serves([]Module{module}, words)
	held := func() string { return fmt.Sprint(lines(scrape(t, m), "tallyman_module_held_changes")) }
	first := held()
	for range 5 {
		if got := held(); got != first {
			t.Errorf("a moment later it is %s, was %s", got, first)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the database was asked %d times", n)
	}
	m.Ended(Run{Module: module, Outcome: "succeeded"})
	if got := held(); got == first || asked.Load() != 2 {
		t.Errorf("after a run it is %s, was %s, asked %d times", got, first, asked.Load())
	}
}

func TestADatabaseThatDoesNotAnswerLeavesTheRest(t *testing.T) {
	t.Parallel()
	m := measure(t, Sources{
		Standings: func(context.Context) ([]Standing, error) { return nil, errors.New("gone") },
		Host: func() Host {
			return Host{
				Looked: time.Now(), Due: 2, Oldest: time.Now().Add(-time.Hour - 5*time.Second), UnderWay: 3, Limit: 4, Stopped: map[string]bool{"acme/csv": true},
			}
		},
	})
	m.Serves([]Module{{Tenant: "acme", Name: "csv", Distributor: "csv"}}, words)
	text := scrape(t, m)
	for _, want := range []string{
		"tallyman_database_answers 0", "tallyman_modules_due 2", "tallyman_runs_under_way 3", "tallyman_runs_limit 4",
		"tallyman_modules_due_oldest_age_seconds 360", `tallyman_module_stopped{distributor="csv",module="csv",tenant="acme"} 1`,
		`tallyman_module_paused{distributor="csv",module="csv",tenant="acme"} 0`,
		"go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("%q is not told:\n%s", want, text)
		}
	}
	if got := lines(text, "tallyman_module_held_changes"); got != nil {
		t.Errorf("what is not known is told: %q", got)
	}
}
