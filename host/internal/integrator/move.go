// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"
	"maps"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// A move is a run of the module that is moved to: it reads that distributor, and plans and applies other changes than a sync.
// Mappings and subscriptions that package moving finds to be the same are carried over: the subscriptions' records go on
// under their ids as the target's. What the target says about them otherwise is left to its next sync, whose plan so shows
// what really differs. At the source the mappings stay, and its distributor subscriptions remember that their records were
// carried over: while both modules are run, the source's runs neither make them anew nor end them.

// movingFrom finds the module that is moved from.
func (r *run) movingFrom(ctx context.Context) error {
	if r.req.Move == nil {
		return nil
	}
	name := r.req.Module.Tenant + "/" + r.req.Move.Module
	r.details.From = name
	_, module, err := r.store.FindModule(ctx, r.req.Module.Tenant, r.req.Move.Module)
	if err != nil {
		return err
	}
	if module.ID == r.module.ID {
		return &Problem{Code: "move.same_module", Message: fmt.Sprintf("%s cannot be moved to itself", name), Hint: "Name two modules of one tenant."}
	}
	r.from = module
	return nil
}

// move plans the move and, unless it is only to be shown, applies it.
func (r *run) move(ctx context.Context) error {
	if err := r.brokenError(); err != nil {
		return err
	}
	r.progress("plan", 0, "")
	m, err := r.proposeMove(ctx)
	if err != nil {
		return err
	}
	if r.req.Mode == Plan {
		return m.write(ctx, nil)
	}
	r.progress("apply", 0, "")
	counts := maps.Clone(r.counts)
	err = r.store.ApplyMove(ctx, r.from.ID, r.module.ID, r.holder, func(ctx context.Context, tx *store.Move) error {
		return m.write(ctx, tx)
	})
	if err != nil {
		// Nothing was changed, so nothing is counted as changed.
		r.counts, r.record.FinishedAt, r.applied = counts, nil, false
	}
	return err
}

// move is a move that is planned.
type move struct {
	*writer

	proposal moving.Proposal
	// customers are the target's distributor customers that were not known, by key.
	customers map[string]*store.DistributorCustomer
}

// proposeMove compares both modules and says what the move leaves to a person.
func (r *run) proposeMove(ctx context.Context) (*move, error) {
	m := &move{writer: &writer{run: r}, customers: map[string]*store.DistributorCustomer{}}
	source, err := r.sourceSide(ctx)
	if err != nil {
		return nil, err
	}
	target, err := m.targetSide(ctx)
	if err != nil {
		return nil, err
	}
	if m.proposal, err = moving.Propose(source, target, r.req.Move.Same); err != nil {
		return nil, err
	}
	for _, left := range m.proposal.Left {
		told := Left{Why: left.Why, Next: left.Next}
		if left.Customer != nil {
			told.Entity, told.Key, told.Name = EntityDistributorCustomer, left.Customer.Ref, left.Customer.Name
		} else {
			told.Entity, told.Key, told.Name = EntitySubscription, left.Subscription.Ref, left.Subscription.Name
		}
		r.details.Left = append(r.details.Left, told)
	}
	r.count(CountLeft, len(m.proposal.Left))
	r.count(CountWaiting, m.proposal.Waiting)
	r.count(CountCustomersStay, m.proposal.CustomersStay)
	r.count(CountSubscriptionsStay, len(m.proposal.Stay))
	r.count(CountSubscriptionsNew, len(m.proposal.New))
	r.noteApart(m.proposal.Stay, m.proposal.New)
	return m, r.noteSource(ctx)
}

// noteApart names what is found on one side only, where both sides have such: some of it may be the same, and the target's
// next sync makes records of its own.
func (r *run) noteApart(stay, fresh []*moving.Subscription) {
	const most = 10
	if len(stay) == 0 || len(fresh) == 0 {
		return
	}
	name := func(list []*moving.Subscription, text string) {
		for _, s := range list[:min(len(list), most)] {
			r.details.note(text, s.Name, s.Ref)
		}
		if left := len(list) - most; left > 0 {
			r.details.NotesLeft += left
		}
	}
	name(stay, "%q (%s) stays at "+r.details.From+".")
	name(fresh, "%q (%s) is new at "+r.req.Module.String()+".")
}

// noteElsewhere warns about what this distributor still lists, and what has ended at the module that it was carried over to:
// nobody is billed for it.
func (r *run) noteElsewhere(ctx context.Context) error {
	if !r.subscriptions.read || r.subscriptions.carried == 0 {
		return nil
	}
	list, err := r.store.CarriedEnded(ctx, r.module.ID)
	if err != nil {
		return err
	}
	for i := range list {
		pair := &store.Pair{DistributorSubscription: list[i].DistributorSubscription}
		if e := r.entryOf(pair); e == nil || !e.seen || e.spooled || r.narrow != nil && !r.narrow[pair.CustomerKey] {
			continue // what is stored of it is not what was listed
		}
		told, err := storedRecord(pair)
		if err != nil {
			return err
		}
		if !told.Ended() {
			r.details.warn("%q (%s) is listed here, but was carried over to %s/%s as subscription #%d and has ended there. "+
				"If it goes on here, carry it back with \"tallyman module move %[3]s/%[4]s %[6]s\".",
				told.Name, told.Ref, r.tenant.Name, list[i].Module, *pair.CarriedAs, r.req.Module)
		}
	}
	return nil
}

// noteSource warns where little is known about the module that is moved from.
func (r *run) noteSource(ctx context.Context) error {
	known, err := r.store.LastTrustworthy(ctx, r.from.ID)
	if err == nil && (known.Customers == nil || known.Subscriptions == nil) {
		r.details.warn("%s was never read completely, so it may have more than is known here; run \"tallyman sync %[1]s\" first", r.details.From)
	}
	return err
}
