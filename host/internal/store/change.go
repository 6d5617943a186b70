// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// The states of a change.
const (
	ChangeApplied = "applied"
	// ChangeHeld: a guard held it; a person has to decide.
	ChangeHeld = "held"
	// ChangeApproved: it was held, and a later run applied it.
	ChangeApproved = "approved"
	// ChangeRejected: it was held, and a person said no.
	ChangeRejected = "rejected"
	// ChangeSuperseded: it was held, and a later run looked at the matter again.
	ChangeSuperseded = "superseded"
)

// ChangeFilter narrows a list of changes. Zero values do not.
type ChangeFilter struct {
	TenantID, ModuleID, RunID, CustomerID int64
	Entity, Kind, Status                  string
	EntityID                              int64
	// Search is any part of the name or the distributor's id.
	Search string
	// Oldest gives the oldest first; otherwise it is the newest.
	Oldest bool
	// AfterID is the last id of the page before.
	AfterID int64
	Limit   int
	// Total, if it is not nil, takes how many there are without the limit.
	Total *int
}

// ChangeRow is a change as it is listed.
type ChangeRow struct {
	Change `bun:",extend"`

	Tenant   string `json:"tenant"`
	Module   string `json:"module"`
	Customer string `json:"customer"`
}

// Changes gives changes, newest first unless the filter says otherwise.
func (s *Store) Changes(ctx context.Context, filter ChangeFilter) ([]ChangeRow, error) {
	var list []ChangeRow
	query := s.read.NewSelect().TableExpr("changes AS h").
		ColumnExpr("h.*, t.name AS tenant, coalesce(o.name, '') AS module, coalesce(c.name, '') AS customer").
		Join("JOIN tenants AS t ON t.id = h.tenant_id").
		Join("LEFT JOIN modules AS o ON o.id = h.module_id").
		Join("LEFT JOIN customers AS c ON c.id = h.customer_id")
	whereID(query, "h.tenant_id", filter.TenantID)
	whereID(query, "h.module_id", filter.ModuleID)
	whereID(query, "h.run_id", filter.RunID)
	whereID(query, "h.customer_id", filter.CustomerID)
	whereID(query, "h.entity_id", filter.EntityID)
	for column, value := range map[string]string{"h.entity": filter.Entity, "h.kind": filter.Kind, "h.status": filter.Status} {
		if value != "" {
			query.Where("? = ?", bun.Ident(column), value)
		}
	}
	whereMatches(query, filter.Search, "h.name", "h.entity_key")
	order, beyond := "h.id DESC", "h.id < ?"
	if filter.Oldest {
		order, beyond = "h.id", "h.id > ?"
	}
	query.OrderExpr(order)
	if filter.AfterID != 0 {
		query.Where(beyond, filter.AfterID)
	}
	err := page(ctx, query, filter.Limit, filter.Total, &list)
	return list, s.fail(ctx, "list changes", err)
}

// HeldCounts gives how many changes are held, by module; of all tenants if tenantID is zero.
func (s *Store) HeldCounts(ctx context.Context, tenantID int64) (map[int64]int, error) {
	var rows []struct {
		ModuleID int64
		N        int
	}
	query := s.read.NewSelect().Table("changes").ColumnExpr("module_id, count(*) AS n").
		Where("status = 'held'").Where("module_id IS NOT NULL").Group("module_id")
	whereID(query, "tenant_id", tenantID)
	err := query.Scan(ctx, &rows)
	counts := make(map[int64]int, len(rows))
	for _, row := range rows {
		counts[row.ModuleID] = row.N
	}
	return counts, s.fail(ctx, "count held changes", err)
}

// RejectHeld says no to everything a run of a tenant held, and gives how many changes that were.
func (s *Store) RejectHeld(ctx context.Context, tenantID, runID int64, who string) (int, error) {
	n := 0
	err := s.change(ctx, fmt.Sprintf("reject what run %d held", runID), func(ctx context.Context, tx bun.Tx) error {
		found, err := tx.NewSelect().Model((*Run)(nil)).Where("id = ?", runID).Where("tenant_id = ?", tenantID).Exists(ctx)
		if err != nil {
			return err
		}
		if !found {
			return &NotFoundError{What: fmt.Sprintf("run %d", runID), Next: "See tallyman runs list."}
		}
		query := tx.NewUpdate().Where("run_id = ?", runID).Where("tenant_id = ?", tenantID)
		n, err = s.decide(ctx, query, ChangeRejected, who)
		return err
	})
	return n, err
}

// HeldFilter says which held changes of a module are meant. Zero values do not narrow.
type HeldFilter struct {
	// BeforeRun means those of older runs, RunID those of one run.
	BeforeRun, RunID int64
	// IDs, Entities and CustomerIDs mean only those.
	IDs         []int64
	Entities    []string
	CustomerIDs []int64
}

// SetHeld gives held changes of the module another status, with who decided it, and says how many they were.
func (t *Tx) SetHeld(ctx context.Context, filter HeldFilter, status, who string) (int, error) {
	query := func() *bun.UpdateQuery {
		q := t.tx.NewUpdate().Where("module_id = ?", t.moduleID).Where("tenant_id = ?", t.tenantID)
		if filter.BeforeRun != 0 {
			q.Where("run_id < ?", filter.BeforeRun)
		}
		if filter.RunID != 0 {
			q.Where("run_id = ?", filter.RunID)
		}
		if len(filter.Entities) > 0 {
			q.Where("entity IN (?)", bun.List(filter.Entities))
		}
		if len(filter.CustomerIDs) > 0 {
			q.Where("customer_id IN (?)", bun.List(filter.CustomerIDs))
		}
		return q
	}
	if len(filter.IDs) == 0 {
		return t.store.decide(ctx, query(), status, who)
	}
	total := 0
	err := bySlice(ctx, filter.IDs, func(ids []int64) error {
		n, err := t.store.decide(ctx, query().Where("id IN (?)", bun.List(ids)), status, who)
		total += n
		return err
	})
	return total, err
}

// Supersede marks what older runs of the module held, because this run has looked at it again.
func (t *Tx) Supersede(ctx context.Context, filter HeldFilter) (int, error) {
	return t.SetHeld(ctx, filter, ChangeSuperseded, "")
}

// decide ends the waiting of held changes.
func (s *Store) decide(ctx context.Context, query *bun.UpdateQuery, status, who string) (int, error) {
	result, err := query.Model((*Change)(nil)).Set("status = ?", status).Set("decided_by = ?", clean(who)).
		Set("decided_at = ?", s.now()).Where("status = 'held'").Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
