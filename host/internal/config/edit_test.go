// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAModuleIsSwitchedAndTheRestOfTheFileKept(t *testing.T) {
	t.Parallel()
	required := []Field{
		{Name: "client_id", Type: typeText, Required: true, Help: "Client id from the portal: Customers, your own company, credentials, and then the button on the right.\nSecond line.", Example: "0a1b"},
		{Name: "client_secret", Type: typeText, Required: true, Secret: true, Help: "Client secret, shown once."},
		{Name: "agreements", Type: typeList, Required: true},
		{Name: "auth.token", Type: typeText, Required: true, Secret: true},
		{Name: "auth.realm", Type: typeText, Required: true},
		{Name: "parallel", Type: typeWhole, Required: true},
		{Name: "scope", Type: typeText},
	}
	for name, c := range map[string]struct {
		before string
		change Switch
		// after is empty where nothing is changed.
		after     string
		variables []string
	}{
		"new module": {
			before: "# mine\ntenant \"acme\" {\n  # also mine\n  module \"a\" { } # kept\n}\n# end",
			change: Switch{Tenant: "acme", Module: "rhipe", On: true, Fields: required},
			after: `# mine
tenant "acme" {
  # also mine
  module "a" { } # kept

  module "rhipe" {
    settings {
      # Client id from the portal: Customers, your own company, credentials, and then the button on the
      # right. Second line. For example "0a1b".
      client_id = ""
      # Client secret, shown once.
      client_secret = env("RHIPE_CLIENT_SECRET")
      agreements    = []
      auth {
        token = env("RHIPE_AUTH_TOKEN")
        realm = ""
      }
      parallel = null
    }
  }
}
# end`,
			variables: []string{"RHIPE_CLIENT_SECRET", "RHIPE_AUTH_TOKEN"},
		},
		"the other tenant's variable is not shared": {
			before: "tenant \"acme\" {\n  module \"rhipe\" {\n    settings { client_secret = env(\"RHIPE_CLIENT_SECRET\") }\n  }\n}\ntenant \"globex\" {\n}\n",
			change: Switch{Tenant: "globex", Module: "rhipe", On: true, Fields: required[1:2]},
			after: `tenant "acme" {
  module "rhipe" {
    settings { client_secret = env("RHIPE_CLIENT_SECRET") }
  }
}
tenant "globex" {
  module "rhipe" {
    settings {
      # Client secret, shown once.
      client_secret = env("GLOBEX_RHIPE_CLIENT_SECRET")
    }
  }
}
`,
			variables: []string{"GLOBEX_RHIPE_CLIENT_SECRET"},
		},
		"another plugin, unknown": {
			before:    "tenant \"acme\" {}",
			change:    Switch{Tenant: "acme", Module: "365", Plugin: "pax8", On: true},
			after:     "tenant \"acme\" {\n  module \"365\" {\n    plugin = \"pax8\"\n    settings {\n      # The plugin's own settings.\n    }\n  }\n}",
			variables: nil,
		},
		"a number first": {
			before:    "tenant \"acme\" {}",
			change:    Switch{Tenant: "acme", Module: "365", On: true, Fields: required[1:2]},
			after:     "tenant \"acme\" {\n  module \"365\" {\n    settings {\n      # Client secret, shown once.\n      client_secret = env(\"_365_CLIENT_SECRET\")\n    }\n  }\n}",
			variables: []string{"_365_CLIENT_SECRET"},
		},
		"tenant on one line": {
			before: "tenant \"acme\" { display_name = \"A\" } # x\n",
			change: Switch{Tenant: "acme", Module: "m", On: true, Fields: []Field{}},
			after:  "tenant \"acme\" {\n  display_name = \"A\"\n\n  module \"m\" {\n    settings {\n    }\n  }\n} # x\n",
		},
		"tabs and windows": {
			before: "tenant \"acme\" {\r\n\tdisplay_name = \"A\"\r\n}\r\n",
			change: Switch{Tenant: "acme", Module: "m", On: true, Fields: []Field{}},
			after:  "tenant \"acme\" {\r\n\tdisplay_name = \"A\"\r\n\r\n  module \"m\" {\r\n    settings {\r\n    }\r\n  }\r\n}\r\n",
		},
		"disable":              {before: "tenant \"acme\" {\n  module \"m\" { # here\n    # first\n    plugin = \"p\"\n  }\n}\n", change: Switch{Tenant: "acme", Module: "m"}, after: "tenant \"acme\" {\n  module \"m\" { # here\n    enabled = false\n    # first\n    plugin = \"p\"\n  }\n}\n"},
		"disable on one line":  {before: "tenant \"acme\" {\n  module \"m\" { plugin = \"p\" }\n}\n", change: Switch{Tenant: "acme", Module: "m"}, after: "tenant \"acme\" {\n  module \"m\" {\n    enabled = false\n    plugin = \"p\"\n  }\n}\n"},
		"disable an empty one": {before: "tenant \"acme\" {\n  module \"m\" {}\n}\n", change: Switch{Tenant: "acme", Module: "m"}, after: "tenant \"acme\" {\n  module \"m\" {\n    enabled = false\n  }\n}\n"},
		"enable again":         {before: "tenant \"acme\" {\n  module \"m\" {\n    enabled   =   false # why\n  }\n}\n", change: Switch{Tenant: "acme", Module: "m", On: true, Fields: required}, after: "tenant \"acme\" {\n  module \"m\" {\n    enabled   =   true # why\n  }\n}\n"},
		"on already":           {before: "tenant \"acme\" {\n  module \"m\" {}\n}\n", change: Switch{Tenant: "acme", Module: "m", On: true}},
		"on already, by name":  {before: "tenant \"acme\" {\n  module \"m\" { enabled = true }\n}\n", change: Switch{Tenant: "acme", Module: "m", Plugin: "m", On: true}},
		"off already":          {before: "tenant \"acme\" {\n  module \"m\" { enabled = false }\n}\n", change: Switch{Tenant: "acme", Module: "m"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := one(t, c.before)
			other := one(t, "log {}\n")
			got, err := SwitchModule([]string{other, path}, c.change)
			if err != nil {
				t.Fatal(err)
			}
			want := c.after
			if want == "" {
				want = c.before
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(text)); diff != "" {
				t.Errorf("the file (-want +got):\n%s", diff)
			}
			if got.File != path || got.Changed != (c.after != "") || !cmp.Equal(got.Variables, c.variables) {
				t.Errorf("it says %+v", got)
			}
			loaded, err := Load(Options{Paths: []string{path}, Environ: []string{}})
			if err != nil {
				t.Fatalf("the file is broken now: %v", err)
			}
			modules := loaded.Tenant(c.change.Tenant).Modules
			if m := modules[len(modules)-1]; m.Name != c.change.Module || m.On() != c.change.On {
				t.Errorf("the module is %+v", m)
			}
			// Once more is nothing more.
			if again, err := SwitchModule([]string{other, path}, c.change); err != nil || again.Changed {
				t.Errorf("once more: %+v, %v", again, err)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(entries) != 1 {
				t.Errorf("left in the folder: %v, %v", entries, err)
			}
		})
	}
}

func TestWhatCannotBeSwitchedIsLeftAlone(t *testing.T) {
	t.Parallel()
	const text = "tenant \"acme\" {\n  module \"rhipe\" {}\n  module \"odd\" { enabled = env(\"ON\") }\n}\n"
	for name, c := range map[string]struct {
		change Switch
		want   string
	}{
		"unknown tenant":         {Switch{Tenant: "acmee", Module: "rhipe", On: true}, `did you mean "acme"?`},
		"unknown tenant, far":    {Switch{Tenant: "globex", Module: "rhipe", On: true}, `write its block first: tenant "globex" { }`},
		"disable what is not":    {Switch{Tenant: "acme", Module: "rhpie"}, `tenant "acme" has no module "rhpie"; did you mean "rhipe"?`},
		"bad name":               {Switch{Tenant: "acme", Module: "Rhipe", On: true}, `"Rhipe" does not`},
		"no name":                {Switch{Tenant: "acme", On: true}, "does not"},
		"bad plugin":             {Switch{Tenant: "acme", Module: "x", Plugin: "../x", On: true}, `"../x" does not`},
		"another plugin":         {Switch{Tenant: "acme", Module: "rhipe", Plugin: "pax8", On: true}, "uses another plugin already"},
		"neither true nor false": {Switch{Tenant: "acme", Module: "odd"}, "tallyman.hcl:3:28 is neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := one(t, text)
			_, err := SwitchModule([]string{path}, c.change)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if after, _ := os.ReadFile(path); string(after) != text {
				t.Errorf("the file was changed:\n%s", after)
			}
		})
	}
	if _, err := SwitchModule([]string{one(t, "tenant {")}, Switch{Tenant: "a", Module: "b", On: true}); err == nil {
		t.Error("a broken file is no error")
	}
}

func TestAChangedFileKeepsItsPermissionsAndItsLink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such permissions on Windows")
	}
	path := one(t, "tenant \"acme\" {}\n")
	if err := os.Chmod(path, 0o640); err != nil { //nolint:gosec // this is what is tested
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.hcl")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := SwitchModule([]string{link}, Switch{Tenant: "acme", Module: "m", On: true}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err = os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if text, _ := os.ReadFile(path); !strings.Contains(string(text), `module "m"`) {
		t.Errorf("the file is:\n%s", text)
	}
}

func TestAPluginsTextsCannotBreakTheFile(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		var list []Field
		for range rapid.IntRange(0, 4).Draw(r, "fields") {
			list = append(list, Field{
				Name: rapid.String().Draw(r, "name"), Help: rapid.String().Draw(r, "help"), Example: rapid.String().Draw(r, "example"),
				Required: true, Secret: rapid.Bool().Draw(r, "secret"), Type: typeText,
			})
		}
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.hcl", n))
		if err := os.WriteFile(path, []byte("tenant \"acme\" {}\n"), 0o600); err != nil {
			r.Fatal(err)
		}
		if _, err := SwitchModule([]string{path}, Switch{Tenant: "acme", Module: "m", On: true, Fields: list}); err != nil {
			text, _ := os.ReadFile(path)
			r.Fatalf("%v\n%s", err, text)
		}
		c, err := Load(Options{Paths: []string{path}, Environ: []string{}})
		if err != nil || len(c.Tenants) != 1 || len(c.Tenants[0].Modules) != 1 {
			r.Fatalf("%v", err)
		}
	})
}
