// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
)

// indexScan reads nothing but the index distributor_subscriptions_scan.
const indexScan = `SELECT id, key_hash, fingerprint, scope_id, flags, subscription_id IS NOT NULL
	FROM distributor_subscriptions WHERE module_id = ? ORDER BY id`

func (d *sqlite) scanIndex(ctx context.Context, read *sql.DB, moduleID int64, fn func(IndexRow)) error {
	rows, err := read.QueryContext(ctx, indexScan, moduleID)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r IndexRow
		if err := rows.Scan(&r.ID, &r.KeyHash, &r.Fingerprint, &r.ScopeID, &r.Flags, &r.Linked); err != nil {
			return err
		}
		fn(r)
	}
	return rows.Err()
}
