// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// layout is a published form of files.
type layout struct {
	subscriptions shape
	customers     shape
	// rows says how several rows of one subscription belong together.
	rows string
	// invoice: the file lists what was charged in a period, and not all there is. What it lacks has not ended.
	invoice bool
	// guids: ids are GUIDs, so that their case means nothing.
	guids bool
	// vendor is the vendor behind every subscription, in lower case; "" where the file tells, or nobody does.
	vendor string
}

// How several rows of one subscription belong together, as the setting names it.
const (
	// rowsSingle: there is one row each. Of several the last counts, as the contract has it.
	rowsSingle = "single"
	// rowsAdd: the rows of the latest period add up; see settle.
	rowsAdd = "add"
)

// The layouts there are.
const (
	plainLayout   = ""
	rhipeInvoice  = "rhipe-invoice"
	partnerCenter = "partner-center-license" //nolint:misspell // its name
)

// layouts are the ready-made ones.
var layouts = map[string]layout{
	plainLayout: {
		subscriptions: shape{
			names: subscriptionNames, columns: plainColumns(subscriptionNames), kinds: subscriptionKinds, setting: "columns",
			needs: [][]field{{subID}, {subCustomerID, subCustomerName}}, ids: subscriptionIDs,
		},
		customers: plainCustomers,
		rows:      rowsSingle,
	},

	// Rhipe's invoice lines: a row for each subscription and each period in which its quantity was the same. Amount = unit
	// price × quantity × billable ratio. That the file names the customer is likely, and by which column is not known.
	rhipeInvoice: {
		subscriptions: invoiceShape(map[field][]string{
			subID:           {"SubscriptionId"},
			subCustomerID:   {"CustomerId"},
			subCustomerName: {"CustomerName"},
			subName:         {"OfferName"},
			subQuantity:     {"Quantity"},
			subPeriodStart:  {"ChargeStartDate"},
			subPeriodEnd:    {"ChargeEndDate"},
			subAmount:       {"SubTotal"},
			subListAmount:   {"SubTotalRrp"},
		}, ""),
		customers: plainCustomers,
		rows:      rowsAdd,
		invoice:   true,
		guids:     true,
	},

	// Microsoft's licence-based reconciliation file:
	// https://learn.microsoft.com/partner-center/billing/license-based-recon-files
	// SubscriptionId is that of the billing platform; the one customers and partners know is the other. Dates are M/D/YYYY,
	// as in the page's samples and its advice to read them as MDY.
	partnerCenter: {
		subscriptions: invoiceShape(map[field][]string{
			subID:             {"SyndicationPartnerSubscriptionNumber"},
			subVendorID:       {"SyndicationPartnerSubscriptionNumber"},
			subCustomerID:     {"CustomerId"},
			subCustomerTenant: {"CustomerId"},
			subCustomerName:   {"CustomerName"},
			subCustomerDomain: {"DomainName"},
			subName:           {"SubscriptionName", "OfferName", "SubscriptionDescription"},
			subVendorSKU:      {"DurableOfferId"},
			subQuantity:       {"Quantity"},
			subStarted:        {"SubscriptionStartDate"},
			subCommitmentEnd:  {"SubscriptionEndDate"},
			subBillingTerm:    {"BillingCycleType"},
			subPeriodStart:    {"ChargeStartDate"},
			subPeriodEnd:      {"ChargeEndDate"},
			subChargeType:     {"ChargeType"},
			subAmount:         {"Subtotal", "Amount"},
			subCurrency:       {"Currency"},
		}, monthFirst),
		customers: plainCustomers,
		rows:      rowsAdd,
		invoice:   true,
		guids:     true,
		vendor:    "microsoft",
	},
}

var plainCustomers = shape{
	names: customerNames, columns: plainColumns(customerNames), setting: "customer_columns",
	needs: [][]field{{cusID, cusName}}, ids: customerIDs,
}

// key gives an id as ids are compared.
func (l *layout) key(id string) string {
	if l.guids {
		return strings.ToLower(id)
	}
	return strings.Clone(id)
}

// plainColumns gives each field the column of its own name.
func plainColumns(names []string) [][]string {
	columns := make([][]string, len(names))
	for i, name := range names {
		columns[i] = []string{name}
	}
	return columns
}

// invoiceShape makes the shape of an invoice's rows.
func invoiceShape(columns map[field][]string, dates string) shape {
	s := shape{
		names: subscriptionNames, columns: make([][]string, subFields), kinds: subscriptionKinds, setting: "columns", dates: dates,
		needs: [][]field{{subID}, {subCustomerID, subCustomerName}, {subQuantity}, {subPeriodStart}, {subPeriodEnd}}, ids: subscriptionIDs,
	}
	for at, names := range columns {
		s.columns[at] = names
	}
	return s
}
