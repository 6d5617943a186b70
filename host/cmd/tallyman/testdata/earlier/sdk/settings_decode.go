// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// decodeSettings fills target, a settings struct, and tells everything that is wrong at once.
func decodeSettings(settings []setting, target reflect.Value, values map[string]*distributorv1.SettingValue) []Diagnostic {
	var found []Diagnostic
	known := make(map[string]bool, len(settings))
	for _, s := range settings {
		known[s.name] = true
		found = append(found, s.decode(target.FieldByIndex(s.index), values[s.name])...)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !known[name] {
			found = append(found, Diagnostic{Field: name, Message: "there is no such setting", Hint: hintNames(settings)})
		}
	}
	return found
}

func hintNames(settings []setting) string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name
	}
	if len(names) == 0 {
		return "This plugin has no settings."
	}
	return "There are " + strings.Join(names, ", ") + "."
}

// decode fills one field.
func (s *setting) decode(field reflect.Value, value *distributorv1.SettingValue) []Diagnostic {
	problem := func(message string) []Diagnostic {
		return []Diagnostic{{Field: s.name, Message: message, Hint: s.hint()}}
	}
	switch kind := value.GetKind().(type) {
	case nil:
		if s.required {
			return problem("is required")
		}
		if s.hasFallback {
			if message := s.setText(field, s.fallback); message != "" {
				return problem(message)
			}
		}
	case *distributorv1.SettingValue_Text:
		if field.Type() == listType || field.Type() == mapType {
			return problem("must be a " + s.typeName() + ", not a single value")
		}
		if s.required && strings.TrimSpace(kind.Text) == "" {
			return problem("is required, and is empty")
		}
		if message := s.setText(field, kind.Text); message != "" {
			return problem(message)
		}
		if s.kind == distributorv1.SettingType_SETTING_TYPE_STRING && strings.TrimSpace(kind.Text) != kind.Text {
			return []Diagnostic{{Warning: true, Field: s.name, Message: "begins or ends with white space", Hint: "Remove it unless it belongs there."}}
		}
	case *distributorv1.SettingValue_List:
		values := kind.List.GetValues()
		if field.Type() != listType {
			return problem("must be a " + s.typeName() + ", not a list")
		}
		if s.required && len(values) == 0 {
			return problem("is required, and is empty")
		}
		for _, text := range values {
			if message := s.choose(text); message != "" {
				return problem(message)
			}
		}
		field.Set(reflect.ValueOf(slices.Clone(values)))
	case *distributorv1.SettingValue_Map:
		values := kind.Map.GetValues()
		if field.Type() != mapType {
			return problem("must be a " + s.typeName() + ", not a map")
		}
		if s.required && len(values) == 0 {
			return problem("is required, and is empty")
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if message := s.choose(values[key]); message != "" {
				return problem(message)
			}
		}
		field.Set(reflect.ValueOf(maps.Clone(values)))
	}
	return nil
}

func (s *setting) hint() string {
	hint := s.help
	if len(s.choices) > 0 {
		hint = strings.TrimSpace(hint + " One of " + strings.Join(s.choices, ", ") + ".")
	}
	if s.example != "" {
		hint = strings.TrimSpace(hint + " For example " + strconv.Quote(s.example) + ".")
	}
	return hint
}

// quote shows a value in a message, unless it is secret.
func (s *setting) quote(text string) string {
	if s.secret {
		return hidden
	}
	return strconv.Quote(text)
}

func (s *setting) typeName() string {
	switch s.kind {
	case distributorv1.SettingType_SETTING_TYPE_URL:
		return "URL"
	case distributorv1.SettingType_SETTING_TYPE_INTEGER:
		return "whole number"
	case distributorv1.SettingType_SETTING_TYPE_DECIMAL:
		return "number"
	case distributorv1.SettingType_SETTING_TYPE_BOOLEAN:
		return "true or false"
	case distributorv1.SettingType_SETTING_TYPE_DURATION:
		return "duration"
	case distributorv1.SettingType_SETTING_TYPE_STRING_LIST:
		return "list of texts"
	case distributorv1.SettingType_SETTING_TYPE_STRING_MAP:
		return "map of texts"
	default:
		return "text"
	}
}

func (s *setting) choose(text string) string {
	if len(s.choices) == 0 || slices.Contains(s.choices, text) {
		return ""
	}
	return fmt.Sprintf("%s is none of the values allowed", s.quote(text))
}

// setText fills a field with a single value and gives what is wrong with it, or "".
func (s *setting) setText(field reflect.Value, text string) string {
	if problem := s.choose(text); problem != "" {
		return problem
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case s.kind == distributorv1.SettingType_SETTING_TYPE_URL:
		return s.setURL(field, trimmed)
	case field.Type() == secretType:
		field.Set(reflect.ValueOf(NewSecret(text)))
	case field.Type() == decimalType:
		number, err := ParseDecimal(text)
		if err != nil || number.IsAbsent() {
			return s.quote(text) + " is not a number"
		}
		field.Set(reflect.ValueOf(number))
	case field.Type() == durationType:
		duration, err := time.ParseDuration(trimmed)
		if err != nil {
			return s.quote(text) + ` is not a duration such as "90s" or "2m30s"`
		}
		field.SetInt(int64(duration))
	case field.Kind() == reflect.Bool:
		switch trimmed {
		case "true":
			field.SetBool(true)
		case "false":
			field.SetBool(false)
		default:
			return s.quote(text) + " is neither true nor false"
		}
	case field.CanInt():
		number, err := strconv.ParseInt(trimmed, 10, field.Type().Bits())
		if err != nil {
			return s.quote(text) + " is not a whole number in range"
		}
		field.SetInt(number)
	default:
		field.SetString(text)
	}
	return ""
}

func (s *setting) setURL(field reflect.Value, text string) string {
	if text == "" {
		return ""
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return s.quote(text) + " is not a URL"
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Host == "":
		return s.quote(text) + " is not an absolute URL; it must begin with https:// or http://"
	}
	if field.Type() == urlType {
		field.Set(reflect.ValueOf(parsed))
	} else {
		field.SetString(text)
	}
	return ""
}

// secretValues gives the texts that must never be shown.
func secretValues(settings []setting, values map[string]*distributorv1.SettingValue) []string {
	var secrets []string
	for _, s := range settings {
		if !s.secret {
			continue
		}
		value := values[s.name]
		secrets = append(secrets, value.GetText())
		secrets = append(secrets, value.GetList().GetValues()...)
		secrets = slices.AppendSeq(secrets, maps.Values(value.GetMap().GetValues()))
	}
	return secrets
}

func diagnosticsToProto(found []Diagnostic, secrets *redactor) []*distributorv1.Diagnostic {
	diagnostics := make([]*distributorv1.Diagnostic, len(found))
	for i, d := range found {
		severity := distributorv1.Severity_SEVERITY_ERROR
		if d.Warning {
			severity = distributorv1.Severity_SEVERITY_WARNING
		}
		diagnostics[i] = &distributorv1.Diagnostic{
			Severity: severity,
			Field:    errorText(secrets.text(d.Field)),
			Message:  errorText(secrets.text(d.Message)),
			Hint:     errorText(secrets.text(d.Hint)),
		}
	}
	return diagnostics
}
