// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/notify"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// teller gives what tells people, as the configuration says.
func (a *app) teller(s *store.Store) *notify.Teller {
	c := a.config
	n := &c.Notifications
	t := &notify.Teller{
		Store: s, Log: a.log(), Channels: channels(n), RemindAfter: n.RemindAfter, Zone: n.Location,
	}
	if at := n.DigestAt; at != nil {
		t.DigestAt = &notify.DigestTime{Hour: at.Hour, Minute: at.Minute}
	}
	for _, r := range n.Routes {
		route := notify.Route{Channels: r.Channels, Tenants: r.Tenants, Severity: notify.Severity(r.Severity)}
		for _, kind := range r.Kinds {
			route.Kinds = append(route.Kinds, notify.Kind(kind))
		}
		t.Routes = append(t.Routes, route)
	}
	if len(t.Routes) == 0 {
		all := notify.Route{Severity: notify.Warn}
		for name := range t.Channels {
			all.Channels = append(all.Channels, name)
		}
		t.Routes = []notify.Route{all}
	}
	for _, tenant := range c.Tenants {
		for _, m := range tenant.Modules {
			if !m.On() {
				continue
			}
			watched := notify.Watched{
				Tenant: tenant.Name, Module: m.Name, Entities: entitiesOf(m.Schedule.Sync),
				StaleAfter: c.StaleAfter(m), Expires: tenant.CredentialsExpire(m),
			}
			if m.Schedule.On() {
				watched.MaxRefused = c.Serve.MaxRefused
			}
			t.Modules = append(t.Modules, watched)
		}
	}
	return t
}

// channels gives the channels by name. One that this process cannot use is nil: its messages wait for one that can.
func channels(n *config.Notifications) map[string]notify.Sender {
	senders := map[string]notify.Sender{}
	add := func(c *config.Channel, sender notify.Sender) {
		if c.Usable() != nil {
			sender = nil
		}
		senders[c.Name] = sender
	}
	for _, e := range n.Emails {
		add(&e.Channel, &notify.Email{
			Host: e.Host, Port: e.Port, Encryption: e.TLS, Username: e.Username, Password: e.Password, From: e.From, To: e.To, Limit: e.Timeout,
		})
	}
	for _, w := range n.Webhooks {
		add(&w.Channel, &notify.Webhook{URL: w.URL, Secret: w.Secret, Limit: w.Timeout})
	}
	for _, c := range n.Chats {
		if c.App == "slack" {
			add(&c.Channel, &notify.Slack{URL: c.URL, Limit: c.Timeout})
		} else {
			add(&c.Channel, &notify.Teams{URL: c.URL, Limit: c.Timeout})
		}
	}
	return senders
}

// tellingFor bounds what a command spends on telling of its runs; the rest is told by the next one.
const tellingFor = 2 * time.Minute

// tell tells of modules that were run, or of which something was decided. The run is over, so nothing that goes wrong here
// changes what the command came to. It is done even when somebody has told the command to end.
func (a *app) tell(ctx context.Context, s *store.Store, modules ...string) {
	t := a.teller(s)
	if len(t.Channels) == 0 || len(modules) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellingFor)
	defer cancel()
	err := t.Look(ctx, modules...)
	if err == nil {
		_, err = t.Deliver(ctx)
	}
	if err != nil {
		a.log().Warn("not everybody could be told of the run", "error", err)
	}
}
