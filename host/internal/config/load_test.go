// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts files into a new folder and gives it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// one puts one file into a new folder and gives its path.
func one(t *testing.T, text string) string {
	t.Helper()
	return filepath.Join(write(t, map[string]string{"tallyman.hcl": text}), "tallyman.hcl")
}

// read loads one file with an environment of its own.
func read(t *testing.T, text string, environ ...string) (*Config, error) {
	t.Helper()
	return Load(Options{Paths: []string{one(t, text)}, Environ: append([]string{}, environ...)})
}

func mustRead(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	c, err := read(t, text, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems gives the problems of an error, without folders.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Fatalf("error %v is no *Error", err)
	}
	texts := make([]string, len(wrong.Problems))
	for i, p := range wrong.Problems {
		p.Origin.Range.Filename = filepath.Base(p.Origin.Range.Filename)
		texts[i] = p.String()
	}
	return texts
}

const tenConfigured = `
database { url = "sqlite:other.db" }
plugins {
  directory = "/opt/plugins"
  lock_file = "locks/mine.lock"
}
log { level = "debug" }
runs {
  lease   = "90s"
  timeout = "30m"
}
tenant "acme" {
  display_name = "Acme IT"
  time_zone    = "Australia/Sydney"
  module "rhipe" {
    plugin      = "rhipe2"
    enabled     = false
    environment = ["HTTP_PROXY", "MINE"]
    customers {
      unmatched                = "create"
      top_level                = "Cloud customers"
      update_main_site_address = true
    }
    subscriptions {
      deactivate_missing = true
      missing_runs       = 3
    }
    guards {
      max_deactivations             = 1
      max_deactivations_percent     = 2
      max_customers_created         = 3
      max_customers_created_percent = 4
      max_quantity_factor           = 5
      max_quantity_step             = 6
      allow_empty_listing           = true
    }
    schedule {
      enabled  = false
      daily_at = "02:15"
      days     = ["sat", "mon"]
      jitter   = "90m"
      sync     = ["subscriptions"]
    }
  }
  module "rhipe-nz" {}
}
tenant "0-b" {}
`

func TestEverySettingArrivesInItsField(t *testing.T) {
	t.Parallel()
	c := mustRead(t, tenConfigured)
	if c.Database.URL.Reveal() != "sqlite:other.db" {
		t.Errorf("database.url is %q", c.Database.URL.Reveal())
	}
	if want := (Plugins{Directory: "/opt/plugins", LockFile: filepath.Join(c.Dir, "locks/mine.lock")}); c.Plugins != want {
		t.Errorf("plugins are %+v, want %+v", c.Plugins, want)
	}
	if want := (Runs{Lease: 90 * time.Second, Timeout: 30 * time.Minute}); c.Runs != want || c.Log.Level != "debug" || c.Retention != (Retention{Runs: 400 * day}) {
		t.Errorf("runs are %+v, log %+v", c.Runs, c.Log)
	}
	if len(c.Tenants) != 2 || c.Tenants[0].Name != "acme" || c.Tenants[1].Name != "0-b" {
		t.Fatalf("tenants are %+v", c.Tenants)
	}
	acme := c.Tenants[0]
	if acme.DisplayName != "Acme IT" || acme.TimeZone != "Australia/Sydney" || acme.Location.String() != "Australia/Sydney" || len(acme.Modules) != 2 {
		t.Errorf("acme is %+v", acme)
	}
	m := acme.Modules[0]
	if m.String() != "acme/rhipe" || m.Plugin != "rhipe2" || m.On() || !slices.Equal(m.Environment, []string{"HTTP_PROXY", "MINE"}) {
		t.Errorf("acme/rhipe is %+v", m)
	}
	if want := (Customers{"create", "Cloud customers", true}); m.Customers != want {
		t.Errorf("customers are %+v", m.Customers)
	}
	if want := (Subscriptions{true, 3}); m.Subscriptions != want {
		t.Errorf("subscriptions are %+v", m.Subscriptions)
	}
	if want := (Guards{1, 2, 3, 4, 5, 6, true}); m.Guards != want {
		t.Errorf("guards are %+v", m.Guards)
	}
	want := Schedule{
		DailyAt: &TimeOfDay{2, 15}, Days: []string{"sat", "mon"}, Jitter: 90 * time.Minute, Sync: []string{"subscriptions"},
	}
	if !cmp.Equal(m.Schedule, want) || m.Schedule.On() {
		t.Errorf("the schedule is %+v", m.Schedule)
	}
	if got := m.Origin.String(); !strings.HasSuffix(got, "tallyman.hcl:15:3") {
		t.Errorf("acme/rhipe begins at %s", got)
	}
}

func TestWhatNobodySetsHasItsDefault(t *testing.T) {
	t.Parallel()
	c := mustRead(t, `tenant "acme" {
  module "rhipe" {}
}`)
	if c.Database.URL.Reveal() != "sqlite:tallyman.db" || c.Log.Level != "warn" || c.Runs != (Runs{time.Minute, 2 * time.Hour}) ||
		c.Plugins != (Plugins{filepath.Join(filepath.Dir(program(t)), "plugins"), filepath.Join(c.Dir, "tallyman.lock")}) {
		t.Errorf("the defaults are %+v", c)
	}
	acme := c.Tenants[0]
	m := acme.Modules[0]
	if acme.TimeZone != "UTC" || acme.Location != time.UTC {
		t.Errorf("the time zone is %q", acme.TimeZone)
	}
	// The limits are those of the design: deactivations above max(5, 20 %), customers above max(25, 50 %), a factor of 10
	// and a step of 50.
	if want := (Guards{5, 20, 25, 50, 10, 50, false}); m.Guards != want {
		t.Errorf("guards are %+v", m.Guards)
	}
	if m.Plugin != "rhipe" || !m.On() || len(m.Environment) != 0 || m.Customers != (Customers{Unmatched: "hold"}) ||
		m.Subscriptions != (Subscriptions{MissingRuns: 1}) || m.Schedule.On() {
		t.Errorf("the module is %+v", m)
	}
	if got := c.Origin("log.level").String(); got != "default" {
		t.Errorf("log.level comes from %s", got)
	}
}

func TestLaterLayersWinAndEveryValueKnowsItsOrigin(t *testing.T) {
	t.Parallel()
	path := one(t, tenConfigured)
	const module = "tenant.acme.module.rhipe."
	for _, step := range []struct {
		name    string
		environ []string
		flags   []Flag
		level   string
		origin  string
	}{
		{"file", nil, nil, "debug", path + ":7:15"},
		{"environment", []string{"TALLYMAN_LOG_LEVEL=error"}, nil, "error", "env TALLYMAN_LOG_LEVEL"},
		{"flag", []string{"TALLYMAN_LOG_LEVEL=error"}, []Flag{{"--log-level", "log.level", "info"}}, "info", "flag --log-level"},
		{"later flag", nil, []Flag{{"--log-level", "log.level", "info"}, {"--set", "log.level", "trace"}}, "trace", "flag --set"},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(Options{Paths: []string{path}, Environ: append([]string{}, step.environ...), Flags: step.flags})
			if err != nil {
				t.Fatal(err)
			}
			if c.Log.Level != step.level || c.Origin("log.level").String() != step.origin {
				t.Errorf("log.level is %s from %s, want %s from %s", c.Log.Level, c.Origin("log.level"), step.level, step.origin)
			}
		})
	}
	c, err := Load(Options{Paths: []string{path}, Environ: []string{
		"TALLYMAN_DATABASE_URL=postgres://u:hunter2@h/db",
		"TALLYMAN_TENANT_ACME_TIME_ZONE=Europe/Berlin",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_ENABLED=true",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_ENVIRONMENT=A, B",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_GUARDS_MAX_QUANTITY_STEP=60",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SCHEDULE_DAILY_AT=",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_NZ_SCHEDULE_DAILY_AT=23:59",
		"TALLYMAN_TENANT_0_B_DISPLAY_NAME=B",
		"OTHER=x",
	}, Flags: []Flag{{"--set", module + "schedule.sync", `["customers","subscriptions"]`}, {"--set", "runs.lease", "2m"}}})
	if err != nil {
		t.Fatal(err)
	}
	acme := c.Tenant("acme")
	m := acme.Modules[0]
	if c.Database.URL.Reveal() != "postgres://u:hunter2@h/db" || acme.Location.String() != "Europe/Berlin" || !m.On() ||
		!slices.Equal(m.Environment, []string{"A", "B"}) || m.Guards.MaxQuantityStep != 60 || m.Guards.MaxQuantityFactor != 5 ||
		m.Schedule.On() || acme.Modules[1].Schedule.DailyAt.String() != "23:59" || c.Tenant("0-b").DisplayName != "B" ||
		len(m.Schedule.Sync) != 2 || c.Runs.Lease != 2*time.Minute || c.Runs.Timeout != 30*time.Minute {
		t.Errorf("the layers give %+v, %+v", c, m)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

func TestAFolderIsReadAsOneConfiguration(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.hcl":              `log { level = "info" }`,
		"b.hcl":              `tenant "acme" {}`,
		"c.hcl":              `tenant "globex" {}`,
		".b.hcl.swp":         `nonsense {`,
		".hidden.hcl":        `nonsense {`,
		"notes.txt":          `nonsense {`,
		"deeper.hcl/d.hcl":   `nonsense {`,
		"tallyman.hcl~":      `nonsense {`,
		"sub/elsewhere.hcl":  `runs { lease = "5s" }`,
		"sub/elsewhere2.hcl": ``,
	})
	c, err := Load(Options{Paths: []string{dir, filepath.Join(dir, "a.hcl"), filepath.Join(dir, "sub")}, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tenants) != 2 || c.Log.Level != "info" || c.Runs.Lease != 5*time.Second || c.Dir != dir {
		t.Errorf("the folder gives %+v", c)
	}
}

func TestTheVariableNamesFilesAndFolders(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.hcl": `log { level = "info" }`, "b.hcl": `tenant "acme" {}`})
	c, err := Load(Options{Environ: []string{"TALLYMAN_CONFIG=" + filepath.Join(dir, "a.hcl") + string(os.PathListSeparator) + filepath.Join(dir, "b.hcl")}})
	if err != nil || len(c.Tenants) != 1 || c.Log.Level != "info" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFilesThatAreNotThereAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.hcl"), dir} {
		if _, err := Load(Options{Paths: []string{path}, Environ: []string{}}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v does not name %s", err, path)
		}
	}
}

func TestABlockDefinedTwiceNamesBothPlaces(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.hcl": "log {}\ntenant \"acme\" {\n  module \"rhipe\" {\n    guards {}\n    guards {}\n    settings {}\n    settings {}\n  }\n  module \"rhipe\" {}\n}\n",
		"b.hcl": "\nlog {}\ntenant \"acme\" {}\n",
	})
	_, err := Load(Options{Paths: []string{dir}, Environ: []string{}})
	text := strings.ReplaceAll(strings.Join(problems(t, err), "\n"), dir+string(os.PathSeparator), "")
	for _, want := range []string{
		"a.hcl:5:5: guards is defined twice; it is at a.hcl:4:5, too",
		"a.hcl:7:5: settings is defined twice; it is at a.hcl:6:5, too",
		`a.hcl:9:3: module "rhipe" is defined twice; it is at a.hcl:3:3, too`,
		"b.hcl:2:1: log is defined twice; it is at a.hcl:1:1, too",
		`b.hcl:3:1: tenant "acme" is defined twice; it is at a.hcl:2:1, too`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the message lacks %q:\n%s", want, text)
		}
	}
	if n := len(problems(t, err)); n != 5 {
		t.Errorf("%d problems:\n%s", n, text)
	}
}

func TestTheSameModuleOfTwoTenantsIsNotDefinedTwice(t *testing.T) {
	t.Parallel()
	mustRead(t, "tenant \"a\" {\n module \"m\" {}\n}\ntenant \"b\" {\n module \"m\" {}\n}")
}

func TestTenMistakesGiveTenMessages(t *testing.T) {
	t.Parallel()
	_, err := read(t, `databse { url = "sqlite:x" }
log { level = "loud" }
runs { lease = "soon" }
tenant "Acme" {
  time_zone = "Mars/Olympus"
  module "rhipe" {
    customers { unmatched = "maybe" }
    subscriptions { missing_runs = 0 }
    schedule {
      daily_at = "25:00"
      sync     = ["invoices"]
    }
    guards { max_deactivations = "many" }
  }
}
`)
	got := problems(t, err)
	if len(got) != 10 {
		t.Fatalf("%d messages:\n%s", len(got), strings.Join(got, "\n"))
	}
	for i, place := range []string{"1:1", "2:15", "3:16", "4:8", "5:15", "7:29", "8:36", "10:18", "11:19", "13:34"} {
		if !strings.HasPrefix(got[i], "tallyman.hcl:"+place+": ") || !strings.Contains(got[i], "^") {
			t.Errorf("message %d is not at %s:\n%s", i+1, place, got[i])
		}
	}
	if !strings.Contains(err.Error(), "10 problems") {
		t.Errorf("the error does not say how many: %v", err)
	}
}

func TestMistakesBeforeASyntaxErrorAreToldToo(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.hcl": "log { level = \"loud\" }\ntenant \"a\" {\n  module \"m\" {\n    schedule {\n      daily_at = \n    }\n  }\n}\nrnus {}\n",
		"b.hcl": "runs { lease = \"soon\" }\n",
	})
	_, err := Load(Options{Paths: []string{dir}, Environ: []string{"TALLYMAN_LOG_LEVLE=x"}})
	got := problems(t, err)
	if len(got) != 3 || !strings.HasPrefix(got[0], "a.hcl:1:15: log.level") || !strings.HasPrefix(got[1], "a.hcl:5:") || !strings.HasPrefix(got[2], "b.hcl:1:16: runs.lease") {
		t.Errorf("the messages are:\n%s", strings.Join(got, "\n"))
	}
}

func TestLoadingIsTheSameWithEitherLineEnd(t *testing.T) {
	t.Parallel()
	c := mustRead(t, "\xef\xbb\xbf"+strings.ReplaceAll(tenConfigured, "\n", "\r\n"))
	if len(c.Tenants) != 2 || c.Runs.Lease != 90*time.Second {
		t.Errorf("%+v", c)
	}
	_, err := read(t, "log {\r\n  level = \"loud\"\r\n}\r\n")
	if got := problems(t, err)[0]; !strings.Contains(got, "tallyman.hcl:2:11: ") || strings.Contains(got, "\r") {
		t.Errorf("the message is %q", got)
	}
}

func TestDeepAndLongFilesAreRefusedAndNotFatal(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"brackets":   "log {\n  level = " + strings.Repeat("[", 200_000),
		"parens":     "log {\n  level = " + strings.Repeat("(", 200_000) + "1",
		"templates":  "log {\n  level = " + strings.Repeat(`"${`, 100_000),
		"not":        "log {\n  level = " + strings.Repeat("!", 200_000) + "true\n}",
		"plus":       "log {\n  level = 1" + strings.Repeat("+1", 200_000) + "\n}",
		"index":      "log {\n  level = a" + strings.Repeat("[0]", 200_000) + "\n}",
		"dots":       "log {\n  level = a" + strings.Repeat(".a", 200_000) + "\n}",
		"choices":    "log {\n  level = " + strings.Repeat("a ? b : ", 300_000) + "c\n}",
		"blocks":     strings.Repeat("a {\n", 200_000),
		"too large":  strings.Repeat("#", maxFile+1),
		"big number": "runs {\n  lease = 1e999999999\n}",
		"big limit":  "tenant \"a\" {\n module \"m\" {\n guards {\n max_deactivations = 1e400000\n}\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := read(t, text); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestAThousandTenantsAreRead(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 1000 {
		text.WriteString(strings.ReplaceAll("tenant \"t-N\" {\n  module \"rhipe\" {\n    schedule {\n      daily_at = \"02:15\"\n    }\n  }\n}\n", "N", strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50)))
	}
	c := mustRead(t, text.String(), "TALLYMAN_LOG_LEVEL=info")
	if len(c.Tenants) != 1000 || !c.Tenants[999].Modules[0].Schedule.On() {
		t.Errorf("%d tenants", len(c.Tenants))
	}
}

// program gives this program's own file.
func program(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWithoutAConfigurationTheFolderIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	_, err := Find(nil)
	if err == nil || !strings.Contains(err.Error(), filepath.Base(dir)) || !strings.Contains(err.Error(), "configs/minimal.hcl") {
		t.Errorf("the error is %v", err)
	}
}

func TestOnlyMistakesInFilesAreMendedThere(t *testing.T) {
	t.Parallel()
	inFile := Problem{Origin: Origin{Kind: FromFile}}
	inFlag := Problem{Origin: Origin{Kind: FromFlag, Name: "--set"}}
	for _, test := range []struct {
		note string
		err  Error
		want bool
	}{
		{"a file", Error{Problems: []Problem{inFlag, inFile}}, true},
		{"a file, being checked", Error{Problems: []Problem{inFile}, Checked: true}, false},
		{"a flag", Error{Problems: []Problem{inFlag}}, false},
	} {
		if hint := test.err.Hint(); (hint != "") != test.want {
			t.Errorf("%s: the hint is %q", test.note, hint)
		}
	}
}

func TestASchedulesInstants(t *testing.T) {
	t.Parallel()
	c := mustRead(t, `tenant "acme" {
  time_zone = "Australia/Sydney"
  module "daily" {
    schedule {
      daily_at = "02:30"
      days     = ["sat", "sun"]
    }
  }
  module "cron" {
    schedule { cron = "0 4 * * mon-fri" }
  }
  module "paused" {
    schedule {
      enabled  = false
      daily_at = "02:30"
    }
  }
  module "off" {
    enabled = false
    schedule { daily_at = "02:30" }
  }
  module "none" {}
}
`)
	for i, want := range []string{"2026-10-03T02:30:00+10:00", "2026-10-01T04:00:00+10:00", "", "", ""} {
		m := c.Tenants[0].Modules[i]
		s, err := c.Tenants[0].When(m)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if s != nil {
			got = s.Next(time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC).Add(6 * time.Hour)).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s is due at %q, want %q", m, got, want)
		}
	}
}

func TestATimeOfDayInTheFileAndACronExpressionInAVariable(t *testing.T) {
	t.Parallel()
	text := "tenant \"a\" {\n  module \"m\" {\n    schedule { daily_at = \"02:15\" }\n  }\n}\n"
	const cron = "TALLYMAN_TENANT_A_MODULE_M_SCHEDULE_CRON=0 4 * * *"
	if got := messagesFor(text, cron); !strings.Contains(got, "a schedule has daily_at or cron, not both") || !strings.Contains(got, "SCHEDULE_CRON") {
		t.Errorf("the message is %q", got)
	}
	if got := messagesFor(text, cron, "TALLYMAN_TENANT_A_MODULE_M_SCHEDULE_DAILY_AT="); strings.Contains(got, "not both") {
		t.Errorf("with daily_at taken away the message is %q", got)
	}
}
