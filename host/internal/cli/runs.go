// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// runRow is a run as it is listed.
type runRow struct {
	store.Run

	Module string `json:"module"`
	// Waiting is how many changes it still holds.
	Waiting int `json:"waiting"`
}

// runOutcomes are the outcomes that a list of runs can be narrowed to.
var runOutcomes = []string{
	string(integrator.NoChange), string(integrator.Succeeded), string(integrator.Warning), string(integrator.Held),
	string(integrator.Failed), string(integrator.Cancelled),
}

func (a *app) runsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "What was run, and how it ended"}
	show := &cobra.Command{
		Use: "show RUN", Short: "Show one run: what it read, what it changed, what it holds and why", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			id, err := runNumber(args[0])
			if err != nil {
				return err
			}
			return a.showRun(ctx, s, id)
		}),
	}
	cmd.AddCommand(a.runsList(), show, a.runsExport())
	return cmd
}

func (a *app) runsList() *cobra.Command {
	var f listFlags
	var outcomes []string
	var waiting bool
	cmd := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List runs, newest first", Args: cobra.MaximumNArgs(1),
		Long: "List runs, newest first: what each changed and what is wrong. Counts without a noun are of subscriptions.\n" +
			"\"held, decided\" means that nothing the run held waits any more.",
		Example: "  tallyman runs list acme\n  tallyman runs list --waiting",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			limit, err := f.rows(a)
			if err != nil {
				return err
			}
			for _, outcome := range outcomes {
				if err := oneOf("outcome", outcome, runOutcomes); err != nil {
					return err
				}
			}
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := runRows(ctx, s, store.RunFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, Outcomes: outcomes, Waiting: waiting,
				Limit: limit, Total: &f.total,
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"Run", "Module", "Mode", "Started", "Outcome", "What"}}
			_, tty := terminal(a.out)
			defer f.tellCut(a, len(rows))
			empty := f.none("run", "runs", "No runs.")
			if waiting && len(outcomes) == 0 && f.customer == "" {
				empty = "Nothing waits for a person to decide."
			}
			return list(a, rows, g, func(r runRow) {
				started := when(r.StartedAt)
				if tty {
					started = started[:len("2006-01-02 15:04")]
				}
				g.add(r.ID, r.Module, r.Mode, started, r.state(), runText(r.Run))
				if len(g.rows) == len(rows) {
					g.cutLast(a.out)
				}
			}, empty)
		}),
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&outcomes, "outcome", nil, "only with these outcomes: "+strings.Join(runOutcomes, ", "))
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only runs that hold changes nobody has decided about")
	return cmd
}

func runRows(ctx context.Context, s *store.Store, filter store.RunFilter) ([]runRow, error) {
	runs, err := s.Runs(ctx, filter)
	if err != nil {
		return nil, err
	}
	names, err := moduleNames(ctx, s)
	if err != nil {
		return nil, err
	}
	held, err := s.HeldByRun(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]runRow, len(runs))
	for i, run := range runs {
		rows[i] = runRow{run, names[run.ModuleID], held[run.ID]}
	}
	return rows, nil
}

// state gives the outcome, and that what the run held has been decided.
func (r *runRow) state() string {
	return decided(r.Run, orRunning(r.Outcome), r.Waiting)
}

// decided adds to the outcome of a run that held something whether any of it still waits. A plan holds nothing.
func decided(r store.Run, outcome string, waiting int) string {
	if r.Outcome == string(integrator.Held) && r.Mode != string(integrator.Plan) && waiting == 0 {
		return outcome + ", decided"
	}
	return outcome
}

// decisions says what became of the changes a run held, or "" if it held none or all of them wait.
func decisions(changes []store.ChangeRow) string {
	counts := map[string]int{}
	for _, c := range changes {
		if c.Guard != "" && c.Status != store.ChangeHeld {
			counts[c.Status]++
		}
	}
	var parts []string
	for _, status := range sortedGuards(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[status], status))
	}
	return strings.Join(parts, ", ")
}

// cutLast shortens the last column on a terminal, so that a row is a line.
func (g *grid) cutLast(w io.Writer) {
	width, tty := terminal(w)
	if !tty {
		return
	}
	const gap, least = 2, 16
	left, last := width-gap, len(g.columns)-1
	for i := range last {
		widest := utf8.RuneCountInString(g.columns[i])
		for _, row := range g.rows {
			widest = max(widest, utf8.RuneCountInString(row[i]))
		}
		left -= widest + gap
	}
	for _, row := range g.rows {
		row[last] = cut(row[last], max(left, least))
	}
}

// cut shortens a text to so many characters.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return strings.TrimRight(string(runes[:n-1]), " ,;:") + "…"
	}
	return s
}

func runNumber(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, usagef("%q is not the number of a run; see \"tallyman runs list\"", text)
	}
	return id, nil
}

func orRunning(outcome string) string {
	if outcome == "" {
		return "running"
	}
	return outcome
}

func moduleNames(ctx context.Context, s *store.Store) (map[int64]string, error) {
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	tenantNames := map[int64]string{}
	for _, t := range tenants {
		tenantNames[t.ID] = t.Name
	}
	modules, err := s.Modules(ctx, 0)
	names := map[int64]string{}
	for _, m := range modules {
		names[m.ID] = tenantNames[m.TenantID] + "/" + m.Name
	}
	return names, err
}

// runText says in a line what a run changed and what is wrong; what stayed as it was is left out.
func runText(r store.Run) string {
	if r.Error != "" {
		if r.ErrorCode == "" {
			return r.Error
		}
		return r.ErrorCode + ": " + r.Error
	}
	var counts map[string]int
	_ = json.Unmarshal(r.Counts, &counts)
	var details integrator.Details
	_ = json.Unmarshal(r.Report, &details)
	return runWhat(counts, details, r.Mode == string(integrator.Plan))
}

// runWhat says in a line what a run counted and how many warnings it has; what stayed as it was is left out.
func runWhat(all map[string]int, details integrator.Details, planned bool) string {
	counts := maps.Clone(all)
	for _, name := range []string{
		integrator.CountCustomersListed, integrator.CountSubscriptionsListed, integrator.CountUnchanged, integrator.CountElsewhere,
	} {
		delete(counts, name)
	}
	lines := map[string]string{}
	for _, line := range countsOf(counts, planned) {
		lines[line[0]] = line[1]
	}
	var parts []string
	if n := len(details.Warnings) + details.WarningsLeft; n > 0 {
		parts = append(parts, plural(n, "warning"))
	}
	for _, of := range []string{"changes", "subscriptions", "customers"} {
		text := lines[of]
		if text != "" && of == "customers" {
			text = "customers: " + text
		}
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}

func (a *app) showRun(ctx context.Context, s *store.Store, id int64) error {
	run, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	changes, err := s.Changes(ctx, store.ChangeFilter{RunID: id, Oldest: true})
	if err != nil {
		return err
	}
	if a.json {
		waiting := 0
		for _, c := range changes {
			if c.Status == store.ChangeHeld {
				waiting++
			}
		}
		return a.printJSON(map[string]any{"run": run, "waiting": waiting, "changes": changes})
	}
	names, err := moduleNames(ctx, s)
	if err != nil {
		return err
	}
	shown := keptChanges(changes)
	if err := nameCustomers(ctx, s, shown); err != nil {
		return err
	}
	a.printRun(run, names[run.ModuleID], changes, shown)
	return nil
}
