// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// The states of a module, the worst first.
const (
	stateStopped  = "stopped"
	stateFailing  = "failing"
	stateStale    = "stale"
	stateHeld     = "held"
	stateNeverRun = "never run"
	stateWarning  = "warning"
	stateOK       = "ok"
	stateDisabled = "disabled"
)

// statusRow is how one module is doing.
type statusRow struct {
	Module string `json:"module"`
	// State is stopped, failing, stale, held, never run, warning, ok or disabled: the first of these that is true, but for
	// disabled. Stopped: the distributor refused the credentials so often that no host tries any more. Stale: what the module
	// syncs was not known to be right for longer than stale_after; one that is paused is not.
	State string `json:"state"`
	// NextRun is when "tallyman serve" runs it next, in the tenant's time zone; it may be over if no host is free. Nil: never,
	// as things are.
	NextRun *time.Time    `json:"next_run,omitempty"`
	Paused  *pausedOn     `json:"paused,omitempty"`
	Queued  *statusQueued `json:"queued,omitempty"`
	Running *statusHolder `json:"running,omitempty"`
	// LastRun is the newest sync of all customers that has ended; nil before the first.
	LastRun *statusRun `json:"last_run,omitempty"`
	// The last syncs whose reading was complete: up to when the picture is known to be right. Nil: never.
	Customers     *statusRun `json:"customers_complete,omitempty"`
	Subscriptions *statusRun `json:"subscriptions_complete,omitempty"`
	// Held is how many changes wait for a person.
	Held    int            `json:"held"`
	Failing *statusFailing `json:"failing,omitempty"`

	// staleSince is up to when the picture of a stale module is known to be right.
	staleSince time.Time
}

// statusHolder is who runs a module now.
type statusHolder struct {
	Holder string    `json:"holder"`
	Since  time.Time `json:"since"`
}

// statusQueued is who asked for a run, and when.
type statusQueued struct {
	Who   string    `json:"who"`
	Since time.Time `json:"since"`
}

// statusRun is a run as status speaks of it.
type statusRun struct {
	Run     int64     `json:"run"`
	Started time.Time `json:"started"`
	// Outcome is empty where it does not matter.
	Outcome string `json:"outcome,omitempty"`
}

// statusFailing is since when a module has been failing, and why.
type statusFailing struct {
	Since time.Time `json:"since"`
	Runs  int       `json:"runs"`
	// Run is the newest of them; Code and Message say why it failed.
	Run     int64  `json:"run"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (a *app) statusCommand() *cobra.Command {
	var problems bool
	cmd := &cobra.Command{
		Use: "status [TENANT[/MODULE]]", Short: "Show at a glance how every module is doing", Args: cobra.MaximumNArgs(1),
		Long: "Show at a glance how every module is doing: when it was last run, up to when its picture of customers and\n" +
			"of subscriptions is known to be right, what it holds, when it is run next (in the tenant's time zone), whether\n" +
			"it is paused or queued, since when it has been failing, and why. A module is stopped once the distributor has\n" +
			"refused its credentials again and again, and stale when its picture was not known to be right for longer than\n" +
			"notifications.stale_after. Channels that messages do not get through are told, too.\n\n" +
			"The picture is right as of the last sync that read everything, not as of the last one. Only syncs of all\n" +
			"customers count.",
		Example: "  tallyman status\n  tallyman status acme\n  tallyman status --problems",
		RunE: func(cmd *cobra.Command, args []string) error {
			board, err := a.statusBoard(cmd.Context(), argument(args))
			if err != nil {
				return err
			}
			all := len(board.rows)
			if problems {
				board.rows = slices.DeleteFunc(board.rows, func(r statusRow) bool { return !r.wrong() })
			}
			return a.printStatus(board, all)
		},
	}
	cmd.Flags().BoolVar(&problems, "problems", false, "only modules that are stopped, fail, are stale, hold something, have warnings or were never run")
	return cmd
}

// statusBoard gives the modules of the configuration with what the database knows of them, if there is one yet.
func (a *app) statusBoard(ctx context.Context, target string) (*statusBoard, error) {
	modules, err := a.meantModules(target)
	if err != nil {
		return nil, err
	}
	board := &statusBoard{app: a, modules: modules, now: time.Now(), rows: make([]statusRow, len(modules))}
	known := map[string]store.Standing{}
	s, err := a.openStore(ctx, true)
	var missing *store.Error
	switch {
	case errors.As(err, &missing) && missing.Kind == store.KindMissing:
	case err != nil:
		return nil, err
	default:
		defer s.Close() //nolint:errcheck // it was only read
		if known, err = standings(ctx, s, modules); err != nil {
			return nil, err
		}
		if err := board.read(ctx, s); err != nil {
			return nil, err
		}
	}
	for i, m := range modules {
		board.rows[i] = statusOf(m, known[m.String()])
		if err := board.ahead(ctx, s, m, &board.rows[i]); err != nil {
			return nil, err
		}
		board.age(m, known[m.String()].Trustworthy, &board.rows[i])
	}
	return board, nil
}

// meantModules gives the modules of the configuration that a target means, disabled ones too; all if it is empty.
func (a *app) meantModules(target string) ([]*config.Module, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	if strings.Contains(target, "/") {
		_, m, err := a.findConfig(target)
		return []*config.Module{m}, err
	}
	if target != "" {
		if err := a.knownTenant(target); err != nil {
			return nil, err
		}
	}
	var list []*config.Module
	for _, t := range c.Tenants {
		if target == "" || target == t.Name {
			list = append(list, t.Modules...)
		}
	}
	return list, nil
}

// standings gives what the database knows, by the modules' names. If all are of one tenant, only its rows are read.
func standings(ctx context.Context, s *store.Store, modules []*config.Module) (map[string]store.Standing, error) {
	known := map[string]store.Standing{}
	if len(modules) == 0 {
		return known, nil
	}
	var tenantID int64
	if tenant := modules[0].Tenant; !slices.ContainsFunc(modules, func(m *config.Module) bool { return m.Tenant != tenant }) {
		t, err := s.FindTenant(ctx, tenant)
		if errors.Is(err, store.ErrNotFound) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		tenantID = t.ID
	}
	byID, err := s.Standings(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	names, err := moduleNames(ctx, s)
	for id, standing := range byID {
		known[names[id]] = standing
	}
	return known, err
}

func statusOf(m *config.Module, known store.Standing) statusRow {
	row := statusRow{Module: m.String(), Held: known.Held, State: stateOK}
	if known.Running != nil && !integrator.Lent(*known.Running) {
		row.Running = &statusHolder{known.Running.Holder, known.Running.AcquiredAt}
	}
	if known.Last != nil {
		row.LastRun = &statusRun{known.Last.ID, known.Last.StartedAt, known.Last.Outcome}
	}
	if known.Customers != nil {
		row.Customers = &statusRun{Run: known.CustomersRun, Started: *known.Customers}
	}
	if known.Subscriptions != nil {
		row.Subscriptions = &statusRun{Run: known.SubscriptionsRun, Started: *known.Subscriptions}
	}
	if f := known.Failing; f != nil {
		row.Failing = &statusFailing{f.Since, f.Runs, f.Last.ID, f.Last.ErrorCode, f.Last.Error}
	}
	switch {
	case !m.On():
		row.State = stateDisabled
	case row.Failing != nil:
		row.State = stateFailing
	case row.Held > 0:
		row.State = stateHeld
	case row.LastRun == nil:
		row.State = stateNeverRun
	case row.LastRun.Outcome == string(integrator.Warning) || row.Customers == nil && row.Subscriptions == nil:
		row.State = stateWarning
	}
	return row
}

// wrong reports whether somebody should look at the module.
func (r *statusRow) wrong() bool { return r.State != stateOK && r.State != stateDisabled }

// printStatus shows a table, and under it what is wrong. All is how many modules were looked at.
func (a *app) printStatus(board *statusBoard, all int) error {
	rows := board.rows
	g := &grid{columns: []string{"Module", "State", "Last run", "Customers as of", "Subscriptions as of", "Held", "Next run"}}
	_, tty := terminal(a.out)
	at := func(run *statusRun) string {
		switch {
		case run == nil:
			return "never"
		case tty:
			return run.Started.Local().Format("2006-01-02 15:04")
		default:
			return when(run.Started)
		}
	}
	empty := "No modules. Enable one with \"tallyman module enable TENANT/MODULE\"."
	if all > 0 {
		empty = fmt.Sprintf("Nothing is wrong with %s.", plural(all, "module"))
	}
	err := list(a, rows, g, func(r statusRow) {
		state := r.State
		if r.Running != nil {
			state += ", running"
		}
		if r.Paused != nil {
			state += ", paused"
		}
		g.add(r.Module, state, at(r.LastRun), at(r.Customers), at(r.Subscriptions), r.Held, r.next(board.now))
	}, empty)
	if err != nil || a.json {
		return err
	}
	var said []advice
	for _, r := range rows {
		said = append(said, r.explain(), board.explainPause(&r), r.explainQueue())
	}
	for _, c := range board.stuck {
		said = append(said, c.explain(a.config))
	}
	said = slices.DeleteFunc(append(said, board.explainHosts()), func(d advice) bool { return d.what == "" })
	for i, d := range said {
		if i == 0 {
			fmt.Fprintln(a.out)
		}
		paragraph(a.out, "", d.what)
		if d.next != "" {
			paragraph(a.out, "  -> ", d.next)
		}
	}
	return nil
}

// advice is what is worth knowing about a module, and what to do about it; nothing if what is empty.
type advice struct{ what, next string }

// explain says what is wrong with a module and what to do; nothing if nothing is.
func (r *statusRow) explain() advice {
	switch r.State {
	case stateStopped, stateFailing:
		return r.explainFailing()
	case stateStale:
		return r.explainStale()
	case stateHeld:
		return advice{
			r.Module + " holds " + plural(r.Held, "change") + " until you decide",
			fmt.Sprintf("See \"tallyman runs list %s --waiting\".", r.Module),
		}
	case stateNeverRun:
		return advice{r.Module + " was never run", fmt.Sprintf("See what a first sync would do with \"tallyman plan %s\".", r.Module)}
	case stateWarning:
		what := " has warnings"
		if r.LastRun.Outcome != string(integrator.Warning) {
			what = " was never read completely"
		}
		return advice{r.Module + what, fmt.Sprintf("See \"tallyman runs show %d\".", r.LastRun.Run)}
	default:
		return advice{}
	}
}

// explainFailing says since when and why a module has been failing, and whether that has stopped it.
func (r *statusRow) explainFailing() advice {
	why := cmp.Or(r.Failing.Message, "no reason was recorded")
	if r.Failing.Code != "" && r.Failing.Code != "run.failed" {
		why = r.Failing.Code + ": " + why
	}
	since := fmt.Sprintf("has been failing since %s (%s)", when(r.Failing.Since), plural(r.Failing.Runs, "run"))
	if r.State == stateStopped {
		return advice{
			fmt.Sprintf("%s is STOPPED: it %s, and no host tries any more, lest the account be locked: %s", r.Module, since, why),
			fmt.Sprintf("Renew the credentials, then run \"tallyman sync %s\": once that works, the schedule goes on.", r.Module),
		}
	}
	return advice{
		fmt.Sprintf("%s %s: %s", r.Module, since, why),
		fmt.Sprintf("See \"tallyman runs show %d\", and try the connection with \"tallyman test %s\".", r.Failing.Run, r.Module),
	}
}
