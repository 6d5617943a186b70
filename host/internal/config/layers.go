// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/maps"
	"github.com/knadh/koanf/v2"
)

// layer holds values by their whole key: text, bool, int or []string. It is a koanf.Provider.
type layer map[string]any

var _ koanf.Provider = layer(nil)

// Read gives the values as nested maps.
func (l layer) Read() (map[string]any, error) { return maps.Unflatten(l, "."), nil }

// ReadBytes is not there: a layer has no text of its own.
func (l layer) ReadBytes() ([]byte, error) { return nil, errors.New("a layer has no text") }

// decodeInto fills a struct from what stands below a key. The types fit: every layer has checked its values.
func decodeInto(k *koanf.Koanf, key string, to any) error {
	return k.UnmarshalWithConf(key, to, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook: fromLayer,
	}})
}

// fromLayer turns a layer's text into the type of its field.
func fromLayer(_, to reflect.Type, value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	switch to {
	case secretType:
		return NewSecret(text), nil
	case durationType:
		return parseDuration(text)
	case timeType:
		if text == "" {
			return (*TimeOfDay)(nil), nil
		}
		at, err := ParseTimeOfDay(text)
		return &at, err
	case timeType.Elem():
		return ParseTimeOfDay(text)
	}
	return value, nil
}

// fromText reads a value from text, as variables and flags give it. A list is separated by commas, or is JSON.
func (a *attribute) fromText(text string) (any, error) {
	switch a.kind {
	case kindWhole:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, errors.New("must be " + a.kind.expected())
		}
		return n, nil
	case kindFlag:
		switch strings.TrimSpace(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, errors.New("must be " + a.kind.expected())
	case kindTexts:
		list, err := splitTexts(text)
		if err != nil {
			return nil, err
		}
		return list, nil
	default:
		return text, nil
	}
}

// splitTexts reads a list from text: "one,two", or JSON where a text holds a comma.
func splitTexts(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		list := []string{}
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, errors.New(`must be a list: one,two or ["one","two"]`)
		}
		return list, nil
	}
	list := []string{}
	if text == "" {
		return list, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		list = append(list, strings.TrimSpace(item))
	}
	return list, nil
}

// Flag is a value from the command line.
type Flag struct {
	// Name is what the person wrote: --log-level, --set.
	Name string
	// Key is the value's: log.level.
	Key   string
	Value string
}
