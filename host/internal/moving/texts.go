// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"fmt"
	"strings"
)

// tenantText names a vendor's tenant as the source spells it.
func (p *proposing) tenantText(source int, key string) string {
	for _, t := range p.source.Customers[source].Tenants {
		if vendorKey(t.Vendor, t.Ref) == key {
			return "the vendor's tenant id " + t.Ref
		}
	}
	return "the vendor's tenant id of its subscriptions"
}

func (p *proposing) reason(f *finding, source *Customer) string {
	return fmt.Sprintf("%s is that of %s at %s", f.what, quoted(source.Name, source.Ref), p.source.Module)
}

func (p *proposing) sourceText(at int) string {
	return quoted(p.source.Customers[at].Name, p.source.Customers[at].Ref)
}

func (p *proposing) targetText(at int) string {
	return quoted(p.target.Customers[at].Name, p.target.Customers[at].Ref)
}

// manner says how something was found.
func manner(e Evidence) string {
	switch e {
	case BySubscriptionID:
		return "a vendor's subscription id"
	case ByTenantID:
		return "a vendor's tenant id"
	case ByDomain:
		return "a domain"
	case ByName:
		return "its name"
	default:
		return "a person"
	}
}

// plural says what several pieces of evidence are.
func plural(e Evidence) string {
	switch e {
	case BySubscriptionID:
		return "the vendor's ids of subscriptions"
	case ByTenantID:
		return "the vendor's ids of tenants"
	case ByDomain:
		return "the domains"
	default:
		return "the names"
	}
}

func quoted(name, ref string) string { return fmt.Sprintf("%q (%s)", name, ref) }

func called(name string, id int64) string { return fmt.Sprintf("customer %q (#%d)", name, id) }

// enough names the first few of a list.
func enough(texts []string) string {
	const most = 3
	if len(texts) <= most {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(texts[:most], "; "), len(texts)-most)
}

// word gives a text as one word of a command line.
func word(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
