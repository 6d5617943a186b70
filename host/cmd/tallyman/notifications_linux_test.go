// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/notify/mailtest"
	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// mailing has what goes wrong told by mail.
func (p *place) mailing() *mailtest.Server {
	p.t.Helper()
	server := mailtest.New(p.t, "none")
	p.write("tallyman.hcl", p.configuration()+fmt.Sprintf(`
notifications {
  email "ops" {
    host     = %q
    port     = %d
    tls      = "none"
    username = "tallyman"
    password = env("SMTP_PASSWORD")
    from     = "tallyman@example.com"
    to       = ["ops@example.com"]
  }
}
`, server.Host, server.Port))
	p.env["SMTP_PASSWORD"] = mailtest.Password
	return server
}

// subjects gives the first words of each mail's subject.
func subjects(server *mailtest.Server) string {
	var list []string
	for _, m := range server.Sent() {
		message, err := mail.ReadMessage(strings.NewReader(m.Text))
		if err != nil {
			return err.Error()
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
		if err != nil {
			return err.Error()
		}
		words := strings.Fields(strings.TrimPrefix(subject, "[Tallyman] "))
		list = append(list, strings.Trim(strings.Join(words[:min(2, len(words))], " "), ":"))
	}
	return strings.Join(list, ", ")
}

func TestOneMailWhenARunFailsAndOneWhenItIsOver(t *testing.T) {
	t.Parallel()
	w := newSmall()
	w.customer("Contoso", 5, 7)
	p := w.place(t, createUnmatched)
	server := p.mailing()
	p.sync("succeeded")
	if got := subjects(server); got != "" {
		t.Fatalf("though all is well, mails are %s", got)
	}
	clear := p.sim.Fail(prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultStatus, Status: 500})
	for range 2 {
		if code, out := p.try("sync", "acme/rhipe"); code == 0 {
			t.Fatalf("it got through:\n%s", out)
		}
		if got := subjects(server); got != "acme/rhipe failed" {
			t.Fatalf("mails are %q", got)
		}
	}
	p.try("plan", "acme/rhipe")
	p.wants(server.Sent()[0].Text, "tallyman runs show 2", "tallyman test acme/rhipe")
	p.wants(p.run(0, "notifications", "list"), "acme/rhipe\tfailed")

	// Somebody without the password runs it: what is to be told waits for who has it.
	clear()
	delete(p.env, "SMTP_PASSWORD")
	p.sync("no_change")
	if got := subjects(server); got != "acme/rhipe failed" {
		t.Fatalf("mails are %q", got)
	}
	p.wants(p.run(0, "notifications", "list"), "Not delivered:\n", "ops\trecovered")
	p.wants(p.run(1, "notifications", "test"), "ops: NOT SENT", "SMTP_PASSWORD is not set")
	p.env["SMTP_PASSWORD"] = mailtest.Password
	for range 2 {
		p.sync("no_change")
		if got := subjects(server); got != "acme/rhipe failed, acme/rhipe recovered" {
			t.Fatalf("mails are %q", got)
		}
	}
	p.wants(p.run(0, "notifications", "list"), "Nothing is open, muted or undelivered.")
	p.wants(p.run(0, "notifications", "test", "ops"), "ops: sent")
	p.env["SMTP_PASSWORD"] = "wrong-password"
	out := p.run(1, "notifications", "test", "--json")
	p.wants(out, `"sent": false`, "535", "username and password")
	for _, text := range []string{"wrong-password", mailtest.Password} {
		if strings.Contains(out, text) {
			t.Errorf("the password is shown:\n%s", out)
		}
	}
	if left := p.ask("SELECT count(*) FROM messages WHERE body LIKE '%' || ? || '%' OR error LIKE '%' || ? || '%'", secret, mailtest.Password); left != "0" {
		t.Error("the database holds a secret")
	}
}

func TestAMutedModuleIsQuiet(t *testing.T) {
	t.Parallel()
	w := newSmall()
	w.customer("Contoso", 5)
	p := w.place(t, createUnmatched)
	server := p.mailing()
	p.wants(p.run(2, "notifications", "mute", "acme/rhipe", "--until", "2h"), "--reason is missing")
	p.wants(p.run(2, "notifications", "mute", "acme/rhipe", "--until", "2020-01-01", "--reason", "x"), "in the future")
	p.wants(p.run(2, "notifications", "mute", "acme/rhipes", "--until", "2h", "--reason", "x"), "did you mean")
	p.wants(p.run(0, "notifications", "mute", "acme", "--until", "3d", "--reason", "moving"), "acme is muted until")
	defer p.sim.Fail(prismsim.Fault{Endpoint: prismsim.Customers, Kind: prismsim.FaultStatus, Status: 500})()
	p.try("sync", "acme/rhipe")
	if got := subjects(server); got != "" {
		t.Fatalf("mails are %q", got)
	}
	var listed struct {
		Incidents   []struct{ Module, Kind string }
		Mutes       []struct{ Target, Reason string }
		Undelivered []any
	}
	if err := json.Unmarshal([]byte(p.run(0, "notifications", "list", "acme", "--json")), &listed); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(listed) != "{[{acme/rhipe failed}] [{acme moving}] []}" {
		t.Errorf("listed are %v", listed)
	}
	p.wants(p.run(0, "notifications", "unmute", "acme"), "no longer muted")
	p.wants(p.run(0, "notifications", "unmute", "acme"), "was not muted")
	p.try("sync", "--all")
	if got := subjects(server); got != "acme/rhipe failed" {
		t.Errorf("mails are %q", got)
	}
}

// TestServeTellsOfItsRuns lets a module fail until its credentials were refused too often, and get through again.
func TestServeTellsOfItsRuns(t *testing.T) {
	t.Parallel()
	p := serving(t, 1, impatience)
	server := p.mailing()
	p.once()
	p.missed()
	p.env["RHIPE_CLIENT_SECRET"] = "wrong"
	b := p.start("serve")
	p.until("the mails", func() bool { return subjects(server) == "acme/rhipe failed, acme/rhipe is" })
	p.wants(server.Sent()[1].Text, "is stopped: the distributor refuses", "lest the account be locked")
	out := p.stop(b)
	if strings.Contains(out, mailtest.Password) {
		t.Error("the password was logged")
	}
	p.env["RHIPE_CLIENT_SECRET"] = secret
	p.sync("succeeded")
	if got := subjects(server); got != "acme/rhipe failed, acme/rhipe is, acme/rhipe recovered" {
		t.Errorf("mails are %q", got)
	}
}
