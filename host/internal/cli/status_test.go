// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestStatusSaysAtAGlanceHowModulesAreDoing(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	_, good := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.tenants("acme/rhipe "+url, "acme/off "+url+" enabled = false", "beta/rhipe "+good)
	s.wants(s.run(0, "status"), "acme/rhipe\tnever run\tnever\tnever\tnever\t0\tnever\n", "acme/off\tdisabled", `acme/rhipe was never run`, `"tallyman plan acme/rhipe"`)

	s.run(0, "sync", "--all")
	s.wants(s.run(0, "status"), "acme/rhipe\tok\t20", "beta/rhipe\tok\t20")
	s.wants(s.run(0, "status", "--problems"), "Nothing is wrong with 3 modules.")

	distributor.set("a c1 1", 2500)
	s.run(4, "sync", "acme")
	s.wants(s.run(0, "status"), "acme/rhipe\theld\t", "acme/rhipe holds 1 change until you decide", "tallyman runs list acme/rhipe --waiting")
	if out := s.run(0, "status", "--problems"); strings.Contains(out, "beta") {
		t.Errorf("a module that is well is shown:\n%s", out)
	}

	s.tenants("acme/rhipe "+silence(t), "beta/rhipe "+good)
	s.run(3, "sync", "acme")
	s.run(3, "sync", "acme")
	out := s.run(0, "status", "acme")
	s.wants(out, "acme/rhipe\tfailing\t", "has been failing since 20", "(2 runs): distributor.transient", "tallyman runs show 5", "tallyman test acme/rhipe")
	if strings.Contains(out, "beta") {
		t.Errorf("another tenant is shown:\n%s", out)
	}
	var told []struct {
		Module, State string
		LastRun       struct{ Run int64 }        `json:"last_run"`
		Customers     struct{ Run int64 }        `json:"customers_complete"`
		Subscriptions struct{ Run int64 }        `json:"subscriptions_complete"`
		Failing       *struct{ Runs, Run int64 } `json:"failing"`
		Held          int
	}
	if err := json.Unmarshal([]byte(s.run(0, "status", "acme/rhipe", "--json")), &told); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].State != "failing" || told[0].LastRun.Run != 5 || told[0].Customers.Run != 3 || told[0].Subscriptions.Run != 3 ||
		told[0].Failing == nil || told[0].Failing.Runs != 2 || told[0].Held != 1 {
		t.Errorf("status --json: %+v", told)
	}
	s.wants(s.run(2, "status", "amce"), `did you mean "acme"?`)
}

func TestStatusSaysWhatWasNeverReadCompletely(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	distributor.cut = true
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "status"), "acme/rhipe\twarning\t", "\tnever\t0\tnever\n", "acme/rhipe has warnings", "tallyman runs show 1")
}

func TestStatusAndDoctorSayWhatIsStale(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme")
	s.wants(s.run(0, "status"), "acme/rhipe\tok\t")
	s.sql("UPDATE runs SET started_at = strftime('%Y-%m-%d %H:%M:%S+00:00', started_at, '-35 hours')")
	s.wants(s.run(0, "status"), "acme/rhipe\tok\t")
	s.sql("UPDATE runs SET started_at = strftime('%Y-%m-%d %H:%M:%S+00:00', started_at, '-2 hours')")
	s.wants(s.run(0, "status", "--problems"), "acme/rhipe\tstale\t", "acme/rhipe is stale: its picture is known to be right up to 20",
		`run "tallyman sync acme/rhipe"`)
	s.wants(s.run(0, "doctor"), "warning schedules", "acme/rhipe is stale", "Nothing is wrong")
	lend := "INSERT INTO leases (module_id, tenant_id, holder, purpose, acquired_at, expires_at) SELECT id, tenant_id, 'elsewhere', 'sync" +
		"%s', '2026-01-01 00:00:00+00:00', '2999-01-01 00:00:00+00:00' FROM modules"
	s.sql(fmt.Sprintf(lend, " of acme/other, which uses the same account"))
	s.wants(s.run(0, "status"), "acme/rhipe\tstale\t")
	s.sql("DELETE FROM leases")
	s.sql(fmt.Sprintf(lend, ""))
	s.wants(s.run(0, "status"), "acme/rhipe\tstale, running\t")
	s.sql("DELETE FROM leases")
	s.run(0, "pause", "acme/rhipe", "--reason", "moving")
	s.wants(s.run(0, "status"), "acme/rhipe\tok, paused\t")
	s.run(0, "resume", "acme/rhipe")
	s.run(0, "sync", "acme")
	s.wants(s.run(0, "status"), "acme/rhipe\tok\t")
}

func TestAPlanSaysWhereItStandsThatNewCustomersWait(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("tallyman.hcl", strings.Replace(string(text), `unmatched = "create"`, `unmatched = "hold"`, 1))
	out := s.run(4, "plan", "acme/rhipe")
	s.wants(out, `holds these until "tallyman approve"`, "Whether new customers wait is said by customers.unmatched.")
	if strings.Contains(out, "guards") {
		t.Errorf("it speaks of guards:\n%s", out)
	}
}
