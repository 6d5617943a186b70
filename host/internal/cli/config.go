// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

// configFlags gives what the command line overrides.
func (a *app) configFlags() ([]config.Flag, error) {
	var flags []config.Flag
	if a.logLevel != "" {
		flags = append(flags, config.Flag{Name: "--log-level", Key: "log.level", Value: a.logLevel})
	}
	for _, text := range a.set {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("--set takes key=value, such as --set runs.timeout=30m")
		}
		flags = append(flags, config.Flag{Name: "--set", Key: strings.TrimSpace(key), Value: value})
	}
	return flags, nil
}

// fields asks a plugin which settings it takes. It needs none for that, and opens no connection.
func (a *app) fields(ctx context.Context, plugin string) (fields []config.Field, err error) {
	p, err := a.launch(ctx, pluginhost.Spec{Name: plugin, Run: "describe"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	return fieldsOf(p.Description()), nil
}

// schemas asks each plugin once.
type schemas struct {
	app    *app
	fields map[string][]config.Field
	errs   map[string]error
}

func (a *app) schemas() *schemas {
	return &schemas{a, map[string][]config.Field{}, map[string]error{}}
}

func (s *schemas) of(ctx context.Context, plugin string) ([]config.Field, error) {
	if _, asked := s.errs[plugin]; !asked {
		s.fields[plugin], s.errs[plugin] = s.app.fields(ctx, plugin)
	}
	return s.fields[plugin], s.errs[plugin]
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The configuration"}
	cmd.AddCommand(a.configCheck(), a.configShow())
	return cmd
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check [TENANT/MODULE …]", Short: "Check the configuration and show every problem with its place",
		Long: "Check the configuration and show every problem with its place.\n\n" +
			"The settings of plugins are checked too, as far as the plugins are installed and locked. What is missing in this\n" +
			"environment, such as a variable, is a warning. Of modules that are named it is an error, and the plugin looks at its\n" +
			"settings, too; it opens no connection for that.",
		Example: "  tallyman config check\n  tallyman config check acme/rhipe",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return a.checkModules(cmd.Context(), args)
			}
			schemas := a.schemas()
			told := map[string]bool{}
			modules, warnings := 0, len(c.Warnings)
			var errs []error
			for _, t := range c.Tenants {
				for _, m := range t.Modules {
					modules++
					fields, err := schemas.of(cmd.Context(), m.Plugin)
					if err != nil {
						if !told[m.Plugin] {
							told[m.Plugin] = true
							warnings++
							paragraph(a.errOut, "Warning: ", fmt.Sprintf("the settings of plugin %q are not checked: %v", m.Plugin, err))
						}
						continue
					}
					settings, err := c.CheckSettings(m, fields)
					warnings += a.warn(settings.Warnings)
					errs = append(errs, err)
				}
			}
			if err := config.Join(errs...); err != nil {
				return usageError{err}
			}
			verdict := "is in order"
			if warnings > 0 {
				verdict = "can be used, with " + plural(warnings, "warning")
			}
			return a.done("The configuration %s: %s, %s.", verdict, plural(len(c.Tenants), "tenant"), plural(modules, "module"))
		},
	}
}

// warn shows warnings and counts them.
func (a *app) warn(warnings []config.Problem) int {
	for _, w := range warnings {
		fmt.Fprintln(a.errOut, multiline(w.String()))
	}
	return len(warnings)
}

// checkModules lets the plugins of modules look at their settings.
func (a *app) checkModules(ctx context.Context, targets []string) error {
	var errs []error
	for _, target := range targets {
		_, m, err := a.findConfig(target)
		if err != nil {
			return err
		}
		fields, err := a.fields(ctx, m.Plugin)
		if err != nil {
			return err
		}
		settings, _ := a.config.CheckSettings(m, fields)
		if _, err := a.config.ResolveSettings(m, fields); err != nil {
			errs = append(errs, err)
			continue
		}
		a.warn(settings.Warnings)
		p, err := a.start(ctx, target, "check")
		if err == nil {
			err = p.Close(context.WithoutCancel(ctx))
		}
		errs = append(errs, err)
	}
	if err := config.Join(errs...); err != nil {
		return usageError{err}
	}
	return a.done("The settings of %s are in order.", strings.Join(targets, ", "))
}

func (a *app) configShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [TENANT | TENANT/MODULE]", Short: "Show every value in effect and where it comes from; secrets as ***",
		Long: "Show every value in effect and where it comes from: a default, a place in a file, a variable or a flag.\n" +
			"Later ones win. Secrets are shown as ***.\n\n" +
			"A variable overrides a value of that name: TALLYMAN_ and the key in capitals, with an underscore for every dot and\n" +
			"dash, such as TALLYMAN_RUNS_TIMEOUT or TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_ID. A list is separated by\n" +
			"commas. --set does the same for any key: --set runs.timeout=30m.",
		Example: "  tallyman config show\n  tallyman config show acme/rhipe --json", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			tenant, module := "", ""
			if len(args) > 0 {
				tenant, module, _ = strings.Cut(args[0], "/")
				if module == "" {
					err = a.knownTenant(tenant)
				} else {
					_, _, err = a.findConfig(args[0])
				}
				if err != nil {
					return err
				}
			}
			var entries []config.Entry
			if tenant == "" {
				entries = c.HostEntries()
			}
			schemas := a.schemas()
			for _, t := range c.Tenants {
				if tenant != "" && t.Name != tenant {
					continue
				}
				if module == "" {
					entries = append(entries, c.TenantEntries(t)...)
				}
				for _, m := range t.Modules {
					if module != "" && m.Name != module {
						continue
					}
					entries = append(entries, c.ModuleEntries(m)...)
					entries = append(entries, a.settingEntries(cmd.Context(), schemas, m)...)
				}
			}
			g := &grid{columns: []string{"Key", "Value", "From"}}
			return list(a, entries, g, func(e config.Entry) { g.add(e.Key, e.Text(), e.Origin) }, "There is nothing to show.")
		},
	}
}

// settingEntries gives a module's settings: in effect if the plugin can be asked, or else as they are written.
func (a *app) settingEntries(ctx context.Context, schemas *schemas, m *config.Module) []config.Entry {
	_, asked := schemas.errs[m.Plugin]
	fields, err := schemas.of(ctx, m.Plugin)
	if err != nil {
		if !asked {
			paragraph(a.errOut, "Warning: ", fmt.Sprintf("the values of plugin %q's settings are not shown: %v", m.Plugin, err))
		}
		return a.config.WrittenSettings(m)
	}
	settings, err := a.config.CheckSettings(m, fields)
	if err != nil {
		showError(a.errOut, err, false)
	}
	return settings.Entries()
}
