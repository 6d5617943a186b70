// SPDX-License-Identifier: Apache-2.0

// Package moving finds out which distributor customers and distributor subscriptions of two modules are the same, so that
// our customers and subscriptions can go on at another distributor as they are. It knows no database and no plugin.
//
// Evidence counts in this order: the vendor's ids (of subscriptions and of tenants), which survive a move between
// distributors; domains; exactly the same names. What evidence points to is proposed only if it is the one candidate on
// either side, and if nothing contradicts it. All else is left to a person, with the reason and what to do about it.
package moving

// Customer is a distributor customer of one of the two modules.
type Customer struct {
	// ID is its row, zero for none, Key its distributor's id as it is compared, Ref the same as given.
	ID             int64
	Key, Ref, Name string
	// CustomerID is the customer of ours it is mapped to, zero for none, CustomerName what that one is called.
	CustomerID   int64
	CustomerName string
	// Ended: it has ended at the distributor, or is gone there. Partner: it is the MSP's own record.
	Ended, Partner bool
	Tenants        []Tenant
	Domains        []string
}

// Tenant is a customer's tenant at a vendor.
type Tenant struct{ Vendor, Ref string }

// Subscription is a distributor subscription, one item of it where it has several.
type Subscription struct {
	// ID is its row, zero for none. Key is the distributor's id as it is compared, Ref the same as given, CustomerKey the
	// key of the distributor customer it belongs to.
	ID                    int64
	Key, Ref, CustomerKey string
	// RecordID is our record of it, zero for none; CustomerID is the customer that record is with.
	RecordID, CustomerID int64
	// Ended: it has ended at the distributor, or is gone there.
	Ended bool
	// Vendor, VendorRef and VendorTenant are the vendor, and its ids of the subscription and of the tenant.
	Vendor, VendorRef, VendorTenant string
	// Name, VendorSKU, the terms and the kind of charge tell items, and subscriptions without a vendor's id, apart.
	Name, VendorSKU, BillingTerm, CommitmentTerm, Charge string
}

// Side is what is known of one of the two modules.
type Side struct {
	// Module is how people write it: acme/rhipe.
	Module        string
	Customers     []Customer
	Subscriptions []Subscription
	// Complete: everything the distributor has is here. A name or a domain that is found once says little if not.
	Complete bool
}

// Evidence is what shows that two records are the same.
type Evidence int

// The kinds of evidence, the strongest first. Decided is a person's word.
const (
	None Evidence = iota
	Decided
	BySubscriptionID
	ByTenantID
	ByDomain
	ByName
)

// Mapping is a mapping that is carried over: the target's customer is mapped to the customer of ours.
type Mapping struct {
	Source, Target *Customer
	CustomerID     int64
	CustomerName   string
	By             Evidence
	Reason         string
}

// Carry is a subscription of ours that goes on as a subscription of the target.
type Carry struct {
	Source, Target *Subscription
	CustomerID     int64
	CustomerName   string
	By             Evidence
	Reason         string
	// Replaces is the record that the target has made of its own, which is given up because a person said so.
	Replaces int64
}

// Left is what is left to a person.
type Left struct {
	// Customer or Subscription is the target's record; the other is nil.
	Customer     *Customer
	Subscription *Subscription
	// Why says what is not clear, Next what to do about it.
	Why, Next string
}

// Proposal is what can be carried over and what cannot.
type Proposal struct {
	Mappings      []Mapping
	Subscriptions []Carry
	Left          []Left
	// Waiting counts the target's subscriptions that are the same as one of the source's, whose customer is left to a
	// person.
	Waiting int
	// CustomersStay counts the source's customers that live and have no counterpart.
	CustomersStay int
	// Stay are the source's subscriptions that live, with a record of ours, and have no counterpart; New are the target's
	// that live, without a record of ours, and have none.
	Stay, New []*Subscription
}

// Decision is a person's word that two subscriptions are the same, by their ids at the distributors.
type Decision struct{ Source, Target string }

// Propose finds out what is the same. The sides are not changed; the proposal points into them.
func Propose(source, target *Side, decided []Decision) (Proposal, error) {
	p := &proposing{source: source, target: target, decided: decided}
	p.index()
	p.customers()
	err := p.subscriptions()
	return p.Proposal, err
}

// proposing is a proposal in the making.
type proposing struct {
	Proposal

	source, target *Side
	decided        []Decision

	sources, targets sideIndex
	// owner is the customer of ours that each of the target's customers is, zero for none; undecided are those of them
	// that are left to a person.
	owner     []int64
	undecided map[int]bool
}
