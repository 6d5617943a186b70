// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// Field is what a plugin says about one of its settings.
type Field struct {
	// Name may be dotted: "paths.customers".
	Name string
	// Type is unspecified where the host does not know it; the plugin checks then.
	Type     distributorv1.SettingType
	Required bool
	// Secret settings are never shown.
	Secret bool
	// Default is the value used when the setting is absent. Nil: none.
	Default *string
	// Choices are the values allowed. Empty: any.
	Choices []string
	// Help says what it is; Example is not a real value.
	Help, Example string
}

// Setting is the value of one of a plugin's settings. Printed, it shows nothing.
type Setting struct {
	Field  Field
	Origin Origin

	kind  distributorv1.SettingType
	text  Secret
	list  []Secret
	texts map[string]Secret
	// unset settings could not be read: a variable is not set, say. Only a look at the configuration has them.
	unset bool
	// note says why, in two or three words.
	note string
}

// Settings are a module's, checked against what its plugin takes, with defaults filled in.
type Settings struct {
	// Warnings are worth a look and keep nothing from running.
	Warnings []Problem

	module *Module
	hidden []span
	fields []Field
	values map[string]*Setting
	order  []string
}

// All gives the settings in the plugin's order.
func (s *Settings) All() []*Setting {
	all := make([]*Setting, len(s.order))
	for i, name := range s.order {
		all[i] = s.values[name]
	}
	return all
}

// Wire gives the settings as they are handed to the plugin. They hold the secrets.
func (s *Settings) Wire() map[string]*distributorv1.SettingValue {
	wire := make(map[string]*distributorv1.SettingValue, len(s.values))
	for name, v := range s.values {
		if !v.unset {
			wire[name] = v.wire()
		}
	}
	return wire
}

func (v *Setting) wire() *distributorv1.SettingValue {
	switch v.kind {
	case distributorv1.SettingType_SETTING_TYPE_STRING_LIST:
		list := make([]string, len(v.list))
		for i, item := range v.list {
			list[i] = item.Reveal()
		}
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_List{List: &distributorv1.StringList{Values: list}}}
	case distributorv1.SettingType_SETTING_TYPE_STRING_MAP:
		texts := make(map[string]string, len(v.texts))
		for key, item := range v.texts {
			texts[key] = item.Reveal()
		}
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Map{Map: &distributorv1.StringMap{Values: texts}}}
	default:
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: v.text.Reveal()}}
	}
}

// Refuse turns what a plugin said about its settings into a problem with its place. An empty field, or one that nobody
// set, is about the settings as a whole.
func (s *Settings) Refuse(c *Config, field, message, hint string) error {
	text := fmt.Sprintf("plugin %q refuses its settings: %s", s.module.Plugin, message)
	if field != "" {
		text = fmt.Sprintf("plugin %q refuses %s: %s", s.module.Plugin, field, message)
	}
	origin := s.module.Origin
	if s.module.settings != nil {
		origin = fileOrigin(s.module.settings.at)
	}
	if v := s.values[field]; v != nil && v.Origin.Kind != "" {
		origin = v.Origin
	}
	if block := s.module.settings; block != nil && origin.Kind == FromFile && origin.Range.Filename == block.source.name {
		return &Error{Problems: []Problem{block.source.problemHiding(origin.Range, text, hint, block, s.hidden)}}
	}
	return &Error{Problems: []Problem{c.at(origin, text, hint)}}
}
