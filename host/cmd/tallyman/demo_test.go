// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestThreeDays is the story that "make run" tells, and the day after on which it lets its reader go on.
func TestThreeDays(t *testing.T) {
	t.Parallel()
	p := newPlace(t, prismsim.Demo(), `customers {
      unmatched                = "create"
      top_level                = "Cloud customers"
      update_main_site_address = true
    }`, `subscriptions { deactivate_missing = true }`)
	p.run(0, "customers", "import", p.write("mine.csv", "name,top_level,line1,city\n"+
		"Blue Gum Dental,,18 Eucalypt Road,Newcastle\nWattle Street Legal,,12 Old Market Street,Sydney\n"+
		"Southern Surveying,Hobart,,\nSouthern Surveying,Perth,,\nKookaburra Freight,,77 Depot Road,Brisbane\n"), "--tenant", "acme")
	p.run(0, "mappings", "generate", "acme/rhipe")
	p.run(0, "mappings", "add", "acme/rhipe", "Kookaburra Freight Holdings Pty Ltd", "Kookaburra Freight")

	first := p.sync("succeeded")
	p.counts(first, map[string]int{"subscriptions_created": 15, "subscriptions_waiting": 1, "customers_created": 3, "customers_ambiguous": 1})

	if err := p.sim.SetDay(2); err != nil {
		t.Fatal(err)
	}
	second := p.sync("succeeded")
	p.counts(second, map[string]int{
		"subscriptions_updated": 2, "subscriptions_created": 1, "subscriptions_deactivated": 1, "customers_renamed": 1,
	})
	p.sync("no_change")

	if err := p.sim.SetDay(3); err != nil {
		t.Fatal(err)
	}
	third := p.sync("warning")
	p.counts(third, map[string]int{"subscriptions_updated": 1, "subscriptions_deactivated": 0})
	for _, s := range p.subscriptions() {
		if s.Name == "Cloud Backup per User" && !s.Active {
			t.Errorf("a subscription of the agreement whose answer was cut short was deactivated: %+v", s)
		}
	}

	if err := p.sim.SetDay(prismsim.DemoDays); err != nil {
		t.Fatal(err)
	}
	fourth := p.sync("succeeded")
	p.counts(fourth, map[string]int{"subscriptions_updated": 1, "subscriptions_deactivated": 1})
}

// TestTheLeastConfiguration takes configs/minimal.hcl as it is: the plugins are found beside the program.
func TestTheLeastConfiguration(t *testing.T) {
	t.Parallel()
	p := newPlace(t, prismsim.Demo())
	for _, name := range []string{"tallyman.lock", "tallyman.hcl"} {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	least, err := os.ReadFile("../../../configs/minimal.hcl")
	if err != nil {
		t.Fatal(err)
	}
	p.write("tallyman.hcl", string(least))
	p.run(0, "plugin", "lock")
	if out := p.run(0, "config", "check"); !strings.Contains(out, "1 tenant, 1 module") {
		t.Errorf("config check: %s", out)
	}
	p.run(0, "config", "show", "acme/rhipe")
}

// counts checks counts of a report.
func (p *place) counts(r report, wanted map[string]int) {
	p.t.Helper()
	for name, n := range wanted {
		if r.Counts[name] != n {
			p.t.Errorf("run %d: %s is %d, want %d", r.Run, name, r.Counts[name], n)
		}
	}
}
