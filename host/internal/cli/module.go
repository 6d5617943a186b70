// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
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
	cmd.AddCommand(a.moduleList(), a.moduleSwitch("enable", true), a.moduleSwitch("disable", false), a.moduleMove())
	return cmd
}

// tenantAndModule takes acme/rhipe, or acme rhipe.
func tenantAndModule(cmd *cobra.Command, args []string) error {
	if len(args) == 2 && !strings.Contains(args[0], "/") {
		return nil
	}
	return cobra.ExactArgs(1)(cmd, args)
}

// warnUnknown says why a plugin's settings were not written into its module's block.
func (a *app) warnUnknown(plugin string, err error) {
	var missing *pluginhost.Error
	if errors.As(err, &missing) && missing.Code() == pluginhost.CodeNotFound {
		a.say("Warning: ", fmt.Sprintf("plugin %q is not installed in %s, so only the block was written.", plugin, a.config.Plugins.Directory))
		return
	}
	a.warnOf(fmt.Sprintf("the settings of plugin %q are not known, so only the block was written", plugin), err)
}

// moduleSwitch makes the commands that turn a module on and off in the configuration file.
func (a *app) moduleSwitch(verb string, on bool) *cobra.Command {
	var plugin string
	cmd := &cobra.Command{
		Use: verb + " TENANT/MODULE", Args: tenantAndModule,
		Short:   "Write into the configuration file that a module is " + verb + "d",
		Long:    "Write into the configuration file that a module is " + verb + "d. Comments are kept.",
		Example: "  tallyman module " + verb + " acme/rhipe\n  tallyman module " + verb + " acme rhipe",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := a.load(); err != nil {
				return err
			}
			tenant, module, err := splitModule(strings.Join(args, "/"))
			if err != nil {
				return err
			}
			files, err := config.Find(a.configPaths)
			if err != nil {
				return usageError{err}
			}
			change := config.Switch{Tenant: tenant, Module: module, Plugin: plugin, On: on}
			var unknown error
			if on {
				change.Fields, unknown = a.fields(cmd.Context(), cmp.Or(plugin, module))
			}
			result, err := config.SwitchModule(files, change)
			if err != nil {
				return usageError{err}
			}
			name := tenant + "/" + module
			switch {
			case !result.Changed:
				return a.done("%s is %sd already.", name, verb)
			case !on:
				return a.done("%s is disabled in %s.", name, result.File)
			case !result.Added:
				return a.done("%s is enabled in %s. Now run \"tallyman test %s\".", name, result.File, name)
			}
			if unknown != nil {
				a.warnUnknown(cmp.Or(plugin, module), unknown)
			}
			next := "Fill in its settings there"
			if len(result.Variables) > 0 {
				next += " and set " + strings.Join(result.Variables, ", ")
			}
			return a.done("%s is enabled in %s. %s, then run \"tallyman test %s\".", name, result.File, next, name)
		},
	}
	if on {
		cmd.Flags().StringVar(&plugin, "plugin", "", "the plugin, where it is not called like the module")
	}
	return cmd
}
