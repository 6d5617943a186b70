// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The rows of subscriptions come by the million. They are written by prepared statements of many rows whose arguments are
// listed by hand; building the text of each statement by reflection takes about as long again as the database does.

// bulk names the columns of a table as its arguments are listed. The first is the id.
type bulk struct {
	table   Table
	columns []string
	// kept are columns that an update leaves as they are.
	kept []string
	// placed are columns that say where a row belongs. Writing them, even as they were, costs several indexes and
	// references each a look, more than the rest of the row; most updates leave them as they are.
	placed []string
}

// update is which columns of a row are written.
type update int

const (
	// wholeRow writes all columns but those that are kept, contents all but those that are kept or placed.
	wholeRow update = iota
	contents
)

// leaves reports whether an update leaves a column as it is.
func (b *bulk) leaves(how update, column string) bool {
	return slices.Contains(b.kept, column) || how == contents && slices.Contains(b.placed, column)
}

// rowsAtOnce are the sizes of the statements that many rows are split into.
var rowsAtOnce = [...]int{100, 10, 1}

// insertRows writes rows. list appends the arguments of one row in the order of the columns.
func insertRows[T any](ctx context.Context, t *Tx, into *bulk, rows []T, list func(args []any, row *T) []any) error {
	if c, ok := t.copier(len(rows)); ok {
		return c.copyRows(ctx, t.conn, string(into.table), into.columns, len(rows), func(i int) []any {
			t.args = list(t.args[:0], &rows[i])
			return t.args
		})
	}
	for _, size := range rowsAtOnce {
		for ; len(rows) >= size; rows = rows[size:] {
			stmt, err := t.statement(ctx, string(into.table)+" insert", size, into.insertion) //nolint:sqlclosecheck // it is closed with the transaction
			if err != nil {
				return err
			}
			t.args = t.args[:0]
			for i := range size {
				t.args = list(t.args, &rows[i])
			}
			// A context that can end costs a goroutine a statement. These are short.
			if _, err := stmt.ExecContext(context.WithoutCancel(ctx), t.args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// updateRows writes rows by id. A row that is not there, or belongs to another tenant or module, is an error.
func updateRows[T any](ctx context.Context, t *Tx, in *bulk, how update, rows []T, list func(args []any, row *T) []any) error {
	if len(rows) == 0 {
		return nil
	}
	if c, ok := t.copier(len(rows)); ok {
		n, err := c.updateFromCopy(ctx, t.conn, t.tx.Tx, in, how, t.tenantID, t.moduleID, len(rows), func(i int) []any {
			t.args = list(t.args[:0], &rows[i])
			return t.args
		})
		if err == nil && n != int64(len(rows)) {
			err = &NotFoundError{What: fmt.Sprintf("row for %d of %d rows of %s", int64(len(rows))-n, len(rows), in.table)}
		}
		return err
	}
	name := fmt.Sprintf("%s update %d", in.table, how)
	stmt, err := t.statement(ctx, name, 1, func(d dialect, _ int) string { return in.update(d, how) }) //nolint:sqlclosecheck // it is closed with the transaction
	if err != nil {
		return err
	}
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		listed := list(t.args[:0], &rows[i])
		id := listed[0]
		args := listed[:0]
		for j, column := range in.columns {
			if j > 0 && !in.leaves(how, column) {
				args = append(args, listed[j])
			}
		}
		t.args = append(args, id, t.tenantID, t.moduleID) //nolint:gocritic // args is the beginning of t.args
		result, err := stmt.ExecContext(context.WithoutCancel(ctx), t.args...)
		if err := oneRow(result, err, fmt.Sprintf("row %v of %s", id, in.table)); err != nil {
			return err
		}
	}
	return nil
}

// copyFrom is from how many rows on a stream is faster than statements.
const copyFrom = 50

// copier gives what takes that many rows in one stream, if the database has such a thing and they are enough.
func (t *Tx) copier(rows int) (copier, bool) {
	if t.conn == nil || rows < copyFrom {
		return nil, false
	}
	c, ok := t.store.dialect.(copier)
	return c, ok
}

// statement gives a prepared statement, once for each name and size.
func (t *Tx) statement(ctx context.Context, name string, rows int, text func(d dialect, rows int) string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := statementKey{name, rows}
	if stmt := t.prepared[key]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.tx.Tx.PrepareContext(ctx, text(t.store.dialect, rows))
	if err == nil {
		t.prepared[key] = stmt
	}
	return stmt, err
}

type statementKey struct {
	name string
	rows int
}

func (b *bulk) insertion(d dialect, rows int) string {
	text := fmt.Appendf(nil, "INSERT INTO %s (%s) VALUES ", b.table, strings.Join(b.columns, ", "))
	for i := range rows {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '(')
		text = d.placeholders(text, i*len(b.columns), len(b.columns))
		text = append(text, ')')
	}
	return string(text)
}

func (b *bulk) update(d dialect, how update) string {
	text := fmt.Appendf(nil, "UPDATE %s SET ", b.table)
	n := 0
	set := func(column, between string) {
		if n > 0 {
			text = append(text, between...)
		}
		text = append(text, column...)
		text = append(text, " = "...)
		text = d.placeholders(text, n, 1)
		n++
	}
	for _, column := range b.columns[1:] {
		if !b.leaves(how, column) {
			set(column, ", ")
		}
	}
	set("WHERE id", " ")
	set("tenant_id", " AND ")
	set("module_id", " AND ")
	return string(text)
}

var bulkDistributorSubscriptions = bulk{
	table: TableDistributorSubscriptions,
	columns: []string{
		"id", "tenant_id", "module_id", "ref", "ref_key", "key_hash", "fingerprint", "customer_key", "scope_id", "flags",
		"missing", "record", "subscription_id", "created_at", "updated_at",
	},
	kept:   []string{"tenant_id", "module_id", "created_at"},
	placed: []string{"ref_key", "key_hash", "customer_key", "scope_id", "subscription_id"},
}

func (t *Tx) listDistributorSubscription(args []any, r *DistributorSubscription) []any {
	return append(args, r.ID, r.TenantID, r.ModuleID, clean(r.Ref), clean(r.RefKey), r.KeyHash, r.Fingerprint,
		clean(r.CustomerKey), r.ScopeID, r.Flags, r.Missing, objectArg(r.Record), intArg(r.SubscriptionID),
		t.timeArg(r.CreatedAt), t.timeArg(r.UpdatedAt))
}

// InsertDistributorSubscriptions writes distributor subscriptions and fills in the ids of those that have none.
func (t *Tx) InsertDistributorSubscriptions(ctx context.Context, rows []DistributorSubscription) error {
	if err := t.ownDistributorSubscriptions(rows); err != nil {
		return err
	}
	err := t.fillIDs(ctx, TableDistributorSubscriptions, len(rows), func(i int) *int64 { return &rows[i].ID })
	if err != nil {
		return err
	}
	return insertRows(ctx, t, &bulkDistributorSubscriptions, rows, t.listDistributorSubscription)
}

// UpdateDistributorSubscriptions writes whole distributor subscriptions by id. One that is not there is an error.
func (t *Tx) UpdateDistributorSubscriptions(ctx context.Context, rows []DistributorSubscription) error {
	if err := t.ownDistributorSubscriptions(rows); err != nil {
		return err
	}
	return updateRows(ctx, t, &bulkDistributorSubscriptions, wholeRow, rows, t.listDistributorSubscription)
}

// UpdateDistributorSubscriptionContents is UpdateDistributorSubscriptions for rows that have the same key, customer, scope
// and subscription as before, which it does not write.
func (t *Tx) UpdateDistributorSubscriptionContents(ctx context.Context, rows []DistributorSubscription) error {
	if err := t.ownDistributorSubscriptions(rows); err != nil {
		return err
	}
	return updateRows(ctx, t, &bulkDistributorSubscriptions, contents, rows, t.listDistributorSubscription)
}

func (t *Tx) ownDistributorSubscriptions(rows []DistributorSubscription) error {
	for i := range rows {
		if err := t.own(TableDistributorSubscriptions, &rows[i].TenantID, &rows[i].ModuleID); err != nil {
			return err
		}
	}
	return nil
}

var bulkSubscriptions = bulk{
	table: TableSubscriptions,
	columns: []string{
		"id", "tenant_id", "customer_id", "module_id", "distributor", "ref", "name", "quantity", "unit", "active", "state",
		"status", "charge", "billing_term", "commitment_term", "started_on", "commitment_end", "cancellable_until",
		"auto_renew", "trial", "sku", "vendor", "vendor_ref", "parent_ref", "customer_price", "partner_cost", "list_price",
		"currency", "deactivated_at", "created_at", "updated_at",
	},
	kept:   []string{"tenant_id", "module_id", "created_at"},
	placed: []string{"customer_id", "distributor", "ref", "active", "deactivated_at"},
}

func (t *Tx) listSubscription(args []any, r *Subscription) []any {
	return append(args, r.ID, r.TenantID, r.CustomerID, r.ModuleID, clean(r.Distributor), clean(r.Ref), clean(r.Name),
		textArg(r.Quantity), clean(r.Unit), r.Active, clean(r.State), clean(r.Status), clean(r.Charge), clean(r.BillingTerm),
		clean(r.CommitmentTerm), clean(r.StartedOn), clean(r.CommitmentEnd), clean(r.CancellableUntil), boolArg(r.AutoRenew),
		boolArg(r.Trial), clean(r.SKU), clean(r.Vendor), clean(r.VendorRef), clean(r.ParentRef), textArg(r.CustomerPrice),
		textArg(r.PartnerCost), textArg(r.ListPrice), clean(r.Currency), t.timeOrNull(r.DeactivatedAt),
		t.timeArg(r.CreatedAt), t.timeArg(r.UpdatedAt))
}

// InsertSubscriptions writes subscriptions and fills in the ids of those that have none.
func (t *Tx) InsertSubscriptions(ctx context.Context, rows []Subscription) error {
	if err := t.ownSubscriptions(rows); err != nil {
		return err
	}
	if err := t.fillIDs(ctx, TableSubscriptions, len(rows), func(i int) *int64 { return &rows[i].ID }); err != nil {
		return err
	}
	return insertRows(ctx, t, &bulkSubscriptions, rows, t.listSubscription)
}

// UpdateSubscriptions writes whole subscriptions by id. One that is not there is an error.
func (t *Tx) UpdateSubscriptions(ctx context.Context, rows []Subscription) error {
	if err := t.ownSubscriptions(rows); err != nil {
		return err
	}
	return updateRows(ctx, t, &bulkSubscriptions, wholeRow, rows, t.listSubscription)
}

// UpdateSubscriptionContents is UpdateSubscriptions for subscriptions that stay with their customer, and active or not as
// they were, which it does not write.
func (t *Tx) UpdateSubscriptionContents(ctx context.Context, rows []Subscription) error {
	if err := t.ownSubscriptions(rows); err != nil {
		return err
	}
	return updateRows(ctx, t, &bulkSubscriptions, contents, rows, t.listSubscription)
}

func (t *Tx) ownSubscriptions(rows []Subscription) error {
	for i := range rows {
		if err := t.own(TableSubscriptions, &rows[i].TenantID, &rows[i].ModuleID); err != nil {
			return err
		}
	}
	return nil
}

var bulkChanges = bulk{
	table: "changes",
	columns: []string{
		"tenant_id", "module_id", "run_id", "entity", "entity_id", "entity_key", "name", "customer_id", "kind", "status",
		"guard", "before", "after", "reason", "who", "created_at",
	},
}

// InsertChanges writes the record of changes. Their ids are not filled in.
func (t *Tx) InsertChanges(ctx context.Context, rows []Change) error {
	for i := range rows {
		row := &rows[i]
		if row.ModuleID == nil {
			row.ModuleID = &t.moduleID
		}
		if err := t.own("changes", &row.TenantID, row.ModuleID); err != nil {
			return err
		}
	}
	return insertRows(ctx, t, &bulkChanges, rows, func(args []any, r *Change) []any {
		return append(args, r.TenantID, intArg(r.ModuleID), intArg(r.RunID), clean(r.Entity), intArg(r.EntityID),
			clean(r.EntityKey), clean(r.Name), intArg(r.CustomerID), clean(r.Kind), clean(r.Status), clean(r.Guard),
			jsonArg(r.Before), jsonArg(r.After), clean(r.Reason), clean(r.Who), t.timeArg(r.CreatedAt))
	})
}

func (t *Tx) timeArg(at time.Time) any {
	if at.IsZero() {
		at = t.store.now()
	}
	return t.store.dialect.time(at)
}

func (t *Tx) timeOrNull(at *time.Time) any {
	if at == nil {
		return nil
	}
	return t.store.dialect.time(*at)
}

func intArg(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

func boolArg(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

func textArg(s *string) any {
	if s == nil {
		return nil
	}
	return clean(*s)
}

// jsonArg gives JSON as text; nothing is NULL.
func jsonArg(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return clean(string(raw))
}

// objectArg gives JSON as text; nothing is an empty object.
func objectArg(raw json.RawMessage) any {
	if len(raw) == 0 {
		return "{}"
	}
	return clean(string(raw))
}
