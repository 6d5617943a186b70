// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	var mapped, unmapped, ids bool
	cmd := &cobra.Command{
		Use: "list [TENANT[/MODULE]]", Short: "List distributor customers, unmapped ones first", Args: cobra.MaximumNArgs(1),
		Example: "  tallyman mappings list acme/rhipe --search contoso",
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			switch {
			case mapped && unmapped:
				return usagef("--mapped and --unmapped contradict each other")
			case unmapped && f.customer != "":
				return usagef("--unmapped and --customer contradict each other: what is not mapped belongs to no customer")
			}
			limit, err := f.rows(a)
			if err != nil {
				return err
			}
			n, err := f.resolve(ctx, s, argument(args))
			if err != nil {
				return err
			}
			rows, err := s.MappingRows(ctx, store.MappingFilter{
				TenantID: n.tenant, ModuleID: n.module, CustomerID: n.customer,
				Mapped: mapped, Unmapped: unmapped, Search: f.search, Limit: limit, Total: &f.total,
			})
			if err != nil {
				return err
			}
			defer f.tellCut(a, len(rows))
			empty := f.none("distributor customer or customer mapped to one", "distributor customers",
				"No distributor customers yet. Read them with \"tallyman mappings generate TENANT/MODULE\".")
			g := &grid{columns: []string{"Module", "Distributor customer", "Customer", "How", "Its id"}}
			first, last := 0, len(g.columns)
			if n.module != 0 {
				first = 1
			}
			_, tty := terminal(a.out)
			twins := twins(rows)
			if !ids && tty && len(twins) == 0 {
				last--
			}
			g.columns = g.columns[first:last]
			return list(a, rows, g, func(r store.MappingRow) {
				customer, how, ref := "-", mappedHow(r), r.Ref
				if r.CustomerID != nil {
					customer = fmt.Sprintf("%s (#%d)", r.CustomerName, *r.CustomerID)
				}
				if !ids && tty && !twins[twinOf(r)] {
					ref = ""
				}
				g.add([]any{r.Tenant + "/" + r.Module, r.Name, customer, how, ref}[first:last]...)
			}, empty)
		}),
	}
	f.add(cmd)
	f.addSearch(cmd)
	cmd.Flags().BoolVar(&ids, "ids", false, "the distributor's ids too; otherwise a terminal shows only those that tell equal names apart")
	cmd.Flags().BoolVar(&mapped, "mapped", false, "only mapped ones")
	cmd.Flags().BoolVar(&unmapped, "unmapped", false, "only unmapped ones")
	return cmd
}

// mappedHow says how a distributor customer was mapped, and what is special about it.
func mappedHow(r store.MappingRow) string {
	how := r.Origin
	if r.CustomerID == nil {
		how = "not mapped"
	}
	special := specialText(r.IsPartner, r.GoneAt != nil, r.Lifecycle)
	switch {
	case special == "":
		return how
	case r.CustomerID == nil:
		return special
	default:
		return how + ", " + special
	}
}

// specialText says why a distributor customer is not mapped by name, or "" if it may be.
func specialText(own, gone bool, lifecycle string) string {
	switch {
	case own:
		return "your own record"
	case gone:
		return "gone"
	case lifecycle == "ended" || lifecycle == "deleted":
		return "ended"
	default:
		return ""
	}
}

// twin is a name that distributor customers of one module may have in common.
type twin struct {
	module int64
	name   string
}

func twinOf(r store.MappingRow) twin {
	return twin{r.ModuleID, strings.ToLower(strings.TrimSpace(r.Name))}
}

// twins gives the names that several of the rows have.
func twins(rows []store.MappingRow) map[twin]bool {
	seen, twice := map[twin]bool{}, map[twin]bool{}
	for _, r := range rows {
		if t := twinOf(r); seen[t] {
			twice[t] = true
		} else {
			seen[t] = true
		}
	}
	return twice
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
		Example: "  tallyman mappings add acme/rhipe 6c1d2f8f-2d3e-e811-8130-000d3a6600a2 12\n" +
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
			was, err := s.MappingOf(ctx, module.ID, incoming.ID)
			if err != nil {
				return err
			}
			if was != nil && was.CustomerID == customer.ID {
				return a.done("%q (%s) is already mapped to %q (#%d); nothing was changed.", incoming.Name, incoming.Ref, customer.Name, customer.ID)
			}
			add := s.AddMapping
			if change && was != nil {
				add = s.ChangeMapping
			}
			if _, err := add(ctx, module.ID, incoming.ID, customer.ID, a.who()); err != nil {
				return err
			}
			message := fmt.Sprintf("%q (%s) is now mapped to %q (#%d). Its subscriptions follow with the next sync.",
				incoming.Name, incoming.Ref, customer.Name, customer.ID)
			switch {
			case incoming.IsPartner:
				message += " Mind that it is your own record at the distributor, not one of your customers."
			case incoming.GoneAt != nil:
				message += " Mind that the distributor no longer lists it."
			case specialText(false, false, incoming.Lifecycle) != "":
				message += " Mind that it has ended at the distributor."
			}
			return a.done("%s", message)
		}),
	}
	cmd.Flags().BoolVar(&change, "change", false, "also if it is mapped to another customer now")
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
			return a.done("%q (%s) is no longer mapped. Its subscriptions stay where they are and wait. "+
				"The next sync maps it again if a customer has exactly its name; to map it elsewhere use "+
				"\"tallyman mappings add %s %s CUSTOMER --change\".",
				incoming.Name, incoming.Ref, args[0], shellWord(incoming.Ref))
		}),
	}
}

// findIncoming finds a module and one of its distributor customers.
func findIncoming(ctx context.Context, s *store.Store, target, refOrName string) (store.Module, store.DistributorCustomer, error) {
	tenant, name, err := splitModule(target)
	if err != nil {
		return store.Module{}, store.DistributorCustomer{}, err
	}
	_, module, err := findModule(ctx, s, tenant, name)
	if err != nil {
		return module, store.DistributorCustomer{}, err
	}
	incoming, err := s.FindDistributorCustomer(ctx, module.ID, refOrName)
	var several *store.ConflictError
	if errors.As(err, &several) {
		several.Next = fmt.Sprintf("Give its id instead; \"tallyman mappings list %s --ids --search %s\" shows it.", target, shellWord(refOrName))
	}
	var none *store.NotFoundError
	if errors.As(err, &none) {
		none.Next = fmt.Sprintf("See \"tallyman mappings list %s --search %s\". A customer that is new at the distributor is there after the next sync.",
			target, shellWord(refOrName))
	}
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
