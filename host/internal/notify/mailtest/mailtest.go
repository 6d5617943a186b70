// SPDX-License-Identifier: Apache-2.0

// Package mailtest has a mail server on this machine, for tests.
package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Password lets the user "tallyman" log in.
const Password = "hunter2-and-more"

// Server is a mail server on this machine that keeps what it is sent.
type Server struct {
	Host string
	Port int
	// Roots vouch for it.
	Roots *x509.CertPool

	mu      sync.Mutex
	mails   []Mail
	refuses bool
}

// Mail is what it was sent.
type Mail struct {
	// User logged in; empty: nobody did.
	User, From string
	To         []string
	// Text is the whole of it.
	Text string
}

// certificate gives one for 127.0.0.1 and what vouches for it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.TLS.Certificates[0], roots
}

// New starts a mail server that speaks in one of the ways of Email.Encryption.
func New(t *testing.T, encryption string) *Server {
	t.Helper()
	pair, roots := certificate(t)
	m := &Server{Host: "127.0.0.1", Roots: roots}
	server := smtp.NewServer(m)
	server.Domain = "localhost"
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Port = listener.Addr().(*net.TCPAddr).Port
	switch encryption {
	case "starttls":
		server.TLSConfig = config
	case "tls":
		listener = tls.NewListener(listener, config)
	case "none":
		server.AllowInsecureAuth = true
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return m
}

// Sent gives the mails so far.
func (m *Server) Sent() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail{}, m.mails...)
}

// Refuse makes it refuse every mail from now on.
func (m *Server) Refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuses = true
}

// NewSession is for package smtp.
func (m *Server) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &session{server: m}, nil
}

// session takes mail from whoever logs in as "tallyman", and from those who do not log in.
type session struct {
	server *Server
	mail   Mail
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, given string) error {
		if username != "tallyman" || given != Password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such user with " + given}
		}
		s.mail.User = username
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.refuses {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "the mailbox is full"}
	}
	s.mail.Text = string(text)
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (s *session) Reset()        { s.mail = Mail{User: s.mail.User} }
func (s *session) Logout() error { return nil }
