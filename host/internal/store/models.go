// SPDX-License-Identifier: Apache-2.0

// Package store keeps everything Tallyman knows in one database: Bun models, queries by noun, migrations.
//
// Every row belongs to a tenant. The schema's constraints carry the rules that must not be broken by a fault elsewhere:
// one mapping per distributor customer, no row that points into another tenant, one main site, ids never used twice.
package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"
)

// Tenant is one MSP served by this host.
type Tenant struct {
	bun.BaseModel `bun:"table:tenants"`

	ID          int64 `bun:",pk,autoincrement"`
	Name        string
	DisplayName string
	CreatedAt   time.Time
}

// Module is a distributor enabled for a tenant.
type Module struct {
	bun.BaseModel `bun:"table:modules"`

	ID          int64 `bun:",pk,autoincrement"`
	TenantID    int64
	Name        string
	Plugin      string
	Distributor string
	CreatedAt   time.Time
}

// TopLevel is a grouping of customers.
type TopLevel struct {
	bun.BaseModel `bun:"table:top_levels"`

	ID        int64 `bun:",pk,autoincrement"`
	TenantID  int64
	Name      string
	CreatedAt time.Time
}

// Customer is a customer of the MSP. Its id never changes and is never used again.
type Customer struct {
	bun.BaseModel `bun:"table:customers"`

	ID         int64 `bun:",pk,autoincrement"`
	TenantID   int64
	Name       string
	Active     bool
	TopLevelID *int64
	// CreatedBy is the display name of the distributor that created it, "import", or empty.
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Site is a place of a customer. Exactly one is the main site.
type Site struct {
	bun.BaseModel `bun:"table:sites"`

	ID         int64 `bun:",pk,autoincrement"`
	TenantID   int64
	CustomerID int64
	Name       string
	Main       bool
	Address
	UpdatedAt time.Time
}

// Address is a postal address; every field may be empty.
type Address struct {
	Line1       string `json:"line1,omitempty"`
	Line2       string `json:"line2,omitempty"`
	Line3       string `json:"line3,omitempty"`
	City        string `json:"city,omitempty"`
	Region      string `json:"region,omitempty"`
	PostalCode  string `json:"postal_code,omitempty"`
	CountryCode string `json:"country_code,omitempty"`
	Country     string `json:"country,omitempty"`
}

// DistributorCustomer is a customer as the distributor gave it.
type DistributorCustomer struct {
	bun.BaseModel `bun:"table:distributor_customers"`

	ID       int64 `bun:",pk,autoincrement"`
	TenantID int64
	ModuleID int64
	// Ref is the distributor's id as given, RefKey the same as it is compared.
	Ref       string
	RefKey    string
	Name      string
	Lifecycle string
	IsPartner bool
	// Record is the rest of what the distributor said, as JSON.
	Record      json.RawMessage `bun:"type:text"`
	Fingerprint int64
	// GoneAt is when it first was missing from a complete listing.
	GoneAt *time.Time
	// PlacedCustomerID is the customer its subscriptions were last put on.
	PlacedCustomerID *int64
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Mapping says which customer a distributor customer is.
type Mapping struct {
	bun.BaseModel `bun:"table:mappings"`

	ID                    int64 `bun:",pk,autoincrement"`
	TenantID              int64
	ModuleID              int64
	DistributorCustomerID int64
	CustomerID            int64
	// Origin is name, created or manual.
	Origin    string
	Who       string
	CreatedAt time.Time
}

// Scope is a part of a listing that is read as a whole.
type Scope struct {
	bun.BaseModel `bun:"table:scopes"`

	ID       int64 `bun:",pk,autoincrement"`
	TenantID int64
	ModuleID int64
	Ref      string
	Name     string
}

// The bits of DistributorSubscription.Flags. A record with none of them, whose fingerprint is the same, is unchanged.
const (
	// FlagGone: it is missing from the distributor and that has been dealt with.
	FlagGone = 1 << iota
	// FlagEndPending: the distributor says it ended, our record is still active.
	FlagEndPending
	// FlagMissing: it was missing from at least one complete reading.
	FlagMissing
)

// DistributorSubscription is a subscription as the distributor gave it, as far as it has been applied.
type DistributorSubscription struct {
	bun.BaseModel `bun:"table:distributor_subscriptions"`

	ID       int64 `bun:",pk,autoincrement"`
	TenantID int64
	ModuleID int64
	Ref      string
	RefKey   string
	// KeyHash and Fingerprint are 64-bit hashes kept as signed numbers.
	KeyHash     int64
	Fingerprint int64
	CustomerKey string
	ScopeID     int64
	Flags       int64
	Missing     int64
	Record      json.RawMessage `bun:"type:text"`
	// SubscriptionID is nil while its customer is not mapped.
	SubscriptionID *int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Subscription is what a customer holds. Its id never changes and is never used again.
type Subscription struct {
	bun.BaseModel `bun:"table:subscriptions"`

	ID               int64 `bun:",pk,autoincrement"`
	TenantID         int64
	CustomerID       int64
	ModuleID         int64
	Distributor      string
	Ref              string
	Name             string
	Quantity         *string
	Unit             string
	Active           bool
	State            string
	Status           string
	Charge           string
	BillingTerm      string
	CommitmentTerm   string
	StartedOn        string
	CommitmentEnd    string
	CancellableUntil string
	AutoRenew        *bool
	Trial            *bool
	SKU              string `bun:"sku"`
	Vendor           string
	VendorRef        string
	ParentRef        string
	CustomerPrice    *string
	PartnerCost      *string
	ListPrice        *string
	Currency         string
	DeactivatedAt    *time.Time
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Run is one plan, applied or not, with its record.
type Run struct {
	bun.BaseModel `bun:"table:runs"`

	ID                    int64 `bun:",pk,autoincrement"`
	TenantID              int64
	ModuleID              int64
	Mode                  string
	Trigger               string
	Who                   string
	Entities              string
	Customers             string
	Outcome               string
	Holder                string
	PluginVersion         string
	PluginSHA256          string `bun:"plugin_sha256"`
	CustomersComplete     bool
	SubscriptionsComplete bool
	Counts                json.RawMessage `bun:"type:text"`
	Report                json.RawMessage `bun:"type:text"`
	ErrorCode             string
	Error                 string
	Crash                 json.RawMessage `bun:"type:text"`
	ApprovesRunID         *int64
	StartedAt             time.Time
	FinishedAt            *time.Time
}

// Change is one change of a run, made or held, or one made by hand.
type Change struct {
	bun.BaseModel `bun:"table:changes"`

	ID         int64 `bun:",pk,autoincrement"`
	TenantID   int64
	ModuleID   *int64
	RunID      *int64
	Entity     string
	EntityID   *int64
	EntityKey  string
	Name       string
	CustomerID *int64
	Kind       string
	Status     string
	Guard      string
	Before     json.RawMessage `bun:"type:text"`
	After      json.RawMessage `bun:"type:text"`
	Reason     string
	Who        string
	CreatedAt  time.Time
	// DecidedBy and DecidedAt say who approved or rejected a held change, and when.
	DecidedBy string
	DecidedAt *time.Time
}

// Lease says who runs a module and until when.
type Lease struct {
	bun.BaseModel `bun:"table:leases"`

	ModuleID   int64 `bun:",pk"`
	TenantID   int64
	Holder     string
	Purpose    string
	AcquiredAt time.Time
	ExpiresAt  time.Time
}
