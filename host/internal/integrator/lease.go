// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// holderOfRun names one run in a lease. No two runs have the same name, not even those of two containers of one name in
// each of which it is process 1: whoever finds the name in the lease holds it.
func (i *Integrator) holderOfRun() string { return i.Holder + ", run " + rand.Text()[:10] }

func (i *Integrator) leaseTime() time.Duration { return cmp.Or(i.Lease, time.Minute) }

// withLease gives a context that ends when the lease is lost or the time is over, and a function that ends the watch and
// turns the run's error into the one to report.
func (r *run) withLease(ctx context.Context, timeout time.Duration) (context.Context, func(error) error) {
	leased, cancel := context.WithCancelCause(ctx)
	if timeout > 0 {
		var stop context.CancelFunc
		leased, stop = context.WithTimeoutCause(leased, timeout, &Problem{
			Code: "run.timeout", Message: fmt.Sprintf("the run took longer than %s", timeout),
			Hint: "Nothing was changed. Raise runs.timeout, or find out why the distributor is slow.",
		})
		context.AfterFunc(leased, stop)
	}
	var wait sync.WaitGroup
	ended := make(chan struct{})
	wait.Go(func() {
		ticker := time.NewTicker(r.leaseTime() / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
			}
			if err := r.store.RenewLease(leased, r.module.ID, r.holder, r.leaseTime()); err != nil && leased.Err() == nil {
				cancel(fmt.Errorf("keep the lease of %s: %w", r.req.Module, err))
				return
			}
		}
	})
	return leased, func(err error) error {
		close(ended)
		wait.Wait()
		switch cause := context.Cause(leased); {
		case err == nil || cause == nil:
		case errors.Is(ctx.Err(), context.Canceled):
			err = &cancelledError{cause}
		default:
			err = cause
		}
		cancel(nil)
		return err
	}
}

// cancelledError is the end of a run that somebody stopped. It is context.Canceled, whatever reason they gave.
type cancelledError struct{ cause error }

func (e *cancelledError) Error() string {
	if errors.Is(e.cause, context.Canceled) {
		return "the run was cancelled"
	}
	return "the run was cancelled: " + e.cause.Error()
}

func (e *cancelledError) Is(target error) bool { return target == context.Canceled }
