// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// override is a plugin's setting from a variable or a flag. Which setting it is, is known when its plugin is.
type override struct {
	// name is the setting's name of a flag ("paths.customers"), or how a variable spells it ("PATHS_CUSTOMERS").
	name   string
	value  Secret
	origin Origin
}

// means reports whether the override is for a setting.
func (o override) means(setting string) bool {
	if o.origin.Kind == FromEnv {
		return o.name == spelt(setting)
	}
	return o.name == setting
}

// override takes a setting from a variable or a flag.
func (r *resolver) override(o override) {
	problem := func(message, hint string) {
		r.problems = append(r.problems, Problem{Origin: o.origin, Message: message, Hint: hint})
	}
	var names []string
	for name := range r.known {
		if o.means(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		name := o.name
		if o.origin.Kind == FromEnv {
			name = strings.ToLower(name)
		}
		hint := r.suggest(name)
		if o.origin.Kind == FromEnv {
			for _, known := range slices.Sorted(maps.Keys(r.known)) {
				if best := nearest(o.name, []string{spelt(known)}); best != "" {
					hint = fmt.Sprintf("Did you mean %s%s_%s?", envPrefix, spelt(r.module.key()+"."+settingsName), best)
				}
			}
		}
		problem(fmt.Sprintf("plugin %q has no setting %q", r.module.Plugin, name), hint)
		return
	case len(names) > 1:
		problem("can mean "+strings.Join(names, " or "), "Write it into a file, or use --set.")
		return
	}
	f := r.known[names[0]]
	r.given[f.Name] = hcl.Range{}
	if f.Secret && o.origin.Kind == FromFlag {
		problem(f.Name+" is a secret, and everybody on this machine can read command lines",
			fmt.Sprintf("Use the variable %s%s_%s.", envPrefix, spelt(r.module.key()+"."+settingsName), spelt(f.Name)))
		return
	}
	v, message := f.takeText(o.value.Reveal())
	if message != "" {
		problem(f.Name+" "+message, f.about())
		return
	}
	v.Field, v.Origin = *f, o.origin
	r.settings.values[f.Name] = v
}
