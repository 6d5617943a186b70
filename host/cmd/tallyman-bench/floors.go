// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	_ "modernc.org/sqlite" // the driver "sqlite"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// rawStream starts the plugin by go-plugin alone and reads both listings to their ends, doing nothing with them.
func rawStream(ctx context.Context, s source) (r result, err error) {
	settings, done, err := s.serve()
	if err != nil {
		return r, err
	}
	defer done()
	begin := time.Now()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: transport.Handshake(), VersionedPlugins: transport.ClientPlugins(), AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:      exec.Command(s.Plugin), //nolint:noctx // go-plugin ends it
		AutoMTLS: true, Logger: hclog.NewNullLogger(), GRPCDialOptions: transport.DialOptions(),
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return r, err
	}
	raw, err := protocol.Dispense(transport.PluginName)
	if err != nil {
		return r, err
	}
	rpc := raw.(distributorv1.DistributorServiceClient)
	wire := map[string]*distributorv1.SettingValue{}
	for name, text := range settings {
		wire[name] = &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: text}}
	}
	if _, err := rpc.Configure(ctx, &distributorv1.ConfigureRequest{Settings: wire}); err != nil {
		return r, err
	}
	customers, err := rpc.ListCustomers(ctx, &distributorv1.ListCustomersRequest{})
	if err != nil {
		return r, err
	}
	for err == nil {
		_, err = customers.Recv()
	}
	if !errors.Is(err, io.EOF) {
		return r, err
	}
	subscriptions, err := rpc.ListSubscriptions(ctx, &distributorv1.ListSubscriptionsRequest{})
	for err == nil {
		var event *distributorv1.ListSubscriptionsResponse
		event, err = subscriptions.Recv()
		r.Records += len(event.GetRecords().GetSubscriptions())
	}
	if !errors.Is(err, io.EOF) {
		return r, err
	}
	r.Seconds = time.Since(begin).Seconds()
	if r.Records != s.Subscriptions {
		return r, fmt.Errorf("the plugin streamed %d subscriptions, not %d", r.Records, s.Subscriptions)
	}
	r.HostPeak, r.PluginPeak = peak(os.Getpid()), peak(client.ReattachConfig().Pid)
	return r, nil
}

// rowsAtOnce is how many rows a statement inserts, rowsHeld how many are read before the clock goes on.
const rowsAtOnce, rowsHeld = 100, 20_000

// rawInsert writes every row that a first import left, table by table, into an empty database of the same schema: one
// transaction, prepared statements of many rows, the bare driver. Reading the rows is not counted.
func rawInsert(ctx context.Context, s source) (r result, err error) {
	from, err := openRaw(s.Database)
	if err != nil {
		return r, err
	}
	defer from.Close() //nolint:errcheck // it was only read
	floor := s.Database + ".floor"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(floor + suffix)
	}
	to, err := openRaw(floor)
	if err != nil {
		return r, err
	}
	defer to.Close() //nolint:errcheck // the database is thrown away
	tables, err := copySchema(ctx, from, to)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	tx, err := to.BeginTx(ctx, nil)
	if err != nil {
		return r, err
	}
	defer tx.Rollback() //nolint:errcheck // it was committed
	// References point forward and backward between the tables.
	if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil {
		return r, err
	}
	took := time.Since(begin)
	for _, table := range tables {
		this, n, err := copyRows(ctx, from, tx, table)
		if err != nil {
			return r, fmt.Errorf("%s: %w", table, err)
		}
		took, r.Records = took+this, r.Records+n
	}
	begin = time.Now()
	if err := tx.Commit(); err != nil {
		return r, err
	}
	r.Seconds = (took + time.Since(begin)).Seconds()
	return r, nil
}

func openRaw(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"_pragma": {"journal_mode(WAL)", "foreign_keys(1)", "synchronous(NORMAL)", "temp_store(MEMORY)", "cache_size(-32768)"}}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?"+query.Encode())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func copySchema(ctx context.Context, from, to *sql.DB) (tables []string, err error) {
	rows, err := from.QueryContext(ctx, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			return nil, err
		}
		if _, err := to.ExecContext(ctx, text); err != nil {
			return nil, err
		}
		if kind == "table" {
			tables = append(tables, name)
		}
	}
	return tables, rows.Err()
}

// copyRows copies a table and gives how long the inserts took.
func copyRows(ctx context.Context, from *sql.DB, tx *sql.Tx, table string) (took time.Duration, n int, err error) {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY rowid")
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	columns, err := rows.Columns()
	if err != nil {
		return 0, 0, err
	}
	write := inserter{ctx: ctx, tx: tx, table: table, columns: len(columns)}
	defer write.close()
	for more := true; more; {
		var held []any
		for more = rows.Next(); more; more = rows.Next() {
			start := len(held)
			held = append(held, make([]any, len(columns))...)
			into := make([]any, len(columns))
			for i := range into {
				into[i] = &held[start+i]
			}
			if err := rows.Scan(into...); err != nil {
				return 0, 0, err
			}
			if n++; len(held) >= rowsHeld*len(columns) {
				break
			}
		}
		begin := time.Now()
		if err := write.insert(held); err != nil {
			return 0, 0, err
		}
		took += time.Since(begin)
	}
	return took, n, rows.Err()
}

// inserter writes rows of a table by prepared statements.
type inserter struct {
	ctx     context.Context //nolint:containedctx // it lives as long as a loop
	tx      *sql.Tx
	table   string
	columns int
	many    *sql.Stmt
	one     *sql.Stmt
}

func (w *inserter) insert(values []any) (err error) {
	for len(values) > 0 {
		stmt, rows := &w.many, rowsAtOnce
		if len(values) < rowsAtOnce*w.columns {
			stmt, rows = &w.one, 1
		}
		if *stmt == nil {
			row := "(" + strings.Repeat("?,", w.columns-1) + "?)"
			text := "INSERT INTO " + w.table + " VALUES " + strings.Repeat(row+",", rows-1) + row
			if *stmt, err = w.tx.PrepareContext(w.ctx, text); err != nil { //nolint:sqlclosecheck // it is closed with the transaction
				return err
			}
		}
		if _, err := (*stmt).ExecContext(w.ctx, values[:rows*w.columns]...); err != nil {
			return err
		}
		values = values[rows*w.columns:]
	}
	return nil
}

func (w *inserter) close() {
	for _, stmt := range []*sql.Stmt{w.many, w.one} {
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}

// rowCounts are the rows of each table.
type rowCounts map[string]int

func countRows(ctx context.Context, path string) (rowCounts, error) {
	db, err := openRaw(path)
	if err != nil {
		return nil, err
	}
	return countIn(ctx, db)
}

// countAll counts in a database of either kind.
func countAll(ctx context.Context, url string) (rowCounts, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return countRows(ctx, path)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	return countIn(ctx, db)
}

func countIn(ctx context.Context, db *sql.DB) (rowCounts, error) {
	defer db.Close() //nolint:errcheck // it was only read
	counts := rowCounts{}
	for _, table := range []string{"runs", "customers", "sites", "mappings", "distributor_customers", "subscriptions", "distributor_subscriptions", "changes"} {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return nil, err
		}
		counts[table] = n
	}
	return counts, nil
}
