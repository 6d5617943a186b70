// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

// configuration looks at the files and reports whether there is a configuration to go on with.
func (d *doctor) configuration() bool {
	const check = "configuration"
	a := d.app
	out := a.errOut
	a.errOut = io.Discard // its warnings are findings
	c, err := a.load()
	a.errOut = out
	if err != nil {
		var wrong *config.Error
		if errors.As(err, &wrong) {
			wrong.Checked = true
		}
		d.wrong(check, err)
		return false
	}
	modules, enabled := 0, 0
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			modules++
			if m.On() {
				enabled++
			}
		}
	}
	d.ok(check, "%s: %s, %s, %d of them enabled", strings.Join(c.Files(), ", "), plural(len(c.Tenants), "tenant"), plural(modules, "module"), enabled)
	if enabled == 0 {
		d.add(findingWarning, check, "no module is enabled, so nothing is ever run", "Enable one with \"tallyman module enable TENANT/MODULE\".")
	}
	for _, w := range slices.Concat(c.Warnings, c.Exposed) {
		d.problem(check, w)
	}
	for _, path := range c.Files() {
		d.writable(check, path)
		d.writable(check, filepath.Dir(path))
	}
	return true
}

// problem adds a problem of the configuration, with its place and its line.
func (d *doctor) problem(check string, p config.Problem) {
	state, next := findingWrong, ""
	if p.Warning {
		state, p.Warning = findingWarning, false
	}
	if p.SecretIn != "" && readableByAll(p.SecretIn) {
		state, next = findingWrong, fmt.Sprintf("Everybody on this machine may read it: chmod 600 %s", shellWord(p.SecretIn))
		p.Hint = ""
	}
	d.add(state, check, p.String(), next)
}

// readableByAll reports whether everybody on this machine may read a file, as far as its mode says so.
func readableByAll(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// writable adds that everybody may change a file, or the files of a folder. In a folder with the sticky bit nobody may replace
// what belongs to another.
func (d *doctor) writable(check, path string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o002 == 0 || info.IsDir() && info.Mode()&os.ModeSticky != 0 {
		return
	}
	what := "everybody on this machine may change " + path
	if info.IsDir() {
		what = "everybody on this machine may replace files in " + path
	}
	d.add(findingWrong, check, what, fmt.Sprintf("chmod o-w %s, then see whether what is there is still yours.", shellWord(path)))
}

// plugins looks at what is installed, and starts what may run.
func (d *doctor) plugins(ctx context.Context) {
	const check = "plugins"
	c := d.app.config
	lock, err := pluginhost.ReadLock(c.Plugins.LockFile)
	if err != nil {
		d.wrong(check, err)
		return
	}
	d.writable(check, c.Plugins.LockFile)
	installed, problems := pluginhost.Discover(c.Plugins.Directory)
	for _, problem := range problems {
		d.wrong(check, problem)
	}
	used := map[string][]string{}
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if m.On() {
				used[m.Plugin] = append(used[m.Plugin], m.String())
			}
		}
	}
	names := sortedGuards(used)
	for _, in := range installed {
		if _, locked := lock.Plugins[in.Name]; locked && used[in.Name] == nil {
			names = append(names, in.Name)
		}
	}
	for _, name := range names {
		d.plugin(ctx, name, used[name])
	}
	if len(names) == 0 {
		d.ok(check, "none is needed by an enabled module, and none of those in %s is locked", c.Plugins.Directory)
	}
}

// plugin starts one plugin and asks it who it is, which needs no settings and opens no connection. One that no module needs
// is only worth a warning.
func (d *doctor) plugin(ctx context.Context, name string, modules []string) {
	check, begin := "plugin "+name, len(d.findings)
	p, err := d.app.launch(ctx, pluginhost.Spec{Name: name, Run: "doctor"})
	if err == nil {
		about := p.Description()
		for _, warning := range p.Warnings() {
			d.add(findingWarning, check, warning, "")
		}
		if err = p.Close(context.WithoutCancel(ctx)); err == nil {
			d.ok(check, "%s %s starts and says what it is; %s", about.DisplayName, about.Version, cmp.Or(usedBy(modules), "no enabled module uses it"))
		}
	}
	if err == nil {
		return
	}
	d.wrong(check, err)
	for i := range d.findings[begin:] {
		if f := &d.findings[begin+i]; len(modules) == 0 {
			f.State = findingWarning
		} else if f.State == findingWrong {
			f.Message += " (" + usedBy(modules) + ")"
		}
	}
}

// usedBy says which modules use a plugin, the first few of them.
func usedBy(modules []string) string {
	const most = 3
	switch n := len(modules); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf("used by %s and %d more", strings.Join(modules[:most], ", "), n-most)
	default:
		return "used by " + strings.Join(modules, ", ")
	}
}

// settings reads the settings of enabled modules, secrets included, and holds them against what their plugins take.
func (d *doctor) settings(ctx context.Context) {
	const check = "settings"
	a := d.app
	schemas := a.schemas()
	good := 0
	for _, t := range a.config.Tenants {
		for _, m := range t.Modules {
			if !m.On() {
				continue
			}
			fields, err := schemas.of(ctx, m.Plugin)
			if err != nil {
				continue // the plugin's finding says why
			}
			begin := len(d.findings)
			settings, _ := a.config.CheckSettings(m, fields)
			for _, w := range settings.Warnings {
				if w.SecretIn != "" {
					d.problem(check, w)
				}
			}
			var wrong *config.Error
			_, err = a.config.ResolveSettings(m, fields)
			switch {
			case errors.As(err, &wrong):
				for _, p := range wrong.Problems {
					d.problem(check, p)
				}
			case err != nil:
				d.wrong(check, err)
			}
			if len(d.findings) == begin {
				good++
			}
		}
	}
	if good > 0 {
		d.ok(check, "those of %s are in order; \"tallyman test TENANT/MODULE\" tries the connection", plural(good, "module"))
	}
}
