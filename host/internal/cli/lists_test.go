// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// crowd writes a file with so many customers and imports them.
func (s *shell) crowd(n int) {
	s.t.Helper()
	var b strings.Builder
	b.WriteString("name\n")
	for i := range n {
		fmt.Fprintf(&b, "Customer %04d\n", i)
	}
	s.write("crowd.csv", b.String())
	s.run(0, "customers", "import", filepath.Join(s.dir, "crowd.csv"), "--tenant", "acme")
}

func TestNoListIsCutWithoutAWord(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.crowd(260)

	if lines := strings.Count(s.run(0, "customers", "list"), "\n"); lines != 261 {
		t.Errorf("a pipe was given %d lines, want 260 and a heading", lines)
	}
	for _, args := range [][]string{{"customers", "list", "--json"}, {"changes", "--json", "--entity", "customer"}} {
		var rows []any
		if err := json.Unmarshal([]byte(s.run(0, args...)), &rows); err != nil || len(rows) != 260 {
			t.Errorf("tallyman %s gives %d rows, want 260: %v", strings.Join(args, " "), len(rows), err)
		}
	}
	s.wants(s.run(0, "customers", "list", "--limit", "2"), "Customer 0001\t", "2 of 260 shown; --limit 0 shows all.")
	if out := s.run(0, "customers", "list", "--limit", "260"); strings.Contains(out, "shown") {
		t.Errorf("all are shown, and yet: %s", out[len(out)-100:])
	}
	s.wants(s.run(0, "changes", "--limit", "3"), "3 of 520 shown; --limit 0 shows all.")
}

func TestFiltersThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	for _, c := range []struct {
		args  []string
		wants string
	}{
		{[]string{"runs", "list", "--outcome", "good"}, "--outcome takes no_change, succeeded, warning, held, failed or cancelled, not \"good\""},
		{[]string{"runs", "list", "--search", "x"}, "unknown flag: --search"},
		{[]string{"changes", "--status", "done"}, "--status takes applied, held, approved, rejected or superseded"},
		{[]string{"changes", "--entity", "invoice"}, "--entity takes top_level, customer, site, mapping, distributor_customer or subscription"},
		{[]string{"changes", "--kind", "delete"}, "--kind takes create, update, move"},
		{[]string{"changes", "--run", "-1"}, "--run takes the number of a run"},
		{[]string{"changes", "acme", "--tenant", "foo"}, "contradict"},
		{[]string{"changes", "acme/rhipe", "--module", "x"}, "contradict"},
		{[]string{"changes", "--tenant", "foo", "--module", "acme/rhipe"}, "contradict"},
		{[]string{"customers", "list", "acme/"}, "neither a tenant nor a module"},
		{[]string{"customers", "list", "--module", "rhipe"}, "needs a tenant"},
		{[]string{"customers", "list", "--limit", "-1"}, "--limit takes how many rows"},
		{[]string{"subscriptions", "list", "--all", "--inactive"}, "contradict"},
		{[]string{"mappings", "list", "--mapped", "--unmapped"}, "contradict"},
		{[]string{"mappings", "list", "--unmapped", "--customer", "1"}, "contradict"},
	} {
		s.wants(s.run(2, c.args...), c.wants)
	}
	s.wants(s.run(0, "customers", "list", "--search", "zzz"), `No customer contains "zzz".`)
	s.wants(s.run(0, "changes", "--status", "rejected"), "No changes match.")
	// What says the same twice contradicts nothing.
	s.wants(s.run(0, "customers", "list", "acme/rhipe", "--tenant", "acme", "--module", "rhipe"), "Tailspin Toys")
	s.wants(s.run(0, "customers", "list", "acme", "--module", "rhipe"), "Tailspin Toys")
}

func TestWhatIsNotThereSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.write("twice.csv", "name,top_level\nTwice,One\nTwice,Two\n")
	s.run(0, "customers", "import", filepath.Join(s.dir, "twice.csv"), "--tenant", "acme")
	for _, c := range []struct {
		code  int
		args  []string
		wants []string
	}{
		{1, []string{"customers", "show", "Contoso"}, []string{"database.not_found", `Did you mean "Contoso Pty Ltd"`}},
		{1, []string{"customers", "show", "99"}, []string{"database.not_found", `no customer "99"`}},
		{1, []string{"customers", "show", "Pty"}, []string{"database.not_found", "customers list --search Pty"}},
		{1, []string{"runs", "show", "99"}, []string{"database.not_found", "run 99"}},
		{1, []string{"changes", "--run", "99"}, []string{"database.not_found", "run 99"}},
		{1, []string{"approve", "99"}, []string{"database.not_found", "run 99"}},
		{1, []string{"customers", "list", "amce"}, []string{"database.not_found", `Did you mean "acme"?`}},
		{1, []string{"customers", "list", "acme/rhpie"}, []string{"database.not_found", `Did you mean "rhipe"?`}},
		{2, []string{"sync", "amce"}, []string{`did you mean "acme"?`}},
		{1, []string{"customers", "show", "Twice"}, []string{`several customers are called "Twice" (#4, #5)`, "customers list --search Twice"}},
		{1, []string{"mappings", "add", "acme/rhipe", "Contso", "1"}, []string{"database.not_found", "mappings list acme/rhipe --search Contso"}},
		{1, []string{"mappings", "add", "acme/rhipe", "c1", "Tailspin Toys"}, []string{"already mapped", "or add --change"}},
		{0, []string{"mappings", "add", "acme/rhipe", "c3", "Tailspin Toys"}, []string{"already mapped", "nothing was changed"}},
		{0, []string{"mappings", "add", "acme/rhipe", "c3", "Tailspin Toys", "--change"}, []string{"nothing was changed"}},
	} {
		s.wants(s.run(c.code, c.args...), c.wants...)
	}
	if out := s.run(0, "changes", "acme", "--kind", "map", "--search", "c3"); strings.Count(out, "\n") != 2 {
		t.Errorf("what was so already was changed:\n%s", out)
	}
}

func TestWhatWaitsIsListedUntilItIsDecided(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "runs", "list", "--waiting"), "Nothing waits")
	distributor.set("a c1 1", 2500)
	s.run(4, "sync", "acme/rhipe")
	s.run(4, "sync", "acme/rhipe")
	waiting := s.run(0, "runs", "list", "acme", "--waiting")
	s.wants(waiting, "\n3\tacme/rhipe\t", "\theld\t", "1 held")
	if strings.Count(waiting, "\n") != 2 {
		t.Errorf("more waits than run 3:\n%s", waiting)
	}
	s.wants(s.run(0, "runs", "list"), "\theld, decided\t", "\theld\t")
	s.wants(s.run(0, "runs", "show", "2"), "held; what it held: 1 superseded")
	s.wants(s.run(0, "approve", "3"), "1 updated")
	s.wants(s.run(0, "runs", "list", "--waiting"), "Nothing waits")
	s.wants(s.run(0, "runs", "show", "3"), "held; what it held: 1 approved")
	if out := s.run(0, "runs", "list"); strings.Contains(out, "\theld\t") || strings.Contains(out, "listed") || strings.Contains(out, "unchanged") {
		t.Errorf("nothing waits, and what stayed the same is of no interest:\n%s", out)
	}
	var rows []struct {
		ID      int64  `json:"id"`
		Outcome string `json:"outcome"`
		Module  string `json:"module"`
		Waiting *int   `json:"waiting"`
	}
	if err := json.Unmarshal([]byte(s.run(0, "runs", "list", "--outcome", "held", "--json")), &rows); err != nil || len(rows) != 2 ||
		rows[0].Outcome != "held" || rows[0].Module != "acme/rhipe" || rows[0].Waiting == nil || *rows[0].Waiting != 0 {
		t.Errorf("runs list --json: %v %+v", err, rows)
	}
}

func TestMappingsSayWhatFollows(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "mappings", "remove", "acme/rhipe", "c1"),
		"The next sync maps it again if a customer has exactly its name", "mappings add acme/rhipe c1 CUSTOMER --change")
	s.wants(s.run(0, "mappings", "add", "acme/rhipe", "c1", "Fabrikam Pty Ltd", "--change"), `now mapped to "Fabrikam Pty Ltd"`)
}
