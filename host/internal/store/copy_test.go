// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

// filled is how many rows filling writes into each table.
const filled = 40

// hostile are texts that a copy by text would spoil.
var hostile = []string{
	"", " ", "\\N", "\\.", "tab\tand\nline\r\nend", `quotes ' " \ $$`, "Ünïcødé 商店 🧾", "NULL", "{\"a\": [1, null]}", strings.Repeat("long ", 300), "\x01\x7f", "%_",
}

// fill writes rows into every table of the schema, whatever tables there are: the nth row of a table refers to the nth row
// of each other. Everything a column can hold turns up.
func fill(t *testing.T, s *Store, seed uint64) []table {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not a secret
	ctx := t.Context()
	tables, err := s.dialect.tables(ctx, s.read)
	must(t, err)
	nullable := nullableColumns(t, s)
	must(t, s.changeOnce(ctx, "fill", func(ctx context.Context, conn *sql.Conn, tx bun.Tx) error {
		for _, table := range tables {
			refers, plain := referring(t, s, tx, table.name), 0
			row := 0
			err := s.dialect.load(ctx, conn, tx, table, func() ([]any, error) {
				if row++; row > filled {
					return nil, nil
				}
				var values []any
				for _, c := range table.columns {
					switch id := int64(row * 7); {
					case nullable[table.name+"."+c.name] && random.IntN(3) == 0:
						values = append(values, nil)
					case slices.Contains(table.key, c.name) || refers[c.name]:
						values = append(values, id)
					default:
						plain++
						values = append(values, anything(random, c, row))
					}
				}
				return values, nil
			})
			if err != nil {
				return fmt.Errorf("fill %s: %w", table.name, err)
			}
			if plain == 0 {
				t.Errorf("nothing of its own is in table %s", table.name)
			}
		}
		return nil
	}))
	return tables
}

// anything gives a value that differs from row to row where a name has to.
func anything(random *rand.Rand, c field, row int) any {
	switch c.kind {
	case fieldNumber:
		return []int64{0, 1, -1, math.MaxInt64, math.MinInt64, random.Int64()}[random.IntN(6)]
	case fieldFlag:
		return random.IntN(2) == 0
	case fieldTime:
		at := time.Date(2000+random.IntN(60), 3, 31, 23, 59, 59, 0, time.UTC)
		return at.Add(time.Duration([]int{0, 1, 999999, 120000, 500000}[random.IntN(5)]) * time.Microsecond)
	default:
		if strings.HasSuffix(c.name, "ref") || strings.HasSuffix(c.name, "ref_key") || c.name == "name" {
			return fmt.Sprint(row, " ", hostile[random.IntN(len(hostile))])
		}
		return hostile[random.IntN(len(hostile))]
	}
}

// namesFrom asks a database for names.
func namesFrom(t *testing.T, db bun.IDB, query string, args ...any) map[string]bool {
	t.Helper()
	var list []string
	must(t, db.NewRaw(query, args...).Scan(t.Context(), &list))
	set := map[string]bool{}
	for _, name := range list {
		set[name] = true
	}
	return set
}

func nullableColumns(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	if _, is := s.dialect.(*postgres); is {
		return namesFrom(t, s.read, "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() AND is_nullable = 'YES'")
	}
	return namesFrom(t, s.read, `SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND NOT c."notnull" AND NOT c.pk`)
}

// referring gives the columns of a table that refer to others.
func referring(t *testing.T, s *Store, db bun.IDB, name string) map[string]bool {
	t.Helper()
	if _, is := s.dialect.(*postgres); is {
		return namesFrom(t, db, `SELECT DISTINCT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
			WHERE c.contype = 'f' AND c.conrelid = ?::regclass`, name)
	}
	return namesFrom(t, db, `SELECT "from" FROM pragma_foreign_key_list(?)`, name)
}

// everything gives every row of every table as text, by the database's own means.
func everything(t *testing.T, s *Store, tables []table) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range tables {
		all[table.name] = rowsOf(t, s, table.name)
		if len(all[table.name]) == 0 {
			delete(all, table.name)
		}
	}
	return all
}

func rowsOf(t *testing.T, s *Store, name string) (list []string) {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "SELECT * FROM "+name+" ORDER BY 1")
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		must(t, rows.Scan(into...))
		var text []string
		for i, v := range values {
			switch of := v.(type) {
			case time.Time:
				v = of.UTC().Format(time.RFC3339Nano)
			case bool: // which is a number in SQLite
				if v = int64(0); of {
					v = int64(1)
				}
			}
			text = append(text, fmt.Sprintf("%s=%#v", columns[i], v))
		}
		slices.Sort(text) // a column that was added later may be elsewhere
		list = append(list, strings.Join(text, " "))
	}
	must(t, rows.Err())
	return list
}

// ways are the copies that are possible, as functions that give the URL of a new database.
var ways = map[string][2]func(t *testing.T) string{
	"from SQLite to PostgreSQL":     {liteURL, func(t *testing.T) string { return pgtest.URL(t) }},
	"from PostgreSQL to PostgreSQL": {func(t *testing.T) string { return pgtest.URL(t) }, func(t *testing.T) string { return pgtest.URL(t) }},
	"from PostgreSQL to SQLite":     {func(t *testing.T) string { return pgtest.URL(t) }, liteURL},
	"from SQLite to SQLite":         {liteURL, liteURL},
}

func liteURL(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "t.db") }

func TestACopyHoldsEverything(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := Options{URL: way[0](t)}, Options{URL: way[1](t)}
			seed := rand.Uint64() //nolint:gosec // not a secret
			t.Logf("seed %d", seed)
			source := openAt(t, from)
			tables := fill(t, source, seed)
			// The last ids were given out and are gone.
			last := map[string]int64{}
			must(t, source.change(t.Context(), "give ids out", func(ctx context.Context, tx bun.Tx) error {
				for _, table := range tables {
					if table.counted {
						last[table.name] = 7*filled + int64(len(table.name))
						if err := source.dialect.setLastID(ctx, tx, table.name, last[table.name]); err != nil {
							return err
						}
					}
				}
				return nil
			}))
			must(t, source.change(t.Context(), "end the leases and the hosts", func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE leases SET expires_at = ?", stored(time.Unix(0, 0)))
				if err == nil {
					_, err = tx.ExecContext(ctx, "UPDATE hosts SET seen_at = ?", stored(time.Unix(0, 0)))
				}
				return err
			}))

			done, err := Copy(t.Context(), from, to)
			must(t, err)
			target := openAt(t, Options{URL: to.URL, NoCreate: true})
			if diff := cmp.Diff(everything(t, source, tables), everything(t, target, tables)); diff != "" {
				t.Errorf("it is not the same there (-from +to):\n%s", diff)
			}
			if done.From != source.Path() || done.To != target.Path() || len(done.Tables) != len(tables) || done.Rows() != int64(filled*len(tables)) {
				t.Errorf("of %d tables it tells %+v", len(tables), done)
			}
			for _, table := range done.Tables {
				if table.Rows != filled || len(table.Checksum) != 64 {
					t.Errorf("%+v", table)
				}
			}
			must(t, target.change(t.Context(), "take ids", func(ctx context.Context, tx bun.Tx) error {
				for name := range last {
					err := target.dialect.reserveIDs(ctx, tx.Tx, Table(name), 1, func(id int64) {
						if id != last[name]+1 {
							t.Errorf("the next id of %s is %d, and %d was given out", name, id, last[name])
						}
					})
					if err != nil {
						return err
					}
				}
				return nil
			}))
			_, err = Copy(t.Context(), from, to)
			if conflict := new(ConflictError); !errors.As(err, &conflict) || !strings.Contains(conflict.Message, "is not empty: there are rows in table ") {
				t.Errorf("a second copy: %v", err)
			}
		})
	}
}

func TestACopyThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ trigger, want string }{
		"the other database refuses a row": {
			`CREATE FUNCTION %[1]s.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id > 100 THEN RAISE 'no more of these'; END IF; RETURN NEW; END $$`,
			"write table subscriptions: Postgres refused",
		},
		"the other database changes a row": {
			`CREATE FUNCTION %[1]s.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id > 100 THEN NEW.sku = NEW.sku || '!'; END IF; RETURN NEW; END $$`,
			"table subscriptions arrived otherwise than it was sent: 40 rows with checksum ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := Options{URL: liteURL(t), Now: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }}, Options{URL: pgtest.URL(t)}
			source := openAt(t, from)
			tables := fill(t, source, 1)
			before := everything(t, source, tables)
			target := openAt(t, to)
			schema := schemaOf(t, to.URL)
			onServer(t, to.URL, fmt.Sprintf(c.trigger, schema),
				"CREATE TRIGGER spoil BEFORE INSERT ON subscriptions FOR EACH ROW EXECUTE FUNCTION spoil()")

			_, err := Copy(t.Context(), from, to)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the copy gives %v, want %q", err, c.want)
			}
			if left := everything(t, target, tables); len(left) != 0 {
				t.Errorf("these are left: %v", left)
			}
			if diff := cmp.Diff(before, everything(t, source, tables)); diff != "" {
				t.Errorf("the copied database was changed:\n%s", diff)
			}

			onServer(t, to.URL, "DROP TRIGGER spoil ON subscriptions")
			if _, err := Copy(t.Context(), from, to); err != nil {
				t.Errorf("once nothing is in the way: %v", err)
			}
			if diff := cmp.Diff(before, everything(t, target, tables)); diff != "" {
				t.Errorf("it is not the same there (-from +to):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeCopiedIsRefused(t *testing.T) {
	t.Parallel()
	conflict := func(t *testing.T, from, to string, want string) {
		t.Helper()
		_, err := Copy(t.Context(), Options{URL: from}, Options{URL: to})
		if told := new(ConflictError); !errors.As(err, &told) || !strings.Contains(told.Message, want) || told.Next == "" {
			t.Errorf("it gives %v, want %q", err, want)
		}
	}
	t.Run("while a module is run", func(t *testing.T) {
		t.Parallel()
		onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
			url, to := newURL(t), pgtest.URL(t)
			w := newWorld(t, func(t *testing.T) func(Options) *Store {
				return func(opts Options) *Store { opts.URL = url; return openAt(t, opts) }
			})
			conflict(t, url, to, "is being used: me runs a module since ")
			_, err := Open(t.Context(), Options{URL: to, NoCreate: true})
			wantKind(t, err, KindMissing)
			must(t, w.ReleaseLease(t.Context(), w.module.ID, "me"))
			must(t, w.SeeHost(t.Context(), Host{ID: 1, Name: "the host", Version: "1.0.0", StartedAt: time.Now()}))
			conflict(t, url, to, "is being used: tallyman serve runs (the host, seen at ")
			must(t, w.LeaveHost(t.Context(), 1))
			_, err = Copy(t.Context(), Options{URL: url}, Options{URL: to})
			must(t, err)
		})
	})
	t.Run("without a database, or from an empty one", func(t *testing.T) {
		t.Parallel()
		url := liteURL(t)
		_, err := Copy(t.Context(), Options{URL: url}, Options{URL: pgtest.URL(t)})
		wantKind(t, err, KindMissing)
		openAt(t, Options{URL: url})
		conflict(t, url, pgtest.URL(t), "holds nothing")
	})
	t.Run("to itself", func(t *testing.T) {
		t.Parallel()
		onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
			url := newURL(t)
			_, err := openAt(t, Options{URL: url}).EnsureTenant(t.Context(), "acme", "")
			must(t, err)
			conflict(t, url, url, "is the database itself")
			if rest, is := strings.CutPrefix(url, "postgres://tallyman@"); is {
				conflict(t, url, "postgres://tallyman@"+strings.Replace(rest, "search_path=", "search_path=%20", 1), "is not empty")
			}
		})
	})
	t.Run("to another schema", func(t *testing.T) {
		t.Parallel()
		onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
			url, to := newURL(t), newURL(t)
			_, err := openAt(t, Options{URL: url}).EnsureTenant(t.Context(), "acme", "")
			must(t, err)
			other := openAt(t, Options{URL: to})
			_, err = other.write.ExecContext(t.Context(), "ALTER TABLE scopes ADD COLUMN more TEXT")
			must(t, err)
			_, err = Copy(t.Context(), Options{URL: url}, Options{URL: to})
			if told := wantKind(t, err, KindOther); !strings.Contains(told.Message, "table scopes is not the same in ") {
				t.Errorf("it gives %v", err)
			}
			_, err = other.write.ExecContext(t.Context(), "DELETE FROM goose_db_version WHERE version_id > 1")
			must(t, err)
			_, err = Copy(t.Context(), Options{URL: url}, Options{URL: to})
			wantKind(t, err, KindOlder)
		})
	})
}

// TestAMigrationThatCopyDoesNotKnowIsFound: what a later migration may bring and cannot be copied is said, not left out.
func TestAMigrationThatCopyDoesNotKnowIsFound(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		for statement, want := range map[string]string{
			"CREATE TABLE more (id BIGINT PRIMARY KEY, what NUMERIC)":                          `column more.what is of type "numeric", which cannot be copied`,
			"CREATE TABLE more (id BIGINT)":                                                    "table more has no primary key, so it cannot be copied",
			"CREATE TABLE more (id BIGINT PRIMARY KEY, tenant BIGINT REFERENCES tenants (id))": "",
		} {
			s := openAt(t, Options{URL: newURL(t)})
			_, err := s.write.ExecContext(t.Context(), statement)
			must(t, err)
			tables, err := s.dialect.tables(t.Context(), s.read)
			if got := strings.ToLower(fmt.Sprint(err)); want != "" && got != strings.ToLower(want) {
				t.Errorf("%s gives %v", statement, err)
			}
			names := ""
			for _, table := range tables {
				names += " " + table.name
			}
			if want == "" && (err != nil || strings.Index(names, " more") < strings.Index(names, " tenants")) {
				t.Errorf("the tables are%s (%v)", names, err)
			}
		}
	})
}
