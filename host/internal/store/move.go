// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Move is what carries records over from one module to another of the same tenant, in one transaction. Source and Target
// write rows of their own modules; Target's is the run.
type Move struct {
	Source, Target *Tx
}

// ApplyMove is Apply for two modules of one tenant. The leases of both must be the holder's.
func (s *Store) ApplyMove(ctx context.Context, sourceID, targetID int64, holder string, fn func(ctx context.Context, m *Move) error) error {
	return s.Apply(ctx, targetID, holder, func(ctx context.Context, target *Tx) error {
		if err := s.touchLease(ctx, target.tx.NewUpdate().Set("expires_at = expires_at"), sourceID, holder); err != nil {
			return err
		}
		same, err := target.tx.NewSelect().Model((*Module)(nil)).Where("id = ?", sourceID).Where("id <> ?", targetID).
			Where("tenant_id = ?", target.tenantID).Exists(ctx)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("modules %d and %d are not two modules of one tenant", sourceID, targetID)
		}
		source := &Tx{store: s, tx: target.tx, conn: target.conn, tenantID: target.tenantID, moduleID: sourceID, prepared: map[statementKey]*sql.Stmt{}}
		err = fn(ctx, &Move{Source: source, Target: target})
		return errors.Join(err, source.close())
	})
}

// Carried is a subscription that goes on as a subscription of the target.
type Carried struct {
	// Subscription is its id, which stays. From is the source's distributor subscription that it belongs to.
	Subscription, From int64
	// To is the target's distributor subscription that gets it. Without an id it is written, and its id filled in; of one
	// that is there only the flags are written.
	To *DistributorSubscription
	// Distributor, Ref and ParentRef are what the subscription shows from now on.
	Distributor, Ref, ParentRef string
	// Replaces is the subscription that To has had until now, zero for none. It stays as it is, without To.
	Replaces int64
	// At is when that is.
	At time.Time
}

// Carry gives subscriptions of the source to the target. The source's distributor subscriptions remember it and get no
// others. A subscription that is not the source's any more is an error.
func (m *Move) Carry(ctx context.Context, rows []Carried) error {
	fresh := make([]DistributorSubscription, 0, len(rows))
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := &rows[i]
		m.Target.store.orNow(&row.At)
		if err := m.give(ctx, row); err != nil {
			return fmt.Errorf("carry subscription #%d over: %w", row.Subscription, err)
		}
		row.To.SubscriptionID, row.To.CarriedAs = &row.Subscription, nil
		if row.To.ID == 0 {
			fresh = append(fresh, *row.To)
		} else if err := m.take(ctx, row); err != nil {
			return fmt.Errorf("carry subscription #%d over: %w", row.Subscription, err)
		}
	}
	if err := m.Target.InsertDistributorSubscriptions(ctx, fresh); err != nil {
		return err
	}
	next := 0
	for i := range rows {
		if rows[i].To.ID == 0 {
			*rows[i].To = fresh[next]
			next++
		}
	}
	return nil
}

// give takes a subscription from the source's distributor subscription and makes it the target's.
func (m *Move) give(ctx context.Context, row *Carried) error {
	result, err := m.Source.tx.NewUpdate().Model((*DistributorSubscription)(nil)).
		Set("subscription_id = NULL").Set("carried_as = ?", row.Subscription).Set("updated_at = ?", row.At).
		Set("flags = (flags & ?) | ?", FlagGone|FlagMissing, FlagCarried).
		Where("id = ?", row.From).Where("subscription_id = ?", row.Subscription).
		Where("module_id = ?", m.Source.moduleID).Where("tenant_id = ?", m.Source.tenantID).Exec(ctx)
	if err := oneRow(result, err, fmt.Sprintf("distributor subscription %d with it", row.From)); err != nil {
		return err
	}
	result, err = m.Source.tx.NewUpdate().Model((*Subscription)(nil)).
		Set("module_id = ?", m.Target.moduleID).Set("distributor = ?", clean(row.Distributor)).Set("ref = ?", clean(row.Ref)).
		Set("parent_ref = ?", clean(row.ParentRef)).Set("updated_at = ?", row.At).
		Where("id = ?", row.Subscription).Where("module_id = ?", m.Source.moduleID).Where("tenant_id = ?", m.Source.tenantID).Exec(ctx)
	return oneRow(result, err, fmt.Sprintf("subscription %d", row.Subscription))
}

// take gives a distributor subscription of the target that is there its subscription.
func (m *Move) take(ctx context.Context, row *Carried) error {
	query := m.Target.tx.NewUpdate().Model((*DistributorSubscription)(nil)).
		Set("subscription_id = ?", row.Subscription).Set("carried_as = NULL").Set("flags = ?", row.To.Flags).Set("updated_at = ?", row.At).
		Where("id = ?", row.To.ID).Where("module_id = ?", m.Target.moduleID).Where("tenant_id = ?", m.Target.tenantID)
	if row.Replaces == 0 {
		query.Where("subscription_id IS NULL")
	} else {
		query.Where("subscription_id = ?", row.Replaces)
	}
	result, err := query.Exec(ctx)
	return oneRow(result, err, fmt.Sprintf("distributor subscription %d as it was", row.To.ID))
}

// EndedElsewhere is a distributor subscription whose subscription has ended at the module it was carried over to.
type EndedElsewhere struct {
	DistributorSubscription `bun:",extend"`

	// Module is the name of that module.
	Module string
}

// CarriedEnded gives distributor subscriptions of a module whose subscriptions were carried over to another module and are
// no longer active there, by id. Those that are gone from the module itself are left out.
func (s *Store) CarriedEnded(ctx context.Context, moduleID int64) ([]EndedElsewhere, error) {
	var list []EndedElsewhere
	err := s.read.NewSelect().TableExpr("distributor_subscriptions AS d").ColumnExpr("d.*, o.name AS module").
		Join("JOIN subscriptions AS s ON s.id = d.carried_as").
		Join("JOIN modules AS o ON o.id = s.module_id").
		Where("d.module_id = ?", moduleID).Where("d.carried_as IS NOT NULL").Where("d.flags & ? = 0", FlagGone).Where("NOT s.active").
		OrderExpr("d.id").Scan(ctx, &list)
	return list, s.fail(ctx, "read what was carried over", err)
}
