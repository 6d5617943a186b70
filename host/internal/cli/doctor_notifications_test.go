// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// channel adds a channel to the configuration.
func (s *shell) channel(block string) {
	s.t.Helper()
	s.change(`tenant "acme"`, "notifications {\n  "+block+"\n}\ntenant \"acme\"")
}

func TestTheDoctorLooksAtChannels(t *testing.T) {
	t.Parallel()
	const path = "/hooks/T00/B00/never-shown"
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	t.Cleanup(refuses.Close)
	prism, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme")
	s.wants(s.run(0, "doctor"), "ok notifications there is no channel, so nobody is told")

	s.write("hook", refuses.URL+path)
	s.chmod("hook", 0o600)
	s.channel(`chat "team" {
    app = "slack"
    url = file("hook")
  }`)
	s.wants(s.run(0, "doctor"), "ok notifications 1 channel can be used", "All is in order.")

	s.chmod("hook", 0o644)
	s.wants(s.run(1, "doctor"), `WRONG configuration`, `everybody on this machine may read file "hook"`, "chmod 600")
	s.wants(s.run(0, "config", "check"), `everybody on this machine may read file "hook"`, "with 1 warning")
	s.chmod("hook", 0o600)

	prism.set("a c1 1", 2500)
	s.run(4, "sync", "acme")
	s.wants(s.run(0, "doctor"), `warning notifications channel "team": 1 message not delivered: http://127.0.0.1`, "410 Gone",
		`"tallyman notifications test team"`, "Nothing is wrong; 1 warning.")
	s.wants(s.run(0, "status"), `channel "team": 1 message not delivered`)

	s.change(`chat "team"`, `chat "renamed"`)
	s.wants(s.run(0, "doctor"), `channel "team": 1 message not delivered, and the configuration has no such channel any more`)
	s.change(`chat "renamed"`, `chat "team"`)
	s.wants(s.run(1, "notifications", "test"), "team: NOT SENT", "channel team: ")

	s.change(`file("hook")`, `"`+refuses.URL+path+`"`)
	s.wants(s.run(0, "doctor"), "warning configuration", "notifications.chat.team.url is a secret and stands in the file in clear", "env(")
	s.chmod("tallyman.hcl", 0o644)
	s.wants(s.run(1, "doctor"), "WRONG configuration", "Everybody on this machine may read it", "chmod 600")
	s.chmod("tallyman.hcl", 0o600)

	s.change(`"`+refuses.URL+path+`"`, `env("NOBODY_SETS_THIS")`)
	s.wants(s.run(1, "doctor"), "WRONG notifications", "NOBODY_SETS_THIS")
	if strings.Contains(s.all.String(), "never-shown") {
		t.Errorf("the address was printed:\n%s", s.all.String())
	}
}
