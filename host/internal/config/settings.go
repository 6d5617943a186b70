// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Value is one of a plugin's settings: a text, several texts, or texts by name.
type Value struct {
	Text string
	List []string
	Map  map[string]string
	// Range is where it was written.
	Range hcl.Range
}

// Field is what a plugin says about one of its settings.
type Field struct {
	Name     string
	Required bool
	Secret   bool
	Default  *string
	Choices  []string
	Help     string
}

// ResolveSettings evaluates a module's settings and checks them against what the plugin takes. Defaults are filled in.
func (c *Config) ResolveSettings(m *Module, fields []Field) (map[string]Value, error) {
	var diags hcl.Diagnostics
	values := map[string]Value{}
	known := map[string]Field{}
	for _, f := range fields {
		known[f.Name] = f
	}
	if m.Settings != nil {
		attributes, more := m.Settings.Body.JustAttributes()
		diags = append(diags, more...)
		for name, attribute := range attributes {
			value, more := attribute.Expr.Value(evalContext(c.Dir))
			diags = append(diags, more...)
			if more.HasErrors() {
				continue
			}
			diags = append(diags, c.take(values, known, name, value, attribute)...)
		}
	}
	missing := m.DefRange
	if m.Settings != nil {
		missing = m.Settings.DefRange
	}
	for _, f := range fields {
		if _, given := values[f.Name]; given || diags.HasErrors() {
			continue
		}
		switch {
		case f.Default != nil:
			values[f.Name] = Value{Text: *f.Default, Range: missing}
		case f.Required:
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Missing setting",
				Detail:  fmt.Sprintf("The plugin needs the setting %q: %s", f.Name, f.Help),
				Subject: missing.Ptr(),
			})
		}
	}
	if diags.HasErrors() {
		return nil, c.masked(diags)
	}
	return values, nil
}

// take checks one setting. An object stands for nested settings with dotted names, or for texts by name.
func (c *Config) take(values map[string]Value, known map[string]Field, name string, value cty.Value, at *hcl.Attribute) hcl.Diagnostics {
	field, ok := known[name]
	if !ok {
		if value.Type().IsObjectType() && hasPrefix(known, name+".") {
			var diags hcl.Diagnostics
			for inner, v := range value.AsValueMap() {
				diags = append(diags, c.take(values, known, name+"."+inner, v, at)...)
			}
			return diags
		}
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Unknown setting", Subject: at.NameRange.Ptr(),
			Detail: fmt.Sprintf("The plugin has no setting %q.%s", name, suggestion(name, known)),
		}}
	}
	v := Value{Range: at.Expr.Range()}
	wrong := func(detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong setting", Subject: at.Expr.Range().Ptr(), Detail: detail}}
	}
	switch t := value.Type(); {
	case value.IsNull():
		return nil
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		for _, element := range value.AsValueSlice() {
			text, err := convert.Convert(element, cty.String)
			if err != nil || text.IsNull() {
				return wrong(fmt.Sprintf("Every element of %q must be a text.", name))
			}
			v.List = append(v.List, text.AsString())
		}
	case t.IsObjectType() || t.IsMapType():
		v.Map = map[string]string{}
		for key, element := range value.AsValueMap() {
			text, err := convert.Convert(element, cty.String)
			if err != nil || text.IsNull() {
				return wrong(fmt.Sprintf("Every value of %q must be a text.", name))
			}
			v.Map[key] = text.AsString()
		}
	default:
		text, err := convert.Convert(value, cty.String)
		if err != nil {
			return wrong(fmt.Sprintf("%q must be a text, a number or true or false.", name))
		}
		v.Text = text.AsString()
	}
	if len(field.Choices) > 0 && !slices.Contains(field.Choices, v.Text) {
		return wrong(fmt.Sprintf("%q is one of %s.", name, strings.Join(field.Choices, ", ")))
	}
	values[name] = v
	return nil
}

// Refuse turns what a plugin said about its settings into an error with file, line and column.
func (c *Config) Refuse(m *Module, values map[string]Value, field, message, hint string) error {
	at := m.DefRange
	if v, ok := values[field]; ok {
		at = v.Range
	}
	return c.masked(hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "The plugin refuses its settings", Subject: at.Ptr(),
		Detail: strings.TrimSpace(fmt.Sprintf("%s: %s. %s", field, message, hint)),
	}})
}

// masked makes an error that shows places but no source lines: a settings block may hold a secret.
func (c *Config) masked(diags hcl.Diagnostics) error {
	for _, d := range diags {
		// The values of variables and functions could be secrets, too.
		d.Expression, d.EvalContext = nil, nil
	}
	return &Error{Diags: diags, files: nil}
}

func hasPrefix(known map[string]Field, prefix string) bool {
	for name := range known {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// suggestion names the setting that was probably meant, if there is one.
func suggestion(name string, known map[string]Field) string {
	best, distance := "", len(name)/3+1
	for candidate := range known {
		d := levenshtein.Distance(name, candidate, nil)
		if d < distance || d == distance && candidate < best {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}
