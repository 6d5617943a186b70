// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// text gives the configuration.
func (s *shell) text() string {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsQueuedIsRecordedAndNobodyIsLeftInTheDark(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.tenants("acme/rhipe "+url, "acme/second "+url, "acme/off "+url+" enabled = false")
	s.wants(s.run(0, "sync", "acme/rhipe", "--queue"), "acme/rhipe is queued: the next free \"tallyman serve\" runs it.",
		"Warning: no \"tallyman serve\" is running on this database, so nothing is run until one is started.",
		"run it here: tallyman sync acme/rhipe")
	s.wants(s.run(0, "sync", "acme/rhipe", "--queue"), "acme/rhipe is queued already, by "+me(t)+" since 20")
	if runs := s.run(0, "runs", "list", "--json"); strings.TrimSpace(runs) != "[]" {
		t.Errorf("it was run here:\n%s", runs)
	}
	s.wants(s.run(0, "status"), "\tqueued\n", "acme/rhipe is queued, by "+me(t)+" since 20", "No \"tallyman serve\" is running")
	s.wants(s.run(0, "doctor"), "warning serving No \"tallyman serve\" is running")

	s.run(0, "pause", "acme/rhipe", "--reason", "moving")
	s.wants(s.run(1, "sync", "acme/rhipe", "--queue"), "acme/rhipe is not queued: it is paused since", ": moving",
		"tallyman resume acme/rhipe", "tallyman sync acme/rhipe")
	s.wants(s.run(0, "sync", "acme", "--queue", "--only", "customers"),
		"acme/rhipe is not queued, since it is paused", "acme/second is queued", "tallyman sync acme")
	s.run(0, "pause", "acme")
	s.wants(s.run(1, "sync", "acme/second", "--queue"), "acme/second is not queued: acme is paused", "tallyman resume acme\"")
	s.run(0, "resume", "acme")

	s.sql("INSERT INTO hosts VALUES (7, 'host-a, process 7', '0.9.0', ?, ?)", time.Now().Add(-time.Hour).UTC(), time.Now().UTC())
	out := s.run(0, "sync", "--all", "--queue", "--json")
	var told struct {
		Queued []struct {
			Module string
			Before bool
			Paused *struct{ On string }
			Wish   *struct{ Who, Entities string }
		}
		Hosts []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(told.Queued) != 2 || told.Queued[0].Paused == nil || told.Queued[1].Wish == nil || !told.Queued[1].Before ||
		told.Queued[1].Wish.Entities != "customers" || len(told.Hosts) != 1 || told.Hosts[0].Name != "host-a, process 7" {
		t.Errorf("sync --all --queue --json: %+v", told)
	}
	s.wants(s.run(0, "status"), "Serving: host-a, process 7, version 0.9.0, since 20")
	s.wants(s.run(0, "doctor"), "ok serving host-a, process 7, version 0.9.0")
	s.sql("UPDATE hosts SET seen_at = ?", time.Now().Add(-10*time.Minute).UTC())
	s.wants(s.run(0, "status"), "host-a, process 7 was seen last at 20")
	s.wants(s.run(0, "doctor"), "warning serving host-a, process 7, version 0.9.0, was seen last at 20", "did not say that it ends")

	for want, args := range map[string][]string{
		"--customer and --queue": {"acme/rhipe", "--queue", "--customer", "Contoso"},
		"--override and --queue": {"acme/rhipe", "--queue", "--override", "deactivations"},
		"--at-once and --queue":  {"--all", "--queue", "--at-once", "2"},
		"is disabled; enable it": {"acme/off", "--queue"},
	} {
		s.wants(s.run(2, append([]string{"sync"}, args...)...), want)
	}
}

func TestStatusAndDoctorLookAhead(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	daily := ` schedule { daily_at = "02:15" }`
	s.tenants("acme/rhipe "+url+daily, "acme/hand "+url, "beta/rhipe "+url+daily)
	s.write("tallyman.hcl", strings.Replace(s.text(), `tenant "acme" {`, "tenant \"acme\" {\n time_zone = \"Asia/Kathmandu\"\n", 1))
	s.run(0, "sync", "--all", "--at-once", "1")
	s.wants(s.run(0, "status"), "02:15 +0545\n", "02:15 UTC\n", "acme/hand\tok\t", "\tnever\n",
		"No \"tallyman serve\" is running on this database.", "Start one")
	var rows []struct {
		Module, State string
		NextRun       *time.Time `json:"next_run"`
	}
	read := func() {
		t.Helper()
		rows = nil
		if err := json.Unmarshal([]byte(s.run(0, "status", "--json")), &rows); err != nil {
			t.Fatal(err)
		}
	}
	read()
	at := rows[0].NextRun
	if at == nil || at.Format("15:04 -0700") != "02:15 +0545" ||
		time.Until(*at) > 24*time.Hour || time.Until(*at) < 0 || rows[1].NextRun != nil {
		t.Errorf("the next runs are %v and %v", rows[0].NextRun, rows[1].NextRun)
	}
	s.wants(s.run(0, "doctor"), "warning schedules acme/hand has no schedule", "warning serving No \"tallyman serve\" is running")

	// A paused module is run next when the pause ends, or never.
	s.run(0, "pause", "beta", "--until", "2999-01-01")
	s.run(0, "pause", "acme/rhipe")
	read()
	if rows[0].NextRun != nil || rows[2].NextRun == nil || rows[2].NextRun.Year() != 2999 {
		t.Errorf("while paused the next runs are %v and %v", rows[0].NextRun, rows[2].NextRun)
	}
	s.wants(s.run(0, "doctor"), "ok paused beta is paused since", "ok paused acme/rhipe is paused since")
	s.sql("UPDATE pauses SET since = ?", time.Now().Add(-30*24*time.Hour).UTC())
	s.wants(s.run(0, "doctor"), "ok paused beta is paused since", "warning paused acme/rhipe is paused since", "If that was forgotten")
	s.run(0, "resume", "acme/rhipe")

	// A host has kept the schedule long ago, and the distributor has refused the credentials again and again.
	s.sql(`INSERT INTO schedules
		SELECT m.id, m.tenant_id, '02:15 daily, Asia/Kathmandu, customers,subscriptions', '2020-01-01 00:00:00+00:00'
		FROM modules m JOIN tenants t ON t.id = m.tenant_id WHERE m.name = 'rhipe' AND t.name = 'acme'`)
	s.write("secret", "wrong\n")
	for range 2 {
		s.run(1, "sync", "acme/rhipe")
	}
	if read(); rows[0].State != "failing" || rows[0].NextRun == nil {
		t.Errorf("after two refusals: %+v", rows[0])
	}
	s.run(1, "sync", "acme/rhipe")
	if read(); rows[0].State != "stopped" || rows[0].NextRun != nil {
		t.Errorf("after three refusals: %+v", rows[0])
	}
	s.wants(s.run(0, "status", "--problems"), "acme/rhipe\tstopped\t", "acme/rhipe is STOPPED: it has been failing since",
		"(3 runs)", "distributor.auth", "Renew the credentials", "tallyman sync acme/rhipe")
	s.wants(s.run(1, "doctor"), "WRONG schedules acme/rhipe is STOPPED")
}
