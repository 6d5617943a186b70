// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// tables reads the schema. That of goose is not among the tables.
func (d *postgres) tables(ctx context.Context, db bun.IDB) ([]table, error) {
	var columns []described
	err := db.NewRaw(`SELECT c.table_name AS "table", c.column_name AS name, c.data_type AS type, c.is_identity = 'YES' AS counted,
			coalesce(array_position(i.indkey::smallint[], c.ordinal_position::smallint), -1) + 1 AS "key"
		FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
		LEFT JOIN pg_catalog.pg_index AS i
			ON i.indrelid = (quote_ident(c.table_schema) || '.' || quote_ident(c.table_name))::regclass AND i.indisprimary
		WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> 'goose_db_version'
		ORDER BY c.table_name COLLATE "C", c.ordinal_position`).Scan(ctx, &columns)
	if err != nil {
		return nil, err
	}
	var references []reference
	err = db.NewRaw(`SELECT DISTINCT a.relname AS "table", b.relname AS other FROM pg_catalog.pg_constraint AS c
		JOIN pg_catalog.pg_class AS a ON a.oid = c.conrelid JOIN pg_catalog.pg_class AS b ON b.oid = c.confrelid
		WHERE c.contype = 'f' AND a.relnamespace = current_schema()::regnamespace`).Scan(ctx, &references)
	if err != nil {
		return nil, err
	}
	return tablesOf(columns, references)
}

// freeze lets others read only, until the transaction ends, once those who write have done so.
func (d *postgres) freeze(ctx context.Context, tx bun.Tx, tables []table) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.name
	}
	_, err := tx.ExecContext(ctx, "LOCK TABLE "+quoted(names)+" IN SHARE ROW EXCLUSIVE MODE")
	return err
}

// load streams the rows.
func (d *postgres) load(ctx context.Context, conn *sql.Conn, _ bun.Tx, t table, next func() ([]any, error)) error {
	return onPgx(conn, func(conn *pgx.Conn) error {
		_, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columnNames(), pgx.CopyFromFunc(next))
		return err
	})
}

func (d *postgres) lastID(ctx context.Context, tx bun.Tx, name string) (last int64, err error) {
	err = tx.NewRaw("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM ?", bun.Ident(name+"_id_seq")).Scan(ctx, &last)
	return last, err
}

// setLastID is taken back with the transaction, as setval is not.
func (d *postgres) setLastID(ctx context.Context, tx bun.Tx, name string, last int64) error {
	_, err := tx.ExecContext(ctx, "ALTER TABLE ? ALTER COLUMN id RESTART WITH ?", bun.Ident(name), last+1)
	return err
}
