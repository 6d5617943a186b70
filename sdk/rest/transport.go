// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tallymanhq/tallyman/sdk"
)

// gate holds requests back: so many at a time, so many a minute, none while the distributor asked for a pause. It stands
// below the repeats, so they count too.
type gate struct {
	limiter *rate.Limiter
	slots   chan struct{}
	sent    atomic.Int64

	mu       sync.Mutex
	until    time.Time
	answered map[int]int
}

func newGate(o *Options) *gate {
	return &gate{limiter: newLimiter(o.RequestsPerMinute), slots: make(chan struct{}, o.MaxParallel), answered: map[int]int{}}
}

// answer counts one answer by its status; 0: there was none.
func (g *gate) answer(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered[status]++
}

// answers gives how many requests were answered with which status.
func (g *gate) answers() map[int]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.answered)
}

// enter waits for a place. The caller must call leave.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := g.wait(ctx)
	if err != nil {
		g.leave()
	}
	return err
}

func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		pause := time.Until(g.until)
		g.mu.Unlock()
		if pause <= 0 {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	if err := g.limiter.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// The limiter gives up at once when the context would end first.
		return context.DeadlineExceeded
	}
	g.sent.Add(1)
	return nil
}

func (g *gate) leave() { <-g.slots }

func (g *gate) pause(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

// pipe is the way every attempt takes: list of allowed requests, token, gate, time limits, body limits.
type pipe struct {
	client *Client
	next   http.RoundTripper
	allow  []allowed
	tokens *tokens
}

// maxRenewals is how often a read is sent again with a fresh token.
const maxRenewals = 3

// RoundTrip sends one attempt, and once more with a fresh token when a read is answered 401. It goes on only as long as the token
// that is refused has been accepted before: while a request waits for its place, others may wear its fresh token out.
func (p *pipe) RoundTrip(req *http.Request) (*http.Response, error) {
	call := callOf(req.Context())
	if call == nil {
		return nil, errors.New("a request was sent past the client")
	}
	if err := p.guard(call, req); err != nil {
		return nil, err
	}
	call.attempts++
	resp, token, err := p.once(req, call)
	for err == nil && p.tokens != nil {
		if resp.StatusCode != http.StatusUnauthorized {
			p.tokens.accept(token)
			break
		}
		worn := p.tokens.drop(token)
		if !call.read || call.renewed >= maxRenewals || call.renewed > 0 && !worn {
			break
		}
		call.renewed++
		resp.Body.Close()
		again := req.Clone(req.Context())
		if call.body != nil {
			again.Body = io.NopCloser(bytes.NewReader(call.body))
		}
		resp, token, err = p.once(again, call)
	}
	return resp, err
}

// guard refuses what is not on the list, also when a redirect leads there.
func (p *pipe) guard(call *call, req *http.Request) error {
	base := p.client.base
	if call.token {
		base = p.client.tokens.url
	}
	ok := req.URL.Scheme == base.Scheme && req.URL.Host == base.Host
	if ok && call.token {
		ok = req.Method == http.MethodPost && req.URL.Path == base.Path
	} else if ok && len(p.allow) > 0 {
		ok = false
		for _, a := range p.allow {
			if a.matches(req.Method, req.URL) {
				ok = true
				break
			}
		}
	}
	if ok {
		return nil
	}
	return &sdk.Error{
		Class: sdk.ClassUnsupported, Origin: sdk.OriginPlugin,
		Message: p.client.Redact(fmt.Sprintf("%s %s%s is not on the list of allowed requests and was not sent",
			req.Method, req.URL.Host, req.URL.EscapedPath())),
	}
}

func (p *pipe) once(req *http.Request, call *call) (resp *http.Response, token string, err error) {
	if p.tokens != nil {
		scheme, value, err := p.tokens.get(req.Context())
		if err != nil {
			return nil, "", err
		}
		token = value
		// A RoundTripper must not change the request it was given.
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", scheme+" "+value)
	}
	if err := p.client.gate.enter(req.Context()); err != nil {
		return nil, token, err
	}
	begin := time.Now()
	resp, err = p.attempt(req, call)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	p.client.gate.answer(status)
	if log := p.client.options.Log; log.IsDebug() {
		log.Debug("request", "request", call.String(), "status", status, "attempt", call.attempts, "took", time.Since(begin).Round(time.Millisecond))
	}
	if err == nil && !p.client.options.Cassette.replays() {
		if wait, told := retryAfter(resp); told && wait <= p.client.options.MaxRetryWait {
			p.client.gate.pause(wait)
		}
	}
	return resp, token, err
}

// attempt bounds the wait for the head and prepares the body: held in memory, or guarded while it streams.
func (p *pipe) attempt(req *http.Request, call *call) (*http.Response, error) {
	o := &p.client.options
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(o.Timeout, func() { cancel(errNoAnswer) })
	resp, err := p.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		cause := context.Cause(ctx)
		cancel(nil)
		p.client.gate.leave()
		if errors.Is(cause, errNoAnswer) {
			return nil, &waitError{fmt.Sprintf("no answer within %s", o.Timeout)}
		}
		return nil, err
	}
	limit := call.limit
	failed := resp.StatusCode >= 300
	if failed {
		limit = maxErrorBody
	}
	body := newBody(ctx, cancel, resp.Body, o.Timeout, o.MinRate, limit, p.client.gate.leave)
	resp.Body = body
	if call.stream && !failed {
		return resp, nil
	}
	data, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil && !failed {
		return nil, err
	}
	if failed {
		tellWait(resp, data)
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// checkRedirect follows a redirect only for a read, and only where the guard will let it through.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	call := callOf(req.Context())
	if call == nil || !call.read || call.token || len(via) > 3 || req.Method != via[0].Method || req.URL.Host != c.base.Host || req.URL.Scheme != c.base.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}
