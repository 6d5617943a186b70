// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tenants writes a configuration of several tenants; each line is "tenant/module url", and anything after it stands in the
// module's block.
func (s *shell) tenants(lines ...string) {
	s.t.Helper()
	blocks := map[string][]string{}
	var order []string
	for _, line := range lines {
		words := strings.SplitN(line, " ", 3)
		tenant, module, _ := strings.Cut(words[0], "/")
		if blocks[tenant] == nil {
			order = append(order, tenant)
		}
		blocks[tenant] = append(blocks[tenant], fmt.Sprintf(`
  module %q {
    plugin = "rhipe"
    settings {
      client_id     = %q
      client_secret = file("secret")
      api_base_url  = %q
      token_url     = "%s/core/connect/token"
      max_attempts  = 1
    }
    customers { unmatched = "create" }
    %s
  }
`, module, clientID, words[1], words[1], strings.Join(words[2:], "")))
	}
	text := fmt.Sprintf("plugins { directory = %q }\n", plugins)
	for _, tenant := range order {
		text += fmt.Sprintf("tenant %q {%s}\n", tenant, strings.Join(blocks[tenant], ""))
	}
	s.write("tallyman.hcl", text)
}

// silence is an address at which nobody answers.
func silence(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

func TestSyncAllRunsEveryEnabledModuleAndOneThatFailsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	good, url := newPrism(t)
	held, heldURL := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.tenants("acme/rhipe "+url, "beta/rhipe "+heldURL, "beta/off "+url+" enabled = false")
	out := s.run(0, "sync", "--all")
	s.wants(out, "acme/rhipe  succeeded (run ", "beta/rhipe  succeeded (run ", "4 created")
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("%d lines, want one for each of two modules:\n%s", n, out)
	}

	good.set("a c1 1", 26)
	held.set("a c1 1", 2500)
	s.wants(s.run(4, "sync", "--all"), "beta/rhipe  held (run", "1 held", "acme/rhipe  succeeded (run", "1 updated", "Not as they should be: 1 of 2 modules")

	good.set("a c1 1", 27)
	s.tenants("acme/first "+silence(t), "acme/rhipe "+url, "beta/rhipe "+heldURL)
	s.wants(s.run(3, "sync", "--all"), "acme/first  failed (run", "distributor.transient", "acme/rhipe  succeeded (run", "1 updated")

	good.set("a c1 1", 28)
	s.tenants("acme/first "+silence(t), "acme/rhipe "+url, "beta/wrong "+url+"/none", "beta/rhipe "+heldURL)
	s.wants(s.run(1, "sync", "--all", "--at-once", "1"), "beta/wrong  failed (run", "acme/rhipe  succeeded (run", "1 updated", "3 of 4 modules")
}

func TestSyncAllTellsInJSONOfEveryModuleInTheirOrder(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.tenants("acme/b "+url, "acme/a "+url, "beta/rhipe "+silence(t))
	var told struct {
		Runs []struct{ Module, Outcome string }
	}
	if err := json.Unmarshal([]byte(s.run(3, "sync", "--all", "--json")), &told); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(told.Runs); got != "[{acme/b succeeded} {acme/a succeeded} {beta/rhipe failed}]" {
		t.Errorf("runs %s", got)
	}
}

func TestSyncAllRunsNoMoreAtOnceThanItIsTold(t *testing.T) {
	t.Parallel()
	distributor, _ := newPrism(t)
	var mu sync.Mutex
	inside, most, two := map[string]int{}, 0, make(chan struct{})
	enter := func(module string) {
		mu.Lock()
		defer mu.Unlock()
		inside[module]++
		if most = max(most, len(inside)); len(inside) == 2 && most == 2 {
			select {
			case <-two:
			default:
				close(two)
			}
		}
	}
	leave := func(module string) {
		mu.Lock()
		defer mu.Unlock()
		if inside[module]--; inside[module] == 0 {
			delete(inside, module)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		module, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		enter(module)
		defer leave(module)
		select {
		case <-two:
		case <-time.After(20 * time.Second):
			t.Error("two modules were never read at the same time")
		}
		time.Sleep(20 * time.Millisecond) // long enough for a third to come, if one may
		r.URL.Path = "/" + path
		distributor.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := newShell(t, server.URL, clientSecret)
	var lines []string
	for n := range 5 {
		lines = append(lines, fmt.Sprintf("t%d/rhipe %s/m%d", n, server.URL, n))
	}
	s.tenants(lines...)
	s.run(0, "sync", "--all", "--at-once", "2")
	if most != 2 {
		t.Errorf("%d modules were read at the same time, want 2", most)
	}
}

func TestSyncAllIsUsedRightly(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"sync", "acme", "--all"}, `"acme" and --all contradict each other`},
		{[]string{"sync"}, "TENANT[/MODULE] is missing, or --all"},
		{[]string{"sync", "a", "b", "--all"}, `"b" is too much`},
		{[]string{"sync", "--all", "--at-once", "0"}, "1 or more, not 0"},
		{[]string{"sync", "acme", "--at-once", "2"}, "--at-once goes with --all only"},
		{[]string{"sync", "--all", "--customer", "Contoso"}, "--customer and --all contradict"},
		{[]string{"sync", "--all", "--override", "quantity"}, "--override and --all contradict"},
	} {
		s.wants(s.run(2, test.args...), test.says)
	}
	s.tenants("acme/rhipe " + url + " enabled = false")
	s.wants(s.run(2, "sync", "--all"), "no module is enabled")
}

// TestTheUnitsOfSystemdRunWhatThereIs runs what the service of the one-shot form runs.
func TestTheUnitsOfSystemdRunWhatThereIs(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile(filepath.FromSlash("../../../configs/systemd/tallyman-sync.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(unit), "\nExecStart=")
	command, _, _ = strings.Cut(command, "\n")
	words := strings.Fields(command)
	if !found || len(words) < 4 || !strings.HasSuffix(words[0], "/tallyman") || words[1] != "--config" {
		t.Fatalf("ExecStart=%s", command)
	}
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.wants(s.run(0, words[3:]...), "acme/rhipe  succeeded")
}
