// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// ResolveSettings evaluates a module's settings and checks them against what the plugin takes. This is where env and
// file of a module are read. The error is an *Error with every problem.
func (c *Config) ResolveSettings(m *Module, fields []Field) (*Settings, error) {
	settings, problems := c.resolve(m, fields, false)
	if err := problemsError(problems); err != nil {
		return nil, err
	}
	return settings, nil
}

// CheckSettings is ResolveSettings for a look at the configuration: what is missing in the environment is a warning, and
// what could be read is given all the same. Settings is never nil.
func (c *Config) CheckSettings(m *Module, fields []Field) (*Settings, error) {
	settings, problems := c.resolve(m, fields, true)
	return settings, problemsError(problems)
}

func (c *Config) resolve(m *Module, fields []Field, look bool) (*Settings, []Problem) {
	r := &resolver{
		config: c, module: m, look: look, known: map[string]*Field{}, groups: map[string]bool{}, given: map[string]hcl.Range{},
		settings: &Settings{module: m, fields: fields, values: map[string]*Setting{}},
	}
	for i, f := range fields {
		if r.known[f.Name] != nil {
			continue
		}
		r.known[f.Name] = &fields[i]
		r.settings.order = append(r.settings.order, f.Name)
		for at, char := range f.Name {
			if char == '.' {
				r.groups[f.Name[:at]] = true
			}
		}
	}
	for _, p := range m.deferred {
		p.Warning = look
		r.problems = append(r.problems, p)
	}
	if m.settings != nil {
		r.settings.hidden = r.hidden(m.settings.body, "")
		r.body(m.settings.body, "")
	}
	for _, o := range m.overrides {
		r.override(o)
	}
	r.complete()
	r.settings.order = slices.DeleteFunc(r.settings.order, func(name string) bool { return r.settings.values[name] == nil })
	for _, p := range r.problems {
		if p.Warning {
			r.settings.Warnings = append(r.settings.Warnings, p)
		}
	}
	sortProblems(r.settings.Warnings)
	return r.settings, r.problems
}

// resolver goes through the settings of one module.
type resolver struct {
	config *Config
	module *Module
	// look makes warnings of what is missing outside the files.
	look bool

	known  map[string]*Field
	groups map[string]bool
	// given are the settings that are written somewhere, right or wrong.
	given    map[string]hcl.Range
	settings *Settings
	problems []Problem
}

func (r *resolver) wrong(at hcl.Range, message, hint string) {
	block := r.module.settings
	r.problems = append(r.problems, block.source.problemHiding(at, message, hint, block, r.settings.hidden))
}

// hidden finds what must not be shown, now that it is known which settings are secret.
func (r *resolver) hidden(body *hclsyntax.Body, prefix string) []span {
	var parts []span
	for _, a := range body.Attributes {
		parts = append(parts, r.hiddenIn(a.Expr, prefix+a.Name)...)
	}
	for _, inner := range body.Blocks {
		for _, label := range inner.LabelRanges {
			parts = append(parts, spanOf(label))
		}
		parts = append(parts, r.hidden(inner.Body, prefix+inner.Type+".")...)
	}
	return parts
}

func (r *resolver) hiddenIn(expr hclsyntax.Expression, name string) []span {
	if _, arg, ok := call(expr); ok && argument(arg) != "" {
		return nil
	}
	if f := r.known[name]; f != nil && !f.Secret {
		return nil
	}
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok || !r.groups[name] {
		return []span{spanOf(expr.Range())}
	}
	var parts []span
	for _, item := range object.Items {
		parts = append(parts, r.hiddenIn(item.ValueExpr, name+"."+keyOf(item.KeyExpr))...)
		if keyOf(item.KeyExpr) == "" {
			parts = append(parts, spanOf(item.KeyExpr.Range()))
		}
	}
	return parts
}

// keyOf gives the key of an object's item, if it is written plainly.
func keyOf(expr hclsyntax.Expression) string {
	key, ok := expr.(*hclsyntax.ObjectConsKeyExpr)
	if !ok {
		return ""
	}
	if word := hcl.ExprAsKeyword(key.Wrapped); word != "" && !key.ForceNonLiteral {
		return word
	}
	return argument(key.Wrapped)
}

// body reads a settings block, or a block in it that stands for a group of settings.
func (r *resolver) body(body *hclsyntax.Body, prefix string) {
	for _, name := range slices.SortedFunc(maps.Keys(body.Attributes), func(a, b string) int {
		return body.Attributes[a].NameRange.Start.Byte - body.Attributes[b].NameRange.Start.Byte
	}) {
		a := body.Attributes[name]
		r.attribute(prefix+name, a.NameRange, a.Expr)
	}
	for _, inner := range body.Blocks {
		name := prefix + inner.Type
		switch {
		case len(inner.Labels) > 0:
			r.wrong(inner.TypeRange, fmt.Sprintf("%q takes no name", inner.Type), "")
		case r.groups[name]:
			r.body(inner.Body, name+".")
		case r.known[name] != nil:
			r.given[name] = inner.TypeRange
			r.wrong(inner.TypeRange, fmt.Sprintf("%s is a setting, not a block", name), fmt.Sprintf("Write %s = …", inner.Type))
		default:
			r.unknown(name, inner.TypeRange)
		}
	}
}

// attribute reads one setting, or a group of them.
func (r *resolver) attribute(name string, at hcl.Range, expr hclsyntax.Expression) {
	f := r.known[name]
	if f == nil && r.groups[name] {
		r.group(name, at, expr)
		return
	}
	if f == nil {
		r.unknown(name, at)
		return
	}
	if first, twice := r.given[name]; twice {
		r.wrong(at, fmt.Sprintf("%s is set twice; it is at %s:%d:%d, too", name, first.Filename, first.Start.Line, first.Start.Column), "")
		return
	}
	r.given[name] = at
	e := evaluator{
		environ: r.config.environ, dir: r.module.settings.source.dir, checkPermissions: f.Secret,
	}
	got, ok := e.evaluate(expr)
	missing := r.troubles(&e)
	if missing && r.look {
		v := &Setting{Field: *f, Origin: fileOrigin(expr.Range()), unset: true, note: noteUnreadable}
		if function, arg, is := call(expr); is {
			v.Origin.Name = function + " " + argument(arg)
			if _, set := r.config.environ[argument(arg)]; function == "env" && !set {
				v.note = noteNotSet
			}
		}
		r.settings.values[name] = v
	}
	if !ok {
		return
	}
	if got.value.IsNull() {
		delete(r.given, name)
		return
	}
	v, problem, where := f.take(got, expr)
	if problem != "" {
		hint := quoteHint(got, f.Type, !f.Secret)
		if choice := f.nearestChoice(got); choice != "" {
			hint = choice
		}
		r.wrong(where, name+" "+problem, cmp.Or(hint, f.about()))
		return
	}
	if got.literal && f.Secret && r.look {
		w := r.module.settings.source.problemHiding(expr.Range(), name+" is a secret and stands in the file in clear", fmt.Sprintf(
			"Take it from the environment with env(%q), or from a file with file(\"path\").", variableFor(r.module.Name, name)), r.module.settings, r.settings.hidden)
		w.Warning, w.SecretIn = true, r.module.settings.source.path()
		r.problems = append(r.problems, w)
	}
	v.Field, v.Origin = *f, fileOrigin(expr.Range())
	v.Origin.Name = got.source
	r.settings.values[name] = v
}

// troubles turns what the evaluation found into problems, and reports whether something outside the files was missing.
func (r *resolver) troubles(e *evaluator) bool {
	missing := false
	for _, t := range e.troubles {
		r.wrong(t.at, t.message, t.hint)
		p := &r.problems[len(r.problems)-1]
		p.Warning, p.SecretIn = t.warning || t.missing && r.look, t.secretIn
		missing = missing || t.missing
	}
	return missing
}

// group reads settings that are written as an object: paths = { customers = "…" }.
func (r *resolver) group(name string, at hcl.Range, expr hclsyntax.Expression) {
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		if literal, is := expr.(*hclsyntax.LiteralValueExpr); is && literal.Val.IsNull() {
			return
		}
		r.wrong(at, fmt.Sprintf("%s is a group of settings", name), fmt.Sprintf("Write %s { … } with %s.", name, strings.Join(r.members(name), ", ")))
		return
	}
	for _, item := range object.Items {
		key := keyOf(item.KeyExpr)
		if key == "" {
			r.wrong(item.KeyExpr.Range(), fmt.Sprintf("the names in %s must be plain", name), "")
			continue
		}
		r.attribute(name+"."+key, item.KeyExpr.Range(), item.ValueExpr)
	}
}

// members gives the names in a group.
func (r *resolver) members(group string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		if rest, ok := strings.CutPrefix(name, group+"."); ok {
			names = append(names, rest)
		}
	}
	return names
}

func (r *resolver) unknown(name string, at hcl.Range) {
	r.wrong(at, fmt.Sprintf("plugin %q has no setting %q", r.module.Plugin, name), r.suggest(name))
}

func (r *resolver) suggest(name string) string {
	names := slices.Collect(maps.Keys(r.known))
	if best := nearest(name, names); best != "" {
		return fmt.Sprintf("Did you mean %q?", best)
	}
	// A setting of a group that was written outside it, or the other way round.
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, candidate := range slices.Sorted(maps.Keys(r.known)) {
		if candidate[strings.LastIndexByte(candidate, '.')+1:] == last {
			return fmt.Sprintf("Did you mean %q?", candidate)
		}
	}
	if len(names) == 0 {
		return "This plugin has no settings."
	}
	if len(names) > 12 {
		return fmt.Sprintf("See \"tallyman config show %s\" for what there is.", r.module)
	}
	return suggest(name, names)
}

// complete fills in defaults and finds what is missing.
func (r *resolver) complete() {
	for _, name := range r.settings.order {
		f := r.known[name]
		if _, given := r.given[name]; given || r.settings.values[name] != nil {
			continue
		}
		switch {
		case f.Default != nil:
			v, message := f.takeText(*f.Default)
			if message != "" {
				// The plugin's own mistake; it knows best what it means.
				v = &Setting{text: NewSecret(*f.Default)}
			}
			v.Field = *f
			r.settings.values[name] = v
		case f.Required:
			message := fmt.Sprintf("plugin %q needs the setting %q", r.module.Plugin, name)
			hint := fmt.Sprintf("%s Write %s.", strings.TrimSpace(f.Help), f.line(r.module.Name))
			if r.module.settings != nil {
				r.wrong(r.module.settings.at, message, strings.TrimSpace(hint))
				continue
			}
			r.problems = append(r.problems, r.config.at(r.module.Origin, message, strings.TrimSpace("Add a settings block. "+hint)))
		}
	}
}

// at makes a problem of an origin.
func (c *Config) at(o Origin, message, hint string) Problem {
	for _, s := range c.sources {
		if o.Kind == FromFile && s.name == o.Range.Filename {
			return s.problem(o.Range, message, hint)
		}
	}
	return Problem{Origin: o, Message: message, Hint: hint}
}
