// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// large runs check against a distributor with that many subscriptions.
func (b *bench) large(ctx context.Context, n int, check func(s *session) error) error {
	if b.Simulator == nil {
		return missing("needs a simulator of the distributor that can be resized")
	}
	if err := b.Simulator.Resize(ctx, n); err != nil {
		return missing("the simulator cannot be resized: %v", err)
	}
	s, err := b.connect(ctx, nil)
	if err == nil {
		err = check(s)
		s.close()
	}
	return errors.Join(err, b.Simulator.Resize(context.WithoutCancel(ctx), 0))
}

// openLarge opens the listing of subscriptions and reads until the first records came.
func openLarge(ctx context.Context, s *session) (func() (event, error), error) {
	next, err := s.stream(ctx, subscriptions, nil)
	if err != nil {
		return nil, err
	}
	for {
		e, err := next()
		if err != nil {
			return nil, fmt.Errorf("the listing broke off before its first records: %w", err)
		}
		if e.end != nil {
			return nil, fmt.Errorf("the listing ended before its first records: %s", e.end.GetError().GetMessage())
		}
		if e.isRecords {
			return next, nil
		}
	}
}

const (
	// cancelTime is what the contract allows, cancelSlack what a busy machine may add.
	cancelTime  = time.Second
	cancelSlack = 2 * time.Second
)

// checkCancel cancels a listing in the middle. That it has ended in the plugin is seen by Drain, which waits for it.
func checkCancel(ctx context.Context, b *bench) error {
	return b.large(ctx, b.Large, func(s *session) error {
		listing, cancel := context.WithCancel(ctx)
		defer cancel()
		if _, err := openLarge(listing, s); err != nil {
			return err
		}
		cancel()
		if _, err := s.rpc.Describe(ctx, &distributorv1.DescribeRequest{HostVersion: b.HostVersion}); err != nil {
			return fmt.Errorf("after a cancelled listing, Describe fails: %w", err)
		}
		began := time.Now()
		waiting, done := context.WithTimeout(ctx, cancelTime+cancelSlack)
		defer done()
		_, err := s.rpc.Drain(waiting, &distributorv1.DrainRequest{DeadlineMilliseconds: time.Minute.Milliseconds()})
		if err != nil {
			return fmt.Errorf("%s after a listing was cancelled, it still runs: Drain, which waits for it, gives %w",
				time.Since(began).Round(time.Millisecond), err)
		}
		return nil
	})
}

func checkDeadline(ctx context.Context, b *bench) error {
	return b.large(ctx, b.Large, func(s *session) error {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		next, err := s.stream(short, subscriptions, nil)
		for err == nil {
			_, err = next()
			if err == nil {
				<-short.Done() // A slow host, so that the deadline comes first.
			}
		}
		if status.Code(err) != codes.DeadlineExceeded {
			return fmt.Errorf("past its deadline the listing ends with %w", err)
		}
		if err := b.Simulator.Resize(ctx, 0); err != nil {
			return err
		}
		if h := s.list(ctx, customers, nil, onlyCount); !h.complete() {
			return fmt.Errorf("after a listing whose deadline was over, %s", h)
		}
		return nil
	})
}

// pressureLimit is how much a plugin may hold for a host that does not read: what is in flight, and a share of its heap.
const pressureLimit = 64 << 20

// checkPressure stops reading for a while. What the plugin holds must not grow with what it could have sent.
func checkPressure(ctx context.Context, b *bench) error {
	return b.large(ctx, b.Large, func(s *session) error {
		if s.process == nil {
			return missing("only over a process")
		}
		before, _, err := memory(s.process.pid())
		if err != nil {
			return err
		}
		listing, cancel := context.WithCancel(ctx)
		defer cancel()
		next, err := openLarge(listing, s)
		if err != nil {
			return err
		}
		now, err := settled(ctx, s.process.pid())
		if err != nil {
			return err
		}
		if now-before > pressureLimit {
			return fmt.Errorf("while nobody reads, it grows from %s to %s", size(before), size(now))
		}
		// It must go on where it stopped.
		for {
			e, err := next()
			if err != nil {
				return fmt.Errorf("after a pause of the host, the listing breaks off: %w", err)
			}
			if e.end != nil {
				return nil
			}
		}
	})
}

// settled waits until a process no longer grows, and gives what it holds.
func settled(ctx context.Context, pid int) (int64, error) {
	const pause, quiet = 100 * time.Millisecond, 10
	tick := time.NewTicker(pause)
	defer tick.Stop()
	most, still := int64(0), 0
	for still < quiet {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		now, _, err := memory(pid)
		if err != nil {
			return 0, err
		}
		if now > most {
			most, still = now, 0
		} else {
			still++
		}
	}
	return most, nil
}

// memoryLimit is how much more a large listing may take at its peak than one of a tenth, besides what the heap's
// collector leaves lying.
const memoryLimit = 48 << 20

func checkMemory(ctx context.Context, b *bench) error {
	const share = 10
	peakOf := func(n int) (peak int64, err error) {
		err = b.large(ctx, n, func(s *session) error {
			if s.process == nil {
				return missing("only over a process")
			}
			h := s.list(ctx, subscriptions, nil, onlyCount)
			if !h.complete() {
				return fmt.Errorf("with %d subscriptions, %s", n, h)
			}
			if h.count < int64(n)/2 {
				return fmt.Errorf("with %d subscriptions at the distributor, it lists %d", n, h.count)
			}
			_, peak, err = memory(s.process.pid())
			return err
		})
		return peak, err
	}
	small, err := peakOf(b.Large / share)
	if err != nil {
		return err
	}
	large, err := peakOf(b.Large)
	if err != nil {
		return err
	}
	if large-small > memoryLimit {
		return fmt.Errorf("%d subscriptions take %s at the peak, %d take %s", b.Large/share, size(small), b.Large, size(large))
	}
	return nil
}

func size(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
