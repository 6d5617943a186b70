// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// inSettings wraps a settings block's content into a configuration.
func inSettings(content string) string {
	return "tenant \"acme\" {\n  module \"rhipe\" {\n    settings {\n" + content + "\n    }\n  }\n}\n"
}

// plain gives what goes to the plugin without the contract's types.
func plain(s *Settings) map[string]any {
	out := map[string]any{}
	for name, v := range s.Wire() {
		switch kind := v.GetKind().(type) {
		case *distributorv1.SettingValue_Text:
			out[name] = kind.Text
		case *distributorv1.SettingValue_List:
			out[name] = append([]string{}, kind.List.GetValues()...)
		case *distributorv1.SettingValue_Map:
			m := map[string]string{}
			maps.Copy(m, kind.Map.GetValues())
			out[name] = m
		}
	}
	return out
}

func TestSettingsOfEveryTypeReachThePlugin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		environ []string
		want    map[string]any
	}{
		"defaults": {`client_id = "i"
client_secret = "s"`, nil, map[string]any{}},
		"text":                       {`client_id = " a\tb – ü "`, nil, map[string]any{"client_id": " a\tb – ü "}},
		"text of several lines":      {"client_id = <<EOT\none\ntwo\nEOT", nil, map[string]any{"client_id": "one\ntwo\n"}},
		"text from parts":            {`client_id = "a-${env("E")}-b"`, []string{"E=x"}, map[string]any{"client_id": "a-x-b"}},
		"dollar":                     {`client_id = "$${x} %%{y} $5"`, nil, map[string]any{"client_id": "${x} %{y} $5"}},
		"whole number":               {`max_parallel = 16`, nil, map[string]any{"max_parallel": "16"}},
		"large whole number":         {`max_parallel = 9223372036854775807`, nil, map[string]any{"max_parallel": "9223372036854775807"}},
		"negative":                   {`max_parallel = -3`, nil, map[string]any{"max_parallel": "-3"}},
		"whole number as text":       {`max_parallel = "16"`, nil, map[string]any{"max_parallel": "16"}},
		"whole number from outside":  {`max_parallel = env("E")`, []string{"E=7"}, map[string]any{"max_parallel": "7"}},
		"decimal is exact":           {`rate = 0.1`, nil, map[string]any{"rate": "0.1"}},
		"decimal of many digits":     {`rate = 12345678901234567890.123456789`, nil, map[string]any{"rate": "12345678901234567890.123456789"}},
		"decimal as text":            {`rate = "1.50"`, nil, map[string]any{"rate": "1.50"}},
		"true":                       {`fetch_prices = true`, nil, map[string]any{"fetch_prices": "true"}},
		"true from outside":          {`fetch_prices = env("E")`, []string{"E=true"}, map[string]any{"fetch_prices": "true"}},
		"duration":                   {`timeout = "1m30s"`, nil, map[string]any{"timeout": "1m30s"}},
		"url":                        {`base_url = "http://localhost:8080/x"`, nil, map[string]any{"base_url": "http://localhost:8080/x"}},
		"choice":                     {`region = "emea"`, nil, map[string]any{"region": "emea"}},
		"list":                       {`agreements = ["a", env("E")]`, []string{"E=b"}, map[string]any{"agreements": []string{"a", "b"}}},
		"empty list":                 {`agreements = []`, nil, map[string]any{"agreements": []string{}}},
		"map":                        {`headers = { a = "1", "b.c" = "${env("E")}" }`, []string{"E=2"}, map[string]any{"headers": map[string]string{"a": "1", "b.c": "2"}}},
		"empty map":                  {`headers = {}`, nil, map[string]any{"headers": map[string]string{}}},
		"group as object":            {`paths = { customers = "/c" }`, nil, map[string]any{"paths.customers": "/c"}},
		"group as block":             {"paths {\n tenants = \"/t\"\n}", nil, map[string]any{"paths.tenants": "/t"}},
		"null is absent":             {"region = null\nauth = null\npaths = { tenants = null }", nil, map[string]any{}},
		"unknown type":               {`later = 1.5`, nil, map[string]any{"later": "1.5"}},
		"unknown type, list":         {`later = ["a"]`, nil, map[string]any{"later": []string{"a"}}},
		"not normalised":             {`client_id = env("E")`, []string{"E=e\u0301"}, map[string]any{"client_id": "e\u0301"}},
		"variable":                   {``, []string{"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION=emea"}, map[string]any{"region": "emea"}},
		"variable wins":              {`region = "apac"`, []string{"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION=emea"}, map[string]any{"region": "emea"}},
		"variable for a member":      {`paths = { customers = "/c", tenants = "/t" }`, []string{"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_PATHS_CUSTOMERS=/v"}, map[string]any{"paths.customers": "/v", "paths.tenants": "/t"}},
		"variable with a list":       {``, []string{"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_AGREEMENTS=a, b"}, map[string]any{"agreements": []string{"a", "b"}}},
		"variable with a JSON list":  {``, []string{`TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_AGREEMENTS=["a,b"]`}, map[string]any{"agreements": []string{"a,b"}}},
		"variable with a map":        {``, []string{`TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_HEADERS={"a":"b"}`}, map[string]any{"headers": map[string]string{"a": "b"}}},
		"variable with a secret":     {``, []string{`TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_SECRET=other`}, map[string]any{"client_secret": "other"}},
		"variable is not evaluated":  {``, []string{`TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_ID=env("E")`}, map[string]any{"client_id": `env("E")`}},
		"variable beats a bad value": {`client_id = env("NOT_SET")`, []string{`TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_ID=x`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := c.content
			for _, required := range []string{"client_id", "client_secret"} {
				if !strings.Contains(content, required+" ") {
					content += "\n" + required + " = \"given\""
				}
			}
			loaded := mustRead(t, inSettings(content), c.environ...)
			settings, err := loaded.ResolveSettings(loaded.Tenants[0].Modules[0], fields())
			if c.want == nil {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"client_id": "given", "client_secret": "given", "region": "apac", "base_url": "https://api.example.com", "max_parallel": "2", "rate": "0.5",
				"fetch_prices": "false", "timeout": "2m", "paths.customers": "/customers", "paths.tenants": "/tenants",
			}
			if name == "defaults" {
				want["client_id"], want["client_secret"] = "i", "s"
			}
			maps.Copy(want, c.want)
			if diff := cmp.Diff(want, plain(settings)); diff != "" {
				t.Errorf("the plugin gets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverridesOfSettingsAreChecked(t *testing.T) {
	t.Parallel()
	const variable = "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_"
	const key = "tenant.acme.module.rhipe.settings."
	for name, c := range map[string]struct {
		environ []string
		flags   []Flag
		want    string
	}{
		"unknown variable": {environ: []string{variable + "CLIENT_SECRT=hunter2"}, want: "env " + variable + "CLIENT_SECRT: plugin \"rhipe\" has no setting \"client_secrt\"\n  Did you mean " + variable + "CLIENT_SECRET?"},
		"wrong type":       {environ: []string{variable + "MAX_PARALLEL=hunter2"}, want: "env " + variable + "MAX_PARALLEL: max_parallel must be a whole number"},
		"wrong choice":     {environ: []string{variable + "REGION=hunter2"}, want: `region must be "apac" or "emea"`},
		"wrong list":       {environ: []string{variable + `AGREEMENTS=["hunter2`}, want: `must be a list: one,two or ["one","two"]`},
		"wrong map":        {environ: []string{variable + `HEADERS=hunter2`}, want: `must be JSON: {"name": "text"}`},
		"not UTF-8":        {environ: []string{variable + "CLIENT_ID=hunter2\xff"}, want: "client_id must be UTF-8 text"},
		"empty":            {environ: []string{variable + "CLIENT_ID="}, want: "client_id is required, and is empty"},
		"unknown flag":     {flags: []Flag{{"--set", key + "path.customers", "hunter2"}}, want: "flag --set: plugin \"rhipe\" has no setting \"path.customers\"\n  Did you mean \"paths.customers\"?"},
		"secret flag":      {flags: []Flag{{"--set", key + "client_secret", "hunter2"}}, want: "client_secret is a secret, and everybody on this machine can read command lines\n  Use the variable " + variable + "CLIENT_SECRET."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loaded, err := Load(Options{Paths: []string{one(t, inSettings("client_id = \"x\"\nclient_secret = \"y\""))}, Environ: append([]string{}, c.environ...), Flags: c.flags})
			if err != nil {
				t.Fatal(err)
			}
			_, err = loaded.ResolveSettings(loaded.Tenants[0].Modules[0], fields())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestASettingThatTwoNamesSpellAlikeIsRefused(t *testing.T) {
	t.Parallel()
	c := mustRead(t, inSettings(""), "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_A_B=x")
	_, err := c.ResolveSettings(c.Tenants[0].Modules[0], []Field{{Name: "a.b"}, {Name: "a_b"}})
	if err == nil || !strings.Contains(err.Error(), "can mean a.b or a_b") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsMissingMattersOnlyWhereItIsUsed(t *testing.T) {
	t.Parallel()
	c := mustRead(t, `
tenant "acme" {
  module "here" {
    settings { token = env("HERE") }
  }
  module "missing" {
    plugin = env("NO_PLUGIN")
    customers { top_level = file("no-such-file") }
    settings { token = env("NO_TOKEN") }
  }
  module "bad" {
    settings { tokn = 1 }
  }
}`, "HERE=x")
	token := []Field{{Name: "token", Type: typeText, Required: true}}
	modules := c.Tenants[0].Modules
	if s, err := c.ResolveSettings(modules[0], token); err != nil || s.Wire()["token"].GetText() != "x" {
		t.Errorf("a module that misses nothing: %v", err)
	}
	_, err := c.ResolveSettings(modules[1], token)
	for _, want := range []string{"tallyman.hcl:7:18: environment variable NO_PLUGIN is not set", `tallyman.hcl:8:34: file "no-such-file" does not exist`, "tallyman.hcl:9:28: environment variable NO_TOKEN is not set"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	// A look at the configuration warns, and still finds mistakes.
	s, err := c.CheckSettings(modules[1], token)
	if err != nil || len(s.Warnings) != 3 || len(s.Wire()) != 0 || s.Entries()[0].Text() != "(not set)" {
		t.Errorf("a look gives %v, %v", s.Warnings, err)
	}
	if _, err := c.CheckSettings(modules[2], token); err == nil || len(problems(t, err)) != 2 {
		t.Errorf("a look at a wrong module: %v", err)
	}
}

func TestFilesAreReadFromTheFolderOfTheFileThatNamesThem(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a/a.hcl":            "tenant \"a\" {\n  module \"m\" {\n    settings { token = file(\"secret\") }\n  }\n}\n",
		"a/secret":           "from a\r\n\n",
		"b/b.hcl":            "tenant \"b\" {\n  module \"m\" {\n    settings { token = file(\"secrets/mine\") }\n  }\n}\n",
		"b/secrets/mine":     "\xef\xbb\xbf from b ",
		"c/c.hcl":            "tenant \"c\" {\n  module \"m\" {\n    settings { token = file(\"large\") }\n  }\n  module \"n\" {\n    settings { token = file(\"binary\") }\n  }\n  module \"o\" {\n    settings { token = file(\"largest\") }\n  }\n}\n",
		"c/large":            strings.Repeat("x", maxReference+1),
		"c/largest":          strings.Repeat("x", maxReference),
		"c/binary":           "\xff\xfe\x00",
		"unused/nothing.hcl": "",
	})
	c, err := Load(Options{Paths: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")}, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	token := []Field{{Name: "token", Type: typeText, Secret: true}}
	for i, want := range []string{"from a", " from b "} {
		s, err := c.ResolveSettings(c.Tenants[i].Modules[0], token)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Wire()["token"].GetText(); got != want {
			t.Errorf("the secret is %q, want %q", got, want)
		}
	}
	for i, want := range []string{`file "large" is larger than 64 KiB`, `file "binary" does not hold UTF-8 text`, ""} {
		_, err := c.ResolveSettings(c.Tenants[2].Modules[i], token)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestASecretFileThatEverybodyMayReadIsWarnedOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such permissions on Windows")
	}
	dir := write(t, map[string]string{
		"t.hcl":  inSettings("client_id = file(\"open\")\nclient_secret = file(\"open\")\nauth = { token = file(\"closed\") }"),
		"open":   "x",
		"closed": "y",
	})
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil { //nolint:gosec // this is what is tested
		t.Fatal(err)
	}
	c, err := Load(Options{Paths: []string{dir}, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.ResolveSettings(c.Tenants[0].Modules[0], fields())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].String(), `t.hcl:5:22: warning: everybody on this machine may read file "open"`) ||
		!strings.Contains(s.Warnings[0].Hint, "chmod 600 "+filepath.Join(dir, "open")) {
		t.Errorf("warnings: %v", s.Warnings)
	}
}

func TestWhatAPluginRefusesHasItsPlace(t *testing.T) {
	t.Parallel()
	c := mustRead(t, inSettings("client_id = \"x\"\nclient_secret = \"hunter2\"\nmax_parallel = 99")+"tenant \"b\" {\n  module \"bare\" {}\n}\n",
		"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION=emea")
	s, err := c.ResolveSettings(c.Tenants[0].Modules[0], fields())
	if err != nil {
		t.Fatal(err)
	}
	bare, _ := c.ResolveSettings(c.Tenants[1].Modules[0], []Field{{Name: "x"}})
	for _, step := range []struct {
		settings *Settings
		field    string
		want     string
	}{
		{s, "max_parallel", "tallyman.hcl:6:16: plugin \"rhipe\" refuses max_parallel: too much\n  6 | max_parallel = 99\n    |                ^^\n  Less."},
		{s, "client_secret", "tallyman.hcl:5:17: plugin \"rhipe\" refuses client_secret: too much\n  5 | client_secret = ***\n    |                 ^^^\n  Less."},
		{s, "rate", "tallyman.hcl:3:5: plugin \"rhipe\" refuses rate: too much\n  3 |     settings {\n    |     ^^^^^^^^\n  Less."},
		{s, "", "tallyman.hcl:3:5: plugin \"rhipe\" refuses its settings: too much\n  3 |     settings {\n    |     ^^^^^^^^\n  Less."},
		{s, "no such field", "tallyman.hcl:3:5: plugin \"rhipe\" refuses no such field: too much\n  3 |     settings {\n    |     ^^^^^^^^\n  Less."},
		{s, "region", "env TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION: plugin \"rhipe\" refuses region: too much\n  Less."},
		{bare, "x", "tallyman.hcl:11:3: plugin \"bare\" refuses x: too much\n  11 |   module \"bare\" {}\n     |   ^^^^^^^^^^^^^\n  Less."},
	} {
		if got := problems(t, step.settings.Refuse(c, step.field, "too much", "Less."))[0]; got != step.want {
			t.Errorf("about %q:\n%s\nwant:\n%s", step.field, got, step.want)
		}
	}
}

func TestThePluginsOwnMistakesAreItsOwn(t *testing.T) {
	t.Parallel()
	bad := "many"
	c := mustRead(t, inSettings(""))
	s, err := c.ResolveSettings(c.Tenants[0].Modules[0], []Field{{Name: "n", Type: typeWhole, Default: &bad}, {Name: "n", Type: typeText, Required: true}, {Name: ""}, {Name: "..", Required: false}})
	if err != nil || s.Wire()["n"].GetText() != "many" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestShownValuesHaveTheirOrigin(t *testing.T) {
	t.Parallel()
	c := mustRead(t, inSettings(`client_id     = env("ID")
client_secret = env("NOT_SET")
headers       = { b = "2", a = "1" }
agreements    = ["one", "two"]
auth          = { token = "hunter2" }
later         = file("nowhere")`), "ID=visible", "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION=emea", "TALLYMAN_TENANT_ACME_TIME_ZONE=Asia/Tokyo")
	m := c.Tenants[0].Modules[0]
	s, err := c.CheckSettings(m, fields())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries := append(c.HostEntries(), c.TenantEntries(c.Tenants[0])...)
	entries = append(append(entries, c.ModuleEntries(m)...), s.Entries()...)
	for _, e := range entries {
		e.Origin.Range.Filename = filepath.Base(e.Origin.Range.Filename)
		got[strings.TrimPrefix(e.Key, "tenant.acme.module.rhipe.")] = e.Text() + " < " + e.Origin.String()
	}
	for key, want := range map[string]string{
		"database.url":           "sqlite:tallyman.db < default",
		"runs.timeout":           "2h < default",
		"tenant.acme.time_zone":  "Asia/Tokyo < env TALLYMAN_TENANT_ACME_TIME_ZONE",
		"plugin":                 "rhipe < default",
		"customers.unmatched":    "hold < default",
		"schedule.daily_at":      " < default",
		"settings.client_id":     "visible < tallyman.hcl:4:17, env ID",
		"settings.client_secret": "(not set) < tallyman.hcl:5:17, env NOT_SET",
		"settings.later":         "(cannot be read here) < tallyman.hcl:9:17, file nowhere",
		"settings.pin":           "(not set) < default",
		"settings.headers":       "{a = 1, b = 2} < tallyman.hcl:6:17",
		"settings.agreements":    "[one, two] < tallyman.hcl:7:17",
		"settings.auth.token":    "*** < tallyman.hcl:8:27",
		"settings.region":        "emea < env TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_REGION",
		"settings.rate":          "0.5 < default",
	} {
		if got[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, got[key], want)
		}
	}
	for _, e := range c.WrittenSettings(m) {
		if strings.HasSuffix(e.Key, ".client_secret") {
			if e.Text() != "(not set)" {
				t.Errorf("without the plugin, %s is %s", e.Key, e.Text())
			}
		} else if e.Value != hidden {
			t.Errorf("without the plugin, %s is shown", e.Key)
		}
	}
}

func TestAConfigurationIsUsedByManyAtOnce(t *testing.T) {
	t.Parallel()
	c := mustRead(t, inSettings("client_id = \"x\"\nclient_secret = env(\"SECRET\")\nmax_parallel = \"many\""), "SECRET=s")
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = c.ResolveSettings(c.Tenants[0].Modules[0], fields()) })
	}
	wait.Wait()
	for _, err := range errs {
		if err == nil || err.Error() != errs[0].Error() {
			t.Errorf("%v differs from %v", err, errs[0])
		}
	}
}
