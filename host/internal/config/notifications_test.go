// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
)

// key is a signing key, and none of it may be shown.
var key = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))

const mailBlock = `email "ops" {
    host = "smtp.example.com"
    from = "tallyman@example.com"
    to   = ["ops@example.com"]
  }`

// notified reads a configuration with a block notifications of this content.
func notified(t *testing.T, content string, environ ...string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tallyman.hcl")
	text := fmt.Sprintf("notifications {\n  %s\n}\ntenant \"acme\" {\n  module \"rhipe\" {}\n}\n", content)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(config.Options{Paths: []string{path}, Environ: append([]string{}, environ...)})
}

func TestChannelsAreRead(t *testing.T) {
	t.Parallel()
	c, err := notified(t, mailBlock+`
  webhook "hook" {
    url    = "http://127.0.0.1:1/x"
    secret = "whsec_`+key+`"
  }
  route "all" {
    channels = ["ops", "hook"]
    tenants  = ["acme"]
  }
  digest_at = "08:00"
  time_zone = "Australia/Sydney"`, "TALLYMAN_NOTIFICATIONS_EMAIL_OPS_USERNAME=me", "TALLYMAN_NOTIFICATIONS_EMAIL_OPS_PASSWORD=hunter2")
	if err != nil {
		t.Fatal(err)
	}
	n := c.Notifications
	if n.StaleAfter != 36*time.Hour || n.DigestAt.String() != "08:00" || n.Location.String() != "Australia/Sydney" || len(n.Channels()) != 2 {
		t.Errorf("notifications are %+v", n)
	}
	if e := n.Emails[0]; e.Name != "ops" || e.TLS != "starttls" || e.Username != "me" || e.Password.Reveal() != "hunter2" || e.Timeout != 30*time.Second {
		t.Errorf("the e-mail channel is %+v", e)
	}
	if r := n.Routes[0]; r.Name != "all" || r.Severity != "warning" || !slices.Equal(r.Tenants, []string{"acme"}) || len(r.Kinds) != 0 {
		t.Errorf("the route is %+v", r)
	}
	shown := fmt.Sprint(c.NotificationEntries())
	for _, secret := range []string{"hunter2", key, "127.0.0.1"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown: %s", secret, shown)
		}
	}
	if !strings.Contains(shown, "notifications.webhook.hook.secret ***") {
		t.Errorf("shown is %s", shown)
	}
}

func TestWhatAChannelLacksHereMattersWhereItIsUsed(t *testing.T) {
	t.Parallel()
	c, err := notified(t, `chat "team" { url = env("CHAT_URL") }`)
	if err != nil {
		t.Fatal(err)
	}
	channel := c.Notifications.Channels()[0]
	if err := channel.Usable(); err == nil || !strings.Contains(err.Error(), "CHAT_URL is not set") {
		t.Errorf("the channel lacks: %v", err)
	}
	if warnings := c.Notifications.ChannelWarnings(); len(warnings) != 1 || !warnings[0].Warning {
		t.Errorf("warnings are %v", warnings)
	}
	c, err = notified(t, `chat "team" { url = env("CHAT_URL") }`, "CHAT_URL=https://chat.example/hook")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Notifications.Channels()[0].Usable(); err != nil {
		t.Error(err)
	}
}

func TestWrongChannelsAndRoutesAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ content, want string }{
		{`email "ops" {}`, `:2:3: email "ops" needs a host`},
		{`email "ops" {}`, `email "ops" needs an address in from`},
		{strings.Replace(mailBlock, "ops@", "ops ", 1), `email "ops" has something in to, entry 1, that is no address`},
		{strings.Replace(mailBlock, "to ", "tls = \"none\"\n to ", 1), `unencrypted to a server on this machine only`},
		{strings.Replace(mailBlock, "to ", "username = \"me\"\n to ", 1), `needs a username and a password, or neither`},
		{`webhook "hook" { url = "https://example.com" }`, `webhook "hook" needs a secret`},
		{"webhook \"hook\" {\n url = \"https://example.com\"\n secret = \"dG9vc2hvcnQ=\"\n}", `:4:11: webhook "hook" needs a secret, which is base64 of at least 24 bytes`},
		{`chat "team" { url = "http://example.com/topsecret" }`, `unencrypted to this machine only`},
		{`chat "team" { url = "chat" }`, `chat "team" needs a url`},
		{`chat "ops" { url = "https://example.com/topsecret" }` + "\n" + mailBlock, `there is another channel "ops"`},
		{mailBlock + "\nroute \"all\" {}", `route "all" needs the names of channels`},
		{mailBlock + "\nroute \"all\" { channels = [\"opps\"] }", `names a channel "opps", which is not there`},
		{mailBlock + "\nroute \"all\" { channels = [\"opps\"] }", `Did you mean "ops"?`},
		{mailBlock + "\nroute \"all\" {\n channels = [\"ops\"]\n tenants = [\"acne\"]\n}", `names a tenant "acne", which is not there`},
		{mailBlock + "\nroute \"all\" {\n channels = [\"ops\"]\n kinds = [\"fialed\"]\n}", `Did you mean "failed"?`},
		{`stale_after = "1x"`, "must be a duration"},
	} {
		_, err := notified(t, test.content)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", test.content, err, test.want)
			continue
		}
		for _, secret := range []string{"topsecret", "dG9vc2hvcnQ"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows %q: %v", test.content, secret, err)
			}
		}
	}
}

func TestTheExampleHasEverySettingOfChannelsAndRoutes(t *testing.T) {
	t.Parallel()
	entries := load(t, "example.hcl").NotificationEntries()
	if len(entries) != 18 {
		t.Errorf("%d settings of channels and routes", len(entries))
	}
	for _, e := range entries {
		if e.Origin.Kind != config.FromFile && e.Value != "" {
			t.Errorf("the example lacks %s", e.Key)
		}
	}
}

func TestSecretsInClearAreTold(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"notifications {\n chat \"team\" {\n url = " + `"https://chat.example/hooks/1"` + "\n }\n}": "notifications.chat.team.url is a secret and stands in the file in clear",
		"notifications {\n chat \"team\" {\n url = " + `env("HOOK")` + "\n }\n}":                    "",
		`database { url = "postgres://kim:s3cret@db.example/tally" }`:                               "database.url is a secret and stands in the file in clear",
		`database { url = "postgres://kim@db.example/tally?sslpassword=s3cret" }`:                   "database.url is a secret and stands in the file in clear",
		`database { url = "postgres://kim@db.example/tally?sslmode=verify-full" }`:                  "",
		`database { url = "sqlite:tallyman.db" }`:                                                   "",
	} {
		path := filepath.Join(t.TempDir(), "tallyman.hcl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Options{Paths: []string{path}, Environ: []string{"HOOK=https://chat.example/hooks/1"}})
		if err != nil {
			t.Fatalf("%s: %v", content, err)
		}
		got := ""
		for _, p := range c.Exposed {
			got += p.Message
			if !p.Warning || p.SecretIn != path || strings.Contains(p.String(), "hooks/1") || strings.Contains(p.String(), "s3cret") {
				t.Errorf("%s: the problem is %+v", content, p)
			}
		}
		if got != want {
			t.Errorf("%s: told is %q, want %q", content, got, want)
		}
	}
}
