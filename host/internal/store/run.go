// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// StartRun writes a run that begins and fills in its id. It gives ErrWishGone, and writes none, if the wish it is to fulfil is
// there no more.
func (s *Store) StartRun(ctx context.Context, run *Run) error {
	return s.change(ctx, "record the start of the run", func(ctx context.Context, tx bun.Tx) error {
		if err := s.beginWish(ctx, tx, run); err != nil {
			return err
		}
		s.tidyRun(run)
		_, err := tx.NewInsert().Model(run).ExcludeColumn("id").Returning("id").Exec(ctx)
		return err
	})
}

// FinishRun writes how a run ended.
func (s *Store) FinishRun(ctx context.Context, run *Run) error {
	return s.change(ctx, "record the end of the run", func(ctx context.Context, tx bun.Tx) error {
		return s.finishRun(ctx, tx, run)
	})
}

func (s *Store) finishRun(ctx context.Context, tx bun.Tx, run *Run) error {
	s.tidyRun(run)
	result, err := tx.NewUpdate().Model(run).ExcludeColumn("id", "tenant_id", "module_id", "started_at").
		WherePK().Where("tenant_id = ?", run.TenantID).Where("module_id = ?", run.ModuleID).Exec(ctx)
	if err := oneRow(result, err, fmt.Sprintf("run %d", run.ID)); err != nil {
		return err
	}
	return s.endWish(ctx, tx, run)
}

// tidyRun makes a run fit to be stored.
func (s *Store) tidyRun(run *Run) {
	cleanAll(&run.Mode, &run.Trigger, &run.Who, &run.Entities, &run.Customers, &run.Outcome, &run.Holder,
		&run.PluginVersion, &run.PluginSHA256, &run.ErrorCode, &run.Error)
	run.Counts, run.Report, run.Crash = cleanJSON(run.Counts), cleanJSON(run.Report), cleanJSON(run.Crash)
	if run.Counts == nil {
		run.Counts = emptyObject()
	}
	if run.Report == nil {
		run.Report = emptyObject()
	}
	s.orNow(&run.StartedAt)
	run.FinishedAt = storedOrNil(run.FinishedAt)
}

// Run gives one run, or a *NotFoundError.
func (s *Store) Run(ctx context.Context, id int64) (Run, error) {
	var run Run
	err := s.read.NewSelect().Model(&run).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, &NotFoundError{What: fmt.Sprintf("run %d", id), Next: "See tallyman runs list."}
	}
	return run, s.fail(ctx, fmt.Sprintf("read run %d", id), err)
}

// RunFilter narrows a list of runs. Zero values do not.
type RunFilter struct {
	TenantID, ModuleID int64
	// CustomerID gives only runs that changed, or would have changed, something of a customer.
	CustomerID int64
	Outcomes   []string
	Mode       string
	// Waiting gives only runs that still hold changes for a person to decide about.
	Waiting bool
	// BeforeID is the last id of the page before.
	BeforeID int64
	Limit    int
	// Total, if it is not nil, takes how many there are without the limit.
	Total *int
}

// Runs gives runs, newest first.
func (s *Store) Runs(ctx context.Context, filter RunFilter) ([]Run, error) {
	var list []Run
	query := s.read.NewSelect().Model(&list).OrderExpr("run.id DESC")
	whereID(query, "run.tenant_id", filter.TenantID)
	whereID(query, "run.module_id", filter.ModuleID)
	if filter.CustomerID != 0 {
		query.Where("EXISTS (SELECT 1 FROM changes c WHERE c.run_id = run.id AND c.customer_id = ?)", filter.CustomerID)
	}
	if len(filter.Outcomes) > 0 {
		query.Where("run.outcome IN (?)", bun.List(filter.Outcomes))
	}
	if filter.Waiting {
		query.Where("EXISTS (SELECT 1 FROM changes h WHERE h.run_id = run.id AND h.status = 'held')")
	}
	if filter.Mode != "" {
		query.Where("run.mode = ?", filter.Mode)
	}
	if filter.BeforeID != 0 {
		query.Where("run.id < ?", filter.BeforeID)
	}
	err := page(ctx, query, filter.Limit, filter.Total)
	return list, s.fail(ctx, "list runs", err)
}

// HeldByRun gives how many changes each run still holds. Runs that hold none are left out.
func (s *Store) HeldByRun(ctx context.Context) (map[int64]int, error) {
	var rows []struct {
		RunID int64
		N     int
	}
	err := s.read.NewSelect().Table("changes").ColumnExpr("run_id, count(*) AS n").
		Where("status = 'held'").Where("run_id IS NOT NULL").Where("module_id IS NOT NULL").Group("run_id").Scan(ctx, &rows)
	held := make(map[int64]int, len(rows))
	for _, row := range rows {
		held[row.RunID] = row.N
	}
	return held, s.fail(ctx, "count held changes", err)
}

// LastRun gives the newest run of a module that has ended, or nil.
func (s *Store) LastRun(ctx context.Context, moduleID int64) (*Run, error) {
	return s.lastRun(ctx, moduleID, "finished_at IS NOT NULL")
}

// Trustworthy says when each entity of a module was last read completely; nil: never.
type Trustworthy struct {
	Customers, Subscriptions       *time.Time
	CustomersRun, SubscriptionsRun int64
}

// LastTrustworthy gives the times up to which the picture of a module is known to be right.
func (s *Store) LastTrustworthy(ctx context.Context, moduleID int64) (Trustworthy, error) {
	var t Trustworthy
	run, err := s.lastRun(ctx, moduleID, "customers_complete")
	if err != nil {
		return t, err
	}
	if run != nil {
		t.Customers, t.CustomersRun = &run.StartedAt, run.ID
	}
	if run, err = s.lastRun(ctx, moduleID, "subscriptions_complete"); err != nil {
		return t, err
	}
	if run != nil {
		t.Subscriptions, t.SubscriptionsRun = &run.StartedAt, run.ID
	}
	return t, nil
}

func (s *Store) lastRun(ctx context.Context, moduleID int64, where string) (*Run, error) {
	var run Run
	err := s.read.NewSelect().Model(&run).Where("module_id = ?", moduleID).Where(where).OrderExpr("id DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail(ctx, "read the last run", err)
	}
	return &run, nil
}

// CloseAbandoned marks runs of a module that never ended, and are older than the given one, as failed. Whoever calls it
// holds the module's lease, so their holders are dead.
func (s *Store) CloseAbandoned(ctx context.Context, moduleID, olderThanRun int64) error {
	const op = "close abandoned runs"
	found, err := s.read.NewSelect().Model((*Run)(nil)).
		Where("module_id = ?", moduleID).Where("id < ?", olderThanRun).Where("finished_at IS NULL").Exists(ctx)
	if err != nil || !found {
		return s.fail(ctx, op, err)
	}
	return s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Run)(nil)).
			Set("outcome = ?", "failed").Set("error_code = ?", "run.abandoned").Set("finished_at = ?", s.now()).
			Set("error = ?", "the program that made this run ended before the run did; nothing of it was applied").
			Where("module_id = ?", moduleID).Where("id < ?", olderThanRun).Where("finished_at IS NULL").Exec(ctx)
		return err
	})
}

// whereID narrows a query where the id is not zero.
func whereID(query *bun.SelectQuery, column string, id int64) {
	if id != 0 {
		query.Where("? = ?", bun.Ident(column), id)
	}
}

// page reads at most limit rows of a query, all if it is zero. Total, if it is not nil, takes how many there are.
func page(ctx context.Context, query *bun.SelectQuery, limit int, total *int, dest ...any) error {
	if limit > 0 {
		query.Limit(int64(limit))
	}
	if total == nil {
		return query.Scan(ctx, dest...)
	}
	n, err := query.ScanAndCount(ctx, dest...)
	*total = int(n)
	return err
}

// oneRow makes sure that a statement changed one row.
func oneRow(result sql.Result, err error, what string) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = &NotFoundError{What: what}
	}
	return err
}
