// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// runOptions is what a run is asked to do, for every module it is about.
type runOptions struct {
	mode     integrator.Mode
	entities integrator.Entities
	customer string
	override []string
	approve  int64
	trigger  string
	// move makes each run one that carries over from another module.
	move *integrator.MoveFrom
	// named: errors name their modules, since there are several.
	named bool
	// emit takes what a run prints in JSON.
	emit func(any)
}

// runFlags are the flags of plan and sync.
type runFlags struct {
	entities []string
	customer string
	override []string
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.entities, "only", nil, "only customers, or only subscriptions")
	cmd.Flags().StringVar(&f.customer, "customer", "", "only this customer, by id or exact name")
	cmd.Flags().StringSliceVar(&f.override, "override", nil,
		"let this guard pass for this run: "+strings.Join(reconcile.GuardNames, ", "))
}

func (f *runFlags) options(mode integrator.Mode) (runOptions, error) {
	o := runOptions{mode: mode, customer: f.customer, override: f.override, entities: integrator.Entities{Customers: true, Subscriptions: true}}
	if len(f.entities) > 0 {
		o.entities = integrator.Entities{}
	}
	for _, entity := range f.entities {
		switch entity {
		case "customers":
			o.entities.Customers = true
		case "subscriptions":
			o.entities.Subscriptions = true
		default:
			return o, usagef("--only takes customers or subscriptions, not %q", entity)
		}
	}
	for _, guard := range f.override {
		if !slices.Contains(reconcile.GuardNames, guard) {
			return o, usagef("there is no guard %q; the guards are %s", guard, strings.Join(reconcile.GuardNames, ", "))
		}
	}
	return o, nil
}

func (a *app) planCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "plan TENANT[/MODULE]", Short: "Show what sync would change, and change nothing", Args: cobra.ExactArgs(1),
		Long: "Show what sync would change, and change nothing. Exit code 4 means that changes are pending.\n" +
			"With --json a module's run is an object, a tenant's runs are {\"runs\": [...]}.",
		Example: "  tallyman plan acme/rhipe\n  tallyman plan acme/rhipe --customer \"Contoso Pty Ltd\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(integrator.Plan)
			if err != nil {
				return err
			}
			return a.runModules(cmd.Context(), args[0], o)
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) syncCommand() *cobra.Command {
	var f runFlags
	var all allFlags
	var queue bool
	cmd := &cobra.Command{
		Use: "sync [TENANT[/MODULE]]", Args: targetArgs(&all.all),
		Short: "Import customers and subscriptions and keep them right",
		Long: "Import customers and subscriptions and keep them right.\n\n" +
			"Exit codes: 0 done, also with warnings; 1 failed; 2 wrong usage or configuration; 3 the distributor\n" +
			"cannot be reached; 4 something is held and waits for you. --json tells the outcome of each run:\n" +
			"a module's run is an object, those of a tenant or of --all are {\"runs\": [...]}.\n\n" +
			"--all is the form for cron and timers: every enabled module of every tenant, a few tenants at a time,\n" +
			"a line for each module. One that fails leaves the others untouched; the exit code is that of the worst.\n" +
			"configs/systemd has a service and a timer for it. What is paused is left out.\n\n" +
			"--queue runs nothing here: the next free \"tallyman serve\" on any host does, within a few seconds, and records\n" +
			"who asked for it.",
		Example: "  tallyman sync acme/rhipe\n  tallyman sync acme --only subscriptions\n" +
			"  tallyman sync acme/rhipe --override deactivations\n  tallyman sync --all\n" +
			"  tallyman sync acme/rhipe --queue",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(integrator.Sync)
			if err != nil {
				return err
			}
			if err := all.check(cmd, o); err != nil {
				return err
			}
			if queue {
				if err := checkQueue(cmd, o); err != nil {
					return err
				}
				modules, err := a.meantToRun(argument(args))
				if err != nil {
					return err
				}
				return a.queue(cmd.Context(), modules, o)
			}
			if all.all {
				return a.syncAll(cmd.Context(), o, all.atOnce)
			}
			return a.runModules(cmd.Context(), args[0], o)
		},
	}
	f.add(cmd)
	all.add(cmd)
	cmd.Flags().BoolVar(&queue, "queue", false, "let the next free \"tallyman serve\" run it, on any host")
	return cmd
}

// runModules makes one run for each module that the target means. A module that fails leaves the others untouched.
func (a *app) runModules(ctx context.Context, target string, o runOptions) error {
	modules, err := a.modules(target)
	if err != nil {
		return err
	}
	s, err := a.openStore(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // everything was written or rolled back
	if o.mode == integrator.Sync {
		if err := a.warnPaused(ctx, s, modules); err != nil {
			return err
		}
	}
	worst := exitDone
	var failures []error
	o.emit = func(v any) { _ = a.printJSON(v) }
	if a.json && !strings.Contains(target, "/") {
		// One document, however many modules the tenant has.
		runs := []any{}
		o.emit = func(v any) { runs = append(runs, v) }
		defer func() { _ = a.printJSON(map[string]any{"runs": runs}) }()
	}
	o.named = len(modules) > 1
	for _, module := range modules {
		code, err := a.runModule(ctx, s, module, o)
		worst = worse(worst, code)
		if err != nil {
			failures = append(failures, err)
		}
		if o.mode == integrator.Sync {
			a.tell(ctx, s, module.String())
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(failures) == 0 && worst == exitDone {
		return nil
	}
	return shownError{errors.Join(append(failures, errors.New("not everything is as it should be"))...), worst}
}

// warnPaused says which of the modules are paused. A person who asks for their run gets it all the same.
func (a *app) warnPaused(ctx context.Context, s *store.Store, modules []integrator.Module) error {
	paused, err := readPauses(ctx, s)
	for _, m := range modules {
		if p := paused.of(m.String()); p != nil {
			zone, _ := a.zoneOf(m.String())
			a.say("Warning: ", fmt.Sprintf("%s is paused %s. It is run, since you ask for it.", m, p.text(zone)))
		}
	}
	return err
}

// worse gives the exit code that says more.
func worse(a, b int) int {
	rank := []int{exitDone, exitPending, exitUnreachable, exitUsage, exitFailed}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// runModule makes one run and shows what it came to.
func (a *app) runModule(ctx context.Context, s *store.Store, module integrator.Module, o runOptions) (int, error) {
	show := newProgress(a)
	req := integrator.Request{
		Module: module, Mode: o.mode, Entities: o.entities, Trigger: o.trigger, Who: a.who(), Approve: o.approve, Move: o.move,
		Progress: show.update,
	}
	req.Module.Limits.Overridden = map[string]bool{}
	for _, guard := range o.override {
		req.Module.Limits.Overridden[guard] = true
	}
	if o.customer != "" {
		id, err := a.customerOf(ctx, s, module, o.customer)
		if err != nil {
			return exitCode(err), a.shown(o.of(module, err))
		}
		req.Customers = []int64{id}
	}
	planned := &plannedChanges{app: a, keep: o.mode == integrator.Plan, list: []integrator.Change{}}
	if planned.keep {
		req.Planned = planned.add
	}
	report, err := a.integrator(s).Run(ctx, req)
	show.done()
	if report == nil {
		return exitCode(err), a.shown(o.of(module, err))
	}
	planned.print(ctx, s)
	switch {
	case !a.json:
		a.printReport(report)
	case o.mode == integrator.Plan:
		o.emit(map[string]any{"report": report, "changes": planned.list})
	default:
		o.emit(report)
	}
	switch {
	case err != nil:
		return max(exitCode(err), exitFailed), a.shown(o.of(module, err))
	case o.mode == integrator.Plan && len(planned.list)+planned.left > 0, report.Outcome == integrator.Held:
		return exitPending, nil
	default:
		return exitDone, nil
	}
}

// of names the module that an error is of, where a command runs several.
func (o *runOptions) of(module integrator.Module, err error) error {
	if !o.named {
		return err
	}
	return moduleError{err, module.String()}
}

// moduleError is an error of one module of several.
type moduleError struct {
	error
	module string
}

func (e moduleError) Unwrap() error { return e.error }

// shown shows an error now and keeps it for the exit code.
func (a *app) shown(err error) error {
	showError(a.errOut, err, a.json)
	return err
}

func (a *app) customerOf(ctx context.Context, s *store.Store, module integrator.Module, name string) (int64, error) {
	tenant, err := s.FindTenant(ctx, module.Tenant)
	if err != nil {
		return 0, err
	}
	c, err := findCustomer(ctx, s, tenant.ID, name)
	return c.ID, err
}

// maxPlanned is how many changes a plan shows on a terminal; JSON has them all.
const maxPlanned = 500

// plannedChanges collects the changes of a plan for printing.
type plannedChanges struct {
	app  *app
	keep bool
	list []integrator.Change
	left int
}

func (p *plannedChanges) add(c integrator.Change) {
	if p.app.json || len(p.list) < maxPlanned {
		p.list = append(p.list, c)
	} else {
		p.left++
	}
}

func (p *plannedChanges) print(ctx context.Context, s *store.Store) {
	if !p.keep || p.app.json || len(p.list) == 0 {
		return
	}
	var shown []shownChange
	for _, c := range p.list {
		shown = append(shown, plannedChange(c))
	}
	// A plan without the names is still the plan.
	_ = nameCustomers(ctx, s, shown)
	printChanges(p.app.out, shown, false)
	more(p.app.out, p.left, "changes; --json has them all")
}

// holder names this process in leases.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}
