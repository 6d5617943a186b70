// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Standing is how a module is doing, judged by its syncs of all customers: a run that was narrowed to some of them, a plan
// or a mapping by name says nothing about the module.
type Standing struct {
	// Running is the lease of whoever runs it now; nil if nobody does.
	Running *Lease
	// Last is the newest sync that has ended; nil if none has.
	Last *Run
	Trustworthy
	// Held is how many changes wait for a person.
	Held int
	// Failing is nil unless the newest sync that nobody cancelled has failed.
	Failing *Failing
}

// Failing is a row of syncs that failed, with no other between but cancelled ones.
type Failing struct {
	// Since is when the first of them started, Runs how many there are.
	Since time.Time
	Runs  int
	// Last is the newest of them, which says why.
	Last Run
}

// wholeSync are the syncs of all customers that have ended.
const wholeSync = "mode = 'sync' AND customers = '' AND finished_at IS NOT NULL"

// Standings gives how modules are doing, by their ids: those of a tenant, or all if tenantID is zero.
func (s *Store) Standings(ctx context.Context, tenantID int64) (map[int64]Standing, error) {
	modules, err := s.Modules(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	held, err := s.HeldCounts(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	leases, err := s.Leases(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	standings := make(map[int64]Standing, len(modules))
	for _, m := range modules {
		standing := Standing{Held: held[m.ID]}
		if err := s.history(ctx, m.ID, &standing); err != nil {
			return nil, err
		}
		standings[m.ID] = standing
	}
	for _, lease := range leases {
		standing := standings[lease.ModuleID]
		standing.Running = &lease
		standings[lease.ModuleID] = standing
	}
	return standings, nil
}

// StandingOf gives how one module is doing, without who runs it.
func (s *Store) StandingOf(ctx context.Context, m Module) (Standing, error) {
	var standing Standing
	held, err := s.read.NewSelect().Table("changes").Where("module_id = ?", m.ID).Where("status = 'held'").Where("tenant_id = ?", m.TenantID).Count(ctx)
	if err != nil {
		return standing, s.fail(ctx, "count held changes", err)
	}
	standing.Held = int(held)
	return standing, s.history(ctx, m.ID, &standing)
}

// LastNotCancelled gives the newest sync of all customers that has ended and that nobody cancelled; nil if there is none.
func (s *Store) LastNotCancelled(ctx context.Context, moduleID int64) (*Run, error) {
	return s.lastRun(ctx, moduleID, wholeSync+" AND outcome <> 'cancelled'")
}

// history fills in what the runs of a module say. Each of its queries reads the end of an index.
func (s *Store) history(ctx context.Context, moduleID int64, standing *Standing) (err error) {
	if standing.Last, err = s.lastRun(ctx, moduleID, wholeSync); err != nil || standing.Last == nil {
		return err
	}
	if standing.Trustworthy, err = s.LastTrustworthy(ctx, moduleID); err != nil {
		return err
	}
	newest, err := s.lastRun(ctx, moduleID, wholeSync+" AND outcome <> 'cancelled'")
	if err != nil || newest == nil || newest.Outcome != "failed" {
		return err
	}
	good, err := s.lastRun(ctx, moduleID, wholeSync+" AND outcome NOT IN ('failed', 'cancelled')")
	if err != nil {
		return err
	}
	failed := func(model any) *bun.SelectQuery {
		query := s.read.NewSelect().Model(model).Where("module_id = ?", moduleID).Where(wholeSync).Where("outcome = 'failed'")
		if good != nil {
			query.Where("id > ?", good.ID)
		}
		return query
	}
	var first Run
	n, err := failed(&first).Order("id").Limit(1).ScanAndCount(ctx)
	standing.Failing = &Failing{Since: first.StartedAt, Runs: int(n), Last: *newest}
	return s.fail(ctx, "read since when a module has been failing", err)
}
