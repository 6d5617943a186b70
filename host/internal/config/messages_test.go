// SPDX-License-Identifier: Apache-2.0

package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

var update = flag.Bool("update", false, "write what the messages are now into testdata/messages")

// fields are the settings of a plugin that has one of every type.
func fields() []Field {
	text := func(s string) *string { return &s }
	return []Field{
		{Name: "client_id", Type: typeText, Required: true, Help: "Client id from the portal.", Example: "0a1b"},
		{Name: "client_secret", Type: typeText, Required: true, Secret: true, Help: "Client secret, shown once."},
		{Name: "backup_secrets", Type: typeList, Secret: true},
		{Name: "headers", Type: typeMap},
		{Name: "region", Type: typeText, Choices: []string{"apac", "emea"}, Default: text("apac")},
		{Name: "agreements", Type: typeList, Help: "Agreements to read."},
		{Name: "base_url", Type: typeURL, Default: text("https://api.example.com")},
		{Name: "max_parallel", Type: typeWhole, Default: text("2")},
		{Name: "rate", Type: typeDecimal, Default: text("0.5")},
		{Name: "fetch_prices", Type: typeBoolean, Default: text("false")},
		{Name: "timeout", Type: typeDuration, Default: text("2m")},
		{Name: "pin", Type: typeWhole, Secret: true},
		{Name: "paths.customers", Type: typeText, Default: text("/customers")},
		{Name: "paths.tenants", Type: typeText, Default: text("/tenants")},
		{Name: "auth.token", Type: typeText, Secret: true},
		{Name: "later", Type: distributorv1.SettingType(99)},
	}
}

// TestTheMessages compares what is told about mistakes, word by word, with what was thought good. Each file of
// testdata/messages is a configuration, a line of dashes, and the messages.
func TestTheMessages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/messages/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			const dashes = "\n----\n"
			input, want, _ := strings.Cut(string(content), dashes)
			got := messagesFor(input+"\n", "SECRET=hunter2-hunter2", "EMPTY=", "WORD=many")
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			if *update {
				if err := os.WriteFile(path, []byte(input+dashes+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("the messages are:\n%s\nand were:\n%s", got, want)
			}
		})
	}
}

// messagesFor gives every message about a configuration and the settings of its modules.
func messagesFor(text string, environ ...string) string {
	c, err := load("testdata", []string{"tallyman.hcl"}, [][]byte{[]byte(text)}, environment(environ), nil)
	var out []string
	if err != nil {
		here, _ := os.Getwd()
		return strings.ReplaceAll(err.Error()+"\n", here, "/here")
	}
	for _, w := range c.Warnings {
		out = append(out, w.String())
	}
	for _, tenant := range c.Tenants {
		for _, m := range tenant.Modules {
			if _, err := c.ResolveSettings(m, fields()); err != nil {
				out = append(out, m.String()+": "+err.Error())
			}
			settings, _ := c.CheckSettings(m, fields())
			for _, w := range settings.Warnings {
				out = append(out, m.String()+": "+w.String())
			}
		}
	}
	here, _ := os.Getwd()
	return strings.ReplaceAll(strings.Join(append(out, ""), "\n\n"), here, "/here")
}
