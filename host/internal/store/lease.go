// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// AcquireLease takes the right to run a module, until the time to live is over or ReleaseLease. It gives a
// *LeaseHeldError while somebody else's lease is alive, or one of the same holder, and while a transaction of its holder goes on. The holder has to be a name of this
// very run: two runs that share a holder could not be told apart once a lease has expired.
func (s *Store) AcquireLease(ctx context.Context, module Module, holder, purpose string, ttl time.Duration) (Lease, error) {
	cleanAll(&holder, &purpose)
	var lease Lease
	var held *LeaseHeldError
	err := s.change(ctx, fmt.Sprintf("take the lease of module %q", module.Name), func(ctx context.Context, tx bun.Tx) error {
		written, err := s.dialect.leaseIsWritten(ctx, tx, module.ID)
		if err != nil {
			return err
		}
		if written {
			held = &LeaseHeldError{Module: module.Name}
			err := tx.NewSelect().Model(&held.Lease).Where("module_id = ?", module.ID).Scan(ctx)
			held.Written = !held.Lease.ExpiresAt.After(s.now())
			return err
		}
		now := s.now()
		lease = Lease{
			ModuleID: module.ID, TenantID: module.TenantID, Holder: holder, Purpose: purpose,
			AcquiredAt: now, ExpiresAt: stored(now.Add(ttl)),
		}
		result, err := tx.NewInsert().Model(&lease).Returning("NULL").
			On("CONFLICT (module_id) DO UPDATE").
			Set("holder = EXCLUDED.holder").Set("purpose = EXCLUDED.purpose").
			Set("acquired_at = EXCLUDED.acquired_at").Set("expires_at = EXCLUDED.expires_at").
			Where("lease.expires_at <= ?", now).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		held = &LeaseHeldError{Module: module.Name}
		return tx.NewSelect().Model(&held.Lease).Where("module_id = ?", module.ID).Scan(ctx)
	})
	switch {
	case err != nil:
		return Lease{}, err
	case held != nil:
		return Lease{}, held
	default:
		return lease, nil
	}
}

// RenewLease makes the holder's lease last for the time to live from now. It gives ErrLeaseLost if somebody else has
// taken the module over. A lease that has expired but was not taken is renewed.
func (s *Store) RenewLease(ctx context.Context, moduleID int64, holder string, ttl time.Duration) error {
	return s.change(ctx, "renew the lease", func(ctx context.Context, tx bun.Tx) error {
		return s.touchLease(ctx, tx.NewUpdate().Set("expires_at = ?", stored(s.now().Add(ttl))), moduleID, holder)
	})
}

// ReleaseLease gives the module back. It does nothing if somebody else has taken it over.
func (s *Store) ReleaseLease(ctx context.Context, moduleID int64, holder string) error {
	return s.change(ctx, "give the lease back", func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*Lease)(nil)).Where("module_id = ?", moduleID).Where("holder = ?", clean(holder)).Exec(ctx)
		return err
	})
}

// Leases gives the leases that are alive; those of all tenants if tenantID is zero.
func (s *Store) Leases(ctx context.Context, tenantID int64) ([]Lease, error) {
	var list []Lease
	query := s.read.NewSelect().Model(&list).Where("expires_at > ?", s.now()).Order("module_id")
	if tenantID != 0 {
		query.Where("tenant_id = ?", tenantID)
	}
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list leases", err)
}

// touchLease runs an update on the holder's lease. The row stays locked until the transaction ends, so nobody can take
// the module over meanwhile.
func (s *Store) touchLease(ctx context.Context, update *bun.UpdateQuery, moduleID int64, holder string) error {
	result, err := update.Model((*Lease)(nil)).Where("module_id = ?", moduleID).Where("holder = ?", clean(holder)).Exec(ctx)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = ErrLeaseLost
	}
	return err
}
