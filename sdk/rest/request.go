// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Request is one request, declared as a read or a write. Reads may be repeated, writes never are. The HTTP method does
// not decide: some distributors read by POST.
type Request struct {
	method, path string
	vars         Vars
	query        url.Values
	payload      any
	read         bool
}

// Vars fills the {names} of a path.
type Vars map[string]string

// Read declares a request without side effects. Path is a template below the base URL, "/v2/tenants/{tenantId}"; it may
// end in a fixed query.
func Read(method, path string, vars Vars) Request {
	return Request{method: method, path: path, vars: vars, read: true}
}

// Write declares a request that changes something at the distributor. It is sent once, whatever happens.
func Write(method, path string, vars Vars) Request {
	return Request{method: method, path: path, vars: vars}
}

// WithQuery gives the request with a query parameter set.
func (r Request) WithQuery(name, value string) Request {
	r.query = maps.Clone(r.query)
	if r.query == nil {
		r.query = url.Values{}
	}
	r.query.Set(name, value)
	return r
}

// WithBody gives the request with a body that is sent as JSON.
func (r Request) WithBody(payload any) Request {
	r.payload = payload
	return r
}

func (r Request) body() ([]byte, error) {
	if r.payload == nil {
		return nil, nil
	}
	data, err := json.Marshal(r.payload)
	if err != nil {
		return nil, fmt.Errorf("encode the body of %s %s: %w", r.method, r.path, err)
	}
	return data, nil
}

func (r Request) url(base *url.URL) (*url.URL, error) {
	template, fixed, _ := strings.Cut(r.path, "?")
	path, err := expand(template, r.vars)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(fixed)
	if err != nil {
		return nil, fmt.Errorf("path %q: its query is malformed", r.path)
	}
	maps.Copy(query, r.query)
	target := *base
	full := strings.TrimRight(base.EscapedPath(), "/") + "/" + strings.TrimLeft(path, "/")
	if target.Path, err = url.PathUnescape(full); err != nil {
		return nil, fmt.Errorf("path %q: %w", r.path, err)
	}
	target.RawPath = full
	target.RawQuery = query.Encode()
	return &target, nil
}

// expand fills a template. Values are ids from outside, so one that could change the path's shape is refused.
func expand(template string, vars Vars) (string, error) {
	var out strings.Builder
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("path %q: a { is not closed", template)
		}
		value, known := vars[name]
		if !known {
			return "", fmt.Errorf("path %q: nothing is known to fill {%s} with; known: %s", template, name,
				strings.Join(slices.Sorted(maps.Keys(vars)), ", "))
		}
		if !safeSegment(value) {
			return "", fmt.Errorf("path %q: %q cannot stand for {%s} in a path", template, clip(value, 80), name)
		}
		out.WriteString(url.PathEscape(value))
		rest = tail
	}
}

func safeSegment(value string) bool {
	if value == "" || value == "." || value == ".." || len(value) > 512 {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f || strings.ContainsRune(`/\?#%`, r) })
}

// PathVars gives the {names} in a path template, for checking a path that comes from the settings.
func PathVars(template string) []string {
	var names []string
	for rest := template; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			return names
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return append(names, after)
		}
		names, rest = append(names, name), tail
	}
}

// Endpoint is a request that may be sent: a method and a path template. A {name} stands for exactly one segment.
type Endpoint struct{ Method, Path string }

type allowed struct {
	method   string
	segments []string
}

func compileAllow(base *url.URL, endpoints []Endpoint) []allowed {
	list := make([]allowed, 0, len(endpoints))
	for _, e := range endpoints {
		path, _, _ := strings.Cut(e.Path, "?")
		full := strings.TrimRight(base.EscapedPath(), "/") + "/" + strings.TrimLeft(path, "/")
		list = append(list, allowed{e.Method, segments(full)})
	}
	return list
}

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

func (a allowed) matches(method string, u *url.URL) bool {
	if a.method != method {
		return false
	}
	have := segments(u.EscapedPath())
	if len(have) != len(a.segments) {
		return false
	}
	for i, want := range a.segments {
		if strings.Contains(want, "{") {
			value, err := url.PathUnescape(have[i])
			if err != nil || !safeSegment(value) {
				return false
			}
			continue
		}
		if want != have[i] {
			return false
		}
	}
	return true
}

// call is what the layers below know about one request. It travels in the request's context.
type call struct {
	method       string
	target       *url.URL
	read, stream bool
	limit        int64
	body         []byte
	redact       func(string) string
	attempts     int
	renewed      int // how many times with a fresh token
	token        bool
}

// String names the request in messages, without its query.
func (c *call) String() string {
	return c.redact(c.method + " " + c.target.Host + c.target.EscapedPath())
}

// tries says how often it was tried, when more than once.
func (c *call) tries() string {
	if c.attempts < 2 {
		return ""
	}
	return fmt.Sprintf(", tried %d times", c.attempts)
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}
