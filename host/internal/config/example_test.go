// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

const configs = "../../../configs/"

// rhipe builds the plugin, asks it for its settings and gives them.
func rhipe(t *testing.T) []config.Field {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, pluginhost.FileName("rhipe"))
	build := exec.Command("go", "build", "-o", path, "../../../plugins/rhipe")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	p, err := pluginhost.Launch(t.Context(), pluginhost.Spec{Name: "rhipe", Path: path, Dev: true, HostVersion: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	var fields []config.Field
	for _, s := range p.Description().Settings {
		fields = append(fields, config.Field{
			Name: s.Name, Type: s.Type, Required: s.Required, Secret: s.Secret, Default: s.Default, Choices: s.Choices, Help: s.Help, Example: s.Example,
		})
	}
	return fields
}

func load(t *testing.T, name string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Options{Paths: []string{configs + name}, Environ: append([]string{}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("%s has warnings: %v", name, c.Warnings)
	}
	return c
}

// values gives the entries by key.
func values(c *config.Config) map[string]config.Entry {
	all := map[string]config.Entry{}
	add := func(entries []config.Entry) {
		for _, e := range entries {
			all[e.Key] = e
		}
	}
	add(c.HostEntries())
	for _, t := range c.Tenants {
		add(c.TenantEntries(t))
		for _, m := range t.Modules {
			add(c.ModuleEntries(m))
		}
	}
	return all
}

func TestTheExampleHasEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	example, minimal := values(load(t, "example.hcl")), values(load(t, "minimal.hcl"))
	// What has no default that could be written.
	told := map[string]string{"plugins.directory": "bin/plugins", "tenant.acme.display_name": "Acme IT", "tenant.acme.module.rhipe.schedule.daily_at": "02:15"}
	if len(example) < 25 || len(example) != len(minimal) {
		t.Fatalf("%d and %d settings", len(example), len(minimal))
	}
	for key, e := range example {
		if e.Origin.Kind != config.FromFile {
			t.Errorf("the example lacks %s", key)
		}
		want := minimal[key].Value
		if text, ok := told[key]; ok {
			want = text
		}
		if !reflect.DeepEqual(e.Value, want) {
			t.Errorf("%s is %v in the example; its default is %v", key, e.Value, want)
		}
	}
}

func TestTheExampleHasEverySettingOfThePlugin(t *testing.T) {
	t.Parallel()
	fields := rhipe(t)
	environ := []string{"RHIPE_CLIENT_ID=id", "RHIPE_CLIENT_SECRET=secret"}
	example, minimal := load(t, "example.hcl", environ...), load(t, "minimal.hcl", environ...)
	settings, err := example.CheckSettings(example.Tenants[0].Modules[0], fields)
	if err != nil || len(settings.Warnings) > 0 {
		t.Fatalf("%v, %v", err, settings.Warnings)
	}
	fewer, err := minimal.ResolveSettings(minimal.Tenants[0].Modules[0], fields)
	if err != nil {
		t.Fatal(err)
	}
	wire, least := settings.Wire(), fewer.Wire()
	for _, f := range fields {
		i := slices.IndexFunc(settings.All(), func(s *config.Setting) bool { return s.Field.Name == f.Name })
		if i < 0 || settings.All()[i].Origin.Kind != config.FromFile {
			t.Errorf("the example lacks the plugin's setting %s", f.Name)
			continue
		}
		if f.Default != nil && wire[f.Name].GetText() != *f.Default {
			t.Errorf("%s is %q in the example; its default is %q", f.Name, wire[f.Name].GetText(), *f.Default)
		}
		if f.Default == nil && !f.Required && (wire[f.Name].GetText() != "" || len(wire[f.Name].GetList().GetValues()) > 0) {
			t.Errorf("%s is set in the example, and has no default", f.Name)
		}
		if f.Required && least[f.Name] == nil {
			t.Errorf("the smallest configuration lacks %s", f.Name)
		}
	}
}

func TestTheConfigurationsAreFormatted(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(configs + "*.hcl")
	if err != nil || len(paths) < 2 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if formatted := string(hclwrite.Format(content)); formatted != string(content) && runtime.GOOS != "windows" {
			was, is := strings.Split(string(content), "\n"), strings.Split(formatted, "\n")
			for i := range was {
				if was[i] != is[i] {
					t.Errorf("%s:%d is %q, formatted %q", path, i+1, was[i], is[i])
				}
			}
		}
	}
}
