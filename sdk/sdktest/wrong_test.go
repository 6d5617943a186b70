// SPDX-License-Identifier: Apache-2.0

package sdktest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// wrongPlugin is the program that breaks the rule it is named after.
var wrongPlugin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tallyman-wrong-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
		wrongPlugin = filepath.Join(dir, "right")
		if out, err := exec.Command("go", "build", "-o", wrongPlugin, "./internal/wrongplugin").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build the wrong plugin: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// large is how many subscriptions a large listing has here: enough for a plugin that hoards to be seen.
const large = 60_000

func TestAPluginThatKeepsEveryRulePasses(t *testing.T) {
	t.Parallel()
	report := check(t, wrongPlugin)
	if len(report.Results) < len(sdktest.Rules()) {
		t.Errorf("only %d rules were looked at", len(report.Results))
	}
	for _, r := range report.Results {
		if r.Outcome != sdktest.Passed {
			t.Errorf("%s: %s: %s", r.Rule, r.Outcome, r.Seen)
		}
	}
}

func TestAPluginThatBreaksARuleIsCaughtByItsName(t *testing.T) {
	t.Parallel()
	for _, rule := range sdktest.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			only := []string{rule.Name}
			if rule.Name == "secret.kept" {
				only = []string{"listing.complete", rule.Name} // it looks at what was said for the others
			}
			report := check(t, named(t, rule.Name), only...)
			r := report.Results[len(report.Results)-1]
			if r.Rule != rule.Name || r.Outcome != sdktest.Failed || r.Seen == "" || r.Where == "" {
				t.Errorf("%+v", r)
			}
			t.Log(r.Seen)
		})
	}
}

func TestAPluginThatTakesATroubleForTheEndIsCaught(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t)
	var troubles []string
	for _, f := range sim.Faults() {
		if f.Subscriptions == simulator.Incomplete {
			troubles = append(troubles, "fault."+f.Name)
		}
	}
	report := check(t, named(t, "fault"), troubles...)
	if len(report.Results) < 10 {
		t.Errorf("only %d troubles were played", len(report.Results))
	}
	for _, r := range report.Results {
		if r.Outcome != sdktest.Failed || !strings.Contains(r.Seen, "it must be incomplete") {
			t.Errorf("%s: %s: %s", r.Rule, r.Outcome, r.Seen)
		}
	}
}

// check holds a program against some rules, or all.
func check(t *testing.T, program string, only ...string) *sdktest.Report {
	t.Helper()
	report, err := sdktest.Check(t.Context(), sdktest.Suite{Binary: program, Simulator: newSimulator(t), Large: large, Only: only}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// named gives the program under another name.
func named(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Link(wrongPlugin, path); err != nil {
		t.Fatal(err)
	}
	return path
}

const key = "the-key-of-the-simulator"

// newSimulator plays the distributor of the wrong plugin.
func newSimulator(t *testing.T) simulator.Simulator {
	t.Helper()
	const few, each = 20, 5
	var size atomic.Int64
	size.Store(few)
	list := func(n func() int64, element func(i int64) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+key {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			separator := "["
			for i := range n() {
				fmt.Fprint(w, separator, element(i))
				separator = ","
			}
			fmt.Fprint(w, "]")
		}
	}
	api := http.NewServeMux()
	api.Handle("GET /customers", list(func() int64 { return size.Load() / each }, func(i int64) string { return fmt.Sprintf(`{"id": "c%d"}`, i) }))
	api.Handle("GET /subscriptions", list(size.Load, func(i int64) string { return fmt.Sprintf(`{"id": "s%d", "customer": "c%d"}`, i, i/each) }))
	sim, err := simulator.NewHTTP(simulator.Options{
		Handler:  api,
		Settings: func(url string) map[string]any { return map[string]any{"url": url, "key": key} },
		Faults: simulator.RESTFaults(simulator.Requests{
			Customers: simulator.Path("GET /customers"), Subscriptions: simulator.Path("GET /subscriptions"),
		}),
		Resize: func(n int) error {
			if n < 1 {
				n = few
			}
			size.Store(int64(n))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}
