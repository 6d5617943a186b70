// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"net/http"
	"strconv"
	"strings"
)

// me answers who the client is.
func (c *call) me() {
	p := c.v.partner()
	c.sendJSON(func(e *encoder) {
		e.object(func() {
			e.text("CustomerId", p.ID)
			e.text("CustomerName", p.Name)
			e.maybe("Email", p.Email)
			e.flag("IsActive", !p.Deactivated)
			e.extras()
		})
	})
}

// customer writes a customer of the list, with what the switches make of the
// first end customer.
func (c *call) customer(e *encoder, cu *Customer) {
	if cu == c.v.partner() || strings.EqualFold(cu.ID, c.v.partner().ID) {
		c.customerRecord(e, cu, Present)
		return
	}
	e.customer++
	if e.customer > 1 {
		c.customerRecord(e, cu, Present)
		return
	}
	c.customerRecord(e, cu, c.sw.NoCustomerID)
	switch c.sw.DuplicateIDs {
	case DuplicateSame:
		c.customerRecord(e, cu, c.sw.NoCustomerID)
	case DuplicateDiffers:
		d := *cu
		d.Name += " (again)"
		d.ID = strings.ToUpper(cu.ID)
		c.customerRecord(e, &d, c.sw.NoCustomerID)
	}
}

var actingRoles = []string{"EndCustomer", "Partner", "PartnerAndEndCustomer"}

func (c *call) customerRecord(e *encoder, cu *Customer, absence Absence) {
	partner := strings.EqualFold(cu.ID, c.v.partner().ID)
	programs := c.v.programs(cu)
	e.object(func() {
		e.id("CustomerId", cu.ID, absence)
		e.null("CrmAccountId")
		e.flag("IsPartnerCustomer", partner == c.sw.InvertPartnerFlag)
		e.text("CustomerName", cu.Name)
		e.maybe("CustomerNotificationEmail", cu.NotificationEmail)
		e.maybe("ParentCustomerId", cu.ParentID)
		e.maybe("RegistrationNumber", cu.RegistrationNumber)
		e.null("SignedWithRhipe")
		e.maybe("WebUrl", cu.WebURL)
		e.maybe("MainPhone", cu.Phone)
		e.null("Fax")
		c.address(e, "", &cu.Address)
		e.maybe("CrmId", cu.CRMID)
		e.maybe("FinanceAccountId", cu.FinanceAccountID)
		c.emptyList(e, "FinanceAccounts")
		e.flag("DirectDebitWholeAccount", false)
		e.maybe("Email", cu.Email)
		c.address(e, "Billing", &cu.Billing)
		for _, n := range []string{
			"SalesTerritoryName", "SalesPersonFirstName", "SalesPersonLastName", "AccountManagerFirstName", "AccountManagerLastName",
			"HowDidYouHearAboutRhipe", "HowDidYouHearAboutRhipeOther", "IndustryType", "IndustryTypeOther",
		} {
			e.null(n)
		}
		switch {
		case c.sw.NullCustomerArrays:
			e.null("CustomerProgramAgreements")
		case len(programs) == 0:
			c.emptyList(e, "CustomerProgramAgreements")
		default:
			e.list("CustomerProgramAgreements", func() {
				for i := range programs {
					e.object(func() { c.program(e, &programs[i]) })
				}
			})
		}
		e.flag("HasContractAgreement", len(programs) > 0)
		e.flag("IsActive", !cu.Deactivated)
		e.null("ReferringPartnerName")
		if c.sw.ActingRole == FormText {
			e.text("CustomerActingRole", actingRoles[min(max(cu.ActingRole, 0), 2)])
		} else {
			e.integer("CustomerActingRole", int64(cu.ActingRole))
		}
		e.extras()
	})
}

func (c *call) address(e *encoder, prefix string, a *Address) {
	e.maybe(prefix+"Street1", a.Street1)
	if a.Street2 == "" && a.Street1 != "" && prefix == "" && c.sw.EmptyText == EmptyNull {
		e.text("Street2", "")
	} else {
		e.maybe(prefix+"Street2", a.Street2)
	}
	e.maybe(prefix+"Street3", a.Street3)
	e.maybe(prefix+"City", a.City)
	e.maybe(prefix+"State", a.State)
	e.maybe(prefix+"Postcode", a.Postcode)
	e.maybe(prefix+"Country", a.Country)
	e.maybe(prefix+"CountryIsoCode", a.CountryISOCode)
}

func (c *call) emptyList(e *encoder, name string) {
	if c.sw.NullArrays || c.sw.NullCustomerArrays {
		e.null(name)
		return
	}
	e.list(name, func() {})
}

func (c *call) program(e *encoder, p *ProgramAgreement) {
	e.text("Id", p.ID)
	e.text("ProgramId", p.ProgramID)
	e.date("AgreementStartDate", p.Start)
	e.null("AgreementEndDate")
	e.maybe("ContractAgreementId", p.AgreementID)
	e.coded("BillingPeriod", "Monthly", cycleCodes, c.sw.BillingPeriod == FormNumber)
	e.maybe("ProgramReferenceId", p.Reference)
	e.maybe("ProgramReferenceLabel", p.Reference)
	e.text("ProgramName", p.ProgramName)
	e.null("Customer")
	e.flag("IsConsumptionProgram", !p.Reported)
	c.emptyList(e, "Contacts")
	switch c.sw.CreditCard {
	case CreditCardObject:
		if e.key("CreditCard") {
			e.raw(`{"CardType":"Visa","MaskedNumber":"xxxx-xxxx-xxxx-0000","Expiry":"01/30","Holder":"A. Person"}`)
		}
	case CreditCardText:
		e.text("CreditCard", "xxxx-xxxx-xxxx-0000")
	default:
		e.null("CreditCard")
	}
	e.null("PaymentMethodDetails")
	e.extras()
}

// availableProducts answers what can be ordered for a tenant.
func (c *call) availableProducts() {
	t, ok := c.v.tenant(c.id)
	if !ok {
		c.unknown("The tenant")
		return
	}
	a, ok := agreementByID(c.v, t.AgreementID)
	if !ok {
		c.unknown("The contract agreement")
		return
	}
	c.sendJSON(func(e *encoder) {
		e.open('[')
		for _, p := range a.products() {
			if !p.Retired && !(c.fault != nil && c.fault.Kind == FaultEmpty) {
				e.object(func() { c.product(e, &p) })
			}
		}
		e.close(']')
	})
}

// priceList answers the prices of a contract agreement on a date. They are the
// same on every date.
func (c *call) priceList() {
	noTiers, ok := c.boolean("excludeTieredProducts")
	if !ok {
		return
	}
	if !dateParts(c.args[1], c.args[2], c.args[3]) {
		c.fail(http.StatusBadRequest, "The date of the price list is not valid.")
		return
	}
	a, ok := agreementByID(c.v, c.id)
	if !ok {
		c.unknown("The contract agreement")
		return
	}
	var groups []string
	byGroup := map[string][]Product{}
	for _, p := range a.products() {
		if p.Retired || p.Tiered && noTiers || c.fault != nil && c.fault.Kind == FaultEmpty {
			continue
		}
		if byGroup[p.Group] == nil {
			groups = append(groups, p.Group)
		}
		byGroup[p.Group] = append(byGroup[p.Group], p)
	}
	c.sendJSON(func(e *encoder) {
		e.object(func() {
			e.list("ProductGroups", func() {
				for _, g := range groups {
					e.object(func() {
						e.list("Products", func() {
							for i := range byGroup[g] {
								e.object(func() { c.product(e, &byGroup[g][i]) })
							}
						})
					})
				}
			})
			e.extras()
		})
	})
}

func (c *call) product(e *encoder, p *Product) {
	options, word := int64(1), " Month"
	if p.BillingCycle == "Annual" {
		options, word = 2, " Year"
	}
	if p.BillingCycleDuration != 1 {
		word += "s"
	}
	price, retail := p.UnitPrice, p.Retail
	if price == "" {
		price, retail = "0", "0"
	}
	e.text("ProductId", p.ID)
	e.text("ProductName", p.Name)
	e.text("ProductGroup", p.Group)
	e.text("ProductGroupId", textGUID("group", p.Group))
	e.text("ProductSku", p.SKU)
	e.number("Price", price)
	e.integer("MinQty", 1)
	e.integer("MaxQty", 10_000_000)
	e.integer("Qty", 1)
	e.number("UnitPrice", price)
	e.text("ProductUnit", p.Unit)
	e.list("ProductFrequencies", func() {
		e.sep()
		e.value(strconv.Itoa(p.BillingCycleDuration) + word)
	})
	e.number("RetailPrice", retail)
	e.number("RetailUnitPrice", retail)
	e.null("CommitmentValue")
	if p.Tiered {
		e.text("TieredProductSku", p.SKU)
	} else {
		e.null("TieredProductSku")
	}
	e.text("ProductType", "NON-SPECIFIC")
	e.maybe("ProductDescription", p.Name)
	e.null("ProductShortDescription")
	e.null("ProductRestrictions")
	e.flag("IsTrialProduct", false)
	e.integer("BillingCycleOptions", options)
	e.integer("BillingCycleDuration", int64(p.BillingCycleDuration))
	e.null("CommitmentValueUnitPrice")
	e.extras()
}
