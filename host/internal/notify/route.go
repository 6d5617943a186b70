// SPDX-License-Identifier: Apache-2.0

package notify

import "slices"

// Route says what goes to which channels.
type Route struct {
	Channels []string
	// Tenants and Kinds that are empty mean all.
	Tenants []string
	Kinds   []Kind
	// Severity is the least that counts. A digest has none and always goes.
	Severity Severity
}

func (r Route) takes(kind Kind, severity Severity) bool {
	return (len(r.Kinds) == 0 || slices.Contains(r.Kinds, kind)) && (kind == Digest || severity.AtLeast(r.Severity))
}

func (r Route) about(tenant string) bool {
	return len(r.Tenants) == 0 || slices.Contains(r.Tenants, tenant)
}

// channelsFor gives the channels that a message goes to, each once.
func channelsFor(routes []Route, m *Message) []string {
	var channels []string
	for _, r := range routes {
		if r.takes(m.Kind, m.Severity) && r.about(m.Tenant) {
			channels = append(channels, r.Channels...)
		}
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

// digestOf reports whether a tenant is part of a channel's digest.
func digestOf(routes []Route, channel, tenant string) bool {
	return slices.ContainsFunc(routes, func(r Route) bool {
		return slices.Contains(r.Channels, channel) && r.takes(Digest, Info) && r.about(tenant)
	})
}
