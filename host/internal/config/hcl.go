// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// loader collects what the layers say.
type loader struct {
	environ map[string]string
	sources []*source
	tenants []*Tenant
	// notifications has the labelled blocks only.
	notifications Notifications
	origins       map[string]Origin
	problems      []Problem
	// exposed are secrets that others may read.
	exposed []Problem
	// first is where each block was defined first, by its key.
	first map[string]hcl.Range
	// referenced are the variables that env("…") reads anywhere in the files.
	referenced map[string]bool
}

func newLoader(environ map[string]string) *loader {
	return &loader{environ: environ, origins: map[string]Origin{}, first: map[string]hcl.Range{}, referenced: map[string]bool{}}
}

func (l *loader) problem(p Problem) { l.problems = append(l.problems, p) }

// settingsBlock is the part of a module that belongs to its plugin.
type settingsBlock struct {
	source *source
	body   *hclsyntax.Body
	// at is the block's first line.
	at hcl.Range
	// hidden is what a message must not show as long as nobody knows which settings are secret.
	hidden []span
}

// files gives the layer of the configuration files. Of broken files it gives what stands before the first mistake.
func (l *loader) files() layer {
	values := layer{}
	for _, s := range l.sources {
		if s.body != nil {
			s.hideComments()
			l.hide(s, s.body, schema)
		}
	}
	for _, s := range l.sources {
		if s.body != nil {
			(&reader{loader: l, source: s, values: values}).body(s.body, schema, "")
		}
	}
	return values
}

// reader reads one file.
type reader struct {
	*loader
	source *source
	values layer
	// tenant and module are those whose blocks are being read.
	tenant *Tenant
	module *Module
	// deferred takes problems that matter only where what is being read is used. Nil: they matter at once.
	deferred *[]Problem
}

func (r *reader) wrong(at hcl.Range, message, hint string) {
	if r.source.broken && at.End.Line >= r.source.firstBad {
		// It may only look wrong.
		return
	}
	r.problem(r.source.problem(at, message, hint))
}

// body reads what stands in a block. Keys of what is in it begin with prefix.
func (r *reader) body(body *hclsyntax.Body, b *block, prefix string) {
	attributes := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		attributes = append(attributes, a)
	}
	slices.SortFunc(attributes, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	for _, given := range attributes {
		switch a := b.attribute(given.Name); {
		case a != nil:
			r.value(prefix+a.name, a, given.Expr)
		case b.block(given.Name) != nil:
			r.wrong(given.NameRange, fmt.Sprintf("%q is a block", given.Name), fmt.Sprintf("Write %s, without an equals sign.", b.block(given.Name).form()))
		default:
			r.wrong(given.NameRange, fmt.Sprintf("there is no setting %q%s", r.shown(given.Name), where(prefix, b)), r.suggestFor(given.Name, b))
		}
	}
	for _, given := range body.Blocks {
		switch inner := b.block(given.Type); {
		case inner != nil:
			r.block(given, inner, prefix)
		case b.attribute(given.Type) != nil:
			r.wrong(given.TypeRange, fmt.Sprintf("%q is a setting, not a block", given.Type), fmt.Sprintf("Write %s = …", given.Type))
		default:
			r.wrong(given.TypeRange, fmt.Sprintf("there is no block %q%s", r.shown(given.Type), where(prefix, b)), r.suggestFor(given.Type, b))
		}
	}
}

// shown gives a name as it may be shown. In a broken file it may be anything.
func (r *reader) shown(name string) string {
	if r.source.broken && !settingForm.MatchString(name) {
		return hidden
	}
	return name
}

// suggestFor says what was meant. A name that is right elsewhere is told so.
func (r *reader) suggestFor(name string, b *block) string {
	if place := b.home(name); place != "" {
		return fmt.Sprintf("It belongs into %s.", place)
	}
	if nearest(name, b.names()) == "" {
		for _, inner := range b.blocks {
			if best := nearest(name, inner.names()); inner.labelled && best != "" {
				return fmt.Sprintf("Did you mean %q in %s?", best, inner.form())
			}
		}
	}
	if b.block(settingsName) != nil && nearest(name, b.names()) == "" {
		return "Settings of the plugin stand in its settings block. " + suggest(name, b.names())
	}
	return suggest(name, b.names())
}

// home gives where in a block the setting or block of that name has its place, or "".
func (b *block) home(name string) string {
	for _, inner := range b.blocks {
		if inner.attribute(name) != nil || inner.block(name) != nil {
			return inner.form()
		}
	}
	for _, inner := range b.blocks {
		if place := inner.home(name); place != "" {
			return strings.Replace(inner.form(), "…", place, 1)
		}
	}
	return ""
}

func (b *block) form() string {
	if b.labelled {
		return b.name + ` "name" { … }`
	}
	return b.name + " { … }"
}

func where(prefix string, b *block) string {
	if prefix == "" {
		return ""
	}
	return " in " + b.name
}

// block reads one block.
func (r *reader) block(given *hclsyntax.Block, b *block, prefix string) {
	key := prefix + b.name
	switch {
	case !b.labelled && len(given.Labels) > 0:
		r.wrong(given.LabelRanges[0], b.name+" takes no name", fmt.Sprintf("Write %s.", b.form()))
		return
	case b.labelled && len(given.Labels) != 1:
		r.wrong(given.DefRange(), fmt.Sprintf("a %s has one name", b.name), fmt.Sprintf("Write %s.", b.form()))
		return
	case b.labelled:
		if name := given.Labels[0]; !nameForm.MatchString(name) {
			r.wrong(given.LabelRanges[0], fmt.Sprintf("a %s's name consists of a-z, 0-9 and dashes, and does not begin with a dash; this is %q", b.name, name), betterName(name))
			// What stands in it is looked at all the same.
			key += ".?" + fmt.Sprint(given.DefRange().Start.Byte)
		} else {
			key += "." + name
		}
	}
	first, twice := r.first[key]
	if twice {
		name := b.name
		if b.labelled {
			name += fmt.Sprintf(" %q", given.Labels[0])
		}
		r.wrong(given.DefRange(), fmt.Sprintf("%s is defined twice; it is at %s:%d:%d, too", name, first.Filename, first.Start.Line, first.Start.Column),
			"Put both into one block.")
	} else {
		r.first[key] = given.DefRange()
	}
	inner := *r
	switch b.name {
	case "tenant":
		inner.tenant = &Tenant{Name: given.Labels[0], Origin: fileOrigin(given.DefRange())}
		if !strings.Contains(key, "?") && !twice {
			r.tenants = append(r.tenants, inner.tenant)
		}
	case "module":
		inner.module = &Module{Tenant: r.tenant.Name, Name: given.Labels[0], Origin: fileOrigin(given.DefRange())}
		if !strings.Contains(key, "?") && !twice {
			r.tenant.Modules = append(r.tenant.Modules, inner.module)
		}
		inner.deferred = &inner.module.deferred
	case "email", "webhook", "chat", "route":
		if strings.Contains(key, "?") || twice {
			break
		}
		if channel := r.notifications.add(b.name, given.Labels[0], fileOrigin(given.DefRange())); channel != nil {
			inner.deferred = &channel.deferred
		}
	case settingsName:
		if r.module.settings == nil {
			r.module.settings = r.source.settings[given.Body]
		}
		return
	}
	inner.body(given.Body, b, key+".")
	if b.name == "schedule" && !r.source.broken {
		r.schedule(given)
	}
}

// schedule checks what belongs together in a schedule.
func (r *reader) schedule(given *hclsyntax.Block) {
	daily, cron, days := given.Body.Attributes["daily_at"], given.Body.Attributes["cron"], given.Body.Attributes["days"]
	switch {
	case daily == nil && cron == nil:
		r.wrong(given.DefRange(), "a schedule needs daily_at or cron", `Write daily_at = "02:15", or remove the block.`)
	case written(daily) && written(cron):
		r.wrong(cron.NameRange, "a schedule has daily_at or cron, not both", "Remove one of them.")
	case written(cron) && days != nil:
		r.wrong(days.NameRange, "days go with daily_at; a cron expression has its own", "Write them into cron, as its last field: mon-fri.")
	}
}

// written reports whether a setting is there and more than "".
func written(a *hclsyntax.Attribute) bool {
	if a == nil {
		return false
	}
	value, diags := a.Expr.Value(nil)
	return diags.HasErrors() || value.IsNull() || value.Type() != cty.String || value.AsString() != ""
}

// betterName makes a name of a label that is not one.
func betterName(label string) string {
	name := strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		}
		return '-'
	}, label), "-")
	if !nameForm.MatchString(name) {
		return ""
	}
	return fmt.Sprintf("Write %q.", name)
}

// value reads one of the host's own settings.
func (r *reader) value(key string, a *attribute, expr hclsyntax.Expression) {
	e := evaluator{environ: r.environ, dir: r.source.dir, checkPermissions: a.kind == kindSecret}
	got, ok := e.evaluate(expr)
	for _, t := range e.troubles {
		if t.warning {
			r.expose(t.at, t.message, t.hint, t.secretIn)
			continue
		}
		if t.missing && r.deferred != nil {
			*r.deferred = append(*r.deferred, r.source.problem(t.at, t.message, t.hint))
			continue
		}
		r.wrong(t.at, t.message, t.hint)
	}
	if !ok || got.value.IsNull() {
		return
	}
	value, at, err := a.fromExpr(got, expr)
	if names, ok := value.([]string); ok && a.check == "variables" {
		for _, name := range names {
			r.referenced[name] = true
		}
	}
	if err != "" {
		r.wrong(at, shortKey(key)+" "+err, a.quoteHint(got, a.kind.distributor()))
		return
	}
	show := got.literal && a.kind != kindSecret
	if message, entry := a.wrong(value, show); message != "" {
		hint := ""
		if show {
			hint = a.hint(value)
		}
		if items := itemsOf(expr); entry >= 0 && entry < len(items) {
			at = items[entry].Range()
		}
		r.wrong(at, shortKey(key)+" "+message, hint)
		return
	}
	if text, is := value.(string); is && got.literal && a.kind == kindSecret && strings.Contains(a.shown(text), hidden) {
		r.expose(expr.Range(), shortKey(key)+" is a secret and stands in the file in clear",
			`Take it from the environment with env("…"), or from a file with file("path").`, r.source.path())
	}
	origin := fileOrigin(expr.Range())
	origin.Name = got.source
	r.values[key], r.origins[key] = value, origin
}

// expose keeps that a secret can be read in a file by others than who needs it.
func (r *reader) expose(at hcl.Range, message, hint, file string) {
	p := r.source.problem(at, message, hint)
	p.Warning, p.SecretIn = true, file
	r.exposed = append(r.exposed, p)
}
