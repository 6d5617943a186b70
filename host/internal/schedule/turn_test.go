// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestModulesOfATenantWaitTheirTurnAndDelayNobodyElse: a tenant with ten slow modules that are made up for.
func TestModulesOfATenantWaitTheirTurnAndDelayNobodyElse(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{
		// One place: whoever is due waits for one run of the tenant's, not for ten.
		1: {"slow/m0 1 02:00:00", "a/m 1 03:00:00", "b/m 1 03:00:00", "slow/m1 1 03:00:00", "a/n 1 04:00:00", "slow/m2 1 04:00:00"},
		// Two places: nobody waits.
		2: {"slow/m0 1 02:00:00", "a/m 1 02:30:00", "b/m 1 02:30:00", "slow/m1 1 03:00:00", "a/n 1 03:45:00", "slow/m2 1 04:00:00"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecord()
			plan := Plan{Policy: usual, Limit: limit, Entries: []Entry{
				r.entry(t, "a/m", Spec{Daily: &Clock{2, 30}}, bubble, takes(0)),
				r.entry(t, "b/m", Spec{Daily: &Clock{2, 30}}, bubble, takes(0)),
				r.entry(t, "a/n", Spec{Daily: &Clock{3, 45}}, bubble, takes(0)),
			}}
			for i := range 10 {
				plan.Entries = append(plan.Entries, r.entry(t, fmt.Sprintf("slow/m%d", i), Spec{Daily: &Clock{1, i}}, bubble, takes(time.Hour)))
			}
			until(1, 2, 0)
			_, stop := r.up(plan)
			until(1, 4, 30)
			expect(t, r, want...)
			until(1, 13, 0)
			stop()
			if n := len(r.list()); n != 13 {
				t.Errorf("%d runs were made for 13 modules: %q", n, r.list())
			}
		})
	}
}

func TestAFailingTenantGetsNoMoreTurnsThanAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		hangs := func(ctx context.Context) (Outcome, error) {
			_, err := takes(30 * time.Minute)(ctx)
			return Failed, errors.Join(err, errors.New("no answer"))
		}
		plan := Plan{Policy: usual, Limit: 2}
		for i := range 6 {
			plan.Entries = append(plan.Entries, r.entry(t, fmt.Sprintf("bad/m%d", i), Spec{Daily: &Clock{2, 0}}, bubble, hangs))
		}
		plan.Entries = append(plan.Entries, r.entry(t, "good/m", Spec{Cron: "*/20 * * * *"}, bubble, takes(time.Minute)))
		_, stop := r.up(plan)
		until(1, 12, 10)
		stop()
		good := 0
		for _, run := range r.list() {
			if strings.HasPrefix(run, "good/m") {
				good++
				if !strings.HasSuffix(run, "0:00") {
					t.Errorf("it was late: %s", run)
				}
			}
		}
		if good != 36 {
			t.Errorf("the good tenant had %d runs in twelve hours, want 36", good)
		}
	})
}

func TestOnlySoManyRunsAtOnceWithOneDistributor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		plan := Plan{Policy: usual, Limit: 4, PerDistributor: 2}
		for i, name := range []string{"a/slow", "b/slow", "c/slow", "d/quick", "e/quick"} {
			plan.Entries = append(plan.Entries, r.entry(t, name, Spec{Daily: &Clock{2, i}}, bubble, takes(time.Hour)))
		}
		_, stop := r.up(plan)
		until(1, 4, 0)
		stop()
		expect(t, r, "a/slow 1 02:00:00", "b/slow 1 02:01:00", "d/quick 1 02:03:00", "e/quick 1 02:04:00", "c/slow 1 03:00:00")
	})
}

func TestATenantsPlaceIsGivenBackWhenItsModuleLeavesThePlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		goes := r.entry(t, "a/goes", Spec{Daily: &Clock{2, 0}}, bubble, takes(time.Hour))
		stays := r.entry(t, "a/stays", Spec{Daily: &Clock{2, 10}}, bubble, takes(0))
		l, stop := r.up(Plan{Policy: usual, Limit: 4, PerDistributor: 1, Entries: []Entry{goes, stays}})
		until(1, 2, 30)
		// The run under way counts for whom it was begun.
		stays.Distributor = goes.Distributor
		l.Set(Plan{Policy: usual, Limit: 4, PerDistributor: 1, Entries: []Entry{stays}})
		until(1, 4, 0)
		stop()
		expect(t, r, "a/goes 1 02:00:00", "a/stays 1 03:00:00")
	})
}

// TestModulesOfAnAccountWaitWithoutAPlace: the account of a module is known only once one of them was run.
func TestModulesOfAnAccountWaitWithoutAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		var known atomic.Bool
		plan := Plan{Policy: usual, Limit: 2}
		for i, name := range []string{"a/slow", "b/slow", "c/slow", "d/quick", "e/quick"} {
			entry := r.entry(t, name, Spec{Daily: &Clock{2, i}}, bubble, takes(time.Hour))
			if strings.HasSuffix(name, "/slow") {
				entry.Account = func() string {
					if known.Load() {
						return "theirs"
					}
					return ""
				}
			}
			plan.Entries = append(plan.Entries, entry)
		}
		_, stop := r.up(plan)
		until(1, 5, 0)
		expect(t, r, "a/slow 1 02:00:00", "b/slow 1 02:01:00", "c/slow 1 03:00:00", "d/quick 1 03:01:00", "e/quick 1 04:00:00")
		known.Store(true)
		until(2, 6, 0)
		stop()
		expect(t, r, "a/slow 1 02:00:00", "b/slow 1 02:01:00", "c/slow 1 03:00:00", "d/quick 1 03:01:00", "e/quick 1 04:00:00",
			"a/slow 2 02:00:00", "d/quick 2 02:03:00", "b/slow 2 03:00:00", "e/quick 2 03:03:00", "c/slow 2 04:00:00")
	})
}
