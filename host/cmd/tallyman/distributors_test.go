// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/plugins/csv/csvsim"
	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// allPlugins builds every plugin there is and gives their directory.
var allPlugins = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(binaries, "all")
	for _, name := range []string{"rhipe", "pax8", "sherweb", "cloudiq", "csv"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, "tallyman-plugin-"+name)+exe(), "../../../plugins/"+name)
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

// shop is a place that resells what several distributors offer.
type shop struct {
	*place
	distributors map[string]simulator.Simulator
}

// newShop sets up tenant acme with a module for each distributor, beside Rhipe's.
func newShop(t *testing.T, rhipe prismsim.Source, distributors map[string]simulator.Simulator) *shop {
	t.Helper()
	s := &shop{newPlace(t, rhipe), distributors}
	var err error
	if s.plugins, err = allPlugins(); err != nil {
		t.Fatal(err)
	}
	s.configure(createUnmatched)
	file := filepath.Join(s.dir, "tallyman.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.TrimSuffix(strings.TrimSpace(string(text)), "}")
	for _, name := range slices.Sorted(maps.Keys(distributors)) {
		t.Cleanup(func() { _ = distributors[name].Close() })
		blocks += fmt.Sprintf("  module %q {\n    settings {\n", name)
		for setting, value := range distributors[name].Settings() {
			blocks += fmt.Sprintf("      %s = %s\n", setting, literal(t, value))
		}
		blocks += "    }\n    " + createUnmatched + "\n  }\n"
	}
	s.write("tallyman.hcl", blocks+"}\n")
	if err := os.Remove(filepath.Join(s.dir, "tallyman.lock")); err != nil {
		t.Fatal(err)
	}
	s.run(0, "plugin", "lock")
	s.run(0, "config", "check")
	return s
}

// literal gives a setting as HCL writes it, which for these types is as JSON does.
func literal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// syncAll runs "sync acme", checks its exit code and gives the outcomes by module.
func (s *shop) syncAll(code int) map[string]string {
	s.t.Helper()
	var printed struct {
		Runs []struct {
			Module, Outcome string
			Guards          map[string]string
			Warnings        []string
		}
	}
	got, out := s.try("sync", "acme", "--json")
	at := strings.Index(out, "{\n  \"runs\"") // behind what was said on the way
	if at < 0 {
		s.t.Fatalf("no runs:\n%s", out)
	}
	if err := json.NewDecoder(strings.NewReader(out[at:])).Decode(&printed); err != nil {
		s.t.Fatal(err)
	}
	outcomes := map[string]string{}
	for _, run := range printed.Runs {
		outcomes[strings.TrimPrefix(run.Module, "acme/")] = run.Outcome
	}
	if got != code {
		s.t.Fatalf("exit code %d, want %d: %+v", got, code, printed.Runs)
	}
	return outcomes
}

func newDistributors(t *testing.T) map[string]simulator.Simulator {
	t.Helper()
	pax8, err := pax8sim.New(pax8sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sherweb, err := sherwebsim.New()
	if err != nil {
		t.Fatal(err)
	}
	cloudiq, err := cloudiqsim.New(cloudiqsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := csvsim.New()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]simulator.Simulator{"pax8": pax8, "sherweb": sherweb, "cloudiq": cloudiq, "csv": files}
}

func TestFiveDistributorsOfOneTenant(t *testing.T) {
	t.Parallel()
	s := newShop(t, prismsim.Demo(), newDistributors(t))
	modules := []string{"cloudiq", "csv", "pax8", "rhipe", "sherweb"}
	first := s.syncAll(0)
	for _, module := range modules {
		if outcome := first[module]; outcome != "succeeded" {
			t.Errorf("%s: %q", module, outcome)
		}
	}

	// One customer holds what several distributors deliver, once a person has said that they are one.
	s.own([]string{"Contoso", "", "", "", ""})
	holders := map[string]string{}
	for _, one := range s.subscriptions() {
		holders[one.Distributor] = one.Customer
	}
	if len(holders) != len(modules) {
		t.Fatalf("subscriptions of %d distributors, want %d: %v", len(holders), len(modules), holders)
	}
	for _, module := range modules {
		s.run(0, "mappings", "add", "acme/"+module, s.mappedTo(module, holders), "Contoso", "--change")
	}
	second := s.syncAll(0)
	held := map[string]int{}
	before := map[int64]subscription{}
	for _, one := range s.subscriptions() {
		before[one.ID] = one
		if one.Customer == "Contoso" {
			held[one.Distributor]++
		}
	}
	if len(held) != len(modules) {
		t.Errorf("Contoso holds subscriptions of %d distributors, want %d: %v", len(held), len(modules), held)
	}
	for _, module := range modules {
		if outcome := second[module]; outcome != "succeeded" {
			t.Errorf("%s: %q", module, outcome)
		}
	}
	// One that fails leaves the others, and what it brought itself, as they are.
	for _, c := range []struct {
		name, trouble string
		code          int
	}{{"sherweb", "credentials.refused", 1}, {"pax8", "connection.dropped", 3}} {
		name, trouble := c.name, c.trouble
		if err := s.distributors[name].Play(t.Context(), trouble); err != nil {
			t.Fatal(err)
		}
		outcomes := s.syncAll(c.code)
		for _, module := range modules {
			want := "no_change"
			if module == name {
				want = "failed"
			}
			if outcomes[module] != want {
				t.Errorf("while %s plays %s, %s ends as %q, want %q", name, trouble, module, outcomes[module], want)
			}
		}
		for _, one := range s.subscriptions() {
			if before[one.ID] != one {
				t.Errorf("while %s plays %s, this became of %+v: %+v", name, trouble, before[one.ID], one)
			}
		}
		if err := s.distributors[name].Play(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
}

// mappedTo gives the distributor customer of a module that is mapped to one of the customers named.
func (s *shop) mappedTo(module string, customers map[string]string) string {
	s.t.Helper()
	names := slices.Collect(maps.Values(customers))
	for _, m := range rows[mappingRow](s.place, "mappings", "list", "acme/"+module, "--limit", "0") {
		if m.CustomerID != nil && slices.Contains(names, m.CustomerName) {
			return m.Ref
		}
	}
	s.t.Fatalf("no customer of %s holds a subscription", module)
	return ""
}
