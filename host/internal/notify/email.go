// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/tallymanhq/tallyman/sdk"
)

// The ways to encrypt what is said to a mail server.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// Email sends messages by mail.
type Email struct {
	Host string
	// Port is the server's; 0: the usual one.
	Port int
	// Encryption is StartTLS, which is insisted on, TLS or NoTLS.
	Encryption string
	// Username and Password log in; without a username nobody does.
	Username string
	Password sdk.Secret
	From     string
	To       []string
	// Limit is how long one message may take.
	Limit time.Duration

	// roots are those that vouch for the server; nil: the system's.
	roots *x509.CertPool
}

// Timeout is how long one message may take.
func (e *Email) Timeout() time.Duration { return e.Limit }

// port gives the port that counts.
func (e *Email) port() int {
	switch {
	case e.Port != 0:
		return e.Port
	case e.Encryption == TLS:
		return mail.DefaultPortSSL
	case e.Encryption == NoTLS:
		return mail.DefaultPort
	default:
		return mail.DefaultPortTLS
	}
}

// Send sends a message.
func (e *Email) Send(ctx context.Context, key string, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	to := net.JoinHostPort(e.Host, strconv.Itoa(e.port()))
	message, err := e.compose(key, m)
	if err != nil {
		return notSent(to, err, "", e.secrets()...)
	}
	client, err := e.client()
	if err == nil {
		err = client.DialAndSendWithContext(ctx, message)
	}
	if err != nil {
		return notSent(to, err, e.hint(err), e.secrets()...)
	}
	return nil
}

// secrets are the forms in which the password goes to the server, which may repeat any of them.
func (e *Email) secrets() []sdk.Secret {
	password := e.Password.Reveal()
	if password == "" {
		return nil
	}
	list := []sdk.Secret{e.Password}
	for _, text := range []string{"\x00" + e.Username + "\x00" + password, password} {
		list = append(list, sdk.NewSecret(base64.StdEncoding.EncodeToString([]byte(text))))
		list = append(list, sdk.NewSecret(base64.RawStdEncoding.EncodeToString([]byte(text))))
	}
	return list
}

// mostHeard is how much is read of what a mail server says for one message, in bytes.
const mostHeard = 1 << 20

// heard is a connection that ends when the other side has said too much.
type heard struct {
	net.Conn
	left int
}

func (h *heard) Read(b []byte) (int, error) {
	if h.left <= 0 {
		return 0, errors.New("the server says too much for a mail server")
	}
	n, err := h.Conn.Read(b[:min(len(b), h.left)])
	h.left -= n
	return n, err
}

func (e *Email) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(e.port()), mail.WithTimeout(e.Limit),
		mail.WithTLSConfig(&tls.Config{ServerName: e.Host, RootCAs: e.roots, MinVersion: tls.VersionTLS12}),
	}
	login := mail.SMTPAuthAutoDiscover
	if e.Encryption != TLS { // the library would take a connection of ours for one without
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &heard{conn, mostHeard}, nil
		}))
	}
	switch e.Encryption {
	case TLS:
		options = append(options, mail.WithSSL())
	case NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
		login = mail.SMTPAuthPlainNoEnc // to this machine only, as the configuration sees to
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.Username != "" {
		options = append(options, mail.WithSMTPAuth(login), mail.WithUsername(e.Username), mail.WithPassword(e.Password.Reveal()))
	}
	return mail.NewClient(e.Host, options...)
}

// hint says what to do about an error.
func (e *Email) hint(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	var refused *net.OpError
	text := err.Error()
	switch {
	case errors.As(err, &unknown), errors.As(err, &name):
		return "The server's certificate is not one for this name that this machine trusts; look at host, or make its authority known to the system."
	case errors.As(err, &dns):
		return "Is the channel's host right?"
	case strings.Contains(text, "STARTTLS"):
		return `The server offers no STARTTLS at this port; try tls = "tls", or another port.`
	case strings.Contains(text, "535"), strings.Contains(strings.ToUpper(text), "AUTH"):
		return "Are the channel's username and password right, and may they log in to send mail?"
	case errors.As(err, &refused):
		return "Are the channel's host, port and tls right, and does a firewall let this machine through?"
	default:
		return "It is sent again by itself. If it stays, ask who runs the mail server, with this text."
	}
}

// compose makes a mail: plain text, and the same in HTML.
func (e *Email) compose(key string, m *Message) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(e.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := message.To(e.To...); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	message.Subject("[Tallyman] " + m.Subject)
	message.SetDateWithValue(m.At)
	message.SetMessageIDWithValue(key + "@tallyman")
	// Nobody's absence answers it.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetGenHeader("X-Tallyman-Kind", string(m.Kind))
	var page bytes.Buffer
	if err := htmlPage.Execute(&page, m); err != nil {
		return nil, err
	}
	message.SetBodyString(mail.TypeTextPlain, m.Text())
	message.AddAlternativeString(mail.TypeTextHTML, page.String())
	return message, nil
}

var htmlPage = template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html><body style="font-family:sans-serif;max-width:44em">
<h3>{{.Subject}}</h3>
<p>{{.What}}</p>
{{with .Details}}<ul>{{range .}}
<li>{{.}}</li>{{end}}
</ul>
{{end}}{{with .Next}}<p>What to do:</p>
<pre style="background:#f4f4f4;padding:0.6em;white-space:pre-wrap">{{range .}}{{.}}
{{end}}</pre>
{{end}}</body></html>
`))
