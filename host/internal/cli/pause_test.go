// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"os/user"
	"strings"
	"testing"
	"time"
)

// me is who runs the tests.
func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func TestPausedModulesAreLeftOutUntilTheyAreResumed(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.tenants("acme/rhipe "+url, "acme/second "+url, "beta/rhipe "+url)
	s.wants(s.run(0, "pause", "acme/rhipe", "--reason", "they\nare  moving", "--until", "2999-12-24 06:00"),
		"acme/rhipe is paused. It ends at 2999-12-24 06:00 UTC, or with \"tallyman resume acme/rhipe\".")
	s.wants(s.run(0, "pause", "beta"), "beta is paused. End it with \"tallyman resume beta\".")

	out := s.run(0, "sync", "--all")
	s.wants(out, "acme/rhipe paused (no run) since 20",
		"by "+me(t)+", until 2999-12-24 06:00 UTC: they are moving", "beta/rhipe paused (no run)", "acme/second succeeded")
	if n := strings.Count(out, "\n"); n != 3 {
		t.Errorf("%d lines, want one for each of three modules:\n%s", n, out)
	}
	var told struct {
		Runs []struct{ Module, Outcome string }
	}
	err := json.Unmarshal([]byte(s.run(0, "sync", "--all", "--json")), &told)
	if err != nil || len(told.Runs) != 3 || told.Runs[0].Outcome != "paused" {
		t.Errorf("sync --all --json: %+v (%v)", told, err)
	}
	s.wants(s.run(0, "sync", "acme/rhipe"), "Warning: acme/rhipe is paused since",
		"It is run, since you ask for it.", "succeeded")

	s.wants(s.run(0, "status"), "acme/rhipe\tok, paused\t",
		"beta/rhipe is paused with beta since", "End it with \"tallyman resume beta\"", "they are moving")
	var rows []struct {
		Module string
		Paused *struct {
			On, Who, Reason string
			Since           time.Time
			Until           *time.Time
		}
	}
	if err := json.Unmarshal([]byte(s.run(0, "status", "--json")), &rows); err != nil {
		t.Fatal(err)
	}
	first, last := rows[0].Paused, rows[2].Paused
	if first == nil || first.On != "acme/rhipe" || first.Who != me(t) || first.Reason != "they are moving" ||
		first.Until == nil || first.Until.Year() != 2999 ||
		rows[1].Paused != nil || last == nil || last.On != "beta" || last.Until != nil {
		t.Errorf("status --json: %+v %+v %+v", first, rows[1].Paused, last)
	}

	s.run(0, "pause", "--all", "--until", "3h")
	s.wants(s.run(0, "sync", "--all"), "acme/second paused")
	s.wants(s.run(1, "resume", "acme/second"), "acme/second is not paused by itself: everything is", "tallyman resume --all")
	s.wants(s.run(0, "resume", "--all"),
		"everything is resumed; what was missed is made up for once. acme/rhipe is still paused since", "beta is still paused since")
	s.wants(s.run(1, "resume", "beta/rhipe"), "beta is, since", "tallyman resume beta")
	s.run(0, "resume", "beta")
	// What is paused may have left the configuration.
	s.tenants("beta/rhipe " + url)
	s.run(0, "resume", "acme/rhipe")
	s.wants(s.run(1, "resume", "beta"), "beta is not paused", "tallyman status")
	s.wants(s.run(2, "resume", "acme/rhipe"), "there is no module acme/rhipe")
	s.wants(s.run(0, "sync", "--all"), "beta/rhipe succeeded")
}

func TestAPauseThatMeansNothingIsRefused(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	for want, args := range map[string][]string{
		"TENANT[/MODULE] is missing, or --all":           {},
		`"acme" and --all contradict each other`:         {"acme", "--all"},
		`did you mean "acme/rhipe"?`:                     {"acme/rhip"},
		`there is no tenant "beta"`:                      {"beta"},
		"which is over":                                  {"acme", "--until", "2020-01-01"},
		`--until "-3h" is`:                               {"acme", "--until=-3h"},
		"--until takes a day (2026-12-24), a time":       {"acme", "--until", "Christmas"},
		`or a span (90m, 3h, 2d), not "99999999999999h"`: {"acme", "--until", "99999999999999h"},
	} {
		s.wants(s.run(2, append([]string{"pause"}, args...)...), want)
	}
	s.wants(s.run(0, "status"), "acme/rhipe\tnever run\t")
}

func TestAPauseEndsInTheTenantsTimeZone(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.write("tallyman.hcl", strings.Replace(s.text(), `display_name = "Acme IT"`, `time_zone = "Australia/Sydney"`, 1))
	s.wants(s.run(0, "pause", "acme", "--until", "2999-12-24"), "2999-12-24 00:00 AEDT")
	s.wants(s.run(0, "pause", "acme", "--until", "2999-12-24T06:00:00Z"), "2999-12-24 17:00 AEDT")
	in := time.Now().Add(48 * time.Hour).In(time.FixedZone("", 0)).Format("2006-")
	s.wants(s.run(0, "pause", "acme", "--until", "2d"), "It ends at "+in)
}
