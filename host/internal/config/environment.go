// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
)

// envPrefix begins every variable that is meant for the configuration.
const envPrefix = "TALLYMAN_"

// foreign are variables of the program that are no settings.
var foreign = []string{
	"TALLYMAN_CONFIG", "TALLYMAN_PLUGIN", "TALLYMAN_PARENT_PID", "TALLYMAN_DEADLINE", "TALLYMAN_DEBUG",
}

// spelt gives a key as variables spell it: tenant.acme-it.time_zone is TENANT_ACME_IT_TIME_ZONE.
func spelt(key string) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// keys gives every key that can be set from outside: those of the tenants and modules in the files.
func (l *loader) keys() map[string]*attribute {
	keys := map[string]*attribute{}
	visit := func(key string, _ []int, a *attribute) { keys[key] = a }
	schema.walk("", visit)
	for _, p := range l.notifications.parts() {
		p.schema().walk(p.key()+".", visit)
	}
	tenant := schema.block("tenant")
	for _, t := range l.tenants {
		tenant.walk("tenant."+t.Name+".", visit)
		for _, m := range t.Modules {
			tenant.block("module").walk(m.key()+".", visit)
		}
	}
	return keys
}

// environment reads the variables that override keys. The rule: TALLYMAN_ and the key in capitals, with an underscore for
// every dot and dash.
func (l *loader) environment(environ map[string]string) layer {
	values := layer{}
	var names []string
	for name := range environ {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(foreign, name) && !l.referenced[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return values
	}
	slices.Sort(names)
	keys := l.keys()
	bySpelling := map[string][]string{}
	for key := range keys {
		bySpelling[envPrefix+spelt(key)] = append(bySpelling[envPrefix+spelt(key)], key)
	}
	modules := map[string][]*Module{}
	for _, t := range l.tenants {
		for _, m := range t.Modules {
			prefix := envPrefix + spelt(m.key()+"."+settingsName) + "_"
			modules[prefix] = append(modules[prefix], m)
		}
	}
	for _, name := range names {
		origin := Origin{Kind: FromEnv, Name: name}
		matches := slices.Clone(bySpelling[name])
		type target struct {
			module  *Module
			setting string
		}
		var settings []target
		for i := range name {
			if name[i] != '_' {
				continue
			}
			for _, m := range modules[name[:i+1]] {
				if rest := name[i+1:]; rest != "" {
					settings = append(settings, target{m, rest})
					matches = append(matches, m.key()+"."+settingsName+" "+rest)
				}
			}
		}
		switch {
		case len(matches) > 1:
			slices.Sort(matches)
			l.problem(Problem{
				Origin: origin, Message: "can mean " + strings.Join(matches, " or "), Hint: "Write it into a file, or use --set.",
			})
		case len(settings) == 1:
			t := settings[0]
			t.module.overrides = append(t.module.overrides, override{t.setting, NewSecret(environ[name]), origin})
		case len(matches) == 1:
			l.override(values, matches[0], keys[matches[0]], environ[name], origin)
		default:
			l.unknownVariable(name, bySpelling, modules)
		}
	}
	return values
}

// unknownVariable tells of a variable that means nothing. One that is meant for the configuration by its name is an
// error, because what it should change stays as it was; any other may be somebody else's.
func (l *loader) unknownVariable(name string, bySpelling map[string][]string, modules map[string][]*Module) {
	p := Problem{Origin: Origin{Kind: FromEnv, Name: name}, Message: "this variable means no setting", Warning: true}
	known := make([]string, 0, len(bySpelling)+len(modules))
	for spelling := range bySpelling {
		known = append(known, spelling)
	}
	best := nearest(name, known)
	for _, b := range schema.blocks {
		if strings.HasPrefix(name, envPrefix+spelt(b.name)+"_") {
			p.Warning = false
		}
	}
	switch {
	case best != "":
		p.Warning = false
		p.Hint = fmt.Sprintf("Did you mean %s?", best)
	case strings.HasPrefix(name, envPrefix+"TENANT_"):
		p.Hint = "Is the tenant or the module missing from the files, or spelt otherwise there?"
	}
	l.problem(p)
}

// flags reads what the command line overrides.
func (l *loader) flags(flags []Flag) layer {
	values := layer{}
	if len(flags) == 0 {
		return values
	}
	keys := l.keys()
	for _, f := range flags {
		origin := Origin{Kind: FromFlag, Name: f.Name}
		if m, setting := l.settingOf(f.Key); m != nil {
			m.overrides = append(m.overrides, override{setting, NewSecret(f.Value), origin})
			continue
		}
		a := keys[f.Key]
		if a == nil {
			known := make([]string, 0, len(keys))
			for key := range keys {
				known = append(known, key)
			}
			l.problem(Problem{Origin: origin, Message: fmt.Sprintf("there is no setting %q", f.Key), Hint: suggest(f.Key, known)})
			continue
		}
		l.override(values, f.Key, a, f.Value, origin)
	}
	return values
}

// settingOf finds the module of tenant.acme.module.rhipe.settings.client_id, and the rest.
func (l *loader) settingOf(key string) (*Module, string) {
	for _, t := range l.tenants {
		for _, m := range t.Modules {
			if setting, ok := strings.CutPrefix(key, m.key()+"."+settingsName+"."); ok && setting != "" {
				return m, setting
			}
		}
	}
	return nil, ""
}

// override takes a value from outside, if it is right.
func (l *loader) override(values layer, key string, a *attribute, text string, origin Origin) {
	value, err := a.fromText(text)
	var message string
	if err != nil {
		message = err.Error()
	} else {
		message, _ = a.wrong(value, a.kind != kindSecret)
	}
	if message == "" && a.kind == kindSecret && origin.Kind == FromFlag && a.shown(text) != text {
		message = "holds a secret, and everybody on this machine can read command lines; use the variable " + envPrefix + spelt(key)
	}
	if message != "" {
		if origin.Kind == FromFlag && origin.Name != "--set" {
			message = shortKey(key) + " " + message
		} else {
			message = key + " " + message
		}
		l.problem(Problem{Origin: origin, Message: message, Hint: a.hint(value)})
		return
	}
	values[key] = value
	l.origins[key] = origin
}
