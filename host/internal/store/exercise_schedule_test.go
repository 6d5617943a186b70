// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func exerciseSchedules(t *testing.T, fresh newDatabase) {
	var now atomic.Int64
	clock := func() time.Time { return time.Date(2026, 3, 1, int(now.Load()), 0, 0, 0, time.UTC) }
	s := fresh(t)(Options{Now: clock})
	ctx := t.Context()
	var modules []Module
	for _, name := range []string{"rhipe", "pax8", "csv"} {
		_, m := addModule(t, s, "acme", name)
		modules = append(modules, m)
	}
	// keep keeps "name spec" at an hour and gives what is kept as "name spec since".
	keep := func(hour int64, specs ...string) string {
		t.Helper()
		now.Store(hour)
		var list []Schedule
		for _, text := range specs {
			name, spec, _ := strings.Cut(text, " ")
			for _, m := range modules {
				if m.Name == name {
					list = append(list, Schedule{ModuleID: m.ID, TenantID: m.TenantID, Spec: spec})
				}
			}
		}
		kept, err := s.KeepSchedules(ctx, list)
		must(t, err)
		stored, err := s.Schedules(ctx, modules[0].TenantID)
		must(t, err)
		if diff := cmp.Diff(stored, kept); diff != "" {
			t.Errorf("what is kept is not what is stored: %s", diff)
		}
		glances, err := s.Glances(ctx)
		must(t, err)
		for _, g := range glances {
			if row, ok := kept[g.ModuleID]; ok != (g.Scheduled != nil) || ok && !g.Scheduled.Equal(row.Since) {
				t.Errorf("at a glance %s/%s has been scheduled since %v, want %v", g.Tenant, g.Module, g.Scheduled, row.Since)
			}
		}
		var texts []string
		for _, m := range modules {
			if row, ok := kept[m.ID]; ok {
				texts = append(texts, fmt.Sprint(m.Name, " ", row.Spec, " ", row.Since.UTC().Hour()))
			}
		}
		return strings.Join(texts, ", ")
	}
	for _, step := range []struct {
		hour  int64
		specs []string
		want  string
	}{
		{1, []string{"rhipe a", "pax8 b"}, "rhipe a 1, pax8 b 1"},
		{2, []string{"rhipe a", "pax8 b"}, "rhipe a 1, pax8 b 1"},
		{3, []string{"rhipe a", "pax8 c", "csv d"}, "rhipe a 1, pax8 c 3, csv d 3"},
		{4, []string{"csv d"}, "csv d 3"},
		{5, []string{"rhipe a", "csv d"}, "rhipe a 5, csv d 3"},
		{6, nil, ""},
	} {
		if got := keep(step.hour, step.specs...); got != step.want {
			t.Errorf("at %d: kept is %q, want %q", step.hour, got, step.want)
		}
	}
}

func exerciseLastSyncs(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	add := func(change func(*Run)) int64 {
		t.Helper()
		run := Run{TenantID: w.module.TenantID, ModuleID: w.module.ID, Mode: "sync", Trigger: "schedule", Entities: "customers,subscriptions", Holder: "me"}
		change(&run)
		must(t, w.StartRun(ctx, &run))
		return run.ID
	}
	first := add(func(r *Run) { r.Outcome = "succeeded" })
	add(func(r *Run) { r.Outcome = "cancelled" })
	add(func(r *Run) { r.Mode = "plan" })
	add(func(r *Run) { r.Customers = "1,2" })
	customers := add(func(r *Run) { r.Entities, r.Outcome = "customers", "failed" })
	subscriptions := add(func(r *Run) { r.Entities, r.Outcome = "subscriptions", "failed" })
	open := add(func(*Run) {})
	_, other := addModule(t, w.Store, "acme", "pax8")
	must(t, w.StartRun(ctx, &Run{TenantID: other.TenantID, ModuleID: other.ID, Mode: "sync", Entities: "customers"}))
	for _, test := range []struct {
		entities string
		limit    int
		want     []int64
	}{
		{"customers", 10, []int64{open, customers, first, w.run.ID}},
		{"subscriptions", 2, []int64{open, subscriptions}},
		{"customers,subscriptions", 10, []int64{open, first, w.run.ID}},
	} {
		list, err := w.LastSyncs(ctx, w.module.ID, test.entities, test.limit)
		must(t, err)
		var got []int64
		for _, run := range list {
			got = append(got, run.ID)
		}
		if !cmp.Equal(got, test.want) {
			t.Errorf("the last syncs of %s are %v, want %v", test.entities, got, test.want)
		}
	}
}
