// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tallymanhq/tallyman/host/internal/notify/mailtest"
	"github.com/tallymanhq/tallyman/sdk"
)

var signingKey = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))

func sample() *Message {
	return &Message{
		Kind: Failed, Severity: Severe, Tenant: "acme", Module: "rhipe", Run: 7, At: begin, Subject: "acme/rhipe failed: Müller & <Co>",
		What: "It failed for [Müller](http://evil.example) & <Co>.", Details: []string{"one <b>", "two"}, Next: []string{"tallyman runs show 7"},
	}
}

func TestMailArrivesAsTextAndHTML(t *testing.T) {
	t.Parallel()
	for _, encryption := range []string{StartTLS, TLS, NoTLS} {
		for _, username := range []string{"", "tallyman"} {
			server := mailtest.New(t, encryption)
			channel := email(server, encryption)
			channel.Username, channel.Password = username, sdk.NewSecret(mailtest.Password)
			if err := channel.Send(t.Context(), "msg_1", sample()); err != nil {
				t.Errorf("%s, user %q: %v", encryption, username, err)
				continue
			}
			mails := server.Sent()
			if len(mails) != 1 || mails[0].User != username || mails[0].From != "tallyman@example.com" || strings.Join(mails[0].To, " ") != "ops@example.com b@example.com" {
				t.Fatalf("%s: mails are %+v", encryption, mails)
			}
			wantMail(t, mails[0].Text)
		}
	}
}

// wantMail takes a mail apart.
func wantMail(t *testing.T, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if subject != "[Tallyman] acme/rhipe failed: Müller & <Co>" || m.Header.Get("Message-Id") != "<msg_1@tallyman>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("the subject is %q, headers %v", subject, m.Header)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %s: %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, wants := range [][]string{
		{"text/plain", "for [Müller](http://evil.example) & <Co>.", "- one <b>", "What to do:", "tallyman runs show 7"},
		{"text/html", "&amp; &lt;Co&gt;.", "<li>one &lt;b&gt;</li>", "tallyman runs show 7"},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		var body strings.Builder
		buffer := make([]byte, 16<<10)
		reader := quotedprintable.NewReader(part)
		if part.Header.Get("Content-Transfer-Encoding") == "" {
			// The package has decoded it already.
			n, _ := part.Read(buffer)
			body.Write(buffer[:n])
		} else {
			n, _ := reader.Read(buffer)
			body.Write(buffer[:n])
		}
		if kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind != wants[0] {
			t.Errorf("a part is %s, want %s", kind, wants[0])
		}
		for _, want := range wants[1:] {
			if !strings.Contains(body.String(), want) {
				t.Errorf("%s lacks %q:\n%s", wants[0], want, body.String())
			}
		}
	}
}

func TestMailThatDoesNotArriveSaysWhy(t *testing.T) {
	t.Parallel()
	free := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().(*net.TCPAddr).Port
	}
	for name, test := range map[string]struct {
		server string
		change func(*Email, *mailtest.Server)
		want   string
		hint   string
	}{
		"nobody is there":             {StartTLS, func(e *Email, _ *mailtest.Server) { e.Port = free() }, "connection refused", "firewall"},
		"a wrong password":            {StartTLS, func(e *Email, _ *mailtest.Server) { e.Username, e.Password = "tallyman", sdk.NewSecret("topsecret") }, "***", "username and password"},
		"an unknown certificate":      {StartTLS, func(e *Email, _ *mailtest.Server) { e.roots = nil }, "certificate", "certificate"},
		"no STARTTLS":                 {NoTLS, func(*Email, *mailtest.Server) {}, "STARTTLS", "offers no STARTTLS"},
		"a full mailbox":              {StartTLS, func(_ *Email, s *mailtest.Server) { s.Refuse() }, "the mailbox is full", ""},
		"TLS where STARTTLS is meant": {StartTLS, func(e *Email, _ *mailtest.Server) { e.Encryption = TLS }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.New(t, test.server)
			channel := email(server, StartTLS)
			test.change(channel, server)
			wantNotSent(t, channel.Send(t.Context(), "msg_1", sample()), test.want, test.hint)
			if mails := server.Sent(); len(mails) != 0 {
				t.Errorf("mails are %+v", mails)
			}
		})
	}
}

// wantNotSent wants an error with a text and a hint, and without a secret.
func wantNotSent(t *testing.T, err error, want, hint string) {
	t.Helper()
	told, ok := err.(*SendError) //nolint:errorlint // nothing wraps it
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	if !strings.Contains(told.Message, want) || !strings.Contains(told.Next, hint) || !strings.Contains(told.Error(), "127.0.0.1") {
		t.Errorf("the error is %q, next %q; want %q, %q", told, told.Next, want, hint)
	}
	for _, secret := range []string{"topsecret", mailtest.Password, signingKey} {
		if strings.Contains(told.Error()+told.Next, secret) {
			t.Errorf("the error shows %q: %v", secret, told)
		}
	}
}

func TestAMailServerThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	e := email(&mailtest.Server{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}, StartTLS)
	e.Limit = 200 * time.Millisecond
	wantNotSent(t, e.Send(t.Context(), "msg_1", sample()), "", "")
}

func TestAWebhookIsSigned(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	channel := &Webhook{URL: sdk.NewSecret(h.url), Secret: sdk.NewSecret(signingKey), Limit: time.Minute}
	if err := channel.Send(t.Context(), "msg_1", sample()); err != nil {
		t.Fatal(err)
	}
	got := h.got()[0]
	verifier, err := standardwebhooks.NewWebhook(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify([]byte(got.body), got.header); err != nil {
		t.Error(err)
	}
	if err := verifier.Verify([]byte(got.body+" "), got.header); err == nil {
		t.Error("another body has the same signature")
	}
	var body struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "failed" || !body.Timestamp.Equal(begin) || body.Data["module"] != "rhipe" || body.Data["run"] != 7.0 || got.header.Get("webhook-id") != "msg_1" {
		t.Errorf("posted is %s, %v", got.body, got.header)
	}
}

func TestAChatGetsTextWithoutLinksOfOthers(t *testing.T) {
	t.Parallel()
	for name, channel := range map[string]func(url string) Sender{
		"teams": func(url string) Sender { return &Teams{sdk.NewSecret(url), time.Minute} },
		"slack": func(url string) Sender { return &Slack{sdk.NewSecret(url), time.Minute} },
	} {
		h := newHook(t)
		if name == "teams" {
			h.answers(http.StatusAccepted, "")
		}
		if err := channel(h.url).Send(t.Context(), "msg_1", sample()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var posted any
		if err := json.Unmarshal([]byte(h.got()[0].body), &posted); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(texts(posted), "\n")
		wants := []string{"*acme/rhipe failed: Müller &amp; &lt;Co&gt;*", "[Müller](http://evil.example) &amp; &lt;Co&gt;.", "- two", "tallyman runs show 7"}
		if name == "teams" {
			wants = []string{"application/vnd.microsoft.card.adaptive", "acme/rhipe failed: Müller & <Co>", `\[Müller\](http://evil.example)`, "- two", "tallyman runs show 7"}
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
	}
}

// texts gives all texts of a JSON value.
func texts(value any) []string {
	var list []string
	switch value := value.(type) {
	case string:
		list = append(list, value)
	case []any:
		for _, item := range value {
			list = append(list, texts(item)...)
		}
	case map[string]any:
		for _, item := range value {
			list = append(list, texts(item)...)
		}
	}
	return list
}

func TestWhatIsPostedAndNotTakenSaysWhy(t *testing.T) {
	t.Parallel()
	for name, channel := range map[string]func(url string) Sender{
		"webhook": func(url string) Sender { return &Webhook{sdk.NewSecret(url), sdk.NewSecret(signingKey), time.Minute} },
		"teams":   func(url string) Sender { return &Teams{sdk.NewSecret(url), time.Minute} },
		"slack":   func(url string) Sender { return &Slack{sdk.NewSecret(url), time.Minute} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			for _, status := range []int{404, 500, 302} {
				h.answers(status, "Cannot POST /services/topsecret (topsecret)"+strings.Repeat(" no", 100000))
				wantNotSent(t, channel(h.url).Send(t.Context(), "msg_1", sample()), http.StatusText(status), "")
			}
			if posts := h.got(); len(posts) != 0 {
				t.Errorf("taken were %v", posts)
			}
			gone := newHook(t)
			url := strings.Replace(gone.url, gone.url[len("http://127.0.0.1"):strings.Index(gone.url, "/services")], ":1", 1)
			wantNotSent(t, channel(url).Send(t.Context(), "msg_1", sample()), "connection refused", "url")
		})
	}
}
