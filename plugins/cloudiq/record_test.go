// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

// The samples of Crayon's documentation, shortened.
const (
	theOrganization = `{"Id":3869,"Name":"Example MSP","ParentId":0,"CrayonCompanyName":"Crayon","AccountNumber":"7000000"}`
	theTenant       = `{"Id":486,"Name":"Fabrikam Pty Ltd","Publisher":{"Id":2,"Name":"Microsoft"},"PublisherCustomerId":"0a1b2c3d-1111-4222-8333-444455556666",
		"ExternalPublisherCustomerId":null,"Domain":"fabrikam.onmicrosoft.example","DomainPrefix":"fabrikam","Reference":"FAB-01",
		"CustomerTenantType":2,"EntityStatus":0,"Organization":{"Id":3869,"Name":"Example MSP","ParentId":0},"InvoiceProfile":{"Id":7,"Name":"Default"}}`
	theTenantInFull = `{"Tenant":` + theTenant + `,"User":{"UserName":"admin@fabrikam.example","Password":"never-to-be-told"},
		"Profile":{"CultureCode":"en-AU","LanguageCode":"en",
		"Contact":{"FirstName":"Sam","LastName":"Lee","Email":"sam@fabrikam.example","PhoneNumber":"+61370100000"},
		"Address":{"AddressLine1":"12 Example Street","AddressLine2":"","AddressLine3":"Rear","City":"Melbourne","Region":"VIC","PostalCode":"3000","CountryCode":"au","CountryName":null}},
		"Company":{"OrganizationRegistrationNumber":"12345678901"}}`
	theSubscription = `{"Id":123,"PublisherSubscriptionId":"f0000000-1bc2-462f-9206-000000000001","EntitlementId":null,"Publisher":{"Id":2,"Name":"Microsoft"},
		"Organization":{"Id":3869,"Name":"Example MSP"},"CustomerTenant":{"Id":486},
		"Product":{"Id":133518,"PartNumber":"CFQ7TTC0LCHC:0002","ItemLegalName":"","ItemName":"Microsoft 365 Business Premium"},
		"Quantity":25,"Name":"Premium for all","Status":1,"ProvisionType":1,"BillingCycle":1,"TermDuration":"P1Y",
		"AutoRenewEnabled":true,"CancellationAllowedUntilDate":"2024-03-21T23:59:00Z","CreationDate":"2024-03-14T02:11:45.37+00:00",
		"StartDate":"2024-03-14T00:00:00","EndDate":"2025-03-13T00:00:00","SalesPrice":27.36,"PriceType":1,"IsTrial":false,
		"OrderId":"order-1","AvailableAddonsCount":0,"ScheduledNextTermInstructions":{"Quantity":30},"Subscriptions":[%s]}`
	theAddon = `{"Id":124,"PublisherSubscriptionId":"f0000000-1bc2-462f-9206-000000000002","Name":"Audio Conferencing","Status":2,"Quantity":3,
		"CreationDate":"2024-03-15T02:11:45+11:00","Product":{"Id":133600,"PartNumber":"CFQ7TTC0LHSL:0001","ItemName":"Audio Conferencing"},"TermDuration":"P1M","AutoRenewEnabled":null}`
	theDetails = `{"Id":%d,"EffectiveStartDate":"2024-03-14T00:00:00Z","CommitmentEndDate":"%s","SuspensionReasons":null,
		"Pricing":{"CurrencyCode":"aud","PurchasePrice":22.80,"RecommendedRetailPrice":"30.00"}}`
)

// sample is what the simulator tells of the samples.
func sample() cloudiqsim.Options {
	return cloudiqsim.Options{
		Organizations: []string{theOrganization}, Tenants: []string{theTenant}, TenantDetails: map[string]string{"486": theTenantInFull},
		Subscriptions: []string{fmt.Sprintf(theSubscription, theAddon)},
		SubscriptionDetails: map[string]string{
			"123": fmt.Sprintf(theDetails, 123, "2025-03-13T23:59:59Z"), "124": fmt.Sprintf(theDetails, 124, "9999-12-31T00:00:00Z"),
		},
	}
}

func decimal(text string) sdk.Decimal {
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func money(amount, currency string) sdk.Money {
	return sdk.Money{Amount: decimal(amount), Currency: currency}
}

func yes(b bool) *bool { return &b }

// compare compares records; decimals are equal exactly when they are the same number.
func compare(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b }))
}

func TestCustomersAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, sample())
	listing := sdktest.Customers(t, plugin(), sim.Settings())
	want := []sdk.Customer{
		{Ref: "organization-3869", Name: "Example MSP", Lifecycle: sdk.LifecycleActive, IsPartner: true},
		{
			Ref: "486", Name: "Fabrikam Pty Ltd", Lifecycle: sdk.LifecycleActive, Status: "None", ParentRef: "organization-3869", ExternalRef: "FAB-01",
			Address: &sdk.Address{
				Lines: []string{"12 Example Street", "Rear"}, City: "Melbourne", Region: "VIC", PostalCode: "3000", CountryCode: "AU",
			},
			Phone: "+61370100000", Email: "sam@fabrikam.example", RegistrationNumber: "12345678901",
			VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Ref: "0a1b2c3d-1111-4222-8333-444455556666", Domain: "fabrikam.onmicrosoft.example"}},
			Domains:       []string{"fabrikam.onmicrosoft.example"},
		},
	}
	if diff := compare(want, listing.Records); diff != "" || !listing.Complete {
		t.Errorf("complete is %v; %s", listing.Complete, diff)
	}
}

func TestCustomersOfOtherForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant string
		want   sdk.Customer
	}{
		"removed": {
			`{"Id":1,"Name":"Gone","EntityStatus":1,"Organization":{"Id":3869}}`,
			sdk.Customer{Ref: "1", Name: "Gone", Lifecycle: sdk.LifecycleDeleted, Status: "Removed", ParentRef: "organization-3869"},
		},
		"of a consumer": {
			`{"Id":2,"Name":"Fabrikam AWS","Publisher":{"Id":9,"Name":"AWS"},"PublisherCustomerId":"1234","Consumer":{"Id":55,"Name":"Fabrikam"},"EntityStatus":0}`,
			sdk.Customer{
				Ref: "2", Name: "Fabrikam AWS", Lifecycle: sdk.LifecycleActive, Status: "None", ParentRef: "consumer-55",
				VendorTenants: []sdk.VendorTenant{{Vendor: "aws", Ref: "1234"}},
			},
		},
		"an unknown status, in camelCase": {
			`{"id":3,"name":" Spaced ","entityStatus":9,"publisher":{"id":2},"publisherCustomerId":"7e","domain":"d.example"}`,
			sdk.Customer{
				Ref: "3", Name: "Spaced", Status: "9", ParentRef: "organization-3869", Domains: []string{"d.example"},
				VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Ref: "7e", Domain: "d.example"}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := customerOf(value(t, c.tenant).Object(), organization{"3869", "Example MSP"})
			if diff := compare(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSubscriptionsAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, sample())
	listing := sdktest.Subscriptions(t, plugin(), sim.Settings())
	want := []sdk.Subscription{
		{
			Ref: "123", CustomerRef: "486", TenantRef: "486", VendorRef: "f0000000-1bc2-462f-9206-000000000001",
			VendorTenantRef: "0a1b2c3d-1111-4222-8333-444455556666", Name: "Premium for all", Vendor: "Microsoft",
			State: sdk.StateActive, Status: "Active", Trial: yes(false), AutoRenew: yes(true),
			BillingTerm: sdk.Months(1, "Monthly"), CommitmentTerm: sdk.Years(1, "P1Y"),
			StartedOn: "2024-03-14", CommitmentEnd: "2025-03-13T23:59:59Z", CancellableUntil: "2024-03-21T23:59:00Z",
			Items: []sdk.Item{{
				Name: "Microsoft 365 Business Premium", SKU: "CFQ7TTC0LCHC:0002", ProductRef: "133518", Quantity: decimal("25"), Unit: "Seat",
				Charge: sdk.ChargeRecurring, CustomerPrice: money("27.36", "AUD"), PartnerCost: money("22.8", "AUD"), ListPrice: money("30", "AUD"),
				PricePer: sdk.PricePerUnit,
			}},
			Extra: map[string]string{"order_id": "order-1", "end_date": "2025-03-13", "next_term_quantity": "30"},
		},
		{
			Ref: "124", CustomerRef: "486", TenantRef: "486", VendorRef: "f0000000-1bc2-462f-9206-000000000002",
			VendorTenantRef: "0a1b2c3d-1111-4222-8333-444455556666", ParentRef: "123", Name: "Audio Conferencing", Vendor: "Microsoft",
			State: sdk.StateSuspended, Status: "Suspended", CommitmentTerm: sdk.Months(1, "P1M"), StartedOn: "2024-03-14T15:11:45Z",
			Items: []sdk.Item{{
				Name: "Audio Conferencing", SKU: "CFQ7TTC0LHSL:0001", ProductRef: "133600", Quantity: decimal("3"),
				PartnerCost: money("22.8", "AUD"), ListPrice: money("30", "AUD"), PricePer: sdk.PricePerUnit,
			}},
		},
	}
	// The two scopes are open at the same time; which of them comes first is not promised.
	slices.SortFunc(listing.Records, func(a, b sdk.Subscription) int { return strings.Compare(a.Ref, b.Ref) })
	if diff := compare(want, listing.Records); diff != "" || !listing.Complete {
		t.Errorf("complete is %v, warnings %q; %s", listing.Complete, listing.Warnings, diff)
	}
	if diff := cmp.Diff(map[string]string{"3869": "complete", "3869/add-ons": "complete"}, listing.Scopes); diff != "" {
		t.Error(diff)
	}
}

func TestTermsAndCharges(t *testing.T) {
	t.Parallel()
	for cycle, want := range map[string]sdk.Term{
		"0": {Raw: "Unknown"}, "1": sdk.Months(1, "Monthly"), "2": sdk.Years(1, "Annual"), "3": {Kind: sdk.TermNone, Raw: "None"},
		"4": {Kind: sdk.TermOneTime, Raw: "OneTime"}, "5": {Raw: "5"}, "6": {Raw: "6"}, "7": sdk.Years(2, "TwoYears"),
		"8": sdk.Years(3, "ThreeYears"), "9": sdk.Months(3, "Quarterly"), "10": {Raw: "10"}, `"Monthly"`: sdk.Months(1, "Monthly"),
		`"BiAnnually"`: {Raw: "BiAnnually"}, `"9"`: sdk.Months(3, "Quarterly"),
	} {
		if got := billingTerm(value(t, cycle)); got != want {
			t.Errorf("billing cycle %s is %+v, want %+v", cycle, got, want)
		}
	}
	for text, want := range map[string]sdk.Term{
		"P1M": sdk.Months(1, "P1M"), "P1Y": sdk.Years(1, "P1Y"), "P3Y": sdk.Years(3, "P3Y"), "p12m": sdk.Months(12, "p12m"), "P30D": sdk.Days(30, "P30D"),
		"": {}, "P": {Raw: "P"}, "PT1M": {Raw: "PT1M"}, "P1Y6M": {Raw: "P1Y6M"}, "P0M": {Raw: "P0M"}, "P-1Y": {Raw: "P-1Y"}, "P1F": {Raw: "P1F"}, "Year": {Raw: "Year"},
	} {
		if got := commitmentTerm(text); got != want {
			t.Errorf("term %q is %+v, want %+v", text, got, want)
		}
	}
	once := sdk.Term{Kind: sdk.TermOneTime}
	for _, c := range []struct {
		provision string
		billing   sdk.Term
		charge    sdk.Charge
		unit      string
	}{
		{"0", sdk.Term{}, sdk.ChargeUnknown, "None"},
		{"1", sdk.Months(1, ""), sdk.ChargeRecurring, "Seat"},
		{"1", once, sdk.ChargeOneTime, "Seat"},
		{"2", sdk.Months(1, ""), sdk.ChargeUsage, "Usage"},
		{"2", once, sdk.ChargeUsage, "Usage"},
		{"3", sdk.Term{}, sdk.ChargeOneTime, "OneTime"},
		{"4", sdk.Months(1, ""), sdk.ChargeUnknown, "Crayon"},
		{"5", sdk.Months(1, ""), sdk.ChargeUnknown, "AzureMarketplace"},
		{"66", sdk.Term{}, sdk.ChargeUnknown, "66"},
		{"null", sdk.Term{}, sdk.ChargeUnknown, ""},
	} {
		if charge, unit := chargeOf(value(t, c.provision), c.billing); charge != c.charge || unit != c.unit {
			t.Errorf("provision type %s billed %v is %v %q, want %v %q", c.provision, c.billing.Kind, charge, unit, c.charge, c.unit)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2024-03-14T00:00:00": "2024-03-14", "2024-03-14T00:00:00.1234567": "2024-03-14", "2024-03-14": "2024-03-14",
		"2024-03-14T02:11:45.37+00:00": "2024-03-14T02:11:45Z", "2024-03-14T02:11:45+11:00": "2024-03-13T15:11:45Z",
		"2024-03-21T23:59:00Z": "2024-03-21T23:59:00Z", "9999-12-31T23:59:59Z": "", "0001-01-01T00:00:00": "", "": "",
	} {
		if d, err := dateOf(value(t, `"`+text+`"`)); err != nil || d.String() != want {
			t.Errorf("%q is %q (%v), want %q", text, d, err, want)
		}
	}
	if _, err := dateOf(value(t, `"soon"`)); err == nil {
		t.Error("soon is a date")
	}
}

// TestMeteredUseHasNoSeatsAndNoPrices: an Azure plan is listed with a quantity and a price that mean nothing.
func TestMeteredUseHasNoSeatsAndNoPrices(t *testing.T) {
	t.Parallel()
	o := sample()
	o.Subscriptions = []string{strings.Replace(fmt.Sprintf(theSubscription, ""), `"ProvisionType":1`, `"ProvisionType":2`, 1)}
	sim := newSimulator(t, o)
	listing := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if len(listing.Records) != 1 || !listing.Complete {
		t.Fatalf("%+v", listing)
	}
	item := listing.Records[0].Items[0]
	if item.Charge != sdk.ChargeUsage || !item.Quantity.IsAbsent() || !item.CustomerPrice.Amount.IsAbsent() || !item.PartnerCost.Amount.IsAbsent() {
		t.Errorf("it is %+v", item)
	}
	if listing.Records[0].CommitmentEnd == "" {
		t.Error("the end of its commitment is not told")
	}
}

// TestAbsentIsNotZero: a price of zero is told as such, one that is not there is not told.
func TestAbsentIsNotZero(t *testing.T) {
	t.Parallel()
	o := sample()
	o.Subscriptions = []string{strings.Replace(fmt.Sprintf(theSubscription, ""), `"SalesPrice":27.36`, `"SalesPrice":0.0`, 1)}
	o.SubscriptionDetails["123"] = `{"Id":123,"Pricing":{"CurrencyCode":"AUD","PurchasePrice":null,"RecommendedRetailPrice":0}}`
	sim := newSimulator(t, o)
	listing := sdktest.Subscriptions(t, plugin(), sim.Settings())
	if len(listing.Records) != 1 {
		t.Fatalf("%+v", listing)
	}
	item := listing.Records[0].Items[0]
	if item.CustomerPrice != money("0", "AUD") || item.ListPrice != money("0", "AUD") || !item.PartnerCost.Amount.IsAbsent() {
		t.Errorf("it is %+v", item)
	}
}
