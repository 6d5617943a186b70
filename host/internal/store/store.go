// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/uptrace/bun"
)

// Options says which database to open, and how.
type Options struct {
	// URL is sqlite:path or postgres://user:password@host:port/database. A relative path is taken from BaseDir.
	URL string
	// BaseDir is usually the folder of the configuration. Empty: the current folder.
	BaseDir string
	// NoCreate refuses a database that is not there yet, or has no tables yet, for commands that only look.
	NoCreate bool
	// ForMigration opens a database whatever its schema, new ones included, and leaves it as it is. Only Migrate and Status
	// may be called on it.
	ForMigration bool
	// Log may be nil.
	Log hclog.Logger
	// Now is the clock for leases and for rows that come without a time. Default time.Now. All programs on one database
	// must agree on the time to within a small part of a lease.
	Now func() time.Time
}

// Store is one open database. It is safe for several goroutines.
type Store struct {
	dialect dialect
	path    string
	log     hclog.Logger
	clock   func() time.Time
	// knows is the newest schema this program knows; 0 where the database was opened whatever its schema.
	knows int64
	// write has one connection where the database allows one writer; never read rows from it while writing.
	write, read *bun.DB
}

// Open opens a database. A new one is created and migrated. One with an older schema is refused until somebody migrates it.
// One with a newer schema is taken where that only adds to the one this program knows, and refused otherwise, until the
// program is upgraded: this may become so while the database is open, and then nothing can be written any more. Errors hold an *Error, unless ctx ended.
func Open(ctx context.Context, opts Options) (*Store, error) {
	d, path, err := dialectFor(opts)
	if err != nil {
		return nil, err
	}
	s := &Store{dialect: d, path: path, log: opts.Log, clock: opts.Now}
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	const op = "open database"
	write, read, err := d.open(ctx, opts)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	s.write, s.read = bun.NewDB(write, d.bun()), bun.NewDB(read, d.bun())
	if !opts.ForMigration {
		err = s.checkSchema(ctx, opts.NoCreate)
	} else {
		_, err = d.state(ctx, read)
	}
	if err == nil {
		return s, nil
	}
	err = s.fail(ctx, op, err)
	if closeErr := s.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return nil, err
}

// schemeForm is what a URL begins with.
var schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,20}$`)

// dialectFor chooses the dialect for a URL.
func dialectFor(opts Options) (dialect, string, error) {
	const next = `Write database { url = "sqlite:tallyman.db" }, or url = "postgres://user:password@host:5432/database".`
	scheme, rest, found := strings.Cut(opts.URL, ":")
	switch {
	case found && scheme == "sqlite":
		d, err := newSQLite(rest, opts.BaseDir)
		if err != nil {
			return nil, "", err
		}
		return d, d.path, nil
	case found && (scheme == "postgres" || scheme == "postgresql"):
		d, err := newPostgres(opts.URL)
		if err != nil {
			return nil, "", err
		}
		return d, d.place, nil
	case opts.URL == "":
		return nil, "", &Error{Op: "open database", Kind: KindURL, Message: "no database is set", Next: next}
	default:
		// What is no URL may hold a password: host=db.example password=…
		message := "a database URL starts with sqlite: or postgres://, and this one does not"
		if found && schemeForm.MatchString(scheme) {
			message = fmt.Sprintf("a database URL starts with sqlite: or postgres://, not with %q", scheme)
		}
		return nil, "", &Error{Op: "open database", Kind: KindURL, Message: message, Next: next}
	}
}

// Path gives the file the database is in, or its URL without the password.
func (s *Store) Path() string { return s.path }

// Shared reports whether several machines may share the database.
func (s *Store) Shared() bool { return s.dialect.shared() }

// Close closes the database. Nothing may be under way.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// now is the time as it is stored: in UTC, to the microsecond.
func (s *Store) now() time.Time { return stored(s.clock()) }

// stored gives a time as every database keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// change runs fn in one write transaction, which is rolled back if fn gives an error or panics or ctx ends. Where that is of
// use it is run again, so fn starts from nothing each time.
func (s *Store) change(ctx context.Context, op string, fn func(ctx context.Context, tx bun.Tx) error) error {
	again := func(ctx context.Context, _ *sql.Conn, tx bun.Tx) error { return fn(ctx, tx) }
	for wait := firstWait; ; wait *= 2 {
		err := s.transact(ctx, again)
		if !errors.As(err, new(tryAgainError)) || wait > lastWait {
			return s.fail(ctx, op, err)
		}
		s.log.Debug("trying again", "operation", op, "in", wait, "error", err)
		select {
		case <-ctx.Done():
			return s.fail(ctx, op, err)
		case <-time.After(wait):
		}
	}
}

// Answers gives an error unless the database can be read, and is the one that others find under its name.
func (s *Store) Answers(ctx context.Context) error {
	if err := s.dialect.inPlace(); err != nil {
		return s.fail(ctx, "look at the database", err)
	}
	_, err := s.Leases(ctx, 0)
	return err
}

// changeOnce is change for an fn that cannot be run a second time. It is also given the transaction's connection.
func (s *Store) changeOnce(ctx context.Context, op string, fn func(ctx context.Context, conn *sql.Conn, tx bun.Tx) error) error {
	return s.fail(ctx, op, s.transact(ctx, fn))
}

// firstWait is how long to wait before a transaction is tried again, lastWait before the last try: six seconds in all, in
// which a database server can be started again.
const firstWait, lastWait = 50 * time.Millisecond, 3200 * time.Millisecond

// tryAgainError is why a transaction left nothing, and may work in a moment.
type tryAgainError struct{ error }

func (e tryAgainError) Unwrap() error { return e.error }

// transact gives a tryAgainError where another try may work.
func (s *Store) transact(ctx context.Context, fn func(ctx context.Context, conn *sql.Conn, tx bun.Tx) error) (err error) {
	possible := s.dialect.again
	defer func() {
		if err != nil && possible(err) {
			err = tryAgainError{err}
		}
	}()
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollbackErr := tx.Rollback(); err != nil && rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
	}()
	if err := s.dialect.inPlace(); err != nil {
		return err
	}
	if err := s.mayWrite(ctx, tx.Tx); err != nil {
		return err
	}
	if err := fn(ctx, conn.Conn, tx); err != nil {
		return err
	}
	possible = s.dialect.rolledBack
	return tx.Commit()
}

// clean gives text as it can be stored: valid UTF-8 without NUL.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// cleanAll cleans texts in place.
func cleanAll(texts ...*string) {
	for _, s := range texts {
		*s = clean(*s)
	}
}

// orNow fills in a time that was not given.
func (s *Store) orNow(times ...*time.Time) {
	for _, t := range times {
		if t.IsZero() {
			*t = s.now()
		} else {
			*t = stored(*t)
		}
	}
}

// matching gives the pattern for a search anywhere in a text. Compare it with lower(column) LIKE ? ESCAPE '\'.
func matching(search string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(clean(search)))
	return "%" + escaped + "%"
}

// cleanJSON gives JSON as it can be stored; nothing is nil, which is stored as NULL.
func cleanJSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return json.RawMessage(clean(string(raw)))
}

func emptyObject() json.RawMessage { return json.RawMessage("{}") }

func storedOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := stored(*t)
	return &at
}
