// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"

	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

// onBoth runs a test on a new database of each kind. url gives the URL of another one with each call.
func onBoth(t *testing.T, test func(t *testing.T, url func(*testing.T) string)) {
	t.Helper()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "t.db") },
		"postgres": func(t *testing.T) string { return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url)
		})
	}
}

func TestOneDatabaseIsCreatedOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		t.Run("by several goroutines", func(t *testing.T) {
			url := newURL(t)
			var wait sync.WaitGroup
			for range 8 {
				wait.Go(func() {
					s, err := Open(t.Context(), Options{URL: url})
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := s.EnsureTenant(t.Context(), "acme", "Acme"); err != nil {
						t.Error(err)
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
		})
		t.Run("by several processes", func(t *testing.T) {
			url := newURL(t)
			var ends []func() error
			for range 4 {
				ends = append(ends, startHelper(t, "open", url))
			}
			for _, end := range ends {
				must(t, end())
			}
			s := openAt(t, Options{URL: url, NoCreate: true})
			status, err := s.Status(t.Context())
			must(t, err)
			for _, m := range status {
				if m.AppliedAt == nil {
					t.Errorf("%+v is pending", m)
				}
			}
		})
	})
}

func TestTwoProcessesWriteAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		url := newURL(t)
		one, two := startHelper(t, "write", url), startHelper(t, "write", url)
		must(t, errors.Join(one(), two()))
		list, err := openAt(t, Options{URL: url}).CustomerRows(t.Context(), CustomerFilter{})
		must(t, err)
		if len(list) != 100 {
			t.Errorf("%d customers of 100", len(list))
		}
	})
}

func TestMigratingIsDoneOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		s := openAt(t, Options{URL: newURL(t), ForMigration: true})
		before, err := s.Status(t.Context())
		must(t, err)
		first, err := s.Migrate(t.Context())
		must(t, err)
		again, err := s.Migrate(t.Context())
		must(t, err)
		after, err := s.Status(t.Context())
		must(t, err)
		if len(before) == 0 || before[0].AppliedAt != nil || len(first) != len(before) || len(again) != 0 || after[0].AppliedAt == nil {
			t.Errorf("before %+v, applied %+v, then %+v, after %+v", before, first, again, after)
		}
		if after[0].Version != 1 || after[0].Name != "00001_first.sql" {
			t.Errorf("the first migration is %+v", after[0])
		}
	})
}

// edition is a dialect as another edition of the program would have it.
type edition struct {
	dialect
	files fs.FS
}

func (e edition) migrations() (fs.FS, database.Dialect) {
	_, name := e.dialect.migrations()
	return e.files, name
}

func TestAnOlderSchemaWaitsForAPerson(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		url := newURL(t)
		openAt(t, Options{URL: url})
		s := openAt(t, Options{URL: url, ForMigration: true})
		files, _ := s.dialect.migrations()
		later := filepath.Join(t.TempDir(), "later")
		must(t, os.CopyFS(later, files))
		known, err := os.ReadDir(later)
		must(t, err)
		newest := len(known)
		name := fmt.Sprintf("%05d_more.sql", newest+1)
		write := func(text string) { must(t, os.WriteFile(filepath.Join(later, name), []byte(text), 0o600)) }
		write("-- +goose Up\nCREATE TABLE more (id INTEGER);\nCREATE TABLE more (id INTEGER);\n")

		s.dialect = edition{s.dialect, os.DirFS(later)}
		err = s.fail(t.Context(), "open database", s.checkSchema(t.Context(), false))
		older := fmt.Sprintf("has schema %d, this tallyman needs %d", newest, newest+1)
		if told := wantKind(t, err, KindOlder); !strings.Contains(told.Message, older) || !strings.Contains(told.Next, "tallyman db migrate") {
			t.Errorf("the error is %+v", told)
		}

		_, err = s.Migrate(t.Context())
		if told := wantKind(t, err, KindMigration); !strings.Contains(told.Message, name) {
			t.Errorf("the error is %+v", told)
		}
		status, err := s.Status(t.Context())
		must(t, err)
		if len(status) != newest+1 || status[newest-1].AppliedAt == nil || status[newest].AppliedAt != nil {
			t.Errorf("after a migration that failed: %+v", status)
		}
		write("-- +goose Up\nCREATE TABLE more (id INTEGER);\n")
		done, err := s.Migrate(t.Context())
		must(t, err)
		if len(done) != 1 || done[0].Version != int64(newest)+1 {
			t.Errorf("the second try applied %+v", done)
		}
		// Programs that do not know it go on: it only adds.
		old := openAt(t, Options{URL: url})
		_, err = old.EnsureTenant(t.Context(), "acme", "")
		must(t, err)
		done, err = old.Migrate(t.Context())
		must(t, err)
		status, err = old.Status(t.Context())
		must(t, err)
		if len(done) != 0 || len(status) != newest+1 || status[newest].Name != "of a newer tallyman" || status[newest].AppliedAt == nil {
			t.Errorf("an older program migrated %v and sees %+v", done, status)
		}

		// One that says that they cannot live with it ends what they do.
		name = fmt.Sprintf("%05d_others.sql", newest+2)
		write("-- +goose Up\nALTER TABLE tenants ADD COLUMN needed TEXT NOT NULL DEFAULT '';\n" + needs(s, newest+2))
		_, err = s.Migrate(t.Context())
		must(t, err)
		newer := fmt.Sprintf("has schema %[1]d, which needs a tallyman that knows schema %[1]d; this one knows up to %[2]d", newest+2, newest)
		_, err = old.EnsureTenant(t.Context(), "other", "")
		if told := wantKind(t, err, KindNewer); !strings.Contains(told.Message, newer) || !strings.Contains(told.Next, "Upgrade tallyman") {
			t.Errorf("the error is %+v", told)
		}
		wantKind(t, old.Fits(t.Context()), KindNewer)
		_, err = Open(t.Context(), Options{URL: url})
		wantKind(t, err, KindNewer)
		_, err = openAt(t, Options{URL: url, ForMigration: true}).Migrate(t.Context())
		wantKind(t, err, KindNewer)
		if tenants, err := old.Tenants(t.Context()); err != nil || len(tenants) != 1 {
			t.Errorf("tenants %+v (%v)", tenants, err)
		}
	})
}

// needs is the statement by which a migration says that older programs cannot live with it.
func needs(s *Store, version int) string {
	if _, is := s.dialect.(edition).dialect.(*postgres); is {
		return fmt.Sprintf("COMMENT ON TABLE goose_db_version IS 'needs schema %d';\n", version)
	}
	return fmt.Sprintf("PRAGMA user_version = %d;\n", version)
}

// TestAMigrationWaitsForThoseWhoWrite: what an older program began to write it ends before the schema is another.
func TestAMigrationWaitsForThoseWhoWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		url := newURL(t)
		old := openAt(t, Options{URL: url})
		said := make(chan struct{})
		var once sync.Once
		log := hclog.New(&hclog.LoggerOptions{Output: writes(func(line string) {
			if strings.Contains(line, "waiting for that") {
				once.Do(func() { close(said) })
			}
		})})
		s := openAt(t, Options{URL: url, ForMigration: true, Log: log})
		files, _ := s.dialect.migrations()
		later := filepath.Join(t.TempDir(), "later")
		must(t, os.CopyFS(later, files))
		known, err := os.ReadDir(later)
		must(t, err)
		version := len(known) + 1
		_, onServer := s.dialect.(*postgres)
		s.dialect = edition{s.dialect, os.DirFS(later)}
		must(t, os.WriteFile(filepath.Join(later, fmt.Sprintf("%05d_more.sql", version)), []byte("-- +goose Up\n"+needs(s, version)), 0o600))
		migrated := make(chan error, 1)
		must(t, old.change(t.Context(), "write", func(ctx context.Context, tx bun.Tx) error {
			go func() {
				_, err := s.Migrate(context.WithoutCancel(ctx))
				migrated <- err
			}()
			if onServer {
				<-said // on SQLite the write itself waits
			}
			if err := old.Fits(ctx); err != nil {
				return err
			}
			_, err := tx.NewInsert().Model(&Tenant{Name: "acme", CreatedAt: old.now()}).ExcludeColumn("id").Exec(ctx)
			return err
		}))
		must(t, <-migrated)
		_, err = old.EnsureTenant(t.Context(), "other", "")
		wantKind(t, err, KindNewer)
	})
}

type writes func(string)

func (w writes) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// TestAMigrationThatTakesSomethingAwaySaysSo: hosts of the version before go on while a database is migrated, unless the
// migration says that they cannot live with it.
func TestAMigrationThatTakesSomethingAwaySaysSo(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{URL: "sqlite:t.db", BaseDir: t.TempDir(), ForMigration: true})
	provider, err := s.provider()
	must(t, err)
	type shape struct {
		Name, Type string
		Required   bool
	}
	before := map[string]shape{}
	for _, source := range provider.ListSources() {
		_, err := provider.UpTo(t.Context(), source.Version)
		must(t, err)
		var columns []shape
		must(t, s.read.NewRaw(`SELECT t.name || '.' || c.name AS name, c.type, c."notnull" AND c.dflt_value IS NULL AND NOT c.pk AS required
			FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
			WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\'`).Scan(t.Context(), &columns))
		state, err := s.dialect.state(t.Context(), s.read.DB)
		must(t, err)
		after, tables := map[string]shape{}, map[string]bool{}
		for name := range before {
			table, _, _ := strings.Cut(name, ".")
			tables[table] = true
		}
		var broken []string
		for _, c := range columns {
			after[c.Name] = c
			table, _, _ := strings.Cut(c.Name, ".")
			if _, known := before[c.Name]; !known && tables[table] && c.Required {
				broken = append(broken, c.Name+" has to be written")
			}
		}
		for name, c := range before {
			if after[name] != c {
				broken = append(broken, name+" is not what it was")
			}
		}
		if len(broken) > 0 && state.floor < source.Version {
			t.Errorf("%s: older programs cannot live with it: %v; let it say so, as .github/CONTRIBUTING.md tells", source.Path, broken)
		}
		before = after
	}
}

// column is what has to be the same in every dialect.
type column struct {
	Name, Type string
	NotNull    bool
}

// TestTheDialectsHaveOneSchema compares the tables, columns and migrations of both.
func TestTheDialectsHaveOneSchema(t *testing.T) {
	t.Parallel()
	lite, pg := openAt(t, Options{URL: "sqlite:t.db", BaseDir: t.TempDir()}), openAt(t, Options{URL: pgtest.URL(t)})
	names := func(s *Store) (list []string) {
		rows, err := s.Status(t.Context())
		must(t, err)
		for _, m := range rows {
			list = append(list, m.Name)
		}
		return list
	}
	if diff := cmp.Diff(names(lite), names(pg)); diff != "" {
		t.Fatalf("a migration belongs into both migrations/sqlite and migrations/postgres (-sqlite +postgres):\n%s", diff)
	}

	read := func(s *Store, query string) map[string][]column {
		tables := map[string][]column{}
		rows, err := s.read.QueryContext(t.Context(), query)
		must(t, err)
		defer func() { must(t, rows.Close()) }()
		for rows.Next() {
			var table string
			var c column
			must(t, rows.Scan(&table, &c.Name, &c.Type, &c.NotNull))
			tables[table] = append(tables[table], c)
		}
		must(t, rows.Err())
		return tables
	}
	inLite := read(lite, `SELECT t.name, c.name, CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'TIMESTAMP' THEN 'timestamp with time zone'
			ELSE lower(c.type) END, c."notnull" OR c.pk
		FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name <> 'goose_db_version' ORDER BY t.name, c.cid`)
	inPostgres := read(pg, `SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name <> 'goose_db_version' ORDER BY table_name, ordinal_position`)
	if diff := cmp.Diff(inLite, inPostgres); diff != "" {
		t.Errorf("the tables differ (-sqlite +postgres):\n%s", diff)
	}

	// In any other order a search by range would find something else, and an upgrade of the system could break an index.
	var sorted []string
	must(t, pg.read.NewSelect().TableExpr("information_schema.columns").ColumnExpr("table_name || '.' || column_name").
		Where("table_schema = current_schema()").Where("data_type = 'text'").Where("collation_name IS DISTINCT FROM 'C'").
		Scan(t.Context(), &sorted))
	if len(sorted) > 0 {
		t.Errorf("these columns are not compared byte by byte: %v", slices.Sorted(slices.Values(sorted)))
	}

	// Indexes are by name, as are the rules they carry.
	indexes := func(s *Store, query string) (list []string) {
		must(t, s.read.NewRaw(query).Scan(t.Context(), &list))
		return list
	}
	if diff := cmp.Diff(
		indexes(lite, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"),
		indexes(pg, `SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
			WHERE n.nspname = current_schema() AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u'))
			ORDER BY i.relname COLLATE "C"`),
	); diff != "" {
		t.Errorf("the indexes differ (-sqlite +postgres):\n%s", diff)
	}
}
