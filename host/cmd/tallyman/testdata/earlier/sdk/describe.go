// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/hashicorp/go-hclog"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

func init() {
	wire.Bridge.NewServer = func(plugin any, log hclog.Logger) (distributorv1.DistributorServiceServer, error) {
		checked, ok := plugin.(interface{ check() (description, error) })
		if !ok {
			return nil, fmt.Errorf("%T is not an sdk.Plugin", plugin)
		}
		d, err := checked.check()
		if err != nil {
			return nil, err
		}
		return newServer(d, log, &redactor{}), nil
	}
}

func newServer(plugin description, log hclog.Logger, secrets *redactor) *server {
	return &server{plugin: plugin, log: log, secrets: secrets, calls: map[*call]struct{}{}, idle: make(chan struct{})}
}

// description is a Plugin without its type parameter.
type description interface {
	describe() *distributorv1.DescribeResponse
	capabilities() Capabilities
	userAgent() string
	secretValues(values map[string]*distributorv1.SettingValue) []string
	// connect gives a nil Distributor if there is an error among the diagnostics.
	connect(ctx context.Context, values map[string]*distributorv1.SettingValue, env Env) (Distributor, []Diagnostic, error)
}

// described is a Plugin that was checked, with its settings schema.
type described[S any] struct {
	plugin   Plugin[S]
	settings []setting
}

var (
	pluginName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	pluginVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

// check tells everything that is wrong with a plugin before it is served.
func (p Plugin[S]) check() (description, error) {
	var problems []error
	if !pluginName.MatchString(p.Name) {
		problems = append(problems, fmt.Errorf("Name %q is not of the form [a-z0-9][a-z0-9-]*", p.Name))
	}
	if !pluginVersion.MatchString(p.Version) {
		problems = append(problems, fmt.Errorf("Version %q is not a semantic version such as 1.0.0", p.Version))
	}
	if p.Connect == nil {
		problems = append(problems, errors.New("Connect is missing"))
	}
	settings, err := settingsOf(reflect.TypeFor[S]())
	if err != nil {
		problems = append(problems, err)
	}
	if p.DisplayName == "" {
		p.DisplayName = p.Name
	}
	return &described[S]{p, settings}, errors.Join(problems...)
}

func (d *described[S]) capabilities() Capabilities { return d.plugin.Capabilities }

func (d *described[S]) userAgent() string {
	return "tallyman-" + d.plugin.Name + "/" + d.plugin.Version
}

func (d *described[S]) secretValues(values map[string]*distributorv1.SettingValue) []string {
	return secretValues(d.settings, values)
}

func (d *described[S]) connect(ctx context.Context, values map[string]*distributorv1.SettingValue, env Env) (Distributor, []Diagnostic, error) {
	var settings S
	found := decodeSettings(d.settings, reflect.ValueOf(&settings).Elem(), values)
	if hasError(found) {
		return nil, found, nil
	}
	if d.plugin.Validate != nil {
		found = append(found, d.plugin.Validate(settings)...)
		if hasError(found) {
			return nil, found, nil
		}
	}
	made, err := d.plugin.Connect(ctx, settings, env)
	if err == nil && made == nil {
		err = &Error{Class: ClassInternal, Origin: OriginPlugin, Message: "the plugin's Connect gave neither a connection nor an error"}
	}
	return made, found, err
}

func hasError(found []Diagnostic) bool {
	return slices.ContainsFunc(found, func(d Diagnostic) bool { return !d.Warning })
}

func (d *described[S]) describe() *distributorv1.DescribeResponse {
	p := d.plugin
	return &distributorv1.DescribeResponse{
		Name:             p.Name,
		DisplayName:      p.DisplayName,
		Version:          p.Version,
		Vendor:           p.Vendor,
		HostVersions:     p.HostVersions,
		Settings:         describeSettings(d.settings),
		Capabilities:     capabilitiesToProto(p.Capabilities),
		DocumentationUrl: p.DocumentationURL,
	}
}

// capabilitiesToProto leaves out what is zero: zero means unknown.
func capabilitiesToProto(c Capabilities) *distributorv1.Capabilities {
	yes := func(set bool) *bool {
		if !set {
			return nil
		}
		return &set
	}
	p := &distributorv1.Capabilities{
		SubscriptionScope: enum[distributorv1.ScopeKind](c.SubscriptionScope, ScopeCustomer),
		ListingTotal:      yes(c.ListingTotal),
		PagedUnstable:     yes(c.PagedUnstable),
		Addresses:         yes(c.Addresses),
		Prices:            yes(c.Prices),
	}
	if c.RefsIgnoreCase {
		p.RefComparison = distributorv1.RefComparison_REF_COMPARISON_IGNORE_CASE
	}
	if c.AbsenceMeansEnded {
		p.Absence = distributorv1.AbsenceMeaning_ABSENCE_MEANING_ENDED
	}
	if c.StatusImplied {
		p.StatusSource = distributorv1.StatusSource_STATUS_SOURCE_IMPLIED
	}
	if c.RequestsPerMinute > 0 {
		rate := int32(min(c.RequestsPerMinute, 1<<31-1))
		p.RequestsPerMinute = &rate
	}
	return p
}
