// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"fmt"
	"slices"

	"github.com/tallymanhq/tallyman/host/internal/moving"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// write makes the move's changes and their record. Without a transaction it only tells and counts them.
func (m *move) write(ctx context.Context, tx *store.Move) error {
	if tx != nil {
		m.tx = tx.Target
	}
	if err := m.mappings(ctx); err != nil {
		return err
	}
	carried, err := m.newRows(ctx)
	if err != nil {
		return err
	}
	for portion := range slices.Chunk(m.proposal.Subscriptions, chunk) {
		if err := m.carry(ctx, tx, portion, carried); err != nil {
			return err
		}
	}
	if tx == nil {
		return nil
	}
	if err := m.supersede(ctx, tx); err != nil {
		return err
	}
	if err := m.flushChanges(ctx, 1); err != nil {
		return err
	}
	m.applied = true
	m.fill(m.report(nil))
	return tx.Target.FinishRun(ctx, &m.run.record)
}

// mappings writes the distributor customers that are new, so that a person can map those that are left, and the mappings.
func (m *move) mappings(ctx context.Context) error {
	if m.tx != nil {
		keys := sortedKeys(m.customers)
		rows := make([]store.DistributorCustomer, len(keys))
		for i, key := range keys {
			rows[i] = *m.customers[key]
		}
		if err := m.tx.InsertDistributorCustomers(ctx, rows); err != nil {
			return err
		}
		for i, key := range keys {
			m.customers[key].ID = rows[i].ID
		}
	}
	rows := make([]store.Mapping, 0, len(m.proposal.Mappings))
	for _, mapped := range m.proposal.Mappings {
		id := mapped.Target.ID
		if row := m.customers[mapped.Target.Key]; row != nil {
			id = row.ID
		}
		m.record(Change{
			Entity: EntityMapping, Kind: kindMap, Key: mapped.Target.Ref, Name: mapped.Target.Name, EntityID: id,
			CustomerID: mapped.CustomerID, Customer: mapped.CustomerName, Reason: mapped.Reason,
			After: jsonText(map[string]any{"distributor_customer": mapped.Target.Ref, "customer_id": mapped.CustomerID}),
		})
		rows = append(rows, store.Mapping{
			DistributorCustomerID: id, CustomerID: mapped.CustomerID, Origin: mappedByMove, Who: m.req.Who, CreatedAt: m.started,
		})
	}
	if m.tx == nil {
		return nil
	}
	return m.tx.InsertMappings(ctx, rows)
}

// newRows gives the rows of the target's subscriptions that are carried to and are not known yet, by key.
func (m *move) newRows(ctx context.Context) (map[string]*store.DistributorSubscription, error) {
	rows := map[string]*store.DistributorSubscription{}
	for _, c := range m.proposal.Subscriptions {
		if c.Target.ID == 0 {
			rows[c.Target.Key] = &store.DistributorSubscription{
				RefKey: c.Target.Key, Flags: store.FlagPending, CreatedAt: m.started, UpdatedAt: m.started,
			}
		}
	}
	if len(rows) == 0 {
		return rows, nil
	}
	if err := m.scopes(ctx); err != nil {
		return nil, err
	}
	err := m.run.subscriptions.each(m.key, func(rec spooled) error {
		if row := rows[rec.name(m.key)]; row != nil {
			told := rec.told()
			m.tell(row, rec, &told)
			row.ScopeID = m.run.subscriptions.scopes[rec.scope].id
		}
		return nil
	})
	return rows, err
}

// carry carries some subscriptions over.
func (m *move) carry(ctx context.Context, tx *store.Move, list []moving.Carry, fresh map[string]*store.DistributorSubscription) error {
	from, err := m.pairsOf(ctx, m.from.ID, list, func(c moving.Carry) int64 { return c.Source.ID })
	if err != nil {
		return err
	}
	to, err := m.pairsOf(ctx, m.module.ID, list, func(c moving.Carry) int64 { return c.Target.ID })
	if err != nil {
		return err
	}
	rows := make([]store.Carried, 0, len(list))
	var replaced []store.Subscription
	for _, c := range list {
		source, target := from[c.Source.ID], to[c.Target.ID]
		if target == nil {
			target = &store.Pair{DistributorSubscription: *fresh[c.Target.Key]}
		}
		row, err := m.carried(c, source, target)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		if target.Subscription != nil && target.Subscription.Active {
			replaced = append(replaced, m.replaced(c, *target.Subscription))
		}
	}
	if tx == nil {
		return nil
	}
	if err := tx.Carry(ctx, rows); err != nil {
		return err
	}
	if err := tx.Target.UpdateSubscriptions(ctx, replaced); err != nil {
		return err
	}
	return m.flushChanges(ctx, chunk)
}

// pairsOf reads the rows of some subscriptions of a module, by id.
func (m *move) pairsOf(ctx context.Context, moduleID int64, list []moving.Carry, id func(moving.Carry) int64) (map[int64]*store.Pair, error) {
	ids := make([]int64, 0, len(list))
	for _, c := range list {
		if id(c) != 0 {
			ids = append(ids, id(c))
		}
	}
	pairs, err := m.store.DistributorSubscriptionsByID(ctx, moduleID, ids)
	byID := make(map[int64]*store.Pair, len(pairs))
	for i := range pairs {
		byID[pairs[i].ID] = &pairs[i]
	}
	return byID, err
}

// carried is one subscription as it goes on. The target's next reading looks at it, whatever it says.
func (m *move) carried(c moving.Carry, source, target *store.Pair) (store.Carried, error) {
	if source == nil || source.Subscription == nil || source.Subscription.ID != c.Source.RecordID {
		return store.Carried{}, fmt.Errorf("subscription #%d is no longer that of %q at %s", c.Source.RecordID, c.Source.Ref, m.details.From)
	}
	told, err := storedRecord(target)
	if err != nil {
		return store.Carried{}, err
	}
	sub, row := source.Subscription, target.DistributorSubscription
	if row.ID != 0 {
		row.Flags = row.Flags&store.FlagMissing | store.FlagPending
	}
	carried := store.Carried{
		Subscription: sub.ID, From: source.ID, To: &row, Distributor: m.info.Distributor, Ref: row.Ref, ParentRef: told.ParentRef,
		Replaces: c.Replaces, At: m.started,
	}
	before := map[string]string{"module": m.from.Name, "distributor": sub.Distributor, "ref": sub.Ref}
	after := map[string]string{"module": m.module.Name, "distributor": carried.Distributor, "ref": carried.Ref}
	if sub.ParentRef != carried.ParentRef {
		before["parent_ref"], after["parent_ref"] = sub.ParentRef, carried.ParentRef
	}
	m.record(Change{
		Entity: EntitySubscription, Kind: kindCarry, Key: carried.Ref, Name: sub.Name, EntityID: sub.ID, CustomerID: sub.CustomerID,
		Customer: c.CustomerName, Before: jsonText(before), After: jsonText(after), Reason: c.Reason,
	})
	return carried, nil
}

// replaced ends the record that the target has made of a subscription that goes on under another id.
func (m *move) replaced(c moving.Carry, sub store.Subscription) store.Subscription {
	m.record(Change{
		Entity: EntitySubscription, Kind: "deactivate", Key: sub.Ref, Name: sub.Name, EntityID: sub.ID, CustomerID: sub.CustomerID,
		Before: activeText(true), After: activeText(false), Reason: fmt.Sprintf("it goes on as subscription #%d, because a person said so", c.Source.RecordID),
	})
	sub.Active, sub.DeactivatedAt, sub.UpdatedAt = false, &m.started, m.started
	return sub
}

// supersede ends the waiting of what the source's runs held about subscriptions that it no longer has.
func (m *move) supersede(ctx context.Context, tx *store.Move) error {
	gone := make(map[string]bool, len(m.proposal.Subscriptions))
	for _, c := range m.proposal.Subscriptions {
		gone[c.Source.Ref] = true
	}
	var ids []int64
	err := m.eachHeld(ctx, m.from.ID, 0, func(row store.ChangeRow) {
		if row.Entity == EntitySubscription && gone[row.EntityKey] {
			ids = append(ids, row.ID)
		}
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = tx.Source.Supersede(ctx, store.HeldFilter{IDs: ids})
	return err
}
