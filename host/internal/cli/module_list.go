// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// moduleRow is a module as it is listed.
type moduleRow struct {
	Module  string `json:"module"`
	Plugin  string `json:"plugin"`
	Enabled bool   `json:"enabled"`
	// LastRun and LastOutcome are nil and empty before the first run.
	LastRun     *time.Time `json:"last_run,omitempty"`
	LastOutcome string     `json:"last_outcome,omitempty"`
	// The times up to which the picture is known to be right: the last complete readings, not the last ones.
	CustomersComplete     *time.Time `json:"customers_complete,omitempty"`
	SubscriptionsComplete *time.Time `json:"subscriptions_complete,omitempty"`
}

func (a *app) moduleList() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use: "list", Short: "List modules, how their last runs ended and when all was last read completely", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := a.moduleRows(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"Module", "Enabled", "Last run", "Outcome", "Customers complete", "Subscriptions complete"}}
			return list(a, rows, g, func(r moduleRow) {
				enabled := "yes"
				if !r.Enabled {
					enabled = "no"
				}
				g.add(r.Module, enabled, r.LastRun, r.LastOutcome, r.CustomersComplete, r.SubscriptionsComplete)
			}, "No modules. Enable one with \"tallyman module enable TENANT/MODULE\".")
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	return cmd
}

// moduleRows gives the modules of the configuration with what the database knows of them, if there is one yet.
func (a *app) moduleRows(ctx context.Context, tenant string) ([]moduleRow, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	s, err := a.openStore(ctx, true)
	var missing *store.Error
	switch {
	case errors.As(err, &missing) && missing.Kind == store.KindMissing:
	case err != nil:
		return nil, err
	default:
		defer s.Close() //nolint:errcheck // it was only read
	}
	var rows []moduleRow
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if tenant != "" && tenant != t.Name {
				continue
			}
			row := moduleRow{Module: t.Name + "/" + m.Name, Plugin: m.Plugin, Enabled: m.On()}
			if s != nil {
				if err := row.know(ctx, s, t.Name, m.Name); err != nil {
					return nil, err
				}
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// know adds what the database knows. A module that was never run is not in it.
func (r *moduleRow) know(ctx context.Context, s *store.Store, tenant, name string) error {
	_, module, err := s.FindModule(ctx, tenant, name)
	var none *store.NotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return err
	}
	runs, err := s.Runs(ctx, store.RunFilter{ModuleID: module.ID, Limit: 1})
	if err != nil {
		return err
	}
	for _, run := range runs {
		r.LastRun, r.LastOutcome = &run.StartedAt, orRunning(run.Outcome)
	}
	known, err := s.LastTrustworthy(ctx, module.ID)
	r.CustomersComplete, r.SubscriptionsComplete = known.Customers, known.Subscriptions
	return err
}
