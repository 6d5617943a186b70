// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run.
const (
	NoChange  Outcome = "no_change"
	Succeeded Outcome = "succeeded"
	Warning   Outcome = "warning"
	Held      Outcome = "held"
	Failed    Outcome = "failed"
	Cancelled Outcome = "cancelled"
)

// The names of the counts of a report. A count that is zero is left out.
const (
	CountCustomersListed     = "customers_listed"
	CountCustomersCreated    = "customers_created"
	CountCustomersMapped     = "customers_mapped"
	CountCustomersUnmatched  = "customers_unmatched"
	CountCustomersAmbiguous  = "customers_ambiguous"
	CountCustomersRenamed    = "customers_renamed"
	CountCustomersGone       = "customers_gone"
	CountAddressesUpdated    = "addresses_updated"
	CountSubscriptionsListed = "subscriptions_listed"
	CountUnchanged           = "subscriptions_unchanged"
	CountCreated             = "subscriptions_created"
	CountUpdated             = "subscriptions_updated"
	CountMoved               = "subscriptions_moved"
	CountDeactivated         = "subscriptions_deactivated"
	CountReactivated         = "subscriptions_reactivated"
	CountWaiting             = "subscriptions_waiting"
	CountLeftActive          = "subscriptions_ended_left_active"
	CountMissing             = "subscriptions_missing"
	CountElsewhere           = "subscriptions_elsewhere"
	CountCarried             = "subscriptions_carried"
	CountSubscriptionsStay   = "subscriptions_stay"
	CountSubscriptionsNew    = "subscriptions_new"
	CountCustomersStay       = "customers_stay"
	CountLeft                = "left_to_a_person"
	CountHeld                = "changes_held"
	CountApplied             = "changes_applied"
)

// Report is what a run came to.
type Report struct {
	// Run is the number of the run's record.
	Run     int64   `json:"run"`
	Module  string  `json:"module"`
	Mode    Mode    `json:"mode"`
	Outcome Outcome `json:"outcome"`
	// Counts holds the counts that are not zero.
	Counts map[string]int `json:"counts"`
	Details
	// Error says why it failed.
	Error    *Problem      `json:"error,omitempty"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration_ns"`
	// CustomersComplete and SubscriptionsComplete: the reading of all of them was complete.
	CustomersComplete     bool `json:"customers_complete"`
	SubscriptionsComplete bool `json:"subscriptions_complete"`
	// Requests is how many requests to the distributor the plugin told of, Answers how many of them were answered with which HTTP
	// status; 0: with none. Crashed: its process ended when it should not have.
	Requests int64         `json:"-"`
	Answers  map[int]int64 `json:"-"`
	Crashed  bool          `json:"-"`
}

// Details is the part of a report that is kept with the run's record as it is.
type Details struct {
	Scopes []Scope `json:"scopes,omitempty"`
	// Notes are what a person may want to know; Warnings what somebody should look into. Only the first maxNotes of each
	// are kept.
	Notes        []string `json:"notes,omitempty"`
	NotesLeft    int      `json:"notes_left_out,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`
	WarningsLeft int      `json:"warnings_left_out,omitempty"`
	// Guards says what was held and why, by guard.
	Guards map[string]string `json:"guards,omitempty"`
	// From is the module that a move carries over from, as people write it.
	From string `json:"from,omitempty"`
	// Left is what a move leaves to a person.
	Left []Left `json:"left,omitempty"`
}

// Left is one thing that a move leaves to a person.
type Left struct {
	// Entity is distributor_customer or subscription; Key is its id at the distributor, Name what it is called there.
	Entity string `json:"entity"`
	Key    string `json:"entity_key"`
	Name   string `json:"name"`
	// Why says what is not clear, Next what to do about it.
	Why  string `json:"why"`
	Next string `json:"next"`
}

// maxNotes is how many notes, and how many warnings, a report keeps.
const maxNotes = 100

// Scope is how the reading of one part of a listing ended.
type Scope struct {
	// Entity is customers or subscriptions.
	Entity string `json:"entity"`
	Ref    string `json:"ref"`
	Name   string `json:"name,omitempty"`
	// Outcome is complete, partial or failed.
	Outcome string   `json:"outcome"`
	Count   int      `json:"count"`
	Error   *Problem `json:"error,omitempty"`
}

// Problem is a failure as it is shown and kept.
type Problem struct {
	// Code is dotted words, stable between releases.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Hint is what to do next.
	Hint string `json:"hint,omitempty"`
	// Correlation is the distributor's id of the failed request.
	Correlation string `json:"correlation_id,omitempty"`
}

// Error gives the message.
func (p *Problem) Error() string { return p.Message }

// coded is an error that knows its code and hint.
type coded interface {
	error
	Code() string
	Hint() string
}

// ProblemOf turns any error of a run into what is shown and kept.
func ProblemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var c coded
	if errors.As(err, &c) {
		return &Problem{Code: c.Code(), Message: err.Error(), Hint: c.Hint()}
	}
	var e *sdk.Error
	if errors.As(err, &e) {
		return &Problem{Code: "distributor." + e.Class.String(), Message: e.Message, Hint: e.Hint, Correlation: e.CorrelationID}
	}
	if errors.Is(err, context.Canceled) {
		return &Problem{Code: "run.cancelled", Message: "the run was cancelled", Hint: "Nothing was changed. Run it again when you like."}
	}
	return &Problem{Code: "run.failed", Message: err.Error()}
}

// note adds a line a person may want to know.
func (d *Details) note(format string, args ...any) {
	d.Notes, d.NotesLeft = keep(d.Notes, d.NotesLeft, fmt.Sprintf(format, args...))
}

// warn adds a line somebody should look into.
func (d *Details) warn(format string, args ...any) {
	d.Warnings, d.WarningsLeft = keep(d.Warnings, d.WarningsLeft, fmt.Sprintf(format, args...))
}

func keep(lines []string, left int, line string) ([]string, int) {
	if len(lines) < maxNotes {
		return append(lines, line), left
	}
	return lines, left + 1
}
