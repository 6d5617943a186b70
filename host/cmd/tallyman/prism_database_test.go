// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// contents are the rows of a database, by a name that stays the same and says what the row is: "subscriptions s-premium".
type contents map[string]map[string]string

// rowNames says by what a row of a table is called, in SQL. Tables that are not here are the record of runs, which grows
// with every run.
var rowNames = map[string]string{
	"tenants":                   "name",
	"modules":                   "name",
	"top_levels":                "name",
	"customers":                 "name || ' #' || id",
	"sites":                     "(SELECT name FROM customers c WHERE c.id = customer_id) || '/' || name || ' #' || id",
	"mappings":                  "(SELECT ref FROM distributor_customers d WHERE d.id = distributor_customer_id)",
	"scopes":                    "ref",
	"subscriptions":             "ref",
	"distributor_customers":     "ref_key",
	"distributor_subscriptions": "ref_key",
}

// read gives all rows of a database but the record of runs.
func read(t *testing.T, path string) contents {
	t.Helper()
	at := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "mode=ro&_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	all := contents{}
	for table, name := range rowNames {
		all.add(t, db, table, name)
	}
	return all
}

// add reads a table.
func (c contents) add(t *testing.T, db *sql.DB, table, name string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT %s AS called, * FROM %s", name, table))
	if err != nil {
		t.Fatalf("read %s: %v", table, err)
	}
	defer rows.Close() //nolint:errcheck // only read
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, column := range columns[1:] {
			row[column] = "null"
			if values[i+1].Valid {
				row[column] = values[i+1].String
			}
		}
		c[table+" "+values[0].String] = row
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// contents gives the rows of the place's database, the record of runs left out.
func (p *place) contents() contents {
	p.t.Helper()
	return read(p.t, filepath.Join(p.dir, "tallyman.db"))
}

// visible leaves out what nobody sees: times, and what is kept of the distributor's record. Of a time that may be missing it
// is kept that it is there.
func (c contents) visible() contents {
	seen := contents{}
	for name, row := range c {
		kept := map[string]string{}
		for column, value := range row {
			switch column {
			case "created_at", "updated_at", "record", "fingerprint", "flags", "missing":
			case "deactivated_at", "gone_at":
				if value != "null" {
					value = "set"
				}
				kept[column] = value
			default:
				kept[column] = value
			}
		}
		seen[name] = kept
	}
	return seen
}

// differences says what is not the same, a line for each value, sorted.
func differences(before, after contents) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		now, still := after[name]
		if !still {
			found = append(found, name+" is gone")
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(before[name])) {
			if was := before[name][column]; was != now[column] {
				found = append(found, fmt.Sprintf("%s %s: %s -> %s", name, column, was, now[column]))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			found = append(found, name+" is new")
		}
	}
	slices.Sort(found)
	return found
}

// unchanged fails when the database is not as it was, to the last value.
func (p *place) unchanged(before contents) {
	p.t.Helper()
	if found := differences(before, p.contents()); len(found) > 0 {
		p.t.Errorf("the database has changed:\n%s", strings.Join(found, "\n"))
	}
}

// copyPlace gives a place like one that is not used meanwhile, but with a simulator of its own.
func copyPlace(t *testing.T, from *place, source prismsim.Source, options ...prismsim.Option) *place {
	t.Helper()
	p := copyPlaceWithout(t, from)
	p.sim = prismsim.StartFor(t, source, append([]prismsim.Option{prismsim.WithCredentials(prismsim.DemoClientID, secret)}, options...)...)
	p.world, _ = source.(*prismsim.World)
	p.env["PRISM_URL"] = p.sim.APIURL()
	return p
}

// copyPlaceWithout is copyPlace without a simulator.
func copyPlaceWithout(t *testing.T, from *place) *place {
	t.Helper()
	p := newPlaceWithout(t, from.plugins)
	if err := os.CopyFS(p.dir, os.DirFS(from.dir)); err != nil {
		t.Fatal(err)
	}
	return p
}

// newPlaceWithout is an empty place without a simulator, for other plugins.
func newPlaceWithout(t *testing.T, plugins string) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), lease: "2s", plugins: plugins}
	// Short, since a socket's path must be.
	tmp, err := os.MkdirTemp("", "tallyman-place-*") //nolint:usetesting // that of a test is too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	p.tmp, p.env = tmp, map[string]string{"PRISM_URL": "http://127.0.0.1:1", "RHIPE_CLIENT_SECRET": secret, "TMPDIR": tmp}
	return p
}

// text is all that a report tells people.
func (r *report) text() string {
	lines := slices.Concat(r.Warnings, r.Notes)
	for guard, why := range r.Guards {
		lines = append(lines, guard+": "+why)
	}
	if r.Error != nil {
		lines = append(lines, r.Error.Code+": "+r.Error.Message, r.Error.Hint)
	}
	return strings.Join(lines, "\n")
}
