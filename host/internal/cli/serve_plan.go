// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/schedule"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/telemetry"
)

const (
	// scheduled is the trigger of runs that the schedule asks for.
	scheduled = "schedule"
	// lastRuns is how many runs of a module are looked at to tell what follows.
	lastRuns = 24
	// refused is the error code of a run whose credentials were refused, abandoned that of one whose program died.
	refused   = "distributor.auth"
	abandoned = "run.abandoned"
)

// planned is a module that is run by itself, by one reading of the configuration.
type planned struct {
	*app
	store    *store.Store
	module   integrator.Module
	entities integrator.Entities
	id       int64
	// schedule is nil where the module is run when somebody asks for it only; it has been so since a time.
	schedule *schedule.Schedule
	since    time.Time
	policy   schedule.Policy
	// account names the distributor's account that the module uses, once that is known.
	account func() string
	metrics *telemetry.Metrics
	// end ends the program.
	end context.CancelCauseFunc
	// tell has people told of the module.
	tell func(module string)
}

// take makes the configuration of a the one that counts.
func (v *server) take(ctx context.Context, a *app) error {
	serve := a.config.Serve
	plan := schedule.Plan{
		Policy: policyOf(serve), Limit: serve.MaxRuns, PerDistributor: serve.MaxRunsPerDistributor, Drain: serve.Drain,
	}
	modules, err := v.modules(ctx, a, plan.Policy)
	if err != nil {
		return err
	}
	plan.Orders = v.orders(modules)
	scheduledModules := 0
	for _, m := range modules {
		plan.Entries = append(plan.Entries, schedule.Entry{
			Name: m.module.String(), Tenant: m.module.Tenant, Distributor: distributorOf(m.module.Plugin),
			Account: m.account, Schedule: m.schedule, Past: m.past, Run: m.run,
		})
		if m.schedule != nil {
			scheduledModules++
			v.log.Debug("scheduled", "module", m.module.String(), "schedule", m.schedule.String(), "next", m.schedule.Next(time.Now()))
		}
	}
	if scheduledModules == 0 {
		v.log.Warn("no module has a schedule, so nothing is run but what is asked for with \"tallyman sync --queue\"",
			"hint", "Write schedule { daily_at = \"02:15\" } into a module's block.")
	} else {
		v.log.Info("serving", "scheduled_modules", scheduledModules, "runs_at_once", serve.MaxRuns)
	}
	v.current = a
	v.metrics.Serves(watchedModules(a.config), watchedWords)
	v.loop.Set(plan)
	for _, warning := range a.config.Notifications.ChannelWarnings() {
		v.log.Warn("a channel cannot be used; its messages wait", "problem", warning.String())
	}
	v.telling.take(a.teller(v.store))
	return nil
}

// policyOf gives what follows a failure.
func policyOf(serve config.Serve) schedule.Policy {
	return schedule.Policy{Wait: serve.RetryWait, Repeats: serve.Retries, Refusals: serve.MaxRefused}
}

// modules gives the enabled modules, and keeps their schedules in the database.
func (v *server) modules(ctx context.Context, a *app, policy schedule.Policy) ([]*planned, error) {
	var modules []*planned
	var rows []store.Schedule
	for _, t := range a.config.Tenants {
		for _, m := range t.Modules {
			if !m.On() {
				continue
			}
			when, err := t.When(m)
			if err != nil {
				return nil, err
			}
			tenant, err := v.store.EnsureTenant(ctx, t.Name, t.DisplayName)
			if err != nil {
				return nil, err
			}
			module, err := v.store.EnsureModule(ctx, tenant.ID, m.Name, m.Plugin)
			if err != nil {
				return nil, err
			}
			p := &planned{
				app: a, store: v.store, end: v.end, module: moduleOf(t, m), id: module.ID, entities: entitiesOf(m.Schedule.Sync), schedule: when, policy: policy,
				metrics: v.metrics, tell: v.telling.tell, account: func() string { return a.config.Account(m) },
			}
			modules = append(modules, p)
			if when != nil {
				rows = append(rows, store.Schedule{ModuleID: module.ID, TenantID: tenant.ID, Spec: specOf(when, p.entities)})
			}
		}
	}
	kept, err := v.store.KeepSchedules(ctx, rows)
	for _, p := range modules {
		p.since = kept[p.id].Since
	}
	return modules, err
}

// specOf gives a schedule in words, with what it syncs.
func specOf(when *schedule.Schedule, entities integrator.Entities) string {
	return when.String() + ", " + entities.String()
}

func entitiesOf(names []string) integrator.Entities {
	return integrator.Entities{
		Customers:     slices.Contains(names, config.EntityCustomers),
		Subscriptions: slices.Contains(names, config.EntitySubscriptions),
	}
}

// past tells what the database knows of the module's runs.
func (p *planned) past(ctx context.Context) (schedule.Past, error) {
	return pastOf(ctx, p.store, p.id, p.entities, p.since)
}

func pastOf(ctx context.Context, s *store.Store, moduleID int64, entities integrator.Entities, since time.Time) (schedule.Past, error) {
	past := schedule.Past{Since: since}
	runs, err := s.LastSyncs(ctx, moduleID, entities.String(), lastRuns)
	for _, run := range runs {
		r := schedule.Run{Started: run.StartedAt, ByHand: run.Trigger != scheduled}
		if run.FinishedAt != nil {
			r.Ended = *run.FinishedAt
		}
		switch {
		case run.ErrorCode == refused:
			r.Outcome = schedule.Refused
		case run.FinishedAt == nil || run.ErrorCode == abandoned:
			r.Outcome = schedule.Died
		case run.Outcome == string(integrator.Failed):
			r.Outcome = schedule.Failed
		}
		past.Runs = append(past.Runs, r)
	}
	return past, err
}

// accountBusy gives who uses the distributor's account now, if somebody does: a run would hold its place only to wait for them.
func (p *planned) accountBusy(ctx context.Context) error {
	first := p.account()
	if first == "" || first == p.module.String() {
		return nil // the lease is the module's own
	}
	tenant, name, _ := strings.Cut(first, "/")
	t, module, err := p.store.FindModule(ctx, tenant, name)
	if err != nil {
		return nil //nolint:nilerr // the run finds out
	}
	leases, err := p.store.Leases(ctx, t.ID)
	if err != nil {
		return nil //nolint:nilerr // the run finds out
	}
	for _, lease := range leases {
		if lease.ModuleID == module.ID {
			return &schedule.Busy{Until: lease.ExpiresAt, By: lease.Holder}
		}
	}
	return nil
}

// run makes one run and tells the log how it ended. The wish is nil unless somebody asked for it.
func (p *planned) run(ctx context.Context, wish *schedule.Wish) error {
	req := integrator.Request{
		Module: p.module, Mode: integrator.Sync, Entities: p.entities, Trigger: scheduled, Who: "tallyman serve", Confirm: p.confirm(wish != nil),
	}
	if wish != nil {
		req.Trigger, req.Who, req.Wish, req.Entities = queued, wish.Who, wish.ID, entitiesOf(strings.Split(wish.Entities, ","))
	}
	if busy := p.accountBusy(ctx); busy != nil {
		return busy
	}
	report, err := p.integrator(p.store).RunUnattended(ctx, req)
	if report != nil {
		p.tell(p.module.String())
	}
	if outdated(err) {
		p.end(err)
	}
	var held *store.LeaseHeldError
	log := p.log().With("module", p.module.String())
	switch {
	case report != nil:
		p.metrics.Ended(ended(p.module, report))
		log = log.With("run", report.Run, "outcome", string(report.Outcome), "changes", report.Counts[integrator.CountApplied],
			"took", report.Duration.Round(time.Millisecond).String())
	case errors.As(err, &held):
		return &schedule.Busy{Until: held.Lease.ExpiresAt, By: held.Lease.Holder}
	case errors.Is(err, schedule.ErrNotDue), errors.Is(err, store.ErrWishGone):
		return schedule.ErrNotDue
	default:
		problem := integrator.ProblemOf(err)
		log.Error("a run could not be made", "code", problem.Code, "error", problem.Message, "hint", problem.Hint)
		return err
	}
	switch report.Outcome {
	case integrator.NoChange, integrator.Succeeded:
		log.Info("run ended")
	case integrator.Warning:
		log.Warn("run ended with warnings", "warnings", len(report.Warnings)+report.WarningsLeft, "first", first(report.Warnings))
	case integrator.Held:
		log.Warn("run ended and holds changes for a person to decide about", "held", report.Counts[integrator.CountHeld])
	case integrator.Cancelled:
		log.Warn("run was cancelled")
	default:
		problem := integrator.ProblemOf(err)
		log.Error("run failed", "code", problem.Code, "error", problem.Message, "hint", problem.Hint)
	}
	return err
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
