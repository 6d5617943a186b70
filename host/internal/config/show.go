// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Entry is one effective value and where it comes from.
type Entry struct {
	// Key is the whole key: tenant.acme.module.rhipe.customers.unmatched.
	Key string `json:"key"`
	// Value is text, bool, int, []string or map[string]string. A secret is "***". Nil: it could not be read.
	Value  any    `json:"value"`
	Origin Origin `json:"origin"`
	Secret bool   `json:"secret,omitempty"`
	// Note says why there is no value.
	Note string `json:"note,omitempty"`
}

// HostEntries gives the host's own settings that belong to no tenant.
func (c *Config) HostEntries() []Entry { return c.entriesOf(schema, "") }

// ModuleEntries gives the host's own settings of one module.
func (c *Config) ModuleEntries(m *Module) []Entry {
	return c.entriesOf(schema.block("tenant").block("module"), m.key()+".")
}

// TenantEntries gives the host's own settings of one tenant, without its modules.
func (c *Config) TenantEntries(t *Tenant) []Entry {
	return c.entriesOf(schema.block("tenant"), "tenant."+t.Name+".")
}

func (c *Config) entriesOf(b *block, prefix string) []Entry {
	var entries []Entry
	b.walk(prefix, func(key string, _ []int, a *attribute) {
		e := Entry{Key: key, Value: c.values.Get(key), Origin: c.origins[key]}
		if text, ok := e.Value.(string); ok && a.kind == kindSecret {
			e.Value = a.shown(text)
			e.Secret = e.Value != text
		}
		entries = append(entries, e)
	})
	return entries
}

// shown gives a secret as it may be shown.
func (a *attribute) shown(text string) string {
	switch {
	case text == "":
		return ""
	case a.check == "database":
		return ShownURL(text)
	default:
		return hidden
	}
}

// What stands instead of a value.
const (
	noteNotSet     = "not set"
	noteUnreadable = "cannot be read here"
)

// Entries gives the plugin's settings as they may be shown, those without a value too.
func (s *Settings) Entries() []Entry {
	entries := make([]Entry, 0, len(s.fields))
	for i, f := range s.fields {
		if slices.ContainsFunc(s.fields[:i], func(before Field) bool { return before.Name == f.Name }) {
			continue
		}
		key := s.module.key() + "." + settingsName + "." + f.Name
		v := s.values[f.Name]
		if v == nil {
			entries = append(entries, Entry{Key: key, Secret: f.Secret, Note: noteNotSet})
			continue
		}
		e := Entry{Key: key, Origin: v.Origin, Secret: f.Secret}
		switch {
		case v.unset:
			e.Note = v.note
		case v.Field.Secret:
			e.Value = hidden
		case v.kind == typeList:
			list := make([]string, len(v.list))
			for i, item := range v.list {
				list[i] = item.Reveal()
			}
			e.Value = list
		case v.kind == typeMap:
			texts := make(map[string]string, len(v.texts))
			for name, item := range v.texts {
				texts[name] = item.Reveal()
			}
			e.Value = texts
		default:
			e.Value = v.text.Reveal()
		}
		entries = append(entries, e)
	}
	return entries
}

// WrittenSettings gives a module's settings as they are written, for when the plugin cannot be asked which of them are
// secret: names and places, and of the values only what env and file read.
func (c *Config) WrittenSettings(m *Module) []Entry {
	var entries []Entry
	if m.settings != nil {
		entries = c.writtenIn(m.settings.body, m.key()+"."+settingsName+".")
	}
	for _, o := range m.overrides {
		name := o.name
		if o.origin.Kind == FromEnv {
			name = strings.ToLower(name)
		}
		entries = append(entries, Entry{Key: m.key() + "." + settingsName + "." + name, Value: hidden, Secret: true, Origin: o.origin})
	}
	return entries
}

func (c *Config) writtenIn(body *hclsyntax.Body, prefix string) []Entry {
	var entries []Entry
	for _, a := range body.Attributes {
		e := Entry{Key: prefix + a.Name, Origin: fileOrigin(a.Expr.Range()), Value: hidden, Secret: true}
		if name, arg, ok := call(a.Expr); ok {
			e.Origin.Name = name + " " + argument(arg)
			if _, set := c.environ[argument(arg)]; name == "env" && !set {
				e.Value, e.Note = nil, noteNotSet
			}
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Origin.Range.Start.Byte - b.Origin.Range.Start.Byte })
	for _, inner := range body.Blocks {
		entries = append(entries, c.writtenIn(inner.Body, prefix+inner.Type+".")...)
	}
	return entries
}

// Text gives the value as it stands in a table.
func (e Entry) Text() string {
	switch value := e.Value.(type) {
	case nil:
		return "(" + e.Note + ")"
	case []string:
		return "[" + strings.Join(value, ", ") + "]"
	case map[string]string:
		parts := make([]string, 0, len(value))
		for name, text := range value {
			parts = append(parts, name+" = "+text)
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case time.Duration:
		return shortDuration(value)
	default:
		return fmt.Sprint(value)
	}
}
