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
	bun.BaseModel `json:"-" bun:"table:tenants"`

	ID          int64     `bun:",pk,autoincrement" json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name"`
	CreatedAt   time.Time `json:"created_at"`
}

// Module is a distributor enabled for a tenant.
type Module struct {
	bun.BaseModel `json:"-" bun:"table:modules"`

	ID          int64     `bun:",pk,autoincrement" json:"id"`
	TenantID    int64     `json:"tenant_id"`
	Name        string    `json:"name"`
	Plugin      string    `json:"plugin"`
	Distributor string    `json:"distributor"`
	CreatedAt   time.Time `json:"created_at"`
}

// TopLevel is a grouping of customers.
type TopLevel struct {
	bun.BaseModel `json:"-" bun:"table:top_levels"`

	ID        int64     `bun:",pk,autoincrement" json:"id"`
	TenantID  int64     `json:"tenant_id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// Customer is a customer of the MSP. Its id never changes and is never used again.
type Customer struct {
	bun.BaseModel `json:"-" bun:"table:customers"`

	ID         int64  `bun:",pk,autoincrement" json:"id"`
	TenantID   int64  `json:"tenant_id"`
	Name       string `json:"name"`
	Active     bool   `json:"active"`
	TopLevelID *int64 `json:"top_level_id,omitempty"`
	// CreatedBy is the display name of the distributor that created it, "import", or empty.
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Site is a place of a customer. Exactly one is the main site.
type Site struct {
	bun.BaseModel `json:"-" bun:"table:sites"`

	ID         int64  `bun:",pk,autoincrement" json:"id"`
	TenantID   int64  `json:"tenant_id"`
	CustomerID int64  `json:"customer_id"`
	Name       string `json:"name"`
	Main       bool   `json:"main"`
	Address
	UpdatedAt time.Time `json:"updated_at"`
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
	bun.BaseModel `json:"-" bun:"table:distributor_customers"`

	ID       int64 `bun:",pk,autoincrement" json:"id"`
	TenantID int64 `json:"tenant_id"`
	ModuleID int64 `json:"module_id"`
	// Ref is the distributor's id as given, RefKey the same as it is compared.
	Ref       string `json:"ref"`
	RefKey    string `json:"ref_key"`
	Name      string `json:"name"`
	Lifecycle string `json:"lifecycle"`
	IsPartner bool   `json:"is_partner"`
	// Record is the rest of what the distributor said, as JSON.
	Record      json.RawMessage `bun:"type:text" json:"record,omitempty"`
	Fingerprint int64           `json:"fingerprint"`
	// GoneAt is when it first was missing from a complete listing.
	GoneAt *time.Time `json:"gone_at,omitempty"`
	// PlacedCustomerID is the customer its subscriptions were last put on.
	PlacedCustomerID *int64    `json:"placed_customer_id,omitempty"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
}

// Mapping says which customer a distributor customer is.
type Mapping struct {
	bun.BaseModel `json:"-" bun:"table:mappings"`

	ID                    int64 `bun:",pk,autoincrement" json:"id"`
	TenantID              int64 `json:"tenant_id"`
	ModuleID              int64 `json:"module_id"`
	DistributorCustomerID int64 `json:"distributor_customer_id"`
	CustomerID            int64 `json:"customer_id"`
	// Origin is name, created, moved or manual.
	Origin    string    `json:"origin"`
	Who       string    `json:"who"`
	CreatedAt time.Time `json:"created_at"`
}

// Scope is a part of a listing that is read as a whole.
type Scope struct {
	bun.BaseModel `json:"-" bun:"table:scopes"`

	ID       int64  `bun:",pk,autoincrement" json:"id"`
	TenantID int64  `json:"tenant_id"`
	ModuleID int64  `json:"module_id"`
	Ref      string `json:"ref"`
	Name     string `json:"name"`
}

// The bits of DistributorSubscription.Flags. A record with none of them, or only FlagCarried, whose fingerprint is the same,
// is unchanged.
const (
	// FlagGone: it is missing from the distributor and that has been dealt with.
	FlagGone = 1 << iota
	// FlagPending: our record is not yet what the distributor says: it ended there and is still active here, or a guard
	// holds a change. Every reading looks at it again, even if the distributor says the same as before.
	FlagPending
	// FlagMissing: it was missing from at least one complete reading.
	FlagMissing
	// FlagCarried: its subscription was carried over to another module, and it gets no other.
	FlagCarried
)

// DistributorSubscription is a subscription as the distributor last gave it; what it did not tell then is kept from before.
// Where our record of it lags behind, for another reason than that its customer is not mapped, it has FlagPending.
type DistributorSubscription struct {
	bun.BaseModel `json:"-" bun:"table:distributor_subscriptions"`

	ID       int64  `bun:",pk,autoincrement" json:"id"`
	TenantID int64  `json:"tenant_id"`
	ModuleID int64  `json:"module_id"`
	Ref      string `json:"ref"`
	RefKey   string `json:"ref_key"`
	// KeyHash and Fingerprint are 64-bit hashes kept as signed numbers.
	KeyHash     int64  `json:"key_hash"`
	Fingerprint int64  `json:"fingerprint"`
	CustomerKey string `json:"customer_key"`
	ScopeID     int64  `json:"scope_id"`
	Flags       int64  `json:"flags"`
	// Missing is in how many complete readings in a row it was missing. A reading that is not complete neither counts
	// nor starts the count again; one that lists it, complete or not, does.
	Missing int64           `json:"missing"`
	Record  json.RawMessage `bun:"type:text" json:"record,omitempty"`
	// SubscriptionID is nil while its customer is not mapped, and once its subscription was carried over to another module.
	SubscriptionID *int64 `json:"subscription_id,omitempty"`
	// CarriedAs is the subscription it had until then. Only Carry writes it.
	CarriedAs *int64    `json:"carried_as,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Subscription is what a customer holds. Its id never changes and is never used again.
type Subscription struct {
	bun.BaseModel `json:"-" bun:"table:subscriptions"`

	ID               int64      `bun:",pk,autoincrement" json:"id"`
	TenantID         int64      `json:"tenant_id"`
	CustomerID       int64      `json:"customer_id"`
	ModuleID         int64      `json:"module_id"`
	Distributor      string     `json:"distributor"`
	Ref              string     `json:"ref"`
	Name             string     `json:"name"`
	Quantity         *string    `json:"quantity,omitempty"`
	Unit             string     `json:"unit"`
	Active           bool       `json:"active"`
	State            string     `json:"state"`
	Status           string     `json:"status"`
	Charge           string     `json:"charge"`
	BillingTerm      string     `json:"billing_term"`
	CommitmentTerm   string     `json:"commitment_term"`
	StartedOn        string     `json:"started_on"`
	CommitmentEnd    string     `json:"commitment_end"`
	CancellableUntil string     `json:"cancellable_until"`
	AutoRenew        *bool      `json:"auto_renew,omitempty"`
	Trial            *bool      `json:"trial,omitempty"`
	SKU              string     `bun:"sku" json:"sku"`
	Vendor           string     `json:"vendor"`
	VendorRef        string     `json:"vendor_ref"`
	ParentRef        string     `json:"parent_ref"`
	CustomerPrice    *string    `json:"customer_price,omitempty"`
	PartnerCost      *string    `json:"partner_cost,omitempty"`
	ListPrice        *string    `json:"list_price,omitempty"`
	Currency         string     `json:"currency"`
	DeactivatedAt    *time.Time `json:"deactivated_at,omitempty"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
}

// Run is one plan, applied or not, with its record.
type Run struct {
	bun.BaseModel `json:"-" bun:"table:runs"`

	ID                    int64           `bun:",pk,autoincrement" json:"id"`
	TenantID              int64           `json:"tenant_id"`
	ModuleID              int64           `json:"module_id"`
	Mode                  string          `json:"mode"`
	Trigger               string          `json:"trigger"`
	Who                   string          `json:"who"`
	Entities              string          `json:"entities"`
	Customers             string          `json:"customers"`
	Outcome               string          `json:"outcome"`
	Holder                string          `json:"holder"`
	PluginVersion         string          `json:"plugin_version"`
	PluginSHA256          string          `bun:"plugin_sha256" json:"plugin_sha256"`
	CustomersComplete     bool            `json:"customers_complete"`
	SubscriptionsComplete bool            `json:"subscriptions_complete"`
	Counts                json.RawMessage `bun:"type:text" json:"counts,omitempty"`
	Report                json.RawMessage `bun:"type:text" json:"report,omitempty"`
	ErrorCode             string          `json:"error_code"`
	Error                 string          `json:"error"`
	Crash                 json.RawMessage `bun:"type:text" json:"crash,omitempty"`
	ApprovesRunID         *int64          `json:"approves_run_id,omitempty"`
	StartedAt             time.Time       `json:"started_at"`
	FinishedAt            *time.Time      `json:"finished_at,omitempty"`
	// WishID is the wish that the run fulfils, if any. It is not kept: the wish goes with the end of the run.
	WishID int64 `bun:"-" json:"-"`
}

// Change is one change of a run, made or held, or one made by hand.
type Change struct {
	bun.BaseModel `json:"-" bun:"table:changes"`

	ID         int64           `bun:",pk,autoincrement" json:"id"`
	TenantID   int64           `json:"tenant_id"`
	ModuleID   *int64          `json:"module_id,omitempty"`
	RunID      *int64          `json:"run_id,omitempty"`
	Entity     string          `json:"entity"`
	EntityID   *int64          `json:"entity_id,omitempty"`
	EntityKey  string          `json:"entity_key"`
	Name       string          `json:"name"`
	CustomerID *int64          `json:"customer_id,omitempty"`
	Kind       string          `json:"kind"`
	Status     string          `json:"status"`
	Guard      string          `json:"guard"`
	Before     json.RawMessage `bun:"type:text" json:"before,omitempty"`
	After      json.RawMessage `bun:"type:text" json:"after,omitempty"`
	Reason     string          `json:"reason"`
	Who        string          `json:"who"`
	CreatedAt  time.Time       `json:"created_at"`
	// DecidedBy and DecidedAt say who approved or rejected a held change, and when.
	DecidedBy string     `json:"decided_by"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
}

// Lease says who runs a module and until when.
type Lease struct {
	bun.BaseModel `json:"-" bun:"table:leases"`

	ModuleID   int64     `bun:",pk" json:"module_id"`
	TenantID   int64     `json:"tenant_id"`
	Holder     string    `json:"holder"`
	Purpose    string    `json:"purpose"`
	AcquiredAt time.Time `json:"acquired_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}
