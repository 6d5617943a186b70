// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func exerciseStandings(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	begin := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	day := 0
	// ended records a run of the day after the last, and gives it.
	ended := func(change func(*Run)) Run {
		day++
		at := begin.AddDate(0, 0, day)
		run := Run{
			TenantID: w.tenant.ID, ModuleID: w.module.ID, Mode: "sync", Trigger: "command", Entities: "customers,subscriptions", StartedAt: at,
		}
		must(t, w.StartRun(ctx, &run))
		run.FinishedAt = &at
		change(&run)
		must(t, w.FinishRun(ctx, &run))
		return run
	}
	fails := func(r *Run) { r.Outcome, r.ErrorCode, r.Error = "failed", "distributor.auth", "refused" }
	standing := func() Standing {
		t.Helper()
		all, err := w.Standings(ctx, w.tenant.ID)
		must(t, err)
		glances, err := w.Glances(ctx)
		must(t, err)
		sameAtAGlance(t, all, glances)
		return all[w.module.ID]
	}

	if got := standing(); got.Last != nil || got.Failing != nil || got.Running == nil || got.Running.Holder != "me" {
		t.Errorf("before the first run: %+v", got)
	}
	first := ended(fails)
	if got := standing(); got.Failing == nil || got.Failing.Runs != 1 || !got.Failing.Since.Equal(first.StartedAt) || got.Customers != nil {
		t.Errorf("after a first run that failed: %+v, failing %+v", got, got.Failing)
	}
	good := ended(func(r *Run) { r.Outcome, r.CustomersComplete, r.SubscriptionsComplete = "succeeded", true, true })
	if got := standing(); got.Failing != nil || got.Last.ID != good.ID || got.CustomersRun != good.ID {
		t.Errorf("after a good run: %+v", got)
	}
	partly := ended(func(r *Run) { r.Outcome, r.CustomersComplete = "warning", true })
	since := ended(fails)
	ended(func(r *Run) { r.Outcome = "cancelled" })
	ended(fails)
	last := ended(func(r *Run) { fails(r); r.Error = "refused again" })
	// None of these says how the module is doing.
	ended(func(r *Run) { r.Mode, r.Outcome = "plan", "succeeded" })
	ended(func(r *Run) { r.Customers, r.Outcome = "1,2", "succeeded" })
	ended(func(r *Run) { r.Outcome, r.FinishedAt = "", nil })
	got := standing()
	if got.Failing == nil || got.Failing.Runs != 3 || !got.Failing.Since.Equal(since.StartedAt) || got.Failing.Last.Error != "refused again" {
		t.Errorf("after three failures: %+v", got.Failing)
	}
	if got.Last.ID != last.ID || got.CustomersRun != partly.ID || got.SubscriptionsRun != good.ID {
		t.Errorf("last %d, customers %d, subscriptions %d", got.Last.ID, got.CustomersRun, got.SubscriptionsRun)
	}
	cancelled := ended(func(r *Run) { r.Outcome = "cancelled" })
	if got = standing(); got.Last.ID != cancelled.ID || got.Failing == nil {
		t.Errorf("a cancelled run ends the failing: %+v", got)
	}

	_, other := addModule(t, w.Store, "globex", "rhipe")
	all, err := w.Standings(ctx, 0)
	must(t, err)
	if _, known := all[other.ID]; !known || len(all) != 2 {
		t.Errorf("the standings of all tenants: %+v", all)
	}
	if all, err = w.Standings(ctx, other.TenantID); err != nil || len(all) != 1 || all[other.ID].Last != nil {
		t.Errorf("another tenant's standings: %+v (%v)", all, err)
	}
}

// sameAtAGlance checks that glances say the same as standings do.
func sameAtAGlance(t *testing.T, standings map[int64]Standing, glances []Glance) {
	t.Helper()
	seen := 0
	for _, g := range glances {
		s, ok := standings[g.ModuleID]
		if !ok {
			continue
		}
		seen++
		want := Glance{
			ModuleID: g.ModuleID, Tenant: g.Tenant, Module: g.Module, Scheduled: g.Scheduled,
			Customers: s.Customers, Subscriptions: s.Subscriptions, Held: s.Held,
		}
		if s.Last != nil {
			want.Started, want.Finished = &s.Last.StartedAt, s.Last.FinishedAt
		}
		if s.Failing != nil {
			want.Failures = s.Failing.Runs
		}
		if diff := cmp.Diff(want, g); diff != "" {
			t.Errorf("at a glance (-the standing, +the glance):\n%s", diff)
		}
	}
	if seen != len(standings) {
		t.Errorf("%d modules at a glance, of %d", seen, len(standings))
	}
}
