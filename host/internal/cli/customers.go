// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) customersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "customers", Short: "The MSP's customers"}
	cmd.AddCommand(a.customersList(), a.customersShow(), a.customersImport())
	return cmd
}

func (a *app) customersList() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List customers", Args: cobra.MaximumNArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			limit, err := f.rows(a)
			if err != nil {
				return err
			}
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := s.CustomerRows(ctx, store.CustomerFilter{
				TenantID: n.tenant, ModuleID: n.module, ID: n.customer, Search: f.search, Limit: limit, Total: &f.total,
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"ID", "Tenant", "Customer", "Top level", "Created by", "Subscriptions"}}
			defer f.tellCut(a, len(rows))
			return list(a, rows, g, func(r store.CustomerRow) {
				name := r.Name
				if !r.Active {
					name += " (inactive)"
				}
				g.add(r.ID, r.Tenant, name, r.TopLevel, r.CreatedBy, r.Subscriptions)
			}, f.none("customer", "customers", "No customers. Import yours with \"tallyman customers import FILE.csv --tenant TENANT\"."))
		}),
	}
	f.add(cmd)
	f.addSearch(cmd)
	return cmd
}

func (a *app) customersShow() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use: "show CUSTOMER", Short: "Show one customer: sites, mappings, subscriptions", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			f := listFlags{tenant: tenant, customer: args[0]}
			n, err := f.resolve(ctx, s, "")
			if err != nil {
				return err
			}
			rows, err := s.CustomerRows(ctx, store.CustomerFilter{TenantID: n.tenant, ID: n.customer})
			if err != nil {
				return err
			}
			c := rows[0]
			sites, err := s.Sites(ctx, c.TenantID, c.ID)
			if err != nil {
				return err
			}
			mappings, err := s.MappingRows(ctx, store.MappingFilter{TenantID: c.TenantID, CustomerID: c.ID})
			if err != nil {
				return err
			}
			subs, err := s.SubscriptionRows(ctx, store.SubscriptionFilter{TenantID: c.TenantID, CustomerID: c.ID})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"customer": c, "sites": sites, "mappings": mappings, "subscriptions": subs})
			}
			a.printCustomer(c, sites, mappings, subs)
			return nil
		}),
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "the tenant, where several have a customer of that name")
	return cmd
}

func (a *app) printCustomer(c store.CustomerRow, sites []store.Site, mappings []store.MappingRow, subs []store.SubscriptionRow) {
	w := a.out
	fmt.Fprintf(w, "#%d %s (tenant %s)\n", c.ID, printable(c.Name), c.Tenant)
	if c.TopLevel != "" {
		fmt.Fprintf(w, "  Top level   %s\n", printable(c.TopLevel))
	}
	if c.CreatedBy != "" {
		fmt.Fprintf(w, "  Created by  %s\n", printable(c.CreatedBy))
	}
	for _, s := range sites {
		mark := ""
		if s.Main {
			mark = " (main)"
		}
		paragraph(w, "  Site        ", s.Name+mark+": "+addressLine(s.Address))
	}
	for _, m := range mappings {
		paragraph(w, "  Mapped      ", fmt.Sprintf("%s/%s: %q (%s), %s", m.Tenant, m.Module, m.Name, m.Ref, m.Origin))
	}
	if len(subs) == 0 {
		return
	}
	fmt.Fprintln(w)
	g := &grid{columns: []string{"ID", "Subscription", "Quantity", "State", "Distributor"}}
	for _, r := range subs {
		g.add(r.ID, r.Name, r.Quantity, stateText(r), r.Distributor)
	}
	g.render(w)
}

func addressLine(a store.Address) string {
	var parts []string
	for _, part := range []string{a.Line1, a.Line2, a.Line3, a.City, a.Region, a.PostalCode, a.Country} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "no address"
	}
	return strings.Join(parts, ", ")
}

func (a *app) customersImport() *cobra.Command {
	var tenant string
	var allOrNone bool
	cmd := &cobra.Command{
		Use: "import FILE.csv --tenant TENANT", Args: cobra.ExactArgs(1),
		Short: "Import the MSP's existing customers from a CSV file",
		Long: "Import the MSP's existing customers from a CSV file.\n\n" +
			"The first line names the columns: name (required), top_level, site, line1, line2, line3, city, region,\n" +
			"postal_code, country_code, country. Further lines with the same name and top level add sites.\n" +
			"A customer that is there already is left as it is. Bad lines are reported by number; the others are\n" +
			"imported, unless --all-or-none is given.",
		RunE: a.withDatabase(false, func(ctx context.Context, s *store.Store, args []string) error {
			if tenant == "" {
				return usagef("which tenant's customers are these? Give --tenant")
			}
			if err := a.knownTenant(tenant); err != nil {
				return err
			}
			t, err := s.EnsureTenant(ctx, tenant, a.tenantName(tenant))
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			defer file.Close() //nolint:errcheck // it was only read
			rows, bad, err := readCustomers(file)
			if err != nil {
				return usagef("%s: %w", args[0], err)
			}
			for _, b := range bad {
				fmt.Fprintf(a.errOut, "%s:%d: %s\n", args[0], b.line, printable(b.text))
			}
			if len(bad) > 0 && allOrNone {
				return fmt.Errorf("%s, so nothing was imported", plural(len(bad), "bad line"))
			}
			results, err := s.ImportCustomers(ctx, t.ID, rows, a.who())
			if err != nil {
				return err
			}
			created, sites := 0, 0
			for _, r := range results {
				switch {
				case r.Created:
					created++
				case r.SiteAdded:
					sites++
				}
			}
			parts := []string{plural(created, "customer") + " imported"}
			if sites > 0 {
				parts = append(parts, plural(sites, "further site"))
			}
			if already := len(results) - created - sites; already > 0 {
				parts = append(parts, fmt.Sprintf("%d there already", already))
			}
			if len(bad) > 0 {
				parts = append(parts, plural(len(bad), "bad line"))
			}
			if err := a.done("%s.", strings.Join(parts, ", ")); err != nil {
				return err
			}
			if len(bad) > 0 {
				return shownError{errors.New("some lines were not imported"), exitFailed}
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "the tenant whose customers these are")
	cmd.Flags().BoolVar(&allOrNone, "all-or-none", false, "import nothing if any line is bad")
	return cmd
}

// badLine is a line of a file that cannot be imported.
type badLine struct {
	line int
	text string
}

// readCustomers reads the rows of a CSV file. The error is about the file as a whole.
func readCustomers(r io.Reader) ([]store.ImportRow, []badLine, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	c.TrimLeadingSpace = true
	header, err := c.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, errors.New("the file is empty; its first line has to name the columns: " + importColumnNames)
	case err != nil:
		return nil, nil, fmt.Errorf("read the first line, which names the columns: %w", err)
	}
	columns, err := columnsOf(header)
	if err != nil {
		return nil, nil, err
	}
	var rows []store.ImportRow
	var bad []badLine
	for {
		record, err := c.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return rows, bad, nil
		case errors.As(err, &parse):
			bad = append(bad, badLine{parse.StartLine, parseText(parse)})
			continue
		case err != nil:
			return nil, nil, err
		}
		line, _ := c.FieldPos(0)
		row, problem := rowOf(record, columns, len(header))
		if problem != "" {
			bad = append(bad, badLine{line, problem})
			continue
		}
		rows = append(rows, row)
	}
}

// columnsOf finds out which column is where.
func columnsOf(header []string) (map[string]int, error) {
	if first := header[0]; strings.HasPrefix(first, "\xff\xfe") || strings.HasPrefix(first, "\xfe\xff") {
		return nil, errors.New("the file is UTF-16; save it as CSV in UTF-8")
	}
	if strings.ContainsRune(strings.Join(header, ""), 0) {
		return nil, errors.New("this is no text in UTF-8: there are NUL characters in the first line; save the file as CSV in UTF-8")
	}
	columns := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		name = strings.ReplaceAll(name, " ", "_")
		if _, known := importColumns[name]; !known {
			hint := ""
			if len(header) == 1 && strings.ContainsAny(name, ";\t") {
				hint = ". Columns are separated by commas"
			}
			return nil, fmt.Errorf("line 1: there is no column %q; the columns are %s%s", cut(name, longestQuoted), importColumnNames, hint)
		}
		if _, twice := columns[name]; twice {
			return nil, fmt.Errorf("line 1: there are two columns %q", name)
		}
		columns[name] = i
	}
	if _, ok := columns["name"]; !ok {
		return nil, errors.New("line 1: there is no column \"name\"; the columns are " + importColumnNames)
	}
	return columns, nil
}

// rowOf takes a row from a line of so many columns, or says what is wrong with it.
func rowOf(record []string, columns map[string]int, width int) (row store.ImportRow, problem string) {
	if len(record) > width {
		return row, fmt.Sprintf("%s, but there are %s", plural(len(record), "field"), plural(width, "column"))
	}
	for name, i := range columns {
		if i >= len(record) {
			continue
		}
		if !utf8.ValidString(record[i]) {
			return row, fmt.Sprintf("%s is not UTF-8; save the file as CSV in UTF-8", name)
		}
		*importColumns[name](&row) = strings.TrimSpace(record[i])
	}
	if row.Name == "" {
		return row, "the customer has no name"
	}
	if row.CountryCode != "" && !isCountryCode(row.CountryCode) {
		return row, fmt.Sprintf("country_code has to be two letters, such as AU, not %q", cut(row.CountryCode, longestQuoted))
	}
	row.CountryCode = strings.ToUpper(row.CountryCode)
	return row, ""
}

// longestQuoted is how many characters of a value a message repeats.
const longestQuoted = 40

// isCountryCode reports whether a text has the form of an ISO 3166-1 alpha-2 code, whatever the case.
func isCountryCode(s string) bool {
	return len(s) == 2 && strings.Trim(strings.ToUpper(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// parseText says what is wrong with the form of a line.
func parseText(err *csv.ParseError) string {
	switch {
	case errors.Is(err.Err, csv.ErrQuote) && err.Line > err.StartLine:
		return fmt.Sprintf("a quotation mark is not closed, so the lines up to %d were not read", err.Line)
	case errors.Is(err.Err, csv.ErrQuote):
		return "a quotation mark is missing or too much"
	case errors.Is(err.Err, csv.ErrBareQuote):
		return "a field with quotation marks has to stand in quotation marks, and each of its own is written twice"
	default:
		return err.Err.Error()
	}
}

const importColumnNames = "name, top_level, site, line1, line2, line3, city, region, postal_code, country_code, country"

var importColumns = map[string]func(*store.ImportRow) *string{
	"name":         func(r *store.ImportRow) *string { return &r.Name },
	"top_level":    func(r *store.ImportRow) *string { return &r.TopLevel },
	"site":         func(r *store.ImportRow) *string { return &r.Site },
	"line1":        func(r *store.ImportRow) *string { return &r.Line1 },
	"line2":        func(r *store.ImportRow) *string { return &r.Line2 },
	"line3":        func(r *store.ImportRow) *string { return &r.Line3 },
	"city":         func(r *store.ImportRow) *string { return &r.City },
	"region":       func(r *store.ImportRow) *string { return &r.Region },
	"postal_code":  func(r *store.ImportRow) *string { return &r.PostalCode },
	"country_code": func(r *store.ImportRow) *string { return &r.CountryCode },
	"country":      func(r *store.ImportRow) *string { return &r.Country },
}
