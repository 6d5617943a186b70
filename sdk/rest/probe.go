// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// Resolve looks up the hosts of the API and of the token endpoint, for a connection test. Detail says what was found.
func (c *Client) Resolve(ctx context.Context) (detail string, err error) {
	return c.probe(ctx, func(ctx context.Context, u *url.URL) (string, error) {
		addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is %s", u.Hostname(), addresses[0]), nil
	})
}

// Connect opens a connection to the hosts of the API and of the token endpoint, TLS included, and closes it again.
func (c *Client) Connect(ctx context.Context) (detail string, err error) {
	return c.probe(ctx, c.dial)
}

func (c *Client) dial(ctx context.Context, u *url.URL) (string, error) {
	host := u.Host
	if u.Port() == "" {
		port := "443"
		if u.Scheme == "http" {
			port = "80"
		}
		host = net.JoinHostPort(u.Hostname(), port)
	}
	dialer := net.Dialer{Timeout: 15 * time.Second}
	if u.Scheme == "http" {
		conn, err := dialer.DialContext(ctx, "tcp", host)
		if err != nil {
			return "", err
		}
		return host + " without TLS", conn.Close()
	}
	secure := tls.Dialer{NetDialer: &dialer, Config: c.wire.TLSClientConfig}
	conn, err := secure.DialContext(ctx, "tcp", host)
	if err != nil {
		return "", err
	}
	version := tls.VersionName(conn.(*tls.Conn).ConnectionState().Version)
	return fmt.Sprintf("%s with %s", host, version), conn.Close()
}

func (c *Client) probe(ctx context.Context, try func(context.Context, *url.URL) (string, error)) (string, error) {
	if c.options.Cassette.replays() {
		return "the answers are recorded", nil
	}
	targets := []*url.URL{c.base}
	if c.tokens != nil && c.tokens.url.Host != c.base.Host {
		targets = append(targets, c.tokens.url)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var details []string
	for i, target := range targets {
		if proxy, err := c.wire.Proxy(&http.Request{URL: target}); err == nil && proxy != nil {
			details = append(details, fmt.Sprintf("%s through the proxy %s", target.Hostname(), proxy.Host))
			continue
		}
		detail, err := try(ctx, target)
		if err != nil {
			e := c.networkError(&call{method: "connect to", target: &url.URL{Host: target.Host}, redact: c.Redact, token: i > 0}, err)
			e.Origin = sdk.OriginDistributor
			return "", e
		}
		details = append(details, detail)
	}
	return strings.Join(details, "; "), nil
}

// Authenticate fetches a token, if there is none that still holds, for a connection test.
func (c *Client) Authenticate(ctx context.Context) error {
	if c.tokens == nil {
		return nil
	}
	_, _, err := c.tokens.get(ctx)
	if err != nil {
		return c.networkError(&call{method: http.MethodPost, target: c.tokens.url, redact: c.Redact, token: true}, err)
	}
	return nil
}
