// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

func checkConfigureFirst(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for _, k := range kinds {
		if h := s.list(ctx, k, nil, onlyCount); h.complete() || h.count > 0 {
			return fmt.Errorf("before Configure, %s", h)
		}
	}
	return nil
}

func checkAccepts(ctx context.Context, b *bench) error {
	s, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	s.close()
	return nil
}

// refusals configures the plugin once for each setting that spoil changes, and demands an error that names it.
func (b *bench) refusals(ctx context.Context, what string, spoil func(*distributorv1.SettingField) (value any, ok bool)) error {
	if b.Settings == nil {
		return missing("needs settings (--settings, or a simulator that gives them)")
	}
	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for _, field := range d.GetSettings() {
		value, ok := spoil(field)
		if !ok {
			continue
		}
		if err := b.refused(ctx, d.GetSettings(), field.GetName(), value); err != nil {
			wrong = append(wrong, fmt.Errorf("setting %q, %s: %w", field.GetName(), what, err))
		}
	}
	return errors.Join(wrong...)
}

// refused sends the settings with one changed, nil for absent, and demands an error that names it.
func (b *bench) refused(ctx context.Context, schema []*distributorv1.SettingField, name string, value any) error {
	sent, err := wireSettings(schema, b.Settings)
	switch {
	case err != nil && b.unusable != "":
		return missing("%s", b.unusable)
	case err != nil:
		return err
	}
	delete(sent, name)
	if text, ok := value.(string); ok {
		sent[name] = textValue(text)
	}
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	diagnostics, err := s.send(ctx, sent)
	if err != nil {
		return fmt.Errorf("it ends the call, where a diagnostic was due: %w", err)
	}
	var others []string
	for _, diagnostic := range diagnostics {
		if !isError(diagnostic) {
			continue
		}
		if diagnostic.GetField() == name {
			return nil
		}
		others = append(others, fmt.Sprintf("%q", diagnostic.GetField()))
	}
	if len(others) > 0 {
		return fmt.Errorf("it is refused under the name %s", strings.Join(others, ", "))
	}
	return errors.New("it is accepted")
}

func checkRequired(ctx context.Context, b *bench) error {
	return b.refusals(ctx, "missing", func(f *distributorv1.SettingField) (any, bool) { return nil, f.GetRequired() })
}

// nonsense is a text that is of none of the types but plain text.
const nonsense = "::neither this nor that::"

func checkTypes(ctx context.Context, b *bench) error {
	return b.refusals(ctx, fmt.Sprintf("set to %q", nonsense), func(f *distributorv1.SettingField) (any, bool) {
		switch f.GetType() {
		case distributorv1.SettingType_SETTING_TYPE_URL, distributorv1.SettingType_SETTING_TYPE_INTEGER, distributorv1.SettingType_SETTING_TYPE_DECIMAL,
			distributorv1.SettingType_SETTING_TYPE_BOOLEAN, distributorv1.SettingType_SETTING_TYPE_DURATION:
			return nonsense, true
		default:
			return nil, false
		}
	})
}

func checkChoices(ctx context.Context, b *bench) error {
	return b.refusals(ctx, fmt.Sprintf("set to %q", nonsense), func(f *distributorv1.SettingField) (any, bool) {
		return nonsense, len(f.GetChoices()) > 0
	})
}

// checkOffline points every URL at a port that takes connections and never answers.
func checkOffline(ctx context.Context, b *bench) error {
	var config net.ListenConfig
	silent, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	called := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			defer conn.Close() //nolint:errcheck // it was only opened
			select {
			case called <- struct{}{}:
			default:
			}
		}
	}()
	defer silent.Close() //nolint:errcheck // it was only listened on

	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	changed := maps.Clone(b.Settings)
	found := false
	for _, f := range d.GetSettings() {
		text, ok := b.Settings[f.GetName()].(string)
		if !ok || f.GetType() != distributorv1.SettingType_SETTING_TYPE_URL {
			continue
		}
		if u, err := url.Parse(text); err == nil && u.Scheme == "http" {
			u.Host = silent.Addr().String()
			changed[f.GetName()], found = u.String(), true
		}
	}
	if !found {
		return missing("the settings hold no http address to put a silent one in the place of")
	}
	began := time.Now()
	s, err := b.connect(ctx, changed)
	if err != nil {
		return fmt.Errorf("with nobody at the distributor's address: %w", err)
	}
	s.close()
	select {
	case <-called:
		return fmt.Errorf("it called the distributor, and took %s", time.Since(began).Round(time.Millisecond))
	default:
		return nil
	}
}
