// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"

	"github.com/tallymanhq/tallyman/host/internal/mapping"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// planAddresses lets main sites follow the distributor's addresses, where the operator chose so.
func (r *run) planAddresses(ctx context.Context) error {
	if !r.followsAddresses() {
		return nil
	}
	var ids []int64
	for _, step := range r.planned.customers {
		if step.customer > 0 {
			ids = append(ids, step.customer)
		}
	}
	sites, err := r.store.MainSites(ctx, r.tenant.ID, ids)
	if err != nil {
		return err
	}
	first := map[int64]*customerStep{}
	for _, step := range r.planned.customers {
		if step.customer <= 0 || ended(step.told.Lifecycle) {
			continue
		}
		told := addressOf(step.told.Address)
		if !told.Usable() {
			if step.told.Address != nil {
				r.details.note("the distributor has no complete address for %q; its main site was left as it is.", step.told.Name)
			}
			continue
		}
		if other := first[step.customer]; other != nil {
			if told.Clean() != addressOf(other.told.Address).Clean() {
				r.details.note("%q and %q are the same customer with different addresses; the main site follows %q.",
					other.told.Name, step.told.Name, other.told.Name)
			}
			continue
		}
		first[step.customer] = step
		site, ok := sites[step.customer]
		if !ok {
			site = store.Site{TenantID: r.tenant.ID, CustomerID: step.customer, Name: "Main", Main: true}
		}
		r.planAddress(step, site, told)
	}
	return nil
}

// followsAddresses reports whether main sites follow the distributor's addresses in this run.
func (r *run) followsAddresses() bool {
	return r.req.Module.UpdateMainSiteAddress && r.req.Mode != Mappings
}

func (r *run) planAddress(step *customerStep, site store.Site, told mapping.Address) {
	have := mapping.Address(site.Address)
	want, differs := told.Replaces(have)
	if !differs {
		return
	}
	site.Address, site.UpdatedAt = store.Address(want), r.started
	step.site = &site
	step.changes = append(step.changes, Change{
		Entity: EntitySite, Kind: kindUpdate, Key: step.told.Ref, Name: step.told.Name, EntityID: site.ID, CustomerID: step.customer,
		Before: jsonText(addressFields(have)), After: jsonText(addressFields(want)), Reason: "the distributor has another address",
	})
}

func addressOf(a *sdk.Address) mapping.Address {
	if a == nil {
		return mapping.Address{}
	}
	var lines [3]string
	for i, line := range a.Lines {
		if i < len(lines) {
			lines[i] = withoutNUL(line)
		} else {
			lines[2] += ", " + withoutNUL(line)
		}
	}
	return mapping.Address{
		Line1: lines[0], Line2: lines[1], Line3: lines[2], City: withoutNUL(a.City), Region: withoutNUL(a.Region),
		PostalCode: withoutNUL(a.PostalCode), CountryCode: withoutNUL(a.CountryCode), Country: withoutNUL(a.Country),
	}
}

func addressFields(a mapping.Address) map[string]string {
	fields := map[string]string{}
	for name, value := range map[string]string{
		"line1": a.Line1, "line2": a.Line2, "line3": a.Line3, "city": a.City, "region": a.Region,
		"postal_code": a.PostalCode, "country_code": a.CountryCode, "country": a.Country,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	return fields
}
