// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// ConnectionTest is what a host gets of a connection test.
type ConnectionTest struct {
	// OK: every step succeeded.
	OK bool
	// Steps are those that were tried, in order. If not OK, the last one failed.
	Steps []Step
	// Account and Visible are what the test tells a person.
	Account, Visible string
}

// Step is one step of a connection test.
type Step struct {
	Name, Detail string
	// Err is why it failed.
	Err *sdk.Error
}

// Connection makes the connection test of an sdk.Plugin, in process. Settings are as in Suite.
func Connection(t *testing.T, plugin any, settings map[string]any) ConnectionTest {
	t.Helper()
	open, err := inProcess(plugin)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newBench(Suite{Settings: settings}, open).testConnection(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	test := ConnectionTest{OK: r.GetOk(), Account: r.GetAccount(), Visible: r.GetVisible()}
	for _, step := range r.GetSteps() {
		s := Step{Name: step.GetName(), Detail: step.GetDetail()}
		if !step.GetOk() {
			s.Err = transport.ErrorFromProto(step.GetError())
		}
		test.Steps = append(test.Steps, s)
	}
	return test
}
