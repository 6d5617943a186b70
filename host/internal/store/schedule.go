// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// Schedule says since when a module is run by itself, and by which schedule.
type Schedule struct {
	bun.BaseModel `json:"-" bun:"table:schedules"`

	ModuleID int64 `bun:",pk" json:"module_id"`
	TenantID int64 `json:"tenant_id"`
	// Spec is the schedule in words.
	Spec string `json:"spec"`
	// Since is when it was set; what was due before counts as done.
	Since time.Time `json:"since"`
}

// KeepSchedules makes these the schedules, and no others, and gives them by module. One that is new, or has another Spec than
// before, begins now; their Since is not looked at.
func (s *Store) KeepSchedules(ctx context.Context, list []Schedule) (map[int64]Schedule, error) {
	const op = "keep the schedules"
	list = slices.Clone(list)
	wanted := make(map[int64]bool, len(list))
	for i := range list {
		list[i].Spec = clean(list[i].Spec)
		wanted[list[i].ModuleID] = true
	}
	kept := make(map[int64]Schedule, len(list))
	read := func(db bun.IDB) (changed, gone []Schedule, err error) {
		var before []Schedule
		if err := db.NewSelect().Model(&before).Scan(ctx); err != nil {
			return nil, nil, err
		}
		for _, row := range before {
			kept[row.ModuleID] = row
			if !wanted[row.ModuleID] {
				gone = append(gone, row)
			}
		}
		for _, row := range list {
			if have, ok := kept[row.ModuleID]; !ok || have.Spec != row.Spec {
				row.Since = s.now()
				changed = append(changed, row)
			}
		}
		return changed, gone, nil
	}
	changed, gone, err := read(s.read)
	if err != nil || len(changed)+len(gone) == 0 {
		return kept, s.fail(ctx, op, err)
	}
	err = s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		clear(kept)
		changed, gone, err := read(tx)
		if err != nil {
			return err
		}
		for _, row := range gone {
			if _, err := tx.NewDelete().Model(&row).WherePK().Exec(ctx); err != nil {
				return err
			}
			delete(kept, row.ModuleID)
		}
		for _, row := range changed {
			_, err := tx.NewInsert().Model(&row).Returning("NULL").
				On("CONFLICT (module_id) DO UPDATE").Set("spec = EXCLUDED.spec").Set("since = EXCLUDED.since").Exec(ctx)
			if err != nil {
				return err
			}
			kept[row.ModuleID] = row
		}
		return nil
	})
	return kept, err
}

// Schedules gives the schedules by module: those of all tenants if tenantID is zero.
func (s *Store) Schedules(ctx context.Context, tenantID int64) (map[int64]Schedule, error) {
	var list []Schedule
	query := s.read.NewSelect().Model(&list)
	whereID(query, "schedule.tenant_id", tenantID)
	err := query.Scan(ctx)
	byModule := make(map[int64]Schedule, len(list))
	for _, row := range list {
		byModule[row.ModuleID] = row
	}
	return byModule, s.fail(ctx, "list schedules", err)
}

// LastSyncs gives the last runs of a module that tried to sync these entities as a whole, newest first, without what they
// reported. Those that somebody cancelled are left out.
func (s *Store) LastSyncs(ctx context.Context, moduleID int64, entities string, limit int) ([]Run, error) {
	var list []Run
	err := s.read.NewSelect().Model(&list).ExcludeColumn("counts", "report", "crash").
		Where("module_id = ?", moduleID).Where("mode = 'sync'").Where("customers = ''").Where("outcome <> 'cancelled'").
		Where("entities IN (?)", bun.List([]string{"customers,subscriptions", entities})).
		OrderExpr("id DESC").Limit(int64(limit)).Scan(ctx)
	return list, s.fail(ctx, "read the last runs", err)
}
