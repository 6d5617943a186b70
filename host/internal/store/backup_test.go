// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// onFile is a world on a SQLite file, and the options that open it.
func onFile(t *testing.T) (*world, Options) {
	t.Helper()
	opts := Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "t.db")}
	w := newWorld(t, func(t *testing.T) func(Options) *Store {
		return func(Options) *Store {
			s, err := Open(t.Context(), opts)
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			return s
		}
	})
	return w, opts
}

// names gives the customers of a database.
func names(t *testing.T, s *Store) string {
	t.Helper()
	rows, err := s.CustomerRows(t.Context(), CustomerFilter{})
	must(t, err)
	var list []string
	for _, row := range rows {
		list = append(list, row.Name)
	}
	return strings.Join(list, " ")
}

func namesIn(t *testing.T, path string) string {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: "sqlite:" + path, NoCreate: true})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	return names(t, s)
}

func (w *world) free(t *testing.T) {
	t.Helper()
	must(t, w.ReleaseLease(t.Context(), w.module.ID, "me"))
}

func TestABackupHasTheStateOfOneInstantWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w, _ := onFile(t)
	ctx := t.Context()
	w.customers(t, "a", "b")
	path := filepath.Join(t.TempDir(), "b.db")
	must(t, w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		rows := []Customer{{Name: "c", Active: true}}
		if err := tx.InsertCustomers(ctx, rows); err != nil {
			return err
		}
		size, err := w.Backup(ctx, path, false)
		if info, statErr := os.Stat(path); statErr != nil || info.Size() != size || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("a backup of %d bytes: %v (%v)", size, info, statErr)
		}
		return err
	}))
	if got := namesIn(t, path); got != "a b" {
		t.Errorf("customers in the backup: %q", got)
	}
	if got := names(t, w.Store); got != "a b c" {
		t.Errorf("customers in the database: %q", got)
	}
	backup, err := Open(ctx, Options{URL: "sqlite:" + path})
	must(t, err)
	leases, err := backup.Leases(ctx, 0)
	must(t, errors.Join(err, backup.Close()))
	if len(leases) != 0 {
		t.Errorf("somebody holds a lease in the backup: %+v", leases)
	}
}

func TestABackupReplacesAFileOnlyWhenToldTo(t *testing.T) {
	t.Parallel()
	w, _ := onFile(t)
	ctx := t.Context()
	w.customers(t, "a")
	dir := t.TempDir()
	path := filepath.Join(dir, "b.db")
	must(t, os.WriteFile(path, []byte("mine"), 0o600))
	var conflict *ConflictError
	if _, err := w.Backup(ctx, path, false); !errors.As(err, &conflict) || !strings.Contains(conflict.Next, "--force") {
		t.Errorf("a file that is there gave %v", err)
	}
	if _, err := w.Backup(ctx, w.Path(), true); !errors.As(err, &conflict) {
		t.Errorf("the database itself gave %v", err)
	}
	if _, err := w.Backup(ctx, dir, true); !errors.As(err, &conflict) {
		t.Errorf("a folder gave %v", err)
	}
	wantKind(t, func() error { _, err := w.Backup(ctx, filepath.Join(dir, "no", "b.db"), false); return err }(), KindIO)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Backup(cancelled, path, true); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that was cancelled gave %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("after all that, the file holds %q (%v)", b, err)
	}
	_, err := w.Backup(ctx, path, true)
	must(t, err)
	if got := namesIn(t, path); got != "a" {
		t.Errorf("customers in the backup: %q", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".tallyman-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestWhatAKilledBackupLeftIsRemovedByALaterOne(t *testing.T) {
	t.Parallel()
	w, _ := onFile(t)
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".tallyman-backup-1": 25 * time.Hour, ".tallyman-backup-1-wal": 25 * time.Hour, ".tallyman-backup-2": time.Hour, "mine.db": 1000 * time.Hour,
	} {
		path, at := filepath.Join(dir, name), time.Now().Add(-age)
		must(t, os.WriteFile(path, []byte("customers"), 0o600))
		must(t, os.Chtimes(path, at, at))
	}
	_, err := w.Backup(t.Context(), filepath.Join(dir, "new.db"), false)
	must(t, err)
	entries, err := os.ReadDir(dir)
	must(t, err)
	if got := fmt.Sprint(entries); got != "[- .tallyman-backup-2 - mine.db - new.db]" {
		t.Errorf("afterwards there are %s", got)
	}
}

func TestARestoredDatabaseIsWhatItWas(t *testing.T) {
	t.Parallel()
	w, opts := onFile(t)
	ctx := t.Context()
	before := w.customers(t, "a", "b")
	path := filepath.Join(t.TempDir(), "b.db")
	_, err := w.Backup(ctx, path, false)
	must(t, err)
	w.customers(t, "c")

	var conflict *ConflictError
	if _, _, err := Restore(ctx, opts, path, false); !errors.As(err, &conflict) || !strings.Contains(conflict.Next, "--force") {
		t.Errorf("a database that is there gave %v", err)
	}
	if _, _, err := Restore(ctx, opts, path, true); !errors.As(err, &conflict) || !strings.Contains(conflict.Message, "me runs a module") {
		t.Errorf("a module that is being run gave %v", err)
	}
	if _, _, err := Restore(ctx, opts, w.Path(), true); !errors.As(err, &conflict) {
		t.Errorf("the database itself gave %v", err)
	}
	if got := names(t, w.Store); got != "a b c" {
		t.Errorf("after three refusals: %q", got)
	}
	w.free(t)
	pending, aside, err := Restore(ctx, opts, path, true)
	if err != nil || pending != 0 || aside != "" {
		t.Fatalf("restore: %d pending, %q, %v", pending, aside, err)
	}
	// Whoever had it open goes on with what it is now.
	if got := names(t, w.Store); got != "a b" {
		t.Errorf("after the restore: %q", got)
	}
	_, err = w.AcquireLease(ctx, w.module, "me", "sync", time.Minute)
	must(t, err)
	if now := w.customers(t, "d"); now[0].ID <= before[1].ID {
		t.Errorf("id %d was used before", now[0].ID)
	}
	if got := namesIn(t, w.Path()); got != "a b d" {
		t.Errorf("another program reads %q", got)
	}
	if got := namesIn(t, path); got != "a b" {
		t.Errorf("the backup was changed: %q", got)
	}
}

func TestARestoreWorksWhereThereIsNoDatabaseOrADamagedOne(t *testing.T) {
	t.Parallel()
	w, _ := onFile(t)
	ctx := t.Context()
	w.customers(t, "a")
	path := filepath.Join(t.TempDir(), "b.db")
	_, err := w.Backup(ctx, path, false)
	must(t, err)

	dir := t.TempDir()
	opts := Options{URL: "sqlite:" + filepath.Join(dir, "t.db")}
	_, _, err = Restore(ctx, opts, path, false)
	must(t, err)
	if got := namesIn(t, filepath.Join(dir, "t.db")); got != "a" {
		t.Errorf("where there was none: %q", got)
	}

	damage(t, filepath.Join(dir, "t.db"), 0, 8192)
	must(t, os.RemoveAll(filepath.Join(dir, "t.db-wal")))
	var conflict *ConflictError
	if _, _, err = Restore(ctx, opts, path, false); !errors.As(err, &conflict) {
		t.Errorf("a damaged database gave %v", err)
	}
	_, aside, err := Restore(ctx, opts, path, true)
	must(t, err)
	if _, statErr := os.Stat(aside); aside == "" || statErr != nil {
		t.Errorf("the damaged database was moved to %q (%v)", aside, statErr)
	}
	if got := namesIn(t, filepath.Join(dir, "t.db")); got != "a" {
		t.Errorf("where there was a damaged one: %q", got)
	}
}

func TestWhatIsNoBackupIsNotRestored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given func(t *testing.T, dir string) string
		kind  Kind
	}{
		"a file of something else": {func(t *testing.T, dir string) string { return write(t, dir, []byte(strings.Repeat("x", 5000))) }, KindNotDatabase},
		"an empty file":            {func(t *testing.T, dir string) string { return write(t, dir, nil) }, KindMissing},
		"another program's":        {func(t *testing.T, dir string) string { return rawDatabase(t, dir, "CREATE TABLE albums (id)") }, KindNotDatabase},
		"a newer program's": {func(t *testing.T, dir string) string {
			return migrated(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)", "PRAGMA user_version = 99")
		}, KindNewer},
		"a damaged one": {func(t *testing.T, dir string) string {
			path := migrated(t, dir, "PRAGMA journal_mode = DELETE")
			damage(t, path, 5*4096, 60*4096)
			return path
		}, KindCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, opts := onFile(t)
			w.customers(t, "a")
			w.free(t)
			_, _, err := Restore(t.Context(), opts, test.given(t, t.TempDir()), true)
			wantKind(t, err, test.kind)
			if got := names(t, w.Store); got != "a" {
				t.Errorf("after the refusal: %q", got)
			}
		})
	}
	w, opts := onFile(t)
	w.free(t)
	if _, _, err := Restore(t.Context(), opts, "no-such-file", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("a file that is not there gave %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Restore(cancelled, opts, w.Path(), true); err == nil {
		t.Error("a restore that was cancelled gave no error")
	}
}

func TestAnOlderBackupSaysThatItNeedsMigrations(t *testing.T) {
	t.Parallel()
	old := migrated(t, t.TempDir(), "DELETE FROM goose_db_version WHERE version_id > 1", "ALTER TABLE distributor_subscriptions RENAME COLUMN carried_as TO other")
	opts := Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "t.db")}
	files, err := os.ReadDir("migrations/sqlite")
	must(t, err)
	pending, _, err := Restore(t.Context(), opts, old, false)
	if err != nil || pending != len(files)-1 {
		t.Errorf("%d pending (%v)", pending, err)
	}
	_, err = Open(t.Context(), opts)
	wantKind(t, err, KindOlder)
}
