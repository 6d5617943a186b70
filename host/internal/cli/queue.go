// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// queued is the trigger of runs that a person asked for and a host makes.
const queued = "queue"

// queuedRow is what became of the wish for a run.
type queuedRow struct {
	Module string `json:"module"`
	// Paused is why nothing is queued.
	Paused *pausedOn `json:"paused,omitempty"`
	// Wish is the one that counts. Before: somebody asked for it already.
	Wish   *store.Wish `json:"wish,omitempty"`
	Before bool        `json:"before,omitempty"`
}

// checkQueue refuses flags that do not go with --queue.
func checkQueue(cmd *cobra.Command, o runOptions) error {
	switch {
	case o.customer != "":
		return usagef("--customer and --queue contradict each other; sync the customer here")
	case len(o.override) > 0:
		return usagef("--override and --queue contradict each other: a guard is let pass by somebody who sees what comes of it")
	case cmd.Flags().Changed("at-once"):
		return usagef("--at-once and --queue contradict each other; serve.max_runs says how many runs a host makes")
	default:
		return nil
	}
}

// queue records that these modules are to be run by whichever host is free, and says whether there is one.
func (a *app) queue(ctx context.Context, modules []integrator.Module, o runOptions) error {
	s, err := a.openStore(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // everything was written or rolled back
	paused, err := readPauses(ctx, s)
	if err != nil {
		return err
	}
	if p := paused.of(modules[0].String()); p != nil && len(modules) == 1 {
		return a.refuseQueue(modules[0].String(), p)
	}
	rows := make([]queuedRow, len(modules))
	for i, m := range modules {
		rows[i] = queuedRow{Module: m.String(), Paused: paused.of(m.String())}
		if rows[i].Paused == nil {
			if err := wish(ctx, s, m, o.entities, a.who(), &rows[i]); err != nil {
				return err
			}
		}
	}
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return err
	}
	if a.json {
		if hosts == nil {
			hosts = []store.Host{}
		}
		err = a.printJSON(map[string]any{"queued": rows, "hosts": hosts})
	} else {
		a.printQueued(rows)
	}
	a.warnNobodyServes(hosts, modules)
	return err
}

func (a *app) refuseQueue(module string, p *pausedOn) error {
	zone, _ := a.zoneOf(module)
	what := "it is paused"
	if p.On != module {
		what = p.On + " is paused"
	}
	return &store.ConflictError{
		Message: fmt.Sprintf("%s is not queued: %s %s", module, what, p.text(zone)),
		Next:    fmt.Sprintf("End the pause with %q, or run it here all the same with \"tallyman sync %s\".", p.resume(), module),
	}
}

// wish keeps the wish for a run of one module.
func wish(ctx context.Context, s *store.Store, m integrator.Module, entities integrator.Entities, who string, row *queuedRow) error {
	tenant, err := s.EnsureTenant(ctx, m.Tenant, m.TenantName)
	if err != nil {
		return err
	}
	module, err := s.EnsureModule(ctx, tenant.ID, m.Name, m.Plugin)
	if err != nil {
		return err
	}
	counts, added, err := s.AddWish(ctx, store.Wish{TenantID: tenant.ID, ModuleID: module.ID, Entities: entities.String(), Who: who})
	row.Wish, row.Before = &counts, !added
	return err
}

func (a *app) printQueued(rows []queuedRow) {
	for _, row := range rows {
		zone, _ := a.zoneOf(row.Module)
		switch {
		case row.Paused != nil:
			paragraph(a.out, "", fmt.Sprintf("%s is not queued, since it is paused %s.", row.Module, row.Paused.text(zone)))
		case row.Before:
			paragraph(a.out, "", fmt.Sprintf("%s is queued already, by %s since %s.", row.Module, row.Wish.Who, inZone(row.Wish.AskedAt, zone)))
		default:
			paragraph(a.out, "", row.Module+" is queued: the next free \"tallyman serve\" runs it.")
		}
	}
}

// warnNobodyServes says that no host will make the runs that are queued.
func (a *app) warnNobodyServes(hosts []store.Host, modules []integrator.Module) {
	now := time.Now()
	for _, h := range hosts {
		if h.Alive(now) {
			return
		}
	}
	what := "no \"tallyman serve\" is running on this database"
	if len(hosts) > 0 {
		what += fmt.Sprintf(" (%s was seen last at %s)", hosts[0].Name, when(hosts[0].SeenAt))
	}
	a.say("Warning: ", what+", so nothing is run until one is started.")
	instead := "tallyman sync " + modules[0].String()
	if len(modules) > 1 {
		instead = "tallyman sync --all"
		if all := func(m integrator.Module) bool { return m.Tenant == modules[0].Tenant }; all(modules[len(modules)-1]) {
			instead = "tallyman sync " + modules[0].Tenant
		}
	}
	a.say("  -> ", fmt.Sprintf("Start one, or run it here: %s", instead))
}

// meantToRun gives the enabled modules that a target means; all of all tenants if it is empty.
func (a *app) meantToRun(target string) ([]integrator.Module, error) {
	if target != "" {
		return a.modules(target)
	}
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	var list []integrator.Module
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if m.On() {
				list = append(list, moduleOf(t, m))
			}
		}
	}
	if len(list) == 0 {
		return nil, usagef("no module is enabled; see \"tallyman module list\"")
	}
	return list, nil
}
