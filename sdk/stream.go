// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

const (
	// maxWarnings bounds the warnings of one listing; the rest is counted.
	maxWarnings = 1000
	// maxRef bounds the refs and names that every event repeats.
	maxRef = 1 << 10
	// progressEvery is the shortest time between two progress events.
	progressEvery = time.Second
	// maxStatus is the largest HTTP status there can be.
	maxStatus = 999
)

// listing is one listing on its way to the host. Every event is sent under mu, since a stream takes one at a time.
type listing struct {
	ctx        context.Context //nolint:containedctx // it lives as long as one call
	foldRefs   bool
	secrets    *redactor
	recovered  func(call string, value any) *Error
	emit       func(event proto.Message) error
	requests   atomic.Int64
	mu         sync.Mutex
	answers    map[int32]int64 // Of the requests, by HTTP status.
	begun      bool
	ended      bool
	broken     error // The stream's own error; nothing can be sent any more.
	fault      error // What the plugin did wrong; the listing ends failed.
	expected   *int
	seen       map[string]bool
	scopes     int
	open       int
	count      int64 // Records sent.
	incomplete int
	why        *distributorv1.ErrorDetail // Why the first incomplete scope is.
	warnings   int
	progressed time.Time
}

// send sends an event, after begin. The caller holds mu.
func (l *listing) send(event proto.Message) error {
	if l.broken != nil {
		return l.broken
	}
	if l.ended {
		return l.misuse("was used after it ended; wait for your goroutines before you return")
	}
	if !l.begun {
		l.begun = true
		if err := l.emit(&distributorv1.ListingBegin{ExpectedCount: count64(l.expected)}); err != nil {
			l.broken = err
			return err
		}
	}
	if err := l.emit(event); err != nil {
		l.broken = err
		return err
	}
	return nil
}

func count64(n *int) *int64 {
	if n == nil || *n < 0 {
		return nil
	}
	wide := int64(*n)
	return &wide
}

// misuse records a fault of the plugin. The caller holds mu.
func (l *listing) misuse(format string, args ...any) error {
	err := &Error{Class: ClassInternal, Origin: OriginPlugin, Message: "the listing " + fmt.Sprintf(format, args...)}
	if l.fault == nil {
		l.fault = err
	}
	return err
}

func (l *listing) warnLocked(scopeRef, code, ref, message string) {
	if l.warnings++; l.warnings > maxWarnings {
		return
	}
	_ = l.send(&distributorv1.Warning{ // An error is kept and found by the next Send.
		ScopeRef: scopeRef,
		Code:     shortRef(l.secrets.text(code)),
		Message:  errorText(l.secrets.text(message)),
		Ref:      shortRef(l.secrets.text(ref)),
	})
}

func shortRef(text string) string { return wire.Cut(wire.Clean(text), maxRef) }

// progress sends how far the listing is, unless it did within the last second.
func (l *listing) progress(last bool, format string, args ...any) {
	text := ""
	if format != "" {
		text = fmt.Sprintf(format, args...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !last && now.Sub(l.progressed) < progressEvery {
		return
	}
	l.progressed = now
	_ = l.send(&distributorv1.Progress{
		Records: l.count, Requests: l.requests.Load(), Answers: maps.Clone(l.answers), Text: errorText(l.secrets.text(text)),
	})
}

// stopped gives why a context ended, or nil.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	return &Error{Class: ClassTransient, Origin: OriginPlugin, Message: "the listing was cut short: " + cause.Error(), Err: errors.Join(ctx.Err(), cause)}
}

// scope reads one scope with read and tells how it ended.
func (l *listing) scope(ctx context.Context, ref, name string, read func(*scope) error) error {
	s, err := l.openScope(ctx, ref, name)
	if err != nil {
		return err
	}
	readErr := l.protect(s, read)
	return s.end(ctx, readErr)
}

func (l *listing) openScope(ctx context.Context, ref, name string) (*scope, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmp.Or(stopped(ctx), stopped(l.ctx), l.broken); err != nil {
		return nil, err
	}
	key := ref
	if l.foldRefs {
		key = strings.ToLower(ref)
	}
	switch {
	case l.ended:
		return nil, l.misuse("was used after it ended; wait for your goroutines before you return")
	case strings.TrimSpace(ref) == "":
		return nil, l.misuse("has a scope without ref (%q)", name)
	case len(ref) > maxRef || wire.Clean(ref) != ref:
		return nil, l.misuse("has a scope whose ref is too long or no text: %q", wire.Cut(ref, 64))
	case l.seen[key]:
		return nil, l.misuse("opened scope %q twice", ref)
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[key] = true
	l.scopes++
	l.open++
	return &scope{listing: l, ref: ref, name: shortRef(name)}, nil
}

func (l *listing) protect(s *scope, read func(*scope) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = l.recovered(fmt.Sprintf("reading scope %q", s.ref), value)
		}
	}()
	return read(s)
}

// finish ends the listing after the plugin's method returned err.
func (l *listing) finish(err error) error {
	l.mu.Lock()
	if l.broken != nil {
		defer l.mu.Unlock()
		return l.broken
	}
	if l.open > 0 {
		_ = l.misuse("ended while %d scopes were being read; wait for your goroutines before you return", l.open)
	}
	cut := l.warnings - maxWarnings
	l.mu.Unlock()

	if cut > 0 {
		l.mu.Lock()
		l.warnings = 0
		l.warnLocked("", "warnings.cut", "", fmt.Sprintf("%d more warnings are not shown", cut))
		l.mu.Unlock()
	}
	if l.requests.Load() > 0 {
		l.progress(true, "")
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	end := &distributorv1.ListingEnd{Outcome: distributorv1.Outcome_OUTCOME_COMPLETE, Count: l.count, Scopes: int64(l.scopes)}
	switch failure := cmp.Or(l.secrets.error(l.fault), l.secrets.error(err)); {
	case failure != nil:
		end.Outcome, end.Error = distributorv1.Outcome_OUTCOME_FAILED, errorToProto(failure)
	case l.incomplete > 0:
		end.Outcome = distributorv1.Outcome_OUTCOME_PARTIAL
		end.Error = proto.CloneOf(l.why)
		end.Error.Message = errorText(fmt.Sprintf("%d of %d scopes are not complete: %s", l.incomplete, l.scopes, l.why.GetMessage()))
	case l.expected != nil && int64(*l.expected) != l.count:
		end.Outcome = distributorv1.Outcome_OUTCOME_PARTIAL
		end.Error = mismatch(*l.expected, l.count)
	}
	sendErr := l.send(end)
	l.ended = true
	return sendErr
}

func mismatch(expected int, count int64) *distributorv1.ErrorDetail {
	return &distributorv1.ErrorDetail{
		Class:   distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		Origin:  distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR,
		Message: fmt.Sprintf("the distributor announced %d records and gave %d", expected, count),
	}
}
