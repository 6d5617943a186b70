// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) notificationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "notifications", Short: "Who is told when something is not as it should be",
		Long: "Who is told when something is not as it should be: by mail, webhook or chat, as the block \"notifications\" says.\n\n" +
			"A message is sent when something begins: a module failed, holds changes, has warnings, is stale (no trustworthy\n" +
			"run for too long), is stopped (its credentials are refused), or its credentials expire soon. It is sent again\n" +
			"after notifications.remind_after as long as that lasts, warnings excepted, and once when it is over.\n\n" +
			"\"tallyman sync\" and \"tallyman serve\" send. What does not get through is sent again for three days, by whichever of\n" +
			"them comes first; a message can come twice, if a program ends right after sending it. That a module is stale, a\n" +
			"digest, and what failed to be sent need a program that goes on: \"tallyman serve\", or the next \"tallyman sync\".",
	}
	cmd.AddCommand(a.notificationsTest(), a.notificationsList(), a.notificationsMute(), a.notificationsUnmute())
	return cmd
}

// tried is what became of a test message.
type tried struct {
	Channel string              `json:"channel"`
	Sent    bool                `json:"sent"`
	Error   *integrator.Problem `json:"error,omitempty"`
}

func (a *app) notificationsTest() *cobra.Command {
	return &cobra.Command{
		Use: "test [CHANNEL]", Short: "Send a test message to a channel, or to all, and say what went wrong", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman notifications test\n  tallyman notifications test ops",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			all := c.Notifications.Channels()
			names := make([]string, len(all))
			for i, channel := range all {
				names[i] = channel.Name
			}
			switch name := argument(args); {
			case len(all) == 0:
				return usagef("there is no channel in the configuration; write one into the block \"notifications\", as configs/example.hcl shows")
			case name != "":
				at := slices.Index(names, name)
				if at < 0 {
					return usagef("there is no channel %q; there are %s", name, strings.Join(names, ", "))
				}
				all = all[at : at+1]
			}
			return a.tryChannels(cmd.Context(), all)
		},
	}
}

// tryChannels sends a message to each channel.
func (a *app) tryChannels(ctx context.Context, all []*config.Channel) error {
	t := a.teller(nil)
	var rows []tried
	var failures []error
	for _, channel := range all {
		err := channel.Usable()
		if err == nil {
			err = t.Try(ctx, channel.Name, a.who())
		}
		rows = append(rows, tried{channel.Name, err == nil, integrator.ProblemOf(err)})
		if err != nil {
			err = fmt.Errorf("channel %s: %w", channel.Name, err)
			failures = append(failures, err)
		}
		if a.json {
			continue
		}
		if err == nil {
			fmt.Fprintf(a.out, "%s: sent\n", channel.Name)
			continue
		}
		fmt.Fprintf(a.out, "%s: NOT SENT\n", channel.Name)
		showError(a.errOut, err, false)
	}
	if a.json {
		_ = a.printJSON(rows)
	}
	if len(failures) == 0 {
		return nil
	}
	return shownError{errors.Join(failures...), exitFailed}
}

// shownIncident, shownMute and shownMessage are what the list shows.
type shownIncident struct {
	Module string `json:"module"`
	store.Incident
}

type shownMute struct {
	// Target is a module, or a tenant.
	Target string `json:"target"`
	store.Mute
}

type shownMessage struct {
	Channel  string     `json:"channel"`
	Kind     string     `json:"kind"`
	Ref      string     `json:"ref"`
	Created  time.Time  `json:"created_at"`
	Attempts int        `json:"attempts"`
	Error    string     `json:"error"`
	Next     *time.Time `json:"next_at,omitempty"`
}

func (a *app) notificationsList() *cobra.Command {
	return &cobra.Command{
		Use: "list [TENANT]", Short: "Show what is open, what is muted, and which messages are not delivered", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman notifications list\n  tallyman notifications list acme --json",
		RunE:    a.withStore(a.listNotifications),
	}
}

func (a *app) listNotifications(ctx context.Context, s *store.Store, args []string) error {
	tenantID := int64(0)
	if name := argument(args); name != "" {
		tenant, err := s.FindTenant(ctx, name)
		if err != nil {
			return err
		}
		tenantID = tenant.ID
	}
	names, err := moduleNames(ctx, s)
	if err != nil {
		return err
	}
	open, err := s.OpenIncidents(ctx, tenantID, 0)
	if err != nil {
		return err
	}
	mutes, err := s.Mutes(ctx, tenantID)
	if err != nil {
		return err
	}
	waiting, err := s.Undelivered(ctx, tenantID)
	if err != nil {
		return err
	}
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return err
	}
	incidents, muted, messages := []shownIncident{}, []shownMute{}, []shownMessage{}
	for _, i := range open {
		incidents = append(incidents, shownIncident{names[i.ModuleID], i})
	}
	for _, m := range mutes {
		target := ""
		if m.ModuleID != nil {
			target = names[*m.ModuleID]
		} else if at := slices.IndexFunc(tenants, func(t store.Tenant) bool { return t.ID == m.TenantID }); at >= 0 {
			target = tenants[at].Name
		}
		muted = append(muted, shownMute{target, m})
	}
	for _, m := range waiting {
		row := shownMessage{Channel: m.Channel, Kind: m.Kind, Ref: m.Ref, Created: m.CreatedAt, Attempts: m.Attempts, Error: m.Error}
		if m.FailedAt == nil {
			row.Next = &m.NextAt
		}
		messages = append(messages, row)
	}
	if a.json {
		return a.printJSON(map[string]any{"incidents": incidents, "mutes": muted, "undelivered": messages})
	}
	a.printNotifications(incidents, muted, messages)
	return nil
}

// printNotifications shows the three lists, or says that they are empty.
func (a *app) printNotifications(incidents []shownIncident, muted []shownMute, messages []shownMessage) {
	if len(incidents)+len(muted)+len(messages) == 0 {
		fmt.Fprintln(a.errOut, "Nothing is open, muted or undelivered.")
		return
	}
	section := func(title string, n int, g *grid) {
		if n == 0 {
			return
		}
		fmt.Fprintln(a.out, title)
		g.render(a.out)
		fmt.Fprintln(a.out)
	}
	g := &grid{columns: []string{"Module", "What", "Since", "Told", "Summary"}}
	for _, i := range incidents {
		told := "not yet"
		if i.ToldAt != nil {
			told = when(*i.ToldAt)
		}
		g.add(i.Module, i.Kind, i.OpenedAt, told, i.Summary)
	}
	section("Open:", len(incidents), g)
	g = &grid{columns: []string{"Muted", "Until", "Reason", "Who"}}
	for _, m := range muted {
		g.add(m.Target, m.Until, m.Reason, m.Who)
	}
	section("Muted:", len(muted), g)
	g = &grid{columns: []string{"Channel", "Kind", "Made", "Attempts", "Again", "Error"}}
	for _, m := range messages {
		again := "given up"
		if m.Next != nil {
			again = when(*m.Next)
		}
		g.add(m.Channel, m.Kind, m.Created, m.Attempts, again, m.Error)
	}
	section("Not delivered:", len(messages), g)
}

// muteTarget gives the tenant and, if one is named, the module that TENANT[/MODULE] means.
func (a *app) muteTarget(ctx context.Context, s *store.Store, target string) (tenantID int64, moduleID *int64, err error) {
	name, module, one := strings.Cut(target, "/")
	if !one {
		if err := a.knownTenant(name); err != nil {
			return 0, nil, err
		}
		tenant, err := s.EnsureTenant(ctx, name, "")
		return tenant.ID, nil, err
	}
	t, m, err := a.findConfig(target)
	if err != nil {
		return 0, nil, err
	}
	tenant, err := s.EnsureTenant(ctx, t.Name, t.DisplayName)
	if err != nil {
		return 0, nil, err
	}
	row, err := s.EnsureModule(ctx, tenant.ID, module, m.Plugin)
	return tenant.ID, &row.ID, err
}

// longestMute keeps a mute from being forgotten.
const longestMute = 90 * 24 * time.Hour

// muteEnd reads when a mute ends: after a duration, on a day, or at a time of the machine's zone.
func muteEnd(text string, now time.Time) (time.Time, error) {
	var end time.Time
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			end = now.AddDate(0, 0, int(n))
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		end = now.Add(d)
	}
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			end = at
		}
	}
	switch {
	case end.IsZero():
		return end, usagef("--until takes a duration such as 2h or 3d, or a time such as 2027-03-01 or \"2027-03-01 08:00\", not %q", text)
	case !end.After(now):
		return end, usagef("--until has to be in the future; %s is past", end.Format("2006-01-02 15:04"))
	case end.Sub(now) > longestMute:
		return end, usagef("--until may be %d days ahead at most, lest it be forgotten", longestMute/(24*time.Hour))
	}
	return end, nil
}

func (a *app) notificationsMute() *cobra.Command {
	var until, reason string
	cmd := &cobra.Command{
		Use: "mute TENANT[/MODULE]", Short: "Tell nobody of a module, or of all modules of a tenant, until a time", Args: cobra.ExactArgs(1),
		Long: "Tell nobody of a module, or of all modules of a tenant, until a time, 90 days ahead at most. What is not as it\n" +
			"should be is kept meanwhile: what is still so at the end is told then.",
		Example: "  tallyman notifications mute acme/rhipe --until 2h --reason \"Rhipe is down, ticket 4711\"\n" +
			"  tallyman notifications mute acme --until \"2027-03-01 08:00\" --reason \"moving\"",
		RunE: a.withDatabase(false, func(ctx context.Context, s *store.Store, args []string) error {
			end, err := muteEnd(until, time.Now())
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return usagef("--reason is missing: whoever finds it muted wants to know why")
			}
			tenant, module, err := a.muteTarget(ctx, s, args[0])
			if err != nil {
				return err
			}
			if err := s.AddMute(ctx, store.Mute{TenantID: tenant, ModuleID: module, Until: end, Reason: reason, Who: a.who()}); err != nil {
				return err
			}
			return a.done("%s is muted until %s.", args[0], when(end))
		}),
	}
	cmd.Flags().StringVar(&until, "until", "", "when it ends: `TIME` such as 2h, 3d, 2027-03-01 or \"2027-03-01 08:00\"")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever finds it muted")
	return cmd
}

func (a *app) notificationsUnmute() *cobra.Command {
	return &cobra.Command{
		Use: "unmute TENANT[/MODULE]", Short: "End a mute before its time", Args: cobra.ExactArgs(1),
		Long:    "End a mute before its time. A tenant's mute and a module's are ended each by its own name.",
		Example: "  tallyman notifications unmute acme/rhipe",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			tenant, module, err := a.muteTarget(ctx, s, args[0])
			if err != nil {
				return err
			}
			found, err := s.RemoveMute(ctx, tenant, module)
			if err != nil {
				return err
			}
			if !found {
				return a.done("%s was not muted.", args[0])
			}
			return a.done("%s is no longer muted.", args[0])
		}),
	}
}
