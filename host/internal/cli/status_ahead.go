// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/notify"
	"github.com/tallymanhq/tallyman/host/internal/schedule"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// statusBoard is how modules are doing, and what is ahead of them.
type statusBoard struct {
	app     *app
	modules []*config.Module
	rows    []statusRow
	now     time.Time

	ids       map[string]int64
	schedules map[int64]store.Schedule
	wishes    map[int64]store.Wish
	paused    pauses
	hosts     []store.Host
	stuck     []stuckChannel
	// scheduled is how many of the modules have a schedule.
	scheduled int
}

// read reads what is ahead of all modules.
func (b *statusBoard) read(ctx context.Context, s *store.Store) error {
	names, err := moduleNames(ctx, s)
	if err != nil {
		return err
	}
	b.ids = make(map[string]int64, len(names))
	for id, name := range names {
		b.ids[name] = id
	}
	wishes, err := s.Wishes(ctx, 0)
	if err != nil {
		return err
	}
	b.wishes = make(map[int64]store.Wish, len(wishes))
	for _, w := range wishes {
		b.wishes[w.ModuleID] = w
	}
	if b.schedules, err = s.Schedules(ctx, 0); err != nil {
		return err
	}
	if b.paused, err = readPauses(ctx, s); err != nil {
		return err
	}
	if b.hosts, err = s.Hosts(ctx); err != nil {
		return err
	}
	b.stuck, err = stuckChannels(ctx, s, b.now)
	return err
}

// ahead fills in what is ahead of a module. The store is nil if there is no database.
func (b *statusBoard) ahead(ctx context.Context, s *store.Store, m *config.Module, row *statusRow) error {
	if !m.On() {
		return nil
	}
	id := b.ids[m.String()]
	if w, ok := b.wishes[id]; ok && id != 0 {
		row.Queued = &statusQueued{w.Who, w.AskedAt}
	}
	row.Paused = b.paused.of(m.String())
	when, err := b.app.scheduleOf(m)
	if err != nil || when == nil {
		return err
	}
	b.scheduled++
	entities := entitiesOf(m.Schedule.Sync)
	// Whatever was due before a host takes the schedule up counts as done.
	past := schedule.Past{Since: b.now}
	if kept, ok := b.schedules[id]; ok && kept.Spec == specOf(when, entities) {
		if past, err = pastOf(ctx, s, id, entities, kept.Since); err != nil {
			return err
		}
	}
	next := policyOf(b.app.config.Serve).Next(when, past)
	if next.Stopped && row.Failing != nil {
		row.State = stateStopped
	}
	if p := row.Paused; p != nil && p.EndsAt == nil || next.At.IsZero() {
		return nil
	} else if p != nil && p.EndsAt.After(next.At) {
		next.At = *p.EndsAt
	}
	zone, err := b.app.zoneOf(m.String())
	at := next.At.In(zone)
	row.NextRun = &at
	return err
}

// age makes a module stale whose picture was not known to be right for too long. That it never was is told otherwise.
func (b *statusBoard) age(m *config.Module, right store.Trustworthy, row *statusRow) {
	limit := b.app.config.StaleAfter(m)
	at, never := notify.RightAt(entitiesOf(m.Schedule.Sync), right)
	switch row.State {
	case stateHeld, stateWarning, stateOK:
		if !never && limit > 0 && row.Paused == nil && b.now.Sub(at) > limit {
			row.State, row.staleSince = stateStale, at
		}
	}
}

// explainStale says since when the picture is not known to be right.
func (r *statusRow) explainStale() advice {
	what := fmt.Sprintf("%s is stale: its picture is known to be right up to %s only", r.Module, when(r.staleSince))
	if r.Held > 0 {
		what += ", and it holds " + plural(r.Held, "change")
	}
	return advice{what, fmt.Sprintf("See what its runs came to since with \"tallyman runs list %s\", or run \"tallyman sync %s\".", r.Module, r.Module)}
}

// scheduleOf gives when a module of the configuration is due; nil: never.
func (a *app) scheduleOf(m *config.Module) (*schedule.Schedule, error) {
	for _, t := range a.config.Tenants {
		if t.Name == m.Tenant {
			return t.When(m)
		}
	}
	return nil, nil
}

// next says when the module is run next.
func (r *statusRow) next(now time.Time) string {
	switch {
	case r.State == stateDisabled:
		return ""
	case r.Queued != nil:
		return "queued"
	case r.NextRun == nil:
		return "never"
	case !r.NextRun.After(now):
		return "now"
	default:
		return inZone(*r.NextRun, r.NextRun.Location())
	}
}

// explainPause says who paused a module and why.
func (b *statusBoard) explainPause(r *statusRow) advice {
	if r.Paused == nil {
		return advice{}
	}
	zone, _ := b.app.zoneOf(r.Module)
	with := ""
	if r.Paused.On != r.Module {
		with = " with " + r.Paused.On
	}
	return advice{fmt.Sprintf("%s is paused%s %s", r.Module, with, r.Paused.text(zone)), fmt.Sprintf("End it with %q.", r.Paused.resume())}
}

// explainQueue says who asked for a run.
func (r *statusRow) explainQueue() advice {
	if r.Queued == nil {
		return advice{}
	}
	return advice{what: fmt.Sprintf("%s is queued, by %s since %s", r.Module, r.Queued.Who, when(r.Queued.Since))}
}

// explainHosts says which hosts serve, or that none does although it should.
func (b *statusBoard) explainHosts() advice {
	what := ""
	for _, h := range b.hosts {
		if h.Alive(b.now) {
			if what != "" {
				what += "; "
			}
			what += fmt.Sprintf("%s, version %s, since %s", h.Name, h.Version, when(h.StartedAt))
		}
	}
	queued := len(b.wishes) > 0
	switch {
	case what != "":
		return advice{what: "Serving: " + what}
	case b.scheduled == 0 && !queued:
		return advice{}
	}
	what = "No \"tallyman serve\" is running on this database"
	if len(b.hosts) > 0 {
		what += fmt.Sprintf("; %s was seen last at %s", b.hosts[0].Name, when(b.hosts[0].SeenAt))
	}
	return advice{what + ".", "Start one: until then nothing is run by schedule, and nothing that is queued."}
}
