// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// newConfig makes a shell whose configuration has one module with these settings.
func newConfig(t *testing.T, settings string) *shell {
	t.Helper()
	s := newShell(t, "https://prism.example", clientSecret)
	s.write("tallyman.hcl", fmt.Sprintf(`plugins { directory = %q }
tenant "acme" {
  module "rhipe" {
    settings {
%s
    }
  }
}
`, plugins, settings))
	return s
}

func TestConfigCheckTellsEveryMistakeInAPluginsSettings(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id             = 1
      client_secrt          = "hunter2"
      max_parallel          = "many"
      timeout               = 90
      azure_usage_month     = "never"
      fetch_prices          = "yes"
      api_base_url          = "prism"
      contract_agreement_ids = ["a", 2]
      paths                 = { tenant = "hunter2" }`)
	for _, args := range [][]string{{"config", "check"}, {"config", "check", "acme/rhipe"}, {"test", "acme/rhipe"}} {
		out := s.run(2, args...)
		s.wants(out, "10 problems",
			`tallyman.hcl:4:5: plugin "rhipe" needs the setting "client_secret"`,
			"tallyman.hcl:5:31: client_id must be text in quotes",
			`tallyman.hcl:6:7: plugin "rhipe" has no setting "client_secrt"`, `Did you mean "client_secret"?`,
			"tallyman.hcl:7:31: max_parallel must be a whole number",
			"tallyman.hcl:8:31: timeout must be a duration", `Write "90s" for seconds`,
			`tallyman.hcl:9:31: azure_usage_month must be "previous" or "current"`,
			"tallyman.hcl:10:31: fetch_prices must be true or false",
			"tallyman.hcl:11:31: api_base_url must be a URL",
			"tallyman.hcl:12:38: contract_agreement_ids entry 2 must be text",
			`tallyman.hcl:13:33: plugin "rhipe" has no setting "paths.tenant"`, "^^^^^^")
		if got, want := strings.Contains(out, `then run "tallyman config check"`), args[0] == "test"; got != want {
			t.Errorf("the hint to check is there: %v, want %v:\n%s", got, want, out)
		}
		if strings.Contains(out, "hunter2") {
			t.Errorf("a value that may be a secret is shown:\n%s", out)
		}
	}
	var told struct {
		Error    struct{ Code string }
		Problems []struct {
			Message string
			Origin  struct{ Line, Column int }
		}
	}
	if err := json.Unmarshal([]byte(s.run(2, "config", "check", "--json")), &told); err != nil {
		t.Fatal(err)
	}
	if told.Error.Code != "config.invalid" || len(told.Problems) != 10 || told.Problems[3].Origin.Line != 7 || told.Problems[3].Origin.Column != 31 {
		t.Errorf("in JSON: %+v", told)
	}
}

func TestConfigCheckTellsMissingVariablesApart(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id     = env("SURELY_NOT_SET_ID")
      client_secret = "in clear in the file"`)
	s.wants(s.run(0, "config", "check"), "tallyman.hcl:5:27: warning: environment variable SURELY_NOT_SET_ID is not set",
		"warning: client_secret is a secret and stands in the file in clear", "can be used, with 2 warnings: 1 tenant, 1 module")
	s.wants(s.run(2, "config", "check", "acme/rhipe"), "tallyman.hcl:5:27: environment variable SURELY_NOT_SET_ID is not set")
	s.wants(s.run(2, "config", "check", "acme/rhpe"), "there is no module acme/rhpe", `did you mean "acme/rhipe"?`)
	s.wants(s.run(2, "config", "check", "acme"), "tallyman.hcl:5:27: environment variable SURELY_NOT_SET_ID is not set")
	s.wants(s.run(2, "config", "check", "acne"), `there is no tenant "acne"`, `did you mean "acme"?`)
	s.wants(s.run(0, "config", "show", "acme/rhipe"), "settings.client_id\t(not set)", "settings.contract_agreement_ids\t(not set)", "settings.client_secret\t***")
	if strings.Contains(s.all.String(), "in clear in the file\"") {
		t.Error("the secret was printed")
	}
}

func TestConfigCheckLetsThePluginLookAtItsSettings(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id     = "x"
      client_secret = file("secret")
      max_parallel  = 99
      retry_wait    = "5m"`)
	s.wants(s.run(2, "config", "check", "acme/rhipe"), "2 problems", `tallyman.hcl:7:23: plugin "rhipe" refuses max_parallel: is 99; it must be 1 to 16`, "7 |       max_parallel  = 99",
		`tallyman.hcl:8:23: plugin "rhipe" refuses retry_wait`)
	s.wants(s.run(0, "config", "check"), "is in order")
	s.wants(s.run(0, "config", "check", "acme/rhipe", "--set", "tenant.acme.module.rhipe.settings.max_parallel=4", "--set", "tenant.acme.module.rhipe.settings.retry_wait=1s"),
		"The settings of acme/rhipe are in order.")
	s.wants(s.run(0, "config", "check", "acme", "--set", "tenant.acme.module.rhipe.settings.max_parallel=4", "--set", "tenant.acme.module.rhipe.settings.retry_wait=1s"),
		"The settings of acme are in order.")
	s.wants(s.run(2, "config", "check", "acme/rhipe", "--set", "tenant.acme.module.rhipe.settings.client_secret=x"), "everybody on this machine can read command lines")
}

func TestConfigCheckDoesWithoutThePlugin(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_secrt = "x"`)
	if err := os.Remove(s.dir + "/tallyman.lock"); err != nil {
		t.Fatal(err)
	}
	s.wants(s.run(0, "config", "check"), `the settings of plugin "rhipe" are not checked`, "is not in the lock file", `If you trust the file, run "tallyman plugin lock rhipe".`, "with 1 warning")
	out := s.run(0, "config", "show", "acme/rhipe")
	s.wants(out, `the values of plugin "rhipe"'s settings are not shown`, "settings.client_secrt\t***")
}

func TestConfigShowHasEveryValueAndItsOrigin(t *testing.T) {
	t.Setenv("TALLYMAN_TENANT_ACME_TIME_ZONE", "Australia/Sydney")
	t.Setenv("TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_SCOPE", "mine")
	t.Setenv("SHOWN_CLIENT_ID", clientID)
	s := newConfig(t, `      client_id     = env("SHOWN_CLIENT_ID")
      client_secret = file("secret")`)
	out := s.run(0, "config", "show", "--log-level", "error", "--set", "runs.timeout=30m")
	for _, line := range []string{
		"Key\tValue\tFrom",
		"database.url\tsqlite:tallyman.db\tdefault",
		"log.level\terror\tflag --log-level",
		"runs.timeout\t30m\tflag --set",
		"tenant.acme.time_zone\tAustralia/Sydney\tenv TALLYMAN_TENANT_ACME_TIME_ZONE",
		"tenant.acme.module.rhipe.customers.unmatched\thold\tdefault",
		"tenant.acme.module.rhipe.settings.client_id\t" + clientID + "\t" + s.config + ":5:23, env SHOWN_CLIENT_ID",
		"tenant.acme.module.rhipe.settings.client_secret\t***\t" + s.config + ":6:23, file secret",
		"tenant.acme.module.rhipe.settings.scope\tmine\tenv TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_SCOPE",
		"tenant.acme.module.rhipe.settings.paths.me\t/api/v1/me\tdefault",
	} {
		if !strings.Contains("\n"+out, "\n"+line+"\n") {
			t.Errorf("the output lacks the line %q:\n%s", line, out)
		}
	}
	var entries []struct {
		Key    string
		Value  any
		Secret bool
		Origin struct {
			Kind, Name, File string
			Line             int
		}
	}
	if err := json.Unmarshal([]byte(s.run(0, "config", "show", "acme/rhipe", "--json")), &entries); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		switch e.Key {
		case "tenant.acme.module.rhipe.settings.client_secret":
			found++
			if e.Value != "***" || !e.Secret || e.Origin.Kind != "file" || e.Origin.Line != 6 || e.Origin.Name != "file secret" {
				t.Errorf("the secret is %+v", e)
			}
		case "tenant.acme.module.rhipe.enabled":
			found++
			if e.Value != true || e.Origin.Kind != "default" {
				t.Errorf("enabled is %+v", e)
			}
		case "database.url":
			t.Error("the module's values have the host's")
		}
	}
	if found != 2 {
		t.Errorf("the values are %+v", entries)
	}
	s.wants(s.run(2, "config", "show", "globex"), `there is no tenant "globex"`)
	if strings.Contains(s.all.String(), clientSecret) {
		t.Error("the secret was printed")
	}
}

func TestWrongFlagsAndVariablesAreToldAsSuch(t *testing.T) {
	s := newConfig(t, `      client_id = "x"`)
	t.Setenv("TALLYMAN_LOG_LEVLE", "info")
	s.wants(s.run(2, "module", "list", "--log-level", "loud", "--set", "logs.level=info"), "3 problems",
		"env TALLYMAN_LOG_LEVLE: this variable means no setting", "Did you mean TALLYMAN_LOG_LEVEL?",
		"flag --log-level: log.level must be", `flag --set: there is no setting "logs.level"`, `Did you mean "log.level"?`)
	if out := s.run(2, "module", "list", "--set", "logs.level=info"); strings.Contains(out, "Mend the lines") {
		t.Errorf("a flag is not in the lines of a file:\n%s", out)
	}
	s.wants(s.run(2, "module", "list", "--set", "logs.level"), "--set takes key=value")
}

func TestModuleEnableWritesWhatThePluginRequires(t *testing.T) {
	t.Parallel()
	s := newShell(t, "https://prism.example", clientSecret)
	s.wants(s.run(0, "module", "enable", "acme", "rhipe-nz", "--plugin", "rhipe"), "acme/rhipe-nz is enabled in", "set RHIPE_NZ_CLIENT_SECRET", `then run "tallyman test acme/rhipe-nz"`)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  module \"rhipe-nz\" {\n    plugin = \"rhipe\"\n    settings {\n      # Client id from PRISM", "      client_id = \"\"\n",
		"      # Client secret, shown once when", "      client_secret = env(\"RHIPE_NZ_CLIENT_SECRET\")\n    }\n  }\n}\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file lacks %q:\n%s", want, text)
		}
	}
	s.wants(s.run(2, "test", "acme/rhipe-nz"), "client_id is required, and is empty", "environment variable RHIPE_NZ_CLIENT_SECRET is not set")
	s.wants(s.run(0, "module", "enable", "acme", "rhipe-nz"), "is enabled already")
	s.wants(s.run(0, "module", "disable", "acme", "rhipe-nz"), "is disabled in")
	s.wants(s.run(2, "test", "acme/rhipe-nz"), "client_id is required")
	s.wants(s.run(2, "plan", "acme/rhipe-nz"), "is disabled")
	s.wants(s.run(0, "module", "enable", "acme", "rhipe-nz"), "is enabled in")
	s.wants(s.run(0, "module", "enable", "acme", "pax8"), `Warning: plugin "pax8" is not installed in `, "so only the block was written", "acme/pax8 is enabled in")
	s.wants(s.run(0, "module", "disable", "acme/pax8"), "acme/pax8 is disabled in")
	s.wants(s.run(0, "module", "enable", "acme/pax8"), "acme/pax8 is enabled in")
	s.wants(s.run(2, "module", "enable", "acme"), `"acme" is not a module; write it as tenant/module, such as acme/rhipe`)
	s.wants(s.run(2, "module", "enable"), "TENANT/MODULE is missing", "Usage: tallyman module enable TENANT/MODULE", "Example: tallyman module enable acme/rhipe")
	s.wants(s.run(2, "module", "disable", "acme", "paxx8"), `did you mean "pax8"?`)
	s.wants(s.run(2, "module", "enable", "acne", "rhipe"), `did you mean "acme"?`)
}

func TestPluginListTellsTheStateInAWord(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id = "x"`)
	if out := s.run(0, "plugin", "list"); !strings.HasSuffix(out, "\tlocked\n") {
		t.Errorf("a locked plugin is listed as\n%s", out)
	}
	lock, err := os.ReadFile(s.dir + "/tallyman.lock")
	if err != nil {
		t.Fatal(err)
	}
	var changed struct {
		Plugins map[string]struct {
			SHA256 map[string]string `json:"sha256"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal(lock, &changed); err != nil {
		t.Fatal(err)
	}
	text := string(lock)
	for _, sum := range changed.Plugins["rhipe"].SHA256 {
		text = strings.ReplaceAll(text, sum, strings.Repeat("0", len(sum)))
	}
	s.write("tallyman.lock", text)
	s.wants(s.run(0, "plugin", "list"), "\tchanged\n", "is not the file that was locked", "->")
	if err := os.Remove(s.dir + "/tallyman.lock"); err != nil {
		t.Fatal(err)
	}
	s.wants(s.run(0, "plugin", "list"), "\tnot locked\n", "is not in the lock file", `run "tallyman plugin lock rhipe"`)
	s.wants(s.run(0, "plugin", "list", "--json"), `"state": "not locked"`, `"problem": "plugin`)
	s.write("tallyman.hcl", fmt.Sprintf("plugins { directory = %q }\n", t.TempDir()))
	s.wants(s.run(1, "plugin", "lock"), "there are no plugins in", "Set plugins.directory to where they are")
}

func TestWhatIsMissingIsNamedWithAnExample(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id = "x"`)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"mappings", "add", "acme/rhipe", "x"}, []string{"Error: CUSTOMER is missing\n", "Usage: tallyman mappings add", "Example: tallyman mappings add acme/rhipe "}},
		{[]string{"mappings", "add", "acme/rhipe"}, []string{"DISTRIBUTOR-CUSTOMER and CUSTOMER are missing"}},
		{[]string{"sync"}, []string{"TENANT[/MODULE] is missing", "Example: tallyman sync acme"}},
		{[]string{"runs", "show", "3", "4"}, []string{`"4" is too much`}},
		{[]string{"db", "status", "now"}, []string{`"now" is too much: the command takes flags only`}},
		{[]string{"config", "show", "a", "b"}, []string{`"b" is too much`}},
	} {
		s.wants(s.run(2, test.args...), test.want...)
	}
}

func TestTheFlagsOfAllFitATerminal(t *testing.T) {
	t.Parallel()
	s := newConfig(t, `      client_id = "x"`)
	for _, command := range []string{
		"", "test", "plan", "sync", "status", "doctor", "approve", "reject", "mappings list", "mappings generate", "mappings add", "mappings remove",
		"customers list", "customers show", "customers import", "subscriptions list", "runs list", "runs show", "runs export", "changes",
		"tenant list", "module list", "module enable", "module disable", "plugin list", "plugin lock", "config check", "config show",
		"db migrate", "db status", "db backup", "db restore", "db prune", "version",
	} {
		out := s.run(0, append(strings.Fields(command), "--help")...)
		s.wants(out, "--config PATH", "--set KEY=VALUE", "--log-level LEVEL", "Usage:\n  tallyman "+command)
		for line := range strings.Lines(out) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
				t.Errorf("%s: longer than 80 columns: %s", command, line)
			}
		}
	}
	s.wants(s.run(0, "--help"), "First steps: tallyman plugin lock, tallyman config check")
}
