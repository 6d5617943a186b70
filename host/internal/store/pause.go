// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Pause keeps modules from being run by themselves: one, those of a tenant, or all.
type Pause struct {
	bun.BaseModel `json:"-" bun:"table:pauses"`

	ID int64 `bun:",pk,autoincrement" json:"-"`
	// TenantID and ModuleID say what is paused. No module: the whole tenant; no tenant: everything.
	TenantID *int64 `json:"-"`
	ModuleID *int64 `json:"-"`
	Who      string `json:"who"`
	Reason   string `json:"reason"`
	// Since is when it was set, by the store's clock.
	Since time.Time `json:"since"`
	// EndsAt is when it ends by itself; nil: when somebody resumes it.
	EndsAt *time.Time `json:"until,omitempty"`
}

// SetPause keeps a pause, in the place of one of the same target. Those that have ended are removed.
func (s *Store) SetPause(ctx context.Context, pause Pause) (Pause, error) {
	cleanAll(&pause.Who, &pause.Reason)
	pause.EndsAt = storedOrNil(pause.EndsAt)
	err := s.change(ctx, "keep the pause", func(ctx context.Context, tx bun.Tx) error {
		pause.ID, pause.Since = 0, s.now()
		if _, err := tx.NewDelete().Model((*Pause)(nil)).Where("ends_at <= ?", s.now()).Exec(ctx); err != nil {
			return err
		}
		if _, err := pausing(tx, idOf(pause.TenantID), idOf(pause.ModuleID)).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&pause).ExcludeColumn("id").Returning("NULL").Exec(ctx)
		return err
	})
	return pause, err
}

// pausing removes the pauses of exactly this target; zero is none.
func pausing(tx bun.Tx, tenantID, moduleID int64) *bun.DeleteQuery {
	return tx.NewDelete().Model((*Pause)(nil)).
		Where("coalesce(tenant_id, 0) = ?", tenantID).Where("coalesce(module_id, 0) = ?", moduleID)
}

func idOf(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}

// EndPause ends the pause of exactly this target and reports whether there was one: no module is the whole tenant, no tenant
// is everything. Pauses of more and of less stay.
func (s *Store) EndPause(ctx context.Context, tenantID, moduleID int64) (bool, error) {
	var n int64
	err := s.change(ctx, "end the pause", func(ctx context.Context, tx bun.Tx) error {
		result, err := pausing(tx, tenantID, moduleID).Where("ends_at IS NULL OR ends_at > ?", s.now()).Exec(ctx)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n > 0, err
}

// Pauses gives the pauses that have not ended, those of most first.
func (s *Store) Pauses(ctx context.Context) ([]Pause, error) {
	var list []Pause
	err := s.read.NewSelect().Model(&list).Where("ends_at IS NULL OR ends_at > ?", s.now()).
		OrderExpr("coalesce(tenant_id, 0), coalesce(module_id, 0)").Scan(ctx)
	return list, s.fail(ctx, "list the pauses", err)
}
