// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// DigestTime is when a summary of all modules is sent each day.
type DigestTime struct{ Hour, Minute int }

// due gives the day whose digest is due, in the zone: none before its time. After a downtime it comes late, and once.
func (d *DigestTime) due(now time.Time, zone *time.Location) (day string, due bool) {
	now = now.In(zone)
	at := time.Date(now.Year(), now.Month(), now.Day(), d.Hour, d.Minute, 0, 0, zone)
	return now.Format(time.DateOnly), !now.Before(at)
}

// digest keeps today's summaries, one for each channel, if they are due and nobody has done so.
func (t *Teller) digest(ctx context.Context) error {
	if t.DigestAt == nil {
		return nil
	}
	p := t.policy()
	day, due := t.DigestAt.due(p.Now, p.Zone)
	if !due {
		return nil
	}
	key := "digest-" + day
	if done, err := t.Store.HasMessage(ctx, key); err != nil || done {
		return err
	}
	names, err := t.names(ctx)
	if err != nil {
		return err
	}
	open, err := t.Store.OpenIncidents(ctx, 0, 0)
	if err != nil {
		return err
	}
	mutes, err := t.Store.Mutes(ctx, 0)
	if err != nil {
		return err
	}
	byModule := map[string][]store.Incident{}
	muted := map[string]bool{}
	for id, name := range names {
		for _, m := range mutes {
			muted[name] = muted[name] || m.Of(id.tenant, id.module)
		}
	}
	for _, incident := range open {
		name := names[moduleID{incident.TenantID, incident.ModuleID}]
		byModule[name] = append(byModule[name], incident)
	}
	var messages []store.Message
	for _, channel := range slices.Sorted(maps.Keys(t.Channels)) {
		var modules []Watched
		for _, w := range t.Modules {
			if digestOf(t.Routes, channel, w.Tenant) {
				modules = append(modules, w)
			}
		}
		if len(modules) == 0 {
			continue
		}
		row, err := stored(compose(modules, byModule, muted, p), channel, key, nil)
		if err != nil {
			return err
		}
		messages = append(messages, row)
	}
	if len(messages) == 0 {
		return nil
	}
	return t.Store.AddMessages(ctx, messages)
}

// mostModules is how many modules a digest names.
const mostModules = 50

// compose makes a summary of modules.
func compose(modules []Watched, open map[string][]store.Incident, muted map[string]bool, p Policy) *Message {
	m := &Message{Kind: Digest, Severity: Info, At: p.Now, Next: []string{"tallyman status --problems", "tallyman notifications list"}}
	wrong := 0
	for _, w := range modules {
		for i, incident := range open[w.String()] {
			if i == 0 {
				wrong++
			}
			if len(m.Details) == mostModules {
				continue
			}
			text := fmt.Sprintf("%s: %s since %s: %s", w, incident.Kind, clock(incident.OpenedAt, p), incident.Summary)
			if muted[w.String()] {
				text = "(muted) " + text
			}
			m.Details = append(m.Details, line(text, longestLine))
		}
	}
	if wrong == 0 {
		m.Subject = "all is well: " + plural(len(modules), "module")
		m.What = fmt.Sprintf("Nothing is wrong with %s.", plural(len(modules), "module"))
		m.Next = nil
		return m
	}
	m.Subject = fmt.Sprintf("%d of %s not as they should be", wrong, plural(len(modules), "module"))
	m.What = "This is not as it should be:"
	return m
}
