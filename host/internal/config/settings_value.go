// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// The contract's types of settings, shorter.
const (
	anything     = distributorv1.SettingType_SETTING_TYPE_UNSPECIFIED
	typeText     = distributorv1.SettingType_SETTING_TYPE_STRING
	typeURL      = distributorv1.SettingType_SETTING_TYPE_URL
	typeWhole    = distributorv1.SettingType_SETTING_TYPE_INTEGER
	typeDecimal  = distributorv1.SettingType_SETTING_TYPE_DECIMAL
	typeBoolean  = distributorv1.SettingType_SETTING_TYPE_BOOLEAN
	typeDuration = distributorv1.SettingType_SETTING_TYPE_DURATION
	typeList     = distributorv1.SettingType_SETTING_TYPE_STRING_LIST
	typeMap      = distributorv1.SettingType_SETTING_TYPE_STRING_MAP
)

// expects says what to write for a setting.
func (f *Field) expects() string {
	switch f.Type {
	case typeText:
		return kindText.expected()
	case typeURL:
		return `a URL in quotes that begins with "https://" or "http://"`
	case typeWhole:
		return kindWhole.expected()
	case typeDecimal:
		return "a number"
	case typeBoolean:
		return kindFlag.expected()
	case typeDuration:
		return kindDuration.expected()
	case typeList:
		return kindTexts.expected()
	case typeMap:
		return `texts by name, such as { name = "text" }`
	default:
		return "text, a number, true, false, a list of texts or texts by name"
	}
}

// about gives the plugin's help.
func (f *Field) about() string {
	about := strings.TrimSpace(f.Help)
	if f.Example != "" && !f.Secret {
		about = strings.TrimSpace(about + fmt.Sprintf(" For example %q.", f.Example))
	}
	return about
}

// take reads a setting from a file. What is wrong with it goes on "client_id …" and comes with its place.
func (f *Field) take(got evaluated, expr hclsyntax.Expression) (*Setting, string, hcl.Range) {
	at := expr.Range()
	wrong := func() (*Setting, string, hcl.Range) {
		return nil, fmt.Sprintf("must be %s, not %s", f.expects(), typeName(got.value)), at
	}
	text, isText := textOf(got)
	t := f.Type
	if t < anything || t > typeMap {
		t = anything
	}
	switch {
	case isList(got.value) && (t == typeList || t == anything):
		return f.takeList(got, expr)
	case isObject(got.value) && (t == typeMap || t == anything):
		return f.takeMap(got, expr)
	case isList(got.value), isObject(got.value), t == typeList, t == typeMap:
		return wrong()
	case isText:
		v, message := f.scalar(text, got.literal)
		return v, message, at
	case got.value.Type() == cty.Bool && (t == typeBoolean || t == anything):
		return &Setting{kind: typeText, text: NewSecret(strconv.FormatBool(got.value.True()))}, "", at
	case got.value.Type() == cty.Number && (t == typeWhole || t == typeDecimal || t == anything) && sensible(got.value):
		if _, whole := wholeOf(got.value); t == typeWhole && !whole {
			return wrong()
		}
		v, message := f.scalar(got.value.AsBigFloat().Text('f', -1), got.literal)
		return v, message, at
	default:
		return wrong()
	}
}

func isObject(v cty.Value) bool {
	t := v.Type()
	return !v.IsNull() && (t.IsObjectType() || t.IsMapType())
}

func (f *Field) takeList(got evaluated, expr hclsyntax.Expression) (*Setting, string, hcl.Range) {
	at := expr.Range()
	items := itemsOf(expr)
	v := &Setting{kind: typeList, list: []Secret{}}
	for i, item := range got.value.AsValueSlice() {
		where := at
		if i < len(items) {
			where = items[i].Range()
		}
		if item.IsNull() || item.Type() != cty.String {
			return nil, fmt.Sprintf("entry %d must be text in quotes, not %s", i+1, typeName(item)), where
		}
		if message := f.choose(item.AsString(), got.literal); message != "" {
			return nil, fmt.Sprintf("entry %d %s", i+1, message), where
		}
		v.list = append(v.list, NewSecret(item.AsString()))
	}
	if f.Required && len(v.list) == 0 {
		return nil, "is required, and is empty", at
	}
	return v, "", at
}

func (f *Field) takeMap(got evaluated, expr hclsyntax.Expression) (*Setting, string, hcl.Range) {
	at := expr.Range()
	places := map[string]hcl.Range{}
	if object, ok := expr.(*hclsyntax.ObjectConsExpr); ok {
		for _, item := range object.Items {
			key := keyOf(item.KeyExpr)
			if _, twice := places[key]; twice && key != "" {
				return nil, fmt.Sprintf("has %q twice", key), item.KeyExpr.Range()
			}
			places[key] = item.ValueExpr.Range()
		}
	}
	v := &Setting{kind: typeMap, texts: map[string]Secret{}}
	values := got.value.AsValueMap()
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		item, where := values[name], at
		if r, ok := places[name]; ok {
			where = r
		}
		if item.IsNull() || item.Type() != cty.String {
			return nil, fmt.Sprintf("%q must be text in quotes, not %s", name, typeName(item)), where
		}
		if message := f.choose(item.AsString(), got.literal); message != "" {
			return nil, fmt.Sprintf("%q %s", name, message), where
		}
		v.texts[name] = NewSecret(item.AsString())
	}
	if f.Required && len(v.texts) == 0 {
		return nil, "is required, and is empty", at
	}
	return v, "", at
}

// takeText reads a setting from text, as variables, flags and defaults give it. A list is separated by commas or is JSON,
// texts by name are JSON.
func (f *Field) takeText(text string) (*Setting, string) {
	if !utf8.ValidString(text) {
		return nil, "must be UTF-8 text"
	}
	switch f.Type {
	case typeList:
		list, err := splitTexts(text)
		if err != nil {
			return nil, err.Error()
		}
		v := &Setting{kind: typeList, list: []Secret{}}
		for i, item := range list {
			if message := f.choose(item, false); message != "" {
				return nil, fmt.Sprintf("entry %d %s", i+1, message)
			}
			v.list = append(v.list, NewSecret(item))
		}
		if f.Required && len(list) == 0 {
			return nil, "is required, and is empty"
		}
		return v, ""
	case typeMap:
		texts := map[string]string{}
		if err := json.Unmarshal([]byte(text), &texts); err != nil || texts == nil {
			return nil, `must be JSON: {"name": "text"}`
		}
		v := &Setting{kind: typeMap, texts: map[string]Secret{}}
		for name, item := range texts {
			if message := f.choose(item, false); message != "" {
				return nil, fmt.Sprintf("%q %s", name, message)
			}
			v.texts[name] = NewSecret(item)
		}
		if f.Required && len(texts) == 0 {
			return nil, "is required, and is empty"
		}
		return v, ""
	default:
		return f.scalar(text, false)
	}
}

// decimalForm is what a number looks like. An exponent is bounded, so that it can be written down.
var decimalForm = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$`)

// scalar checks a single value. Its text goes to the plugin as it is. Only a literal may be quoted in a message.
func (f *Field) scalar(text string, literal bool) (*Setting, string) {
	trimmed := strings.TrimSpace(text)
	if f.Required && trimmed == "" {
		return nil, "is required, and is empty"
	}
	if message := f.choose(text, literal); message != "" {
		return nil, message
	}
	ok := true
	switch f.Type {
	case typeURL:
		if trimmed != "" {
			u, err := url.Parse(trimmed)
			ok = err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
		}
	case typeWhole:
		_, err := strconv.ParseInt(trimmed, 10, 64)
		ok = err == nil
		if errors.Is(err, strconv.ErrRange) {
			return nil, "is a number too large"
		}
	case typeDecimal:
		ok = decimalForm.MatchString(trimmed) && len(trimmed) <= 1000
		if ok {
			_, ok = new(big.Rat).SetString(trimmed)
		}
	case typeBoolean:
		ok = trimmed == "true" || trimmed == "false"
	case typeDuration:
		_, err := time.ParseDuration(trimmed)
		ok = err == nil
	}
	if !ok {
		if literal && !f.Secret {
			return nil, fmt.Sprintf("must be %s; it is %q", f.expects(), text)
		}
		return nil, "must be " + f.expects()
	}
	return &Setting{kind: typeText, text: NewSecret(text)}, ""
}

func (f *Field) choose(text string, literal bool) string {
	if len(f.Choices) == 0 || slices.Contains(f.Choices, text) {
		return ""
	}
	if literal && !f.Secret {
		return fmt.Sprintf("must be %s; it is %q", orList(f.Choices), text)
	}
	return "must be " + orList(f.Choices)
}

// nearestChoice says which of the choices was probably meant, or "".
func (f *Field) nearestChoice(got evaluated) string {
	text, ok := textOf(got)
	if !ok || !got.literal || f.Secret || len(f.Choices) == 0 {
		return ""
	}
	if best := nearest(text, f.Choices); best != "" {
		return fmt.Sprintf("Did you mean %q?", best)
	}
	return ""
}

// line gives an example of how a setting is written.
func (f *Field) line(module string) string {
	name := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
	return name + " = " + f.placeholder(variableFor(module, f.Name))
}

// placeholder gives what stands for a value that is still to be filled in.
func (f *Field) placeholder(variable string) string {
	switch {
	case f.Type == typeList:
		return "[]"
	case f.Type == typeMap:
		return "{}"
	case f.Secret:
		return fmt.Sprintf("env(%q)", variable)
	case f.Type == typeText || f.Type == typeURL || f.Type == anything || f.Type == typeDuration:
		return `""`
	default:
		return "null"
	}
}

// variableFor derives a variable's name: RHIPE_NZ_CLIENT_SECRET.
func variableFor(module, setting string) string { return spelt(module + "." + setting) }
