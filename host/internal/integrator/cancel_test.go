// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// busy is a rig of a customer with some subscriptions, of which the distributor has just changed every one, and added and
// removed some.
func busy(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.module.Limits.Deactivations = 100
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, tenSubs()...)
	r.sync()
	list := tenSubs()[:8]
	for i, s := range list {
		list[i] = sub(s.GetRef(), "c1", "2")
	}
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}, append(list, sub("new", "c2", "2"))...)
	return r
}

// state says whether the database of a busy rig is as it was ("old"), as it is to be ("new"), or neither.
func (r *rig) state() string {
	r.t.Helper()
	quantities, active := map[string]int{}, 0
	for _, row := range r.subscriptionRows() {
		quantities[quantityOf(row)]++
		if row.Active {
			active++
		}
	}
	is := fmt.Sprint(quantities, active, len(r.mappingRows()))
	switch is {
	case fmt.Sprint(map[string]int{"1": 10}, 10, 1):
		return "old"
	case fmt.Sprint(map[string]int{"1": 2, "2": 9}, 9, 2):
		return "new"
	default:
		return is
	}
}

// converges checks that nobody holds the module and that the next run makes the database right.
func (r *rig) converges() {
	r.t.Helper()
	leases, err := r.Store.Leases(r.t.Context(), 0)
	must(r.t, err)
	if len(leases) > 0 {
		r.t.Errorf("the lease was not given back: %+v", leases)
	}
	r.fake.at = nil
	r.sync()
	if state := r.state(); state != "new" {
		r.t.Errorf("after the next run the database is %s", state)
	}
	r.wants(r.sync(), NoChange, nil)
}

// TestCancelledAtEveryStage cancels a run at each step it takes. The database is as it was before the commit and as it is
// to be after it; the run is recorded as what it was; the next run makes everything right.
func TestCancelledAtEveryStage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// at is the fake's step, or the stage of the run's progress, or "planned" for the first planned change.
		at    string
		state string
	}{
		"when the plugin is started":    {"open", "old"},
		"before customers":              {"customers", "old"},
		"in the middle of a listing":    {"event", "old"},
		"before subscriptions":          {"subscriptions", "old"},
		"collecting, told of progress":  {"stage collect subscriptions", "old"},
		"before the plan":               {"stage plan", "old"},
		"before it is applied":          {"stage apply", "old"},
		"while it is applied":           {"planned", "old"},
		"when the plugin is closed":     {"close", "new"},
		"with a reason of the caller's": {"because", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := busy(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			reason := error(nil)
			if c.at == "because" {
				c.at, reason = "customers", errors.New("interrupt")
			}
			stop := func(at string) {
				if at == c.at {
					cancel(reason)
				}
			}
			r.fake.at = func(ctx context.Context, step string) error {
				stop(step)
				return ctx.Err()
			}
			req := r.request()
			req.Progress = func(p Progress) { stop("stage " + p.Stage) }
			req.Planned = func(Change) { stop("planned") }
			report, err := r.Run(ctx, req)
			if report == nil {
				t.Fatalf("no report: %v", err)
			}
			want, wantErr := Cancelled, true
			if c.state == "new" {
				want, wantErr = Succeeded, false
			}
			if report.Outcome != want || errors.Is(err, context.Canceled) != wantErr {
				t.Errorf("outcome %s, error %v; want %s", report.Outcome, err, want)
			}
			if want == Cancelled && (report.Error == nil || report.Error.Code != "run.cancelled" || report.Counts[CountApplied] != 0) {
				t.Errorf("the report says %+v, counts %v", report.Error, report.Counts)
			}
			r.recorded(report, want)
			if state := r.state(); state != c.state {
				t.Errorf("the database is %s, want %s", state, c.state)
			}
			if started := c.at != "open"; started != (r.fake.closed == 2) {
				t.Errorf("the plugin was closed %d times", r.fake.closed)
			}
			r.converges()
		})
	}
}

// recorded checks that the run's record says how it ended.
func (r *rig) recorded(report *Report, want Outcome) {
	r.t.Helper()
	run, err := r.Store.Run(r.t.Context(), report.Run)
	must(r.t, err)
	if run.Outcome != string(want) || run.FinishedAt == nil {
		r.t.Errorf("the record says %q, ended at %v; want %s", run.Outcome, run.FinishedAt, want)
	}
	if made, err := r.Store.Changes(r.t.Context(), store.ChangeFilter{RunID: report.Run}); err != nil || want == Cancelled && len(made) > 0 {
		r.t.Errorf("%d changes are recorded of a run that made none (%v)", len(made), err)
	}
}

func TestCancelledBeforeItBegan(t *testing.T) {
	t.Parallel()
	r := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := r.Run(ctx, r.request())
	if report != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("report %+v, error %v", report, err)
	}
	_, module := r.ids()
	runs, err := r.Store.Runs(t.Context(), store.RunFilter{ModuleID: module})
	must(t, err)
	if len(runs) != 1 || r.state() != "old" {
		t.Errorf("%d runs are recorded, the database is %s", len(runs), r.state())
	}
	r.converges()
}

// TestCancelledAnywhere cancels at every instant at which a run asks or tells anybody anything: the clock, the
// distributor, and who looks on. Whatever the instant, the database is old or new, and the record agrees with it.
func TestCancelledAnywhere(t *testing.T) {
	t.Parallel()
	for n, done := int64(1), false; !done; n++ {
		t.Run(fmt.Sprint("instant ", n), func(t *testing.T) {
			r := busy(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var instants atomic.Int64
			instant := func() {
				if instants.Add(1) == n {
					cancel()
				}
			}
			now := tick()
			clock := func() time.Time {
				instant()
				return now()
			}
			r.fake.at = func(context.Context, string) error {
				instant()
				return nil
			}
			req := r.request()
			req.Progress, req.Planned = func(Progress) { instant() }, func(Change) { instant() }
			s, err := store.Open(t.Context(), store.Options{URL: r.url, Now: clock})
			must(t, err)
			i := *r.Integrator
			i.Store, i.Now = s, clock
			report, err := i.Run(ctx, req)
			must(t, s.Close())
			if done = instants.Load() < n; done {
				must(t, err)
			}
			state := r.state()
			_, module := r.ids()
			runs, listErr := r.Store.Runs(t.Context(), store.RunFilter{ModuleID: module})
			must(t, listErr)
			switch {
			case report == nil && errors.Is(err, context.Canceled) && state == "old" && len(runs) == 1:
			case report == nil:
				t.Errorf("no report, error %v, %d runs, the database is %s", err, len(runs), state)
			case err == nil && state == "new":
				r.recorded(report, Succeeded)
			case errors.Is(err, context.Canceled) && state == "old":
				r.recorded(report, Cancelled)
			default:
				t.Errorf("outcome %s, error %v, the database is %s", report.Outcome, err, state)
			}
			if i := slices.IndexFunc(runs, func(run store.Run) bool { return run.FinishedAt == nil }); i >= 0 {
				t.Errorf("run %d never ended", runs[i].ID)
			}
			r.converges()
		})
	}
}

func TestARunThatTakesTooLongFails(t *testing.T) {
	t.Parallel()
	r := busy(t)
	r.Timeout = time.Millisecond
	r.fake.at = func(ctx context.Context, step string) error {
		if step == "close" {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	report, err := r.Run(t.Context(), r.request())
	var problem *Problem
	if !errors.As(err, &problem) || problem.Code != "run.timeout" || report.Outcome != Failed {
		t.Errorf("outcome %s, error %v", report.Outcome, err)
	}
	r.recorded(report, Failed)
	if state := r.state(); state != "old" {
		t.Errorf("the database is %s", state)
	}
	r.Timeout = 0
	r.converges()
}
