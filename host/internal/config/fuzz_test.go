// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// fromOutside is a secret that only the environment has.
const fromOutside = "q7Zk2vX9mLw4Tn8b"

// FuzzHCL reads any bytes as a configuration. Whatever they are: no crash, every problem has a place in the file, and
// what comes from the environment is in no message.
func FuzzHCL(f *testing.F) {
	cases, err := filepath.Glob("testdata/messages/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	examples, err := filepath.Glob("../../../configs/*.hcl")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(cases, examples...) {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(content), "\n----\n")
		f.Add([]byte(input))
		f.Add([]byte(strings.NewReplacer(`env("NOT_SET")`, `env("SECRET")`, `"hunter2"`, `env("SECRET")`).Replace(input)))
	}
	f.Add([]byte(tenConfigured))
	f.Add([]byte("log { level = env(\"SECRET\") }\nruns { lease = \"${env(\"SECRET\")}\" }"))
	environ := map[string]string{"SECRET": fromOutside, "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_SECRET": fromOutside}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := load("/", []string{"fuzz.hcl"}, [][]byte{content}, environ, nil)
		if err != nil {
			checkProblems(t, err, content)
			return
		}
		for _, tenant := range c.Tenants {
			if !nameForm.MatchString(tenant.Name) || tenant.Location == nil {
				t.Errorf("tenant %+v", tenant)
			}
			for _, m := range tenant.Modules {
				if !nameForm.MatchString(m.Name) || !nameForm.MatchString(m.Plugin) || m.Subscriptions.MissingRuns < 1 || m.Guards.MaxDeactivations < 0 {
					t.Errorf("module %+v", m)
				}
				settings, err := c.CheckSettings(m, fields())
				if err != nil {
					checkProblems(t, err, content)
				}
				for _, e := range append(settings.Entries(), c.WrittenSettings(m)...) {
					if e.Secret && strings.Contains(e.Text(), fromOutside) {
						t.Errorf("%s shows a secret", e.Key)
					}
				}
			}
		}
	})
}

// checkProblems checks that every problem has a place, and shows nothing from the environment.
func checkProblems(t *testing.T, err error, content []byte) {
	t.Helper()
	var wrong *Error
	if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
		t.Fatalf("%v is no list of problems", err)
	}
	text := err.Error()
	if strings.Contains(text, fromOutside) || !utf8.ValidString(text) {
		t.Errorf("the messages show a secret, or are no text:\n%q", text)
	}
	if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x9b }) {
		t.Errorf("a terminal would act on this:\n%q", text)
	}
	lines := strings.Count(string(content), "\n") + 1
	for _, p := range wrong.Problems {
		if p.Origin.Kind == FromEnv {
			continue
		}
		r := p.Origin.Range
		if p.Origin.Kind != FromFile || r.Filename != "fuzz.hcl" || r.Start.Line < 1 || r.Start.Line > lines+1 || r.Start.Column < 1 ||
			r.Start.Byte < 0 || r.Start.Byte > len(content) || r.End.Byte > len(content)+1 || p.Message == "" {
			t.Errorf("the problem has no place: %+v", p)
		}
	}
}

// FuzzResolveSettings turns a settings block and a variable into what goes over the wire to the plugin. Whatever they are:
// what is accepted fits the plugin's types and the wire, and what is refused is not quoted if it is secret.
func FuzzResolveSettings(f *testing.F) {
	for _, content := range []string{
		"client_id = \"x\"\nclient_secret = env(\"SECRET\")", `max_parallel = 1.0`, `rate = 1e300`, `rate = -0.000000001`, `timeout = "1h"`,
		`headers = { (env("SECRET")) = "x" }`, `headers = { a = 1, b = null }`, `agreements = ["a", null, [1]]`, "paths {\n customers = null\n}",
		`paths = { customers = { a = 1 } }`, `later = { a = [1] }`, `base_url = "https://[::1"`, `pin = 0x10`, `client_id = "\ud800"`, `client_id = "\u0000"`,
		`auth = { token = "${env("SECRET")}" }`, `region = <<-EOT
   emea
 EOT
`, `max_parallel = 9223372036854775808`, `fetch_prices = "true "`, `backup_secrets = [env("SECRET"), 2]`,
	} {
		f.Add(content, "REGION", "emea")
		f.Add(content, "HEADERS", `{"a":"b"}`)
		f.Add(content, "AGREEMENTS", `["a", "b"]`)
		f.Add(content, "RATE", "1e999")
	}
	const prefix = "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_"
	f.Fuzz(func(t *testing.T, content, name, value string) {
		environ := map[string]string{"SECRET": fromOutside, prefix + "AUTH_TOKEN": fromOutside, prefix + name: value}
		text := inSettings(content)
		c, err := load("/", []string{"fuzz.hcl"}, [][]byte{[]byte(text)}, environ, nil)
		if err != nil {
			checkProblems(t, err, []byte(text))
			return
		}
		for _, tenant := range c.Tenants {
			for _, m := range tenant.Modules {
				schema := fields()
				settings, err := c.ResolveSettings(m, schema)
				if err != nil {
					checkProblems(t, err, []byte(text))
					continue
				}
				wire := settings.Wire()
				for _, f := range schema {
					v, given := wire[f.Name]
					if f.Required && !given {
						t.Errorf("%s is required and missing", f.Name)
					}
					if given && !fits(f, v) {
						t.Errorf("%s is %v, which does not fit %v", f.Name, v, f.Type)
					}
				}
				if _, err := proto.Marshal(&distributorv1.ConfigureRequest{Settings: wire}); err != nil {
					t.Errorf("it does not go over the wire: %v", err)
				}
			}
		}
	})
}

// fits reports whether a value is of the kind that the contract has for a type, and not empty where it is required.
func fits(f Field, v *distributorv1.SettingValue) bool {
	switch v.GetKind().(type) {
	case *distributorv1.SettingValue_List:
		return f.Type == typeList || f.Type > typeMap
	case *distributorv1.SettingValue_Map:
		return f.Type == typeMap || f.Type > typeMap
	default:
		if f.Type == typeList || f.Type == typeMap || f.Required && strings.TrimSpace(v.GetText()) == "" {
			return false
		}
		_, message := f.scalar(v.GetText(), false)
		return message == ""
	}
}
