// SPDX-License-Identifier: Apache-2.0

package mapping

import "strings"

// Address is a postal address as it is compared and written.
type Address struct {
	Line1, Line2, Line3 string
	City, Region        string
	PostalCode          string
	CountryCode         string
	Country             string
}

// Clean gives the address with every field trimmed and runs of spaces folded into one.
func (a Address) Clean() Address {
	for _, field := range []*string{
		&a.Line1, &a.Line2, &a.Line3, &a.City, &a.Region, &a.PostalCode, &a.CountryCode, &a.Country,
	} {
		*field = strings.Join(strings.Fields(*field), " ")
	}
	return a
}

// Usable reports whether the address may overwrite another: it has a street line and a town or postal code.
// An empty or partial address never replaces anything.
func (a Address) Usable() bool {
	a = a.Clean()
	return a.Line1+a.Line2+a.Line3 != "" && a.City+a.PostalCode != ""
}

// Replaces gives the address the main site should have, and whether that differs from the one it has. A country the
// distributor does not tell is kept, and so is its name where the code is the same: names of one country differ. A region
// it does not tell is kept as long as town and postal code stay.
func (a Address) Replaces(current Address) (Address, bool) {
	wanted, have := a.Clean(), current.Clean()
	switch {
	case wanted.CountryCode != "" && strings.EqualFold(wanted.CountryCode, have.CountryCode):
		wanted.CountryCode, wanted.Country = have.CountryCode, have.Country
	case wanted.CountryCode == "" && (wanted.Country == "" || wanted.Country == have.Country):
		wanted.CountryCode, wanted.Country = have.CountryCode, have.Country
	case wanted.Country == "" && have.CountryCode == "":
		wanted.Country = have.Country
	}
	if wanted.Region == "" && wanted.City == have.City && wanted.PostalCode == have.PostalCode {
		wanted.Region = have.Region
	}
	return wanted, wanted != have
}
