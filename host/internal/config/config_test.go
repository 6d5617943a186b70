// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tallyman.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheExampleHoldsTheDefaults(t *testing.T) {
	t.Parallel()
	example, err := Load([]string{"../../../configs/example.hcl"})
	if err != nil {
		t.Fatal(err)
	}
	minimal, err := Load([]string{"../../../configs/minimal.hcl"})
	if err != nil {
		t.Fatal(err)
	}
	if example.Database.URL != minimal.Database.URL || example.Plugins.LockFile != minimal.Plugins.LockFile ||
		example.Runs.LeaseTime != minimal.Runs.LeaseTime || example.Runs.TimeoutTime != 2*time.Hour {
		t.Errorf("the example differs from the defaults: %+v", example)
	}
	e, m := example.Tenants[0].Modules[0], minimal.Tenants[0].Modules[0]
	if *e.Customers != *m.Customers || e.Plugin != m.Plugin || e.On() != m.On() ||
		e.Subscriptions.DeactivateMissing != m.Subscriptions.DeactivateMissing ||
		*e.Subscriptions.MissingRuns != *m.Subscriptions.MissingRuns {
		t.Errorf("the example's module differs from the defaults: %+v and %+v", e, m)
	}
}

func TestEveryProblemIsReportedWithItsPlace(t *testing.T) {
	t.Parallel()
	path := write(t, `
databse { url = "sqlite:x" }
tenant "Acme" {
  time_zone = "Mars/Olympus"
  module "rhipe" {
    customers { unmatched = "maybe" }
    subscriptions { missing_runs = 0 }
  }
  module "rhipe" {}
}
`)
	_, err := Load([]string{path})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"tallyman.hcl line 2", "Did you mean \"database\"", "Mars/Olympus", "maybe", "missing_runs", "is there already", "\"Acme\""} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q:\n%s", want, err)
		}
	}
}

func TestSettingsAreCheckedAndNeverShowASecret(t *testing.T) {
	t.Parallel()
	path := write(t, `
tenant "acme" {
  module "rhipe" {
    settings {
      client_secrt = "hunter2-hunter2"
      paths = { customers = "/x", nonsense = "hunter2-hunter2" }
      region = "mars"
    }
  }
}
`)
	c, err := Load([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	fields := []Field{
		{Name: "client_secret", Required: true, Secret: true}, {Name: "paths.customers"},
		{Name: "region", Choices: []string{"apac", "emea"}},
	}
	_, err = c.ResolveSettings(c.Tenants[0].Modules[0], fields)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"tallyman.hcl:5:7", "Did you mean \"client_secret\"", "paths.nonsense", "apac, emea"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q:\n%s", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the message shows a value:\n%s", err)
	}
}

func TestAnUnsetVariableMattersOnlyWhereItIsUsed(t *testing.T) {
	t.Parallel()
	path := write(t, `
tenant "acme" {
  module "rhipe" {
    settings { token = env("TALLYMAN_TEST_SURELY_NOT_SET") }
  }
}
`)
	c, err := Load([]string{path})
	if err != nil {
		t.Fatalf("loading alone must not evaluate settings: %v", err)
	}
	_, err = c.ResolveSettings(c.Tenants[0].Modules[0], []Field{{Name: "token"}})
	if err == nil || !strings.Contains(err.Error(), "TALLYMAN_TEST_SURELY_NOT_SET") {
		t.Errorf("error %v does not name the variable", err)
	}
}

func TestAModuleIsSwitchedAndTheRestOfTheFileKept(t *testing.T) {
	t.Parallel()
	path := write(t, "# mine\ntenant \"acme\" {\n  # also mine\n  module \"rhipe\" {\n    settings {\n    }\n  }\n}\n")
	for _, step := range []struct {
		module  string
		on      bool
		changed bool
	}{{"rhipe", true, false}, {"rhipe", false, true}, {"rhipe", false, false}, {"rhipe", true, true}, {"rhipe-nz", true, true}} {
		_, changed, err := SwitchModule([]string{path}, "acme", step.module, "rhipe", step.on)
		if err != nil || changed != step.changed {
			t.Fatalf("%+v: changed %v, error %v", step, changed, err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# mine", "# also mine", "enabled = true", `module "rhipe-nz"`, `env("RHIPE_NZ_CLIENT_SECRET")`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file lacks %q:\n%s", want, text)
		}
	}
	if _, err := Load([]string{path}); err != nil {
		t.Errorf("the file is broken now: %v", err)
	}
	if _, _, err := SwitchModule([]string{path}, "nobody", "rhipe", "", true); err == nil {
		t.Error("an unknown tenant is no error")
	}
}
