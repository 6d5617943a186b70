// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTenMistakesInTheConfiguration are told at once, each with its place, the line it is in and a remedy; and nothing is
// run or written.
func TestTenMistakesInTheConfiguration(t *testing.T) {
	t.Parallel()
	p := copyOfFirst(t)
	before := p.contents()
	good := content(t, filepath.Join(p.dir, "tallyman.hcl"))
	p.write("tallyman.hcl", `databse {
  url = "sqlite:tallyman.db"
}
runs {
  lease   = "soon"
  timeout = 5
}
log { level = "loud" }
tenant "Acme IT" {
  time_zone = "Australia/Sidney"
  module "rhipe" {
    customers {
      unmatched = "make"
      toplevel  = "Cloud"
    }
    subscriptions {
      deactivate_missing = "yes"
      missing_runs       = 0
    }
  }
  module "rhipe" {}
}
`)
	for _, args := range [][]string{{"config", "check"}, {"sync", "acme/rhipe"}, {"plan", "acme"}, {"subscriptions", "list", "acme"}, {"plugin", "lock"}} {
		out := p.run(2, args...)
		if args[0] != "config" {
			p.wants(out, "tallyman config check")
		}
		p.wants(out, "the configuration has 11 problems",
			`tallyman.hcl:1:1: there is no block "databse"`, `Did you mean "database"?`, `1 | databse {`,
			`tallyman.hcl:5:13: runs.lease must be a duration, such as "90s" or "2h"; it is "soon"`,
			`tallyman.hcl:6:13: runs.timeout must be a duration`, `Write "5s" for seconds`,
			`tallyman.hcl:8:15: log.level must be "trace", "debug", "info", "warn" or "error"; it is "loud"`,
			`tallyman.hcl:9:8: a tenant's name consists of a-z, 0-9 and dashes`, `Write "acme-it".`,
			`tallyman.hcl:10:15: time_zone must be a time zone`, `Did you mean "Australia/Sydney"?`,
			`tallyman.hcl:13:19: customers.unmatched must be "create", "hold" or "ignore"; it is "make"`,
			`tallyman.hcl:14:7: there is no setting "toplevel" in customers`, `Did you mean "top_level"?`,
			`tallyman.hcl:17:28: subscriptions.deactivate_missing must be true or false, not text`,
			`tallyman.hcl:18:28: subscriptions.missing_runs must be at least 1; it is 0`,
			`tallyman.hcl:21:3: module "rhipe" is defined twice`)
	}
	p.unchanged(before)
	if n := p.ask("SELECT count(*) FROM runs"); n != "1" {
		t.Errorf("there are %s runs, want 1", n)
	}
	p.write("tallyman.hcl", string(good))
	p.sync("no_change")
}

func TestConfigurationsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := copyOfFirst(t)
	before := p.contents()
	good := string(content(t, filepath.Join(p.dir, "tallyman.hcl")))
	// at is the place of the line that begins like this.
	at := func(line string) string {
		before, _, found := strings.Cut(good, line)
		if !found {
			t.Fatalf("the configuration has no line %q", line)
		}
		return fmt.Sprintf("tallyman.hcl:%d:", strings.Count(before, "\n")+1)
	}
	const fromEnv = `env("RHIPE_CLIENT_SECRET")`
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"cut off":       {"tenant \"acme\" {\n  module \"rhipe\" {\n", []string{"tallyman.hcl:2:", "unclosed configuration block"}},
		"no HCL":        {"{\"tenants\": []}\n", []string{"tallyman.hcl:1:1"}},
		"binary":        {"\x7fELF\x00\x01\x02\xff\xfe", []string{"tallyman.hcl:1:"}},
		"no such env":   {strings.Replace(good, fromEnv, `env("NOT_SET_ANYWHERE")`, 1), []string{at("client_secret"), "NOT_SET_ANYWHERE is not set", "Set it where tallyman runs"}},
		"no such file":  {strings.Replace(good, fromEnv, `file("nowhere.txt")`, 1), []string{at("client_secret"), `file "nowhere.txt" does not exist`, "It was looked for in"}},
		"empty":         {"", []string{"there is no module acme/rhipe in the configuration"}},
		"a wrong value": {strings.Replace(good, "max_attempts  = 2", "max_attempts  = 99", 1), []string{at("max_attempts"), "refuses max_attempts: is 99; it must be 1 to 10"}},
	} {
		p := copyPlaceWithout(t, p)
		p.write("tallyman.hcl", c.text)
		code, out := p.try("sync", "acme/rhipe")
		if code != 2 {
			t.Errorf("%s: exit code %d, want 2:\n%s", name, code, out)
		}
		p.wants(out, c.says...)
		p.unchanged(before)
	}
	if err := os.Remove(filepath.Join(p.dir, "tallyman.hcl")); err != nil {
		t.Fatal(err)
	}
	p.wants(p.run(2, "sync", "acme/rhipe"), "tallyman.hcl")
	p.wants(p.run(2, "sync", "acme/rhipe", "--config", "elsewhere.hcl"), "elsewhere.hcl", "no such file")
}

// copyOfFirst is a place where everything has been imported once, with a simulator of its own.
func copyOfFirst(t *testing.T) *place {
	t.Helper()
	p := newPlace(t, switchWorld(), switchBlocks...)
	p.sync("succeeded")
	return p
}

// TestDatabasesThatAreNone: a file that cannot be the database is named, with what to do, and left exactly as it is.
func TestDatabasesThatAreNone(t *testing.T) {
	t.Parallel()
	first := copyOfFirst(t)
	for name, c := range map[string]struct {
		make func(t *testing.T, file string)
		says []string
	}{
		"a text": {
			func(t *testing.T, file string) {
				put(t, file, bytes.Repeat([]byte("name,site\nAcme,Main\n"), 200), 0o600)
			},
			[]string{"database.not_a_database", "is not a database", "Correct database.url, or move that file away"},
		},
		"zeros": {
			func(t *testing.T, file string) { put(t, file, make([]byte, 64<<10), 0o600) },
			[]string{"database.not_a_database", "is not a database"},
		},
		"another program's": {
			func(t *testing.T, file string) {
				put(t, file, nil, 0o600)
				execute(t, file, "CREATE TABLE albums (id INTEGER, title TEXT)", "INSERT INTO albums VALUES (1, 'Kind of Blue')")
			},
			[]string{"database.not_a_database", "is a database of another program", "Correct database.url"},
		},
		"a newer program's": {
			func(t *testing.T, file string) {
				execute(t, file, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
				execute(t, file, "PRAGMA user_version = 99")
			},
			[]string{"database.newer", "has schema 99, which needs a tallyman that knows schema 99; this one knows up to", "Upgrade tallyman", "restore a backup from before"},
		},
		"cut off": {
			func(t *testing.T, file string) {
				text := content(t, file)
				put(t, file, text[:len(text)/2], 0o600)
			},
			[]string{"database.corrupt", "is damaged", "Restore the last backup"},
		},
		"overwritten in the middle": {
			func(t *testing.T, file string) {
				text := content(t, file)
				copy(text[4096:], bytes.Repeat([]byte("garbage "), (len(text)-4096)/8))
				put(t, file, text, 0o600)
			},
			[]string{"database.corrupt", "is damaged", "Restore the last backup"},
		},
		"a folder": {
			func(t *testing.T, file string) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(file, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"database.not_a_database", "is a folder", "Name a file in it with database.url"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := copyPlace(t, first, switchWorld())
			before := p.contents()
			file := filepath.Join(p.dir, "tallyman.db")
			good := content(t, file)
			c.make(t, file)
			text := func() []byte {
				text, err := os.ReadFile(file)
				if err != nil && !strings.Contains(err.Error(), "is a directory") {
					t.Fatal(err)
				}
				return text
			}
			bad := text()
			for _, args := range [][]string{{"sync", "acme/rhipe"}, {"plan", "acme/rhipe"}, {"runs", "list"}, {"subscriptions", "list", "acme"}, {"db", "migrate"}} {
				p.wants(p.run(1, args...), append(c.says, file)...)
			}
			if !bytes.Equal(text(), bad) {
				t.Error("the file has been changed")
			}
			if n := len(p.sim.Requests()); n > 0 {
				t.Errorf("%d requests were sent all the same", n)
			}
			// The remedy helps.
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			put(t, file, good, 0o600)
			p.sync("no_change")
			p.unchanged(before)
		})
	}
}

// execute changes a database as another program would, and leaves nothing beside the file.
func execute(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file)+"?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what was written is checked
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestCustomersFromBadFiles: of a CSV file the good lines are imported and the bad ones told by number, or none are.
func TestCustomersFromBadFiles(t *testing.T) {
	t.Parallel()
	first := newPlaceWithout(t, filepath.Join(binaries, "plugins"))
	first.configure()
	first.run(0, "customers", "import", first.write("before.csv", "name,city\nHere Before,Hobart\n"), "--tenant", "acme")
	for name, c := range map[string]struct {
		text string
		code int
		// imported are the customers the file adds.
		imported []string
		says     []string
	}{
		"some bad lines": {
			"name,city\nGood One,Perth\n,Nameless\nToo,many,fields\n\n  ,Spaces\nGood Two\n", 1,
			[]string{"Good One", "Good Two"},
			[]string{"bad.csv:3: the customer has no name", "bad.csv:4: 3 fields, but there are 2 columns", "bad.csv:6: the customer has no name", "2 customers imported, 3 bad lines"},
		},
		"a quotation mark too much":           {"name,city\na\"b,Perth\nGood,Perth\n", 1, []string{"Good"}, []string{"bad.csv:2: a field with quotation marks has to stand in quotation marks"}},
		"a quotation mark in a quoted one":    {"name,city\n\"a\"b\",Perth\nGood,Perth\n", 1, []string{"Good"}, []string{"bad.csv:2: a quotation mark is missing or too much"}},
		"a quotation mark too few":            {"name,city\nGood,Perth\n\"Bad,Perth\nUnread,Perth\n", 1, []string{"Good"}, []string{"bad.csv:3: a quotation mark is not closed, so the lines up to 4 were not read"}},
		"quoted lines":                        {"name,line1\n\"Two\nlines\",\"1 \"\"Old\"\" Road\"\nBad,x,y\n", 1, []string{"Two\nlines"}, []string{"bad.csv:4: 3 fields"}},
		"Windows' letters":                    {"name,city\nCaf\xe9,Perth\nGood,Perth\n", 1, []string{"Good"}, []string{"bad.csv:2: name is not UTF-8; save the file as CSV in UTF-8"}},
		"UTF-8 with a mark and Windows' ends": {"\ufeffName,City\r\nCafé,Perth\r\n", 0, []string{"Café"}, []string{"1 customer imported"}},
		"there already":                       {"name\nHere Before\nHere Before\n", 0, nil, []string{"0 customers imported, 2 there already"}},
		"UTF-16":                              {"\xff\xfen\x00a\x00m\x00e\x00\n\x00", 2, nil, []string{"the file is UTF-16; save it as CSV in UTF-8"}},
		"semicolons":                          {"name;city\nA;Perth\n", 2, nil, []string{`there is no column "name;city"`, "Columns are separated by commas"}},
		"an unknown column":                   {"name,town\nA,Perth\n", 2, nil, []string{`line 1: there is no column "town"; the columns are name, top_level, site`}},
		"no name":                             {"city\nPerth\n", 2, nil, []string{`line 1: there is no column "name"`}},
		"two names":                           {"name,Name\nA,B\n", 2, nil, []string{`line 1: there are two columns "name"`}},
		"empty":                               {"", 2, nil, []string{"the file is empty; its first line has to name the columns"}},
		"a program":                           {"\x7fELF\x02\x01\x01\x00\x00\xff\xfe\n\n", 2, nil, []string{"this is no text in UTF-8"}},
		"a header only":                       {"name,city\n", 0, nil, []string{"0 customers imported"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := copyPlaceWithout(t, first)
			before := p.contents()
			file := p.write("bad.csv", c.text)
			imported := func() map[string]bool {
				found := map[string]bool{}
				for row, values := range p.contents() {
					if _, known := before[row]; !known && strings.HasPrefix(row, "customers ") {
						found[values["name"]] = true
					}
				}
				return found
			}
			if c.code == 1 {
				p.run(1, "customers", "import", file, "--tenant", "acme", "--all-or-none")
				p.unchanged(before)
			}
			p.wants(p.run(c.code, "customers", "import", file, "--tenant", "acme"), c.says...)
			if found := imported(); len(found) != len(c.imported) {
				t.Errorf("imported %v, want %q", found, c.imported)
			}
			for _, name := range c.imported {
				if !imported()[name] {
					t.Errorf("%q was not imported", name)
				}
			}
			for _, change := range differences(before, p.contents()) {
				if strings.Contains(change, "Here Before") {
					t.Errorf("what was there has changed: %s", change)
				}
			}
		})
	}
	first.wants(first.run(2, "customers", "import", "nowhere.csv", "--tenant", "acme"), "nowhere.csv", "no such file")
	first.wants(first.run(2, "customers", "import", first.dir, "--tenant", "acme"), "is a directory")
	first.wants(first.run(2, "customers", "import", "before.csv", "--tenant", "globex"), `no tenant "globex" in the configuration`)
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// put replaces a file by a new one, never by writing into one that may be running.
func put(t *testing.T, file string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}
