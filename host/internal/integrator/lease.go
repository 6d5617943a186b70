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

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// holderOfRun names one run in a lease. No two runs have the same name, not even those of two containers of one name in
// each of which it is process 1: whoever finds the name in the lease holds it.
func (i *Integrator) holderOfRun() string { return i.Holder + ", run " + rand.Text()[:10] }

func (i *Integrator) leaseTime() time.Duration { return cmp.Or(i.Lease, time.Minute) }

// lease takes the leases, all or none. It does not wait for any, so two runs that want the same ones never block each other.
func (r *run) lease(ctx context.Context) error {
	// What is renewed beside the run is a copy: the run itself goes on to learn about its module.
	r.leased = []store.Module{r.module}
	if r.from.ID != 0 {
		r.leased = append(r.leased, r.from)
	}
	for _, module := range r.leased {
		if _, err := r.store.AcquireLease(ctx, module, r.holder, string(r.req.Mode), r.leaseTime()); err != nil {
			return errors.Join(err, r.release(ctx))
		}
	}
	return nil
}

// renew makes the leases last longer.
func (r *run) renew(ctx context.Context) error {
	for _, module := range r.leased {
		if err := r.store.RenewLease(ctx, module.ID, r.holder, r.leaseTime()); err != nil {
			return fmt.Errorf("keep the lease of %s/%s: %w", r.tenant.Name, module.Name, err)
		}
	}
	return nil
}

// release gives the leases back, also when ctx is over. One that is somebody else's stays theirs.
func (r *run) release(ctx context.Context) error {
	var errs []error
	for _, module := range r.leased {
		errs = append(errs, r.store.ReleaseLease(context.WithoutCancel(ctx), module.ID, r.holder))
	}
	return errors.Join(errs...)
}

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
			if err := r.renew(leased); err != nil && leased.Err() == nil {
				cancel(err)
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
