// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// A field is what a column holds. Its name is the key of the columns setting, and the column's name in the plain layout.
type field int

// The fields of a subscription.
const (
	subID field = iota
	subCustomerID
	subCustomerName
	subCustomerDomain
	subCustomerTenant
	subName
	subSKU
	subVendorSKU
	subProductID
	subQuantity
	subUnit
	subStatus
	subStarted
	subCommitmentEnd
	subCancellable
	subBillingTerm
	subCommitmentTerm
	subAutoRenew
	subTrial
	subCharge
	subPrice
	subCost
	subListPrice
	subCurrency
	subVendor
	subVendorID
	subTenantID
	subParentID
	subPeriodStart
	subPeriodEnd
	subAmount
	subListAmount
	subChargeType
	subFields
)

// The fields of a customer.
const (
	cusID field = iota
	cusName
	cusStatus
	cusLine1
	cusLine2
	cusLine3
	cusCity
	cusRegion
	cusPostalCode
	cusCountry
	cusPhone
	cusEmail
	cusWebsite
	cusRegistration
	cusDomain
	cusTenant
	cusParent
	cusExternal
	cusFields
)

// subscriptionNames and customerNames are the names of the fields.
var (
	subscriptionNames = []string{
		"id", "customer_id", "customer_name", "customer_domain", "vendor_tenant_id", "name", "sku", "vendor_sku", "product_id", "quantity", "unit",
		"status", "started_on", "commitment_end", "cancellable_until", "billing_term", "commitment_term", "auto_renew", "trial", "charge",
		"price", "cost", "list_price", "currency", "vendor", "vendor_id", "tenant_id", "parent_id",
		"period_start", "period_end", "amount", "list_amount", "charge_type",
	}
	customerNames = []string{
		"id", "name", "status", "line1", "line2", "line3", "city", "region", "postal_code", "country", "phone", "email", "website",
		"registration_number", "domain", "vendor_tenant_id", "parent_id", "external_id",
	}
)

// kind is what a field's values are.
type kind int

const (
	aText kind = iota
	aNumber
	aDate
)

// subscriptionIDs and customerIDs are the fields that are ids; of each set the first that has a column.
var (
	subscriptionIDs = [][]field{{subID}, {subCustomerID, subCustomerName}, {subCustomerTenant}, {subVendorID}, {subTenantID}, {subParentID}}
	customerIDs     = [][]field{{cusID, cusName}, {cusTenant}, {cusParent}, {cusExternal}}
)

// subscriptionKinds gives the fields of a subscription that are numbers or dates.
var subscriptionKinds = map[field]kind{
	subQuantity: aNumber, subPrice: aNumber, subCost: aNumber, subListPrice: aNumber, subAmount: aNumber, subListAmount: aNumber,
	subStarted: aDate, subCommitmentEnd: aDate, subCancellable: aDate, subPeriodStart: aDate, subPeriodEnd: aDate,
}

// shape is what a file's columns are expected to be.
type shape struct {
	// names are the names of the fields; columns the names their columns may have, the first that is there counts.
	names   []string
	columns [][]string
	kinds   map[field]kind
	// needs are sets of fields, of each of which one must have a column.
	needs [][]field
	// ids are sets of fields, of each of which the first that has a column is an id.
	ids [][]field
	// setting is the setting that maps columns.
	setting string
	// dates is the order of day and month that the layout's publisher promises; "" is none.
	dates string
}

// mapped gives the shape with columns that are set in place of those of the layout.
func (s shape) mapped(set map[string]string) shape {
	s.columns = slices.Clone(s.columns)
	for at, name := range s.names {
		if column, ok := set[name]; ok {
			s.columns[at] = nil
			if trim(column) != "" {
				s.columns[at] = []string{trim(column)}
			}
		}
	}
	return s
}
