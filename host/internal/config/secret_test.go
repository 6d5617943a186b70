// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"
)

const marker = "hunter2-hunter2"

func TestNothingThatIsPrintedShowsASecret(t *testing.T) {
	t.Parallel()
	c := mustRead(t, `
database { url = "postgres://tallyman:hunter2-hunter2@db/tallyman?sslpassword=hunter2-hunter2" }
tenant "acme" {
  module "rhipe" {
    settings {
      client_id      = "id"
      client_secret  = env("SECRET")
      backup_secrets = ["hunter2-hunter2"]
      auth           = { token = "hunter2-hunter2" }
    }
  }
}`, "SECRET="+marker, "TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_PIN=0")
	m := c.Tenants[0].Modules[0]
	settings, err := c.ResolveSettings(m, fields())
	if err != nil {
		t.Fatal(err)
	}
	if settings.Wire()["client_secret"].GetText() != marker || settings.Wire()["backup_secrets"].GetList().GetValues()[0] != marker {
		t.Fatal("the plugin does not get the secret")
	}
	checked, err := c.CheckSettings(m, fields())
	if err != nil {
		t.Fatal(err)
	}
	secret := NewSecret(marker)
	values := []any{
		c, *c, m, *m, settings, *settings, secret, &secret,
		[]Secret{secret},
		map[string]Secret{"a": secret},
		struct{ S Secret }{secret},
		struct{ s Secret }{secret},
		c.Database, &c.Database, settings.All()[1], settings.All(), *settings.All()[1], checked.Warnings,
		c.HostEntries(), settings.Entries(), c.WrittenSettings(m), settings.Refuse(c, "client_secret", "is refused", ""),
		errors.Join(settings.Refuse(c, "", "no", "")), fmt.Errorf("wrapped: %w, %v", settings.Refuse(c, "auth.token", "is refused", ""), secret),
	}
	for i, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, marker) || strings.Contains(text, fmt.Sprintf("%x", marker)) {
				t.Errorf("value %d with %s: %s", i, verb, text)
			}
		}
		var out bytes.Buffer
		if err := json.NewEncoder(&out).Encode(value); err != nil {
			t.Errorf("value %d: %v", i, err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Error("text", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Error("json", "value", value)
		for _, asJSON := range []bool{false, true} {
			hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: asJSON}).Error("hclog", "value", value)
		}
		if strings.Contains(out.String(), marker) {
			t.Errorf("value %d in JSON or a log: %s", i, out.String())
		}
	}
	if got := fmt.Sprintf("%v %+v %s %q", secret, secret, secret, secret); got != "*** *** *** ***" {
		t.Errorf("a secret prints as %s", got)
	}
	if b, err := json.Marshal(secret); string(b) != `"***"` || err != nil {
		t.Errorf("a secret marshals as %s, %v", b, err)
	}
}

func TestADatabasesPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:tallyman.db":                         "sqlite:tallyman.db",
		"sqlite:/var/lib/a b.db":                     "sqlite:/var/lib/a b.db",
		"postgres://h/db":                            "postgres://h/db",
		"postgres://u@h:5432/db?sslmode=require":     "postgres://u@h:5432/db?sslmode=require",
		"postgres://u:hunter2@h/db":                  "postgres://u:***@h/db",
		"postgres://u:hunter2@h/db?password=hunter2": "postgres://u:***@h/db?password=***",
		"postgres://h/db?user=u&password=hunter2":    "postgres://h/db?password=***&user=***",
		"host=h user=u password=hunter2":             "***",
		"postgres://u:hunter2%zz@h/db":               "***",
		"postgres:u:hunter2@h":                       "***",
		"postgres://u:hun/ter2@h/db":                 "***",
	} {
		if got := ShownURL(text); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
	}
}

// TestAMutilatedFileShowsNoSecret takes a configuration with secrets apart at random, outside of the secrets, and looks
// whether any message shows one.
func TestAMutilatedFileShowsNoSecret(t *testing.T) {
	t.Parallel()
	secrets := []string{"S3cr3tAlpha", "S3cr3tBeta", "S3cr3tGamma", "9876501234", "S3cr3tDelta", "S3cr3tEpsilon"}
	whole := `# a comment
database { url = "postgres://u:` + secrets[1] + `@h/db" }
log { level = "loud" }
tenant "acme" {
  display_name = "Acme IT"
  module "rhipe" {
    settings {
      client_id     = "id"
      client_secret = "` + secrets[0] + `"
      pin           = ` + secrets[3] + `
      backup        = ["` + secrets[2] + `",
        "` + secrets[4] + `"]
      paths         = { customers = "/c", nonsense = "` + secrets[1] + `" }
      auth {
        token = <<EOT
` + secrets[5] + `
EOT
      }
      bare = ` + secrets[2] + `/x+` + secrets[4] + `==
    }
    customers { unmatched = "maybe" }
    schedule {
      daily_at = "02:15"
      sync     = ["customers"]
    }
    client_secret = "` + secrets[0] + `"
  }
}
`
	// The parts that may be changed, and the secrets between them.
	cut := func(text string) (parts []string) {
		for text != "" {
			at, length := len(text), 0
			for _, s := range secrets {
				if i := strings.Index(text, s); i >= 0 && i < at {
					at, length = i, len(s)
				}
			}
			parts = append(parts, text[:at], text[at:at+length])
			text = text[at+length:]
		}
		return parts
	}(whole)
	pieces := []string{`"`, "'", "{", "}", "[", "]", "(", ")", "=", "\n", " ", "<<EOT\n", "EOT\n", "#", "/*", "*/", "$", "${", "%{", ",", ":", ".", "settings", "\\", "\x00", "\xff", "`", "!", "~"}
	rapid.Check(t, func(r *rapid.T) {
		mutated := slices.Clone(cut)
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			i := 2 * rapid.IntRange(0, (len(mutated)-1)/2).Draw(r, "part")
			text := mutated[i]
			at := rapid.IntRange(0, len(text)).Draw(r, "at")
			switch rapid.IntRange(0, 2).Draw(r, "kind") {
			case 0:
				mutated[i] = text[:at] + rapid.SampledFrom(pieces).Draw(r, "piece") + text[at:]
			case 1:
				mutated[i] = text[:at] + text[min(len(text), at+rapid.IntRange(1, 12).Draw(r, "length")):]
			default:
				to := min(len(text), at+rapid.IntRange(1, 30).Draw(r, "length"))
				mutated[i] = text[:to] + text[at:to] + text[to:]
			}
		}
		shown := messagesFor(strings.Join(mutated, ""), "SECRET=x")
		for _, s := range secrets {
			if strings.Contains(shown, s) {
				r.Fatalf("%s is shown:\n%s\nof\n%s", s, shown, strings.Join(mutated, ""))
			}
		}
	})
}
