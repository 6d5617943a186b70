// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// each is how many subscriptions a company holds.
const each = 5

// generated is the world of about that many subscriptions. Element i is always the same, whatever the size.
func generated(subscriptions int) *world {
	companies := (subscriptions + each - 1) / each
	w := &world{
		companies:     simulator.List{Len: companies, At: marshalled(company)},
		subscriptions: simulator.List{Len: subscriptions, At: marshalled(subscription)},
		products:      simulator.List{Len: len(catalogue), At: marshalled(product)},
	}
	w.held = func(companyID string) (simulator.List, bool) {
		c, ok := indexOf(companyKind, companyID)
		if !ok || c >= companies {
			return simulator.List{}, false
		}
		return simulator.List{Len: min(each, subscriptions-c*each), At: func(i int) []byte { return w.subscriptions.At(c*each + i) }}, true
	}
	return w
}

func marshalled[Element any](make func(i int) Element) func(i int) []byte {
	return func(i int) []byte {
		text, err := json.Marshal(make(i))
		if err != nil {
			panic(err) // Plain structs of text and numbers.
		}
		return text
	}
}

// The first characters of ids, by what they are of.
const (
	companyKind      = "c0"
	subscriptionKind = "50"
	productKind      = "90"
	commitmentKind   = "70"
	vendorKind       = "e0"
)

// id makes an id that looks as Pax8's do.
func id(kind string, i int) string { return fmt.Sprintf("%s000000-0000-4000-8000-%012x", kind, i) }

func indexOf(kind, text string) (int, bool) {
	digits, ok := strings.CutPrefix(text, kind+"000000-0000-4000-8000-")
	i, err := strconv.ParseInt(digits, 16, 0)
	return int(i), ok && err == nil && i >= 0
}

type companyJSON struct {
	ID                    string      `json:"id"`
	Name                  string      `json:"name"`
	Address               addressJSON `json:"address"`
	Phone                 string      `json:"phone"`
	Website               string      `json:"website"`
	ExternalID            string      `json:"externalId,omitempty"`
	BillOnBehalfOfEnabled bool        `json:"billOnBehalfOfEnabled"`
	SelfServiceAllowed    bool        `json:"selfServiceAllowed"`
	OrderApprovalRequired bool        `json:"orderApprovalRequired"`
	Status                string      `json:"status"`
	UpdatedDate           string      `json:"updatedDate"`
}

type addressJSON struct {
	Street          string `json:"street"`
	Street2         string `json:"street2,omitempty"`
	City            string `json:"city"`
	StateOrProvince string `json:"stateOrProvince"`
	PostalCode      string `json:"postalCode"`
	Country         string `json:"country"`
}

// places mix codes and names for states and countries, as Pax8's own examples do.
var places = []addressJSON{
	{City: "Greenwood Village", StateOrProvince: "CO", PostalCode: "80111", Country: "US"},
	{City: "Denver", StateOrProvince: "Colorado", PostalCode: "80210", Country: "United States"},
	{City: "Toronto", StateOrProvince: "ON", PostalCode: "M5H 2N2", Country: "CA"},
	{City: "Leeds", PostalCode: "LS1 4AP", Country: "GB"},
}

func company(i int) companyJSON {
	c := companyJSON{
		ID: id(companyKind, i), Name: fmt.Sprintf("Customer %07d", i), Address: places[i%len(places)],
		Phone: fmt.Sprintf("555-%07d", i), Website: fmt.Sprintf("https://customer%d.example", i),
		BillOnBehalfOfEnabled: i%2 == 0, Status: "Active", UpdatedDate: moment(i).Format(time.RFC3339),
	}
	c.Address.Street = fmt.Sprintf("%d Liberty Lane", i+1)
	if i%3 == 0 {
		c.Address.Street2 = fmt.Sprintf("Ste. %d", i)
		c.ExternalID = fmt.Sprintf("A%d", i)
	}
	switch i % 50 {
	case 48:
		c.Status = "Inactive"
	case 49:
		c.Status = "Deleted"
	}
	return c
}

type productJSON struct {
	ID                 string `json:"id"`
	Name               string `json:"name"`
	VendorName         string `json:"vendorName"`
	ShortDescription   string `json:"shortDescription"`
	SKU                string `json:"sku"`
	VendorSKU          string `json:"vendorSku"`
	RequiresCommitment bool   `json:"requiresCommitment"`
}

var catalogue = []productJSON{
	{Name: "Microsoft 365 Business Premium", VendorName: "Microsoft", SKU: "MST-365-BP", VendorSKU: "CFQ7TTC0LCHC:0002", RequiresCommitment: true},
	{Name: "Exchange Online (Plan 1)", VendorName: "Microsoft", SKU: "MST-EXO-P1", VendorSKU: "CFQ7TTC0LH16:0001", RequiresCommitment: true},
	{Name: "Email Protection Professional", VendorName: "Proofpoint", SKU: "PPT-ESS-PRO", VendorSKU: "PP-M-ESSP"},
	{Name: "Endpoint Protection", VendorName: "Webroot", SKU: "WRT-SAE-BUS", VendorSKU: "WSAB-1"},
	{Name: "Onboarding", VendorName: "Pax8", SKU: "PX8-ONB", VendorSKU: "ONB"},
}

func product(i int) productJSON {
	p := catalogue[i]
	p.ID, p.ShortDescription = id(productKind, i), p.Name+" by "+p.VendorName
	return p
}

type subscriptionJSON struct {
	ID                   string          `json:"id"`
	ParentSubscriptionID string          `json:"parentSubscriptionId,omitempty"`
	CompanyID            string          `json:"companyId"`
	ProductID            string          `json:"productId"`
	ProductName          string          `json:"productName"`
	VendorSubscriptionID string          `json:"vendorSubscriptionId,omitempty"`
	VendorSKUID          string          `json:"vendorSkuId,omitempty"`
	Quantity             json.Number     `json:"quantity"`
	StartDate            string          `json:"startDate"`
	EndDate              string          `json:"endDate,omitempty"`
	CreatedDate          string          `json:"createdDate"`
	UpdatedDate          string          `json:"updatedDate,omitempty"`
	BillingStart         string          `json:"billingStart"`
	Status               string          `json:"status"`
	Price                json.Number     `json:"price"`
	CurrencyCode         string          `json:"currencyCode"`
	PartnerCost          json.Number     `json:"partnerCost,omitempty"`
	BillingTerm          string          `json:"billingTerm"`
	CommitmentTerm       *commitmentJSON `json:"commitmentTerm"`
	// InvoiceGroup is in no description: answers hold more than is described.
	InvoiceGroup string `json:"invoiceGroup"`
}

type commitmentJSON struct {
	ID      string `json:"id"`
	Term    string `json:"term"`
	EndDate string `json:"endDate"`
}

var (
	statuses = []string{
		"Active", "Active", "Active", "Activated", "Cancelled", "PendingManual", "Active", "PendingAutomated", "PendingCancel",
		"WaitingForDetails", "Active", "Trial", "Converted", "Active", "PendingActivation", "Active", "Active",
	}
	terms      = []string{"Monthly", "Monthly", "Annual", "Monthly", "3-Year", "2-Year", "Monthly"}
	currencies = []string{"USD", "USD", "EUR", "GBP", "CAD"}
)

func subscription(i int) subscriptionJSON {
	p, created := i%len(catalogue), moment(i)
	s := subscriptionJSON{
		ID: id(subscriptionKind, i), CompanyID: id(companyKind, i/each), ProductID: id(productKind, p), ProductName: catalogue[p].Name,
		Quantity: json.Number(strconv.Itoa(1 + i%40)), Status: statuses[i%len(statuses)], BillingTerm: terms[i%len(terms)],
		Price: json.Number(fmt.Sprintf("%d.%02d", i%300, i%100)), CurrencyCode: currencies[i/each%len(currencies)],
		StartDate: created.Format(time.RFC3339), CreatedDate: dateForms[i%len(dateForms)](created), BillingStart: created.Format(time.DateOnly),
		InvoiceGroup: "default",
	}
	if catalogue[p].VendorName == "Microsoft" {
		s.VendorSubscriptionID, s.VendorSKUID = id(vendorKind, i), catalogue[p].VendorSKU
	}
	if i%each == each-1 {
		s.ParentSubscriptionID = id(subscriptionKind, i-1)
	}
	if i%4 != 0 { // The examples tell a price without a cost.
		s.PartnerCost = json.Number(fmt.Sprintf("%d.%02d", i%250, i%100))
	}
	if i%60 == 7 {
		s.Quantity = "2.5"
	}
	if s.Status == "Trial" {
		s.BillingTerm, s.Price = "Trial", "0"
	}
	if s.ProductName == "Onboarding" && s.Status != "Trial" {
		s.BillingTerm = "One-Time"
	}
	if s.Status == "Cancelled" || s.Status == "PendingCancel" {
		s.EndDate = created.AddDate(1, 0, 0).Format(time.RFC3339)
	}
	if term := commitmentOf[s.BillingTerm]; term != "" {
		s.CommitmentTerm = &commitmentJSON{ID: id(commitmentKind, i), Term: term, EndDate: created.AddDate(3, 0, 0).Format(time.RFC3339)}
	}
	return s
}

// commitmentOf gives the commitment that goes with a billing term; none with monthly billing.
var commitmentOf = map[string]string{"Annual": "1-Year", "2-Year": "2-Year", "3-Year": "3-Year"}

// moment is when element i was made; a later element never came earlier.
func moment(i int) time.Time {
	return time.Date(2020, 9, 21, 8, 30, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
}

// dateForms are the three that are seen in Pax8's examples; the last is not RFC 3339.
var dateForms = []func(time.Time) string{
	func(t time.Time) string { return t.Format(time.DateOnly) },
	func(t time.Time) string { return t.Format(time.RFC3339) },
	func(t time.Time) string {
		return t.In(time.FixedZone("", -7*60*60)).Format("2006-01-02T15:04:05.000-0700")
	},
}
