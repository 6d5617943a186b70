// SPDX-License-Identifier: Apache-2.0

package reconcile

import "fmt"

// Kind is the kind of a change to a subscription.
type Kind string

// The kinds of change.
const (
	Create     Kind = "create"
	Update     Kind = "update"
	Move       Kind = "move"
	Deactivate Kind = "deactivate"
	Reactivate Kind = "reactivate"
)

// Moving is the change that moves a subscription to the customer that its distributor customer is mapped to now.
func Moving(from, to int64) Change {
	return Change{Kind: Move, From: from, To: to, Reason: "its distributor customer is mapped to another customer"}
}

// Policy is what the operator chose for a module's subscriptions.
type Policy struct {
	// DeactivateMissing lets subscriptions that ended at the distributor become inactive. Default off.
	DeactivateMissing bool
	// MissingRuns is in how many complete readings in a row a subscription must be missing. At least 1. A reading that is
	// not complete neither counts nor starts the count again; one that has the subscription starts it again in any case.
	MissingRuns int
}

// Current is our record of a subscription.
type Current struct {
	Active   bool
	Customer int64
	Fields   Fields
}

// Change is one change to one subscription.
type Change struct {
	Kind   Kind
	Reason string
	// Differences are set with Update, From and To (customer ids) with Move.
	Differences []Difference
	From, To    int64
}

// Decision is what one reading of one subscription leads to.
type Decision struct {
	Changes []Change
	// Fields are what our record holds afterwards, if every change is made.
	Fields Fields
	// Active is whether it is active afterwards.
	Active bool
	// EndPending: the distributor says it ended, and our record stays active for now.
	EndPending bool
}

// Seen decides about a subscription that the distributor listed. Current is nil when we have no record of it yet.
// Customer is the customer it belongs to by the mapping. ScopeComplete: the part of the listing it was in was read whole.
func Seen(current *Current, told Observed, customer int64, scopeComplete bool, policy Policy) Decision {
	ended := told.Ended()
	if current == nil {
		d := Decision{Fields: told.Fields, Active: !ended}
		if told.Charge == ChargeUsage {
			d.Fields.Quantity = ""
		}
		d.Changes = []Change{{Kind: Create, To: customer, Reason: createReason(ended, told.Status)}}
		return d
	}
	d := Decision{Active: current.Active}
	understood := understand(*current, told)
	var differences []Difference
	d.Fields, differences = current.Fields.Merge(understood.Fields)
	if current.Customer != customer {
		d.Changes = append(d.Changes, Moving(current.Customer, customer))
	}
	if len(differences) > 0 {
		d.Changes = append(d.Changes, Change{Kind: Update, Differences: differences, Reason: "the distributor says so"})
	}
	if !understood.Ended() && !current.Active {
		d.Active = true
		d.Changes = append(d.Changes, Change{Kind: Reactivate, Reason: "the distributor lists it again"})
	}
	var end *Change
	if end, d.EndPending = End(*current, told, scopeComplete, policy); end != nil {
		d.Active = false
		d.Changes = append(d.Changes, *end)
	}
	return d
}

// understand gives what the distributor told, with the state we know where it told none, or told of something that had
// ended only a word that nobody knows: what is not understood is no end, and no return either.
func understand(current Current, told Observed) Observed {
	if told.State == StateUnknown && (told.Status == "" || current.Fields.Ended()) {
		told.State = current.Fields.State
	}
	return told
}

// End decides whether a subscription that the distributor lists becomes inactive; nil if not. Pending: the distributor
// says it ended, and our record stays active for now. An end is a fact about the subscription, so it does not matter
// whether its customer is still mapped.
func End(current Current, told Observed, scopeComplete bool, policy Policy) (deactivate *Change, pending bool) {
	switch {
	case !told.Ended() || !current.Active:
		return nil, false
	case !policy.DeactivateMissing || !scopeComplete:
		return nil, true
	default:
		return &Change{Kind: Deactivate, Reason: fmt.Sprintf("the distributor reports it as %s", statusText(told.State, told.Status))}, false
	}
}

func createReason(ended bool, status string) string {
	if ended {
		return fmt.Sprintf("new at the distributor, already ended there (%s)", status)
	}
	return "new at the distributor"
}

func statusText(state, status string) string {
	if status != "" {
		return fmt.Sprintf("%q", status)
	}
	return state
}

// Absence is what a subscription's absence from a complete scope leads to.
type Absence struct {
	// Missing is in how many complete readings in a row it has now been missing, at most Policy.MissingRuns.
	Missing int
	// Gone: its end has been dealt with, there is nothing left to decide until it comes back.
	Gone bool
	// Change is nil when nothing changes for the customer.
	Change *Change
	// LeftActive: it ended, but the operator did not allow deactivation.
	LeftActive bool
}

// Missing decides about a subscription that a complete scope no longer lists. Current is nil when it waits for a mapping.
// Before is in how many complete readings it was missing until now. Removed: the distributor said so in as many words,
// which needs no second reading.
func Missing(current *Current, before int, removed bool, scope string, policy Policy) Absence {
	needed := max(policy.MissingRuns, 1)
	a := Absence{Missing: min(before+1, needed)}
	if removed {
		a.Missing = needed
	}
	if a.Missing < needed {
		return a
	}
	if current == nil || !current.Active {
		a.Gone = true
		return a
	}
	if !policy.DeactivateMissing {
		a.LeftActive = true
		return a
	}
	reason := fmt.Sprintf("no longer listed by the distributor in %s, which was read completely", scope)
	switch {
	case removed:
		reason = fmt.Sprintf("the distributor reports it as removed from %s", scope)
	case needed > 1:
		reason = fmt.Sprintf("missing from %d complete readings of %s in a row", needed, scope)
	}
	a.Gone = true
	a.Change = &Change{Kind: Deactivate, Reason: reason}
	return a
}
