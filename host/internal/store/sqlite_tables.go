// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// tables reads the schema. Those of SQLite and of goose are not among the tables.
func (d *sqlite) tables(ctx context.Context, db bun.IDB) ([]table, error) {
	const ours = `t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name <> 'goose_db_version'`
	var columns []described
	err := db.NewRaw(`SELECT t.name AS "table", c.name, c.type, c.pk AS "key", c.pk = 1 AND t.sql LIKE '% AUTOINCREMENT%' AS counted
		FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE `+ours+` ORDER BY t.name, c.cid`).Scan(ctx, &columns)
	if err != nil {
		return nil, err
	}
	var references []reference
	err = db.NewRaw(`SELECT DISTINCT t.name AS "table", f."table" AS other
		FROM sqlite_master AS t JOIN pragma_foreign_key_list(t.name) AS f WHERE `+ours).Scan(ctx, &references)
	if err != nil {
		return nil, err
	}
	return tablesOf(columns, references)
}

// freeze has nothing to do: a transaction that writes is the only one.
func (d *sqlite) freeze(context.Context, bun.Tx, []table) error { return nil }

// load writes row by row. A row may refer to a later one of its table.
func (d *sqlite) load(ctx context.Context, _ *sql.Conn, tx bun.Tx, t table, next func() ([]any, error)) (err error) {
	if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil {
		return err
	}
	insertion := "INSERT INTO " + quoted([]string{t.name}) + " (" + quoted(t.columnNames()) + ") VALUES ("
	insert, err := tx.PrepareContext(ctx, string(d.placeholders([]byte(insertion), 0, len(t.columns)))+")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for {
		values, err := next()
		if err != nil || values == nil {
			return err
		}
		for i, value := range values {
			if at, is := value.(time.Time); is {
				values[i] = d.time(at)
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
}

func (d *sqlite) lastID(ctx context.Context, tx bun.Tx, name string) (last int64, err error) {
	err = tx.NewRaw("SELECT seq FROM sqlite_sequence WHERE name = ?", name).Scan(ctx, &last)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return last, err
}

func (d *sqlite) setLastID(ctx context.Context, tx bun.Tx, name string, last int64) error {
	result, err := tx.ExecContext(ctx, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", last, name)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 || last == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", name, last)
	return err
}
