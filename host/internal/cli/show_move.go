// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
)

// printMove says what a move leaves behind, and what to do next.
func printMove(w io.Writer, r *integrator.Report) {
	stay, fresh := r.Counts[integrator.CountSubscriptionsStay], r.Counts[integrator.CountSubscriptionsNew]
	if r.Counts[integrator.CountApplied] == 0 && r.Outcome != integrator.Failed && r.Outcome != integrator.Cancelled {
		paragraph(w, "  ", whyNothing(r, stay))
	}
	if stay > 0 && fresh > 0 {
		paragraph(w, "  -> ", fmt.Sprintf("Before the next sync of %[2]s: no vendor's id, and no name within a customer, says that any of the %[3]s that "+
			"stay at %[1]s is one of the %[4]d that are new at %[2]s, so that sync will make new subscriptions beside them. If two are the same, move again with "+
			"--same FROM-ID=TO-ID; the ids are those in brackets.", r.From, r.Module, plural(stay, "subscription"), fresh))
	}
	if r.Mode == integrator.Plan && r.Counts[integrator.CountApplied] > 0 {
		next := fmt.Sprintf("\"tallyman module move %s %s --apply\" carries over what is shown.", r.From, r.Module)
		if len(r.Left) > 0 {
			next += fmt.Sprintf(" What is left to you can be decided then: customers that are new at %s are known after it.", r.Module)
		}
		paragraph(w, "  -> ", next)
	}
}

// whyNothing says why there is nothing to carry over.
func whyNothing(r *integrator.Report, stay int) string {
	switch {
	case len(r.Left) > 0 || r.Counts[integrator.CountWaiting] > 0:
		return "Nothing is carried over until what is left to you is decided."
	case stay > 0 || r.Counts[integrator.CountCustomersStay] > 0:
		return fmt.Sprintf("Nothing is carried over: nothing at %s is the same as what %s has, by vendor's id, domain or name.", r.Module, r.From)
	default:
		return fmt.Sprintf("Nothing is left to carry over: all that %s had and %s has too was carried over before, or ended.", r.From, r.Module)
	}
}
