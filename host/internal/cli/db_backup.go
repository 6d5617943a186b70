// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) dbBackup() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write the database, as it is at one instant, to a file", Args: cobra.ExactArgs(1),
		Long: "Write the database, as it is at one instant, to a file that only you may read. Runs may be under way\n" +
			"meanwhile, and go on. The file appears whole or not at all.\n\n" +
			"Keep the configuration, its secrets and tallyman.lock, too; they are not in the database.",
		Example: "  tallyman db backup /backups/tallyman-$(date +%F).db",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withDatabase(true, func(ctx context.Context, s *store.Store, args []string) error {
				size, err := s.Backup(ctx, args[0], force)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"database": s.Path(), "file": args[0], "bytes": size})
				}
				return a.done("%s is backed up in %s (%s).", s.Path(), args[0], bytesText(size))
			})(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}

func (a *app) dbRestore() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make the database what it was when a file was written by \"db backup\"", Args: cobra.ExactArgs(1),
		Long: "Make the database what it was when a file was written by \"tallyman db backup\". What was written since is\n" +
			"lost, and the ids that were given out since are given out again.\n\n" +
			"It is refused while anybody runs a module, and replaces a database only with --force: back that up first.\n" +
			"A database too damaged to be read is moved aside. The next sync reads what changed since the backup.",
		Example: "  tallyman db restore /backups/tallyman-2026-03-01.db --force",
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := a.storeOptions()
			if err != nil {
				return err
			}
			pending, aside, err := store.Restore(cmd.Context(), options, args[0], force)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"file": args[0], "pending_migrations": pending, "moved_aside": aside})
			}
			text := args[0] + " is restored."
			if aside != "" {
				text += " The damaged database is now " + aside + "."
			}
			if pending > 0 {
				text += fmt.Sprintf(" It is from an older version: run \"tallyman db migrate\" (%s).", plural(pending, "migration"))
			}
			return a.done("%s", text)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the database that is there")
	return cmd
}

// bytesText gives a size as people read it.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
}
