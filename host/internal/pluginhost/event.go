// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"fmt"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// Event is one event of a listing: Begin, ScopeBegin, Customers, Subscriptions, Tombstone, Warning, Progress, ScopeEnd
// or End, as a value.
//
// The order is always right: Begin first; of every scope ScopeBegin before and ScopeEnd after everything else; End
// last. Where the plugin kept another order, events were added and the scopes concerned are not complete.
type Event interface{ event() }

// Begin begins a listing.
type Begin struct {
	// Expected is how many records the distributor announced. Nil: it did not.
	Expected *int64
}

// ScopeBegin begins a scope.
type ScopeBegin struct {
	// Ref is stable between runs; Name is for people and may be empty.
	Ref, Name string
	// Expected is how many records the distributor announced for it. Nil: it did not.
	Expected *int64
}

// Customers is a batch of customers. Each has a ref.
type Customers struct {
	Scope     string
	Customers []sdk.Customer
}

// Subscriptions is a batch of subscriptions as they came over the wire. Each has a ref; nothing else was looked at.
type Subscriptions struct {
	Scope         string
	Subscriptions []*distributorv1.Subscription
}

// Tombstone says that the distributor removed the record.
type Tombstone struct {
	Scope, Ref string
	// At is when, a date or an instant, if told.
	At, Reason string
}

// Warning is something a person should know, said by the plugin or, with a code that begins with "protocol.", by the
// host about the plugin.
type Warning struct {
	// Scope may be empty: the listing as a whole. ScopeName is its name for people.
	Scope, ScopeName string
	// Code is dotted words: "record.without_id".
	Code, Message string
	// Ref is the record it is about, if known.
	Ref string
}

// Text gives the warning for people.
func (w Warning) Text() string {
	text := w.Message
	if text == "" {
		text = w.Code
	}
	if w.Ref != "" {
		text = fmt.Sprintf("%s (record %q)", text, w.Ref)
	}
	switch {
	case w.ScopeName != "":
		return w.ScopeName + ": " + text
	case w.Scope != "":
		return fmt.Sprintf("%q: %s", w.Scope, text)
	}
	return text
}

// Progress says how far the plugin is.
type Progress struct {
	Records, Requests int64
	// Answers are how many of the requests were answered with which HTTP status; 0: with none, or with what is no status.
	Answers map[int]int64
	Text    string
}

// ScopeEnd ends a scope. What follows may still show that it was not complete; Result tells in the end.
type ScopeEnd ScopeResult

// End ends a listing.
type End struct {
	Outcome Outcome
	Err     error
}

func (Begin) event()         {}
func (ScopeBegin) event()    {}
func (Customers) event()     {}
func (Subscriptions) event() {}
func (Tombstone) event()     {}
func (Warning) event()       {}
func (Progress) event()      {}
func (ScopeEnd) event()      {}
func (End) event()           {}

// Result is what a listing came to. It is final once Next has given an error.
type Result struct {
	// Outcome is complete only if the plugin said so, every scope is, and everything announced was received.
	Outcome Outcome
	// Err is why it is not complete. Nil when it is.
	Err error
	// Origin says whose fault that is: the plugin's, the distributor's, or unknown.
	Origin sdk.Origin
	// Scopes in the order they began.
	Scopes []ScopeResult
	// Records received in all scopes, Tombstones likewise; Requests as last told by the plugin.
	Records, Tombstones, Requests int64
	// Answers are as in Progress, as last told by the plugin.
	Answers map[int]int64
	// Warnings are the first ones; WarningCount counts all.
	Warnings     []Warning
	WarningCount int
}

// ScopeResult is what a scope came to.
type ScopeResult struct {
	Ref, Name string
	Outcome   Outcome
	// Count is how many records were received.
	Count int64
	// Err is why it is not complete. Nil when it is, and never otherwise.
	Err error
}
