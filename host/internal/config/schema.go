// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a setting holds.
type kind int

const (
	kindText kind = iota
	kindSecret
	kindWhole
	kindFlag
	kindTexts
	kindDuration
	kindTime
)

// expected says what to write.
func (k kind) expected() string {
	switch k {
	case kindWhole:
		return "a whole number"
	case kindFlag:
		return "true or false"
	case kindTexts:
		return `a list of texts, such as ["one", "two"]`
	case kindDuration:
		return `a duration, such as "90s" or "2h"`
	case kindTime:
		return `a time of day in 24 hours, such as "02:15"`
	default:
		return `text in quotes, such as "this"`
	}
}

// attribute is a setting of the host's own: one field of a struct with its tags.
type attribute struct {
	name    string
	index   int
	kind    kind
	choices []string
	// check names a rule of check.go.
	check string
	// least and most bound whole numbers and, in nanoseconds, durations. Nil: no bound.
	least, most *int64
}

// block is a block of the host's own: a struct.
type block struct {
	name string
	// labelled blocks have one label, their name, and may be there several times.
	labelled bool
	// opaque blocks belong to a plugin.
	opaque     bool
	index      int
	attributes []attribute
	blocks     []*block
}

// schema is what a configuration may hold, read from the types once.
var schema = blockOf("", reflect.TypeFor[Config]())

// settingsName is the block that belongs to the plugin.
const settingsName = "settings"

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[*TimeOfDay]()
	textsType    = reflect.TypeFor[[]string]()
)

// blockOf reads the tags of a struct. Tags that make no sense are the programmer's mistake and found by every test.
func blockOf(name string, t reflect.Type) *block {
	b := &block{name: name}
	for i := range t.NumField() {
		f := t.Field(i)
		if label, ok := f.Tag.Lookup("block"); ok {
			inner := blockOf(label, f.Type.Elem().Elem())
			inner.labelled, inner.index = true, i
			b.blocks = append(b.blocks, inner)
			continue
		}
		key, tagged := f.Tag.Lookup("koanf")
		switch {
		case !tagged || key == "-":
		case f.Type.Kind() == reflect.Struct && f.Type != secretType:
			inner := blockOf(key, f.Type)
			inner.index = i
			b.blocks = append(b.blocks, inner)
		default:
			b.attributes = append(b.attributes, attributeOf(key, i, f))
		}
	}
	if t == reflect.TypeFor[Module]() {
		b.blocks = append([]*block{{name: settingsName, opaque: true, index: -1}}, b.blocks...)
	}
	return b
}

func attributeOf(name string, index int, f reflect.StructField) attribute {
	a := attribute{name: name, index: index, check: f.Tag.Get("check")}
	switch {
	case f.Type == secretType:
		a.kind = kindSecret
	case f.Type == durationType:
		a.kind = kindDuration
	case f.Type == timeType:
		a.kind = kindTime
	case f.Type == textsType:
		a.kind = kindTexts
	case f.Type.Kind() == reflect.Int:
		a.kind = kindWhole
	case f.Type.Kind() == reflect.Bool:
		a.kind = kindFlag
	case f.Type.Kind() == reflect.String:
		a.kind = kindText
	default:
		panic(fmt.Sprintf("setting %s has the type %s, which no setting can have", name, f.Type))
	}
	if choices := f.Tag.Get("choices"); choices != "" {
		a.choices = strings.Split(choices, "|")
	}
	bound := func(tag string) *int64 {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			return nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if a.kind == kindDuration {
			var d time.Duration
			d, err = parseDuration(text)
			n = int64(d)
		}
		if err != nil {
			panic(fmt.Sprintf("setting %s has the bound %q: %v", name, text, err))
		}
		return &n
	}
	a.least, a.most = bound("least"), bound("most")
	return a
}

// attribute gives the setting of that name, or nil.
func (b *block) attribute(name string) *attribute {
	for i := range b.attributes {
		if b.attributes[i].name == name {
			return &b.attributes[i]
		}
	}
	return nil
}

// block gives the inner block of that name, or nil.
func (b *block) block(name string) *block {
	for _, inner := range b.blocks {
		if inner.name == name {
			return inner
		}
	}
	return nil
}

// names gives what may stand in the block.
func (b *block) names() []string {
	var names []string
	for _, a := range b.attributes {
		names = append(names, a.name)
	}
	for _, inner := range b.blocks {
		names = append(names, inner.name)
	}
	return names
}

// walk visits every setting that stands below the block without a label between.
func (b *block) walk(prefix string, visit func(key string, path []int, a *attribute)) {
	b.walkFrom(prefix, nil, visit)
}

func (b *block) walkFrom(prefix string, path []int, visit func(string, []int, *attribute)) {
	for i := range b.attributes {
		a := &b.attributes[i]
		visit(prefix+a.name, append(slices.Clip(path), a.index), a)
	}
	for _, inner := range b.blocks {
		if !inner.labelled && !inner.opaque {
			inner.walkFrom(prefix+inner.name+".", append(slices.Clip(path), inner.index), visit)
		}
	}
}

// layerOf gives the values of a struct by key, in the form in which layers hold them.
func (b *block) layerOf(prefix string, v reflect.Value) layer {
	values := layer{}
	b.walk(prefix, func(key string, path []int, _ *attribute) {
		switch value := v.FieldByIndex(path).Interface().(type) {
		case Secret:
			values[key] = value.Reveal()
		case time.Duration:
			values[key] = shortDuration(value)
		case *TimeOfDay:
			values[key] = ""
			if value != nil {
				values[key] = value.String()
			}
		default:
			values[key] = value
		}
	})
	return values
}

// day is 24 hours: a duration knows no clocks that are put forward or back.
const day = 24 * time.Hour

// parseDuration reads a duration as Go writes it, or whole days: 90s, 2h, 400d.
func parseDuration(text string) (time.Duration, error) {
	if number, found := strings.CutSuffix(text, "d"); found {
		days, err := strconv.ParseUint(number, 10, 16)
		return time.Duration(days) * day, err
	}
	return time.ParseDuration(text)
}

// shortDuration gives 2h for 2h0m0s, and days from two on.
func shortDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
