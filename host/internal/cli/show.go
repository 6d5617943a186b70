// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// countNames are the counts in the order people read them, by what they count.
var countNames = []struct {
	of    string
	names []struct{ name, text string }
}{
	{"customers", []struct{ name, text string }{
		{integrator.CountCustomersListed, "listed"},
		{integrator.CountCustomersMapped, "mapped"},
		{integrator.CountCustomersCreated, "of them created"},
		{integrator.CountCustomersUnmatched, "not matched"},
		{integrator.CountCustomersAmbiguous, "ambiguous"},
		{integrator.CountCustomersRenamed, "renamed"},
		{integrator.CountCustomersGone, "gone"},
		{integrator.CountAddressesUpdated, "with a new address"},
		{integrator.CountCustomersStay, "staying"},
	}},
	{"subscriptions", []struct{ name, text string }{
		{integrator.CountSubscriptionsListed, "listed"},
		{integrator.CountUnchanged, "unchanged"},
		{integrator.CountCreated, "created"},
		{integrator.CountUpdated, "updated"},
		{integrator.CountMoved, "moved"},
		{integrator.CountDeactivated, "deactivated"},
		{integrator.CountReactivated, "reactivated"},
		{integrator.CountMissing, "missing"},
		{integrator.CountWaiting, "of them waiting for a mapping"},
		{integrator.CountLeftActive, "ended but left active"},
		{integrator.CountCarried, "carried over"},
		{integrator.CountSubscriptionsStay, "staying"},
		{integrator.CountSubscriptionsNew, "new there"},
		{integrator.CountElsewhere, "carried over before"},
	}},
	{"changes", []struct{ name, text string }{{integrator.CountHeld, "held"}, {integrator.CountLeft, "left to you"}}},
}

// plannedText says in a plan what a run says of what it did.
var plannedText = map[string]string{
	"mapped": "to map", "of them created": "of them to create", "created": "to create", "with a new address": "to get a new address", "updated": "to update", "moved": "to move",
	"deactivated": "to deactivate", "reactivated": "to reactivate", "held": "to hold",
	"carried over": "to carry over",
}

// countsOf gives a line for each thing that was counted, in the words of a plan or of a run that did it.
func countsOf(counts map[string]int, planned bool) (lines [][2]string) {
	for _, group := range countNames {
		var parts []string
		for _, c := range group.names {
			if n := counts[c.name]; n != 0 {
				text := c.text
				if to := plannedText[text]; planned && to != "" {
					text = to
				}
				parts = append(parts, fmt.Sprintf("%d %s", n, text))
			}
		}
		if len(parts) > 0 {
			lines = append(lines, [2]string{group.of, strings.Join(parts, ", ")})
		}
	}
	return lines
}

func printCounts(w io.Writer, counts map[string]int, planned bool) {
	for _, line := range countsOf(counts, planned) {
		paragraph(w, fmt.Sprintf("  %-14s ", line[0]), line[1])
	}
}

// paragraph writes text under a heading, folded to the terminal's width.
func paragraph(w io.Writer, heading, body string) {
	width, _ := terminal(w)
	indent := strings.Repeat(" ", len(heading))
	lines := strings.Split(text.WrapSoft(multiline(body), max(width-len(heading)-1, 30)), "\n")
	for i, line := range lines {
		if i == 0 {
			fmt.Fprintln(w, heading+strings.TrimRight(line, " "))
		} else {
			fmt.Fprintln(w, indent+strings.TrimSpace(line))
		}
	}
}

// printReport shows what a run came to.
func (a *app) printReport(r *integrator.Report) {
	if a.json {
		_ = a.printJSON(r)
		return
	}
	w := a.out
	fmt.Fprintf(w, "%s  run %d  %s: %s\n", r.Module, r.Run, modeText(r.Mode, r.From), outcomeText(r.Outcome, r.Mode))
	printCounts(w, r.Counts, r.Mode == integrator.Plan)
	a.printDetails(r.Details)
	if r.Counts[integrator.CountHeld] > 0 && r.Mode != integrator.Plan {
		paragraph(w, "  -> ", fmt.Sprintf(
			"See what is held with \"tallyman runs show %d\"; then \"tallyman approve %d\" or \"tallyman reject %d\".", r.Run, r.Run, r.Run))
	}
	if r.Counts[integrator.CountHeld] > 0 && r.Mode == integrator.Plan {
		where := "How much is too much stands in the module's block \"guards\"."
		if _, asks := r.Guards[reconcile.GuardUnmatched]; asks && len(r.Guards) == 1 {
			where = "Whether new customers wait is said by customers.unmatched."
		}
		paragraph(w, "  -> ", fmt.Sprintf("\"tallyman sync %s\" holds these until \"tallyman approve\", and does the rest. %s", r.Module, where))
	}
	if r.From != "" {
		printMove(w, r)
	}
	if n := r.Counts[integrator.CountLeftActive]; n > 0 {
		paragraph(w, "  -> ", fmt.Sprintf("%s ended at the distributor and left active: deactivate_missing is off in the module's block \"subscriptions\".",
			plural(n, "subscription")))
	}
	if n := r.Counts[integrator.CountCustomersUnmatched] + r.Counts[integrator.CountCustomersAmbiguous]; n > 0 && r.Mode != integrator.Plan {
		paragraph(w, "  -> ", fmt.Sprintf("Map customers by hand: \"tallyman mappings list %s\".", r.Module))
	}
}

// modeText says what kind of run it is; from is the module that a move carries over from.
func modeText(mode integrator.Mode, from string) string {
	switch {
	case from == "":
		return string(mode)
	case mode == integrator.Plan:
		return "plan of a move from " + from
	default:
		return string(mode) + " from " + from
	}
}

func outcomeText(o integrator.Outcome, mode integrator.Mode) string {
	switch {
	case mode == integrator.Plan && o == integrator.Succeeded:
		return "changes pending"
	case o == integrator.NoChange:
		return "no change"
	default:
		return string(o)
	}
}

func (a *app) printDetails(d integrator.Details) {
	w := a.out
	for _, line := range d.Warnings {
		paragraph(w, "  Warning: ", line)
	}
	more(w, d.WarningsLeft, "warnings")
	for _, guard := range sortedGuards(d.Guards) {
		paragraph(w, "  Held by "+guard+": ", d.Guards[guard])
	}
	for _, line := range d.Notes {
		paragraph(w, "  Note: ", line)
	}
	more(w, d.NotesLeft, "notes")
	for _, left := range d.Left {
		what := "subscription"
		if left.Entity == integrator.EntityDistributorCustomer {
			what = "customer"
		}
		paragraph(w, "  Left to you: ", fmt.Sprintf("%s %q (%s): %s", what, printable(left.Name), printable(left.Key), left.Why))
		paragraph(w, "      -> ", left.Next)
	}
}

func more(w io.Writer, n int, what string) {
	if n > 0 {
		fmt.Fprintf(w, "  … and %d more %s\n", n, what)
	}
}

func sortedGuards[T any](guards map[string]T) []string {
	names := make([]string, 0, len(guards))
	for name := range guards {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// printRun shows the record of a run.
func (a *app) printRun(run store.Run, module string, changes []store.ChangeRow, shown []shownChange) {
	w := a.out
	outcome := orRunning(run.Outcome)
	if run.Outcome != "" {
		outcome = outcomeText(integrator.Outcome(run.Outcome), integrator.Mode(run.Mode))
	}
	if settled := decisions(changes); settled != "" {
		outcome += "; what it held: " + settled
	}
	fmt.Fprintf(w, "Run %d of %s: %s\n", run.ID, module, outcome)
	took := "not finished"
	if run.FinishedAt != nil {
		took = "took " + run.FinishedAt.Sub(run.StartedAt).Round(1e6).String()
	}
	var details integrator.Details
	known := json.Unmarshal(run.Report, &details) == nil
	mode := modeText(integrator.Mode(run.Mode), details.From)
	paragraph(w, "  ", fmt.Sprintf("%s of %s, by %s (%s), started %s, %s", mode, strings.ReplaceAll(run.Entities, ",", " and "), run.Trigger, run.Who, when(run.StartedAt), took))
	var counts map[string]int
	_ = json.Unmarshal(run.Counts, &counts)
	printCounts(w, counts, run.Mode == string(integrator.Plan))
	if run.Error != "" {
		paragraph(w, "  Error ", run.ErrorCode+": "+run.Error)
	}
	if known {
		a.printDetails(details)
	}
	if len(run.Crash) > 0 {
		paragraph(w, "  Crash: ", string(run.Crash))
	}
	if len(changes) == 0 {
		return
	}
	fmt.Fprintln(w)
	held := 0
	for _, c := range changes {
		if c.Status == store.ChangeHeld {
			held++
		}
	}
	printChanges(w, shown, false)
	if held > 0 {
		fmt.Fprintln(w)
		paragraph(w, "", fmt.Sprintf("%d held. \"tallyman approve %d\" applies what is still true, \"tallyman reject %[2]d\" drops it.", held, run.ID))
	}
}
