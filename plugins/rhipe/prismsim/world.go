// SPDX-License-Identifier: Apache-2.0

package prismsim

import "time"

// Address is a postal address as PRISM keeps it. Empty fields are sent as
// Switches.EmptyText says.
type Address struct {
	Street1        string `json:"street1,omitempty"`
	Street2        string `json:"street2,omitempty"`
	Street3        string `json:"street3,omitempty"`
	City           string `json:"city,omitempty"`
	State          string `json:"state,omitempty"`
	Postcode       string `json:"postcode,omitempty"`
	Country        string `json:"country,omitempty"`
	CountryISOCode string `json:"country_iso_code,omitempty"`
}

// Customer is a company known to the distributor: the partner itself or one of
// its end customers. Its zero value is active.
type Customer struct {
	// ID is a GUID; AddCustomer makes one when it is empty.
	ID string `json:"id,omitempty"`
	// Name is sent byte for byte, trailing spaces included.
	Name string `json:"name,omitempty"`
	// ParentID is the partner's id unless set.
	ParentID           string `json:"parent_id,omitempty"`
	RegistrationNumber string `json:"registration_number,omitempty"`
	WebURL             string `json:"web_url,omitempty"`
	Phone              string `json:"phone,omitempty"`
	Email              string `json:"email,omitempty"`
	NotificationEmail  string `json:"notification_email,omitempty"`
	CRMID              string `json:"crm_id,omitempty"`
	FinanceAccountID   string `json:"finance_account_id,omitempty"`
	// Deactivated customers are listed only when the request asks for them.
	Deactivated bool `json:"deactivated,omitempty"`
	// ActingRole is 0 end customer, 1 partner, 2 both.
	ActingRole int     `json:"acting_role,omitempty"`
	Address    Address `json:"address,omitzero"`
	Billing    Address `json:"billing,omitzero"`
	// Programs are program agreements beyond those that follow from tenants.
	Programs []ProgramAgreement `json:"programs,omitempty"`
}

// ProgramAgreement is an element of a customer's CustomerProgramAgreements.
type ProgramAgreement struct {
	// ID is the tenant's id for tenants of a consumption program.
	ID          string    `json:"id"`
	AgreementID string    `json:"agreement_id,omitempty"`
	ProgramID   string    `json:"program_id,omitempty"`
	ProgramName string    `json:"program_name,omitempty"`
	Reference   string    `json:"reference,omitempty"`
	Start       time.Time `json:"start,omitzero"`
	// Reported marks a program that is billed by reported usage and holds no
	// subscriptions; IsConsumptionProgram is its opposite.
	Reported bool `json:"reported,omitempty"`
}

// Agreement is a contract agreement between the partner and the distributor
// for one program. Its zero value is a consumption program.
type Agreement struct {
	ID          string `json:"id"`
	ProgramID   string `json:"program_id,omitempty"`
	ProgramName string `json:"program_name,omitempty"`
	// Reference is the program's own identifier, such as an MPN id.
	Reference string    `json:"reference,omitempty"`
	Currency  string    `json:"currency,omitempty"`
	Start     time.Time `json:"start,omitzero"`
	// Reported marks a program without tenants and subscriptions.
	Reported bool `json:"reported,omitempty"`
	// Products is the price list; nil means the built-in catalogue.
	Products []Product `json:"products,omitempty"`
}

// Tenant is one end customer's instance inside a program.
type Tenant struct {
	ID          string `json:"id,omitempty"`
	AgreementID string `json:"agreement_id,omitempty"`
	CustomerID  string `json:"customer_id,omitempty"`
	// CustomerName overrides the customer's name; empty means the customer's.
	CustomerName  string         `json:"customer_name,omitempty"`
	Domain        string         `json:"domain,omitempty"`
	Status        string         `json:"status,omitempty"`
	Subscriptions []Subscription `json:"subscriptions,omitempty"`
	// NullSubscriptions sends null where there is no subscription.
	NullSubscriptions bool `json:"null_subscriptions,omitempty"`

	index int // of a generated tenant
}

// Subscription is a quantity, or a metered use, of one product in one tenant.
type Subscription struct {
	ID string `json:"id,omitempty"`
	// Status is Active unless set; any text is sent as it is.
	Status       string `json:"status,omitempty"`
	ProductID    string `json:"product_id,omitempty"`
	ProductName  string `json:"product_name,omitempty"`
	FriendlyName string `json:"friendly_name,omitempty"`
	Quantity     int64  `json:"quantity,omitempty"`
	// Unit is Licenses unless set; UnitUsage marks metered use.
	Unit string `json:"unit,omitempty"`
	// UnitPrice is decimal text in the agreement's currency, empty for none.
	UnitPrice            string `json:"unit_price,omitempty"`
	BillingCycle         string `json:"billing_cycle,omitempty"`
	BillingCycleDuration int    `json:"billing_cycle_duration,omitempty"`
	// FirstPurchased is sent with 0, 3 or 7 fraction digits, the fewest that
	// hold it.
	FirstPurchased        time.Time `json:"first_purchased,omitzero"`
	DisplayTemplate       string    `json:"display_template,omitempty"`
	ProgramReferenceLabel string    `json:"program_reference_label,omitempty"`
	// VendorID is the vendor's own subscription id, seen in usage rows only.
	VendorID string `json:"vendor_id,omitempty"`
	// TermDuration, CommitmentEnd and AutoRenew are sent only with
	// Switches.TermFields.
	TermDuration  string         `json:"term_duration,omitempty"`
	CommitmentEnd time.Time      `json:"commitment_end,omitzero"`
	AutoRenew     bool           `json:"auto_renew,omitempty"`
	Addons        []Subscription `json:"addons,omitempty"`
}

// Product is an item of a price list. Prices are decimal text.
type Product struct {
	// ID is a lower-case GUID.
	ID   string `json:"id"`
	Name string `json:"name"`
	// FriendlyName is what a subscription to the product is first called.
	FriendlyName string `json:"friendly_name,omitempty"`
	Group        string `json:"group,omitempty"`
	// SKU is the vendor's code: an upper-case GUID for old offers.
	SKU       string `json:"sku,omitempty"`
	UnitPrice string `json:"unit_price,omitempty"`
	Retail    string `json:"retail,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Template  string `json:"template,omitempty"`
	// BillingCycle is Monthly or Annual, BillingCycleDuration counts them.
	BillingCycle         string `json:"billing_cycle,omitempty"`
	BillingCycleDuration int    `json:"billing_cycle_duration,omitempty"`
	// Retired products are missing from the price list, but still subscribed.
	Retired bool `json:"retired,omitempty"`
	// Tiered products are left out with excludeTieredProducts=true.
	Tiered bool `json:"tiered,omitempty"`
	// BySKU makes subscriptions name the product by its SKU, in lower case.
	BySKU bool `json:"by_sku,omitempty"`
}

// SubscriptionProductID is what a subscription to the product carries as its
// ProductId.
func (p *Product) SubscriptionProductID() string {
	if p.BySKU {
		return lower(p.SKU)
	}
	return p.ID
}

// Units and statuses seen in PRISM.
const (
	UnitLicenses = "Licenses"
	UnitUser     = "User"
	UnitUsage    = "Usage-based"

	StatusActive    = "Active"
	StatusSuspended = "Suspended"
)

// ProgramCSP is the program name of a reseller's Microsoft CSP agreement.
const ProgramCSP = "Microsoft CSP Indirect"
