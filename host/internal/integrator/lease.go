// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// holderOfRun names one run in a lease. No two runs have the same name, not even those of two containers of one name in
// each of which it is process 1: whoever finds the name in the lease holds it.
func (i *Integrator) holderOfRun() string { return i.Holder + ", run " + rand.Text()[:10] }

// leases are the modules whose leases a run has. They are renewed beside it.
type leases struct {
	sync.Mutex
	modules []store.Module
	// since is when the first of them was asked for, by the clock that measures how long they last.
	since time.Time
	// written is the module whose lease the transaction under way has locked: nobody can take it until that ends, and renewing it
	// would only wait for that, too. Zero: none.
	written int64
	// interrupt ends the renewal under way, if there is one.
	interrupt context.CancelFunc
}

// write says that a transaction has locked the lease of a module, until the function it gives is called.
func (l *leases) write(module int64) (over func()) {
	l.Lock()
	defer l.Unlock()
	l.written = module
	if l.interrupt != nil {
		l.interrupt()
	}
	return func() {
		l.Lock()
		defer l.Unlock()
		l.written = 0
	}
}

// renewing gives the context for the renewal of a lease, which ends when a transaction locks it; not ok if one has.
func (l *leases) renewing(ctx context.Context, module int64) (_ context.Context, over func(), ok bool) {
	l.Lock()
	defer l.Unlock()
	if l.written == module {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	l.interrupt = cancel
	return ctx, func() {
		l.Lock()
		defer l.Unlock()
		l.interrupt = nil
		cancel()
	}, true
}

// isWritten reports whether a transaction has locked the lease of a module.
func (l *leases) isWritten(module int64) bool {
	l.Lock()
	defer l.Unlock()
	return l.written == module
}

func (l *leases) add(module store.Module, asked time.Time) {
	l.Lock()
	defer l.Unlock()
	if len(l.modules) == 0 {
		l.since = asked
	}
	l.modules = append(l.modules, module)
}

func (l *leases) all() []store.Module {
	l.Lock()
	defer l.Unlock()
	return slices.Clone(l.modules)
}

func (i *Integrator) leaseTime() time.Duration { return cmp.Or(i.Lease, time.Minute) }

// lease takes the leases, all or none. It waits for none that another run of its module has, so two runs that want the same
// ones never block each other; for one that was only lent to a run of the same account it does, see share, as long as it has
// none itself: what it has is renewed only once it has all.
func (r *run) lease(ctx context.Context) error {
	err := r.await(ctx, r.module, string(r.req.Mode), Lent)
	if err == nil && r.from.ID != 0 {
		err = r.take(ctx, r.from, string(r.req.Mode))
	}
	if err != nil {
		return errors.Join(err, r.release(ctx))
	}
	return nil
}

func (r *run) take(ctx context.Context, module store.Module, purpose string) error {
	asked := time.Now()
	_, err := r.store.AcquireLease(ctx, module, r.holder, purpose, r.leaseTime())
	if err == nil {
		r.leases.add(module, asked)
	}
	return err
}

// lent ends the purpose of a lease that a run of another module of the same account has taken.
const lent = ", which uses the same account"

// Lent reports whether a lease was only taken so that no two runs use one account: its module is not being run.
func Lent(lease store.Lease) bool { return strings.HasSuffix(lease.Purpose, lent) }

// await takes a lease, and waits for it as long as that is worth it.
func (r *run) await(ctx context.Context, module store.Module, purpose string, worth func(store.Lease) bool) error {
	for {
		err := r.take(ctx, module, purpose)
		var held *store.LeaseHeldError
		if !errors.As(err, &held) || !worth(held.Lease) {
			return err
		}
		r.progress("open", 0, fmt.Sprintf("waits for a run of the same account: %s has the lease of %s (%s)", held.Lease.Holder, module.Name, held.Lease.Purpose))
		select {
		case <-time.After(shareWait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// shareWait is how often a run asks whether another one with the same account has ended.
const shareWait = time.Second

// share waits until no other run uses the distributor's account: the plugin keeps to what the distributor allows in a minute
// by itself, and two of them would ask twice as much. All runs of an account take the lease of its first module, by name, and
// wait for no other: none waits for one that waits for it.
func (r *run) share(ctx context.Context) error {
	first := r.req.Module
	for _, m := range r.info.Sharing {
		if m.String() < first.String() {
			first = m
		}
	}
	if first.String() == r.req.Module.String() {
		return nil
	}
	tenant, err := r.store.EnsureTenant(ctx, first.Tenant, first.TenantName)
	if err != nil {
		return err
	}
	module, err := r.store.EnsureModule(ctx, tenant.ID, first.Name, first.Plugin)
	if err != nil {
		return err
	}
	return r.await(ctx, module, fmt.Sprintf("%s of %s", r.req.Mode, r.req.Module)+lent, func(store.Lease) bool { return true })
}

// renew makes the leases last longer.
func (r *run) renew(ctx context.Context) error {
	for _, module := range r.leases.all() {
		if err := r.renewOne(ctx, module.ID); err != nil {
			return fmt.Errorf("keep the lease of %s/%s: %w", r.tenant.Name, module.Name, err)
		}
	}
	return nil
}

// renewOne makes one lease last longer. One that the run's own transaction has locked is safe as long as the database can be
// reached, and is renewed by the transaction itself.
func (r *run) renewOne(ctx context.Context, module int64) error {
	renewing, over, ok := r.leases.renewing(ctx, module)
	if ok {
		err := r.store.RenewLease(renewing, module, r.holder, r.leaseTime())
		over()
		if err == nil || !r.leases.isWritten(module) {
			return err
		}
	}
	return r.store.Answers(ctx)
}

// keepLease renews the leases until ended is closed or ctx is over. It gives an error when they are lost, or may be soon: a host
// that cannot reach a database which others reach ends its run before they may begin theirs.
func (r *run) keepLease(ctx context.Context, ended <-chan struct{}) error {
	lease, begun := r.leaseTime(), r.leases.since
	margin := lease / 4
	var failed error
	timer := time.NewTimer(lease / 3)
	defer timer.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-timer.C:
		}
		now, last := time.Now(), begun.Add(lease-margin)
		err := r.renewBy(ctx, latest(last, now.Add(margin)))
		switch {
		case err == nil:
			begun, failed = now, nil
			timer.Reset(lease / 3)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			err = fmt.Errorf("keep the lease of %s: %w", r.req.Module, store.ErrLeaseLost)
			if failed != nil {
				err = failed
			}
			return err
		case errors.Is(err, store.ErrLeaseLost), time.Now().After(last):
			return err
		}
		if failed == nil {
			r.log.Warn("the lease could not be renewed; trying again", "until", last, "error", err)
		}
		failed = err
		timer.Reset(min(time.Second, lease/20))
	}
}

// renewBy is renew, which has to be done by then where several hosts share the database. On one machine it only waits for a
// write that keeps others from taking the lease, too.
func (r *run) renewBy(ctx context.Context, then time.Time) error {
	if r.store.Shared() {
		limited, cancel := context.WithDeadline(ctx, then)
		defer cancel()
		ctx = limited
	}
	return r.renew(ctx)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// release gives the leases back, also when ctx is over. One that is somebody else's stays theirs.
func (r *run) release(ctx context.Context) error {
	var errs []error
	for _, module := range r.leases.all() {
		errs = append(errs, r.store.ReleaseLease(context.WithoutCancel(ctx), module.ID, r.holder))
	}
	return errors.Join(errs...)
}

// withLease gives a context that ends when the lease is lost, and a function that ends the watch and
// turns the run's error into the one to report.
func (r *run) withLease(ctx context.Context) (context.Context, func(error) error) {
	leased, cancel := context.WithCancelCause(ctx)
	var wait sync.WaitGroup
	ended := make(chan struct{})
	wait.Go(func() {
		if err := r.keepLease(leased, ended); err != nil {
			cancel(err)
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
