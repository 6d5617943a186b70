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
		Long:    "Show what sync would change, and change nothing. Exit code 4 means that changes are pending.",
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
	cmd := &cobra.Command{
		Use: "sync TENANT[/MODULE]", Short: "Import customers and subscriptions and keep them right", Args: cobra.ExactArgs(1),
		Example: "  tallyman sync acme/rhipe\n  tallyman sync acme --only subscriptions\n  tallyman sync acme/rhipe --override deactivations",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(integrator.Sync)
			if err != nil {
				return err
			}
			return a.runModules(cmd.Context(), args[0], o)
		},
	}
	f.add(cmd)
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
	worst := exitDone
	var failures []error
	for _, module := range modules {
		code, err := a.runModule(ctx, s, module, o)
		worst = worse(worst, code)
		if err != nil {
			failures = append(failures, err)
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
		Module: module, Mode: o.mode, Entities: o.entities, Trigger: o.trigger, Who: a.who(), Approve: o.approve, Progress: show.update,
	}
	req.Module.Limits.Overridden = map[string]bool{}
	for _, guard := range o.override {
		req.Module.Limits.Overridden[guard] = true
	}
	if o.customer != "" {
		id, err := a.customerOf(ctx, s, module, o.customer)
		if err != nil {
			return exitCode(err), a.shown(err)
		}
		req.Customers = []int64{id}
	}
	planned := &plannedChanges{app: a, keep: o.mode == integrator.Plan}
	req.Planned = planned.add
	report, err := a.integrator(s).Run(ctx, req)
	show.done()
	if report == nil {
		return exitCode(err), a.shown(err)
	}
	planned.print(report)
	if err != nil && !a.json {
		fmt.Fprintf(a.out, "%s  run %d  %s: %s\n", report.Module, report.Run, report.Mode, outcomeText(report.Outcome, report.Mode))
		a.printDetails(report.Details)
		return max(exitCode(err), exitFailed), a.shown(err)
	}
	if a.json && o.mode == integrator.Plan {
		_ = a.printJSON(map[string]any{"report": report, "changes": planned.list})
	} else {
		a.printReport(report)
	}
	switch {
	case err != nil:
		return max(exitCode(err), exitFailed), a.shown(err)
	case o.mode == integrator.Plan && len(planned.list)+planned.left > 0:
		return exitPending, nil
	default:
		return exitDone, nil
	}
}

// shown shows an error now, with the module it belongs to, and keeps it for the exit code.
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
	switch {
	case !p.keep:
	case p.app.json || len(p.list) < maxPlanned:
		p.list = append(p.list, c)
	default:
		p.left++
	}
}

func (p *plannedChanges) print(*integrator.Report) {
	if !p.keep || p.app.json || len(p.list) == 0 {
		return
	}
	var shown []shownChange
	for _, c := range p.list {
		shown = append(shown, shownChange{
			entity: c.Entity, kind: c.Kind, customer: c.Customer, name: c.Name, guard: c.Guard, what: changeText(c.Kind, c.Before, c.After, c.Reason),
		})
	}
	printChanges(p.app.out, shown, false)
	more(p.app.out, p.left, "changes; --json has them all")
}

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "approve RUN", Short: "Apply what a run holds, as far as it is still true", Args: cobra.ExactArgs(1),
		Long: "Read the distributor again and apply what the run holds, as far as it is still true. What is no longer\ntrue is dropped, and anything new is guarded as always.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.approve(cmd.Context(), args[0])
		},
	}
}

func (a *app) approve(ctx context.Context, number string) error {
	id, err := runNumber(number)
	if err != nil {
		return err
	}
	s, err := a.openStore(ctx, true)
	if err != nil {
		return err
	}
	run, err := s.Run(ctx, id)
	if err == nil {
		var names map[int64]string
		names, err = moduleNames(ctx, s)
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			return a.runModules(ctx, names[run.ModuleID], runOptions{
				mode: integrator.Sync, approve: id, trigger: "approve",
				entities: integrator.Entities{
					Customers:     strings.Contains(run.Entities, "customers"),
					Subscriptions: strings.Contains(run.Entities, "subscriptions"),
				},
			})
		}
	}
	return errors.Join(err, s.Close())
}

func (a *app) rejectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reject RUN", Short: "Drop what a run holds", Args: cobra.ExactArgs(1),
		Long: "Drop what a run holds. A later run that still finds it true holds it again.",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			id, err := runNumber(args[0])
			if err != nil {
				return err
			}
			run, err := s.Run(ctx, id)
			if err != nil {
				return err
			}
			n, err := s.RejectHeld(ctx, run.TenantID, id, a.who())
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("run %d holds nothing (any more)", id)
			}
			return a.done("%s of run %d rejected.", plural(n, "held change"), id)
		}),
	}
}

// holder names this process in leases.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}
