// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// status is what a word of Pax8 for the state of a subscription means. The zero value is that of a word nobody knows.
type status struct {
	state sdk.State
	// trial is whether it is tried out; unknown where the word does not tell.
	trial answer
	// ending: it was cancelled and still waits to be taken away; until then it is used and charged.
	ending bool
}

// answer is yes, no, or not known.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// statuses are the words of the API's description, in lower case.
var statuses = map[string]status{
	"active":            {state: sdk.StateActive, trial: no},
	"activated":         {state: sdk.StateActive, trial: no},
	"pendingcancel":     {state: sdk.StateActive, trial: no, ending: true},
	"trial":             {state: sdk.StateActive, trial: yes},
	"pendingmanual":     {state: sdk.StatePending, trial: no},
	"pendingautomated":  {state: sdk.StatePending, trial: no},
	"waitingfordetails": {state: sdk.StatePending, trial: no},
	"pendingactivation": {state: sdk.StatePending, trial: no},
	"cancelled":         {state: sdk.StateCancelled, trial: no},
	// Converted from a trial. Whether this record is the trial or what came of it is not described.
	"converted": {state: sdk.StateConverted},
}

func statusOf(raw string) status { return statuses[strings.ToLower(raw)] }

// trialOf tells whether a subscription is tried out: its status says so, or it is billed as a trial.
func trialOf(s status, b billing) *bool {
	is := s.trial == yes || b.trial
	if !is && s.trial == unknown {
		return nil
	}
	return &is
}
