// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// gate is a distributor that can be made to wait in the middle of a listing.
type gate struct {
	*prism
	// arrived tells that a listing waits; it goes on once opened can be received from.
	arrived chan struct{}
	opened  chan struct{}
}

func newGate(t *testing.T) (*gate, string) {
	t.Helper()
	distributor, _ := newPrism(t)
	g := &gate{prism: distributor}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		arrived, opened := g.arrived, g.opened
		g.mu.Unlock()
		if arrived != nil && strings.Contains(r.URL.Path, "/tenants") {
			select {
			case arrived <- struct{}{}:
			default:
			}
			<-opened
		}
		distributor.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return g, server.URL
}

// shut makes listings wait, and gives a function that waits for the first of them and one that lets all go on.
func (g *gate) shut() (wait, open func()) {
	arrived, opened := make(chan struct{}, 1), make(chan struct{})
	g.mu.Lock()
	g.arrived, g.opened = arrived, opened
	g.mu.Unlock()
	return func() { <-arrived }, func() {
		g.mu.Lock()
		g.arrived = nil
		g.mu.Unlock()
		close(opened)
	}
}

func TestABackupMadeDuringASyncIsRestoredAndSynced(t *testing.T) {
	t.Parallel()
	distributor, url := newGate(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	before := s.run(0, "subscriptions", "list", "acme", "--all", "--json")
	distributor.set("a c1 1", 27)
	distributor.set("a c2 2", 4)

	wait, open := distributor.shut()
	code := make(chan int)
	var out strings.Builder
	go func() { code <- runCLI(&out, "--config", s.config, "sync", "acme/rhipe") }()
	wait()
	file := filepath.Join(s.dir, "backup.db")
	s.wants(s.run(0, "db", "backup", file), "is backed up in", "KiB")
	s.wants(s.run(1, "db", "backup", file), "is there already", "--force")
	s.wants(s.run(1, "db", "restore", file, "--force"), "is being used", "runs a module")
	open()
	if got := <-code; got != 0 {
		t.Fatalf("the sync during the backup: exit code %d\n%s", got, out.String())
	}
	after := s.run(0, "subscriptions", "list", "acme", "--all", "--json")
	if after == before {
		t.Fatal("the sync during the backup changed nothing")
	}

	s.wants(s.run(1, "db", "restore", file), "there is a database at", "--force")
	s.sql("INSERT INTO hosts (name, version, started_at, seen_at) VALUES ('there', '1', datetime('now') || '+00:00', datetime('now') || '+00:00')")
	s.wants(s.run(1, "db", "restore", file, "--force"), "is being used: tallyman serve runs (there, seen at ", "End it")
	s.sql("DELETE FROM hosts")
	s.wants(s.run(0, "db", "restore", file, "--force"), "is restored.")
	if got := s.run(0, "subscriptions", "list", "acme", "--all", "--json"); got != before {
		t.Errorf("restored, there is\n%s\nand there was\n%s", got, before)
	}
	s.wants(s.run(0, "doctor"), "All is in order.")
	// The run that was under way is in the backup, and never ended there.
	s.wants(s.run(0, "runs", "list"), "2\tacme/rhipe\tsync\t", "\trunning\t")
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 created", "1 updated")
	s.wants(s.run(0, "runs", "show", "2"), "run.abandoned")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-1"), "\t27\t")
}

func TestADatabaseMovesToAnotherFolderByBackup(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.wants(s.run(1, "db", "backup", filepath.Join(s.dir, "b.db")), "there is no database")
	s.run(0, "sync", "acme/rhipe")
	file := filepath.Join(s.dir, "b.db")
	s.wants(s.run(0, "db", "backup", file, "--json"), `"bytes": `)
	there := filepath.Join(t.TempDir(), "t.db")
	s.wants(s.run(0, "db", "restore", file, "--set", "database.url=sqlite:"+there), "is restored.")
	s.wants(s.run(0, "sync", "acme/rhipe", "--set", "database.url=sqlite:"+there), "no change", "4 unchanged")
	for _, path := range []string{file, there} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v (%v)", path, info.Mode(), err)
		}
	}
	s.wants(s.run(1, "db", "restore", filepath.Join(s.dir, "none.db"), "--force"), "there is no file", "tallyman db backup wrote")
}
