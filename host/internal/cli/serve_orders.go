// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/schedule"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// orders gives what reads from the database what people asked for of these modules.
func (v *server) orders(modules []*planned) func(context.Context) (schedule.Orders, error) {
	names := make(map[int64]string, len(modules))
	for _, m := range modules {
		names[m.id] = m.module.String()
	}
	return func(ctx context.Context) (schedule.Orders, error) {
		found := schedule.Orders{Wishes: map[string]schedule.Wish{}, Paused: map[string]schedule.Pause{}}
		wishes, err := v.store.Wishes(ctx, 0)
		if err != nil {
			return found, err
		}
		for _, w := range wishes {
			wish := schedule.Wish{ID: w.ID, Who: w.Who, Asked: w.AskedAt, Entities: w.Entities}
			if w.BegunAt != nil {
				wish.Begun = *w.BegunAt
			}
			found.Wishes[names[w.ModuleID]] = wish
		}
		paused, err := readPauses(ctx, v.store)
		if err != nil || len(paused) == 0 {
			return found, err
		}
		for _, name := range names {
			if p := paused.of(name); p != nil {
				pause := schedule.Pause{Who: p.Who, Reason: p.Reason}
				if p.EndsAt != nil {
					pause.Until = *p.EndsAt
				}
				found.Paused[name] = pause
			}
		}
		return found, nil
	}
}

// confirm makes sure, once nobody else can run the module, that it is still to be run.
func (p *planned) confirm(wished bool) func(context.Context) error {
	return func(ctx context.Context) error {
		paused, err := readPauses(ctx, p.store)
		if err != nil {
			return err
		}
		if paused.of(p.module.String()) != nil {
			return schedule.ErrNotDue
		}
		if wished {
			return nil // whether it is still wished for, the start of the run finds out
		}
		past, err := p.past(ctx)
		if err != nil {
			return err
		}
		if next := p.policy.Next(p.schedule, past); next.At.IsZero() || next.At.After(time.Now()) {
			return schedule.ErrNotDue
		}
		return nil
	}
}

// hostEvery is how often a host says that it is there.
const hostEvery = store.HostSilence / 6

// present says again and again that this host serves, as long as its loop works, until ctx ends.
func (v *server) present(ctx context.Context) {
	host := store.Host{ID: rand.Int64(), Name: holder(), Version: v.asked.version, StartedAt: time.Now()} //nolint:gosec // not a secret
	ticker := time.NewTicker(hostEvery)
	defer ticker.Stop()
	said := ""
	for {
		if err := v.alive(host.StartedAt); err == nil {
			if err := v.store.SeeHost(ctx, host); err != nil && ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				v.log.Warn("the database could not be told that this host is there", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := v.store.LeaveHost(ending, host.ID); err != nil {
				v.log.Warn("the database could not be told that this host ends", "error", err)
			}
			return
		case <-ticker.C:
		}
	}
}
