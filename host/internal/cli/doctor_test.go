// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// change replaces a text in the configuration.
func (s *shell) change(old, now string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		s.t.Fatalf("the configuration has no %q", old)
	}
	s.write("tallyman.hcl", strings.Replace(string(text), old, now, 1))
}

// chmod gives a file of the shell's folder another mode.
func (s *shell) chmod(name string, mode os.FileMode) {
	s.t.Helper()
	if err := os.Chmod(filepath.Join(s.dir, name), mode); err != nil {
		s.t.Fatal(err)
	}
}

// sql changes the database behind the program's back.
func (s *shell) sql(statement string, args ...any) {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "tallyman.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // an error would show in what follows
	if _, err := db.ExecContext(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheDoctorFindsNothingWhereAllIsInOrder(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.wants(s.run(0, "doctor"), "warning database", "there is no database", "The first sync makes it", "Nothing is wrong; 1 warning.")
	s.run(0, "sync", "acme")
	s.wants(s.run(0, "doctor"), "ok configuration", "1 tenant, 1 module, 1 of them enabled", "ok plugin rhipe Rhipe", "used by acme/rhipe",
		"ok settings those of 1 module are in order", "ok database", "is whole", "ok folders", "ok clock", "All is in order.")
	var told struct {
		OK       bool
		Findings []struct{ Check, State, Message string }
	}
	if err := json.Unmarshal([]byte(s.run(0, "doctor", "--json")), &told); err != nil || !told.OK || len(told.Findings) < 6 {
		t.Errorf("doctor --json: %+v (%v)", told, err)
	}
	if strings.Contains(s.all.String(), clientSecret) {
		t.Error("the secret was printed")
	}
}

func TestTheDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(s *shell)
		wants []string
	}{
		"a configuration that is none": {
			func(s *shell) { s.write("tallyman.hcl", "tenant acme {\n") }, []string{"WRONG configuration", "tallyman.hcl:1", "ok clock"},
		},
		"a setting that has no such value": {
			func(s *shell) { s.change(`"create"`, `"crate"`) }, []string{"WRONG configuration", "unmatched", "crate"},
		},
		"a setting the plugin does not know": {
			func(s *shell) { s.change("max_attempts", "max_atempts") }, []string{"WRONG settings", `Did you mean "max_attempts"?`},
		},
		"a variable that is not set": {
			func(s *shell) { s.change(`file("secret")`, `env("NOBODY_SETS_THIS")`) }, []string{"WRONG settings", "NOBODY_SETS_THIS"},
		},
		"a secret everybody may read": {
			func(s *shell) { s.chmod("secret", 0o644) }, []string{"WRONG settings", `everybody on this machine may read file "secret"`, "chmod 600"},
		},
		"a secret in clear that everybody may read": {
			func(s *shell) {
				s.change(`file("secret")`, fmt.Sprintf("%q", clientSecret))
				s.chmod("tallyman.hcl", 0o644)
			},
			[]string{"WRONG settings", "stands in the file in clear", "Everybody on this machine may read it", "chmod 600"},
		},
		"a configuration everybody may change": {
			func(s *shell) { s.chmod("tallyman.hcl", 0o602) }, []string{"WRONG configuration", "everybody on this machine may change", "chmod o-w"},
		},
		"a folder in which everybody may replace files": {
			func(s *shell) { s.chmod(".", 0o707) }, []string{"WRONG configuration", "everybody on this machine may replace files in", "chmod o-w"},
		},
		"a plugin that is not locked": {
			func(s *shell) { s.write("tallyman.lock", `{"format": 1, "plugins": {}}`) },
			[]string{"WRONG plugin rhipe", "is not in the lock file", "(used by acme/rhipe)", "tallyman plugin lock rhipe"},
		},
		"a lock file that is damaged": {
			func(s *shell) { s.write("tallyman.lock", `{"format": 1`) }, []string{"WRONG plugins", "is damaged"},
		},
		"a plugin that is not installed": {
			func(s *shell) { s.change(`module "rhipe" {`, "module \"rhipe\" {\n plugin = \"none\"") }, []string{"WRONG plugin none", `no plugin "none" is installed`, "Installed are: rhipe"},
		},
		"a database everybody may read": {
			func(s *shell) { s.chmod("tallyman.db", 0o644) }, []string{"WRONG database", "everybody on this machine may read", "chmod 600"},
		},
		"an old schema": {
			func(s *shell) { s.sql("DELETE FROM goose_db_version WHERE version_id > 1") }, []string{"WRONG database", "pending", "tallyman db migrate"},
		},
		"a schema of the future": {
			func(s *shell) {
				s.sql("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1); PRAGMA user_version = 999")
			}, []string{"WRONG database", "has schema 999", "Upgrade tallyman"},
		},
		"a damaged database": {
			func(s *shell) {
				file, err := os.OpenFile(filepath.Join(s.dir, "tallyman.db"), os.O_RDWR, 0)
				if err != nil {
					s.t.Fatal(err)
				}
				defer file.Close() //nolint:errcheck // an error would show in what follows
				for page := int64(8); page < 40; page++ {
					if _, err := file.WriteAt([]byte(strings.Repeat("\xff", 512)), page*4096); err != nil {
						s.t.Fatal(err)
					}
				}
			}, []string{"WRONG database", "damaged", "backup"},
		},
		"a clock that was set back": {
			func(s *shell) { s.sql("UPDATE runs SET started_at = '2999-01-01 00:00:00+00:00'") }, []string{"WRONG clock", "run 1, by", "keep it in step"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := newPrism(t)
			s := newShell(t, url, clientSecret)
			s.run(0, "sync", "acme")
			test.spoil(s)
			out := s.run(1, "doctor")
			s.wants(out, append(test.wants, "wrong")...)
			if strings.Contains(out, clientSecret) {
				t.Errorf("the secret was printed:\n%s", out)
			}
		})
	}
}

func TestTheDoctorFindsNoFaultWithWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme")
	s.change(`module "rhipe" {`, "module \"rhipe\" {\n enabled = false")
	s.chmod("secret", 0o644)
	s.wants(s.run(0, "doctor"), "warning configuration", "no module is enabled", "no enabled module uses it")
}
