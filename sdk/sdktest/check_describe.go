// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

func checkHandshake(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	s.close()
	return nil
}

func checkDescribeAlone(ctx context.Context, b *bench) error {
	first, err := b.described(ctx)
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	second, err := s.rpc.Describe(ctx, &distributorv1.DescribeRequest{HostVersion: b.HostVersion})
	if err != nil {
		return fmt.Errorf("describe, again: %w", err)
	}
	if !proto.Equal(first, second) {
		return errors.New("two processes describe themselves differently")
	}
	return nil
}

var (
	pluginName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)
	// semanticVersion is what semver.org says, without a leading v.
	semanticVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	comparison      = regexp.MustCompile(`^(>=|<=|>|<|=|!=)\s*\d+(\.\d+){0,2}(-[0-9A-Za-z.-]+)?$`)
)

func checkIdentity(ctx context.Context, b *bench) error {
	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	if !pluginName.MatchString(d.GetName()) {
		wrong = append(wrong, fmt.Errorf("the name %q is not of the form [a-z0-9][a-z0-9-]*", d.GetName()))
	}
	if !semanticVersion.MatchString(d.GetVersion()) {
		wrong = append(wrong, fmt.Errorf("the version %q is no semantic version such as 1.2.0", d.GetVersion()))
	}
	for part := range strings.SplitSeq(d.GetHostVersions(), ",") {
		if part = strings.TrimSpace(part); part != "" && !comparison.MatchString(part) {
			wrong = append(wrong, fmt.Errorf("host_versions holds %q, which is no comparison such as >= 1.2", part))
		}
	}
	return errors.Join(wrong...)
}

func checkSchema(ctx context.Context, b *bench) error {
	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	seen := map[string]bool{}
	for _, f := range d.GetSettings() {
		problem := func(format string, args ...any) {
			wrong = append(wrong, fmt.Errorf("setting %q "+format, append([]any{f.GetName()}, args...)...))
		}
		if !settingName.MatchString(f.GetName()) {
			problem("has a name that no configuration can hold")
		}
		if seen[f.GetName()] {
			problem("is there twice")
		}
		seen[f.GetName()] = true
		if f.GetType() == distributorv1.SettingType_SETTING_TYPE_UNSPECIFIED {
			problem("has no type")
		}
		if strings.TrimSpace(f.GetHelp()) == "" {
			problem("has no help: the operator reads it when the setting is missing")
		}
		if f.DefaultValue == nil {
			continue
		}
		switch value := f.GetDefaultValue(); {
		case f.GetRequired():
			problem("is required and has a default; it can be one of them")
		case f.GetSecret():
			problem("is secret and has a default; a secret comes from the operator")
		case len(f.GetChoices()) > 0 && !slices.Contains(f.GetChoices(), value):
			problem("has the default %q, which is none of its choices", value)
		case !isOfType(f.GetType(), value):
			problem("has the default %q, which is no %s", value, typeName(f.GetType()))
		}
	}
	return errors.Join(wrong...)
}

func typeName(t distributorv1.SettingType) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(t.String(), "SETTING_TYPE_")), "_", " ")
}

func isOfType(t distributorv1.SettingType, text string) bool {
	var err error
	switch t {
	case distributorv1.SettingType_SETTING_TYPE_INTEGER:
		_, err = strconv.ParseInt(text, 10, 64)
	case distributorv1.SettingType_SETTING_TYPE_DECIMAL:
		return decimal.MatchString(text)
	case distributorv1.SettingType_SETTING_TYPE_BOOLEAN:
		_, err = strconv.ParseBool(text)
	case distributorv1.SettingType_SETTING_TYPE_DURATION:
		_, err = time.ParseDuration(text)
	}
	return err == nil
}
