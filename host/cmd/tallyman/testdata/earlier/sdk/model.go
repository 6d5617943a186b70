// SPDX-License-Identifier: Apache-2.0

package sdk

// Customer is a customer as the distributor knows it.
type Customer struct {
	// Ref is the distributor's id, opaque text. Required.
	Ref string
	// Name as the distributor shows it.
	Name string
	// Lifecycle is the canonical state, Status the distributor's own word for it.
	Lifecycle Lifecycle
	Status    string
	// Address is nil when this listing does not tell it. An address with empty fields means the distributor has none;
	// neither ever overwrites an address.
	Address *Address
	Phone   string
	Email   string
	Website string
	// RegistrationNumber is a business number or tax id.
	RegistrationNumber string
	// VendorTenants survive a move from one distributor to another.
	VendorTenants []VendorTenant
	Domains       []string
	// ParentRef is the customer above this one at the distributor.
	ParentRef string
	// ExternalRef is our own id stored at the distributor, if it has a place for it.
	ExternalRef string
	// IsPartner marks the partner's own record. The host never creates or maps it by itself.
	IsPartner bool
}

// Lifecycle is the canonical state of a customer.
type Lifecycle int

// The canonical states of a customer.
const (
	// LifecycleUnknown: not told, or a word the plugin does not know. Treated as active.
	LifecycleUnknown Lifecycle = iota
	LifecycleActive
	LifecycleSuspended
	// LifecycleIncomplete: known to the distributor, something is missing (a contact). Not ended.
	LifecycleIncomplete
	LifecycleEnded
	LifecycleDeleted
)

// Address is a postal address.
type Address struct {
	// Lines are the street lines, at most three are kept.
	Lines      []string
	City       string
	Region     string
	PostalCode string
	// CountryCode is ISO 3166-1 alpha-2 where known, Country the distributor's own text.
	CountryCode string
	Country     string
}

// VendorTenant is a tenant at the vendor behind the distributor, such as a Microsoft tenant.
type VendorTenant struct {
	// Vendor in lower case: "microsoft".
	Vendor string
	Ref    string
	Domain string
}

// Subscription is what a customer holds, as the distributor knows it.
type Subscription struct {
	// Ref is the distributor's id, opaque text. Required.
	Ref string
	// CustomerRef is the Ref of the customer that holds it. Required.
	CustomerRef string
	// TenantRef is the distributor's tenant or service instance.
	TenantRef string
	// VendorRef and VendorTenantRef are the vendor's ids; they survive a move between distributors.
	VendorRef       string
	VendorTenantRef string
	// ParentRef is the Ref of the subscription this is an add-on of.
	ParentRef string
	// Name as the distributor shows it.
	Name   string
	Vendor string
	// State is canonical, Status the distributor's own word. An unknown word is StateUnknown, never an end.
	State  State
	Status string
	Trial  *bool
	// BillingTerm is how often it is billed, CommitmentTerm how long it is committed.
	BillingTerm    Term
	CommitmentTerm Term
	// StartedOn, CommitmentEnd and CancellableUntil are ISO 8601 text: "2025-03-13" is a date,
	// "2025-03-13T02:11:45Z" an instant. Date and Instant make them.
	StartedOn        string
	CommitmentEnd    string
	CancellableUntil string
	AutoRenew        *bool
	// Items are what is counted and charged. Most distributors have exactly one, with an empty Ref.
	Items []Item
	// Extra is whatever else is worth keeping, without secrets and payment data.
	Extra map[string]string
}

// State is the canonical state of a subscription.
type State int

// The canonical states of a subscription.
const (
	// StateUnknown: no status, or a word the plugin does not know. Never read as ended.
	StateUnknown State = iota
	StatePending
	StateActive
	// StateSuspended: stopped, can come back, may still be charged.
	StateSuspended
	StateCancelled
	StateExpired
	// StateConverted: replaced by another record.
	StateConverted
	// StateFailed: never became active.
	StateFailed
	StateDeleted
)

// Item is what is counted and charged.
type Item struct {
	// Ref is empty for the only item of a subscription; otherwise stable and unique within it.
	Ref       string
	Name      string
	SKU       string
	VendorSKU string
	// ProductRef is the distributor's product id.
	ProductRef string
	// Quantity is absent where counting means nothing, as for metered use.
	Quantity Decimal
	Unit     string
	Charge   Charge
	// CustomerPrice is what the customer pays, PartnerCost what the partner pays. Each may be absent; absent is not zero.
	CustomerPrice Money
	PartnerCost   Money
	ListPrice     Money
	// PricePer says whether the prices are for one unit or for the whole quantity.
	PricePer PricePer
}

// Charge is how an item is charged.
type Charge int

// The kinds of charge.
const (
	ChargeUnknown Charge = iota
	ChargeRecurring
	ChargeOneTime
	// ChargeUsage is metered: its quantity is not a number of seats.
	ChargeUsage
)

// PricePer says what a price is for.
type PricePer int

// What a price is for.
const (
	PricePerUnknown PricePer = iota
	PricePerUnit
	PricePerTotal
)

// Money is an amount in a currency.
type Money struct {
	// Amount is absent when the distributor tells no price. Absent is not zero.
	Amount Decimal
	// Currency is an ISO 4217 code. Empty: not told.
	Currency string
}

// Term is a length of time something is billed or committed for.
type Term struct {
	Kind TermKind
	// Unit and Count are set with TermRecurring only.
	Unit  TermUnit
	Count int
	// Raw is the distributor's own text.
	Raw string
}

// TermKind is the kind of a term.
type TermKind int

// The kinds of term.
const (
	TermUnknown TermKind = iota
	TermRecurring
	TermOneTime
	TermUsage
	TermNone
)

// TermUnit is the unit of a recurring term.
type TermUnit int

// The units of a recurring term.
const (
	UnitUnknown TermUnit = iota
	UnitDay
	UnitMonth
	UnitYear
)

// Days makes a recurring term of n days. Raw is the distributor's own text.
func Days(n int, raw string) Term {
	return Term{Kind: TermRecurring, Unit: UnitDay, Count: n, Raw: raw}
}

// Months makes a recurring term of n months. Raw is the distributor's own text.
func Months(n int, raw string) Term {
	return Term{Kind: TermRecurring, Unit: UnitMonth, Count: n, Raw: raw}
}

// Years makes a recurring term of n years. Raw is the distributor's own text.
func Years(n int, raw string) Term {
	return Term{Kind: TermRecurring, Unit: UnitYear, Count: n, Raw: raw}
}
