// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// customer makes the record of a row of the file of customers.
func (t *table) customer(r *row, vendor string) sdk.Customer {
	get := func(f field) string { return t.header.get(r, f) }
	c := sdk.Customer{
		Ref: get(cusID), Name: get(cusName), Status: get(cusStatus), Lifecycle: sdk.LifecycleActive, Phone: get(cusPhone), Email: get(cusEmail),
		Website: get(cusWebsite), RegistrationNumber: get(cusRegistration), ParentRef: get(cusParent), ExternalRef: get(cusExternal),
	}
	if !t.header.has(cusID) {
		c.Ref = c.Name
	}
	if t.header.has(cusStatus) {
		c.Lifecycle = lifecycles[fold(c.Status)]
	}
	c.Address = t.address(r)
	addTenant(&c, vendor, get(cusTenant), get(cusDomain))
	return c
}

// address gives the address; nil if the file has no column of one.
func (t *table) address(r *row) *sdk.Address {
	told := false
	for _, f := range []field{cusLine1, cusLine2, cusLine3, cusCity, cusRegion, cusPostalCode} {
		told = told || t.header.has(f)
	}
	if !told {
		return nil
	}
	get := func(f field) string { return t.header.get(r, f) }
	a := &sdk.Address{City: get(cusCity), Region: get(cusRegion), PostalCode: get(cusPostalCode), Country: get(cusCountry)}
	// A field may hold all the lines of a street.
	for _, f := range []field{cusLine1, cusLine2, cusLine3} {
		for line := range strings.SplitSeq(get(f), "\n") {
			if line = trim(line); line != "" {
				a.Lines = append(a.Lines, line)
			}
		}
	}
	if isCountryCode(a.Country) {
		a.CountryCode, a.Country = strings.ToUpper(a.Country), ""
	}
	return a
}

// isCountryCode reports whether a country is told as ISO 3166-1 alpha-2.
func isCountryCode(text string) bool {
	return isASCII(text) && len(text) == 2 && len(fold(text)) == 2 && strings.Trim(text, "0123456789") == text
}

// named makes the record of the customer that a row of the file of subscriptions names.
func (r *reader) named(row *row) sdk.Customer {
	c := sdk.Customer{Ref: r.customerOf(row), Name: r.header.get(row, subCustomerName), Lifecycle: sdk.LifecycleActive}
	if c.Name == "" {
		c.Name = c.Ref
	}
	addTenant(&c, r.layout.vendor, r.header.get(row, subCustomerTenant), r.header.get(row, subCustomerDomain))
	return c
}

// addTenant adds a domain, and the tenant at the vendor, if the vendor is known.
func addTenant(c *sdk.Customer, vendor, tenant, domain string) {
	domain = strings.ToLower(domain)
	if domain != "" {
		c.Domains = []string{domain}
	}
	if tenant == "" {
		return
	}
	if vendor == "" {
		vendor = "microsoft" // The only vendor of tenants that distributors' files are known to tell.
	}
	c.VendorTenants = []sdk.VendorTenant{{Vendor: vendor, Ref: tenant, Domain: domain}}
}
