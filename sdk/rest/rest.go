// SPDX-License-Identifier: Apache-2.0

// Package rest is HTTP for plugins whose distributor has a REST API.
//
// A Client fetches and renews its token, repeats reads that failed for a passing reason, keeps to a rate, bounds what it
// reads and waits for, refuses requests that are not on its list, and turns every failure into an *sdk.Error that says
// what happened and what to do, without secrets. Value, Object and List read JSON as distributors really send it.
//
// For tests a Cassette records what a distributor really answers, without its secrets, and plays it without the
// distributor: Options.Cassette.
//
// A Client belongs to one connection. Nothing in this package is global: two modules never share a token.
package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"

	"github.com/tallymanhq/tallyman/sdk"
)

// Options says how a Client behaves. Zero values give the defaults named with each.
type Options struct {
	// BaseURL is where every request goes: "https://api.example.com" or "https://gw.example.com/prism". Required.
	BaseURL string
	// BaseURLField and TokenURLField are the names of the settings the URLs come from, for messages.
	BaseURLField, TokenURLField string
	// AllowHTTP permits plain http to hosts other than this machine. Default: https only, http for loopback.
	AllowHTTP bool
	// Token fetches bearer tokens. Nil: requests carry no token.
	Token *ClientCredentials
	// Header goes with every request, such as an API key. Values are secret: they are redacted everywhere.
	Header http.Header
	// UserAgent of every request.
	UserAgent string
	// Allow lists the requests that may be sent. Anything else is refused before it leaves. Empty: any path below BaseURL.
	Allow []Endpoint
	// MaxParallel is how many requests run at a time. A streamed answer counts until it is read. Default 2.
	MaxParallel int
	// RequestsPerMinute bounds the rate, repeats included. Zero: no bound.
	RequestsPerMinute int
	// MaxAttempts is how often a read is tried in all. Writes are tried once. Default 5.
	MaxAttempts int
	// RetryWait is the first wait before a repeat; it doubles each time, with jitter. Default 1 s. A wait that the
	// distributor asks for goes first, be it in the header Retry-After or in the text of a 429 or 503 ("Try again in 26
	// seconds."). An answer of "too many requests" that names no time waits eight times as long.
	RetryWait time.Duration
	// MaxRetryWait bounds one wait. A distributor that asks for more is not asked again in this call. Default 2 min.
	MaxRetryWait time.Duration
	// Timeout bounds the wait for the answer's head, for each attempt, and each silence within its body. Default 120 s.
	// There is no bound on the whole: a large answer may take as long as it keeps coming.
	Timeout time.Duration
	// MinRate is how many bytes a second a body must bring on average over each Timeout. Default 256.
	MinRate int
	// MaxBody bounds answers that are held in memory. Default 64 MiB.
	MaxBody int64
	// MaxStream bounds answers that are streamed. Default 4 GiB.
	MaxStream int64
	// MaxElement bounds one element of a streamed list. Default 64 MiB.
	MaxElement int
	// Hints replaces the general hint for refusals of a class, where a plugin knows better what a person should do.
	Hints map[sdk.Class]string
	// Secrets are further texts to keep out of every message.
	Secrets []string
	// Log gets one line at debug level for each request. Default: none.
	Log hclog.Logger
	// Cassette keeps the distributor's answers, or plays kept ones in its stead, for tests. Nil: neither.
	Cassette *Cassette
	// TLS overrides the TLS settings, for tests. Default: the system's roots, TLS 1.2 or later.
	TLS *tls.Config
}

func (o *Options) setDefaults() {
	setDefault(&o.BaseURLField, "api_base_url")
	setDefault(&o.TokenURLField, "token_url")
	setDefault(&o.MaxParallel, 2)
	setDefault(&o.MaxAttempts, 5)
	setDefault(&o.RetryWait, time.Second)
	setDefault(&o.MaxRetryWait, 2*time.Minute)
	setDefault(&o.Timeout, 120*time.Second)
	setDefault(&o.MinRate, 256)
	setDefault(&o.MaxBody, 64<<20)
	setDefault(&o.MaxStream, 4<<30)
	setDefault(&o.MaxElement, 64<<20)
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
}

func setDefault[T int | int64 | time.Duration | string](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Client sends requests to one distributor. It is safe for concurrent use.
type Client struct {
	options  Options
	base     *url.URL
	redactor *redactor
	wire     *http.Transport
	way      http.RoundTripper // wire, with the cassette in it
	gate     *gate
	tokens   *tokens
	retrying *retryablehttp.Client
}

// New makes a client. It does not use the network. An error is an *sdk.Error of ClassSettings.
func New(options Options) (*Client, error) {
	options.setDefaults()
	base, err := CheckURL(options.BaseURL, options.AllowHTTP)
	if err != nil {
		return nil, settingsError(options.BaseURLField, err)
	}
	c := &Client{options: options, base: base, redactor: &redactor{}}
	c.redactor.add(options.Secrets...)
	for _, values := range options.Header {
		c.redactor.add(headerSecrets(values)...)
	}
	if options.Cassette.replays() {
		c.options.RequestsPerMinute = 0
	}
	c.wire = newWire(&options)
	c.way = options.Cassette.wrap(c, c.wire)
	c.gate = newGate(&c.options)
	pipe := &pipe{client: c, next: c.way, allow: compileAllow(base, options.Allow)}
	if options.Token != nil {
		credentials := *options.Token
		tokenURL, err := CheckURL(credentials.TokenURL, options.AllowHTTP)
		if err != nil {
			return nil, settingsError(options.TokenURLField, err)
		}
		c.redactor.add(credentials.secrets()...)
		c.tokens = newTokens(c, credentials, tokenURL)
		pipe.tokens = c.tokens
	}
	c.retrying = c.newRetrying(pipe)
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() error {
	c.wire.CloseIdleConnections()
	return nil
}

// Redact replaces every secret the client knows, tokens included, by "***".
func (c *Client) Redact(text string) string { return c.redactor.redact(text) }

// MaxParallel is how many requests run at a time.
func (c *Client) MaxParallel() int { return c.options.MaxParallel }

// Requests is how many requests were sent so far, repeats and token requests included.
func (c *Client) Requests() int { return int(c.gate.sent.Load()) }

// Counter takes numbers of requests: *sdk.CustomerListing and *sdk.SubscriptionListing do.
type Counter interface {
	Requests(n int)
	Answers(byStatus map[int]int)
}

// Count gives a function that tells a listing, each time it is called, of the requests sent since the last time. Defer it, and
// call it in between where a listing takes long:
//
//	defer client.Count(out)()
func (c *Client) Count(to Counter) (tell func()) {
	sent, answered := c.Requests(), c.gate.answers()
	return func() {
		nowSent, nowAnswered := c.Requests(), c.gate.answers()
		to.Requests(nowSent - sent)
		since := maps.Clone(nowAnswered)
		for status, n := range answered {
			since[status] -= n
		}
		to.Answers(since)
		sent, answered = nowSent, nowAnswered
	}
}

func (c *Client) newRetrying(next http.RoundTripper) *retryablehttp.Client {
	wait := backoff
	if c.options.Cassette.replays() {
		wait = func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 }
	}
	return &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: next, CheckRedirect: c.checkRedirect},
		RetryWaitMin: c.options.RetryWait,
		RetryWaitMax: c.options.MaxRetryWait,
		RetryMax:     c.options.MaxAttempts - 1,
		CheckRetry:   c.checkRetry,
		Backoff:      wait,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// Get sends a request and gives the whole answer as a JSON value, at most Options.MaxBody long.
func (c *Client) Get(ctx context.Context, r Request) (Value, error) {
	resp, call, err := c.send(ctx, r, false)
	if err != nil {
		return Value{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Value{}, c.networkError(call, err)
	}
	if err := checkJSON(call, resp, body); err != nil {
		return Value{}, c.schemaError(call, resp, err)
	}
	v, err := ParseValue(body)
	if err != nil {
		return Value{}, c.schemaError(call, resp, err)
	}
	return v, nil
}

// Stream sends a request and gives the answer's body to read as it comes. An error of read is passed on; one that comes
// from reading the body is turned into an *sdk.Error.
func (c *Client) Stream(ctx context.Context, r Request, read func(body io.Reader) error) error {
	resp, call, err := c.send(ctx, r, true)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = read(resp.Body)
	if err == nil {
		return nil
	}
	var failed *readError
	switch {
	case errors.As(err, &failed):
		return c.networkError(call, failed)
	case errors.As(err, new(*shapeError)):
		return c.schemaError(call, resp, err)
	default:
		return err
	}
}

// send gives an answer with a status below 300, or an *sdk.Error.
func (c *Client) send(ctx context.Context, r Request, stream bool) (*http.Response, *call, error) {
	target, err := r.url(c.base)
	if err != nil {
		return nil, nil, &sdk.Error{Class: sdk.ClassInternal, Origin: sdk.OriginPlugin, Message: err.Error()}
	}
	body, err := r.body()
	if err != nil {
		return nil, nil, &sdk.Error{Class: sdk.ClassInternal, Origin: sdk.OriginPlugin, Message: err.Error()}
	}
	call := &call{
		method: r.method, target: target, read: r.read, stream: stream, limit: c.options.MaxBody, body: body, redact: c.Redact,
	}
	if stream {
		call.limit = c.options.MaxStream
	}
	header := http.Header{}
	for name, values := range c.options.Header {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	header.Set("Accept", "application/json")
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	if c.options.UserAgent != "" {
		header.Set("User-Agent", c.options.UserAgent)
	}
	resp, err := c.perform(ctx, c.retrying, call, header)
	return resp, call, err
}

func (c *Client) perform(ctx context.Context, with *retryablehttp.Client, call *call, header http.Header) (*http.Response, error) {
	var raw any
	if call.body != nil {
		raw = call.body
	}
	req, err := retryablehttp.NewRequestWithContext(withCall(ctx, call), call.method, call.target.String(), raw)
	if err != nil {
		return nil, &sdk.Error{Class: sdk.ClassInternal, Origin: sdk.OriginPlugin, Message: c.Redact(err.Error())}
	}
	req.Header = header
	resp, err := with.Do(req)
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, c.networkError(call, ctxErr)
		}
		return nil, c.networkError(call, err)
	}
	if resp.StatusCode == http.StatusPartialContent {
		defer resp.Body.Close()
		return nil, c.schemaError(call, resp, shapef("only part of it (206)"))
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return nil, c.statusError(call, resp, text)
	}
	return resp, nil
}

// newWire makes the connection pool.
func newWire(o *Options) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   15 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          o.MaxParallel + 1,
		MaxIdleConnsPerHost:   o.MaxParallel,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        64 << 10,
	}
}

// CheckURL checks an address that requests with credentials go to. Plain http is accepted for this machine only, unless
// allowHTTP says otherwise.
func CheckURL(text string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.User != nil:
		return nil, errors.New("it must not hold a user name or password")
	case u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host; write it with https://", text)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it must not hold a query or fragment")
	case u.Scheme == "https":
	case u.Scheme != "http":
		return nil, fmt.Errorf("scheme %q is not http or https", u.Scheme)
	case !allowHTTP && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("http would send the secret to %s unencrypted; write https", u.Hostname())
	}
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func settingsError(field string, err error) *sdk.Error {
	return &sdk.Error{Class: sdk.ClassSettings, Origin: sdk.OriginPlugin, Field: field, Message: fmt.Sprintf("%s: %v", field, err)}
}

func newLimiter(perMinute int) *rate.Limiter {
	if perMinute <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(1, perMinute/60))
}
