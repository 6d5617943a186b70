// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// dialect is everything in which one database differs from another. The queries are shared.
type dialect interface {
	// bun gives the dialect of the query builder.
	bun() schema.Dialect
	// shared reports whether programs on several machines may have it open.
	shared() bool
	// open gives a pool for writing and one for reading. They may be the same.
	open(ctx context.Context, opts Options) (write, read *sql.DB, err error)
	// prepare makes sure of what must be true of a database beyond its schema. It is called under the lock.
	prepare(ctx context.Context, write *sql.DB) error
	// prepared reports whether prepare has nothing to do.
	prepared(ctx context.Context, read *sql.DB) (bool, error)
	// lock lets one program at a time migrate. waiting is called once if it has to wait.
	lock(ctx context.Context, waiting func(lock string)) (unlock func() error, err error)
	// floor gives schemaState.floor in a transaction, and keeps it so until the transaction ends.
	floor(ctx context.Context, tx *sql.Tx) (int64, error)
	// state tells which schema there is.
	state(ctx context.Context, read *sql.DB) (schemaState, error)
	// migrations gives the folder of migrations and goose's name of the database.
	migrations() (fs.FS, database.Dialect)
	// classify says what an error means; nil if it is not the database's. Op and Path are filled in by the caller.
	classify(err error) *Error
	// reserveIDs takes n ids of a table that nobody will use again, and gives each, in rising order.
	reserveIDs(ctx context.Context, tx *sql.Tx, table Table, n int, give func(id int64)) error
	// inPlace gives an error if what is open is not what others find under the database's name any more.
	inPlace() error
	// leaseIsWritten reports whether a transaction has locked a module's lease. It waits for nobody.
	leaseIsWritten(ctx context.Context, tx bun.Tx, moduleID int64) (bool, error)
	// alone makes a transaction the only one that writes what a tenant has, until it ends. Waiting for it ends with ctx.
	alone(ctx context.Context, tx bun.Tx, tenantID int64) error
	// again reports whether a transaction that failed before its commit may work in a moment.
	again(err error) bool
	// rolledBack reports whether a commit that failed certainly left nothing, and may work in a moment.
	rolledBack(err error) bool
	// placeholders appends a list of n placeholders, of which the first has the number from+1.
	placeholders(b []byte, from, n int) []byte
	// time turns a time into an argument of a prepared statement.
	time(t time.Time) any
	// scanIndex is the hot scan behind Store.ScanIndex.
	scanIndex(ctx context.Context, read *sql.DB, moduleID int64, fn func(IndexRow)) error

	// tables gives all tables but those that say which schema there is, in an order in which they can be filled.
	tables(ctx context.Context, db bun.IDB) ([]table, error)
	// freeze keeps others from writing to the tables until the transaction ends.
	freeze(ctx context.Context, tx bun.Tx, tables []table) error
	// load fills a table with the rows that next gives, until it gives nil. conn is the transaction's.
	load(ctx context.Context, conn *sql.Conn, tx bun.Tx, t table, next func() ([]any, error)) error
	// lastID gives the last id of a table that was given out, setLastID makes it that.
	lastID(ctx context.Context, tx bun.Tx, name string) (int64, error)
	setLastID(ctx context.Context, tx bun.Tx, name string, last int64) error
}

// copier is a dialect that takes many rows in one stream. The connection has a transaction of its own under way. row gives
// the values of a row in the order of the columns, which are used up before the next call.
type copier interface {
	// copyRows writes rows into a table.
	copyRows(ctx context.Context, conn *sql.Conn, table string, columns []string, n int, row func(i int) []any) error
	// updateFromCopy writes rows of the tenant's module by id, and gives how many of them were there.
	updateFromCopy(
		ctx context.Context, conn *sql.Conn, tx *sql.Tx, in *bulk, how update, tenantID, moduleID int64, n int, row func(i int) []any,
	) (int64, error)
}

// schemaState is which schema a database has.
type schemaState struct {
	// version is that of the newest migration that was applied; 0 if none.
	version int64
	// floor is the oldest schema whose programs may work with this one. A migration that adds something leaves it as it is;
	// one that older programs could not live with sets it to its own version. 0: any may.
	floor int64
	// foreign: there are tables, but none that says which migrations were applied.
	foreign bool
}

// Table is a table of which ids can be reserved.
type Table string

// The tables of which ids can be reserved.
const (
	TableCustomers                Table = "customers"
	TableSites                    Table = "sites"
	TableDistributorCustomers     Table = "distributor_customers"
	TableMappings                 Table = "mappings"
	TableSubscriptions            Table = "subscriptions"
	TableDistributorSubscriptions Table = "distributor_subscriptions"
)
