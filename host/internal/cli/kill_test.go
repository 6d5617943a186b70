// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// kills is how many runs are killed.
const kills = 50

// TestKilledAtAnyInstant ends the host with SIGKILL at random instants of a run: the database must hold the old state or
// the new one, the next run must converge, and no plugin may be left behind.
func TestKilledAtAnyInstant(t *testing.T) {
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("tallyman.hcl", "runs { lease = \"1s\" }\n"+string(config))
	binary := filepath.Join(t.TempDir(), "tallyman")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/tallyman").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const subscriptions = 60
	setAll := func(quantity int) {
		for n := 1; n <= subscriptions; n++ {
			distributor.set(fmt.Sprintf("a c1 %d", n), quantity)
		}
	}
	setAll(1)
	begin := time.Now()
	s.run(0, "sync", "acme/rhipe")
	usual := time.Since(begin)

	for i := range kills {
		before, after := i+1, i+2
		setAll(after)
		victim := exec.Command(binary, "--config", s.config, "sync", "acme/rhipe")
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
		old, now := s.quantities(before), s.quantities(after)
		if old+now != subscriptions || old != 0 && now != 0 {
			t.Fatalf("kill %d: %d subscriptions have the old quantity and %d the new one, of %d", i, old, now, subscriptions)
		}
		s.converge()
		if n := s.quantities(after); n != subscriptions {
			t.Fatalf("kill %d: after the next run %d of %d subscriptions are right", i, n, subscriptions)
		}
	}
	noPluginLeft(t)
}

// quantities counts customer Contoso's subscriptions of that quantity.
func (s *shell) quantities(quantity int) int {
	s.t.Helper()
	var rows []struct{ Quantity, Customer string }
	if err := json.Unmarshal([]byte(s.run(0, "subscriptions", "list", "acme", "--all", "--json")), &rows); err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row.Customer == "Contoso Pty Ltd" && row.Quantity == fmt.Sprint(quantity) {
			n++
		}
	}
	return n
}

// converge runs until the dead holder's lease is over.
func (s *shell) converge() {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var out strings.Builder
		code := runCLI(&out, "--config", s.config, "sync", "acme/rhipe")
		if code == 0 {
			return
		}
		if !strings.Contains(out.String(), "run.module_busy") || time.Now().After(deadline) {
			s.t.Fatalf("the next run: exit code %d\n%s", code, out.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// noPluginLeft fails if a process of the test's plugin outlives its host. Other systems than Linux are not asked.
func noPluginLeft(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	deadline := time.Now().Add(15 * time.Second)
	for {
		links, err := filepath.Glob("/proc/[0-9]*/exe")
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, link := range links {
			if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, plugins) {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d plugin processes were left behind", left)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
