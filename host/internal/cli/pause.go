// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// everything is how a pause of all modules is called.
const everything = "everything"

// pausedOn is a pause with what it is about.
type pausedOn struct {
	// On is a tenant, a module, or everything.
	On string `json:"on"`
	store.Pause
}

// pauses are those that have not ended.
type pauses []pausedOn

// readPauses gives what is paused, with the names of the tenants and modules.
func readPauses(ctx context.Context, s *store.Store) (pauses, error) {
	rows, err := s.Pauses(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	modules, err := moduleNames(ctx, s)
	if err != nil {
		return nil, err
	}
	var list pauses
	for _, row := range rows {
		on := everything
		switch {
		case row.ModuleID != nil:
			on = modules[*row.ModuleID]
		case row.TenantID != nil:
			i := slices.IndexFunc(tenants, func(t store.Tenant) bool { return t.ID == *row.TenantID })
			on = tenants[i].Name
		}
		list = append(list, pausedOn{on, row})
	}
	return list, nil
}

// of gives the pause that keeps a module from being run, or nil: of several, the one that lasts the longest.
func (p pauses) of(module string) *pausedOn {
	tenant, _, _ := strings.Cut(module, "/")
	var longest *pausedOn
	for i := range p {
		switch one := &p[i]; {
		case one.On != everything && one.On != tenant && one.On != module:
		case longest == nil, longest.EndsAt != nil && (one.EndsAt == nil || one.EndsAt.After(*longest.EndsAt)):
			longest = one
		}
	}
	return longest
}

// text says who paused something, until when and why.
func (p *pausedOn) text(zone *time.Location) string {
	text := fmt.Sprintf("since %s by %s", inZone(p.Since, zone), p.Who)
	if p.EndsAt != nil {
		text += ", until " + inZone(*p.EndsAt, zone)
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

// resume is the command that ends the pause.
func (p *pausedOn) resume() string {
	if p.On == everything {
		return "tallyman resume --all"
	}
	return "tallyman resume " + p.On
}

// inZone gives a time as people read it there.
func inZone(at time.Time, zone *time.Location) string {
	return at.In(cmp.Or(zone, time.Local)).Format("2006-01-02 15:04 MST")
}

// targetArgs wants a target or --all.
func targetArgs(all *bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case *all && len(args) > 0:
			return fmt.Errorf("%q and --all contradict each other", args[0])
		case !*all && len(args) == 0:
			return errors.New("TENANT[/MODULE] is missing, or --all")
		default:
			return cobra.MaximumNArgs(1)(cmd, args)
		}
	}
}

func (a *app) pauseCommand() *cobra.Command {
	var all bool
	var until, reason string
	cmd := &cobra.Command{
		Use: "pause [TENANT[/MODULE]]", Short: "Keep modules from being run by themselves, for a while", Args: targetArgs(&all),
		Long: "Keep a module, the modules of a tenant, or all from being run by themselves. \"tallyman serve\" on any host and\n" +
			"\"tallyman sync --all\" leave them out and say so; \"tallyman sync TENANT/MODULE\" still runs one, with a warning.\n" +
			"A run that is under way goes on. \"tallyman status\" shows who paused what, until when and why.\n\n" +
			"After \"tallyman resume\", or at the time of --until, what was missed is made up for once.",
		Example: "  tallyman pause acme/rhipe --reason \"they are moving\" --until 2026-12-24\n" +
			"  tallyman pause acme --until \"2026-12-24 06:00\"\n  tallyman pause --all --until 3h",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pause(cmd.Context(), argument(args), until, reason)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all modules of all tenants")
	cmd.Flags().StringVar(&until, "until", "",
		"end it by itself at this `TIME`: 2026-12-24, \"2026-12-24 06:00\" in the tenant's time zone, or 90m, 3h, 2d from now")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever looks at the status")
	return cmd
}

// pause keeps a pause of a target; none is everything.
func (a *app) pause(ctx context.Context, target, until, reason string) error {
	zone, err := a.zoneOf(target)
	if err != nil {
		return err
	}
	pause := store.Pause{Who: a.who(), Reason: strings.Join(strings.Fields(reason), " ")}
	if until != "" {
		at, err := parseUntil(until, cmp.Or(zone, time.Local), time.Now())
		if err != nil {
			return err
		}
		pause.EndsAt = &at
	}
	s, err := a.openStore(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // everything was written or rolled back
	if target != "" {
		if pause.TenantID, pause.ModuleID, err = a.ensureTarget(ctx, s, target); err != nil {
			return err
		}
	}
	if pause, err = s.SetPause(ctx, pause); err != nil {
		return err
	}
	on := pausedOn{cmp.Or(target, everything), pause}
	end := fmt.Sprintf("End it with %q.", on.resume())
	if pause.EndsAt != nil {
		end = fmt.Sprintf("It ends at %s, or with %q.", inZone(*pause.EndsAt, zone), on.resume())
	}
	return a.done("%s is paused. %s What is under way goes on.", on.On, end)
}

// zoneOf gives the time zone of a target's tenant, nil for everything, and checks that there is such a target.
func (a *app) zoneOf(target string) (*time.Location, error) {
	c, err := a.load()
	if err != nil || target == "" {
		return nil, err
	}
	if strings.Contains(target, "/") {
		if _, _, err := a.findConfig(target); err != nil {
			return nil, err
		}
	} else if err := a.knownTenant(target); err != nil {
		return nil, err
	}
	tenant, _, _ := strings.Cut(target, "/")
	for _, t := range c.Tenants {
		if t.Name == tenant {
			return t.Location, nil
		}
	}
	return nil, nil
}

// ensureTarget gives the rows of a target of the configuration, which are made if they are not there.
func (a *app) ensureTarget(ctx context.Context, s *store.Store, target string) (tenantID, moduleID *int64, err error) {
	name, _, one := strings.Cut(target, "/")
	tenant, err := s.EnsureTenant(ctx, name, a.tenantName(name))
	if err != nil || !one {
		return &tenant.ID, nil, err
	}
	_, m, err := a.findConfig(target)
	if err != nil {
		return nil, nil, err
	}
	module, err := s.EnsureModule(ctx, tenant.ID, m.Name, m.Plugin)
	return &tenant.ID, &module.ID, err
}

// longestPause is how many days from now a pause may end, where it is given as a span.
const longestPause = 1000

// parseUntil reads the end of a pause.
func parseUntil(text string, zone *time.Location, now time.Time) (time.Time, error) {
	var at time.Time
	var err error
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if at, err = time.ParseInLocation(form, text, zone); err == nil {
			break
		}
	}
	if err != nil {
		span, err := time.ParseDuration(text)
		if number, found := strings.CutSuffix(text, "d"); found {
			var days int
			days, err = strconv.Atoi(number)
			at = now.AddDate(0, 0, min(days, longestPause+1))
		} else {
			at = now.Add(span)
		}
		if err != nil || at.After(now.AddDate(0, 0, longestPause)) {
			return at, usagef("--until takes a day (2026-12-24), a time (\"2026-12-24 06:00\") or a span (90m, 3h, 2d), not %q", text)
		}
	}
	if !at.After(now) {
		return at, usagef("--until %q is %s, which is over", text, inZone(at, zone))
	}
	return at, nil
}

func (a *app) resumeCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "resume [TENANT[/MODULE]]", Short: "End a pause", Args: targetArgs(&all),
		Long: "End a pause: that of a module, of a tenant, or with --all that of everything. Each is ended as it was set: what is\n" +
			"paused as a part or as a whole of it stays so, and is told. What was missed is made up for once.",
		Example: "  tallyman resume acme/rhipe\n  tallyman resume --all",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			return a.resume(ctx, s, cmp.Or(argument(args), everything))
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "the pause of all modules of all tenants")
	return cmd
}

// resume ends a pause. What is paused may be in the configuration no more.
func (a *app) resume(ctx context.Context, s *store.Store, target string) error {
	list, err := readPauses(ctx, s)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(p pausedOn) bool { return p.On == target })
	if i < 0 {
		return a.notPaused(target, list)
	}
	ended := list[i]
	var tenantID, moduleID int64
	if ended.TenantID != nil {
		tenantID = *ended.TenantID
	}
	if ended.ModuleID != nil {
		moduleID = *ended.ModuleID
	}
	if _, err := s.EndPause(ctx, tenantID, moduleID); err != nil {
		return err
	}
	said := []string{target + " is resumed; what was missed is made up for once."}
	for _, p := range slices.Delete(list, i, i+1) {
		related := p.On == everything || target == everything
		if related || strings.HasPrefix(p.On+"/", target+"/") || strings.HasPrefix(target, p.On+"/") {
			said = append(said, fmt.Sprintf("%s is still paused %s.", p.On, p.text(nil)))
		}
	}
	return a.done("%s", strings.Join(said, " "))
}

// notPaused says why there is no such pause to end.
func (a *app) notPaused(target string, list pauses) error {
	if target == everything {
		return &store.ConflictError{Message: "not everything is paused", Next: "See \"tallyman status\" for what is."}
	}
	if _, err := a.zoneOf(target); err != nil {
		return err
	}
	if p := list.of(target); p != nil {
		return &store.ConflictError{
			Message: fmt.Sprintf("%s is not paused by itself: %s is, %s", target, p.On, p.text(nil)),
			Next:    fmt.Sprintf("End that with %q.", p.resume()),
		}
	}
	return &store.ConflictError{Message: target + " is not paused", Next: "See \"tallyman status\" for what is."}
}
