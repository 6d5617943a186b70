// SPDX-License-Identifier: Apache-2.0

package sdk

import distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"

// Sizes on the wire, from above: proto.Size would walk every record by reflection tables once more than sending it does.
const (
	// reserve is left in the largest message for what surrounds a record.
	reserve = 4 << 10
	// lead is the most a field's number and length take.
	lead = 7
	// scalar is the most a flag or enum takes.
	scalar = 4
)

func textSize(texts ...string) int {
	size := 0
	for _, text := range texts {
		if text != "" {
			size += lead + len(text)
		}
	}
	return size
}

func customerSize(c *distributorv1.Customer) int {
	size := lead + 2*scalar + textSize(c.Ref, c.Name, c.SourceStatus, c.Phone, c.Email, c.Website, c.RegistrationNumber,
		c.ParentRef, c.ExternalRef)
	if a := c.Address; a != nil {
		size += lead + textSize(a.City, a.Region, a.PostalCode, a.CountryCode, a.Country)
		size += listSize(a.Lines)
	}
	for _, tenant := range c.VendorTenants {
		size += lead + textSize(tenant.Vendor, tenant.TenantRef, tenant.Domain)
	}
	return size + listSize(c.Domains)
}

// listSize counts empty texts too, since they are sent.
func listSize(texts []string) int {
	size := 0
	for _, text := range texts {
		size += lead + len(text)
	}
	return size
}

func subscriptionSize(s *distributorv1.Subscription) int {
	size := lead + 3*scalar + textSize(s.Ref, s.CustomerRef, s.TenantRef, s.VendorRef, s.VendorTenantRef, s.ParentRef, s.Name,
		s.Vendor, s.SourceStatus, s.StartedOn, s.CommitmentEnd, s.CancellableUntil)
	size += termSize(s.BillingTerm) + termSize(s.CommitmentTerm)
	for _, i := range s.Items {
		size += lead + 2*scalar + textSize(i.Ref, i.Name, i.Sku, i.VendorSku, i.ProductRef, i.Unit) + lead + len(i.GetQuantity())
		size += moneySize(i.CustomerPrice) + moneySize(i.PartnerCost) + moneySize(i.ListPrice)
	}
	for key, value := range s.Extra {
		size += 3*lead + len(key) + len(value)
	}
	return size
}

func termSize(t *distributorv1.Term) int {
	if t == nil {
		return 0
	}
	return lead + 2*scalar + 11 + textSize(t.Raw)
}

func moneySize(m *distributorv1.Money) int {
	if m == nil {
		return 0
	}
	return lead + textSize(m.Amount, m.Currency)
}
