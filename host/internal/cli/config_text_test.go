// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/config"
)

func TestValuesOnATerminalAreGroupedByTheirBlock(t *testing.T) {
	t.Parallel()
	got := groupedEntries([]config.Entry{
		{Key: "runs.timeout", Value: "2h"},
		{Key: "runs.lease", Value: "1m", Origin: config.Origin{Kind: config.FromFlag, Name: "--set"}},
		{Key: "tenant.acme.module.rhipe.settings.paths.me", Value: "/me"},
		{Key: "tenant.acme.module.rhipe.settings.client_id", Note: "not set", Origin: config.Origin{Kind: config.FromEnv, Name: "X"}},
		{Key: "runs.more", Value: ""},
		{Key: "tenant.acme.module.rhipe.settings.paths.tenants", Value: "/\x1b[31mtenants"},
	})
	want := `runs
  timeout = 2h   # default
  lease = 1m   # flag --set
  more = ""   # default

tenant.acme.module.rhipe.settings.paths
  me = /me   # default
  tenants = / [31mtenants   # default

tenant.acme.module.rhipe.settings
  client_id = (not set)   # env X
`
	if got != want {
		t.Errorf("shown is\n%s\nwant\n%s", got, want)
	}
}
