// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxErrorBody is how much of a refusal is read.
const maxErrorBody = 64 << 10

var (
	errNoAnswer = errors.New("no answer")
	errSilent   = errors.New("the answer stopped coming")
)

// waitError is a time limit that passed.
type waitError struct{ text string }

func (e *waitError) Error() string { return e.text }

// Timeout marks it as a time-out.
func (e *waitError) Timeout() bool { return true }

// tooLargeError is an answer beyond its limit.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than the limit of %s", byteSize(e.limit))
}

// readError is a failure while reading an answer's body.
type readError struct {
	bytes int64
	err   error
}

func (e *readError) Error() string {
	return fmt.Sprintf("the answer broke off after %s: %v", byteSize(e.bytes), e.err)
}

func (e *readError) Unwrap() error { return e.err }

// guardedBody bounds a body: its size, each silence, and how slowly it may drip. Only time spent waiting for the sender
// counts; a slow consumer does not.
type guardedBody struct {
	ctx     context.Context //nolint:containedctx // the attempt's own context, to tell why it ended
	cancel  context.CancelCauseFunc
	from    io.ReadCloser
	silence time.Duration
	minRate int
	limit   int64
	timer   *time.Timer
	release func()
	once    sync.Once

	total  int64
	window time.Duration
	got    int64
	failed error
}

func newBody(ctx context.Context, cancel context.CancelCauseFunc, from io.ReadCloser, silence time.Duration, minRate int, limit int64, release func()) *guardedBody {
	b := &guardedBody{ctx: ctx, cancel: cancel, from: from, silence: silence, minRate: minRate, limit: limit, release: release}
	b.timer = time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	b.timer.Stop()
	return b
}

// Read reads within the bounds. Every error but io.EOF is a *readError.
func (b *guardedBody) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	begin := time.Now()
	b.timer.Reset(b.silence)
	n, err := b.from.Read(p)
	b.timer.Stop()
	b.total += int64(n)
	switch {
	case b.total > b.limit:
		err = &tooLargeError{b.limit}
	case err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), errSilent):
		err = &waitError{fmt.Sprintf("nothing came for %s", b.silence)}
	case err == nil:
		err = b.drip(time.Since(begin), n)
	}
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = &readError{b.total, err}
		}
		b.failed = err
	}
	return n, err
}

func (b *guardedBody) drip(waited time.Duration, n int) error {
	b.window += waited
	b.got += int64(n)
	if b.window < b.silence {
		return nil
	}
	need := int64(b.silence.Seconds() * float64(b.minRate))
	if b.got < need {
		return &waitError{fmt.Sprintf("only %s came in %s", byteSize(b.got), b.window.Round(time.Second/10))}
	}
	b.window, b.got = 0, 0
	return nil
}

// Close ends the attempt and gives its place back.
func (b *guardedBody) Close() error {
	b.once.Do(func() {
		b.timer.Stop()
		b.cancel(nil)
		_ = b.from.Close()
		b.release()
	})
	return nil
}

func byteSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
