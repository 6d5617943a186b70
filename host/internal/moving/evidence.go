// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/mapping"
)

// sideIndex finds the records of one side by what they can be recognised by. Numbers are positions in the side.
type sideIndex struct {
	// byKey finds customers by their distributor's ids, owner says whose each subscription is; -1: nobody known.
	byKey map[string]int
	owner []int
	// The rest are evidence about customers: who has it.
	tenants, domains, names map[string][]int
	// subscriptions are those with a vendor's id.
	subscriptions map[string][]int
	// evidence is what each customer has of each kind.
	evidence []evidence
	// key is each subscription's vendor id as it is compared; "" for none.
	key []string
}

type evidence struct{ tenants, domains, names, subscriptions []string }

func (p *proposing) index() {
	p.sources, p.targets = newIndex(p.source), newIndex(p.target)
}

func newIndex(side *Side) sideIndex {
	x := sideIndex{
		byKey: make(map[string]int, len(side.Customers)), owner: make([]int, len(side.Subscriptions)),
		tenants: map[string][]int{}, domains: map[string][]int{}, names: map[string][]int{}, subscriptions: map[string][]int{},
		evidence: make([]evidence, len(side.Customers)), key: make([]string, len(side.Subscriptions)),
	}
	for i := range side.Customers {
		c := &side.Customers[i]
		x.byKey[c.Key] = i
		for _, t := range c.Tenants {
			x.evidence[i].tenants = with(x.evidence[i].tenants, vendorKey(t.Vendor, t.Ref))
		}
		for _, d := range c.Domains {
			x.evidence[i].domains = with(x.evidence[i].domains, domainKey(d))
		}
		x.evidence[i].names = with(x.evidence[i].names, strings.TrimSpace(c.Name))
		if c.CustomerID != 0 {
			x.evidence[i].names = with(x.evidence[i].names, strings.TrimSpace(c.CustomerName))
		}
	}
	for i := range side.Subscriptions {
		s := &side.Subscriptions[i]
		x.key[i], x.owner[i] = vendorKey(s.Vendor, s.VendorRef), -1
		if x.key[i] != "" {
			x.subscriptions[x.key[i]] = append(x.subscriptions[x.key[i]], i)
		}
		at, ok := x.byKey[s.CustomerKey]
		if !ok {
			continue
		}
		x.owner[i] = at
		e := &x.evidence[at]
		e.tenants = with(e.tenants, vendorKey(s.Vendor, s.VendorTenant))
		if x.key[i] != "" {
			e.subscriptions = append(e.subscriptions, x.key[i])
		}
	}
	for i := range x.evidence {
		if side.Customers[i].Partner && side.Customers[i].CustomerID == 0 {
			continue // the MSP's own record is nobody's customer
		}
		e := &x.evidence[i]
		for _, kind := range []struct {
			keys []string
			who  map[string][]int
		}{{e.tenants, x.tenants}, {e.domains, x.domains}, {e.names, x.names}} {
			for _, key := range kind.keys {
				kind.who[key] = append(kind.who[key], i)
			}
		}
	}
	return x
}

// with adds a text to a short list, unless it is empty or there already.
func with(list []string, text string) []string {
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// vendorKey gives a vendor's id as it is compared between distributors. A GUID is one of a kind in the world, however it is
// written and whatever the distributor calls the vendor; any other id is one only together with its vendor.
func vendorKey(vendor, ref string) string {
	ref = strings.ToLower(strings.Trim(strings.TrimSpace(ref), "{}"))
	if ref == "" {
		return ""
	}
	if hex := strings.ReplaceAll(ref, "-", ""); len(hex) == 32 && isHex(hex) {
		if strings.Trim(hex, "0") == "" {
			return "" // a place that was left empty
		}
		return hex
	}
	return mapping.Fold(vendor) + "\x00" + ref
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func domainKey(domain string) string {
	return strings.ToLower(strings.Trim(strings.TrimSpace(domain), "."))
}
