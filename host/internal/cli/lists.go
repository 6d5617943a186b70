// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// listFlags are the flags every list has.
type listFlags struct {
	tenant, module, customer, search string
	limit                            int
}

func (f *listFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this tenant")
	cmd.Flags().StringVar(&f.module, "module", "", "only this module, as tenant/module or as the module's name with --tenant")
	cmd.Flags().StringVar(&f.customer, "customer", "", "only this customer, by id or exact name")
	cmd.Flags().StringVar(&f.search, "search", "", "only what contains this text")
	cmd.Flags().IntVar(&f.limit, "limit", 200, "at most so many rows; 0 for all")
}

// narrowed are the ids that the flags and the argument stand for; 0 does not narrow.
type narrowed struct{ tenant, module, customer int64 }

// resolve finds the ids behind the flags. Target is an argument such as acme or acme/rhipe, or empty.
func (f *listFlags) resolve(ctx context.Context, s *store.Store, target string) (narrowed, error) {
	tenant, module := f.tenant, f.module
	if target != "" {
		tenant, module, _ = strings.Cut(target, "/")
	}
	if before, after, ok := strings.Cut(module, "/"); ok {
		tenant, module = before, after
	}
	var n narrowed
	if module != "" {
		if tenant == "" {
			return n, usagef("--module %s needs a tenant: write tenant/%s", module, module)
		}
		t, m, err := s.FindModule(ctx, tenant, module)
		if err != nil {
			return n, err
		}
		n.tenant, n.module = t.ID, m.ID
	} else if tenant != "" {
		t, err := s.FindTenant(ctx, tenant)
		if err != nil {
			return n, err
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

// findCustomer finds one customer by id or exact name.
func findCustomer(ctx context.Context, s *store.Store, tenantID int64, idOrName string) (store.CustomerRow, error) {
	filter := store.CustomerFilter{TenantID: tenantID, Name: idOrName, Limit: 2}
	if id, err := strconv.ParseInt(strings.TrimPrefix(idOrName, "#"), 10, 64); err == nil {
		filter = store.CustomerFilter{TenantID: tenantID, ID: id, Limit: 2}
	}
	rows, err := s.CustomerRows(ctx, filter)
	if err != nil {
		return store.CustomerRow{}, err
	}
	switch len(rows) {
	case 1:
		return rows[0], nil
	case 0:
		return store.CustomerRow{}, usagef("no customer %q; see \"tallyman customers list --search …\"", idOrName)
	default:
		return store.CustomerRow{}, usagef("several customers are called %q (#%d, #%d …); give the id", idOrName, rows[0].ID, rows[1].ID)
	}
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
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			active := !inactive
			filter := store.SubscriptionFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, Search: f.search, Limit: f.limit, Active: &active,
			}
			if all {
				filter.Active = nil
			}
			rows, err := s.SubscriptionRows(ctx, filter)
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"ID", "Customer", "Subscription", "Quantity", "State", "Distributor"}}
			return list(a, rows, g, func(r store.SubscriptionRow) {
				state := r.State
				if !r.Active {
					state = "inactive (" + r.State + ")"
				}
				g.add(r.ID, r.Customer, r.Name, r.Quantity, state, r.Distributor)
			}, "No subscriptions. Import them with \"tallyman sync TENANT/MODULE\".")
		}),
	}
	f.add(sub)
	sub.Flags().BoolVar(&all, "all", false, "inactive ones too")
	sub.Flags().BoolVar(&inactive, "inactive", false, "only inactive ones")
	cmd.AddCommand(sub)
	return cmd
}

func (a *app) changesCommand() *cobra.Command {
	var f listFlags
	var run int64
	var entity, kind, status string
	cmd := &cobra.Command{
		Use: "changes [TENANT[/MODULE]]", Short: "What was changed, when, why and by whom", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman changes acme --customer \"Contoso Pty Ltd\"\n  tallyman changes --run 12 --status held",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := s.Changes(ctx, store.ChangeFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, RunID: run,
				Entity: entity, Kind: kind, Status: status, Search: f.search, Limit: f.limit, Oldest: run != 0,
			})
			if err != nil {
				return err
			}
			if a.json || len(rows) == 0 {
				return list(a, rows, nil, nil, "No changes.")
			}
			var shown []shownChange
			for _, row := range rows {
				shown = append(shown, keptChange(row))
			}
			printChanges(a.out, shown, true)
			return nil
		}),
	}
	f.add(cmd)
	cmd.Flags().Int64Var(&run, "run", 0, "only this run's")
	cmd.Flags().StringVar(&entity, "entity", "", "only of this: customer, site, mapping, subscription, …")
	cmd.Flags().StringVar(&kind, "kind", "", "only of this kind: create, update, deactivate, …")
	cmd.Flags().StringVar(&status, "status", "", "only with this status: applied, held, approved, rejected, superseded")
	return cmd
}

func (a *app) runsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "What was run, and how it ended"}
	var f listFlags
	var outcomes []string
	sub := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List runs, newest first", Args: cobra.MaximumNArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := s.Runs(ctx, store.RunFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer, Outcomes: outcomes, Limit: f.limit,
			})
			if err != nil {
				return err
			}
			names, err := moduleNames(ctx, s)
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"Run", "Module", "Mode", "Started", "Outcome", "What"}}
			return list(a, rows, g, func(r store.Run) {
				g.add(r.ID, names[r.ModuleID], r.Mode, r.StartedAt, orRunning(r.Outcome), runText(r))
			}, "No runs.")
		}),
	}
	f.add(sub)
	sub.Flags().StringSliceVar(&outcomes, "outcome", nil, "only with these outcomes: no_change, succeeded, warning, held, failed, cancelled")
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
	cmd.AddCommand(sub, show)
	return cmd
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

// runText says in a line what a run did.
func runText(r store.Run) string {
	if r.Error != "" {
		return r.Error
	}
	var counts map[string]int
	_ = json.Unmarshal(r.Counts, &counts)
	return countsText(counts, r.Mode == "plan")
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
		return a.printJSON(map[string]any{"run": run, "changes": changes})
	}
	names, err := moduleNames(ctx, s)
	if err != nil {
		return err
	}
	a.printRun(run, names[run.ModuleID], changes)
	return nil
}
