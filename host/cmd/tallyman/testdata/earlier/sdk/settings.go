// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// setting is one field of a settings struct, as its tags describe it.
type setting struct {
	name          string
	index         []int
	kind          distributorv1.SettingType
	required      bool
	secret        bool
	fallback      string
	hasFallback   bool
	choices       []string
	help, example string
}

var (
	settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

	secretType   = reflect.TypeFor[Secret]()
	decimalType  = reflect.TypeFor[Decimal]()
	durationType = reflect.TypeFor[time.Duration]()
	urlType      = reflect.TypeFor[*url.URL]()
	listType     = reflect.TypeFor[[]string]()
	mapType      = reflect.TypeFor[map[string]string]()
)

// settingsOf reads the tags of a settings struct. The error names every mistake; all are the vendor's, at build time.
func settingsOf(t reflect.Type) ([]setting, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("settings are %s; they must be a struct", t)
	}
	var (
		settings []setting
		problems []error
		seen     = map[string]bool{}
	)
	var walk func(t reflect.Type, prefix string, index []int)
	walk = func(t reflect.Type, prefix string, index []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			at := append(slices.Clone(index), i)
			tag, tagged := f.Tag.Lookup("setting")
			problem := func(format string, args ...any) {
				problems = append(problems, fmt.Errorf("field %s.%s: %w", t, f.Name, fmt.Errorf(format, args...)))
			}
			switch {
			case tag == "-":
				continue
			case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct:
				walk(f.Type, prefix, at)
				continue
			case !tagged && !f.IsExported():
				continue
			case !tagged:
				problem(`has no setting tag; give it a name, or setting:"-" to leave it out`)
				continue
			case !f.IsExported():
				problem("is not exported, so it cannot be filled")
				continue
			}
			options := strings.Split(tag, ",")
			name := options[0]
			if !settingName.MatchString(name) {
				problem("setting name %q is not of the form [a-z][a-z0-9_]*", name)
				continue
			}
			if seen[prefix+name] {
				problem("setting %q exists already", prefix+name)
				continue
			}
			seen[prefix+name] = true
			if isGroup(f.Type) {
				if len(options) > 1 {
					problem("a group of settings takes no options")
				}
				walk(f.Type, prefix+name+".", at)
				continue
			}
			s, err := readTags(f, options[1:])
			if err != nil {
				problem("%w", err)
				continue
			}
			s.name, s.index = prefix+name, at
			settings = append(settings, s)
		}
	}
	walk(t, "", nil)
	return settings, errors.Join(problems...)
}

// isGroup reports whether a field's type holds further settings.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != secretType && t != decimalType
}

func readTags(f reflect.StructField, options []string) (setting, error) {
	s := setting{help: f.Tag.Get("help"), example: f.Tag.Get("example")}
	isURL := false
	for _, option := range options {
		switch option {
		case "required":
			s.required = true
		case "secret":
			s.secret = true
		case "url":
			isURL = true
		default:
			return s, fmt.Errorf("unknown option %q; there are required, secret and url", option)
		}
	}
	var err error
	if s.kind, err = kindOf(f.Type, isURL); err != nil {
		return s, err
	}
	s.secret = s.secret || f.Type == secretType
	if choices := f.Tag.Get("choices"); choices != "" {
		s.choices = strings.Split(choices, "|")
	}
	s.fallback, s.hasFallback = f.Tag.Lookup("default")
	if s.hasFallback {
		switch {
		case s.required:
			return s, errors.New("is required and has a default; it can be one of them")
		case s.secret:
			return s, errors.New("is secret and has a default; a secret must come from the operator")
		case f.Type == listType || f.Type == mapType:
			return s, errors.New("lists and maps cannot have a default")
		}
		probe := reflect.New(f.Type).Elem()
		if problem := s.setText(probe, s.fallback); problem != "" {
			return s, fmt.Errorf("default %s", problem)
		}
	}
	return s, nil
}

func kindOf(t reflect.Type, isURL bool) (distributorv1.SettingType, error) {
	if isURL && t.Kind() != reflect.String && t != urlType {
		return 0, fmt.Errorf("type %s cannot be a URL; use string or *url.URL", t)
	}
	switch {
	case isURL || t == urlType:
		return distributorv1.SettingType_SETTING_TYPE_URL, nil
	case t == secretType, t.Kind() == reflect.String:
		return distributorv1.SettingType_SETTING_TYPE_STRING, nil
	case t == decimalType:
		return distributorv1.SettingType_SETTING_TYPE_DECIMAL, nil
	case t == durationType:
		return distributorv1.SettingType_SETTING_TYPE_DURATION, nil
	case t.Kind() == reflect.Bool:
		return distributorv1.SettingType_SETTING_TYPE_BOOLEAN, nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int32, t.Kind() == reflect.Int64:
		return distributorv1.SettingType_SETTING_TYPE_INTEGER, nil
	case t == listType:
		return distributorv1.SettingType_SETTING_TYPE_STRING_LIST, nil
	case t == mapType:
		return distributorv1.SettingType_SETTING_TYPE_STRING_MAP, nil
	}
	return 0, fmt.Errorf("type %s cannot be a setting; see the package documentation", t)
}

// describeSettings gives the schema for Describe.
func describeSettings(settings []setting) []*distributorv1.SettingField {
	fields := make([]*distributorv1.SettingField, len(settings))
	for i, s := range settings {
		fields[i] = &distributorv1.SettingField{
			Name: s.name, Type: s.kind, Required: s.required, Secret: s.secret,
			Choices: s.choices, Help: s.help, Example: s.example,
		}
		if s.hasFallback {
			fields[i].DefaultValue = &settings[i].fallback
		}
	}
	return fields
}
