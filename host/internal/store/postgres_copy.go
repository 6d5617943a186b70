// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// copyRows streams rows into a table of the transaction that is under way on the connection.
func (d *postgres) copyRows(ctx context.Context, conn *sql.Conn, table string, columns []string, n int, row func(i int) []any) error {
	return onPgx(conn, func(conn *pgx.Conn) error {
		_, err := conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
		return err
	})
}

// updateFromCopy copies rows beside the table and takes the columns over by id, in one statement. It gives how many were there.
func (d *postgres) updateFromCopy(
	ctx context.Context, conn *sql.Conn, tx *sql.Tx, in *bulk, how update, tenantID, moduleID int64, n int, row func(i int) []any,
) (int64, error) {
	beside, columns := string(in.table)+"_staged", strings.Join(in.columns, ", ")
	_, err := tx.ExecContext(ctx, fmt.Sprintf(
		"CREATE TEMP TABLE IF NOT EXISTS %s ON COMMIT DROP AS SELECT %s FROM %s WITH NO DATA", beside, columns, in.table))
	if err != nil {
		return 0, err
	}
	if err := d.copyRows(ctx, conn, beside, in.columns, n, row); err != nil {
		return 0, err
	}
	var set []string
	for _, column := range in.columns[1:] {
		if !in.leaves(how, column) {
			set = append(set, fmt.Sprintf("%[1]s = staged.%[1]s", column))
		}
	}
	result, err := tx.ExecContext(ctx, fmt.Sprintf(
		"UPDATE %s AS t SET %s FROM %s AS staged WHERE t.id = staged.id AND t.tenant_id = %d AND t.module_id = %d",
		in.table, strings.Join(set, ", "), beside, tenantID, moduleID))
	if err != nil {
		return 0, err
	}
	updated, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "TRUNCATE "+beside)
	return updated, err
}

// onPgx gives the driver's own connection.
func onPgx(conn *sql.Conn, fn func(conn *pgx.Conn) error) error {
	return conn.Raw(func(raw any) (err error) {
		defer func() {
			// A panic that goes through database/sql leaves the connection as it is.
			if cause := recover(); cause != nil {
				err = fmt.Errorf("panic while the database was read or written: %v", cause)
			}
		}()
		std, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", raw)
		}
		return fn(std.Conn())
	})
}

// pgIndexScan reads nothing but the index distributor_subscriptions_scan, where the table was vacuumed since it was written.
const pgIndexScan = `SELECT id, key_hash, fingerprint, scope_id, flags, subscription_id IS NOT NULL
	FROM distributor_subscriptions WHERE module_id = $1`

// scanIndex takes the numbers from the wire as they come: scanning a value at a time takes several times as long.
func (d *postgres) scanIndex(ctx context.Context, read *sql.DB, moduleID int64, fn func(IndexRow)) error {
	conn, err := read.Conn(ctx)
	if err != nil {
		return err
	}
	err = onPgx(conn, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, pgIndexScan, pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.BinaryFormatCode}, moduleID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			raw := rows.RawValues()
			for _, value := range raw[:5] {
				if len(value) != 8 {
					return errors.New("the index of distributor subscriptions holds something that is no number")
				}
			}
			number := func(i int) int64 { return int64(binary.BigEndian.Uint64(raw[i])) }
			fn(IndexRow{
				ID: number(0), KeyHash: number(1), Fingerprint: number(2), ScopeID: number(3), Flags: number(4) & 0xff,
				Linked: raw[5][0] != 0,
			})
		}
		return rows.Err()
	})
	return errors.Join(err, conn.Close())
}
