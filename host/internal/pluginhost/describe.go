// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// Description is what a plugin says about itself.
type Description struct {
	// Name is the short one, "rhipe"; DisplayName is the distributor of every subscription that comes from it.
	Name, DisplayName string
	// Version is semantic versioning without "v".
	Version, Vendor string
	// HostVersions it works with: ">= 1.2, < 3". Empty: any.
	HostVersions     string
	DocumentationURL string
	// Settings it takes, in its order.
	Settings []Setting
	// Capabilities as the contract has them; unknown is a value of each.
	Capabilities *distributorv1.Capabilities
	// Protocol is the version of the protocol that was agreed on.
	Protocol int
}

// Setting is one setting a plugin takes.
type Setting struct {
	// Name may be dotted: "paths.customers".
	Name     string
	Type     distributorv1.SettingType
	Required bool
	Secret   bool
	// Default is the value used when the setting is absent. Nil: none.
	Default *string
	// Choices are the values allowed. Empty: any.
	Choices []string
	// Help says what it is and where the operator finds it; Example is not a real value.
	Help, Example string
}

// RefsIgnoreCase reports whether the distributor's ids compare without case.
func (d Description) RefsIgnoreCase() bool {
	return d.Capabilities.GetRefComparison() == distributorv1.RefComparison_REF_COMPARISON_IGNORE_CASE
}

// AbsenceMeansEnded reports whether a record missing from a complete scope has ended.
func (d Description) AbsenceMeansEnded() bool {
	return d.Capabilities.GetAbsence() == distributorv1.AbsenceMeaning_ABSENCE_MEANING_ENDED
}

// describe asks the plugin who it is.
func (p *Process) describe(ctx context.Context) error {
	const call = "Describe"
	resp, err := p.rpc.Describe(ctx, &distributorv1.DescribeRequest{HostVersion: p.spec.HostVersion})
	if err = p.callError(ctx, call, err); err != nil {
		return err
	}
	clean := p.redact.clean
	p.about = Description{
		Name: resp.GetName(), DisplayName: cmp.Or(clean(resp.GetDisplayName()), resp.GetName()), Version: clean(resp.GetVersion()), Vendor: clean(resp.GetVendor()),
		HostVersions: clean(resp.GetHostVersions()), DocumentationURL: clean(resp.GetDocumentationUrl()),
		Capabilities: resp.GetCapabilities(), Protocol: p.client.NegotiatedVersion(),
	}
	for _, f := range resp.GetSettings() {
		p.about.Settings = append(p.about.Settings, Setting{
			Name: f.GetName(), Type: f.GetType(), Required: f.GetRequired(), Secret: f.GetSecret(), Default: f.DefaultValue,
			Choices: f.GetChoices(), Help: clean(f.GetHelp()), Example: clean(f.GetExample()),
		})
	}
	return nil
}

// describeConfigured asks the plugin again: its settings may say as which distributor it speaks, and what that one can do.
func (p *Process) describeConfigured(ctx context.Context) error {
	const call = "Describe"
	p.enter(call)
	resp, err := p.rpc.Describe(ctx, &distributorv1.DescribeRequest{HostVersion: p.spec.HostVersion})
	if err = p.callError(ctx, call, err); err != nil {
		return err
	}
	p.about.DisplayName = cmp.Or(p.redact.clean(resp.GetDisplayName()), p.about.Name)
	p.about.Capabilities = resp.GetCapabilities()
	return nil
}

// checkDescription refuses a plugin that is another one than its file says, or that needs another host.
func (p *Process) checkDescription() error {
	d := &p.about
	name, version, pinned := strings.Cut(p.spec.Name, "@")
	if d.Name != name {
		return fail(CodeName, fmt.Sprintf("Rename the file to %s and run \"tallyman plugin lock\".", FileName(d.Name)),
			"%s is named after plugin %q and is plugin %q", p.spec.Path, p.spec.Name, p.redact.clean(d.Name))
	}
	if pinned && d.Version != version {
		return fail(CodeName, fmt.Sprintf("Rename the file to %s and run \"tallyman plugin lock\".", FileName(d.Name+"@"+d.Version)),
			"%s is named after version %s of plugin %q and is version %s", p.spec.Path, version, name, d.Version)
	}
	ok, err := accepts(d.HostVersions, p.spec.HostVersion)
	if err != nil {
		return fail(CodeHostVersion, "Report this to the plugin's vendor.",
			"plugin %q %s does not say clearly which hosts it works with", d.Name, d.Version).because(err)
	}
	if !ok {
		return fail(CodeHostVersion, "Update the host, or use a version of the plugin that works with it.",
			"plugin %q %s works with host versions %s; this host is %s", d.Name, d.Version, d.HostVersions, p.spec.HostVersion)
	}
	return nil
}
