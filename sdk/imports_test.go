// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A vendor's module inherits the modules that the SDK imports, and its binary holds them. Whoever adds one here asks a
// vendor to take it.
var modules = []string{
	"github.com/fatih/color", //nolint:misspell // that is its name
	"github.com/golang/protobuf",
	"github.com/hashicorp/go-cleanhttp",
	"github.com/hashicorp/go-hclog",
	"github.com/hashicorp/go-plugin",
	"github.com/hashicorp/go-retryablehttp",
	"github.com/hashicorp/yamux",
	"github.com/mattn/go-colorable",
	"github.com/mattn/go-isatty",
	"github.com/oklog/run",
	"github.com/shopspring/decimal",
	"github.com/tallymanhq/tallyman",
	"golang.org/x/net",
	"golang.org/x/sys",
	"golang.org/x/text",
	"golang.org/x/time",
	"google.golang.org/genproto/googleapis/rpc",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
}

func TestTheSDKImportsTheseModulesOnly(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	imported := strings.Fields(string(out))
	slices.Sort(imported)
	if diff := cmp.Diff(modules, slices.Compact(imported)); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

func TestTheSDKImportsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "github.com/tallymanhq/tallyman/sdk/rest") {
		t.Fatalf("not all packages are there: %s", out)
	}
	for _, name := range packages {
		for _, forbidden := range []string{"github.com/tallymanhq/tallyman/host", "github.com/tallymanhq/tallyman/plugins", "database/sql"} {
			// A number that knows database/sql/driver opens no database.
			if name == forbidden || forbidden != "database/sql" && strings.HasPrefix(name, forbidden+"/") {
				t.Errorf("the SDK imports %s", name)
			}
		}
	}
}

// Vendors read package sdk's documentation, which is no place for the wire's types.
func TestTheSDKDoesNotShowTheWire(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "doc", "-all", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, word := range []string{"distributorv1", "protobuf", "grpc.", "plugin.ClientConfig"} {
		if strings.Contains(string(out), word) {
			t.Errorf("the documentation shows %q", word)
		}
	}
	for _, method := range []string{"func (l *CustomerListing) Scope", "func (s *SubscriptionScope) Send"} {
		if !strings.Contains(string(out), method) {
			t.Errorf("the documentation does not show %q", method)
		}
	}
}
