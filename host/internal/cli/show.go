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
	"github.com/tallymanhq/tallyman/host/internal/store"
)

func slicesSort(s []string) { slices.Sort(s) }

// countNames are the counts in the order people read them.
var countNames = []struct{ name, text string }{
	{integrator.CountCustomersListed, "customers listed"},
	{integrator.CountCustomersMapped, "mapped"},
	{integrator.CountCustomersCreated, "customers created"},
	{integrator.CountCustomersUnmatched, "not matched"},
	{integrator.CountCustomersAmbiguous, "ambiguous"},
	{integrator.CountCustomersRenamed, "renamed"},
	{integrator.CountCustomersGone, "customers gone"},
	{integrator.CountAddressesUpdated, "addresses updated"},
	{integrator.CountSubscriptionsListed, "subscriptions listed"},
	{integrator.CountUnchanged, "unchanged"},
	{integrator.CountCreated, "created"},
	{integrator.CountUpdated, "updated"},
	{integrator.CountMoved, "moved"},
	{integrator.CountDeactivated, "deactivated"},
	{integrator.CountReactivated, "reactivated"},
	{integrator.CountMissing, "missing"},
	{integrator.CountWaiting, "waiting for a mapping"},
	{integrator.CountLeftActive, "ended but left active"},
	{integrator.CountHeld, "held"},
}

func countsText(counts map[string]int) string {
	var parts []string
	for _, c := range countNames {
		if n := counts[c.name]; n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.text))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
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
	fmt.Fprintf(w, "%s  run %d  %s: %s\n", r.Module, r.Run, r.Mode, outcomeText(r.Outcome, r.Mode))
	paragraph(w, "  ", countsText(r.Counts))
	a.printDetails(r.Details)
	if r.Outcome == integrator.Held && r.Mode != integrator.Plan {
		paragraph(w, "  -> ", fmt.Sprintf(
			"See what is held with \"tallyman runs show %d\"; then \"tallyman approve %d\" or \"tallyman reject %d\".", r.Run, r.Run, r.Run))
	}
	if n := r.Counts[integrator.CountCustomersUnmatched] + r.Counts[integrator.CountCustomersAmbiguous]; n > 0 && r.Mode != integrator.Plan {
		paragraph(w, "  -> ", fmt.Sprintf("Map customers by hand: \"tallyman mappings list %s\".", r.Module))
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
	for _, s := range d.Scopes {
		if s.Outcome == "complete" {
			continue
		}
		name := s.Name
		if name == "" {
			name = s.Ref
		}
		fmt.Fprintf(w, "  %s %s: %s\n", s.Entity, printable(name), s.Outcome)
	}
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
}

func more(w io.Writer, n int, what string) {
	if n > 0 {
		fmt.Fprintf(w, "  … and %d more %s\n", n, what)
	}
}

func sortedGuards(guards map[string]string) []string {
	names := make([]string, 0, len(guards))
	for name := range guards {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// printRun shows the record of a run.
func (a *app) printRun(run store.Run, module string, changes []store.ChangeRow) {
	w := a.out
	fmt.Fprintf(w, "Run %d of %s: %s\n", run.ID, module, orRunning(run.Outcome))
	took := "not finished"
	if run.FinishedAt != nil {
		took = "took " + run.FinishedAt.Sub(run.StartedAt).Round(1e6).String()
	}
	fmt.Fprintf(w, "  %s of %s, by %s (%s), started %s, %s\n", run.Mode, run.Entities, run.Trigger, run.Who, when(run.StartedAt), took)
	paragraph(w, "  ", runText(run))
	if run.Error != "" {
		paragraph(w, "  Error ", run.ErrorCode+": "+run.Error)
	}
	var details integrator.Details
	if json.Unmarshal(run.Report, &details) == nil {
		a.printDetails(details)
	}
	if len(run.Crash) > 0 {
		paragraph(w, "  Crash: ", string(run.Crash))
	}
	if len(changes) == 0 {
		return
	}
	fmt.Fprintln(w)
	g := &grid{columns: []string{"Status", "Change", "Name", "What"}, wide: 3}
	held := 0
	for _, c := range changes {
		if c.Status == store.ChangeHeld {
			held++
		}
		status := c.Status
		if c.Guard != "" && c.Status == store.ChangeHeld {
			status += " (" + c.Guard + ")"
		}
		g.add(status, c.Entity+" "+c.Kind, c.Name, changeText(c.Kind, c.Before, c.After, c.Reason))
	}
	g.render(w)
	if held > 0 {
		fmt.Fprintf(w, "\n%d held. \"tallyman approve %d\" applies what is still true, \"tallyman reject %d\" drops it.\n", held, run.ID, run.ID)
	}
}
