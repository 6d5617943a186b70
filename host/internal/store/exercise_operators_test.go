// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func exerciseWishes(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	ask := func(who string) (Wish, bool) {
		t.Helper()
		wish, added, err := w.AddWish(ctx, Wish{TenantID: w.tenant.ID, ModuleID: w.module.ID, Entities: "customers", Who: who})
		must(t, err)
		return wish, added
	}
	begin := func(id int64) (Run, error) {
		run := Run{TenantID: w.tenant.ID, ModuleID: w.module.ID, Mode: "sync", Trigger: "queue", Holder: "me", WishID: id}
		return run, w.StartRun(ctx, &run)
	}
	end := func(run Run, outcome string) {
		t.Helper()
		now := time.Now()
		run.Outcome, run.FinishedAt = outcome, &now
		must(t, w.FinishRun(ctx, &run))
	}
	// open gives the wishes as "who", with a star once they were begun.
	open := func() string {
		t.Helper()
		list, err := w.Wishes(ctx, w.tenant.ID)
		must(t, err)
		var texts []string
		for _, wish := range list {
			text := wish.Who
			if wish.BegunAt != nil {
				text += "*"
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, " ")
	}
	want := func(step, want string) {
		t.Helper()
		if got := open(); got != want {
			t.Errorf("%s: the wishes are %q, want %q", step, got, want)
		}
	}

	first, added := ask("ann")
	if !added || first.ID == 0 || first.AskedAt.IsZero() || first.Entities != "customers" {
		t.Errorf("the wish is %+v, added %v", first, added)
	}
	if again, added := ask("bob"); added || again.ID != first.ID || again.Who != "ann" {
		t.Errorf("the second wish is %+v, added %v", again, added)
	}
	want("asked twice", "ann")

	run, err := begin(first.ID)
	must(t, err)
	want("begun", "ann*")
	end(run, "cancelled")
	want("cancelled", "ann")

	// A host that dies leaves the run open: the next one fulfils the wish.
	_, err = begin(first.ID)
	must(t, err)
	run, err = begin(first.ID)
	must(t, err)
	must(t, w.CloseAbandoned(ctx, w.module.ID, run.ID))
	want("begun by another host", "ann*")
	end(run, "failed")
	want("failed", "")
	if run, err = begin(first.ID); !errors.Is(err, ErrWishGone) || run.ID != 0 {
		t.Errorf("a wish that is gone began run %d: %v", run.ID, err)
	}

	// What is asked for while a run is under way is another run.
	second, _ := ask("bob")
	run, err = begin(second.ID)
	must(t, err)
	third, added := ask("cy")
	if !added || third.ID == second.ID {
		t.Errorf("asked for during a run: %+v, added %v", third, added)
	}
	end(run, "succeeded")
	want("ended", "cy")

	// A wish ends together with what its run applies.
	run, err = begin(third.ID)
	must(t, err)
	w.apply(t, func(ctx context.Context, tx *Tx) error {
		now := time.Now()
		run.Outcome, run.FinishedAt = "succeeded", &now
		return tx.FinishRun(ctx, &run)
	})
	want("applied", "")

	var wait sync.WaitGroup
	var counted atomic.Int64
	for i := range 8 {
		wait.Go(func() {
			_, added, err := w.AddWish(ctx, Wish{TenantID: w.tenant.ID, ModuleID: w.module.ID, Who: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
			}
			if added {
				counted.Add(1)
			}
		})
	}
	wait.Wait()
	if counted.Load() != 1 {
		t.Errorf("%d wishes of 8 at once were added", counted.Load())
	}

	other, _ := addModule(t, w.Store, "beta", "rhipe")
	_, pax8 := addModule(t, w.Store, "acme", "pax8")
	_, _, err = w.AddWish(ctx, Wish{TenantID: other.ID, ModuleID: pax8.ID})
	var told *Error
	if !errors.As(err, &told) || told.Kind != KindConstraint {
		t.Errorf("a wish of one tenant for another's module: %v", err)
	}
}

func exercisePauses(t *testing.T, fresh newDatabase) {
	var hour atomic.Int64
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s := fresh(t)(Options{Now: func() time.Time { return begin.Add(time.Duration(hour.Load()) * time.Hour) }})
	ctx := t.Context()
	acme, rhipe := addModule(t, s, "acme", "rhipe")
	_, pax8 := addModule(t, s, "acme", "pax8")
	_, other := addModule(t, s, "beta", "rhipe")
	modules := map[string]Module{"acme/rhipe": rhipe, "acme/pax8": pax8, "beta/rhipe": other}
	// paused gives the modules that are paused, each with the reasons.
	paused := func() string {
		t.Helper()
		list, err := s.Pauses(ctx)
		must(t, err)
		var texts []string
		for _, name := range []string{"acme/rhipe", "acme/pax8", "beta/rhipe"} {
			text := name
			for _, p := range list {
				m := modules[name]
				if (p.TenantID == nil || *p.TenantID == m.TenantID) && (p.ModuleID == nil || *p.ModuleID == m.ID) {
					text += " " + p.Reason
				}
			}
			if text != name {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, ", ")
	}
	set := func(p Pause) {
		t.Helper()
		kept, err := s.SetPause(ctx, p)
		must(t, err)
		if !kept.Since.Equal(begin.Add(time.Duration(hour.Load()) * time.Hour)) {
			t.Errorf("it is paused since %s", kept.Since)
		}
	}
	end := func(tenant, module int64, want bool) {
		t.Helper()
		got, err := s.EndPause(ctx, tenant, module)
		must(t, err)
		if got != want {
			t.Errorf("ending the pause of %d/%d: %v, want %v", tenant, module, got, want)
		}
	}
	want := func(want string) {
		t.Helper()
		if got := paused(); got != want {
			t.Errorf("paused are %q, want %q", got, want)
		}
	}

	want("")
	at := begin.Add(10 * time.Hour)
	set(Pause{TenantID: &acme.ID, ModuleID: &rhipe.ID, Reason: "old", Who: "ann"})
	hour.Store(1)
	set(Pause{TenantID: &acme.ID, ModuleID: &rhipe.ID, Reason: "module", Who: "bob", EndsAt: &at})
	want("acme/rhipe module")
	set(Pause{TenantID: &acme.ID, Reason: "tenant"})
	set(Pause{Reason: "all", Who: "ann"})
	set(Pause{Reason: "everything", Who: "ann"})
	want("acme/rhipe everything tenant module, acme/pax8 everything tenant, beta/rhipe everything")
	end(0, 0, true)
	end(0, 0, false)
	end(acme.ID, pax8.ID, false)
	want("acme/rhipe tenant module, acme/pax8 tenant")
	hour.Store(10)
	want("acme/rhipe tenant, acme/pax8 tenant")
	end(acme.ID, rhipe.ID, false)
	end(acme.ID, 0, true)
	want("")
	set(Pause{TenantID: &acme.ID, ModuleID: &rhipe.ID, Reason: "again"})
	list, err := s.Pauses(ctx)
	must(t, err)
	if len(list) != 1 || list[0].EndsAt != nil || list[0].Reason != "again" {
		t.Errorf("the pauses are %+v", list)
	}
	tenant := other.TenantID
	if _, err := s.SetPause(ctx, Pause{TenantID: &tenant, ModuleID: &rhipe.ID}); err == nil {
		t.Error("one tenant's pause of another's module was taken")
	}
}

func exerciseHosts(t *testing.T, fresh newDatabase) {
	var minutes atomic.Int64
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return begin.Add(time.Duration(minutes.Load()) * time.Minute) }
	s := fresh(t)(Options{Now: clock})
	ctx := t.Context()
	hosts := func() string {
		t.Helper()
		list, err := s.Hosts(ctx)
		must(t, err)
		var texts []string
		for _, h := range list {
			texts = append(texts, fmt.Sprintf("%s %s %s %v", h.Name, h.Version, h.SeenAt.UTC().Format("15:04"), h.Alive(clock())))
		}
		return strings.Join(texts, ", ")
	}
	see := func(at, id int64, version string) {
		t.Helper()
		minutes.Store(at)
		must(t, s.SeeHost(ctx, Host{ID: id, Name: fmt.Sprintf("host %c", 'a'+rune(id)), Version: version, StartedAt: begin}))
	}
	want := func(want string) {
		t.Helper()
		if got := hosts(); got != want {
			t.Errorf("the hosts are %q, want %q", got, want)
		}
	}
	see(0, 0, "v1")
	see(1, 1, "v2")
	want("host b v2 00:01 true, host a v1 00:00 false")
	see(2, 0, "v1")
	want("host a v1 00:02 true, host b v2 00:01 false")
	must(t, s.LeaveHost(ctx, 0))
	want("host b v2 00:01 false")
	see(8*24*60, 2, "v3")
	want("host c v3 00:00 true")
}

func TestTheClockOfADatabaseServerIsComparedWithThisOne(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, newURL func(*testing.T) string) {
		s := openAt(t, Options{URL: newURL(t), Now: func() time.Time { return time.Now().Add(-time.Hour) }})
		ahead, has, err := s.ClockAhead(t.Context())
		must(t, err)
		if _, server := s.dialect.(*postgres); has != server {
			t.Fatalf("the database has a clock: %v", has)
		}
		if off := ahead - time.Hour; has && (off < -time.Minute || off > time.Minute) {
			t.Errorf("the server is ahead by %s of a clock that is an hour behind", ahead)
		}
	})
}
