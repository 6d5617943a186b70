// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// loader collects what the layers say.
type loader struct {
	environ  map[string]string
	sources  []*source
	tenants  []*Tenant
	origins  map[string]Origin
	problems []Problem
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

// hide marks what messages must not show before the first of them is made.
func (l *loader) hide(s *source, body *hclsyntax.Body, b *block) {
	if s.hidden == nil {
		for _, t := range s.tokens {
			if t.Type == hclsyntax.TokenComment {
				s.hidden = append(s.hidden, span{t.Range.Start.Byte, t.Range.Start.Byte + len(strings.TrimRight(string(t.Bytes), "\r\n"))})
			}
		}
	}
	for _, attribute := range body.Attributes {
		if a := b.attribute(attribute.Name); a == nil || a.kind == kindSecret {
			s.hidden = append(s.hidden, l.hiddenIn(attribute.Expr)...)
		}
		l.note(attribute.Expr)
	}
	for _, inner := range body.Blocks {
		switch known := b.block(inner.Type); {
		case known == nil:
			for _, r := range inner.LabelRanges {
				s.hidden = append(s.hidden, spanOf(r))
			}
			from, to := inner.OpenBraceRange.End.Byte, inner.CloseBraceRange.Start.Byte
			for from < to && isBlank(s.bytes[from]) {
				from++
			}
			for from < to && isBlank(s.bytes[to-1]) {
				to--
			}
			s.hidden = append(s.hidden, span{from, to})
		case known.opaque:
			settings := &settingsBlock{source: s, body: inner.Body, at: inner.DefRange()}
			for _, r := range inner.LabelRanges {
				s.hidden = append(s.hidden, spanOf(r))
			}
			settings.hidden = l.hiddenInBody(inner.Body)
			s.settings = append(s.settings, settings)
		default:
			if !known.labelled {
				for _, r := range inner.LabelRanges {
					s.hidden = append(s.hidden, spanOf(r))
				}
			}
			l.hide(s, inner.Body, known)
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// hiddenInBody hides all values of a body that belongs to a plugin.
func (l *loader) hiddenInBody(body *hclsyntax.Body) []span {
	var parts []span
	for _, attribute := range body.Attributes {
		parts = append(parts, l.hiddenIn(attribute.Expr)...)
		l.note(attribute.Expr)
	}
	for _, inner := range body.Blocks {
		for _, r := range inner.LabelRanges {
			parts = append(parts, spanOf(r))
		}
		parts = append(parts, l.hiddenInBody(inner.Body)...)
	}
	return parts
}

// hiddenIn hides an expression, unless it is an env or a file: these may be shown.
func (l *loader) hiddenIn(expr hclsyntax.Expression) []span {
	if _, arg, ok := call(expr); ok && argument(arg) != "" {
		return nil
	}
	return []span{spanOf(expr.Range())}
}

// note remembers the variables an expression reads.
func (l *loader) note(expr hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if e, ok := node.(hclsyntax.Expression); ok {
			if name, arg, ok := call(e); ok && name == "env" {
				l.referenced[argument(arg)] = true
			}
		}
		return nil
	})
}

// reader reads one file.
type reader struct {
	*loader
	source *source
	values layer
	// tenant and module are those whose blocks are being read.
	tenant *Tenant
	module *Module
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
	if first, twice := r.first[key]; twice {
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
		if !strings.Contains(key, "?") && !r.hasTenant(inner.tenant.Name) {
			r.tenants = append(r.tenants, inner.tenant)
		}
	case "module":
		inner.module = &Module{Tenant: r.tenant.Name, Name: given.Labels[0], Origin: fileOrigin(given.DefRange())}
		if !strings.Contains(key, "?") && !slices.ContainsFunc(r.tenant.Modules, func(m *Module) bool { return m.Name == inner.module.Name }) {
			r.tenant.Modules = append(r.tenant.Modules, inner.module)
		}
	case settingsName:
		for _, s := range r.source.settings {
			if s.body == given.Body && r.module.settings == nil {
				r.module.settings = s
			}
		}
		return
	}
	inner.body(given.Body, b, key+".")
	if b.name == "schedule" && !r.source.broken && given.Body.Attributes["daily_at"] == nil {
		r.wrong(given.DefRange(), "a schedule needs daily_at", `Write daily_at = "02:15", or remove the block.`)
	}
}

func (l *loader) hasTenant(name string) bool {
	return slices.ContainsFunc(l.tenants, func(t *Tenant) bool { return t.Name == name })
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
	e := evaluator{environ: r.environ, dir: r.source.dir}
	got, ok := e.evaluate(expr)
	for _, t := range e.troubles {
		if t.missing && r.module != nil {
			r.module.deferred = append(r.module.deferred, r.source.problem(t.at, t.message, t.hint))
			continue
		}
		r.wrong(t.at, t.message, t.hint)
	}
	if !ok || got.value.IsNull() {
		return
	}
	value, at, err := a.fromExpr(got, expr)
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
	origin := fileOrigin(expr.Range())
	origin.Name = got.source
	r.values[key], r.origins[key] = value, origin
}

// shortKey gives a key as messages name it: customers.unmatched for tenant.acme.module.rhipe.customers.unmatched.
func shortKey(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) > 4 && parts[2] == "module" {
		return strings.Join(parts[4:], ".")
	}
	if len(parts) > 2 && parts[0] == "tenant" {
		return strings.Join(parts[2:], ".")
	}
	return key
}

// fromExpr reads a value from a file. What is wrong is told with its place.
func (a *attribute) fromExpr(got evaluated, expr hclsyntax.Expression) (any, hcl.Range, string) {
	at := expr.Range()
	text, isText := textOf(got)
	switch a.kind {
	case kindWhole:
		if isText {
			n, err := a.fromText(text)
			if err != nil {
				return nil, at, err.Error()
			}
			return n, at, ""
		}
		if n, ok := wholeOf(got.value); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			return int(n), at, ""
		}
	case kindFlag:
		if got.value.Type() == cty.Bool {
			return got.value.True(), at, ""
		}
		if isText {
			if flag, err := a.fromText(text); err == nil {
				return flag, at, ""
			}
		}
	case kindTexts:
		if !isList(got.value) {
			break
		}
		items := itemsOf(expr)
		list := []string{}
		for i, item := range got.value.AsValueSlice() {
			if item.Type() != cty.String || item.IsNull() {
				if i < len(items) {
					at = items[i].Range()
				}
				return nil, at, fmt.Sprintf("entry %d must be text in quotes, not %s", i+1, typeName(item))
			}
			list = append(list, item.AsString())
		}
		return list, at, ""
	default:
		if isText {
			return text, at, ""
		}
	}
	return nil, at, fmt.Sprintf("must be %s, not %s", a.kind.expected(), typeName(got.value))
}

// quoteHint helps who forgot quotes or a unit.
func (a *attribute) quoteHint(got evaluated, t distributorv1.SettingType) string {
	return quoteHint(got, t, a.kind != kindSecret)
}

// distributor gives the contract's type that is closest.
func (k kind) distributor() distributorv1.SettingType {
	switch k {
	case kindDuration:
		return distributorv1.SettingType_SETTING_TYPE_DURATION
	case kindText:
		return distributorv1.SettingType_SETTING_TYPE_STRING
	}
	return distributorv1.SettingType_SETTING_TYPE_UNSPECIFIED
}

// quoteHint says how a value that was given without quotes is to be written.
func quoteHint(got evaluated, t distributorv1.SettingType, show bool) string {
	if !got.literal || !show || got.value.IsNull() {
		return ""
	}
	n, whole := wholeOf(got.value)
	switch {
	case whole && t == distributorv1.SettingType_SETTING_TYPE_DURATION:
		return fmt.Sprintf("Write \"%ds\" for seconds, or \"%dm\" for minutes.", n, n)
	case whole && t == distributorv1.SettingType_SETTING_TYPE_STRING:
		return "Put it in quotes."
	case got.value.Type() == cty.Bool && t == distributorv1.SettingType_SETTING_TYPE_STRING:
		return "Put it in quotes."
	}
	return ""
}

// textOf gives the value if it is text, exactly as it was read.
func textOf(got evaluated) (string, bool) {
	if got.text != nil {
		return *got.text, true
	}
	if got.value.Type() == cty.String && !got.value.IsNull() {
		return got.value.AsString(), true
	}
	return "", false
}

// wholeOf gives the value if it is a whole number.
func wholeOf(v cty.Value) (int64, bool) {
	if v.IsNull() || v.Type() != cty.Number || !sensible(v) {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	return n, accuracy == big.Exact
}

func isList(v cty.Value) bool {
	t := v.Type()
	return !v.IsNull() && (t.IsTupleType() || t.IsListType() || t.IsSetType())
}

// itemsOf gives the parts of a list as it is written, or nil.
func itemsOf(expr hclsyntax.Expression) []hclsyntax.Expression {
	if tuple, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		return tuple.Exprs
	}
	return nil
}

// typeName says what a value is.
func typeName(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "text"
	case t == cty.Number:
		switch _, whole := wholeOf(v); {
		case whole:
			return "a number"
		case v.AsBigFloat().IsInt():
			return "a number so large"
		}
		return "a number with a fraction"
	case t == cty.Bool:
		return fmt.Sprint(v.True())
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	default:
		return "an object"
	}
}
