// SPDX-License-Identifier: Apache-2.0

package pluginhost

// Outcome is what a scope or a listing came to. The zero value is OutcomeUnknown, which is never complete.
type Outcome int

// The outcomes.
const (
	OutcomeUnknown Outcome = iota
	// OutcomeComplete: everything was read. Only now does absence mean anything.
	OutcomeComplete
	// OutcomePartial: some records were read.
	OutcomePartial
	// OutcomeFailed: nothing reliable was read.
	OutcomeFailed
)

// String gives "complete", "partial", "failed" or "unknown".
func (o Outcome) String() string {
	switch o {
	case OutcomeComplete:
		return "complete"
	case OutcomePartial:
		return "partial"
	case OutcomeFailed:
		return "failed"
	default:
		return "unknown"
	}
}
