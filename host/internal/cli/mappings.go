// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) mappingsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mappings", Short: "Which distributor customer is which customer"}
	cmd.AddCommand(a.mappingsList(), a.mappingsGenerate(), a.mappingsAdd(), a.mappingsRemove())
	return cmd
}

func (a *app) mappingsList() *cobra.Command {
	var f listFlags
	var mapped, unmapped bool
	cmd := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List distributor customers, unmapped ones first", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman mappings list acme/rhipe --search contoso",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := s.MappingRows(ctx, store.MappingFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer,
				Mapped: mapped, Unmapped: unmapped, Search: f.search, Limit: f.limit,
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []string{"Module", "Distributor customer", "Its id", "Customer", "How"}}
			if n.module != 0 {
				g.columns = g.columns[1:]
			}
			return list(a, rows, g, func(r store.MappingRow) {
				customer, how := "-", "not mapped"
				switch {
				case r.CustomerID != nil:
					customer, how = fmt.Sprintf("%s (#%d)", r.CustomerName, *r.CustomerID), r.Origin
				case r.IsPartner:
					how = "your own record"
				case r.GoneAt != nil:
					how = "gone"
				case r.Lifecycle == "ended" || r.Lifecycle == "deleted":
					how = "ended"
				}
				cells := []any{r.Tenant + "/" + r.Module, r.Name, r.Ref, customer, how}
				g.add(cells[len(cells)-len(g.columns):]...)
			}, "No distributor customers yet. Read them with \"tallyman mappings generate TENANT/MODULE\".")
		}),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&mapped, "mapped", false, "only mapped ones")
	cmd.Flags().BoolVar(&unmapped, "unmapped", false, "only unmapped ones")
	return cmd
}

func (a *app) mappingsGenerate() *cobra.Command {
	return &cobra.Command{
		Use: "generate TENANT/MODULE", Args: cobra.ExactArgs(1),
		Short: "Read the distributor's customers and map those whose names are exactly the same; creates no customer",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runModules(cmd.Context(), args[0], runOptions{mode: integrator.Mappings, entities: integrator.Entities{Customers: true}})
		},
	}
}

func (a *app) mappingsAdd() *cobra.Command {
	var change bool
	cmd := &cobra.Command{
		Use: "add TENANT/MODULE DISTRIBUTOR-CUSTOMER CUSTOMER", Args: cobra.ExactArgs(3),
		Short: "Map a distributor customer (id or name) to a customer (id or name) by hand",
		Example: "  tallyman mappings add acme/rhipe 6c1d2f8f-2d3e-e811-8130-000d3a6600a2 \"Contoso Pty Ltd\"\n" +
			"  tallyman mappings add acme/rhipe \"Contoso Demo Ltd\" 12 --change",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			module, incoming, err := findIncoming(ctx, s, args[0], args[1])
			if err != nil {
				return err
			}
			customer, err := findCustomer(ctx, s, module.TenantID, args[2])
			if err != nil {
				return err
			}
			add := s.AddMapping
			if change {
				add = s.ChangeMapping
			}
			if _, err := add(ctx, module.ID, incoming.ID, customer.ID, a.who()); err != nil {
				return err
			}
			return a.done("%q (%s) is now mapped to %q (#%d). Its subscriptions follow with the next sync.",
				incoming.Name, incoming.Ref, customer.Name, customer.ID)
		}),
	}
	cmd.Flags().BoolVar(&change, "change", false, "change a mapping that exists")
	return cmd
}

func (a *app) mappingsRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove TENANT/MODULE DISTRIBUTOR-CUSTOMER", Args: cobra.ExactArgs(2),
		Short: "Remove a mapping by hand; subscriptions stay where they are",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			module, incoming, err := findIncoming(ctx, s, args[0], args[1])
			if err != nil {
				return err
			}
			if err := s.RemoveMapping(ctx, module.ID, incoming.ID, a.who()); err != nil {
				return err
			}
			return a.done("%q (%s) is no longer mapped. Its subscriptions stay where they are and wait.", incoming.Name, incoming.Ref)
		}),
	}
}

// findIncoming finds a module and one of its distributor customers.
func findIncoming(ctx context.Context, s *store.Store, target, refOrName string) (store.Module, store.DistributorCustomer, error) {
	tenant, name, err := splitModule(target)
	if err != nil {
		return store.Module{}, store.DistributorCustomer{}, err
	}
	_, module, err := s.FindModule(ctx, tenant, name)
	if err != nil {
		return module, store.DistributorCustomer{}, err
	}
	incoming, err := s.FindDistributorCustomer(ctx, module.ID, refOrName)
	return module, incoming, err
}

// done says what a command did by hand.
func (a *app) done(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if a.json {
		return a.printJSON(map[string]string{"done": message})
	}
	paragraph(a.out, "", message)
	return nil
}
