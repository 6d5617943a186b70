// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A vendor's module inherits what the SDK imports, and its binary holds it.
func TestTheSDKImportsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	forbidden := []string{
		"github.com/tallymanhq/tallyman/host", "github.com/tallymanhq/tallyman/plugins",
		"github.com/uptrace/bun", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/pressly/goose", "database/sql",
		"github.com/knadh/koanf", "github.com/hashicorp/hcl", "github.com/spf13/cobra", "github.com/jedib0t/go-pretty",
	}
	out, err := exec.Command("go", "list", "-deps", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 50 {
		t.Fatalf("only %d packages: %s", len(packages), out)
	}
	for _, name := range packages {
		for _, prefix := range forbidden { // A number that knows database/sql/driver opens no database.
			if name == prefix || (prefix != "database/sql" && strings.HasPrefix(name, prefix+"/")) {
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
