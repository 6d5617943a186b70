// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"

	"github.com/hashicorp/go-hclog"
)

// Distributor is one connection to a distributor, made by Plugin.Connect from the settings of one module.
//
// An implementation must embed Unimplemented, so that it keeps compiling when this interface grows, and must not share
// state with another connection. The SDK calls its methods from one or more goroutines; each call ends when its context
// does. A method that panics fails that call with ClassInternal and logs the stack; the process lives on.
type Distributor interface {
	// ListCustomers sends every customer to out, deactivated ones included, or only those in req.
	//
	// Open a scope for each part that can be read as a whole and send its records; see CustomerListing.
	// Return an error only when the listing as a whole cannot go on; a failed scope is not such a case.
	ListCustomers(ctx context.Context, req ListRequest, out *CustomerListing) error
	// ListSubscriptions sends every subscription in every state to out, or only those of the customers in req.
	ListSubscriptions(ctx context.Context, req ListRequest, out *SubscriptionListing) error

	mustEmbedUnimplemented()
}

// ConnectionTester is implemented by a Distributor that can test its connection in named steps.
// Without it the SDK lists customers and reports whether that works.
type ConnectionTester interface {
	// TestConnection tries the steps in order through t and stops at the first that fails. Reads only.
	TestConnection(ctx context.Context, t *ConnectionTest) error
}

// Closer is implemented by a Distributor that holds something to release when the process ends.
type Closer interface {
	Close() error
}

// CustomerFilter is implemented by a Distributor that honours ListRequest.CustomerRefs in ListSubscriptions.
// Without it the host reads everything and narrows itself.
type CustomerFilter interface {
	FiltersCustomers()
}

// ListRequest says what to list.
type ListRequest struct {
	// CustomerRefs narrows the listing to these customers. Empty: all.
	CustomerRefs []string
}

// Wants reports whether the customer is asked for. Refs are compared without case.
func (r ListRequest) Wants(customerRef string) bool {
	if len(r.CustomerRefs) == 0 {
		return true
	}
	for _, ref := range r.CustomerRefs {
		if equalFold(ref, customerRef) {
			return true
		}
	}
	return false
}

// Unimplemented must be embedded in every Distributor. Its methods answer ClassUnsupported.
type Unimplemented struct{}

// ListCustomers answers ClassUnsupported.
func (Unimplemented) ListCustomers(context.Context, ListRequest, *CustomerListing) error {
	return Errorf(ClassUnsupported, "this plugin does not list customers")
}

// ListSubscriptions answers ClassUnsupported.
func (Unimplemented) ListSubscriptions(context.Context, ListRequest, *SubscriptionListing) error {
	return Errorf(ClassUnsupported, "this plugin does not list subscriptions")
}

func (Unimplemented) mustEmbedUnimplemented() {}

// Plugin is everything Serve needs. S is the settings struct; the package documentation
// tells its tags.
type Plugin[S any] struct {
	// Name is the short name, [a-z0-9][a-z0-9-]*: "rhipe". Required.
	Name string
	// DisplayName is shown to people and is the distributor of every subscription: "Rhipe". Defaults to Name.
	DisplayName string
	// Version of the plugin, semantic versioning without "v". Required.
	Version string
	// Vendor is who makes the plugin.
	Vendor string
	// HostVersions it works with: ">= 1.2, < 3". Empty: any.
	HostVersions string
	// DocumentationURL is where a person reads more.
	DocumentationURL string
	// Capabilities declares what cannot be found out from the code.
	Capabilities Capabilities
	// Validate checks the settings without the network. Optional. What the tags say is already checked.
	Validate func(settings S) []Diagnostic
	// Connect makes the connection object. It must not use the network; that is for the first call. Required.
	Connect func(ctx context.Context, settings S, env Env) (Distributor, error)
}

// Env is what the SDK gives a connection.
type Env struct {
	// Log goes to the host, which adds run, tenant and module. Secret settings are redacted from it.
	Log hclog.Logger
	// Tenant and Module name what the process works for. For messages only.
	Tenant, Module string
	// UserAgent for HTTP calls: "tallyman-rhipe/1.2.0".
	UserAgent string
}

// Diagnostic is about one setting.
type Diagnostic struct {
	// Warning is false for an error.
	Warning bool
	// Field is the setting's name: "client_id", "paths.customers". Empty: the settings as a whole.
	Field string
	// Message says what is wrong, Hint what to do.
	Message, Hint string
}

// Capabilities says what a plugin and its distributor can do. Zero means unknown everywhere.
type Capabilities struct {
	// RefsIgnoreCase: ids that differ only in case are the same, as GUIDs are.
	RefsIgnoreCase bool
	// SubscriptionScope is what one scope of a subscription listing is.
	SubscriptionScope ScopeKind
	// AbsenceMeansEnded: a record missing from a complete scope has ended.
	AbsenceMeansEnded bool
	// StatusImplied: the distributor has no status; what is listed is live.
	StatusImplied bool
	// ListingTotal: the distributor announces how many records a listing has.
	ListingTotal bool
	// PagedUnstable: pages of one listing may contradict each other.
	PagedUnstable bool
	// Addresses: customers carry addresses. Prices: subscriptions carry prices.
	Addresses, Prices bool
	// RequestsPerMinute allowed per credential. Zero: not published.
	RequestsPerMinute int
}

// ScopeKind is what one scope of a subscription listing is.
type ScopeKind int

// The kinds of scope.
const (
	ScopeUnknown ScopeKind = iota
	// ScopeAccount: the whole account is read as one.
	ScopeAccount
	// ScopeContainer: an agreement, organisation or programme is read as one.
	ScopeContainer
	// ScopeCustomer: one customer is read as one.
	ScopeCustomer
)
