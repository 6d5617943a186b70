// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Retention says what of a module is old enough to go. Zero times keep all.
type Retention struct {
	// Changes goes for the changes of runs that started before, but for those that are held. Changes made by hand stay.
	Changes time.Time
	// Runs goes for runs that started before and of which no change is kept, but for the module's last run, the last
	// trustworthy ones and those under way.
	Runs time.Time
}

// Pruned is how much went.
type Pruned struct{ Changes, Runs int }

// Add counts more.
func (p *Pruned) Add(more Pruned) {
	p.Changes += more.Changes
	p.Runs += more.Runs
}

// pruneStep is how many rows go in one transaction, and how many runs are looked at between two.
const pruneStep = 500

// Prune removes what is old of a module, the newest of it first, in short transactions between which others write. It looks at
// no more runs than most for each age; zero: at all. Whoever prunes regularly finds what has become old since with a small
// number. Nothing is lost if it is ended by ctx: what is gone is gone, the rest stays.
func (s *Store) Prune(ctx context.Context, moduleID int64, r Retention, most int) (Pruned, error) {
	var done Pruned
	if !r.Changes.IsZero() {
		err := s.eachOld(ctx, moduleID, r.Changes, most, func(runs []int64) error {
			n, err := s.pruneChanges(ctx, runs)
			done.Changes += n
			return err
		})
		if err != nil {
			return done, err
		}
	}
	if r.Runs.IsZero() {
		return done, nil
	}
	needed, err := s.neededRuns(ctx, moduleID)
	if err != nil {
		return done, err
	}
	err = s.eachOld(ctx, moduleID, r.Runs, most, func(runs []int64) error {
		n, err := s.pruneRuns(ctx, runs, needed)
		done.Runs += n
		return err
	})
	return done, err
}

// eachOld goes through the module's runs that started before a time, the newest first, some at a time.
func (s *Store) eachOld(ctx context.Context, moduleID int64, before time.Time, most int, fn func(runs []int64) error) error {
	var beforeID int64
	for seen := 0; most == 0 || seen < most; {
		limit := pruneStep
		if most > 0 {
			limit = min(limit, most-seen)
		}
		var rows []struct {
			ID        int64
			StartedAt time.Time
		}
		query := s.read.NewSelect().Table("runs").Column("id", "started_at").Where("module_id = ?", moduleID).
			OrderExpr("started_at DESC, id DESC").Limit(int64(limit))
		if beforeID == 0 {
			query.Where("started_at < ?", stored(before))
		} else {
			query.Where("(started_at, id) < (?, ?)", stored(before), beforeID)
		}
		if err := query.Scan(ctx, &rows); err != nil {
			return s.fail(ctx, "find old runs", err)
		}
		if len(rows) == 0 {
			return nil
		}
		ids := make([]int64, len(rows))
		for i, row := range rows {
			ids[i], before, beforeID = row.ID, row.StartedAt, row.ID
		}
		if err := fn(ids); err != nil {
			return err
		}
		seen += len(rows)
	}
	return nil
}

// neededRuns are the runs of a module that stay however old they are.
func (s *Store) neededRuns(ctx context.Context, moduleID int64) (map[int64]bool, error) {
	needed := map[int64]bool{}
	trust, err := s.LastTrustworthy(ctx, moduleID)
	if err != nil {
		return nil, err
	}
	needed[trust.CustomersRun], needed[trust.SubscriptionsRun] = true, true
	for _, where := range []string{"finished_at IS NOT NULL", wholeSync} {
		last, err := s.lastRun(ctx, moduleID, where)
		if err != nil {
			return nil, err
		}
		if last != nil {
			needed[last.ID] = true
		}
	}
	return needed, nil
}

// pruneChanges removes the changes of runs that nobody has to decide about.
func (s *Store) pruneChanges(ctx context.Context, runs []int64) (done int, err error) {
	const op = "prune changes"
	for {
		var ids []int64
		err := s.read.NewSelect().Table("changes").Column("id").Where("run_id IN (?)", bun.List(runs)).Where("status <> 'held'").
			Limit(pruneStep).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return done, s.fail(ctx, op, err)
		}
		err = s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model((*Change)(nil)).Where("id IN (?)", bun.List(ids)).Where("status <> 'held'").Exec(ctx)
			return err
		})
		if err != nil {
			return done, err
		}
		done += len(ids)
	}
}

// pruneRuns removes those of the runs that nothing needs any more.
func (s *Store) pruneRuns(ctx context.Context, runs []int64, needed map[int64]bool) (int, error) {
	const op = "prune runs"
	var free []int64
	err := s.read.NewSelect().TableExpr("runs AS r").Column("r.id").Where("r.id IN (?)", bun.List(runs)).
		Where("r.finished_at IS NOT NULL").Where("NOT EXISTS (SELECT 1 FROM changes AS c WHERE c.run_id = r.id)").Scan(ctx, &free)
	if err != nil {
		return 0, s.fail(ctx, op, err)
	}
	kept := free[:0]
	for _, id := range free {
		if !needed[id] {
			kept = append(kept, id)
		}
	}
	if free = kept; len(free) == 0 {
		return 0, nil
	}
	return len(free), s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Run)(nil)).Set("approves_run_id = NULL").Where("approves_run_id IN (?)", bun.List(free)).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*Run)(nil)).Where("id IN (?)", bun.List(free)).Exec(ctx)
		return err
	})
}
