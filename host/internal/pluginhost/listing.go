// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// readAhead is how many messages are decoded ahead of Next. A message is a batch.
const readAhead = 4

var (
	errIdle   = errors.New("the plugin said nothing")
	errClosed = errors.New("the listing was closed")
)

// Listing is one reading of a distributor's customers or subscriptions. One goroutine uses it; Close may be called from
// any.
type Listing struct {
	process  *Process
	call     string
	cancel   context.CancelCauseFunc
	messages chan message
	// err is why the stream ended; it may be read once messages is closed.
	err  error
	done chan struct{}

	books *ledger
	final error
}

// ListCustomers reads the distributor's customers: all, or those given. The listing must be closed.
func (p *Process) ListCustomers(ctx context.Context, refs []string) (*Listing, error) {
	return p.list(ctx, "ListCustomers", func(ctx context.Context) (func() (message, error), error) {
		stream, err := p.rpc.ListCustomers(ctx, &distributorv1.ListCustomersRequest{CustomerRefs: refs})
		if err != nil {
			return nil, err
		}
		return func() (message, error) {
			m, err := stream.Recv()
			return message{
				begin: m.GetBegin(), scopeBegin: m.GetScopeBegin(), customers: m.GetRecords(), tombstone: m.GetTombstone(),
				warning: m.GetWarning(), progress: m.GetProgress(), scopeEnd: m.GetScopeEnd(), end: m.GetEnd(),
			}, err
		}, nil
	})
}

// ListSubscriptions reads the distributor's subscriptions: all, or those of the given customers. lastComplete is when the
// last complete reading of all of them began; zero: there was none. The listing must be closed.
func (p *Process) ListSubscriptions(ctx context.Context, refs []string, lastComplete time.Time) (*Listing, error) {
	request := &distributorv1.ListSubscriptionsRequest{CustomerRefs: refs, LastComplete: sdk.Instant(lastComplete)}
	return p.list(ctx, "ListSubscriptions", func(ctx context.Context) (func() (message, error), error) {
		stream, err := p.rpc.ListSubscriptions(ctx, request)
		if err != nil {
			return nil, err
		}
		return func() (message, error) {
			m, err := stream.Recv()
			return message{
				begin: m.GetBegin(), scopeBegin: m.GetScopeBegin(), subscriptions: m.GetRecords(), tombstone: m.GetTombstone(),
				warning: m.GetWarning(), progress: m.GetProgress(), scopeEnd: m.GetScopeEnd(), end: m.GetEnd(),
			}, err
		}, nil
	})
}

func (p *Process) list(ctx context.Context, call string, open func(context.Context) (func() (message, error), error)) (*Listing, error) {
	listCtx, cancel := context.WithCancelCause(ctx)
	l := &Listing{
		process: p, call: call, cancel: cancel, messages: make(chan message, readAhead), done: make(chan struct{}),
		books: newLedger(p.spec.Name, p.redact),
	}
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		cancel(errClosed)
		return nil, fail(CodeClosed, "", "plugin %q: %s: the process was closed", p.spec.Name, call)
	}
	p.call = call
	p.streams[l] = struct{}{}
	p.mu.Unlock()
	go l.read(listCtx, open)
	return l, nil
}

// read decodes messages ahead of Next until the stream ends.
func (l *Listing) read(ctx context.Context, open func(context.Context) (func() (message, error), error)) {
	defer close(l.done)
	defer close(l.messages)
	idle := l.process.spec.IdleTimeout
	silence := time.AfterFunc(idle, func() { l.cancel(errIdle) })
	defer silence.Stop()
	recv, err := open(ctx)
	for err == nil {
		var m message
		// The time counts while the plugin is waited for, not while the host is busy.
		silence.Reset(idle)
		m, err = recv()
		silence.Stop()
		if err != nil {
			break
		}
		select {
		case l.messages <- m:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	l.err = l.ended(ctx, err)
}

// ended says why the stream ended; nil if it ended as if all were well.
func (l *Listing) ended(ctx context.Context, err error) error {
	name := l.process.spec.Name
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(context.Cause(ctx), errIdle):
		return fail(CodeHangs, "See its log. Run it again; if it happens again, report it to the plugin's vendor.",
			"plugin %q hangs: it said nothing for %s in %s", name, l.process.spec.IdleTimeout, l.call)
	case errors.Is(context.Cause(ctx), errClosed):
		return fail(CodeClosed, "", "plugin %q: %s was closed before its end", name, l.call)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("plugin %q: %s: %w", name, l.call, context.Cause(ctx))
	}
	return l.process.callError(ctx, l.call, err)
}

// Next gives the next event. After the last it gives io.EOF if the plugin ended the stream, and otherwise what broke
// it off: a *CrashError, an *Error, the *sdk.Error the plugin reported, or the end of the context. What the plugin did
// wrong within a stream is no error of Next: it has made scopes, or the listing, not complete; see Result.
func (l *Listing) Next() (Event, error) {
	for len(l.books.pending) == 0 {
		if l.final != nil {
			return nil, l.final
		}
		m, ok := <-l.messages
		if ok {
			l.books.take(m)
			continue
		}
		l.final = l.err
		if l.final == nil {
			l.final = io.EOF
		}
		l.books.cutOff(l.err)
	}
	e := l.books.pending[0]
	l.books.pending[0] = nil
	l.books.pending = l.books.pending[1:]
	if len(l.books.pending) == 0 {
		l.books.pending = nil
	}
	return e, nil
}

// Result gives what the listing came to so far, and for good once Next has given an error. Before that it is never
// complete.
func (l *Listing) Result() Result {
	r := l.books.result
	if l.final == nil {
		if r.Outcome == OutcomeComplete || r.Err == nil {
			r.Outcome, r.Err = OutcomePartial, fail(CodeProtocol, "", "the listing was not read to its end")
		}
	}
	return r
}

// Close ends the listing, whether or not it was read to its end, and waits until nothing of it runs.
func (l *Listing) Close() {
	l.cancel(errClosed)
	<-l.done
	l.process.mu.Lock()
	delete(l.process.streams, l)
	l.process.mu.Unlock()
}
