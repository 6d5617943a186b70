// SPDX-License-Identifier: Apache-2.0

// Package integrator is the one way through the house: it runs a module from the distributor's plugin to the database.
//
//	open → collect → plan → guard → apply → report
//
// A preview is the same run with an earlier stop, an import for one customer the same run on less, an approval the same
// run with some changes let through. None has code of its own.
package integrator

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// Mode says how far a run goes.
type Mode string

// The modes of a run.
const (
	// Sync applies the plan.
	Sync Mode = "sync"
	// Plan stops before anything is applied; only the run itself is recorded.
	Plan Mode = "plan"
	// Mappings applies only mappings of customers whose names are exactly the same; it creates no customer.
	Mappings Mode = "mappings"
	// Move carries over what is the same at another module, and nothing else. Stopped at its plan, it is a Plan.
	Move Mode = "move"
)

// Unmatched says what happens to a distributor customer that nobody's name matches.
type Unmatched string

// What can happen to an unmatched distributor customer.
const (
	// UnmatchedCreate creates a customer, its main site and the mapping.
	UnmatchedCreate Unmatched = "create"
	// UnmatchedHold plans that and holds it for a person to approve.
	UnmatchedHold Unmatched = "hold"
	// UnmatchedIgnore leaves it alone; it stays listed as unmapped.
	UnmatchedIgnore Unmatched = "ignore"
)

// Module is what to run and by which rules.
type Module struct {
	// Tenant and Name are the names in the configuration: acme, rhipe.
	Tenant, Name string
	// TenantName is how people call the tenant.
	TenantName string
	// Plugin is the plugin's name.
	Plugin string
	// Unmatched defaults to UnmatchedHold.
	Unmatched Unmatched
	// TopLevel is what new customers are put under. Empty: none.
	TopLevel string
	// UpdateMainSiteAddress lets a mapped customer's main site follow the distributor's address.
	UpdateMainSiteAddress bool
	Subscriptions         reconcile.Policy
	Limits                reconcile.Limits
}

// String gives the module as people write it: acme/rhipe.
func (m Module) String() string { return m.Tenant + "/" + m.Name }

// Entities says what a run is about.
type Entities struct{ Customers, Subscriptions bool }

// String gives the entities as they are stored: "customers,subscriptions".
func (e Entities) String() string {
	switch {
	case e.Customers && e.Subscriptions:
		return "customers,subscriptions"
	case e.Customers:
		return "customers"
	default:
		return "subscriptions"
	}
}

// Request is one run to be made.
type Request struct {
	Module   Module
	Mode     Mode
	Entities Entities
	// Customers narrows the run to these customers of ours. Empty: all.
	Customers []int64
	// Trigger is what asked for the run: command, approve, schedule, queue. Who is the person or service behind it.
	Trigger, Who string
	// Wish is what is fulfilled by the run, and gone with its end unless it is cancelled. Zero: none.
	Wish int64
	// Confirm is asked, once nobody else can run the module, whether the run is still wanted; its error is why not, and no run
	// is made. Optional.
	Confirm func(context.Context) error
	// Approve is a run whose held changes are let through where they are still true. Zero: none. If that run was narrowed,
	// so is this one.
	Approve int64
	// Move makes the run one that carries records over from another module. Nil: it is an ordinary run.
	Move *MoveFrom
	// Planned is called with every planned change, in order, before it is applied. Optional.
	Planned func(Change)
	// Progress is told how far the run is. It must return quickly. Optional.
	Progress func(Progress)
}

// MoveFrom says what is carried over to the run's module.
type MoveFrom struct {
	// Module is the other module of the tenant, as the configuration calls it: rhipe. It has to have been run, and is not
	// started: what is known of it counts.
	Module string
	// Same are the subscriptions that a person says are the same.
	Same []moving.Decision
}

// Progress is how far a run is.
type Progress struct {
	// Stage is one of open, collect customers, collect subscriptions, plan, apply.
	Stage string
	// Done is a number of records, Text a few words from the plugin.
	Done int
	Text string
}

// Open starts and configures the plugin of a module for one run.
type Open func(ctx context.Context, module Module, run string) (Source, error)

// Integrator runs modules against one database. It is safe for several goroutines.
type Integrator struct {
	Store *store.Store
	Open  Open
	Log   hclog.Logger
	// Holder names this process in leases: host, process id. Each run adds something of its own.
	Holder string
	// Lease is how long a dead holder blocks a module. Default 60 seconds; renewed three times as often.
	Lease time.Duration
	// KeepRuns and KeepChanges say how long what is over is kept; see store.Retention. Zero: all of it.
	KeepRuns, KeepChanges time.Duration
	// Timeout ends a run that takes longer. Zero: none.
	Timeout time.Duration
	// Traces makes a span of each run and of its stages. Nil: nobody wants them.
	Traces trace.TracerProvider
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (i *Integrator) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}

// Run makes one run, start to finish. The report is complete whenever it is not nil; the error says why the run failed,
// was cancelled or could not start.
func (i *Integrator) Run(ctx context.Context, req Request) (report *Report, err error) {
	defer lean()()
	ctx, traced := i.trace(ctx, req)
	defer func() { traced(report, err) }()
	r, err := i.open(ctx, req)
	if err != nil {
		return nil, err
	}
	leased, done := r.withLease(ctx)
	err = r.steps(leased)
	report, err = r.finish(ctx, done(err))
	r.prune(ctx)
	return report, err
}

// steps are the run between its opening and its report. The wait for the distributor's account takes none of the run's time.
func (r *run) steps(ctx context.Context) error {
	begun := time.Now()
	if err := r.within(ctx, r.Timeout, func(ctx context.Context) error { return stage(ctx, "open", r.connect) }); err != nil {
		return err
	}
	spent := time.Since(begun)
	if err := r.share(ctx); err != nil {
		return err
	}
	left := r.Timeout
	if left > 0 {
		left = max(left-spent, 1)
	}
	return r.within(ctx, left, r.stages)
}

// stages are the run once its plugin has been started.
func (r *run) stages(ctx context.Context) error {
	if err := stage(ctx, "collect", r.collect); err != nil {
		return err
	}
	if r.req.Move != nil {
		return stage(ctx, "move", r.move)
	}
	if err := stage(ctx, "plan", r.plan); err != nil {
		return err
	}
	if err := stage(ctx, "guard", r.guard); err != nil {
		return err
	}
	return stage(ctx, "apply", r.apply)
}

// within makes a part of the run in the time that is left for it; zero: however long it takes.
func (r *run) within(ctx context.Context, left time.Duration, part func(context.Context) error) error {
	if left <= 0 {
		return part(ctx)
	}
	limited, stop := context.WithTimeoutCause(ctx, left, &Problem{
		Code: "run.timeout", Message: fmt.Sprintf("the run took longer than %s", r.Timeout),
		Hint: "Nothing was changed. Raise runs.timeout, or find out why the distributor is slow.",
	})
	defer stop()
	err := part(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return context.Cause(limited)
	}
	return err
}
