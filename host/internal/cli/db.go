// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "db", Short: "The database, its schema and its backups",
		Long: "database.url names it: sqlite:path, a file that is made when it is first needed, or\n" +
			"postgres://user:password@host:5432/database, an empty database of PostgreSQL 13 or later whose owner that user is.\n" +
			"Any number of machines may share the latter. A database of an older tallyman is refused until it is migrated.",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "migrate", Short: "Bring the database's schema up to date", Args: cobra.NoArgs,
			RunE: a.withSchema(func(ctx context.Context, s *store.Store) error {
				applied, err := s.Migrate(ctx)
				if err != nil {
					return err
				}
				if len(applied) == 0 {
					return a.done("%s is up to date.", s.Path())
				}
				return a.done("%s: %s applied.", s.Path(), plural(len(applied), "migration"))
			}),
		},
		&cobra.Command{
			Use: "status", Short: "Show the migrations and which are pending", Args: cobra.NoArgs,
			RunE: a.withSchema(func(ctx context.Context, s *store.Store) error {
				rows, err := s.Status(ctx)
				if err != nil {
					return err
				}
				if !a.json {
					fmt.Fprintln(a.errOut, "Database "+s.Path())
				}
				g := &grid{columns: []string{"Version", "Name", "Applied"}}
				return list(a, rows, g, func(m store.Migration) {
					applied := "pending"
					if m.AppliedAt != nil {
						applied = when(*m.AppliedAt)
					}
					g.add(m.Version, m.Name, applied)
				}, "No migrations.")
			}),
		},
		a.dbBackup(), a.dbRestore(), a.dbCopy(), a.dbPrune(),
	)
	return cmd
}

// withSchema runs a command on a database whatever its schema.
func (a *app) withSchema(run func(context.Context, *store.Store) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		options, err := a.storeOptions()
		if err != nil {
			return err
		}
		options.ForMigration = true
		s, err := store.Open(cmd.Context(), options)
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // everything was written or rolled back
		return run(cmd.Context(), s)
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": a.version})
			}
			fmt.Fprintln(a.out, "tallyman "+a.version)
			return nil
		},
	}
}
