// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/tallymanhq/tallyman/sdk"
)

// ClientCredentials says how to get a bearer token by OAuth 2.0 client credentials, or by any other grant that one POST
// serves (set "grant_type" in Extra).
type ClientCredentials struct {
	// TokenURL is where tokens come from. Required.
	TokenURL string
	// ClientID and ClientSecret are the credentials.
	ClientID, ClientSecret string
	// Scope asked for. Empty: none is sent.
	Scope string
	// Extra parameters, such as an audience. Their values are treated as secrets, except grant_type and audience.
	Extra map[string]string
	// JSON sends the parameters as a JSON object. Default: as a form.
	JSON bool
	// Basic sends id and secret as HTTP Basic authentication and not in the body.
	Basic bool
	// Unescaped, with Basic, sends id and secret as they are. OAuth 2.0 wants them form-encoded first, which many services
	// do not know; it matters for a secret with characters such as + / =.
	Unescaped bool
	// RenewBefore is how long before its end a token is renewed, at most half its lifetime. Default 5 min.
	RenewBefore time.Duration
}

func (c *ClientCredentials) secrets() []string {
	list := []string{c.ClientSecret}
	for name, value := range c.Extra {
		if name != "grant_type" && name != "audience" {
			list = append(list, value)
		}
	}
	return list
}

func (c *ClientCredentials) parameters() map[string]string {
	p := map[string]string{"grant_type": "client_credentials"}
	if !c.Basic {
		p["client_id"], p["client_secret"] = c.ClientID, c.ClientSecret
	}
	if c.Scope != "" {
		p["scope"] = c.Scope
	}
	maps.Copy(p, c.Extra)
	return p
}

// tokens holds the token of one client.
type tokens struct {
	client      *Client
	credentials ClientCredentials
	url         *url.URL
	retrying    *retryablehttp.Client
	// turn lets one request at a time fetch a token; it also guards the fields below.
	turn   chan struct{}
	scheme string
	token  string
	renew  time.Time
	// refused is kept: asking again with refused credentials may lock the account.
	refused *sdk.Error

	// proven are the newest tokens that were accepted. They have a lock of their own: an answer that is noted here may hold the
	// place that whoever fetches a token waits for.
	mu     sync.Mutex
	proven []string
}

func newTokens(c *Client, credentials ClientCredentials, target *url.URL) *tokens {
	if credentials.RenewBefore <= 0 {
		credentials.RenewBefore = 5 * time.Minute
	}
	t := &tokens{client: c, credentials: credentials, url: target, turn: make(chan struct{}, 1)}
	t.retrying = c.newRetrying(&pipe{client: c, next: c.way})
	return t
}

func (t *tokens) lock(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *tokens) unlock() { <-t.turn }

// get gives the scheme and the token, fetching one when there is none that still holds.
func (t *tokens) get(ctx context.Context) (scheme, token string, err error) {
	if err := t.lock(ctx); err != nil {
		return "", "", err
	}
	defer t.unlock()
	if t.refused != nil {
		return "", "", t.refused
	}
	if t.token != "" && (t.renew.IsZero() || time.Now().Before(t.renew)) {
		return t.scheme, t.token, nil
	}
	if err := t.fetch(ctx); err != nil {
		var refused *sdk.Error
		if errors.As(err, &refused) && (refused.Class == sdk.ClassAuth || refused.Class == sdk.ClassSettings) {
			t.refused = refused
		}
		return "", "", err
	}
	return t.scheme, t.token, nil
}

// mostProven is how many tokens are remembered to have been accepted: more than any one request can see wear out.
const mostProven = 2 * maxRenewals

// accept notes that a token was accepted.
func (t *tokens) accept(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.proven, token) {
		t.proven = append(t.proven[max(len(t.proven)-mostProven+1, 0):], token)
	}
}

// drop forgets a token that was refused, unless another request has already replaced it. It reports whether the token has worn
// out: it was accepted before, so the credentials are good.
func (t *tokens) drop(token string) (worn bool) {
	t.turn <- struct{}{}
	defer t.unlock()
	if t.token == token {
		t.token = ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.proven, token)
}

func (t *tokens) fetch(ctx context.Context) error {
	parameters := t.credentials.parameters()
	call := &call{
		method: http.MethodPost, target: t.url, read: true, token: true, limit: 1 << 20, redact: t.client.Redact,
	}
	header := http.Header{"Accept": {"application/json"}}
	if ua := t.client.options.UserAgent; ua != "" {
		header.Set("User-Agent", ua)
	}
	if t.credentials.JSON {
		body, err := json.Marshal(parameters)
		if err != nil {
			return fmt.Errorf("encode the token request: %w", err)
		}
		call.body = body
		header.Set("Content-Type", "application/json")
	} else {
		form := url.Values{}
		for name, value := range parameters {
			form.Set(name, value)
		}
		call.body = []byte(form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if t.credentials.Basic {
		request := http.Request{Header: header}
		id, secret := t.credentials.ClientID, t.credentials.ClientSecret
		if !t.credentials.Unescaped {
			id, secret = url.QueryEscape(id), url.QueryEscape(secret)
		}
		request.SetBasicAuth(id, secret)
		t.client.redactor.add(strings.TrimPrefix(header.Get("Authorization"), "Basic "))
	}
	begin := time.Now()
	resp, err := t.client.perform(ctx, t.retrying, call, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return t.client.networkError(call, err)
	}
	return t.take(call, resp, body, begin)
}

// take reads a token answer. Names are read in any case, with or without underscores.
func (t *tokens) take(call *call, resp *http.Response, body []byte, begin time.Time) error {
	if err := checkJSON(call, resp, body); err != nil {
		return t.client.schemaError(call, resp, err)
	}
	v, err := ParseValue(body)
	if err != nil {
		return t.client.schemaError(call, resp, err)
	}
	o := v.Object()
	token := o.Get("access_token", "AccessToken").Text()
	if token == "" {
		if o.Get("error").Text() != "" {
			// Some services refuse with status 200.
			return t.client.statusError(call, &http.Response{StatusCode: http.StatusBadRequest, Header: resp.Header}, body)
		}
		return t.client.schemaError(call, resp, shapef("the answer holds no access_token"))
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= 0x20 || r >= 0x7f }) {
		return t.client.schemaError(call, resp, shapef("the access_token holds characters that no header may hold"))
	}
	t.client.redactor.add(token)
	t.token, t.scheme = token, "Bearer"
	if kind := o.Get("token_type", "TokenType").Text(); kind != "" && !strings.EqualFold(kind, "bearer") && isWord(kind) {
		t.scheme = kind
	}
	t.renew = time.Time{}
	if seconds, ok := o.Get("expires_in", "ExpiresIn").Int(); ok && seconds > 0 {
		lifetime := time.Duration(min(seconds, 365*24*3600)) * time.Second
		t.renew = begin.Add(lifetime - min(t.credentials.RenewBefore, lifetime/2))
	}
	return nil
}

func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}
