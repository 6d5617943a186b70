// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// given prepares a folder and gives the options.
		given func(t *testing.T, dir string) Options
		kind  Kind
		says  string
	}{
		"no URL":                       {func(*testing.T, string) Options { return Options{} }, KindURL, "no database is set"},
		"another scheme":               {func(*testing.T, string) Options { return Options{URL: "mysql:x"} }, KindURL, `not with "mysql"`},
		"a path without scheme":        {func(*testing.T, string) Options { return Options{URL: "tallyman.db"} }, KindURL, "starts with sqlite:"},
		"a database in memory":         {func(*testing.T, string) Options { return Options{URL: "sqlite::memory:"} }, KindURL, "name a file"},
		"a host":                       {func(*testing.T, string) Options { return Options{URL: "sqlite://host/db"} }, KindURL, "on this machine"},
		"no file name":                 {func(*testing.T, string) Options { return Options{URL: "sqlite:"} }, KindURL, "names no file"},
		"a folder":                     {func(_ *testing.T, dir string) Options { return Options{URL: "sqlite:" + dir} }, KindNotDatabase, "is a folder"},
		"a folder that does not exist": {func(_ *testing.T, dir string) Options { return Options{URL: "sqlite:" + dir + "/no/t.db"} }, KindNoDirectory, dirName("no")},
		"a file that must be there":    {func(_ *testing.T, dir string) Options { return Options{URL: "sqlite:" + dir + "/t.db", NoCreate: true} }, KindMissing, "there is no database at"},
		"an empty file that must be one": {func(t *testing.T, dir string) Options {
			return Options{URL: "sqlite:" + write(t, dir, nil), NoCreate: true}
		}, KindMissing, "there is no database at"},
		"a file that is something else": {func(t *testing.T, dir string) Options {
			return Options{URL: "sqlite:" + write(t, dir, []byte(strings.Repeat("name,site\nAcme,Main\n", 200)))}
		}, KindNotDatabase, "is not a database"},
		"a database of another program": {func(t *testing.T, dir string) Options {
			return Options{URL: "sqlite:" + rawDatabase(t, dir, "CREATE TABLE albums (id)")}
		}, KindNotDatabase, "another program"},
		"a newer schema": {func(t *testing.T, dir string) Options {
			return Options{URL: "sqlite:" + migrated(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)", "PRAGMA user_version = 99")}
		}, KindNewer, "has schema 99, which needs a tallyman that knows schema 99"},
		"damaged pages": {func(t *testing.T, dir string) Options {
			path := migrated(t, dir, "PRAGMA journal_mode = DELETE")
			damage(t, path, 100, 4000)
			return Options{URL: "sqlite:" + path}
		}, KindCorrupt, "is damaged"},
		"a file that was cut off": {func(t *testing.T, dir string) Options {
			path := migrated(t, dir, "PRAGMA journal_mode = DELETE")
			must(t, os.Truncate(path, 5000))
			return Options{URL: "sqlite:" + path}
		}, KindCorrupt, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), test.given(t, t.TempDir()))
			if err == nil {
				must(t, s.Close())
			}
			told := wantKind(t, err, test.kind)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the message %q does not say %q", err, test.says)
			}
			if strings.Contains(err.Error()+told.Hint()+told.Path, "s3cret") {
				t.Error("the password is told")
			}
			if told.Code() != "database."+string(test.kind) {
				t.Errorf("the code is %q", told.Code())
			}
		})
	}
}

func dirName(name string) string { return string(filepath.Separator) + name + " does not exist" }

func write(t *testing.T, dir string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, "t.db")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// rawDatabase makes a database by statements alone.
func rawDatabase(t *testing.T, dir string, statements ...string) string {
	t.Helper()
	path := filepath.Join(dir, "t.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, db.Close())
	return path
}

// migrated makes a database of ours and runs statements on it.
func migrated(t *testing.T, dir string, statements ...string) string {
	t.Helper()
	path := filepath.Join(dir, "t.db")
	s, err := Open(t.Context(), Options{URL: "sqlite:" + path})
	must(t, err)
	must(t, s.Close())
	return rawDatabase(t, dir, statements...)
}

func damage(t *testing.T, path string, from, to int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = file.WriteAt([]byte(strings.Repeat("\xa5", int(to-from))), from)
	must(t, errors.Join(err, file.Close()))
}

func TestDamageFoundLaterIsSaid(t *testing.T) {
	t.Parallel()
	path := migrated(t, t.TempDir(), "PRAGMA journal_mode = DELETE")
	info, err := os.Stat(path)
	must(t, err)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	var page, size int64
	must(t, db.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_master WHERE name = 'runs'").Scan(&page))
	must(t, db.QueryRowContext(t.Context(), "PRAGMA page_size").Scan(&size))
	must(t, db.Close())
	if page*size > info.Size() {
		t.Fatalf("page %d is outside of the file", page)
	}
	damage(t, path, (page-1)*size, page*size)
	s := openAt(t, Options{URL: "sqlite:" + path})
	_, err = s.Run(t.Context(), 1)
	if told := wantKind(t, err, KindCorrupt); told.Op != "read run 1" || told.Path != path {
		t.Errorf("the error is %+v", told)
	}
}

func TestNewFilesBelongToTheUserAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, Options{URL: "sqlite:a b?#%41.db", BaseDir: dir})
	if want := filepath.Join(dir, "a b?#%41.db"); s.Path() != want {
		t.Errorf("the database is at %q, want %q", s.Path(), want)
	}
	_, err := s.EnsureTenant(t.Context(), "acme", "")
	must(t, err)
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) < 3 {
		t.Errorf("there are %d files", len(files))
	}
	for _, file := range files {
		info, err := file.Info()
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", file.Name(), mode)
		}
		if !strings.HasPrefix(file.Name(), "a b?#%41.db") {
			t.Errorf("there is a file %q", file.Name())
		}
	}
}

func TestAFullDatabaseRollsBackAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *testing.T) func(Options) *Store {
		dir := t.TempDir()
		return func(opts Options) *Store {
			opts.URL, opts.BaseDir = "sqlite:t.db", dir
			return openAt(t, opts)
		}
	})
	ctx := t.Context()
	var pages int
	must(t, w.write.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages))
	_, err := w.write.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages+5))
	must(t, err)
	err = w.Apply(ctx, w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		rows := make([]Change, 5000)
		for i := range rows {
			rows[i] = Change{Entity: "customer", Kind: "create", Status: ChangeApplied, Reason: strings.Repeat("x", 100)}
		}
		return tx.InsertChanges(ctx, rows)
	})
	if told := wantKind(t, err, KindFull); told.Op != "apply changes" || !errors.As(err, new(*Error)) {
		t.Errorf("the error is %+v", told)
	}
	_, err = w.write.ExecContext(ctx, "PRAGMA max_page_count = 1000000")
	must(t, err)
	if list, err := w.Changes(ctx, ChangeFilter{}); err != nil || len(list) != 0 {
		t.Errorf("%d changes are left (%v)", len(list), err)
	}
	w.customers(t, "A")
}

func TestWhatEveryRunReadsIsInIndexes(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{URL: "sqlite:t.db", BaseDir: t.TempDir()})
	for query, want := range map[string]string{
		strings.ReplaceAll(indexScan, "?", "1"): "SEARCH distributor_subscriptions USING COVERING INDEX distributor_subscriptions_scan (module_id=?)",
		s.countIndex(1).String():                "SEARCH distributor_subscriptions USING COVERING INDEX",
		s.countActive(1).String():               "SEARCH subscriptions USING COVERING INDEX subscriptions_active (module_id=?)",
	} {
		var id, parent, unused int
		var plan string
		must(t, s.read.DB.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+query).Scan(&id, &parent, &unused, &plan))
		if !strings.HasPrefix(plan, want) {
			t.Errorf("the plan of %s is %q, want %q", query, plan, want)
		}
	}
}

func TestWaitingForAMigrationIsSaidAndEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	lock := flock.New(path + ".lock")
	locked, err := lock.TryLock()
	if err != nil || !locked {
		t.Fatalf("lock: %v %v", locked, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, Options{URL: "sqlite:" + path})
	if told := wantKind(t, err, KindLocked); !strings.Contains(told.Message, path+".lock") {
		t.Errorf("the error is %+v", told)
	}
	must(t, lock.Close())
	openAt(t, Options{URL: "sqlite:" + path})
}

func TestAFileThatIsMovedOrReplacedIsWrittenNoMore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tallyman.db")
	s := openAt(t, Options{URL: "sqlite:" + path})
	_, err := s.EnsureTenant(t.Context(), "acme", "")
	must(t, err)
	wants := func(text string) {
		t.Helper()
		_, err := s.EnsureTenant(t.Context(), "another", "")
		for _, err := range []error{err, s.Answers(t.Context())} {
			var problem *Error
			if !errors.As(err, &problem) || !strings.Contains(problem.Message, text) || !strings.Contains(problem.Next, "start this program again") {
				t.Errorf("the error is %v, want %q", err, text)
			}
		}
	}
	must(t, os.Rename(path, path+".away"))
	wants("was moved away or removed")
	must(t, os.WriteFile(path, nil, 0o600))
	wants("was replaced")
	must(t, os.Rename(path+".away", path))
	_, err = s.EnsureTenant(t.Context(), "another", "")
	must(t, err)
	must(t, s.Answers(t.Context()))
}

func TestWhatIsNoURLIsNotShown(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"host=127.0.0.1 password=s3cret dbname=t":  "and this one does not",
		"host=127.0.0.1 password=s3:cret dbname=t": "and this one does not",
		"mysql://kim:s3cret@db.example/t":          `not with "mysql"`,
	} {
		_, err := Open(t.Context(), Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}
