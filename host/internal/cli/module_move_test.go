// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// newMover gives a shell with two modules of tenant acme, old and new, at two distributors.
func newMover(t *testing.T) (s *shell, here, there *prism) {
	t.Helper()
	here, hereURL := newPrism(t)
	there, thereURL := newPrism(t)
	s = newShell(t, hereURL, clientSecret)
	var modules strings.Builder
	for name, url := range map[string]string{"old": hereURL, "new": thereURL} {
		fmt.Fprintf(&modules, `
  module %q {
    plugin = "rhipe"
    settings {
      client_id     = %q
      client_secret = file("secret")
      api_base_url  = %q
      token_url     = "%s/core/connect/token"
    }
    customers { unmatched = "create" }
    subscriptions { deactivate_missing = true }
  }
`, name, clientID, url, url)
	}
	s.write("tallyman.hcl", fmt.Sprintf("runs { lease = \"1s\" }\nplugins { directory = %q }\ntenant \"acme\" {\n%s}\n", plugins, modules.String()))
	return s, here, there
}

// held is a subscription as it is listed.
type held struct {
	ID                          int64
	Module, Customer, Ref, Name string
}

func (s *shell) holds() map[int64]held {
	s.t.Helper()
	var rows []held
	if err := json.Unmarshal([]byte(s.run(0, "subscriptions", "list", "acme", "--all", "--json")), &rows); err != nil {
		s.t.Fatal(err)
	}
	byID := map[int64]held{}
	for _, row := range rows {
		byID[row.ID] = row
	}
	return byID
}

func TestMovingToAnotherDistributor(t *testing.T) {
	t.Parallel()
	s, _, there := newMover(t)
	there.mu.Lock()
	there.names["c2"] = "Somebody Else"
	there.quantity["a c1 1"] = 26
	delete(there.quantity, "a c1 2")
	there.mu.Unlock()
	s.run(0, "sync", "acme/old")
	before := s.holds()

	shown := s.run(4, "module", "move", "acme/old", "acme/new")
	s.wants(shown, "mapping map", "subscription carry", "from old to new", "plan of a move from acme/old: changes pending",
		"2 to map", "2 to carry over, 2 staying", `"tallyman module move acme/old acme/new --apply" carries over what is shown`,
		"stays at acme/old", "is new at acme/new", "Before the next sync of acme/new", "will make new subscriptions beside them", "--same FROM-ID=TO-ID")
	var plan struct {
		Report  struct{ From, Outcome string }
		Changes []struct{ Kind, Reason string }
	}
	if err := json.Unmarshal([]byte(s.run(4, "module", "move", "acme/old", "acme/new", "--json")), &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Report.From != "acme/old" || len(plan.Changes) != 4 || plan.Changes[2].Kind != "carry" || plan.Changes[2].Reason == "" {
		t.Errorf("the plan in JSON is %+v", plan)
	}
	if now := s.holds(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("what was only shown was done: %v", now)
	}

	out := s.run(0, "module", "move", "acme/old", "acme/new", "--apply")
	s.wants(out, "move from acme/old: succeeded", "2 mapped", "2 carried over, 2 staying")
	s.wants(s.run(0, "runs", "list", "acme/new"), "move", "succeeded", "2 carried over")
	s.wants(s.run(0, "changes", "acme", "--kind", "carry"), "from old to new; it has exactly the same name")
	moved := 0
	for id, now := range s.holds() {
		was := before[id]
		if now.Customer != was.Customer || now.Name != was.Name {
			t.Errorf("#%d was %+v and is %+v", id, was, now)
		}
		if now.Module == "new" {
			moved++
		}
	}
	if moved != 2 {
		t.Errorf("%d subscriptions are those of the new module, want 2", moved)
	}

	s.wants(s.run(0, "module", "move", "acme/old", "acme/new", "--apply"), "no change",
		"Nothing is carried over: nothing at acme/new is the same as what acme/old has")
	s.wants(s.run(0, "plan", "acme/old"), "no change", "2 carried over before")
	s.wants(s.run(4, "plan", "acme/new"), "quantity: 25 -> 26", "Somebody Else", "1 to create, 1 to update")
	s.run(0, "sync", "acme")
	s.wants(s.run(0, "plan", "acme/new"), "no change")
	s.wants(s.run(0, "plan", "acme/old"), "no change")
	if out := s.run(0, "module", "move", "acme/old", "acme/new"); strings.Contains(out, "is new at") {
		t.Errorf("what has a record of its own is called new:\n%s", out)
	}
}

func TestAMoveThatIsAmbiguousIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	s, here, there := newMover(t)
	here.mu.Lock()
	here.names["c2"], here.names["c3"] = "Old name", "Contoso Pty Ltd"
	here.mu.Unlock()
	there.mu.Lock()
	there.names["c2"] = "New name"
	there.mu.Unlock()
	s.run(0, "sync", "acme/old")
	s.run(0, "customers", "list", "acme")
	s.wants(s.run(4, "module", "move", "acme/old", "acme/new"), `Left to you: subscription "Product 1"`, "--same", "can be decided then")
	s.wants(s.run(0, "module", "move", "acme/old", "acme/new", "--apply"), "warning", "1 carried over", "1 left to you")
	s.wants(s.run(0, "mappings", "add", "acme/new", "c2", "Old name"), "now mapped")
	s.wants(s.run(0, "module", "move", "acme/old", "acme/new", "--apply", "--same", "s-c1-1=s-c1-1"), "2 carried over")
	s.wants(s.run(0, "plan", "acme/old"), "no change")
	s.wants(s.run(1, "module", "move", "acme/old", "acme/new", "--same", "s-c1-1=s-c1-1"), "move.decision")
}

// TestAnErrorOfOneOfSeveralModulesNamesIt: whoever reads it must not have to guess which one it was.
func TestAnErrorOfOneOfSeveralModulesNamesIt(t *testing.T) {
	t.Parallel()
	s, _, _ := newMover(t)
	const settings = "tenant.acme.module.new.settings."
	wrong := []string{"--set", settings + "token_url=http://127.0.0.1:1/", "--set", settings + "max_attempts=1"}
	s.wants(s.run(3, append(wrong, "sync", "acme")...), "Error: acme/new: ", "acme/old  run")
	if out := s.run(3, append(wrong, "sync", "acme/new")...); strings.Contains(out, "Error: acme/new: ") {
		t.Errorf("what was named by the person is named again:\n%s", out)
	}
}

func TestAMoveThatIsCalledWrongly(t *testing.T) {
	t.Parallel()
	s, _, _ := newMover(t)
	s.wants(s.run(1, "module", "move", "acme/old", "acme/new"), `module acme/old in the database`)
	for _, args := range [][]string{
		{"acme/old"},
		{"acme/old", "acme/old"},
		{"acme/old", "globex/new"},
		{"acme/old", "acme/nothing"},
		{"acme", "acme/new"},
		{"acme/old", "acme/new", "--same", "x"},
		{"acme/old", "acme/new", "--same", "=x"},
	} {
		s.run(2, append([]string{"module", "move"}, args...)...)
	}
}

// TestAMoveKilledAtAnyInstant moves to and fro and ends the host with SIGKILL at random instants: either all is carried
// over or nothing, no id changes, and the next move does the rest.
func TestAMoveKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	s, here, there := newMover(t)
	for n := 1; n <= 60; n++ {
		here.set(fmt.Sprintf("a c1 %d", n), n)
		there.set(fmt.Sprintf("a c1 %d", n), n)
	}
	binary := filepath.Join(t.TempDir(), "tallyman")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/tallyman").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s.run(0, "sync", "acme/old")
	before := s.holds()
	begin := time.Now()
	s.run(4, "module", "move", "acme/old", "acme/new")
	usual := time.Since(begin)
	for i := range 12 {
		from, to := "old", "new"
		if i%2 == 1 {
			from, to = to, from
		}
		args := []string{"--config", s.config, "module", "move", "acme/" + from, "acme/" + to, "--apply"}
		victim := exec.Command(binary, args...)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = victim.Wait()
		}()
		select {
		case <-ended:
		case <-time.After(rand.N(usual + usual/2)):
			_ = victim.Process.Kill()
			<-ended
		}
		if n := s.with(to, before); n != 0 && n != len(before) {
			t.Fatalf("kill %d: %d of %d subscriptions are with the module they go to", i, n, len(before))
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			var out strings.Builder
			code := runCLI(&out, args...)
			if code == 0 {
				break
			}
			if !strings.Contains(out.String(), "run.module_busy") || time.Now().After(deadline) {
				t.Fatalf("the next move: exit code %d\n%s", code, out.String())
			}
		}
		if n := s.with(to, before); n != len(before) {
			t.Fatalf("kill %d: after the next move %d of %d subscriptions are there", i, n, len(before))
		}
	}
}

// with counts the subscriptions of a module, and checks that they are those that there were before.
func (s *shell) with(module string, before map[int64]held) int {
	s.t.Helper()
	now := s.holds()
	n := 0
	for id, was := range before {
		row, there := now[id]
		if !there || row.Customer != was.Customer || row.Name != was.Name || len(now) != len(before) {
			s.t.Fatalf("#%d was %+v and is %+v, one of %d", id, was, row, len(now))
		}
		if row.Module == module {
			n++
		}
	}
	return n
}
