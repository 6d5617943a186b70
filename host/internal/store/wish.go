// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// Wish is a run of a module that a person asked for, to be made once by whichever host is free. A module has at most one.
type Wish struct {
	bun.BaseModel `json:"-" bun:"table:wishes"`

	// ID is that of the wish, not of a run: a later wish has another.
	ID       int64 `bun:",pk,autoincrement" json:"id"`
	TenantID int64 `json:"tenant_id"`
	ModuleID int64 `json:"module_id"`
	// Entities are what the run is about: "customers,subscriptions".
	Entities string    `json:"entities"`
	Who      string    `json:"who"`
	AskedAt  time.Time `json:"asked_at"`
	// BegunAt is when a host began the run. It is still there if that host died.
	BegunAt *time.Time `json:"begun_at,omitempty"`
}

// ErrWishGone says that a wish was fulfilled by another host, or is there no more for another reason.
var ErrWishGone = errors.New("another host has run what was asked for")

// AddWish keeps a wish and gives the one that counts. If the module has one that no host has begun, that one counts, and
// added is false. One that was begun may have read too early for what this person wants to see, so it gives way.
func (s *Store) AddWish(ctx context.Context, wish Wish) (counts Wish, added bool, err error) {
	cleanAll(&wish.Entities, &wish.Who)
	err = s.change(ctx, "keep the wish for a run", func(ctx context.Context, tx bun.Tx) error {
		counts, added = Wish{}, false
		_, err := tx.NewDelete().Model((*Wish)(nil)).Where("module_id = ?", wish.ModuleID).Where("begun_at IS NOT NULL").Exec(ctx)
		if err != nil {
			return err
		}
		row := wish
		row.AskedAt, row.BegunAt = s.now(), nil
		result, err := tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("NULL").On("CONFLICT (module_id) DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		added = n == 1
		return tx.NewSelect().Model(&counts).Where("module_id = ?", wish.ModuleID).Scan(ctx)
	})
	return counts, added, err
}

// Wishes gives what is asked for and not done, the oldest first: of a tenant, or of all if tenantID is zero.
func (s *Store) Wishes(ctx context.Context, tenantID int64) ([]Wish, error) {
	var list []Wish
	query := s.read.NewSelect().Model(&list).Order("id")
	whereID(query, "wish.tenant_id", tenantID)
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list the wishes for runs", err)
}

// beginWish notes that a run fulfils its wish. ErrWishGone: there is none any more.
func (s *Store) beginWish(ctx context.Context, tx bun.Tx, run *Run) error {
	if run.WishID == 0 {
		return nil
	}
	result, err := tx.NewUpdate().Model((*Wish)(nil)).Set("begun_at = ?", s.now()).
		Where("id = ?", run.WishID).Where("module_id = ?", run.ModuleID).Exec(ctx)
	if err = oneRow(result, err, "wish"); errors.Is(err, ErrNotFound) {
		return ErrWishGone
	}
	return err
}

// endWish removes the wish that a run has fulfilled. If the run was cancelled, the wish stands as if it had not begun.
func (s *Store) endWish(ctx context.Context, tx bun.Tx, run *Run) error {
	if run.WishID == 0 || run.FinishedAt == nil {
		return nil
	}
	if run.Outcome == "cancelled" {
		_, err := tx.NewUpdate().Model((*Wish)(nil)).Set("begun_at = NULL").Where("id = ?", run.WishID).Exec(ctx)
		return err
	}
	_, err := tx.NewDelete().Model((*Wish)(nil)).Where("id = ?", run.WishID).Exec(ctx)
	return err
}
