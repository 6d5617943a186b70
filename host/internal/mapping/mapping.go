// SPDX-License-Identifier: Apache-2.0

// Package mapping decides which customer a distributor customer is. It knows no database and no plugin.
//
// The ladder, from the top: an existing mapping wins, whatever the names say now; else the one active customer whose
// name is exactly the same; else what the policy says. Whatever is not certain is left to a person.
package mapping

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Customer is a customer of the tenant.
type Customer struct {
	ID     int64
	Name   string
	Active bool
}

// Incoming is a distributor customer.
type Incoming struct {
	// Key is the distributor's id as it is compared.
	Key  string
	Name string
	// Partner marks the MSP's own record at the distributor.
	Partner bool
	// Ended: the distributor says it is no longer a customer.
	Ended bool
}

// Verdict is what a decision came to.
type Verdict int

// The verdicts.
const (
	// Mapped: a mapping exists and wins.
	Mapped Verdict = iota
	// SameName: exactly one active customer has exactly the same name.
	SameName
	// Unmatched: nobody has that name; the policy decides.
	Unmatched
	// Ambiguous: several active customers have that name.
	Ambiguous
	// InactiveOnly: only inactive customers have that name.
	InactiveOnly
	// Own: it is the MSP's own record.
	Own
	// EndedUnmatched: nobody has that name, and it has ended at the distributor.
	EndedUnmatched
	// Nameless: it has no name to compare or to create a customer with.
	Nameless
)

// Decision is what is to be done with one distributor customer.
type Decision struct {
	Verdict Verdict
	// CustomerID is set with Mapped and SameName.
	CustomerID int64
	// Candidates are the customers with that name, with Ambiguous and InactiveOnly.
	Candidates []int64
	// Similar are customers whose name differs only in case, spaces, punctuation or company form, with Unmatched.
	Similar []Customer
}

// Matcher decides against one set of customers and mappings. It changes as customers are created during a plan.
type Matcher struct {
	mapped  map[string]int64
	byName  map[string][]Customer
	similar map[string][]Customer
}

// NewMatcher makes a Matcher. Mapped holds the existing mappings: distributor customer key → customer id.
func NewMatcher(customers []Customer, mapped map[string]int64) *Matcher {
	m := &Matcher{
		mapped:  mapped,
		byName:  make(map[string][]Customer, len(customers)),
		similar: make(map[string][]Customer, len(customers)),
	}
	for _, c := range customers {
		m.Add(c)
	}
	return m
}

// Add makes a customer known, for instance one that the plan is going to create.
func (m *Matcher) Add(c Customer) {
	m.byName[c.Name] = append(m.byName[c.Name], c)
	if folded := Fold(c.Name); folded != "" && c.Active {
		m.similar[folded] = append(m.similar[folded], c)
	}
}

// Decide finds out which customer in is.
func (m *Matcher) Decide(in Incoming) Decision {
	if id, ok := m.mapped[in.Key]; ok {
		return Decision{Verdict: Mapped, CustomerID: id}
	}
	if in.Partner {
		return Decision{Verdict: Own}
	}
	if strings.TrimSpace(in.Name) == "" {
		return Decision{Verdict: Nameless}
	}
	var active, all []int64
	for _, c := range m.byName[in.Name] {
		all = append(all, c.ID)
		if c.Active {
			active = append(active, c.ID)
		}
	}
	switch {
	case len(active) == 1:
		return Decision{Verdict: SameName, CustomerID: active[0]}
	case len(active) > 1:
		return Decision{Verdict: Ambiguous, Candidates: active}
	case len(all) > 0:
		return Decision{Verdict: InactiveOnly, Candidates: all}
	case in.Ended:
		return Decision{Verdict: EndedUnmatched}
	default:
		return Decision{Verdict: Unmatched, Similar: m.similar[Fold(in.Name)]}
	}
}

// companyForms are words that say how a company is founded and nothing about which company it is.
var companyForms = map[string]bool{
	"the": true, "ltd": true, "limited": true, "pty": true, "proprietary": true, "inc": true, "incorporated": true,
	"llc": true, "plc": true, "corp": true, "corporation": true, "co": true, "company": true, "gmbh": true, "and": true,
}

// Fold reduces a name to what people compare: letters and digits in lower case, without accents, company forms and
// "the". Names that fold alike are only ever suggested to a person, never mapped.
func Fold(name string) string {
	words := strings.FieldsFunc(norm.NFKD.String(strings.ToLower(name)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)
	})
	var b strings.Builder
	for _, word := range words {
		if companyForms[word] {
			continue
		}
		for _, r := range word {
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}
