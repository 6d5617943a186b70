// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) dbPrune() *cobra.Command {
	return &cobra.Command{
		Use: "prune", Short: "Remove runs and changes that are older than the configuration keeps them", Args: cobra.NoArgs,
		Long: "Remove runs and changes that are older than the block \"retention\" of the configuration keeps them.\n\n" +
			"Each sync does that for its own module, as far as something has become old since the last; run this\n" +
			"after the block was changed. It works in small steps, between which runs go on, and can be ended at any\n" +
			"time. What is held, changes made by hand, and a module's last run and last trustworthy runs always stay.",
		Example: "  tallyman db prune\n  tallyman db prune --set retention.changes=800d",
		RunE:    a.withStore(a.prune),
	}
}

// prune goes through the modules of the database, those that are no longer in the configuration too.
func (a *app) prune(ctx context.Context, s *store.Store, _ []string) error {
	keep := a.config.Retention
	if keep.Runs == 0 && keep.Changes == 0 {
		return a.done("Nothing is removed: the block \"retention\" keeps all.")
	}
	modules, err := s.Modules(ctx, 0)
	if err != nil {
		return err
	}
	retention := a.integrator(s).Retention()
	var pruned store.Pruned
	for _, m := range modules {
		more, err := s.Prune(ctx, m.ID, retention, 0)
		pruned.Add(more)
		if err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(map[string]int{"changes": pruned.Changes, "runs": pruned.Runs})
	}
	return a.done("%s and %s removed. Kept are %s, and %s.", plural(pruned.Changes, "change"), plural(pruned.Runs, "run"),
		keptText("runs", keep.Runs), keptText("changes", keep.Changes))
}

// keptText says how long something is kept.
func keptText(what string, keep time.Duration) string {
	if keep == 0 {
		return "all " + what
	}
	return fmt.Sprintf("%s of the last %s", what, plural(int(keep/(24*time.Hour)), "day"))
}
