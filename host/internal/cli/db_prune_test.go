// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli_test

import (
	"strings"
	"testing"
	"time"
)

// age lets a run have started so many days ago.
func (s *shell) age(run, days int) {
	s.t.Helper()
	at := time.Now().UTC().AddDate(0, 0, -days).Format("2006-01-02 15:04:05.999999+00:00")
	s.sql("UPDATE runs SET started_at = ?, finished_at = ? WHERE id = ?", at, at, run)
}

// runs gives the numbers of the runs there are, oldest first.
func (s *shell) runs() string {
	s.t.Helper()
	var ids []string
	for i, line := range strings.Split(strings.TrimSpace(s.run(0, "runs", "list")), "\n") {
		if id, _, _ := strings.Cut(line, "\t"); i > 0 {
			ids = append([]string{id}, ids...)
		}
	}
	return strings.Join(ids, " ")
}

func TestWhatIsOldGoesAfterARunAndByHand(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe") // 1 creates
	s.run(0, "sync", "acme/rhipe") // 2 changes nothing
	distributor.set("a c1 1", 2500)
	s.run(4, "sync", "acme/rhipe") // 3 holds
	distributor.set("a c1 1", 25)
	s.run(0, "plan", "acme/rhipe") // 4 is a plan
	for run := 1; run <= 4; run++ {
		s.age(run, 500-run)
	}
	s.run(0, "plan", "acme/rhipe") // 5: a plan removes nothing
	if got := s.runs(); got != "1 2 3 4 5" {
		t.Fatalf("runs %s", got)
	}
	s.run(0, "sync", "acme/rhipe", "--only", "customers") // 6 looks at customers alone, so that 3 goes on holding
	if got := s.runs(); got != "1 3 5 6" {
		t.Errorf("after a sync there are runs %s", got)
	}
	s.wants(s.run(0, "db", "prune"), "0 changes and 0 runs removed", "runs of the last 400 days, and all changes")
	out := s.run(0, "db", "prune", "--set", "retention.changes=450d", "--set", "retention.runs=30d")
	s.wants(out, "changes and 1 run removed", "changes of the last 450 days")
	if got := s.runs(); got != "3 5 6" {
		t.Errorf("after pruning there are runs %s", got)
	}
	s.wants(s.run(0, "changes", "--run", "3"), "held by quantity")
	s.wants(s.run(0, "db", "prune", "--set", "retention.runs=0s"), "keeps all")
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "db", "prune", "--set", "retention.changes=30d", "--json"), `"runs": `)
	for _, wrong := range []string{"1d", "-1h", "many", "400days"} {
		s.run(2, "db", "prune", "--set", "retention.runs="+wrong)
	}
}
