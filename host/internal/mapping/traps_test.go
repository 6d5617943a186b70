// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"strings"
	"testing"
)

// TestNameTraps goes through the ways in which names of one company differ. Only exactly the same name is ever mapped; what
// is alike is suggested to a person.
func TestNameTraps(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Long ", 60) + "Pty Ltd"
	for name, c := range map[string]struct {
		ours    []Customer
		theirs  string
		verdict Verdict
		similar bool
	}{
		"exactly the same":             {[]Customer{{1, "Contoso", true}}, "Contoso", SameName, false},
		"another case":                 {[]Customer{{1, "Contoso", true}}, "CONTOSO", Unmatched, true},
		"Ltd and Limited":              {[]Customer{{1, "Contoso Ltd", true}}, "Contoso Limited", Unmatched, true},
		"& and and":                    {[]Customer{{1, "Smith & Sons", true}}, "Smith and Sons", Unmatched, true},
		"a leading The":                {[]Customer{{1, "The Bakery", true}}, "Bakery", Unmatched, true},
		"a trailing full stop":         {[]Customer{{1, "Contoso", true}}, "Contoso.", Unmatched, true},
		"double spaces":                {[]Customer{{1, "Contoso Group", true}}, "Contoso  Group", Unmatched, true},
		"a non-breaking space":         {[]Customer{{1, "Contoso Group", true}}, "Contoso\u00a0Group", Unmatched, true},
		"accents":                      {[]Customer{{1, "Café Zürich", true}}, "Cafe Zurich", Unmatched, true},
		"a composed accent":            {[]Customer{{1, "Caf\u00e9", true}}, "Cafe\u0301", Unmatched, true},
		"one letter":                   {[]Customer{{1, "Contoso", true}}, "Contosa", Unmatched, false},
		"a very long name":             {[]Customer{{1, long, true}}, long, SameName, false},
		"two customers":                {[]Customer{{1, "Contoso", true}, {2, "Contoso", true}}, "Contoso", Ambiguous, false},
		"one of two is inactive":       {[]Customer{{1, "Contoso", true}, {2, "Contoso", false}}, "Contoso", SameName, false},
		"only an inactive one":         {[]Customer{{1, "Contoso", false}}, "Contoso", InactiveOnly, false},
		"nobody":                       {nil, "Contoso", Unmatched, false},
		"only spaces":                  {[]Customer{{1, " ", true}}, " ", Nameless, false},
		"a name without any letter":    {[]Customer{{1, "...", true}}, "---", Unmatched, false},
		"an inactive one that is like": {[]Customer{{1, "Contoso Ltd", false}}, "Contoso", Unmatched, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewMatcher(c.ours, nil).Decide(Incoming{Key: "k", Name: c.theirs})
			if d.Verdict != c.verdict {
				t.Errorf("verdict %d, want %d", d.Verdict, c.verdict)
			}
			if (len(d.Similar) > 0) != c.similar {
				t.Errorf("similar %v, want %v", d.Similar, c.similar)
			}
		})
	}
}

func TestAMappingWinsWhateverTheNamesSay(t *testing.T) {
	t.Parallel()
	m := NewMatcher([]Customer{{1, "Contoso", true}, {2, "Fabrikam", true}}, map[string]int64{"k": 2})
	if d := m.Decide(Incoming{Key: "k", Name: "Contoso"}); d.Verdict != Mapped || d.CustomerID != 2 {
		t.Errorf("decision %+v, want the mapping to #2", d)
	}
	if d := m.Decide(Incoming{Key: "own", Name: "Contoso", Partner: true}); d.Verdict != Own {
		t.Errorf("the MSP's own record was not left alone: %+v", d)
	}
	if d := m.Decide(Incoming{Key: "x", Name: "Nobody", Ended: true}); d.Verdict != EndedUnmatched {
		t.Errorf("an ended customer nobody knows: %+v", d)
	}
}

func TestAddressesReplaceOnlyWhenTheyAreWhole(t *testing.T) {
	t.Parallel()
	have := Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2000", Country: "Australia"}
	for name, c := range map[string]struct {
		told            Address
		usable, differs bool
	}{
		"empty":             {Address{}, false, false},
		"only a country":    {Address{Country: "Australia"}, false, false},
		"only a street":     {Address{Line1: "1 Old Street"}, false, false},
		"the same":          {have, true, false},
		"spaces only":       {Address{Line1: " 1  Old Street ", City: "Sydney", PostalCode: "2000"}, true, false},
		"another street":    {Address{Line1: "2 New Street", City: "Sydney", PostalCode: "2000"}, true, true},
		"a new postal code": {Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2001"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.told.Usable() != c.usable {
				t.Fatalf("usable %v, want %v", !c.usable, c.usable)
			}
			if !c.usable {
				return
			}
			if _, differs := c.told.Replaces(have); differs != c.differs {
				t.Errorf("differs %v, want %v", differs, c.differs)
			}
		})
	}
}

func TestACountryGoesByItsCode(t *testing.T) {
	t.Parallel()
	at := func(code, country string) Address {
		return Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2000", CountryCode: code, Country: country}
	}
	for name, c := range map[string]struct {
		have, told, want Address
	}{
		"the same code, another name":   {at("AU", "Commonwealth of Australia"), at("AU", "Australia"), at("AU", "Commonwealth of Australia")},
		"the same code, no name here":   {at("AU", ""), at("AU", "Australia"), at("AU", "")},
		"the same code in another case": {at("au", ""), at("AU", ""), at("au", "")},
		"another code":                  {at("AU", "Australia"), at("NZ", "New Zealand"), at("NZ", "New Zealand")},
		"another code without a name":   {at("AU", "Australia"), at("NZ", ""), at("NZ", "")},
		"nothing told":                  {at("AU", "Australia"), at("", ""), at("AU", "Australia")},
		"only the same name told":       {at("AU", "Australia"), at("", "Australia"), at("AU", "Australia")},
		"only another name told":        {at("AU", "Australia"), at("", "New Zealand"), at("", "New Zealand")},
		"a code where there was none":   {at("", "Australia"), at("AU", ""), at("AU", "Australia")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, differs := c.told.Replaces(c.have); got != c.want || differs != (c.want != c.have) {
				t.Errorf("got %+v (differs %v), want %+v", got, differs, c.want)
			}
		})
	}
}

func TestARegionThatIsNotToldIsKeptWithinTheTown(t *testing.T) {
	t.Parallel()
	have := Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2000", Region: "NSW"}
	for name, c := range map[string]struct {
		told   Address
		region string
	}{
		"not told":                {Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2000"}, "NSW"},
		"another street":          {Address{Line1: "2 New Street", City: "Sydney", PostalCode: "2000"}, "NSW"},
		"another one told":        {Address{Line1: "1 Old Street", City: "Sydney", PostalCode: "2000", Region: "New South Wales"}, "New South Wales"},
		"another town, none told": {Address{Line1: "1 Old Street", City: "Perth", PostalCode: "6000"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _ := c.told.Replaces(have); got.Region != c.region {
				t.Errorf("region %q, want %q", got.Region, c.region)
			}
		})
	}
}
