// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// load reads the configuration, once.
func (a *app) load() (*config.Config, error) {
	if a.config != nil {
		return a.config, nil
	}
	flags, err := a.configFlags()
	if err != nil {
		return nil, err
	}
	c, err := config.Load(config.Options{Paths: a.configPaths, Flags: flags})
	if err != nil {
		return nil, usageError{err}
	}
	for _, warning := range c.Warnings {
		fmt.Fprintln(a.errOut, multiline(warning.String()))
	}
	a.config = c
	return c, nil
}

func (a *app) log() hclog.Logger {
	level := a.logLevel
	if level == "" && a.config != nil {
		level = a.config.Log.Level
	}
	return hclog.New(&hclog.LoggerOptions{Name: "tallyman", Level: hclog.LevelFromString(cmp.Or(level, "warn")), Output: a.errOut})
}

func (a *app) storeOptions() (store.Options, error) {
	c, err := a.load()
	if err != nil {
		return store.Options{}, err
	}
	return store.Options{URL: c.Database.URL.Reveal(), BaseDir: c.Dir, Log: a.log()}, nil
}

// openStore opens the database. A command that only looks does not create one.
func (a *app) openStore(ctx context.Context, mustExist bool) (*store.Store, error) {
	options, err := a.storeOptions()
	if err != nil {
		return nil, err
	}
	options.NoCreate = mustExist
	return store.Open(ctx, options)
}

func (a *app) pluginPaths() (dir, lockFile string, err error) {
	c, err := a.load()
	if err != nil {
		return "", "", err
	}
	return c.Plugins.Directory, c.Plugins.LockFile, nil
}

// splitModule takes acme/rhipe apart.
func splitModule(target string) (tenant, module string, err error) {
	tenant, module, ok := strings.Cut(target, "/")
	if !ok || tenant == "" || module == "" {
		return "", "", usagef("%q is not a module; write it as tenant/module, such as acme/rhipe", target)
	}
	return tenant, module, nil
}

// distributorOf gives the name of a plugin without the version that is pinned, which makes it no other distributor.
func distributorOf(plugin string) string {
	name, _, _ := strings.Cut(plugin, "@")
	return name
}

// findConfig gives a module of the configuration.
func (a *app) findConfig(target string) (*config.Tenant, *config.Module, error) {
	tenant, name, err := splitModule(target)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	var known []string
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if t.Name == tenant && m.Name == name {
				return t, m, nil
			}
			known = append(known, m.String())
		}
	}
	hint := "see \"tallyman module list\""
	if best := config.Nearest(target, known); best != "" {
		hint = fmt.Sprintf("did you mean %q?", best)
	}
	return nil, nil, usagef("there is no module %s in the configuration; %s", target, hint)
}

func (a *app) knownTenant(name string) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	for _, t := range c.Tenants {
		if t.Name == name {
			return nil
		}
	}
	return usagef("there is no tenant %q in the configuration; %s", name, likeTenant(c, name))
}

func (a *app) tenantName(name string) string {
	for _, t := range a.config.Tenants {
		if t.Name == name {
			return t.DisplayName
		}
	}
	return ""
}

// modules gives the enabled modules a target means: one, or all of a tenant.
func (a *app) modules(target string) ([]integrator.Module, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	if strings.Contains(target, "/") {
		t, m, err := a.findConfig(target)
		if err != nil {
			return nil, err
		}
		if !m.On() {
			return nil, usagef("%s is disabled; enable it with \"tallyman module enable %s\"", target, target)
		}
		return []integrator.Module{moduleOf(t, m)}, nil
	}
	if err := a.knownTenant(target); err != nil {
		return nil, err
	}
	var list []integrator.Module
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if t.Name == target && m.On() {
				list = append(list, moduleOf(t, m))
			}
		}
	}
	if len(list) == 0 {
		return nil, usagef("tenant %s has no enabled module; see \"tallyman module list\"", target)
	}
	return list, nil
}

// moduleOf gives the rules of a module.
func moduleOf(t *config.Tenant, m *config.Module) integrator.Module {
	return integrator.Module{
		Tenant: t.Name, TenantName: t.DisplayName, Name: m.Name, Plugin: m.Plugin,
		Unmatched: integrator.Unmatched(m.Customers.Unmatched), TopLevel: m.Customers.TopLevel,
		UpdateMainSiteAddress: m.Customers.UpdateMainSiteAddress,
		Subscriptions: reconcile.Policy{
			DeactivateMissing: m.Subscriptions.DeactivateMissing, MissingRuns: m.Subscriptions.MissingRuns,
		},
		Limits: reconcile.Limits{
			Deactivations: m.Guards.MaxDeactivations, DeactivationsPercent: m.Guards.MaxDeactivationsPercent,
			Creations: m.Guards.MaxCustomersCreated, CreationsPercent: m.Guards.MaxCustomersCreatedPercent,
			QuantityFactor: m.Guards.MaxQuantityFactor, QuantityStep: m.Guards.MaxQuantityStep,
			AllowEmpty: m.Guards.AllowEmptyListing,
		},
	}
}

func (a *app) integrator(s *store.Store) *integrator.Integrator {
	return &integrator.Integrator{
		Store: s, Log: a.log(), Holder: holder(), Lease: a.config.Runs.Lease, Timeout: a.config.Runs.Timeout,
		Traces: a.tracer(), KeepRuns: a.config.Retention.Runs, KeepChanges: a.config.Retention.Changes,
		Open: func(ctx context.Context, module integrator.Module, run string) (integrator.Source, error) {
			p, err := a.start(ctx, module.String(), run)
			if err != nil {
				return nil, err
			}
			return integrator.FromProcess(p, a.sharing(module.String(), p)...), nil
		},
	}
}

// sharing gives the other modules that use the same account of the distributor.
func (a *app) sharing(target string, p *pluginhost.Process) []integrator.Module {
	_, m, err := a.findConfig(target)
	if err != nil {
		return nil
	}
	var others []integrator.Module
	for _, other := range a.config.Sharing(m, fieldsOf(p.Description())) {
		if t, m, err := a.findConfig(other.String()); err == nil {
			others = append(others, moduleOf(t, m))
		}
	}
	return others
}

// start launches and configures the plugin of a module.
func (a *app) start(ctx context.Context, target, run string) (*pluginhost.Process, error) {
	t, m, err := a.findConfig(target)
	if err != nil {
		return nil, err
	}
	p, err := a.launch(ctx, pluginhost.Spec{Name: m.Plugin, Env: m.Environment, Tenant: t.Name, Module: m.Name, Run: run})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(a.waitForDebugger(ctx, p), ctx.Err()); err != nil {
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	if err := a.configure(ctx, p, m); err != nil {
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// launch starts a plugin if it is installed and locked.
func (a *app) launch(ctx context.Context, spec pluginhost.Spec) (*pluginhost.Process, error) {
	spec.Dev, spec.Debug, spec.Log, spec.HostVersion, spec.Traces = a.dev, a.debugger, a.log(), a.version, a.tracer()
	installed, err := pluginhost.Find(a.config.Plugins.Directory, spec.Name)
	if err != nil {
		return nil, err
	}
	spec.Path = installed.Path
	if !a.dev {
		lock, err := pluginhost.ReadLock(a.config.Plugins.LockFile)
		if err != nil {
			return nil, err
		}
		if spec.SHA256, err = pluginhost.Verify(installed, lock); err != nil {
			return nil, err
		}
	}
	return pluginhost.Launch(ctx, spec)
}

// configure hands over the module's settings. What is wrong with them comes back with file, line and column.
func (a *app) configure(ctx context.Context, p *pluginhost.Process, m *config.Module) error {
	settings, err := a.config.ResolveSettings(m, fieldsOf(p.Description()))
	if err != nil {
		return usageError{err}
	}
	diagnostics, err := p.Configure(ctx, settings.Wire())
	if err != nil {
		return err
	}
	var wrong []error
	for _, d := range diagnostics {
		if d.Warning {
			fmt.Fprintf(a.errOut, "Warning: setting %s: %s. %s\n", d.Field, printable(d.Message), printable(d.Hint))
			continue
		}
		wrong = append(wrong, settings.Refuse(a.config, d.Field, d.Message, d.Hint))
	}
	if len(wrong) > 0 {
		return usageError{config.Join(wrong...)}
	}
	return nil
}

// fieldsOf gives a plugin's settings as the configuration checks them.
func fieldsOf(d pluginhost.Description) []config.Field {
	fields := make([]config.Field, len(d.Settings))
	for i, s := range d.Settings {
		fields[i] = config.Field{
			Name: s.Name, Type: s.Type, Required: s.Required, Secret: s.Secret, Default: s.Default, Choices: s.Choices,
			Help: s.Help, Example: s.Example,
		}
	}
	return fields
}

// isShown reports whether an error has been shown already.
func isShown(err error) bool {
	var shown shownError
	return errors.As(err, &shown)
}
