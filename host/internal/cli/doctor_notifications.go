// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// channels looks at who is told when something is not as it should be. None of them is tried: that would be a message.
func (d *doctor) channels() {
	const check = "notifications"
	notifications := &d.app.config.Notifications
	all := notifications.Channels()
	if len(all) == 0 {
		d.ok(check, "there is no channel, so nobody is told when a module fails; \"tallyman status\" and the exit codes of runs say so")
		return
	}
	begin := len(d.findings)
	for _, p := range notifications.ChannelWarnings() {
		p.Warning = false // whoever runs the doctor has what the daily run has
		d.problem(check, p)
	}
	if len(d.findings) == begin {
		d.ok(check, "%s can be used; \"tallyman notifications test\" tries them", plural(len(all), "channel"))
	}
}

// undelivered tells which channels messages do not get through.
func (d *doctor) undelivered(ctx context.Context, s *store.Store) {
	stuck, err := stuckChannels(ctx, s, time.Now())
	if err != nil {
		d.wrong("notifications", err)
		return
	}
	for _, c := range stuck {
		said := c.explain(d.app.config)
		d.add(findingWarning, "notifications", said.what, said.next)
	}
}

// stuckChannel is a channel that messages do not get through.
type stuckChannel struct {
	Channel string `json:"channel"`
	// Messages is how many were tried and not delivered, GivenUp how many of them are tried no more.
	Messages int `json:"messages"`
	GivenUp  int `json:"given_up"`
	// Error is why the newest of them was not.
	Error string `json:"error"`
}

// givenUpFor is how long it is told that a message was given up.
const givenUpFor = 7 * 24 * time.Hour

// stuckChannels gives the channels that messages do not get through, in the order of their oldest.
func stuckChannels(ctx context.Context, s *store.Store, now time.Time) ([]stuckChannel, error) {
	messages, err := s.Undelivered(ctx, 0)
	if err != nil {
		return nil, err
	}
	list, at := []stuckChannel{}, map[string]int{}
	for _, m := range messages {
		if m.Error == "" || m.FailedAt != nil && now.Sub(*m.FailedAt) > givenUpFor {
			continue // it was not tried yet, or is past
		}
		i, known := at[m.Channel]
		if !known {
			i = len(list)
			list, at[m.Channel] = append(list, stuckChannel{Channel: m.Channel}), i
		}
		list[i].Messages++
		list[i].Error = m.Error
		if m.FailedAt != nil {
			list[i].GivenUp++
		}
	}
	return list, nil
}

// explain says what does not get through, and what to do.
func (c *stuckChannel) explain(is *config.Config) advice {
	what := fmt.Sprintf("channel %q: %s not delivered", c.Channel, plural(c.Messages, "message"))
	if c.GivenUp > 0 {
		what += fmt.Sprintf(", %d of them given up", c.GivenUp)
	}
	if !slices.ContainsFunc(is.Notifications.Channels(), func(has *config.Channel) bool { return has.Name == c.Channel }) {
		return advice{
			what + ", and the configuration has no such channel any more",
			"See \"tallyman notifications list\" for what nobody was told. Give a channel this name again, and they are sent there for three days.",
		}
	}
	return advice{
		what + ": " + c.Error,
		fmt.Sprintf("See \"tallyman notifications list\"; when it is mended, try \"tallyman notifications test %s\".", c.Channel),
	}
}
