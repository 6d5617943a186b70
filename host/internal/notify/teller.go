// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// Teller tells people, by one reading of the configuration.
type Teller struct {
	Store *store.Store
	Log   hclog.Logger
	// Now is the clock; nil: the machine's.
	Now func() time.Time
	// Channels are those that are configured; one that this process cannot use is nil.
	Channels map[string]Sender
	Routes   []Route
	// Modules are those that somebody wants to know of.
	Modules []Watched
	// RemindAfter is as in Policy.
	RemindAfter time.Duration
	// DigestAt is when a summary is sent each day, in Zone; nil: never.
	DigestAt *DigestTime
	Zone     *time.Location
}

const (
	// firstPause comes before a message is sent again, and doubles each time up to longestPause. After patience it is given up.
	firstPause, longestPause = time.Minute, 30 * time.Minute
	patience                 = 72 * time.Hour
	// keptFor is how long messages are kept, and what incidents and mutes are over.
	keptFor = 90 * 24 * time.Hour
)

func (t *Teller) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t *Teller) policy() Policy {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	return Policy{Now: t.now().UTC(), RemindAfter: t.RemindAfter, Zone: zone}
}

// Look compares modules with their incidents, and keeps what is to be told. Names are like acme/rhipe; none: all modules. One
// that cannot be looked at leaves the others.
func (t *Teller) Look(ctx context.Context, names ...string) error {
	if len(t.Channels) == 0 {
		return nil
	}
	var errs []error
	for _, w := range t.Modules {
		if len(names) > 0 && !slices.Contains(names, w.String()) {
			continue
		}
		if err := t.look(ctx, w); err != nil {
			errs = append(errs, fmt.Errorf("look at %s: %w", w, err))
		}
	}
	return errors.Join(errs...)
}

func (t *Teller) look(ctx context.Context, w Watched) error {
	f, err := read(ctx, t.Store, w)
	if err != nil || f == nil {
		return err
	}
	open, err := t.Store.OpenIncidents(ctx, f.TenantID, f.ModuleID)
	if err != nil {
		return err
	}
	mutes, err := t.Store.Mutes(ctx, f.TenantID)
	if err != nil {
		return err
	}
	p := t.policy()
	p.Muted = slices.ContainsFunc(mutes, func(m store.Mute) bool { return m.Of(f.TenantID, f.ModuleID) })
	var steps []store.Step
	for _, d := range Decide(f, open, p) {
		step := store.Step{Action: d.Action, Incidents: d.Incidents, At: d.At}
		if d.Message != nil {
			key := "msg_" + rand.Text()
			for _, channel := range channelsFor(t.Routes, d.Message) {
				row, err := stored(d.Message, channel, key, &f.TenantID)
				if err != nil {
					return err
				}
				step.Messages = append(step.Messages, row)
			}
		}
		steps = append(steps, step)
	}
	_, err = t.Store.TakeSteps(ctx, steps)
	return err
}

// stored gives a message as it waits for its channel.
func stored(m *Message, channel, key string, tenantID *int64) (store.Message, error) {
	body, err := json.Marshal(m)
	return store.Message{TenantID: tenantID, Channel: channel, Ref: key, Kind: string(m.Kind), Body: body, CreatedAt: m.At, NextAt: m.At}, err
}

// LookEnded closes the incidents of modules that nobody wants to know of any more, without a word.
func (t *Teller) LookEnded(ctx context.Context) error {
	open, err := t.Store.OpenIncidents(ctx, 0, 0)
	if err != nil || len(open) == 0 {
		return err
	}
	names, err := t.names(ctx)
	if err != nil {
		return err
	}
	watched := map[string]bool{}
	for _, w := range t.Modules {
		watched[w.String()] = true
	}
	var steps []store.Step
	for _, incident := range open {
		if !watched[names[moduleID{incident.TenantID, incident.ModuleID}]] {
			steps = append(steps, store.Step{Action: store.StepClose, Incidents: []store.Incident{incident}})
		}
	}
	_, err = t.Store.TakeSteps(ctx, steps)
	return err
}

// moduleID is a module of the database.
type moduleID struct{ tenant, module int64 }

// names gives the modules of the database as people write them.
func (t *Teller) names(ctx context.Context) (map[moduleID]string, error) {
	tenants, err := t.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	modules, err := t.Store.Modules(ctx, 0)
	if err != nil {
		return nil, err
	}
	byID := map[int64]string{}
	for _, tenant := range tenants {
		byID[tenant.ID] = tenant.Name
	}
	names := make(map[moduleID]string, len(modules))
	for _, m := range modules {
		names[moduleID{m.TenantID, m.ID}] = byID[m.TenantID] + "/" + m.Name
	}
	return names, nil
}

// Round does what has to be done from time to time: the digest, and removing what is old.
func (t *Teller) Round(ctx context.Context) error {
	if len(t.Channels) == 0 {
		return nil
	}
	return errors.Join(t.digest(ctx), t.LookEnded(ctx), t.Store.PruneNotifications(ctx, t.now().Add(-keptFor)))
}

// Deliver sends what is due, through all channels at the same time. A channel that fails is left alone until its messages are
// due again. It gives how many messages were sent; why others were not is logged and kept with them.
func (t *Teller) Deliver(ctx context.Context) (sent int, err error) {
	var mu sync.Mutex
	var errs []error
	var channels sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(t.Channels)) {
		if t.Channels[name] == nil {
			continue
		}
		channels.Go(func() {
			n, err := t.deliver(ctx, name, t.Channels[name])
			mu.Lock()
			defer mu.Unlock()
			sent += n
			errs = append(errs, err)
		})
	}
	channels.Wait()
	return sent, errors.Join(errs...)
}

// deliver sends the messages of one channel, one after another, until one fails.
func (t *Teller) deliver(ctx context.Context, name string, channel Sender) (sent int, err error) {
	for ctx.Err() == nil {
		// Whoever ends in the middle leaves the message to others once its time is over.
		claimed, err := t.Store.ClaimMessages(ctx, []string{name}, 1, channel.Timeout()+time.Minute)
		if err != nil || len(claimed) == 0 {
			return sent, err
		}
		row := claimed[0]
		switch until, err := t.waits(ctx, row); {
		case err != nil:
			return sent, err
		case !until.IsZero():
			if err := t.Store.PostponeMessage(ctx, row.ID, until); err != nil {
				return sent, err
			}
			continue
		}
		failure := t.send(ctx, channel, row)
		// What became of it is noted even if this program is told to end.
		noted := context.WithoutCancel(ctx)
		log := t.Log.With("channel", name, "kind", row.Kind, "message", row.ID)
		if failure == nil {
			log.Info("notification sent")
			sent++
			if err := t.Store.MessageSent(noted, row.ID); err != nil {
				return sent, err
			}
			continue
		}
		next := t.now().Add(pause(row.Attempts))
		if t.now().Sub(row.CreatedAt) > patience {
			next = time.Time{}
			log.Error("a notification could not be sent and is given up", "attempts", row.Attempts, "error", failure)
		} else {
			log.Warn("a notification could not be sent", "attempts", row.Attempts, "again", next.UTC().Format(time.RFC3339), "error", failure)
		}
		return sent, t.Store.MessageFailed(noted, row.ID, failure.Error(), next)
	}
	return sent, ctx.Err()
}

// waits gives until when a message has to wait: for the end of a mute, or for another message. Zero: it does not.
func (t *Teller) waits(ctx context.Context, row store.Message) (until time.Time, err error) {
	about := moduleIn(row)
	if row.TenantID == nil || about.Module == "" {
		return until, nil
	}
	mutes, err := t.Store.Mutes(ctx, *row.TenantID)
	if err != nil {
		return until, err
	}
	_, module, err := t.Store.FindModule(ctx, about.Tenant, about.Module)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return until, err
	}
	for _, m := range mutes {
		if m.Of(*row.TenantID, module.ID) && m.Until.After(until) {
			until = m.Until
		}
	}
	if !until.IsZero() {
		return until, nil
	}
	first, err := t.comesFirst(ctx, row)
	if err != nil || first == nil {
		return until, err
	}
	return first.NextAt, nil
}

// comesFirst gives the message that has to arrive before another one does, if there is one: nobody is told that something is over
// before they are told that it began. What is given up is not waited for.
func (t *Teller) comesFirst(ctx context.Context, row store.Message) (*store.Message, error) {
	if row.Kind != string(Recovered) || row.TenantID == nil {
		return nil, nil
	}
	list, err := t.Store.Undelivered(ctx, *row.TenantID)
	if err != nil {
		return nil, err
	}
	module := moduleIn(row).Module
	for i := range list {
		if m := &list[i]; m.ID < row.ID && m.FailedAt == nil && m.Channel == row.Channel && moduleIn(*m).Module == module {
			return m, nil
		}
	}
	return nil, nil
}

// moduleIn gives the tenant and the module a message is about.
func moduleIn(row store.Message) (about struct{ Tenant, Module string }) {
	_ = json.Unmarshal(row.Body, &about) // sending it says what is wrong with it
	return about
}

func (t *Teller) send(ctx context.Context, channel Sender, row store.Message) error {
	var m Message
	if err := json.Unmarshal(row.Body, &m); err != nil {
		return fmt.Errorf("read message %d: %w", row.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, channel.Timeout())
	defer cancel()
	return channel.Send(ctx, row.Ref, &m)
}

// pause gives how long to wait after the nth attempt.
func pause(n int) time.Duration {
	wait := firstPause
	for ; n > 1 && wait < longestPause; n-- {
		wait *= 2
	}
	return min(wait, longestPause)
}

// Try sends a message to one channel and gives what went wrong.
func (t *Teller) Try(ctx context.Context, name, who string) error {
	channel := t.Channels[name]
	if channel == nil {
		return fmt.Errorf("channel %q cannot be used here", name)
	}
	m := &Message{
		Kind: Test, Severity: Info, At: t.now().UTC(), Subject: "test of channel " + name,
		What: fmt.Sprintf("%s tries whether messages arrive here. They do.", who),
		Next: []string{"Nothing."},
	}
	ctx, cancel := context.WithTimeout(ctx, channel.Timeout())
	defer cancel()
	return channel.Send(ctx, "msg_"+rand.Text(), m.tidy())
}
