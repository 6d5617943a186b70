// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"

	"github.com/tallymanhq/tallyman/host/internal/mapping"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// plan is what a run would change. Customers are planned into memory; subscriptions are planned again, one by one and
// with the same result, each time somebody goes through them: see eachSubscription.
type plan struct {
	// known are the distributor customers that were known before the run, by key; titles is what people call some of them.
	known  map[string]knownCustomer
	titles map[string]string
	// customers are the listed ones that need anything, byKey also those that need something without being listed.
	customers []*customerStep
	byKey     map[string]*customerStep
	// creations are the steps that create a customer. lastCustomer is the highest id of a customer that the plan knows of.
	creations    []*customerStep
	lastCustomer int64
	// gone are distributor customers that a complete listing no longer has.
	gone []*customerStep
	// mappedBefore is how many distributor customers were mapped before the run.
	mappedBefore int
	firstImport  bool

	// approved are the fingerprints of held changes that a person let through.
	approved map[uint64]bool
	// deactivations counts them; the holds say why a kind of change is held, empty if it is not.
	deactivations     int
	holdDeactivations string
	holdEmpty         string
	// held counts held changes.
	held int
}

// customerStep is what happens with one distributor customer. For one that needs nothing it holds only whose it is.
type customerStep struct {
	// key is its id as it is compared, ref as it was listed.
	key, ref string
	// told is what the listing said; nil when it did not have the customer, and once everything is decided.
	told *sdk.Customer
	// row is its row as it will be; row.ID is zero for a new one. write: the row has to be written.
	row   store.DistributorCustomer
	write bool
	// customer is the customer it is mapped to after the run, 0 if none (yet).
	customer int64
	// name is what people call it, where that was asked for.
	name string
	// mapAs is the origin of a new mapping, empty for none.
	mapAs string
	// create is the customer to be created for it; several steps may share one.
	create *newCustomer
	// site is the main site whose address changes; nil if none.
	site *store.Site
	// changes are what is recorded beside the creation and the mapping, which are made when they are needed: see changesOf.
	changes []Change
}

// newCustomer is a customer the plan creates.
type newCustomer struct {
	name    string
	address mapping.Address
	// id is set once it is written.
	id int64
	// guard is the guard that holds it, with why saying why; empty when it may be created.
	guard, why string
}

func (c *newCustomer) held() bool { return c.guard != "" }

// placed reports whether subscriptions of this distributor customer have a customer to go to.
func (s *customerStep) placed() bool { return s.customer != 0 || s.create != nil && !s.create.held() }

// customerID gives the customer's id: negative numbers stand for customers that are not written yet.
func (s *customerStep) customerID() int64 {
	if s.customer != 0 || s.create == nil {
		return s.customer
	}
	return s.create.id
}

// plan works out what would change.
func (r *run) plan(ctx context.Context) error {
	r.progress("plan", 0, "")
	if err := r.loadApproved(ctx); err != nil {
		return err
	}
	if err := r.noteElsewhere(ctx); err != nil {
		return err
	}
	return r.planCustomers(ctx)
}
