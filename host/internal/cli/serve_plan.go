// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/schedule"
	"github.com/tallymanhq/tallyman/host/internal/store"
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
	since    time.Time
}

// take makes the configuration of a the one that counts.
func (v *server) take(ctx context.Context, a *app) error {
	modules, schedules, err := v.modules(ctx, a)
	if err != nil {
		return err
	}
	serve := a.config.Serve
	plan := schedule.Plan{
		Policy: schedule.Policy{Wait: serve.RetryWait, Repeats: serve.Retries, Refusals: serve.MaxRefused},
		Limit:  serve.MaxRuns, Drain: serve.Drain,
	}
	for i, m := range modules {
		plan.Entries = append(plan.Entries, schedule.Entry{
			Name: m.module.String(), Schedule: schedules[i], Past: m.past, Run: m.run,
		})
		v.log.Debug("scheduled", "module", m.module.String(), "schedule", schedules[i].String(), "next", schedules[i].Next(time.Now()))
	}
	if len(modules) == 0 {
		v.log.Warn("no module has a schedule, so nothing is run", "hint", "Write schedule { daily_at = \"02:15\" } into a module's block.")
	} else {
		v.log.Info("serving", "scheduled_modules", len(modules), "runs_at_once", serve.MaxRuns)
	}
	v.current = a
	v.loop.Set(plan)
	return nil
}

// modules gives the modules with a schedule, and keeps the schedules in the database.
func (v *server) modules(ctx context.Context, a *app) ([]*planned, []*schedule.Schedule, error) {
	var modules []*planned
	var schedules []*schedule.Schedule
	var rows []store.Schedule
	for _, t := range a.config.Tenants {
		for _, m := range t.Modules {
			when, err := t.When(m)
			if err != nil {
				return nil, nil, err
			}
			if when == nil {
				continue
			}
			tenant, err := v.store.EnsureTenant(ctx, t.Name, t.DisplayName)
			if err != nil {
				return nil, nil, err
			}
			module, err := v.store.EnsureModule(ctx, tenant.ID, m.Name, m.Plugin)
			if err != nil {
				return nil, nil, err
			}
			p := &planned{app: a, store: v.store, module: moduleOf(t, m), id: module.ID, entities: entitiesOf(m.Schedule.Sync)}
			modules, schedules = append(modules, p), append(schedules, when)
			rows = append(rows, store.Schedule{
				ModuleID: module.ID, TenantID: tenant.ID, Spec: when.String() + ", " + p.entities.String(),
			})
		}
	}
	kept, err := v.store.KeepSchedules(ctx, rows)
	for _, p := range modules {
		p.since = kept[p.id].Since
	}
	return modules, schedules, err
}

func entitiesOf(names []string) integrator.Entities {
	return integrator.Entities{
		Customers:     slices.Contains(names, config.EntityCustomers),
		Subscriptions: slices.Contains(names, config.EntitySubscriptions),
	}
}

// past tells what the database knows of the module's runs.
func (p *planned) past(ctx context.Context) (schedule.Past, error) {
	past := schedule.Past{Since: p.since}
	runs, err := p.store.LastSyncs(ctx, p.id, p.entities.String(), lastRuns)
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

// run makes one run and tells the log how it ended.
func (p *planned) run(ctx context.Context) error {
	report, err := p.integrator(p.store).Run(ctx, integrator.Request{
		Module: p.module, Mode: integrator.Sync, Entities: p.entities, Trigger: scheduled, Who: "tallyman serve",
	})
	var held *store.LeaseHeldError
	log := p.log().With("module", p.module.String())
	switch {
	case report != nil:
		log = log.With("run", report.Run, "outcome", string(report.Outcome), "changes", report.Counts[integrator.CountApplied],
			"took", report.Duration.Round(time.Millisecond).String())
	case errors.As(err, &held):
		return &schedule.Busy{Until: held.Lease.ExpiresAt, By: held.Lease.Holder}
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
