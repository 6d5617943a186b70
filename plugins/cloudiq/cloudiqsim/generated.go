// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// each is how many subscriptions a customer tenant holds, add-ons not counted.
const each = 5

// The first ids of each kind. Ids of subscriptions are ten apart; between them are those of their add-ons.
const (
	firstOrganization = 3869
	firstTenant       = 486
	firstSubscription = 100_000
	apart             = 10
)

// generated is the world of about that many subscriptions. Element i is always the same, whatever the size. The first of
// the two organisations has three quarters of the tenants.
func generated(subscriptions int) *world {
	tenants := (subscriptions + each - 1) / each
	cut := (3*tenants + 3) / 4
	of := func(i int) int { // the organisation of a tenant
		if i < cut {
			return 0
		}
		return 1
	}
	allTenants := simulator.List{Len: tenants, At: func(i int) []byte { return marshal(tenantAt(i, of(i))) }}
	all := simulator.List{Len: subscriptions, At: func(i int) []byte { return marshal(subscriptionAt(i, of(i/each))) }}
	atCut := min(cut*each, subscriptions)
	return &world{
		organizations: simulator.List{Len: 2, At: func(i int) []byte { return marshal(organizationAt(i)) }},
		tenants: func(organization string) simulator.List {
			switch organization {
			case "":
				return allTenants
			case strconv.Itoa(firstOrganization):
				return allTenants.Part(0, cut)
			case strconv.Itoa(firstOrganization + 1):
				return allTenants.Part(cut, tenants)
			default:
				return simulator.List{}
			}
		},
		subscriptions: func(organization, tenant string) simulator.List {
			from, to := 0, subscriptions
			switch organization {
			case "":
			case strconv.Itoa(firstOrganization):
				to = atCut
			case strconv.Itoa(firstOrganization + 1):
				from = atCut
			default:
				return simulator.List{}
			}
			if tenant != "" {
				i := numberOf(tenant, 0) - firstTenant
				from, to = max(from, i*each), min(to, (i+1)*each)
			}
			return all.Part(from, max(from, to))
		},
		tenant: func(id string) []byte {
			i := numberOf(id, 0) - firstTenant
			if i < 0 || i >= tenants {
				return nil
			}
			return marshal(detailedTenant(i, of(i)))
		},
		subscription: func(id string) []byte {
			n := numberOf(id, 0) - firstSubscription
			i := n / apart
			if n < 0 || i >= subscriptions {
				return nil
			}
			s := subscriptionAt(i, of(i/each))
			if k := n % apart; k > len(s.Subscriptions) {
				return nil
			} else if k > 0 {
				return marshal(detailed(i, addonInFull(s, s.Subscriptions[k-1])))
			}
			return marshal(detailed(i, s))
		},
	}
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // Plain structs of text and numbers.
	}
	return text
}

// named is an ObjectReference.
type named struct {
	ID   int    `json:"Id"`
	Name string `json:",omitempty"`
}

var microsoft = named{2, "Microsoft"}

type organization struct {
	ID                int `json:"Id"`
	Name              string
	ParentID          int `json:"ParentId"`
	CrayonCompanyName string
	AccountNumber     string
}

func organizationAt(i int) organization {
	return organization{
		ID: firstOrganization + i, Name: []string{"Example MSP", "Example MSP New Zealand"}[i],
		CrayonCompanyName: "Crayon Australia", AccountNumber: strconv.Itoa(7_000_000 + i),
	}
}

type tenant struct {
	ID                          int `json:"Id"`
	Name                        string
	Publisher                   named
	PublisherCustomerID         string  `json:"PublisherCustomerId"`
	ExternalPublisherCustomerID *string `json:"ExternalPublisherCustomerId"`
	Domain, DomainPrefix        string
	Reference                   *string
	CustomerTenantType          int
	EntityStatus                int
	Organization                named
	InvoiceProfile              named
	Consumer                    *named
	ResellerMarkup              json.Number
}

func tenantAt(i, organization int) tenant {
	t := tenant{
		ID: firstTenant + i, Name: fmt.Sprintf("Customer %07d", i), Publisher: microsoft, PublisherCustomerID: guid("7e", i),
		Domain: fmt.Sprintf("customer%d.onmicrosoft.example", i), DomainPrefix: fmt.Sprintf("customer%d", i), CustomerTenantType: 2,
		Organization: named{ID: firstOrganization + organization}, InvoiceProfile: named{7, "Default"}, ResellerMarkup: "0.0",
	}
	if i%3 == 0 {
		reference := fmt.Sprintf("REF-%d", i)
		t.Reference = &reference
	}
	if i%10 == 4 { // Two tenants of one consumer stand side by side.
		t.Consumer = &named{50 + i/10, fmt.Sprintf("Consumer %d", i/10)}
	}
	if i%40 == 39 {
		t.EntityStatus = 1
	}
	return t
}

type tenantDetails struct {
	Tenant  tenant
	User    map[string]string
	Profile profile
	Company map[string]string
}

type profile struct {
	CultureCode, LanguageCode string
	Contact, Address          map[string]any
}

func detailedTenant(i, organization int) tenantDetails {
	return tenantDetails{
		Tenant: tenantAt(i, organization),
		// What is known to stand here after a tenant was created, and must not leave the plugin.
		User: map[string]string{"UserName": "admin@customer.example", "Password": "of-the-customer"},
		Profile: profile{
			CultureCode: "en-AU", LanguageCode: "en",
			Contact: map[string]any{"FirstName": "Sam", "LastName": "Lee", "Email": fmt.Sprintf("sam@customer%d.example", i), "PhoneNumber": "+61370100000"},
			Address: map[string]any{
				"AddressLine1": fmt.Sprintf("%d Example Street", i+1), "AddressLine2": "", "AddressLine3": nil, "City": "Melbourne", "Region": "VIC",
				"PostalCode": "3000", "CountryCode": "AU", "CountryName": nil,
			},
		},
		Company: map[string]string{"OrganizationRegistrationNumber": strconv.Itoa(12_345_000_000 + i)},
	}
}

type product struct {
	ID                                  int `json:"Id"`
	PartNumber, ItemName, ItemLegalName string
	PublisherProductID                  *string `json:"PublisherProductId"`
}

var catalogue = []product{
	{ID: 133518, PartNumber: "CFQ7TTC0LCHC:0002", ItemName: "Microsoft 365 Business Premium"},
	{ID: 133519, PartNumber: "CFQ7TTC0LH16:0001", ItemName: "Exchange Online (Plan 1)"},
	{ID: 133520, PartNumber: "DZH318Z0BPS6:0001", ItemName: "Azure plan"},
	{ID: 133521, PartNumber: "DG7GMGF0D7FX:0001", ItemName: "Windows Server CAL"},
}

// The provision types of the catalogue, in its order: seats, seats, usage, bought once.
var provisions = []int{1, 1, 2, 3}

type subscription struct {
	ID                            int     `json:"Id"`
	PublisherSubscriptionID       string  `json:"PublisherSubscriptionId"`
	EntitlementID                 *string `json:"EntitlementId"`
	Publisher, Organization       named
	CustomerTenant                named
	Product                       product
	Quantity                      int
	Name                          string
	Status                        int
	ProvisionType, BillingCycle   int
	TermDuration                  *string
	AutoRenewEnabled              *bool
	CancellationAllowedUntilDate  *string
	CreationDate                  string
	StartDate, EndDate            string
	SalesPrice                    json.Number
	PriceType                     int
	Markup                        json.Number
	IsTrial                       bool
	OrderID                       string `json:"OrderId"`
	AvailableAddonsCount          int
	ScheduledNextTermInstructions *nextTerm
	Subscriptions                 []addon
}

type nextTerm struct{ Quantity int }

// addon is what is nested in a subscription; it tells less than one that stands on its own.
type addon struct {
	ID                      int    `json:"Id"`
	PublisherSubscriptionID string `json:"PublisherSubscriptionId"`
	PublisherCustomerID     string `json:"PublisherCustomerId"`
	Name                    string
	Status, Quantity        int
	Organization, Publisher named
	OrderID                 string `json:"OrderId"`
	CreationDate            string
	Product                 product
	Markup                  json.Number
	TermDuration            *string
	AutoRenewEnabled        *bool
}

var (
	// Every flag there is, and none.
	statuses = []int{1, 1, 1, 2, 1, 4, 1, 8, 1, 16, 1, 32, 1, 64, 1, 128, 1, 256, 1, 0}
	cycles   = []int{1, 1, 2, 1, 9, 8, 7, 1, 5, 1}
	terms    = []string{"P1Y", "P1M", "P1Y", "P3Y", "", "P1Y"}
)

func subscriptionAt(i, organization int) subscription {
	p, created := i%len(catalogue), moment(i)
	s := subscription{
		ID: firstSubscription + apart*i, PublisherSubscriptionID: guid("5b", i), Publisher: microsoft,
		Organization: named{ID: firstOrganization + organization}, CustomerTenant: named{ID: firstTenant + i/each},
		Product: catalogue[p], Name: catalogue[p].ItemName, Quantity: 1 + i%40, Status: statuses[i%len(statuses)],
		ProvisionType: provisions[p], BillingCycle: cycles[i%len(cycles)], CreationDate: created.Format("2006-01-02T15:04:05.99-07:00"),
		StartDate: created.Format(time.DateOnly) + midnight, EndDate: created.AddDate(1, 0, -1).Format(time.DateOnly) + midnight,
		SalesPrice: json.Number(fmt.Sprintf("%d.%02d", i%300, i%100)), PriceType: 1, Markup: "0.0", IsTrial: i%25 == 24,
		OrderID: fmt.Sprintf("order-%d", i), Subscriptions: []addon{},
	}
	if term := terms[i%len(terms)]; term != "" {
		renews := i%2 == 0
		s.TermDuration, s.AutoRenewEnabled = &term, &renews
	}
	if i%7 == 0 {
		until := created.AddDate(0, 0, 7).Format(time.DateOnly) + "T23:59:00Z"
		s.CancellationAllowedUntilDate = &until
		s.ScheduledNextTermInstructions = &nextTerm{s.Quantity + 5}
	}
	if s.ProvisionType == 2 {
		entitlement := guid("a2", i)
		s.EntitlementID = &entitlement
	}
	if i%each == 0 {
		for k := range 1 + i%2 {
			s.Subscriptions = append(s.Subscriptions, addonAt(i, k, s))
		}
	}
	return s
}

func addonAt(i, k int, of subscription) addon {
	return addon{
		ID: of.ID + 1 + k, PublisherSubscriptionID: guid("ad", apart*i+k), PublisherCustomerID: guid("7e", i/each), Name: "Audio Conferencing",
		Status: 1, Quantity: 2, Organization: of.Organization, Publisher: microsoft, OrderID: of.OrderID, CreationDate: of.CreationDate,
		Product: product{ID: 133600, PartNumber: "CFQ7TTC0LHSL:0001", ItemName: "Audio Conferencing"}, Markup: "0.0",
		TermDuration: of.TermDuration, AutoRenewEnabled: of.AutoRenewEnabled,
	}
}

// addonInFull is an add-on as its own details tell it.
func addonInFull(of subscription, a addon) subscription {
	s := of
	s.ID, s.PublisherSubscriptionID, s.Name, s.Status, s.Quantity = a.ID, a.PublisherSubscriptionID, a.Name, a.Status, a.Quantity
	s.Product, s.EntitlementID, s.Subscriptions, s.ProvisionType = a.Product, nil, []addon{}, 1
	return s
}

type details struct {
	subscription
	EffectiveStartDate, CommitmentEndDate string
	SuspensionReasons                     string
	Pricing                               *pricing
}

type pricing struct {
	CurrencyCode                          string
	PurchasePrice, RecommendedRetailPrice json.Number
}

// detailed is what one subscription tells of itself. The open end of a commitment is a year that nobody waits for.
func detailed(i int, s subscription) details {
	end := moment(i).AddDate(1, 0, 0).Format(time.DateOnly) + midnight + "Z"
	if s.TermDuration == nil {
		end = "9999-12-31T23:59:59Z"
	}
	return details{
		subscription: s, EffectiveStartDate: s.CreationDate, CommitmentEndDate: end, Pricing: &pricing{
			[]string{"AUD", "NZD"}[s.Organization.ID-firstOrganization],
			json.Number(fmt.Sprintf("%d.%02d", i%250, i%100)), json.Number(fmt.Sprintf("%d.%02d", i%350, i%100)),
		},
	}
}

// midnight is how a date without a time of day is written: with one, and without an offset.
const midnight = "T00:00:00"

// moment is when subscription i was made; a later one never came earlier.
func moment(i int) time.Time {
	return time.Date(2022, 3, 14, 2, 11, 45, 370_000_000, time.UTC).Add(time.Duration(i) * time.Minute)
}

// guid makes an id that looks as Microsoft's do.
func guid(kind string, i int) string { return fmt.Sprintf("%s000000-0000-4000-8000-%012x", kind, i) }
