// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// The formats of an export.
const (
	formatText = "text"
	formatCSV  = "csv"
	formatJSON = "json"
)

// exportPage is how many changes are held in memory at a time.
const exportPage = 1000

// changeColumns are the columns of changes in CSV. Programs read them: a column keeps its name and its meaning.
var changeColumns = []string{
	"id", "time", "tenant", "module", "run", "status", "guard", "entity", "kind", "customer_id", "customer", "name", "key", "what",
	"before", "after", "reason", "who", "decided_by", "decided_at",
}

func (a *app) runsExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export RUN", Short: "Write one run's changes as CSV or JSON, for a spreadsheet or another program", Args: cobra.ExactArgs(1),
		Long: "Write one run's changes as CSV or JSON, for a spreadsheet or another program: oldest first, with what was\n" +
			"held and what became of it. Times are in UTC; \"before\" and \"after\" are JSON with the fields that differ.\n\n" +
			"In CSV, text that a spreadsheet would take for a formula begins with an apostrophe. JSON has it as it is.",
		Example: "  tallyman runs export 12 > run-12.csv\n  tallyman runs export 12 --format json",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			id, err := runNumber(args[0])
			if err != nil {
				return err
			}
			format, err := a.format(format, formatCSV, formatCSV, formatJSON)
			if err != nil {
				return err
			}
			run, err := s.Run(ctx, id)
			if err != nil {
				return err
			}
			filter := store.ChangeFilter{RunID: id, Oldest: true}
			if format == formatCSV {
				return exportCSV(ctx, a.out, s, filter)
			}
			return exportJSON(ctx, a.out, s, run, filter)
		}),
	}
	cmd.Flags().StringVar(&format, "format", "", "csv (the default) or json")
	return cmd
}

// format gives the format that is meant: by the flag, by --json, or else the usual one.
func (a *app) format(flag, usual string, allowed ...string) (string, error) {
	if err := oneOf("format", flag, allowed); err != nil {
		return "", err
	}
	if a.json {
		if flag != "" && flag != formatJSON {
			return "", usagef("--json and --format %s contradict each other", flag)
		}
		return formatJSON, nil
	}
	return cmp.Or(flag, usual), nil
}

// eachChange reads changes page by page, so that memory does not grow with their number.
func eachChange(ctx context.Context, s *store.Store, filter store.ChangeFilter, fn func([]store.ChangeRow) error) error {
	left := filter.Limit
	for {
		filter.Limit = exportPage
		if left > 0 {
			filter.Limit = min(exportPage, left)
		}
		rows, err := s.Changes(ctx, filter)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := fn(rows); err != nil {
			return err
		}
		if left > 0 {
			if left -= len(rows); left == 0 {
				return nil
			}
		}
		if len(rows) < filter.Limit {
			return nil
		}
		filter.AfterID = rows[len(rows)-1].ID
	}
}

// exportCSV writes changes as CSV, in the order of the filter.
func exportCSV(ctx context.Context, w io.Writer, s *store.Store, filter store.ChangeFilter) error {
	out := csv.NewWriter(w)
	if err := out.Write(changeColumns); err != nil {
		return err
	}
	err := eachChange(ctx, s, filter, func(rows []store.ChangeRow) error {
		shown := keptChanges(rows)
		if err := nameCustomers(ctx, s, shown); err != nil {
			return err
		}
		for i, row := range rows {
			if err := out.Write(changeCells(row, shown[i])); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
	out.Flush()
	return cmp.Or(err, out.Error())
}

// changeCells gives the cells of a change, one for each of changeColumns.
func changeCells(r store.ChangeRow, shown shownChange) []string {
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	module, decided := r.Module, ""
	if module != "" {
		module = r.Tenant + "/" + r.Module
	}
	if r.DecidedAt != nil {
		decided = r.DecidedAt.UTC().Format(time.RFC3339)
	}
	return []string{
		number(&r.ID), r.CreatedAt.UTC().Format(time.RFC3339), r.Tenant, module, number(r.RunID), r.Status, r.Guard, r.Entity, r.Kind,
		number(r.CustomerID), plain(cmp.Or(r.Customer, shown.names[shown.customerID])), plain(r.Name), plain(r.EntityKey), plain(shown.line()),
		string(r.Before), string(r.After), plain(r.Reason), plain(r.Who), plain(r.DecidedBy), decided,
	}
}

// plain makes text of what a spreadsheet would take for a formula: names come from distributors and from their customers.
func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// exportJSON writes a run and its changes as one document, a line for each change.
func exportJSON(ctx context.Context, w io.Writer, s *store.Store, run store.Run, filter store.ChangeFilter) error {
	head, err := json.Marshal(run)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "{\"run\": %s,\n\"changes\": [", head); err != nil {
		return err
	}
	before := "\n"
	err = eachChange(ctx, s, filter, func(rows []store.ChangeRow) error {
		var page strings.Builder
		for _, row := range rows {
			line, err := json.Marshal(row)
			if err != nil {
				return err
			}
			page.WriteString(before)
			page.Write(line)
			before = ",\n"
		}
		_, err := io.WriteString(w, page.String())
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}
