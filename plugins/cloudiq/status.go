// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// statusFlag is one bit of a subscription's status.
type statusFlag struct {
	bit   int64
	word  string
	state sdk.State
}

// statusFlags are the flags of Crayon's SDK of 2023, ends in the order in which they count where there are several.
var statusFlags = []statusFlag{
	{4, "Deleted", sdk.StateDeleted},
	{8, "CustomerCancellation", sdk.StateCancelled},
	{128, "Cancelled", sdk.StateCancelled},
	{16, "Converted", sdk.StateConverted},
	{32, "Expired", sdk.StateExpired},
	{1, "Active", sdk.StateActive},
	{2, "Suspended", sdk.StateSuspended},
	// Microsoft's stage after the end of a term, in which data is kept.
	{256, "Disabled", sdk.StateSuspended},
	{64, "Pending", sdk.StatePending},
}

// everyStatus is the sum of all flags. Older descriptions call 31 all, which hides what expired or is pending.
const everyStatus = 511

// statusOf gives the state behind a status, and the status in Crayon's words: "Active", "Suspended, 512".
//
// One flag is its state. Several are a state if they say the same, or if all of them are ends; the first in statusFlags then
// counts. Everything else contradicts itself or is not known: None, Active with Cancelled, a flag that is not in the table.
// That is StateUnknown, which is never an end.
func statusOf(v rest.Value) (sdk.State, string) {
	text := strings.TrimSpace(v.Text())
	bits, ok := v.Int()
	if !ok {
		bits, ok = bitsOf(text)
	}
	switch {
	case !ok || bits < 0:
		return sdk.StateUnknown, text
	case bits == 0:
		return sdk.StateUnknown, "None"
	}
	var words []string
	states := map[sdk.State]bool{}
	state, ends, left := sdk.StateUnknown, 0, bits
	for _, flag := range statusFlags {
		if bits&flag.bit == 0 {
			continue
		}
		left &^= flag.bit
		words = append(words, flag.word)
		states[flag.state] = true
		if state == sdk.StateUnknown {
			state = flag.state
		}
		if isEnd(flag.state) {
			ends++
		}
	}
	if left != 0 {
		words = append(words, strconv.FormatInt(left, 10))
	}
	if left != 0 || len(states) > 1 && ends < len(words) {
		state = sdk.StateUnknown
	}
	return state, strings.Join(words, ", ")
}

func isEnd(s sdk.State) bool {
	switch s {
	case sdk.StateDeleted, sdk.StateCancelled, sdk.StateConverted, sdk.StateExpired:
		return true
	default:
		return false
	}
}

// bitsOf reads a status that is told in words: "Active", "Suspended, Disabled".
func bitsOf(text string) (bits int64, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		known := false
		for _, flag := range statusFlags {
			if strings.EqualFold(strings.TrimSpace(word), flag.word) {
				bits, known = bits|flag.bit, true
			}
		}
		if !known {
			return 0, strings.EqualFold(text, "None")
		}
	}
	return bits, true
}
