// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

const twoTenants = `
tenant "acme-it" {
  module "rhipe" {}
}
tenant "x" {
  module "y" {}
}
`

func TestVariablesAndFlagsThatMeanNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		flags   []Flag
		files   string
		// want is a problem, warn a warning. Both empty: neither.
		want, warn string
	}{
		"misspelt":            {environ: []string{"TALLYMAN_LOG_LEVLE=info"}, want: "env TALLYMAN_LOG_LEVLE: this variable means no setting\n  Did you mean TALLYMAN_LOG_LEVEL?"},
		"misspelt block":      {environ: []string{"TALLYMAN_DATABSE_URL=x"}, want: "Did you mean TALLYMAN_DATABASE_URL?"},
		"a block's":           {environ: []string{"TALLYMAN_RUNS_COLOUR=x"}, want: "env TALLYMAN_RUNS_COLOUR: this variable means no setting"},
		"another tenant":      {environ: []string{"TALLYMAN_TENANT_GLOBEX_TIME_ZONE=UTC"}, want: "missing from the files"},
		"another module":      {environ: []string{"TALLYMAN_TENANT_X_MODULE_PAX8_ENABLED=true"}, want: "missing from the files"},
		"misspelt module key": {environ: []string{"TALLYMAN_TENANT_ACME_IT_MODULE_RHIPE_CUSTOMERS_UNMATCH=hold"}, want: "Did you mean TALLYMAN_TENANT_ACME_IT_MODULE_RHIPE_CUSTOMERS_UNMATCHED?"},
		"somebody else's":     {environ: []string{"TALLYMAN_SERVICE_HOST=10.0.0.1"}, warn: "env TALLYMAN_SERVICE_HOST: warning: this variable means no setting"},
		"the program's own":   {environ: []string{"TALLYMAN_CONFIG=x", "TALLYMAN_DEBUG=1", "TALLYMAN_PARENT_PID=1"}},
		"other prefix":        {environ: []string{"LOG_LEVEL=loud", "tallyman_log_level=loud"}},
		"wrong choice":        {environ: []string{"TALLYMAN_LOG_LEVEL=wran"}, want: "env TALLYMAN_LOG_LEVEL: log.level must be \"trace\", \"debug\", \"info\", \"warn\" or \"error\"; it is \"wran\"\n  Did you mean \"warn\"?"},
		"wrong number":        {environ: []string{"TALLYMAN_TENANT_X_MODULE_Y_GUARDS_MAX_DEACTIVATIONS=few"}, want: "tenant.x.module.y.guards.max_deactivations must be a whole number"},
		"wrong truth":         {environ: []string{"TALLYMAN_TENANT_X_MODULE_Y_ENABLED=yes"}, want: "tenant.x.module.y.enabled must be true or false"},
		"wrong list":          {environ: []string{`TALLYMAN_TENANT_X_MODULE_Y_ENVIRONMENT=["A"`}, want: `must be a list: one,two or ["one","two"]`},
		"wrong entry":         {environ: []string{"TALLYMAN_TENANT_X_MODULE_Y_SCHEDULE_SYNC=customers,invoices"}, want: "entry 2 must be"},
		"wrong time":          {environ: []string{"TALLYMAN_TENANT_X_MODULE_Y_SCHEDULE_DAILY_AT=9"}, want: "must be a time of day"},
		"empty url":           {environ: []string{"TALLYMAN_DATABASE_URL="}, want: "database.url must not be empty"},
		"for the plugin":      {environ: []string{"TALLYMAN_MINE=1"}, files: "tenant \"p\" {\n  module \"m\" { environment = [\"TALLYMAN_MINE\"] }\n}\n"},
		"secret flag":         {flags: []Flag{{"--set", "database.url", "postgres://u:hunter2@h/db"}}, want: "database.url holds a secret, and everybody on this machine can read command lines; use the variable TALLYMAN_DATABASE_URL"},
		"plain url":           {flags: []Flag{{"--set", "database.url", "sqlite:other.db"}}},
		"unknown key":         {flags: []Flag{{"--set", "tenant.x.module.y.enabld", "true"}}, want: "flag --set: there is no setting \"tenant.x.module.y.enabld\"\n  Did you mean \"tenant.x.module.y.enabled\"?"},
		"wrong flag":          {flags: []Flag{{"--log-level", "log.level", "loud"}}, want: "flag --log-level: log.level must be"},
		"settings alone":      {flags: []Flag{{"--set", "tenant.x.module.y.settings", "1"}}, want: "there is no setting"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loaded, err := Load(Options{Paths: []string{one(t, twoTenants+c.files)}, Environ: append([]string{}, c.environ...), Flags: c.flags})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if len(c.flags) > 0 && loaded.Database.URL.Reveal() != c.flags[0].Value {
					t.Error("the flag does nothing")
				}
				warnings := ""
				for _, w := range loaded.Warnings {
					warnings += w.String()
				}
				if !strings.Contains(warnings, c.warn) || c.warn == "" && warnings != "" {
					t.Errorf("warnings %q, want %q", warnings, c.warn)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestAVariableThatAFileReadsIsNotTakenForASetting(t *testing.T) {
	t.Parallel()
	c := mustRead(t, `
tenant "x" {
  display_name = "${env("TALLYMAN_LOG_NAME")}!"
  module "y" {
    settings {
      deep = { a = [env("TALLYMAN_TENANT_X_SECRET")] }
    }
  }
}`, "TALLYMAN_LOG_NAME=name", "TALLYMAN_TENANT_X_SECRET=hunter2")
	if len(c.Warnings) != 0 || c.Tenants[0].DisplayName != "name!" {
		t.Errorf("%+v", c)
	}
}

func TestAVariableThatCanMeanTwoThingsIsRefused(t *testing.T) {
	t.Parallel()
	_, err := read(t, `
tenant "x" {
  module "y-module-m" {}
  module "s" {}
  module "s-settings" {}
}
tenant "x-module-y" {
  module "m" {}
}`, "TALLYMAN_TENANT_X_MODULE_Y_MODULE_M_PLUGIN=p", "TALLYMAN_TENANT_X_MODULE_S_SETTINGS_SETTINGS_KEY=k")
	for _, want := range []string{
		"TALLYMAN_TENANT_X_MODULE_Y_MODULE_M_PLUGIN: can mean tenant.x-module-y.module.m.plugin or tenant.x.module.y-module-m.plugin",
		"TALLYMAN_TENANT_X_MODULE_S_SETTINGS_SETTINGS_KEY: can mean ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
