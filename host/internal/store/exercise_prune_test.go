// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// history is a module whose runs are a day apart.
type history struct {
	*world
	day  time.Time
	runs map[string]int64
}

// add records a run of the next day, with so many changes applied and held.
func (h *history) add(t *testing.T, name string, applied, held int, change func(*Run)) {
	t.Helper()
	h.day = h.day.AddDate(0, 0, 1)
	run := Run{TenantID: h.tenant.ID, ModuleID: h.module.ID, Mode: "sync", Trigger: "command", Entities: "customers", Outcome: "succeeded", StartedAt: h.day}
	must(t, h.StartRun(t.Context(), &run))
	h.runs[name] = run.ID
	h.apply(t, func(ctx context.Context, tx *Tx) error {
		changes := make([]Change, applied+held)
		for i := range changes {
			changes[i] = Change{RunID: &run.ID, Entity: "customer", Kind: "update", Status: ChangeApplied, Name: fmt.Sprint(i), CreatedAt: h.day}
			if i >= applied {
				changes[i].Status, changes[i].Guard = ChangeHeld, "quantity"
			}
		}
		return tx.InsertChanges(ctx, changes)
	})
	run.FinishedAt = &h.day
	if change != nil {
		change(&run)
	}
	must(t, h.FinishRun(t.Context(), &run))
}

// left gives the names of the runs that are left, with how many changes each has.
func (h *history) left(t *testing.T) string {
	t.Helper()
	names := map[int64]string{}
	for name, id := range h.runs {
		names[id] = name
	}
	runs, err := h.Runs(t.Context(), RunFilter{ModuleID: h.module.ID})
	must(t, err)
	slices.Reverse(runs)
	text := ""
	for _, run := range runs {
		changes, err := h.Changes(t.Context(), ChangeFilter{RunID: run.ID})
		must(t, err)
		text += fmt.Sprintf("%s:%d ", names[run.ID], len(changes))
	}
	return text
}

func exercisePrune(t *testing.T, fresh newDatabase) {
	newHistory := func(t *testing.T) *history {
		w := newWorld(t, fresh)
		h := &history{world: w, day: time.Date(2025, 1, 1, 2, 0, 0, 0, time.UTC), runs: map[string]int64{"world": w.run.ID}}
		h.add(t, "customers", 0, 0, func(r *Run) { r.CustomersComplete = true })
		h.add(t, "both", 3, 0, func(r *Run) { r.SubscriptionsComplete = true })
		h.add(t, "held", 2, 1, func(r *Run) { r.Outcome = "held" })
		h.add(t, "decided", 2, 0, func(r *Run) { r.Outcome = "held" })
		decided := h.runs["decided"]
		h.add(t, "approves", 1, 0, func(r *Run) { r.ApprovesRunID = &decided })
		h.add(t, "nothing", 0, 0, func(r *Run) { r.Outcome = "no_change" })
		h.add(t, "running", 0, 0, func(r *Run) { r.FinishedAt, r.Outcome = nil, "" })
		h.add(t, "plan", 0, 0, func(r *Run) { r.Mode = "plan" })
		h.add(t, "whole", 0, 0, nil)
		h.add(t, "narrow", 0, 0, func(r *Run) { r.Customers = "1" })
		return h
	}
	end := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	// The run of the world started now, and is under way.
	const all = "customers:0 both:3 held:3 decided:2 approves:1 nothing:0 running:0 plan:0 whole:0 narrow:0 "
	for name, test := range map[string]struct {
		retention Retention
		most      int
		pruned    Pruned
		left      string
	}{
		"nothing is old": {Retention{Changes: end.AddDate(-2, 0, 0), Runs: end.AddDate(-2, 0, 0)}, 0, Pruned{}, all},
		"all is kept":    {Retention{}, 0, Pruned{}, all},
		"runs of which no change is kept": {
			Retention{Runs: end}, 0, Pruned{Runs: 2}, "customers:0 both:3 held:3 decided:2 approves:1 running:0 whole:0 narrow:0 ",
		},
		"changes": {Retention{Changes: end}, 0, Pruned{Changes: 8}, "customers:0 both:0 held:1 decided:0 approves:0 nothing:0 running:0 plan:0 whole:0 narrow:0 "},
		"both":    {Retention{Changes: end, Runs: end}, 0, Pruned{8, 4}, "customers:0 both:0 held:1 running:0 whole:0 narrow:0 "},
		"the older of them": {
			Retention{Changes: end.AddDate(0, -5, 3), Runs: end.AddDate(0, -5, 3)},
			0,
			Pruned{3, 0},
			"customers:0 both:0 held:3 decided:2 approves:1 nothing:0 running:0 plan:0 whole:0 narrow:0 ",
		},
		"no more than is asked for, the newest of what is old": {
			Retention{Changes: end, Runs: end}, 6, Pruned{1, 3}, "customers:0 both:3 held:3 decided:2 running:0 whole:0 narrow:0 ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			_, other := addModule(t, h.Store, "globex", "rhipe")
			old := Run{TenantID: other.TenantID, ModuleID: other.ID, Mode: "sync", Entities: "customers", StartedAt: h.day, FinishedAt: &h.day}
			must(t, h.StartRun(t.Context(), &old))
			pruned, err := h.Prune(t.Context(), h.module.ID, test.retention, test.most)
			must(t, err)
			if got := h.left(t); pruned != test.pruned || got != test.left+"world:0 " && got != "world:0 "+test.left {
				t.Errorf("pruned %+v, want %+v; left\n%s, want\n%s", pruned, test.pruned, got, test.left)
			}
			if again, err := h.Prune(t.Context(), h.module.ID, test.retention, 0); test.most == 0 && (err != nil || again != Pruned{}) {
				t.Errorf("pruned again: %+v (%v)", again, err)
			}
			if _, err := h.Run(t.Context(), old.ID); err != nil {
				t.Errorf("another module's run: %v", err)
			}
		})
	}
	t.Run("in small steps", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, fresh)
		h := &history{world: w, day: time.Date(2025, 1, 1, 2, 0, 0, 0, time.UTC), runs: map[string]int64{}}
		h.add(t, "large", 2*pruneStep+7, 3, nil)
		h.add(t, "last", 0, 0, nil)
		pruned, err := h.Prune(t.Context(), h.module.ID, Retention{Changes: end, Runs: end}, 0)
		if err != nil || pruned != (Pruned{Changes: 2*pruneStep + 7}) {
			t.Errorf("pruned %+v (%v)", pruned, err)
		}
	})
}
