// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"
	"sync"
)

// sharing remembers which modules use the same account of a distributor. Each module's settings are read once for it: with
// many tenants that is far more work than a run is.
type sharing struct {
	sync.Mutex
	// groups are by module, for each plugin that was asked for.
	groups map[string]map[*Module][]*Module
}

// Sharing gives the other modules that use the same account of the same distributor as m, by what the plugin requires that
// is no secret, such as a client id, and by where it is used. A distributor counts their requests together.
func (c *Config) Sharing(m *Module, fields []Field) []*Module {
	if !slices.ContainsFunc(fields, func(f Field) bool { return f.Secret }) {
		return nil // there is no account
	}
	c.sharing.Lock()
	defer c.sharing.Unlock()
	groups := c.sharing.groups[m.Plugin]
	if groups == nil {
		groups = c.accounts(m.Plugin, fields)
		if c.sharing.groups == nil {
			c.sharing.groups = map[string]map[*Module][]*Module{}
		}
		c.sharing.groups[m.Plugin] = groups
	}
	return slices.DeleteFunc(slices.Clone(groups[m]), func(other *Module) bool { return other == m })
}

// Account gives the first by name of the modules that use the same account of a distributor as m, itself among them, as far as
// Sharing was asked for one of the plugin's modules already; empty: it was not, or there is no account. It does not wait.
func (c *Config) Account(m *Module) string {
	if !c.sharing.TryLock() { // it is being found out
		return ""
	}
	defer c.sharing.Unlock()
	name := ""
	for _, other := range c.sharing.groups[m.Plugin][m] {
		if text := other.String(); name == "" || text < name {
			name = text
		}
	}
	return name
}

// accounts gives the modules of a plugin with those that use the same account. One whose settings cannot be read is alone.
func (c *Config) accounts(plugin string, fields []Field) map[*Module][]*Module {
	byAccount := map[string][]*Module{}
	for _, t := range c.Tenants {
		for _, m := range t.Modules {
			if m.Plugin != plugin {
				continue
			}
			settings, err := c.CheckSettings(m, fields)
			if account := settings.account(); err == nil && account != "" {
				byAccount[account] = append(byAccount[account], m)
			}
		}
	}
	groups := map[*Module][]*Module{}
	for _, modules := range byAccount {
		for _, m := range modules {
			groups[m] = modules
		}
	}
	return groups
}

// account tells accounts of a plugin apart. Where all that is required is secret, the secrets do; the text stays in memory.
func (s *Settings) account() string {
	var public, secret, places []string
	for _, v := range s.All() {
		if v == nil || v.unset {
			continue
		}
		text := v.Field.Name + "\x00" + v.text.Reveal() + "\x00"
		switch {
		case v.Field.Type == typeURL:
			places = append(places, text)
		case v.Field.Required && v.Field.Secret:
			secret = append(secret, text)
		case v.Field.Required:
			public = append(public, text)
		}
	}
	if len(public) == 0 {
		public = secret
	}
	if len(public) == 0 {
		return ""
	}
	return strings.Join(append(public, places...), "")
}
