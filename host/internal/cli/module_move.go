// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/moving"
)

func (a *app) moduleMove() *cobra.Command {
	var apply bool
	var same []string
	cmd := &cobra.Command{
		Use: "move FROM-MODULE TO-MODULE", Args: cobra.ExactArgs(2),
		Short: "Carry customers and subscriptions over to another distributor",
		Long: "Show which customers and subscriptions of one module are the same at another, and with --apply carry them over: " +
			"the customers are mapped there too, and the subscriptions go on under their ids as those of the other distributor.\n\n" +
			"The module that is moved to is read first, like a plan. Of the other one counts what its last sync read. The same " +
			"are those with the same ids at the vendor, with the same domain, or with exactly the same name, in this order. What " +
			"is ambiguous is left to you, with what to do about it.\n\n" +
			"Move before the first sync of the new module, which would make records of its own. Afterwards \"tallyman plan\" of " +
			"it shows what really differs. Both modules may stay enabled: what was carried over is left alone where it came from.\n\n" +
			"Exit code 4 means that something can be carried over, without --apply.",
		Example: "  tallyman module move acme/rhipe acme/cloudiq\n" +
			"  tallyman module move acme/rhipe acme/cloudiq --apply\n" +
			"  tallyman module move acme/rhipe acme/cloudiq --same 5c7d-1=90017 --apply",
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, from, err := splitModule(args[0])
			if err != nil {
				return err
			}
			target, to, err := splitModule(args[1])
			if err != nil {
				return err
			}
			switch {
			case tenant != target:
				return usagef("%s and %s belong to two tenants; nothing moves between tenants", args[0], args[1])
			case from == to:
				return usagef("%s cannot be moved to itself", args[0])
			}
			o := runOptions{
				mode: integrator.Plan, entities: integrator.Entities{Customers: true, Subscriptions: true}, move: &integrator.MoveFrom{Module: from},
			}
			if apply {
				o.mode = integrator.Move
			}
			if o.move.Same, err = sameOf(same); err != nil {
				return err
			}
			return a.runModules(cmd.Context(), args[1], o)
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "carry over what is shown without it")
	cmd.Flags().StringArrayVar(&same, "same", nil, "`FROM-ID=TO-ID` are the same subscription, by their distributors' ids")
	return cmd
}

// sameOf takes apart which subscriptions a person says are the same.
func sameOf(same []string) ([]moving.Decision, error) {
	var list []moving.Decision
	for _, text := range same {
		source, target, ok := strings.Cut(text, "=")
		if !ok || source == "" || target == "" {
			return nil, usagef("--same takes two ids of subscriptions with = between them, not %q", text)
		}
		list = append(list, moving.Decision{Source: source, Target: target})
	}
	return list, nil
}
