// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"
)

const (
	// pgWriters and pgReaders are the most connections of one program. A Postgres allows 100 unless told otherwise, which is
	// enough for four programs.
	pgWriters, pgReaders = 14, 8
	// pgIdle is how many of each kind stay open with nothing to do, pgIdleTime for how long.
	pgIdle, pgIdleTime = 4, 5 * time.Minute
	// pgConnectTimeout is how long to wait for a server that does not answer, if the URL does not say.
	pgConnectTimeout = 10 * time.Second
	// pgHangs is how long a program may do nothing in the middle of its changes, as PostgreSQL writes it. What it does between
	// two statements takes less than a second.
	pgHangs = "5min"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

// postgres is the dialect of PostgreSQL 13 and later, in the schema that the connection's search_path begins with.
//
// Whoever writes the customers, mappings or subscriptions of a tenant first locks the tenant's row; that makes what is read
// and then written as safe as it is on SQLite, where one writes at a time, and no tenant waits for another.
type postgres struct {
	config *pgx.ConnConfig
	// place is what is shown of the URL.
	place string
	write *sql.DB
}

var _ interface {
	dialect
	copier
} = (*postgres)(nil)

func newPostgres(text string) (*postgres, error) {
	problem := &Error{
		Op: "open database", Path: "postgres:", Kind: KindURL, Message: "the database URL cannot be understood",
		Next: `Write url = "postgres://" with user:password@host:5432/database; in a name or password write %40 for @, %2F for / and %3A for :.`,
	}
	if _, err := url.Parse(text); err != nil {
		// What the parser says repeats the URL, and with it the password.
		return nil, problem
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		var cause interface{ Unwrap() error }
		if errors.As(err, &cause) && cause.Unwrap() != nil && !strings.Contains(text, "password") {
			problem.Err = bareParseError(cause.Unwrap())
		}
		return nil, problem
	}
	d := &postgres{config: config, place: placeOf(config)}
	// Bun writes arguments into the text, so that no statement comes twice.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if !strings.Contains(text, "connect_timeout") {
		config.ConnectTimeout = pgConnectTimeout
	}
	for name, value := range map[string]string{
		"application_name": "tallyman",
		"timezone":         "UTC",
		"lock_timeout":     strconv.FormatInt(busyTimeout.Milliseconds(), 10),
		// The locks of a machine that is gone are free again within a minute.
		"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
	} {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	return d, nil
}

// bareParseError leaves out errors that repeat what they could not parse.
func bareParseError(err error) error {
	var number *strconv.NumError
	var address *net.AddrError
	if errors.As(err, &number) || errors.As(err, &address) {
		return nil
	}
	var parse *url.Error
	if errors.As(err, &parse) {
		return nil
	}
	return err
}

// placeOf gives the URL of a database without anything secret.
func placeOf(config *pgx.ConnConfig) string {
	shown := url.URL{Scheme: "postgres", User: url.User(config.User), Path: "/" + config.Database}
	query := url.Values{}
	if strings.HasPrefix(config.Host, "/") {
		query.Set("host", config.Host)
	} else {
		shown.Host = net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	}
	if path := config.RuntimeParams["search_path"]; path != "" {
		query.Set("search_path", path)
	}
	shown.RawQuery = strings.ReplaceAll(query.Encode(), "%2F", "/")
	return shown.String()
}

func (d *postgres) bun() schema.Dialect { return pgdialect.New() }

func (d *postgres) shared() bool { return true }

func (d *postgres) migrations() (fs.FS, database.Dialect) {
	sub, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		panic("store: " + err.Error())
	}
	return sub, database.DialectPostgres
}

func (d *postgres) open(ctx context.Context, _ Options) (write, read *sql.DB, err error) {
	open := func(config *pgx.ConnConfig, most int) *sql.DB {
		db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(timesInUTC))
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(pgIdle)
		db.SetConnMaxIdleTime(pgIdleTime)
		return db
	}
	reading := d.config.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	write, read = open(d.config, pgWriters), open(reading, pgReaders)
	d.write = write
	var place sql.NullString
	err = read.QueryRowContext(ctx, "SELECT current_schema()").Scan(&place)
	if err == nil && !place.Valid {
		err = &Error{
			Op: "open database", Path: d.place, Kind: KindMissing, Message: "none of the schemas in the search_path exists in " + d.place,
			Next: "Create it (CREATE SCHEMA), or correct search_path in database.url.",
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, write.Close(), read.Close())
	}
	return write, read, nil
}

// timesInUTC makes a connection give times in UTC, as all are stored.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// prepare has nothing to do: what a database must be is in its schema.
func (d *postgres) prepare(context.Context, *sql.DB) error { return nil }

func (d *postgres) prepared(context.Context, *sql.DB) (bool, error) { return true, nil }

// migrating is the key of the lock that who migrates has alone, and those who write have together.
const migrating = "hashtextextended('tallyman migrates ' || current_schema(), 0)"

// lock holds an advisory lock in a transaction of its own, so that it is free again whatever becomes of this program.
func (d *postgres) lock(ctx context.Context, waiting func(string)) (func() error, error) {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	var locked bool
	_, err = tx.ExecContext(ctx, "SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
	if err == nil {
		err = tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock("+migrating+")").Scan(&locked)
	}
	if err == nil && !locked {
		waiting("an advisory lock of " + d.place)
		_, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock("+migrating+")")
	}
	if err == nil {
		return tx.Rollback, nil
	}
	if ctx.Err() != nil {
		err = &Error{
			Op: "migrate database", Path: d.place, Kind: KindLocked, Err: context.Cause(ctx),
			Message: fmt.Sprintf("another tallyman is migrating this database or writes to it (it holds an advisory lock of %s)", d.place),
			Next:    "Wait until it is done, or end that program.",
		}
	}
	if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
		err = errors.Join(err, rollbackErr)
	}
	return nil, err
}

func (d *postgres) state(ctx context.Context, read *sql.DB) (schemaState, error) {
	var tables, versioned int
	err := read.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE tablename = 'goose_db_version')
		FROM pg_catalog.pg_tables WHERE schemaname = current_schema()`).Scan(&tables, &versioned)
	if err != nil || versioned == 0 {
		return schemaState{foreign: tables > 0}, err
	}
	var state schemaState
	err = read.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0), "+pgFloor+" FROM goose_db_version WHERE is_applied").
		Scan(&state.version, &state.floor)
	return state, err
}

// pgFloor reads the number in the comment on goose's table: COMMENT ON TABLE goose_db_version IS 'needs schema 7'.
const pgFloor = `coalesce(substring(obj_description(to_regclass('goose_db_version'), 'pg_class') FROM '[0-9]+')::bigint, 0)`

// floor lets nobody migrate before the transaction ends. It looks only once nobody does.
func (d *postgres) floor(ctx context.Context, tx *sql.Tx) (floor int64, err error) {
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared("+migrating+")"); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT "+pgFloor).Scan(&floor)
	return floor, err
}

// reserveIDs takes ids from the sequence behind the table, which never gives one twice.
func (d *postgres) reserveIDs(ctx context.Context, tx *sql.Tx, table Table, n int, give func(id int64)) (err error) {
	rows, err := tx.QueryContext(ctx, "SELECT nextval($1) FROM generate_series(1, $2)", string(table)+"_id_seq", n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		give(id)
	}
	return rows.Err()
}

func (d *postgres) placeholders(b []byte, from, n int) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(from+i+1), 10)
	}
	return b
}

func (d *postgres) time(t time.Time) any { return t.UTC() }

func (d *postgres) inPlace() error { return nil }

// leaseIsWritten reports whether a transaction has locked a module's lease. It waits for nobody.
func (d *postgres) leaseIsWritten(ctx context.Context, tx bun.Tx, moduleID int64) (bool, error) {
	var there, free int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM leases WHERE module_id = ?", moduleID).Scan(&there)
	if err == nil && there > 0 {
		err = tx.QueryRowContext(ctx,
			"SELECT count(*) FROM (SELECT FROM leases WHERE module_id = ? FOR UPDATE SKIP LOCKED) free", moduleID).Scan(&free)
	}
	return there > free, err
}

// alone locks the tenant's row. References to it do not wait for that. A program that hangs meanwhile is thrown out by the server.
func (d *postgres) alone(ctx context.Context, tx bun.Tx, tenantID int64) error {
	if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = '"+pgHangs+"'"); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "SELECT FROM tenants WHERE id = ? FOR NO KEY UPDATE", tenantID)
	return err
}
