// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// lifecycles are the words of Pax8 for the state of a company. Inactive says that contacts are missing, not that it left.
var lifecycles = map[string]sdk.Lifecycle{
	"active": sdk.LifecycleActive, "inactive": sdk.LifecycleIncomplete, "deleted": sdk.LifecycleDeleted,
}

func customerOf(o rest.Object) sdk.Customer {
	status := word(o, "status")
	return sdk.Customer{
		Ref: word(o, "id"), Name: word(o, "name"), Lifecycle: lifecycles[strings.ToLower(status)], Status: status,
		Address: addressOf(o.Get("address")), Phone: word(o, "phone"), Website: word(o, "website"), ExternalRef: word(o, "externalId"),
	}
}

// addressOf gives nil where no address is told. Country is meant to be an ISO code, and is a name at times.
func addressOf(v rest.Value) *sdk.Address {
	if !v.IsObject() {
		return nil
	}
	o := v.Object()
	a := &sdk.Address{City: word(o, "city"), Region: word(o, "stateOrProvince"), PostalCode: word(o, "postalCode")}
	for _, name := range []string{"street", "street2"} {
		if line := word(o, name); line != "" {
			a.Lines = append(a.Lines, line)
		}
	}
	if country := word(o, "country"); isCode(country, 2) {
		a.CountryCode = strings.ToUpper(country)
	} else {
		a.Country = country
	}
	return a
}

// word gives a member's text without space around it.
func word(o rest.Object, name string) string { return strings.TrimSpace(o.Text(name)) }

// isCode tells whether a text is so many letters of the alphabet.
func isCode(text string, length int) bool {
	return len(text) == length && !strings.ContainsFunc(text, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' })
}
