// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

type listening struct {
	server *http.Server
	url    string
	pem    []byte
	done   chan error
}

// Start listens on a free port of 127.0.0.1 and serves in the background until
// Close.
func (s *Server) Start() error { return s.Listen("127.0.0.1:0", false) }

// StartTLS is Start with TLS and a certificate of its own, which no client
// trusts that is not given CertificatePEM.
func (s *Server) StartTLS() error { return s.Listen("127.0.0.1:0", true) }

// Listen listens on an address and serves in the background until Close.
func (s *Server) Listen(address string, withTLS bool) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(s.ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	host := *ln.Addr().(*net.TCPAddr)
	if host.IP.IsUnspecified() { // every interface, this one among them
		host.IP = net.IPv4(127, 0, 0, 1)
	}
	l := &listening{url: "http://" + host.String(), done: make(chan error, 1)}
	l.server = &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	if withTLS {
		cert, certPEM, err := selfSigned(host.IP)
		if err != nil {
			_ = ln.Close()
			return err
		}
		l.url, l.pem = "https://"+host.String(), certPEM
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	s.mu.Lock()
	if s.listener != nil || s.ctx.Err() != nil {
		s.mu.Unlock()
		_ = ln.Close()
		return fmt.Errorf("listen on %s: the server has been started or closed before", address)
	}
	s.listener = l
	s.mu.Unlock()
	go func() { l.done <- l.server.Serve(ln) }()
	return nil
}

func (s *Server) takeListener() *listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listener
	s.listener = nil
	return l
}

func (s *Server) base() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.url
}

// APIURL is the base URL of the API, without a trailing slash; empty before
// the server listens.
func (s *Server) APIURL() string { return s.base() }

// TokenURL is the URL of the token endpoint; empty before the server listens.
func (s *Server) TokenURL() string {
	if b := s.base(); b != "" {
		return b + TokenPath
	}
	return ""
}

// ControlURL is the base URL of the control endpoint, with a trailing slash;
// empty without WithControl or before the server listens.
func (s *Server) ControlURL() string {
	if b := s.base(); b != "" && s.controlled {
		return b + controlPrefix
	}
	return ""
}

// CertificatePEM is the certificate a client must trust to reach a server
// started with TLS; nil for any other.
func (s *Server) CertificatePEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.pem
}

func selfSigned(ip net.IP) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "prismsim"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(7 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{ip}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// TB is what StartFor needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// StartFor starts a server for a test and closes it at the test's end.
func StartFor(tb TB, source Source, options ...Option) *Server {
	tb.Helper()
	s := New(source, options...)
	if err := s.Start(); err != nil {
		tb.Fatalf("start the PRISM simulator: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("close the PRISM simulator: %v", err)
		}
	})
	return s
}
