// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
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
		Use: "check [TENANT[/MODULE] …]", Short: "Check the configuration and show every problem with its place",
		Long: "Check the configuration and show every problem with its place.\n\n" +
			"The settings of plugins are checked too, as far as the plugins are installed\n" +
			"and locked. What is missing in this environment, such as a variable, is a\n" +
			"warning. Of modules that are named, or whose tenant is named, it is an error,\n" +
			"and the plugin looks at its settings, too; it opens no connection for that.",
		Example: "  tallyman config check\n  tallyman config check acme/rhipe",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			defer func() {
				if wrong := (*config.Error)(nil); errors.As(err, &wrong) {
					wrong.Checked = true
				}
			}()
			c, err := a.load()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return a.checkModules(cmd.Context(), args)
			}
			schemas := a.schemas()
			told := map[string]bool{}
			modules, warnings := 0, len(c.Warnings)+a.warn(slices.Concat(c.Exposed, c.Notifications.ChannelWarnings()))
			var errs []error
			for _, t := range c.Tenants {
				for _, m := range t.Modules {
					modules++
					fields, err := schemas.of(cmd.Context(), m.Plugin)
					if err != nil {
						if !told[m.Plugin] {
							told[m.Plugin] = true
							warnings++
							a.warnOf(fmt.Sprintf("the settings of plugin %q are not checked", m.Plugin), err)
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

// warnOf shows what an error kept from being done, and what to do about it.
func (a *app) warnOf(what string, err error) {
	problem := integrator.ProblemOf(err)
	a.say("Warning: ", what+": "+problem.Message)
	if problem.Hint != "" {
		a.say("  -> ", problem.Hint)
	}
}

// say writes a paragraph to the terminal, or one line where no person reads it.
func (a *app) say(heading, body string) {
	if _, tty := terminal(a.errOut); tty {
		paragraph(a.errOut, heading, body)
		return
	}
	fmt.Fprintln(a.errOut, heading+printable(body))
}

// modulesOf gives the modules that are meant, as tenant/module: a tenant means all of its modules.
func (a *app) modulesOf(targets []string) ([]string, error) {
	var modules []string
	for _, target := range targets {
		if strings.Contains(target, "/") {
			modules = append(modules, target)
			continue
		}
		if err := a.knownTenant(target); err != nil {
			return nil, err
		}
		for _, m := range a.config.Tenant(target).Modules {
			modules = append(modules, m.String())
		}
	}
	return modules, nil
}

// checkModules lets the plugins of modules look at their settings.
func (a *app) checkModules(ctx context.Context, targets []string) error {
	named := strings.Join(targets, ", ")
	targets, err := a.modulesOf(targets)
	if err != nil {
		return err
	}
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
	return a.done("The settings of %s are in order.", named)
}

func (a *app) configShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [TENANT[/MODULE]]", Short: "Show every value in effect and where it comes from; secrets as ***",
		Long: "Show every value in effect and where it comes from: a default, a place in a\n" +
			"file, a variable or a flag. Later ones win. Secrets are shown as ***.\n\n" +
			"A variable overrides a value of that name: TALLYMAN_ and the key in capitals,\n" +
			"with an underscore for every dot and dash, such as TALLYMAN_RUNS_TIMEOUT or\n" +
			"TALLYMAN_TENANT_ACME_MODULE_RHIPE_SETTINGS_CLIENT_ID. A list is separated by\n" +
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
				entries = append(c.HostEntries(), c.NotificationEntries()...)
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
			if _, tty := terminal(a.out); tty && !a.json && len(entries) > 0 {
				_, err := io.WriteString(a.out, groupedEntries(entries))
				return err
			}
			g := &grid{columns: []string{"Key", "Value", "From"}}
			return list(a, entries, g, func(e config.Entry) { g.add(e.Key, e.Text(), e.Origin) }, "There is nothing to show.")
		},
	}
}

// groupedEntries gives values as they are read on a terminal: grouped by their block, and the name never broken.
func groupedEntries(entries []config.Entry) string {
	var order []string
	groups := map[string][]config.Entry{}
	for _, e := range entries {
		block := e.Key[:max(strings.LastIndexByte(e.Key, '.'), 0)]
		if _, known := groups[block]; !known {
			order = append(order, block)
		}
		groups[block] = append(groups[block], e)
	}
	var b strings.Builder
	for i, block := range order {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, printable(block))
		for _, e := range groups[block] {
			value := printable(e.Text())
			if value == "" {
				value = `""`
			}
			fmt.Fprintf(&b, "  %s = %s   # %s\n", printable(strings.TrimPrefix(e.Key, block+".")), value, printable(e.Origin.String()))
		}
	}
	return b.String()
}

// settingEntries gives a module's settings: in effect if the plugin can be asked, or else as they are written.
func (a *app) settingEntries(ctx context.Context, schemas *schemas, m *config.Module) []config.Entry {
	_, asked := schemas.errs[m.Plugin]
	fields, err := schemas.of(ctx, m.Plugin)
	if err != nil {
		if !asked {
			a.warnOf(fmt.Sprintf("the values of plugin %q's settings are not shown", m.Plugin), err)
		}
		return a.config.WrittenSettings(m)
	}
	settings, err := a.config.CheckSettings(m, fields)
	if err != nil {
		showError(a.errOut, err, false)
	}
	return settings.Entries()
}
