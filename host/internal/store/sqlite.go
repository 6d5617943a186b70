// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	// busyTimeout is how long to wait for another program's write. The largest apply takes about a minute. The wait also
	// ends with the context.
	busyTimeout = 3 * time.Minute
	// writeCache and readCache are the page caches of one connection, in KiB of pages. The driver's allocator rounds up to
	// powers of two, so that a cache takes twice that. The import of a million subscriptions takes as long with 16 MiB for
	// writing as with 32. Reading is mostly in order, which no cache helps.
	writeCache, readCache = 16 << 10, 2 << 10
	// readers is the number of connections for reading.
	readers = 4
	// walLimit is the size in bytes to which the log of a large write is cut back.
	walLimit = 64 << 20
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// creating keeps a new file from being opened by SQLite before it is closed here: closing a file gives up every lock this
// process has on it.
var creating sync.Mutex

// sqlite is the dialect of SQLite, on one file.
type sqlite struct {
	path   string
	stamps stamps
	// opened is the file that is open.
	opened fs.FileInfo
}

var _ dialect = (*sqlite)(nil)

func newSQLite(path, baseDir string) (*sqlite, error) {
	problem := &Error{Op: "open database", Path: path, Kind: KindURL, Next: `Write url = "sqlite:tallyman.db", or give the whole path.`}
	if rest, ok := strings.CutPrefix(path, "//"); ok && strings.HasPrefix(rest, "/") {
		path = rest
	}
	switch {
	case path == "":
		problem.Message = "the database URL names no file"
		return nil, problem
	case path == ":memory:" || strings.HasPrefix(path, "//"):
		problem.Message = fmt.Sprintf("the database URL has to name a file on this machine, not %q", path)
		return nil, problem
	case strings.IndexByte(path, 0) >= 0:
		problem.Message = "the database URL holds a NUL character"
		return nil, problem
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(baseDir, path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		problem.Message, problem.Err = "the path of the database cannot be made absolute", err
		return nil, problem
	}
	return &sqlite{path: absolute}, nil
}

func (d *sqlite) bun() schema.Dialect { return sqlitedialect.New() }

func (d *sqlite) shared() bool { return false }

func (d *sqlite) migrations() (fs.FS, database.Dialect) {
	sub, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		panic("store: " + err.Error())
	}
	return sub, database.DialectSQLite3
}

func (d *sqlite) open(_ context.Context, opts Options) (write, read *sql.DB, err error) {
	if err := d.file(opts.NoCreate); err != nil {
		return nil, nil, err
	}
	if d.opened, err = os.Stat(d.path); err != nil {
		return nil, nil, err
	}
	if write, err = sql.Open("sqlite", d.dsn(writeCache, "")); err != nil {
		return nil, nil, err
	}
	if read, err = sql.Open("sqlite", d.dsn(readCache, "query_only(1)")); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// file makes the file, if there is none, or says why it cannot be.
func (d *sqlite) file(noCreate bool) error {
	problem := &Error{Path: d.path}
	info, err := os.Stat(d.path)
	switch {
	case err == nil && info.IsDir():
		problem.Kind, problem.Message = KindNotDatabase, fmt.Sprintf("%s is a folder", d.path)
		problem.Next = "Name a file in it with database.url, such as sqlite:" + filepath.Join(d.path, "tallyman.db") + "."
		return problem.during("open database")
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return d.notAllowed(err).during("open database")
	case !errors.Is(err, fs.ErrNotExist):
		problem.Kind, problem.Message, problem.Err = KindIO, fmt.Sprintf("%s cannot be looked at", d.path), err
		return problem.during("open database")
	}
	if noCreate {
		return d.missing().during("open database")
	}
	creating.Lock()
	defer creating.Unlock()
	file, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return file.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	dir := filepath.Dir(d.path)
	if _, statErr := os.Stat(dir); errors.Is(statErr, fs.ErrNotExist) {
		problem.Kind, problem.Message = KindNoDirectory, fmt.Sprintf("the folder %s does not exist", dir)
		problem.Next = fmt.Sprintf("Make it (mkdir -p %q), or name another place with database.url.", dir)
		return problem.during("create database")
	}
	problem.Kind, problem.Message, problem.Err = kindOfFileError(err), fmt.Sprintf("%s cannot be created", d.path), bare(err)
	problem.Next = nextFor(problem.Kind, dir)
	return problem.during("create database")
}

func (e *Error) during(op string) *Error {
	e.Op = op
	return e
}

func (d *sqlite) missing() *Error {
	return &Error{
		Path: d.path, Kind: KindMissing, Message: "there is no database at " + d.path,
		Next: "Run tallyman sync or tallyman db migrate, which create it, or correct database.url.",
	}
}

// dsn gives what the driver opens. The file is never created by it.
func (d *sqlite) dsn(cacheKiB int, pragma string) string {
	path := filepath.ToSlash(d.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	query := url.Values{
		"mode": {"rw"}, "_txlock": {"immediate"}, "_time_format": {"sqlite"}, "_timezone": {"UTC"}, "_error_rc": {"1"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"foreign_keys(1)", "synchronous(NORMAL)", "temp_store(MEMORY)",
			fmt.Sprintf("cache_size(-%d)", cacheKiB), fmt.Sprintf("journal_size_limit(%d)", walLimit),
		},
	}
	if pragma != "" {
		query.Add("_pragma", pragma)
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// prepared reports whether the database keeps a write-ahead log, which lets others read during a write.
func (d *sqlite) prepared(ctx context.Context, read *sql.DB) (bool, error) {
	var mode string
	err := read.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	return mode == "wal", err
}

func (d *sqlite) prepare(ctx context.Context, write *sql.DB) error {
	var mode string
	if err := write.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return &Error{
			Op: "open database", Path: d.path, Kind: KindIO,
			Message: "the database cannot keep a write-ahead log in " + filepath.Dir(d.path),
			Next:    "Put the database on a local disk; network folders do not work.",
		}
	}
	return nil
}

// lock holds a file beside the database. The file stays: removing it would let two programs lock two files of one name.
func (d *sqlite) lock(ctx context.Context, waiting func(string)) (func() error, error) {
	path := d.path + ".lock"
	file := flock.New(path, flock.SetPermissions(0o600))
	locked, err := file.TryLock()
	if err == nil && !locked {
		waiting(path)
		locked, err = file.TryLockContext(ctx, 50*time.Millisecond)
	}
	switch {
	case locked:
		return file.Close, nil
	case ctx.Err() != nil:
		return nil, errors.Join(&Error{
			Op: "migrate database", Path: d.path, Kind: KindLocked, Err: context.Cause(ctx),
			Message: fmt.Sprintf("another tallyman is migrating this database (it holds %s)", path),
			Next:    "Wait until it is done, or end that program.",
		}, file.Close())
	}
	kind := kindOfFileError(err)
	return nil, errors.Join(&Error{
		Op: "migrate database", Path: d.path, Kind: kind, Err: bare(err),
		Message: path + " cannot be locked", Next: nextFor(kind, filepath.Dir(d.path)),
	}, file.Close())
}

func (d *sqlite) state(ctx context.Context, read *sql.DB) (schemaState, error) {
	var tables, versioned int
	err := read.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version')
		FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`).Scan(&tables, &versioned)
	if err != nil || versioned == 0 {
		return schemaState{foreign: tables > 0}, err
	}
	var state schemaState
	err = read.QueryRowContext(ctx, "SELECT (SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied), user_version FROM pragma_user_version").
		Scan(&state.version, &state.floor)
	return state, err
}

// floor is kept where SQLite has a number for its users. One writes at a time, so nobody migrates meanwhile.
func (d *sqlite) floor(ctx context.Context, tx *sql.Tx) (floor int64, err error) {
	err = tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&floor)
	return floor, err
}

// reserveIDs counts on in SQLite's own table, which also counts ids that are written without being reserved.
func (d *sqlite) reserveIDs(ctx context.Context, tx *sql.Tx, table Table, n int, give func(id int64)) error {
	var last int64
	err := tx.QueryRowContext(ctx, "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ? RETURNING seq", n, string(table)).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		last = int64(n)
		_, err = tx.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", string(table), last)
	}
	if err != nil {
		return err
	}
	for id := last - int64(n) + 1; id <= last; id++ {
		give(id)
	}
	return nil
}

// inPlace compares the file with the one that was opened: with two of them, a module would be run twice.
func (d *sqlite) inPlace() error {
	info, err := os.Stat(d.path)
	if err == nil && os.SameFile(info, d.opened) {
		return nil
	}
	what := "was replaced"
	if errors.Is(err, fs.ErrNotExist) {
		what = "was moved away or removed"
	} else if err != nil {
		what = "cannot be looked at: " + err.Error()
	}
	return &Error{
		Kind: KindIO, Path: d.path, Message: fmt.Sprintf("the database file %s %s while this program has it open", d.path, what),
		Next: "Nothing is written any more. Put the right file in its place, with no -wal and -shm of another beside it, and start this program again.",
	}
}

// leaseIsWritten is never true: one writes at a time.
func (d *sqlite) leaseIsWritten(context.Context, bun.Tx, int64) (bool, error) { return false, nil }

// alone has nothing to do: one writes at a time.
func (d *sqlite) alone(context.Context, bun.Tx, int64) error { return nil }

// again is never true: SQLite itself waits until it can write.
func (d *sqlite) again(error) bool { return false }

func (d *sqlite) rolledBack(error) bool { return false }

func (d *sqlite) placeholders(b []byte, _, n int) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '?')
	}
	return b
}

func (d *sqlite) time(t time.Time) any { return d.stamps.text(t) }

// stamps turns times into text as Bun writes it. The rows of one run nearly all have the same time.
type stamps struct {
	mu   sync.Mutex
	last time.Time
	as   any
}

func (s *stamps) text(t time.Time) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.as == nil || t != s.last {
		s.last, s.as = t, t.UTC().Format("2006-01-02 15:04:05.999999-07:00")
	}
	return s.as
}
