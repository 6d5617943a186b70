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

// Tx is what a run writes, in one transaction. Its methods may be called any number of times with slices of any size,
// from one goroutine at a time. Rows belong to the run's tenant and module: their TenantID and ModuleID are filled in, and
// an id of another is an error. Rows without a time get the present.
type Tx struct {
	store *Store
	tx    bun.Tx
	// conn is the transaction's connection; nil where many rows do not come.
	conn               *sql.Conn
	tenantID, moduleID int64
	holder             string
	prepared           map[statementKey]*sql.Stmt
	args               []any
}

// Apply runs fn in one write transaction. First it makes sure that the module's lease is still the holder's, and gives
// ErrLeaseLost if not; nobody can take the lease over until the transaction ends. If fn gives an error or panics, or ctx
// ends, nothing is changed.
func (s *Store) Apply(ctx context.Context, moduleID int64, holder string, fn func(ctx context.Context, tx *Tx) error) error {
	return s.changeOnce(ctx, "apply changes", func(ctx context.Context, conn *sql.Conn, btx bun.Tx) error {
		tx := &Tx{store: s, tx: btx, conn: conn, moduleID: moduleID, holder: holder, prepared: map[statementKey]*sql.Stmt{}}
		err := btx.NewSelect().Model((*Module)(nil)).Column("tenant_id").Where("id = ?", moduleID).Scan(ctx, &tx.tenantID)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrLeaseLost
		}
		if err == nil {
			err = s.dialect.alone(ctx, btx, tx.tenantID)
		}
		if err == nil {
			err = s.touchLease(ctx, btx.NewUpdate().Set("expires_at = expires_at"), moduleID, holder)
		}
		if err != nil {
			return err
		}
		err = fn(ctx, tx)
		return errors.Join(err, tx.close())
	})
}

// RenewLease makes the lease last for the time to live from now, once the transaction has ended well. While it goes on nobody can
// take the lease, however long ago it has expired.
func (t *Tx) RenewLease(ctx context.Context, ttl time.Duration) error {
	return t.store.touchLease(ctx, t.tx.NewUpdate().Set("expires_at = ?", stored(t.store.now().Add(ttl))), t.moduleID, t.holder)
}

func (t *Tx) close() error {
	var errs []error
	for _, stmt := range t.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// own fills in whose row it is. module is nil where rows belong to the tenant only.
func (t *Tx) own(table Table, tenant, module *int64) error {
	if *tenant != 0 && *tenant != t.tenantID || module != nil && *module != 0 && *module != t.moduleID {
		return fmt.Errorf("a row of %s belongs to another tenant or module", table)
	}
	*tenant = t.tenantID
	if module != nil {
		*module = t.moduleID
	}
	return nil
}

// fillIDs gives ids to those rows of n that have none. Nobody else gets them; they are free again only if the transaction
// fails.
func (t *Tx) fillIDs(ctx context.Context, table Table, n int, id func(i int) *int64) error {
	missing := 0
	for i := range n {
		if *id(i) == 0 {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	at := 0
	return t.store.dialect.reserveIDs(ctx, t.tx.Tx, table, missing, func(next int64) {
		for *id(at) != 0 {
			at++
		}
		*id(at) = next
	})
}

// bySlice calls fn for slices of at most 100 rows, which is what Bun is fastest with.
func bySlice[T any](ctx context.Context, rows []T, fn func(rows []T) error) error {
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(rows), 100)
		if err := fn(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// InsertMappings writes mappings and fills in their ids. A distributor customer that is mapped already is an error.
func (t *Tx) InsertMappings(ctx context.Context, rows []Mapping) error {
	if err := t.fillIDs(ctx, TableMappings, len(rows), func(i int) *int64 { return &rows[i].ID }); err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if err := t.own(TableMappings, &row.TenantID, &row.ModuleID); err != nil {
			return err
		}
		cleanAll(&row.Origin, &row.Who)
		t.store.orNow(&row.CreatedAt)
	}
	return bySlice(ctx, rows, func(rows []Mapping) error {
		_, err := t.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
		return err
	})
}

// InsertDistributorCustomers writes distributor customers and fills in their ids.
func (t *Tx) InsertDistributorCustomers(ctx context.Context, rows []DistributorCustomer) error {
	if err := t.fillIDs(ctx, TableDistributorCustomers, len(rows), func(i int) *int64 { return &rows[i].ID }); err != nil {
		return err
	}
	for i := range rows {
		if err := t.tidyDistributorCustomer(&rows[i]); err != nil {
			return err
		}
	}
	return bySlice(ctx, rows, func(rows []DistributorCustomer) error {
		_, err := t.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
		return err
	})
}

// UpdateDistributorCustomers writes whole distributor customers by id. One that is not there is an error.
func (t *Tx) UpdateDistributorCustomers(ctx context.Context, rows []DistributorCustomer) error {
	for i := range rows {
		row := &rows[i]
		if err := t.tidyDistributorCustomer(row); err != nil {
			return err
		}
		result, err := t.tx.NewUpdate().Model(row).ExcludeColumn("id", "tenant_id", "module_id", "created_at").
			WherePK().Where("tenant_id = ?", t.tenantID).Where("module_id = ?", t.moduleID).Exec(ctx)
		if err := oneRow(result, err, fmt.Sprintf("distributor customer %d", row.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) tidyDistributorCustomer(row *DistributorCustomer) error {
	if err := t.own(TableDistributorCustomers, &row.TenantID, &row.ModuleID); err != nil {
		return err
	}
	cleanAll(&row.Ref, &row.RefKey, &row.Name, &row.Lifecycle)
	if row.Record = cleanJSON(row.Record); row.Record == nil {
		row.Record = emptyObject()
	}
	t.store.orNow(&row.CreatedAt, &row.UpdatedAt)
	row.GoneAt = storedOrNil(row.GoneAt)
	return nil
}

// EnsureScopes fills in the ids of scopes, by their refs, and writes those that are not there yet or have another name.
// An empty name changes nothing.
func (t *Tx) EnsureScopes(ctx context.Context, rows []Scope) error {
	var known []Scope
	if err := t.tx.NewSelect().Model(&known).Where("module_id = ?", t.moduleID).Scan(ctx); err != nil {
		return err
	}
	byRef := make(map[string]Scope, len(known))
	for _, scope := range known {
		byRef[scope.Ref] = scope
	}
	for i := range rows {
		row := &rows[i]
		if err := t.own("scopes", &row.TenantID, &row.ModuleID); err != nil {
			return err
		}
		cleanAll(&row.Ref, &row.Name)
		if have, ok := byRef[row.Ref]; ok && (row.Name == "" || row.Name == have.Name) {
			row.ID = have.ID
			continue
		}
		fresh := *row
		fresh.ID = 0
		_, err := t.tx.NewInsert().Model(&fresh).ExcludeColumn("id").
			On("CONFLICT (module_id, ref) DO UPDATE").Set("name = EXCLUDED.name").Returning("id").Exec(ctx)
		if err != nil {
			return err
		}
		row.ID = fresh.ID
		byRef[row.Ref] = *row
	}
	return nil
}

// FinishRun writes how the run ended, together with what it changed.
func (t *Tx) FinishRun(ctx context.Context, run *Run) error {
	if run.ModuleID != t.moduleID {
		return fmt.Errorf("run %d belongs to another module", run.ID)
	}
	return t.store.finishRun(ctx, t.tx, run)
}
