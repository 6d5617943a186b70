// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// listFlags are the flags every list has.
type listFlags struct {
	cmd                              *cobra.Command
	tenant, module, customer, search string
	limit                            int
	// total is how many rows there are without the limit.
	total int
}

// screenful is how many rows a list shows on a terminal unless it is asked for more.
const screenful = 200

func (f *listFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this tenant")
	cmd.Flags().StringVar(&f.module, "module", "", "only this module, as tenant/module or as the module's name with --tenant")
	cmd.Flags().StringVar(&f.customer, "customer", "", "only this customer, by id or exact name")
	cmd.Flags().IntVar(&f.limit, "limit", 0, fmt.Sprintf("at most so many rows, 0 for all (default %d on a terminal, otherwise all)", screenful))
}

func (f *listFlags) addSearch(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.search, "search", "", "only what contains this text")
}

// rows gives how many rows to read at most, 0 for all. Only a person at a terminal who did not say is given fewer than
// there are.
func (f *listFlags) rows(a *app) (int, error) {
	_, tty := terminal(a.out)
	switch {
	case f.limit < 0:
		return 0, usagef("--limit takes how many rows to show, or 0 for all, not %d", f.limit)
	case f.cmd.Flags().Changed("limit"):
		return f.limit, nil
	case a.json || !tty:
		return 0, nil
	default:
		return screenful, nil
	}
}

// tellCut says that a list does not show everything.
func (f *listFlags) tellCut(a *app, shown int) {
	if !a.json && shown < f.total {
		fmt.Fprintf(a.errOut, "%d of %d shown; --limit 0 shows all.\n", shown, f.total)
	}
}

// none says that a list is empty, and why: otherwise is for a list that nothing narrows.
func (f *listFlags) none(one, many, otherwise string) string {
	if f.search != "" {
		return fmt.Sprintf("No %s contains %q.", one, f.search)
	}
	narrowed := false
	f.cmd.Flags().Visit(func(flag *pflag.Flag) {
		inherited := f.cmd.InheritedFlags().Lookup(flag.Name) != nil
		narrowed = narrowed || !inherited && !slices.Contains([]string{"tenant", "module", "limit", "ids", "format"}, flag.Name)
	})
	if narrowed {
		return "No " + many + " match."
	}
	return otherwise
}

// oneOf refuses a flag's value that is none of those it takes.
func oneOf(flag, value string, allowed []string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return usagef("--%s takes %s or %s, not %q", flag, strings.Join(allowed[:len(allowed)-1], ", "), allowed[len(allowed)-1], value)
}

// narrowed are the ids that the flags and the argument stand for; 0 does not narrow.
type narrowed struct{ tenant, module, customer int64 }

// names gives the tenant and the module that the flags and the argument mean. They must not contradict each other.
func (f *listFlags) names(target string) (tenant, module string, err error) {
	tenant, module = f.tenant, f.module
	if before, after, ok := strings.Cut(module, "/"); ok {
		if before == "" || after == "" {
			return "", "", usagef("--module takes tenant/module, such as acme/rhipe, not %q", module)
		}
		if tenant != "" && tenant != before {
			return "", "", usagef("--module %s and --tenant %s contradict each other", module, tenant)
		}
		tenant, module = before, after
	}
	if target != "" {
		before, after, ok := strings.Cut(target, "/")
		switch {
		case before == "" || ok && after == "":
			return "", "", usagef("%q is neither a tenant nor a module; write acme or acme/rhipe", target)
		case tenant != "" && tenant != before:
			return "", "", usagef("%s and tenant %s contradict each other", target, tenant)
		case after != "" && module != "" && module != after:
			return "", "", usagef("%s and --module %s contradict each other", target, module)
		case after != "":
			module = after
		}
		tenant = before
	}
	if module != "" && tenant == "" {
		return "", "", usagef("--module %s needs a tenant: write tenant/%s", module, module)
	}
	return tenant, module, nil
}

// resolve finds the ids behind the flags. Target is an argument such as acme or acme/rhipe, or empty.
func (f *listFlags) resolve(ctx context.Context, s *store.Store, target string) (narrowed, error) {
	var n narrowed
	tenant, module, err := f.names(target)
	if err != nil {
		return n, err
	}
	if module != "" {
		t, m, err := findModule(ctx, s, tenant, module)
		if err != nil {
			return n, err
		}
		n.tenant, n.module = t.ID, m.ID
	} else if tenant != "" {
		t, err := s.FindTenant(ctx, tenant)
		if err != nil {
			return n, meant(ctx, s, err, tenant, "")
		}
		n.tenant = t.ID
	}
	if f.customer == "" {
		return n, nil
	}
	c, err := findCustomer(ctx, s, n.tenant, f.customer)
	n.customer = c.ID
	return n, err
}

// findModule finds a module in the database by its names.
func findModule(ctx context.Context, s *store.Store, tenant, module string) (store.Tenant, store.Module, error) {
	t, m, err := s.FindModule(ctx, tenant, module)
	return t, m, meant(ctx, s, err, tenant, module)
}

// meant adds to an error about a tenant or a module that is not there which one was probably meant.
func meant(ctx context.Context, s *store.Store, err error, tenant, module string) error {
	var none *store.NotFoundError
	if !errors.As(err, &none) {
		return err
	}
	tenants, listErr := s.Tenants(ctx)
	if listErr != nil {
		return err
	}
	var names []string
	for _, t := range tenants {
		names = append(names, t.Name)
		if t.Name != tenant || module == "" {
			continue
		}
		modules, listErr := s.Modules(ctx, t.ID)
		if listErr != nil {
			return err
		}
		names = nil
		for _, m := range modules {
			names = append(names, m.Name)
		}
		tenant = module
		break
	}
	if best := config.Nearest(tenant, names); best != "" && best != tenant {
		return &store.NotFoundError{What: none.What, Next: fmt.Sprintf("Did you mean %q?", best)}
	}
	return err
}

// likeTenant says which tenant of the configuration was probably meant, or where they are listed.
func likeTenant(c *config.Config, name string) string {
	var names []string
	for _, t := range c.Tenants {
		names = append(names, t.Name)
	}
	if best := config.Nearest(name, names); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "see \"tallyman tenant list\""
}

// findCustomer finds one customer by id or exact name.
func findCustomer(ctx context.Context, s *store.Store, tenantID int64, idOrName string) (store.CustomerRow, error) {
	filter := store.CustomerFilter{TenantID: tenantID, Name: idOrName, Limit: 4}
	if id, err := strconv.ParseInt(strings.TrimPrefix(idOrName, "#"), 10, 64); err == nil {
		filter = store.CustomerFilter{TenantID: tenantID, ID: id, Limit: 1}
	}
	rows, err := s.CustomerRows(ctx, filter)
	if err != nil {
		return store.CustomerRow{}, err
	}
	switch len(rows) {
	case 1:
		return rows[0], nil
	case 0:
		return store.CustomerRow{}, noCustomer(ctx, s, tenantID, idOrName)
	}
	var ids []string
	for _, row := range rows[:min(len(rows), 3)] {
		ids = append(ids, fmt.Sprintf("#%d", row.ID))
	}
	if len(rows) > 3 {
		ids = append(ids, "…")
	}
	return store.CustomerRow{}, &store.ConflictError{
		Message: fmt.Sprintf("several customers are called %q (%s)", idOrName, strings.Join(ids, ", ")),
		Next:    fmt.Sprintf("Give the id instead, such as %d; see \"tallyman customers list --search %s\".", rows[0].ID, shellWord(idOrName)),
	}
}

// noCustomer says that there is no such customer, and which one was probably meant.
func noCustomer(ctx context.Context, s *store.Store, tenantID int64, idOrName string) error {
	none := &store.NotFoundError{What: fmt.Sprintf("customer %q", idOrName), Next: "See \"tallyman customers list\"."}
	if _, err := strconv.ParseInt(strings.TrimPrefix(idOrName, "#"), 10, 64); err == nil || idOrName == "" {
		return none
	}
	rows, err := s.CustomerRows(ctx, store.CustomerFilter{TenantID: tenantID, Search: idOrName, Limit: 2})
	switch {
	case err != nil:
	case len(rows) == 1:
		none.Next = fmt.Sprintf("Did you mean %q (#%d)?", rows[0].Name, rows[0].ID)
	case len(rows) > 1:
		none.Next = fmt.Sprintf("A name has to be exact; see \"tallyman customers list --search %s\".", shellWord(idOrName))
	}
	return none
}

// shellWord writes a text so that a shell takes it as one word.
func shellWord(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./@:+", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (a *app) subscriptionsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "subscriptions", Short: "What customers hold"}
	var f listFlags
	var all, inactive bool
	sub := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List subscriptions, active ones unless asked otherwise", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman subscriptions list acme/rhipe --customer \"Contoso Pty Ltd\"",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if all && inactive {
				return usagef("--all and --inactive contradict each other")
			}
			limit, err := f.rows(a)
			if err != nil {
				return err
			}
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			active := !inactive
			filter := store.SubscriptionFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, Search: f.search, Active: &active,
				Limit: limit, Total: &f.total,
			}
			if all {
				filter.Active = nil
			}
			rows, err := s.SubscriptionRows(ctx, filter)
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"ID", "Customer", "Subscription", "Quantity", "State", "Distributor"}}
			defer f.tellCut(a, len(rows))
			return list(a, rows, g, func(r store.SubscriptionRow) {
				g.add(r.ID, r.Customer, r.Name, r.Quantity, stateText(r), r.Distributor)
			}, f.none("subscription", "subscriptions", "No subscriptions. Import them with \"tallyman sync TENANT/MODULE\"."))
		}),
	}
	f.add(sub)
	f.addSearch(sub)
	sub.Flags().BoolVar(&all, "all", false, "inactive ones too")
	sub.Flags().BoolVar(&inactive, "inactive", false, "only inactive ones")
	cmd.AddCommand(sub)
	return cmd
}

// stateText gives the state of a subscription: ours, and the distributor's where it is another.
func stateText(r store.SubscriptionRow) string {
	switch {
	case r.Active:
		return r.State
	case r.State == "" || r.State == "inactive":
		return "inactive"
	default:
		return "inactive; at " + r.Distributor + ": " + r.State
	}
}

// What the filters of changes take.
var (
	changeEntities = []string{
		integrator.EntityTopLevel, integrator.EntityCustomer, integrator.EntitySite, integrator.EntityMapping,
		integrator.EntityDistributorCustomer, integrator.EntitySubscription,
	}
	changeKinds    = []string{"create", "update", "move", "deactivate", "reactivate", "map", "unmap", "rename", "flag", "carry"}
	changeStatuses = []string{store.ChangeApplied, store.ChangeHeld, store.ChangeApproved, store.ChangeRejected, store.ChangeSuperseded}
)

func (a *app) changesCommand() *cobra.Command {
	var f listFlags
	var run int64
	var entity, kind, status, format string
	cmd := &cobra.Command{
		Use: "changes [TENANT[/MODULE]]", Short: "What was changed, when, why and by whom", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman changes acme --customer \"Contoso Pty Ltd\"\n  tallyman changes --run 12 --status held\n" +
			"  tallyman changes acme --format csv > changes.csv",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			limit, err := f.rows(a)
			if err != nil {
				return err
			}
			format, err := a.format(format, formatText, formatText, formatCSV, formatJSON)
			if err != nil {
				return err
			}
			if err := errors.Join(
				oneOf("entity", entity, changeEntities), oneOf("kind", kind, changeKinds), oneOf("status", status, changeStatuses),
			); err != nil {
				return err
			}
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			if err := f.checkRun(ctx, s, n, run); err != nil {
				return err
			}
			filter := store.ChangeFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, RunID: run,
				Entity: entity, Kind: kind, Status: status, Search: f.search, Limit: limit, Oldest: run != 0,
			}
			if format == formatCSV {
				return exportCSV(ctx, a.out, s, filter)
			}
			filter.Total = &f.total
			rows, err := s.Changes(ctx, filter)
			if err != nil {
				return err
			}
			a.json = format == formatJSON
			if a.json || len(rows) == 0 {
				return list(a, rows, nil, nil, f.none("change", "changes", "No changes."))
			}
			shown := keptChanges(rows)
			if err := nameCustomers(ctx, s, shown); err != nil {
				return err
			}
			printChanges(a.out, shown, true)
			f.tellCut(a, len(rows))
			return nil
		}),
	}
	f.add(cmd)
	f.addSearch(cmd)
	cmd.Flags().Int64Var(&run, "run", 0, "only this run's")
	cmd.Flags().StringVar(&format, "format", "", "text (the default), csv or json; in csv times are in UTC")
	cmd.Flags().StringVar(&entity, "entity", "", "only of this: "+strings.Join(changeEntities, ", "))
	cmd.Flags().StringVar(&kind, "kind", "", "only of this kind: "+strings.Join(changeKinds, ", "))
	cmd.Flags().StringVar(&status, "status", "", "only with this status: "+strings.Join(changeStatuses, ", "))
	return cmd
}

// checkRun makes sure that the run of a filter is there and belongs to what the rest of the filter means.
func (f *listFlags) checkRun(ctx context.Context, s *store.Store, n narrowed, id int64) error {
	if !f.cmd.Flags().Changed("run") {
		return nil
	}
	if id <= 0 {
		return usagef("--run takes the number of a run, not %d; see \"tallyman runs list\"", id)
	}
	run, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	if n.tenant != 0 && n.tenant != run.TenantID || n.module != 0 && n.module != run.ModuleID {
		return usagef("run %d is one of another tenant or module; leave the tenant and the module out", id)
	}
	return nil
}
