// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "approve RUN", Short: "Apply what a run holds, as far as it is still true", Args: cobra.ExactArgs(1),
		Long: "Read the distributor again and apply what the run holds, as far as it is still true.\n" +
			"What is no longer true is dropped, and anything new is guarded as always.",
		Example: "  tallyman runs show 12\n  tallyman approve 12",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			run, err := heldRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			names, err := moduleNames(ctx, s)
			if err != nil {
				return err
			}
			return a.runModules(ctx, names[run.ModuleID], runOptions{
				mode: integrator.Sync, approve: run.ID, trigger: "approve",
				entities: integrator.Entities{
					Customers:     strings.Contains(run.Entities, "customers"),
					Subscriptions: strings.Contains(run.Entities, "subscriptions"),
				},
			})
		}),
	}
}

func (a *app) rejectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reject RUN", Short: "Drop what a run holds", Args: cobra.ExactArgs(1),
		Long: "Drop what a run holds. A later run that still finds it true holds it again.",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			run, err := heldRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			n, err := s.RejectHeld(ctx, run.TenantID, run.ID, a.who())
			if err != nil {
				return err
			}
			names, err := moduleNames(ctx, s)
			if err != nil {
				return err
			}
			a.tell(ctx, s, names[run.ModuleID])
			return a.done("%s of run %d rejected. The next sync holds them again if they are still true.", plural(n, "held change"), run.ID)
		}),
	}
}

// heldRun finds a run that holds something. If it holds nothing (any more), the error says what became of it and where
// to look now.
func heldRun(ctx context.Context, s *store.Store, number string) (store.Run, error) {
	id, err := runNumber(number)
	if err != nil {
		return store.Run{}, err
	}
	run, err := s.Run(ctx, id)
	if err != nil {
		return run, err
	}
	changes, err := s.Changes(ctx, store.ChangeFilter{RunID: id})
	if err != nil {
		return run, err
	}
	decided := map[string]int{}
	for _, c := range changes {
		if c.Status == store.ChangeHeld {
			return run, nil
		}
		if c.Guard != "" {
			decided[c.Status]++
		}
	}
	problem := &integrator.Problem{Code: "approve.nothing_held", Message: fmt.Sprintf("run %d holds nothing", id)}
	var parts []string
	for _, status := range sortedGuards(decided) {
		parts = append(parts, fmt.Sprintf("%d %s", decided[status], status))
	}
	if len(parts) > 0 {
		problem.Message += " any more: " + strings.Join(parts, ", ")
	}
	held, err := s.Changes(ctx, store.ChangeFilter{ModuleID: run.ModuleID, Status: store.ChangeHeld, Limit: 1})
	if err != nil {
		return run, err
	}
	if len(held) > 0 && held[0].RunID != nil {
		problem.Hint = fmt.Sprintf("Run %d holds something: see \"tallyman runs show %[1]d\".", *held[0].RunID)
	}
	return run, problem
}
