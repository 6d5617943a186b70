// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// Property names as clients of the real service read them.
const (
	customerKeys = `CustomerId CrmAccountId CrmId IsPartnerCustomer CustomerName CustomerNotificationEmail ParentCustomerId
		RegistrationNumber SignedWithRhipe WebUrl MainPhone Fax Email Street1 Street2 Street3 City State Postcode Country CountryIsoCode
		BillingStreet1 BillingStreet2 BillingStreet3 BillingCity BillingState BillingPostcode BillingCountry BillingCountryIsoCode
		FinanceAccountId FinanceAccounts DirectDebitWholeAccount SalesTerritoryName SalesPersonFirstName SalesPersonLastName
		AccountManagerFirstName AccountManagerLastName HowDidYouHearAboutRhipe HowDidYouHearAboutRhipeOther IndustryType IndustryTypeOther
		CustomerProgramAgreements HasContractAgreement IsActive ReferringPartnerName CustomerActingRole`
	programKeys = `Id ProgramId ProgramName ContractAgreementId AgreementStartDate AgreementEndDate BillingPeriod ProgramReferenceId
		ProgramReferenceLabel IsConsumptionProgram Customer Contacts CreditCard PaymentMethodDetails`
	tenantKeys       = `TenantId TenantDomain TenantStatus CustomerId CustomerName Subscriptions`
	tenantOnlyKeys   = `TenantId TenantDomain TenantStatus CustomerId CustomerName`
	subscriptionKeys = `SubscriptionId Status ProductId ProductName FriendlyName Quantity Unit UnitPrice BillingCycle BillingCycleDuration
		FirstPurchased DisplayTemplate ProgramReferenceLabel AddonSubscriptions`
	addonKeys   = `SubscriptionId FriendlyName Quantity Unit UnitPrice`
	productKeys = `ProductId ProductName ProductGroup ProductGroupId ProductSku Price UnitPrice RetailPrice RetailUnitPrice MinQty MaxQty Qty
		ProductUnit ProductFrequencies BillingCycleOptions BillingCycleDuration ProductType ProductDescription ProductShortDescription
		ProductRestrictions IsTrialProduct CommitmentValue CommitmentValueUnitPrice TieredProductSku`
	summaryKeys   = `SubscriptionName StartDate EndDate Currency TotalCost LastUpdateDate ResourceUsageSummaries`
	resourceKeys  = `ResourceId ResourceName ResourceCategory Cost`
	usageRowsKeys = `SubscriptionId SubscriptionName CustomerName VendorSubscriptionId BillingMpnId AdvisorMpnId PrimaryDomain
		BillableContractAgreementId UsageDate Currency PartnerCost Rrp VendorFxRate MeterId MeterName MeterCategory MeterSubCategory
		MeterRegion MeterType ConsumedService ResourceUri ResourceLocation ResourceGroup Tags AdditionalInfo Quantity Unit ProductId
		ProductName SkuId SkuName`
	oldRowKeys  = `Cost RRP Quantity Unit MeterName MeterCategory MeterSubCategory MeterRegion ResourceGroup ResourceId InstanceData Tags`
	invoiceKeys = `InvoiceId ProgramName BillingPeriodStart UsageYear UsageMonth`
)

func TestNamesOfProperties(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, test := range []struct {
		what, method, path, body string
		steps                    []any
		want                     string
	}{
		{"a customer", "GET", customersPath, "", []any{1}, customerKeys},
		{"the partner", "GET", customersPath, "", []any{0}, customerKeys},
		{"a customer's agreement", "GET", customersPath, "", []any{1, "CustomerProgramAgreements", 0}, programKeys},
		{"the partner's agreement", "GET", customersPath, "", []any{0, "CustomerProgramAgreements", 1}, programKeys},
		{"a tenant", "GET", tenantsPath, "", []any{0}, tenantKeys},
		{"a subscription of the list", "GET", tenantsPath, "", []any{0, "Subscriptions", 0}, subscriptionKeys},
		{"an add-on of the list", "GET", tenantsPath, "", []any{0, "Subscriptions", 0, "AddonSubscriptions", 0}, addonKeys},
		{"a tenant of all", "GET", "/api/v2/microsoftcsp/tenants", "", []any{0}, tenantOnlyKeys},
		{"a tenant's details", "GET", detailsPath, "", nil, tenantKeys},
		{"a subscription of the details", "GET", detailsPath, "", []any{"Subscriptions", 1}, subscriptionKeys},
		{"an add-on of the details", "GET", detailsPath, "", []any{"Subscriptions", 0, "AddonSubscriptions", 0}, addonKeys},
		{"one CSP subscription", "GET", "/api/v2/microsoftcsp/subscriptions/" + exchangeSub, "", nil, subscriptionKeys},
		{"one subscription", "GET", "/api/v2/consumption/subscriptions/" + exchangeSub, "", nil, subscriptionKeys},
		{"a product to order", "GET", detailsPath + "/products/available", "", []any{0}, productKeys},
		{"a price list", "GET", pricesPath, "", nil, "ProductGroups"},
		{"a group of products", "GET", pricesPath, "", []any{"ProductGroups", 0}, "Products"},
		{"a product", "GET", pricesPath, "", []any{"ProductGroups", 0, "Products", 0}, productKeys},
		{"a summary of usage", "GET", summaryPath + oneDay, "", nil, summaryKeys},
		{"a resource of it", "GET", summaryPath + oneDay, "", []any{"ResourceUsageSummaries", 0}, resourceKeys},
		{"a page of usage rows", "POST", rowsPath, oneDayRows, nil, "Records"},
		{"a usage row", "POST", rowsPath, oneDayRows, []any{"Records", 0}, usageRowsKeys},
		{"usage rows of old", "POST", oldRowsPath, "{" + oneDayBody + "}", nil, "UsageLineItems"},
		{"a usage row of old", "POST", oldRowsPath, "{" + oneDayBody + "}", []any{"UsageLineItems", 0}, oldRowKeys},
		{"a page of invoices", "GET", invoicesPath, "", nil, "Records"},
		{"an invoice", "GET", invoicesPath, "", []any{"Records", 0}, invoiceKeys},
	} {
		object, ok := dig(t, decode(t, c.good(test.method, test.path, test.body)), test.steps...).(map[string]any)
		if !ok {
			t.Errorf("%s is no object", test.what)
			continue
		}
		want := strings.Fields(test.want)
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(object))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
}

// TestValues holds values, and the form they are sent in, for what clients are
// known to read.
func TestValues(t *testing.T) {
	t.Parallel()
	c := start(t)
	seen := map[string]string{}
	for _, l := range c.everything() {
		seen[l.doc+l.path] = l.value
	}
	for path, want := range map[string]string{
		"me.CustomerId": `"` + partnerID + `"`,

		"customers[0].CustomerId":                                        `"` + partnerID + `"`,
		"customers[0].CustomerActingRole":                                "1",
		"customers[0].ParentCustomerId":                                  "null",
		"customers[1].ParentCustomerId":                                  `"` + partnerID + `"`,
		"customers[1].CustomerActingRole":                                "0",
		"customers[1].IsPartnerCustomer":                                 "true",
		"customers[1].IsActive":                                          "true",
		"customers[1].HasContractAgreement":                              "true",
		"customers[1].Street1":                                           `"Level 4, 12 Example Street"`,
		"customers[1].Street2":                                           `""`,
		"customers[1].Street3":                                           "null",
		"customers[1].Postcode":                                          `"3000"`,
		"customers[1].CountryIsoCode":                                    `"AU"`,
		"customers[1].BillingStreet1":                                    `"PO Box 45"`,
		"customers[1].FinanceAccounts":                                   "[]",
		"customers[1].CustomerProgramAgreements[0].Id":                   `"` + fabrikamTen + `"`,
		"customers[2].Street2":                                           "null",
		"customers[2].CustomerProgramAgreements[1].Id":                   `"` + emptyTen + `"`,
		"customers[3].IsActive":                                          "false",
		"customers[3].CustomerProgramAgreements":                         "[]",
		"customers[3].HasContractAgreement":                              "false",
		"customers[0].CustomerProgramAgreements[1].ContractAgreementId":  `"` + splaID + `"`,
		"customers[0].CustomerProgramAgreements[1].ProgramName":          `"Microsoft SPLA"`,
		"customers[0].CustomerProgramAgreements[1].IsConsumptionProgram": "false",
		"customers[1].CustomerProgramAgreements[0].ContractAgreementId":  `"` + agreementID + `"`,
		"customers[1].CustomerProgramAgreements[0].ProgramName":          `"Microsoft CSP Indirect"`,
		"customers[1].CustomerProgramAgreements[0].IsConsumptionProgram": "true",
		"customers[1].CustomerProgramAgreements[0].AgreementStartDate":   `"2019-03-01T00:00:00+00:00"`,
		"customers[1].CustomerProgramAgreements[0].CreditCard":           "null",

		"tenants[0].TenantStatus":                                          `"Active"`,
		"tenants[0].CustomerName":                                          `"Fabrikam Pty Ltd"`,
		"tenants[0].Subscriptions[0].Quantity":                             "25",
		"tenants[0].Subscriptions[0].UnitPrice":                            "27.36",
		"tenants[0].Subscriptions[0].FirstPurchased":                       `"2022-03-14T02:11:45.1234567+00:00"`,
		"tenants[0].Subscriptions[0].BillingCycle":                         `"Monthly"`,
		"tenants[0].Subscriptions[0].Unit":                                 `"Licenses"`,
		"tenants[0].Subscriptions[1].Status":                               `"Suspended"`,
		"tenants[0].Subscriptions[1].FirstPurchased":                       `"2021-05-01T10:00:00.250+00:00"`,
		"tenants[0].Subscriptions[1].AddonSubscriptions":                   "null",
		"tenants[0].Subscriptions[1].ProductId":                            `"195416c1-3447-423a-b37b-ee59a99a19c4"`, // its SKU
		"tenants[0].Subscriptions[2].FirstPurchased":                       `"2020-07-02T23:05:10+00:00"`,
		"tenants[0].Subscriptions[2].Unit":                                 `"Usage-based"`,
		"tenants[0].Subscriptions[2].DisplayTemplate":                      `"Azure"`,
		"tenants[1].Subscriptions[0].Unit":                                 `"User"`,
		"tenants[1].Subscriptions[1].Status":                               `"Cancelled"`,
		"tenants[2].Subscriptions":                                         "null",
		"tenants[3].Subscriptions":                                         "[]",
		"tenants[0].Subscriptions[0].AddonSubscriptions[0].SubscriptionId": `"` + audioAddon + `"`,
		"tenants[0].Subscriptions[0].AddonSubscriptions[0].UnitPrice":      "4.9",

		"consumption_subscription.SubscriptionId": `"` + audioAddon + `"`,
		"consumption_subscription.Status":         `"Active"`,

		"price_list.ProductGroups[0].Products[0].ProductSku":            `"CFQ7TTC0LCHC:0002"`,
		"price_list.ProductGroups[0].Products[0].UnitPrice":             "27.36",
		"price_list.ProductGroups[0].Products[0].ProductFrequencies[0]": `"1 Month"`,
		"price_list.ProductGroups[0].Products[0].BillingCycleOptions":   "1",
		"price_list.ProductGroups[0].Products[2].BillingCycleOptions":   "2",
		"price_list.ProductGroups[0].Products[0].IsTrialProduct":        "false",

		"usage_summary.Currency":             `"AUD"`,
		"usage_summary.StartDate":            `"2025-02-01T00:00:00+00:00"`,
		"usage_rows.Records[0].CustomerName": `"Fabrikam Pty Ltd"`,
		"usage_rows.Records[0].UsageDate":    `"2025-02-01T00:00:00+00:00"`,
		"usage_rows.Records[0].BillingMpnId": `"1234567"`,
		"usage_rows.Records[2].Tags":         "null",

		"invoices.Records[0].ProgramName":        `"Microsoft CSP Indirect"`,
		"invoices.Records[0].BillingPeriodStart": `"2025-02-01T00:00:00+00:00"`,
		"invoices.Records[0].UsageYear":          "2025",
		"invoices.Records[0].UsageMonth":         "2",
	} {
		if got, ok := seen[path]; !ok || got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestBareArraysTellTheirType(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, path := range []string{customersPath, tenantsPath} {
		a := c.get(path)
		if kind := a.header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
			t.Errorf("%s is %q", path, kind)
		}
		if !strings.HasPrefix(string(a.body), "[") {
			t.Errorf("%s begins with %.20q", path, a.body)
		}
	}
}

func TestPriceList(t *testing.T) {
	t.Parallel()
	c := start(t)
	skus := func(path string) (list []string) {
		for _, l := range leaves(t, "", c.good("GET", path, "")) {
			if l.name() == "ProductSku" {
				list = append(list, strings.Trim(l.value, `"`))
			}
		}
		return list
	}
	all := skus(pricesPath)
	without := skus(pricesPath + "?excludeTieredProducts=true")
	if !slices.Contains(all, "CBS-200-T2") || slices.Contains(without, "CBS-200-T2") || len(without) != len(all)-1 {
		t.Errorf("tiered products: with %q, without %q", all, without)
	}
	if slices.Contains(all, "B4D4B7F4-4089-43B6-9C44-DE97B760FB11") {
		t.Error("a retired product is on the price list")
	}
	if !slices.Contains(all, "195416C1-3447-423A-B37B-EE59A99A19C4") {
		t.Error("no SKU is an upper-case GUID")
	}
	for _, date := range []string{"2025/13/1", "2025/2/30", "0/1/1", "2025/x/1", "2025/-1/1"} {
		if a := c.get("/api/v2/me/pricing/" + agreementID + "/pricelist/" + date + "/"); a.status != http.StatusBadRequest {
			t.Errorf("the date %s is answered with %d", date, a.status)
		}
	}
}

func TestUnknownIDs(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, test := range []struct{ method, path, body string }{
		{"GET", "/api/v2/contractagreements/" + unknownID + "/tenants", ""},
		{"GET", "/api/v2/contractagreements/" + splaID + "/tenants", ""},
		{"GET", "/api/v2/microsoftcsp/tenants/" + unknownID, ""},
		{"GET", "/api/v2/microsoftcsp/subscriptions/" + unknownID, ""},
		{"GET", "/api/v2/consumption/subscriptions/" + unknownID, ""},
		{"GET", "/api/v2/microsoftcsp/tenants/" + unknownID + "/products/available", ""},
		{"GET", "/api/v2/me/pricing/" + unknownID + "/pricelist/2025/3/14/", ""},
		{"GET", "/api/v2/microsoftcsp/azure/usage/summary/" + unknownID + oneDay, ""},
		{"GET", "/api/v2/microsoftcsp/azure/usage/summary/" + premiumSub + oneDay, ""}, // has no usage
		{"POST", rowsPath, strings.ReplaceAll(oneDayRows, azureSub, unknownID)},
		{"POST", "/api/v2/microsoftcsp/azure/detailed/" + unknownID, "{" + oneDayBody + "}"},
		{"GET", "/api/v1/me/invoice/" + unknownID + "/csv", ""},
		{"GET", "/api/v3/me", ""},
		{"GET", "/", ""},
	} {
		if a := c.call(test.method, test.path, test.body); a.status != http.StatusNotFound {
			t.Errorf("%s %s is answered with %d", test.method, test.path, a.status)
		}
	}
}

func TestMethodsThatAreNotThere(t *testing.T) {
	t.Parallel()
	c := start(t)
	for path, allow := range map[string]string{customersPath: "GET", rowsPath: "POST", tenantsPath: "GET"} {
		a := c.call("DELETE", path, "")
		if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
			t.Errorf("DELETE %s: %d, Allow %q", path, a.status, a.header.Get("Allow"))
		}
	}
}

func TestDeactivatedCustomers(t *testing.T) {
	t.Parallel()
	c := start(t)
	for query, want := range map[string]int{
		"": 3, "?includeDeactivatedCustomers=false": 3, "?includeDeactivatedCustomers=False": 3, "?includeDeactivatedCustomers=0": 3,
		"?includeDeactivatedCustomers=true": 4, "?includeDeactivatedCustomers=True": 4, "?includeDeactivatedCustomers=TRUE": 4,
		"?INCLUDEDEACTIVATEDCUSTOMERS=tRuE": 4, "?includedeactivatedcustomers=1": 4,
	} {
		if n := len(c.list(customersPath + query)); n != want {
			t.Errorf("%q lists %d customers, want %d", query, n, want)
		}
	}
	if a := c.get(customersPath + "?includeDeactivatedCustomers=perhaps"); a.status != http.StatusBadRequest {
		t.Errorf("a boolean that is none is answered with %d", a.status)
	}
}

func TestSeveralAgreements(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	other := w.AddAgreement(prismsim.Agreement{Reference: "7654321"})
	tenant := w.AddTenant(prismsim.Tenant{AgreementID: other, CustomerID: fabrikamID})
	c := startWith(t, w)
	if n := len(c.list(tenantsPath)); n != 4 {
		t.Errorf("%d tenants in the first agreement", n)
	}
	list := c.list("/api/v2/contractagreements/" + strings.ToUpper(other) + "/tenants")
	if len(list) != 1 || dig(t, list, 0, "TenantId") != tenant {
		t.Errorf("tenants of the second agreement: %v", list)
	}
	c.s.Fail(prismsim.AgreementFails(other, http.StatusInternalServerError))
	if a := c.get("/api/v2/contractagreements/" + other + "/tenants"); a.status != http.StatusInternalServerError {
		t.Errorf("the failing agreement is answered with %d", a.status)
	}
	if n := len(c.list(tenantsPath)); n != 4 {
		t.Errorf("%d tenants in the agreement that does not fail", n)
	}
}
