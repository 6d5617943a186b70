// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// partnerOf gives an organisation as a customer: the partner's own record.
func partnerOf(o organization) sdk.Customer {
	return sdk.Customer{Ref: o.ref(), Name: o.name, Lifecycle: sdk.LifecycleActive, IsPartner: true}
}

// tenantStates are the values of EntityStatus, None and Removed.
var tenantStates = enum[sdk.Lifecycle]{0: {"None", sdk.LifecycleActive}, 1: {"Removed", sdk.LifecycleDeleted}}

// customerOf gives a customer tenant as a customer. Its address is not in the list.
func customerOf(o rest.Object, belongsTo organization) sdk.Customer {
	c := sdk.Customer{
		Ref: trimmed(o, "Id"), Name: trimmed(o, "Name"), ParentRef: belongsTo.ref(), ExternalRef: trimmed(o, "Reference"),
	}
	c.Lifecycle, c.Status = tenantStates.of(o.Get("EntityStatus"))
	if id := trimmed(o.Get("Consumer").Object(), "Id"); id != "" && id != "0" {
		c.ParentRef = "consumer-" + id
	}
	domain := trimmed(o, "Domain")
	if domain != "" {
		c.Domains = []string{domain}
	}
	if tenant := trimmed(o, "PublisherCustomerId"); tenant != "" {
		c.VendorTenants = []sdk.VendorTenant{{Vendor: vendorKey(o), Ref: tenant, Domain: domain}}
	}
	return c
}

// fullCustomer adds what the details of a tenant tell. They hold a user with a password besides, which is never read.
func fullCustomer(c *sdk.Customer, o rest.Object) {
	profile := o.Get("Profile").Object()
	contact := profile.Get("Contact").Object()
	c.Email, c.Phone = trimmed(contact, "Email"), trimmed(contact, "PhoneNumber")
	c.RegistrationNumber = trimmed(o.Get("Company").Object(), "OrganizationRegistrationNumber")
	if address := profile.Get("Address"); address.IsObject() {
		c.Address = addressOf(address.Object())
	}
}

func addressOf(o rest.Object) *sdk.Address {
	a := &sdk.Address{
		City: trimmed(o, "City"), Region: trimmed(o, "Region"), PostalCode: trimmed(o, "PostalCode"),
		CountryCode: strings.ToUpper(trimmed(o, "CountryCode")), Country: trimmed(o, "CountryName"),
	}
	for _, name := range []string{"AddressLine1", "AddressLine2", "AddressLine3"} {
		if line := trimmed(o, name); line != "" {
			a.Lines = append(a.Lines, line)
		}
	}
	return a
}

// vendorKey names the vendor behind a tenant as all plugins do: in lower case, and Microsoft without its suffixes.
func vendorKey(o rest.Object) string {
	name := strings.ToLower(vendorName(o))
	if strings.HasPrefix(name, "microsoft") {
		return "microsoft"
	}
	return name
}

// vendorName gives the publisher's name. The one with the id 2 is Microsoft.
func vendorName(o rest.Object) string {
	publisher := o.Get("Publisher").Object()
	name := trimmed(publisher, "Name")
	if name == "" && trimmed(publisher, "Id") == "2" {
		return "Microsoft"
	}
	return name
}

func trimmed(o rest.Object, name string) string { return strings.TrimSpace(o.Get(name).Text()) }
