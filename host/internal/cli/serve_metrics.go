// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/telemetry"
)

// changeCounts are the counts of a report that count changes made. What is in none of them is otherChanges.
var changeCounts = []string{
	integrator.CountCustomersCreated, integrator.CountCustomersMapped, integrator.CountAddressesUpdated,
	integrator.CountCreated, integrator.CountUpdated, integrator.CountMoved, integrator.CountDeactivated, integrator.CountReactivated,
}

const otherChanges = "other"

// watchedWords are the words that metrics use beside names of the configuration.
var watchedWords = telemetry.Words{
	Outcomes: []string{
		string(integrator.NoChange), string(integrator.Succeeded), string(integrator.Warning),
		string(integrator.Held), string(integrator.Failed), string(integrator.Cancelled),
	},
	Records: []string{config.EntityCustomers, config.EntitySubscriptions},
	Changes: append([]string{otherChanges}, changeCounts...),
}

// measure begins to measure what the server does.
func (v *server) measure() (*telemetry.Metrics, error) {
	return telemetry.NewMetrics(telemetry.Sources{
		Version: v.asked.version, Log: v.log,
		Standings: func(ctx context.Context) ([]telemetry.Standing, error) { return standingsOf(ctx, v.store) },
		Host: func() telemetry.Host {
			g := v.loop.Glance()
			return telemetry.Host{
				Looked: g.Looked, Due: g.Due, Oldest: g.Oldest, UnderWay: g.Running, Limit: g.Limit, Next: g.Next,
				Stopped: g.Stopped, Paused: g.Paused,
			}
		},
	})
}

// standingsOf reads how the modules are doing.
func standingsOf(ctx context.Context, s *store.Store) ([]telemetry.Standing, error) {
	if err := s.Answers(ctx); err != nil {
		return nil, err
	}
	glances, err := s.Glances(ctx)
	list := make([]telemetry.Standing, len(glances))
	for i, g := range glances {
		list[i] = telemetry.Standing{
			Tenant: g.Tenant, Name: g.Module, Failures: g.Failures, Held: g.Held, LastRun: orZero(g.Started), Scheduled: orZero(g.Scheduled),
			Complete: map[string]time.Time{
				config.EntityCustomers: orZero(g.Customers), config.EntitySubscriptions: orZero(g.Subscriptions),
			},
		}
		if g.Finished != nil {
			list[i].LastRunTook = g.Finished.Sub(list[i].LastRun)
		}
	}
	return list, err
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// watchedModules gives the modules that are on.
func watchedModules(c *config.Config) []telemetry.Module {
	var list []telemetry.Module
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if m.On() {
				watched := watchedModule(t.Name, m.Name, m.Plugin)
				watched.Kinds, watched.StaleAfter = m.Schedule.Sync, c.StaleAfter(m)
				list = append(list, watched)
			}
		}
	}
	return list
}

func watchedModule(tenant, name, plugin string) telemetry.Module {
	return telemetry.Module{Tenant: tenant, Name: name, Distributor: distributorOf(plugin)}
}

// ended gives a run as it is counted.
func ended(m integrator.Module, report *integrator.Report) telemetry.Run {
	changes := map[string]int{otherChanges: report.Counts[integrator.CountApplied]}
	for _, name := range changeCounts {
		n := report.Counts[name]
		changes[name] += n
		changes[otherChanges] -= n
	}
	return telemetry.Run{
		Module: watchedModule(m.Tenant, m.Name, m.Plugin), Outcome: string(report.Outcome), Took: report.Duration,
		Records: map[string]int{
			config.EntityCustomers:     report.Counts[integrator.CountCustomersListed],
			config.EntitySubscriptions: report.Counts[integrator.CountSubscriptionsListed],
		},
		Changes: changes, Requests: report.Requests, Answers: report.Answers, Crashed: report.Crashed,
	}
}
