// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// newEarlier installs a plugin that was built with the SDK of the first days, for the host versions it names.
func newEarlier(t *testing.T, hostVersions string) *vendor {
	t.Helper()
	v := &vendor{t, filepath.Join("testdata", "earlier")}
	dir := t.TempDir()
	v.run(0, "go", "build", "-ldflags", fmt.Sprintf("-X 'main.hostVersions=%s'", hostVersions),
		"-o", filepath.Join(dir, "plugins", "tallyman-plugin-earlier")+exe(), "./plugin")
	v.dir = dir
	text := `
plugins { directory = "plugins" }
tenant "acme" {
  module "earlier" {
    settings { key = "open-sesame" }
    customers { unmatched = "create" }
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "tallyman.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return v
}

// What is promised to vendors: a plugin that works goes on working with later hosts.
func TestAPluginOfAnEarlierSDKWorks(t *testing.T) {
	t.Parallel()
	v := newEarlier(t, "")
	v.tallyman(0, "plugin", "lock")
	v.tallyman(0, "test", "acme/earlier")
	v.tallyman(0, "sync", "acme/earlier")
	out, _ := v.tallyman(0, "subscriptions", "list", "acme")
	if !strings.Contains(out, "Contoso") || !strings.Contains(out, "Mail") || !strings.Contains(out, "25") || !strings.Contains(out, "Earlier") {
		t.Errorf("the subscription is not there:\n%s", out)
	}
	out, _ = v.tallyman(0, "sync", "acme/earlier")
	if !strings.Contains(out, "no change") {
		t.Errorf("the second run changes something:\n%s", out)
	}
	report := v.report(0, filepath.Join("plugins", "tallyman-plugin-earlier")+exe(), "--settings", "tallyman.hcl")
	for _, rule := range []string{"describe.alone", "configure.required", "listing.counts", "listing.truth", "drain.exits", "process.orphan"} {
		if got := outcome(report, rule); got != sdktest.Passed {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

func TestSeveralVersionsOfAPluginWorkSideBySide(t *testing.T) {
	t.Parallel()
	v := newEarlier(t, "")
	newer := filepath.Join(v.dir, "plugins", "tallyman-plugin-earlier@1.1.0"+exe())
	source := &vendor{t, filepath.Join("testdata", "earlier")}
	source.run(0, "go", "build", "-ldflags", "-X main.version=1.1.0", "-o", newer, "./plugin")
	text := `
plugins { directory = "plugins" }
tenant "acme" {
  module "earlier" {
    settings { key = "open-sesame" }
  }
  module "newer" {
    plugin = "earlier@1.1.0"
    settings { key = "open-sesame" }
  }
}
`
	if err := os.WriteFile(filepath.Join(v.dir, "tallyman.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := v.tallyman(0, "plugin", "lock")
	if !strings.Contains(out, "earlier 1.0.0 is locked") || !strings.Contains(out, "earlier@1.1.0 1.1.0 is locked") {
		t.Errorf("not both are locked:\n%s", out)
	}
	v.tallyman(0, "test", "acme/earlier")
	v.tallyman(0, "test", "acme/newer")
	v.tallyman(0, "config", "check")
	if err := os.Rename(newer, strings.Replace(newer, "1.1.0", "1.2.0", 1)); err != nil {
		t.Fatal(err)
	}
	if _, errOut := v.tallyman(1, "plugin", "lock"); !strings.Contains(errOut, "named after version 1.2.0") {
		t.Errorf("a file with another version's name is locked:\n%s", errOut)
	}
}

func TestAPluginThatDemandsANewerHostIsAskedNothingElse(t *testing.T) {
	t.Parallel()
	v := newEarlier(t, ">= 99.0")
	for _, command := range []string{"test", "plan", "sync"} {
		_, errOut := v.tallyman(1, command, "acme/earlier", "--dev", "--log-level", "trace")
		if !strings.Contains(errOut, "works with host versions >= 99.0") || !strings.Contains(errOut, "Update the host") {
			t.Errorf("%s does not say why:\n%s", command, errOut)
		}
		if strings.Contains(errOut, "was called") {
			t.Errorf("%s goes on with the plugin:\n%s", command, errOut)
		}
	}
	if _, errOut := v.tallyman(1, "plugin", "lock"); !strings.Contains(errOut, "works with host versions >= 99.0") {
		t.Errorf("it can be locked:\n%s", errOut)
	}
}
