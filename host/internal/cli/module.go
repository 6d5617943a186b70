// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
)

// tenantRow is a tenant as it is listed.
type tenantRow struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	TimeZone    string `json:"time_zone"`
	Modules     int    `json:"modules"`
}

func (a *app) tenantCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tenant", Short: "The tenants in the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List tenants", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			var rows []tenantRow
			for _, t := range c.Tenants {
				rows = append(rows, tenantRow{t.Name, t.DisplayName, t.TimeZone, len(t.Modules)})
			}
			g := &grid{columns: []string{"Tenant", "Name", "Time zone", "Modules"}}
			return list(a, rows, g, func(r tenantRow) { g.add(r.Name, r.DisplayName, r.TimeZone, r.Modules) },
				"No tenants in the configuration.")
		},
	})
	return cmd
}

func (a *app) moduleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "The distributors enabled for tenants"}
	cmd.AddCommand(a.moduleList(), a.moduleSwitch("enable", true), a.moduleSwitch("disable", false))
	return cmd
}

// moduleSwitch makes the commands that turn a module on and off in the configuration file.
func (a *app) moduleSwitch(verb string, on bool) *cobra.Command {
	var plugin string
	cmd := &cobra.Command{
		Use: verb + " TENANT MODULE", Args: cobra.ExactArgs(2),
		Short: "Write into the configuration file that a module is " + verb + "d; comments are kept",
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := config.Find(a.configPaths)
			if err != nil {
				return usageError{err}
			}
			file, changed, err := config.SwitchModule(files, args[0], args[1], plugin, on)
			if err != nil {
				return usageError{err}
			}
			if !changed {
				return a.done("%s/%s is %sd already.", args[0], args[1], verb)
			}
			if on {
				return a.done("%s/%s is enabled in %s. Fill in its settings there, then run \"tallyman test %s/%s\".",
					args[0], args[1], file, args[0], args[1])
			}
			return a.done("%s/%s is disabled in %s.", args[0], args[1], file)
		},
	}
	if on {
		cmd.Flags().StringVar(&plugin, "plugin", "", "the plugin, where it is not called like the module")
	}
	return cmd
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The configuration"}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "Check the configuration and show every problem with its place", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			modules := 0
			for _, t := range c.Tenants {
				modules += len(t.Modules)
			}
			return a.done("The configuration is in order: %s, %s.", plural(len(c.Tenants), "tenant"), plural(modules, "module"))
		},
	})
	return cmd
}
