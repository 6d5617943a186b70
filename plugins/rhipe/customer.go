// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// agreement is a contract agreement: the part of PRISM that is read as a whole.
type agreement struct {
	id, program string
}

// scopeRef is the same in every run, however PRISM writes the id.
func (a agreement) scopeRef() string { return strings.ToLower(a.id) }

func (a agreement) name() string {
	if a.program == "" {
		return "contract agreement " + a.id
	}
	return "contract agreement " + a.id + " (" + a.program + ")"
}

// vendor is the vendor behind the agreement's programme, in lower case, where it is certain.
func (a agreement) vendor() string {
	if hasPrefixFold(a.program, "microsoft") {
		return "microsoft"
	}
	return ""
}

// directory is what the customer list tells about who owns what. Ids are in lower case: PRISM's case varies.
type directory struct {
	// refs gives a customer's id as PRISM writes it.
	refs map[string]string
	// owners gives the customer of a programme agreement, which for Microsoft CSP is the tenant. "" where several claim it.
	owners map[string]string
	// found are the contract agreements of consumption programmes, each once, in order.
	found []agreement
	// programs names the programme of every contract agreement.
	programs map[string]string
	// parents counts how many customers name a parent; childless is one that names none or itself.
	parents map[string]int
	parent  map[string]string
}

func newDirectory() *directory {
	return &directory{
		refs: map[string]string{}, owners: map[string]string{}, programs: map[string]string{},
		parents: map[string]int{}, parent: map[string]string{},
	}
}

// readCustomers reads the customer list and gives each customer to each.
func (c *connection) readCustomers(ctx context.Context, problems *problems, each func(sdk.Customer) error) (*directory, error) {
	d := newDirectory()
	var o rest.Object
	n := 0
	listing, err := c.List(ctx, c.customersRequest(), func(v rest.Value) error {
		n++
		if !o.Read(v) {
			problems.lost("customer.unreadable", "element %d of the customer list is no customer", n)
			return nil
		}
		customer, agreements := decodeCustomer(o)
		if customer.Ref == "" {
			problems.lost("customer.without_id", "element %d of the customer list has no CustomerId (name %q)", n, customer.Name)
			return nil
		}
		d.add(customer.Ref, customer.ParentRef, agreements)
		return each(customer)
	})
	if listing.Null {
		problems.lost("customers.null", "PRISM answered null where the customer list was due")
	}
	return d, err
}

// programAgreement is an element of CustomerProgramAgreements. Card, payment and contact data is never read.
type programAgreement struct {
	id, contractAgreementID, program, reference, label string
	consumption                                        bool
}

func decodeCustomer(o rest.Object) (sdk.Customer, []programAgreement) {
	c := sdk.Customer{
		Ref:                id(o, "CustomerId"),
		Name:               o.Text("CustomerName"),
		Lifecycle:          sdk.LifecycleActive,
		Address:            decodeAddress(o),
		Phone:              trimmed(o, "MainPhone"),
		Email:              trimmed(o, "Email", "CustomerNotificationEmail"),
		Website:            trimmed(o, "WebUrl"),
		RegistrationNumber: trimmed(o, "RegistrationNumber"),
		ParentRef:          id(o, "ParentCustomerId"),
	}
	if active, told := o.Get("IsActive").Bool(); told {
		c.Status = "Active"
		if !active {
			c.Status, c.Lifecycle = "Deactivated", sdk.LifecycleEnded
		}
	}
	list, _ := o.Get("CustomerProgramAgreements").List()
	var agreements []programAgreement
	var member rest.Object
	for v := range list.Elements() {
		if !member.Read(v) {
			continue
		}
		consumption, _ := member.Get("IsConsumptionProgram").Bool()
		a := programAgreement{
			id: id(member, "Id"), contractAgreementID: id(member, "ContractAgreementId"), program: trimmed(member, "ProgramName"),
			reference: trimmed(member, "ProgramReferenceId"), label: trimmed(member, "ProgramReferenceLabel"), consumption: consumption,
		}
		agreements = append(agreements, a)
		if hasPrefixFold(a.program, "Microsoft CSP") {
			for _, text := range []string{a.label, a.reference} {
				if isDomain(text) {
					addDomain(&c, "microsoft", text)
				}
			}
		}
	}
	return c, agreements
}

// decodeAddress gives the main address, or the billing address where there is no main one; nil where the answer has no
// member for either.
func decodeAddress(o rest.Object) *sdk.Address {
	told := false
	for _, f := range o {
		name := strings.ToLower(string(f.Name))
		told = told || strings.Contains(name, "street") || strings.HasSuffix(name, "city") || strings.HasSuffix(name, "postcode")
	}
	if !told {
		return nil
	}
	main := addressAt(o, "")
	if isEmpty(main) {
		if billing := addressAt(o, "Billing"); !isEmpty(billing) {
			return billing
		}
	}
	return main
}

func addressAt(o rest.Object, prefix string) *sdk.Address {
	a := &sdk.Address{
		City: trimmed(o, prefix+"City"), Region: trimmed(o, prefix+"State"), PostalCode: trimmed(o, prefix+"Postcode"),
		Country: trimmed(o, prefix+"Country"),
	}
	for _, name := range []string{"Street1", "Street2", "Street3"} {
		if line := trimmed(o, prefix+name); line != "" {
			a.Lines = append(a.Lines, line)
		}
	}
	// Three letters have been thought possible; only two are ISO 3166-1 alpha-2.
	if code := strings.ToUpper(trimmed(o, prefix+"CountryIsoCode")); len(code) == 2 {
		a.CountryCode = code
	} else if a.Country == "" {
		a.Country = code
	}
	return a
}

// isEmpty reports whether an address names no place. A country alone is none.
func isEmpty(a *sdk.Address) bool { return len(a.Lines) == 0 && a.City == "" && a.PostalCode == "" }

func (d *directory) add(ref, parent string, agreements []programAgreement) {
	key := strings.ToLower(ref)
	d.refs[key] = ref
	if parentKey := strings.ToLower(parent); parentKey != "" && parentKey != key {
		if d.parent[key] == "" {
			d.parents[parentKey]++
		}
		d.parent[key] = parentKey
	}
	for _, a := range agreements {
		if a.id != "" {
			owned := strings.ToLower(a.id)
			if owner, taken := d.owners[owned]; taken && !strings.EqualFold(owner, ref) {
				d.owners[owned] = ""
			} else {
				d.owners[owned] = ref
			}
		}
		contract := strings.ToLower(a.contractAgreementID)
		if contract == "" {
			continue
		}
		if d.programs[contract] == "" {
			d.programs[contract] = a.program
		}
		if !a.consumption && !hasPrefixFold(a.program, "Microsoft CSP") {
			continue
		}
		if !slices.ContainsFunc(d.found, func(f agreement) bool { return strings.EqualFold(f.id, contract) }) {
			d.found = append(d.found, agreement{a.contractAgreementID, a.program})
		}
	}
}

// agreements gives what to read: the configured contract agreements, or else those found.
func (d *directory) agreements(configured []string) ([]agreement, error) {
	var list []agreement
	seen := map[string]bool{}
	for _, text := range configured {
		text = strings.TrimSpace(text)
		if key := strings.ToLower(text); text != "" && !seen[key] {
			seen[key] = true
			list = append(list, agreement{text, d.programs[key]})
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	if len(d.found) == 0 {
		return nil, &sdk.Error{
			Class: sdk.ClassSettings, Origin: sdk.OriginPlugin, Field: "contract_agreement_ids", Hint: agreementHint,
			Message: "no contract agreement is configured, and none of a consumption programme was found with the customers",
		}
	}
	return d.found, nil
}

// customerOf joins a tenant to its customer: by the customer the tenant names, else by the tenant's id among the
// programme agreements, else the customer it names although the list lacks it.
func (d *directory) customerOf(tenantID, customerID string) string {
	if ref, ok := d.refs[strings.ToLower(customerID)]; ok && customerID != "" {
		return ref
	}
	if ref := d.owners[strings.ToLower(tenantID)]; ref != "" && tenantID != "" {
		return ref
	}
	return customerID
}

// partner gives the id, in lower case, of the partner's own record: the configured one, or the one that is the parent of
// all the others. IsPartnerCustomer and CustomerActingRole do not tell: what they mean is not known.
func (d *directory) partner(configured string) string {
	if configured = strings.ToLower(strings.TrimSpace(configured)); configured != "" {
		return configured
	}
	// Fewer than three children could as well be a company and its subsidiaries.
	const enough = 3
	for key, children := range d.parents {
		if children < enough || children != len(d.refs)-1 {
			continue
		}
		if _, listed := d.refs[key]; listed && d.refs[d.parent[key]] == "" {
			return key
		}
	}
	return ""
}

func addDomain(c *sdk.Customer, vendor, domain string) {
	if domain == "" || slices.ContainsFunc(c.Domains, func(have string) bool { return strings.EqualFold(have, domain) }) {
		return
	}
	c.Domains = append(c.Domains, domain)
	if vendor != "" {
		// PRISM's tenant id is its own, not Microsoft's; so only the domain is told.
		c.VendorTenants = append(c.VendorTenants, sdk.VendorTenant{Vendor: vendor, Domain: domain})
	}
}

// sortDomains makes the order independent of that of the answer.
func sortDomains(c *sdk.Customer) {
	slices.Sort(c.Domains)
	slices.SortFunc(c.VendorTenants, func(a, b sdk.VendorTenant) int { return strings.Compare(a.Domain, b.Domain) })
}

func isDomain(text string) bool {
	return len(text) <= 253 && strings.Contains(text, ".") && !strings.ContainsAny(text, " /@:")
}

// id reads an id: text without white space around it.
func id(o rest.Object, name string) string {
	text := strings.TrimSpace(o.Get(name).Text())
	if text == "00000000-0000-0000-0000-000000000000" {
		return ""
	}
	return text
}

// trimmed gives the first of the members with a text, without white space around it.
func trimmed(o rest.Object, names ...string) string { return strings.TrimSpace(o.Text(names...)) }

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
