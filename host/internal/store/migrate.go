// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
)

// Migration is one step of the schema.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// AppliedAt is nil while it is pending.
	AppliedAt *time.Time `json:"applied_at,omitempty"`
}

// Migrate applies what is pending and gives the migrations that it applied. Only one program at a time migrates; others
// wait. What fails is rolled back, and the next Migrate tries it again. A newer schema is refused.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	const op = "migrate database"
	unlock, err := s.dialect.lock(ctx, s.sayWaiting)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	done, err := s.migrateLocked(ctx)
	return done, s.fail(ctx, op, errors.Join(err, unlock()))
}

// Status gives every migration this program knows, in order.
func (s *Store) Status(ctx context.Context) ([]Migration, error) {
	const op = "read the state of the database"
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	state, err := s.dialect.state(ctx, s.read.DB)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	if state.foreign {
		return nil, s.foreign(op)
	}
	applied := map[int64]time.Time{}
	if state.version > 0 {
		if applied, err = s.applied(ctx); err != nil {
			return nil, s.fail(ctx, op, err)
		}
	}
	var list []Migration
	for _, source := range provider.ListSources() {
		m := Migration{Version: source.Version, Name: path.Base(source.Path)}
		if at, ok := applied[source.Version]; ok {
			m.AppliedAt = &at
		}
		list = append(list, m)
	}
	newest := s.newest(provider)
	for _, version := range slices.Sorted(maps.Keys(applied)) {
		if at := applied[version]; version > newest {
			list = append(list, Migration{Version: version, Name: "of a newer tallyman", AppliedAt: &at})
		}
	}
	if state.floor > newest {
		return list, s.newer(op, state, newest)
	}
	return list, nil
}

func (s *Store) applied(ctx context.Context) (map[int64]time.Time, error) {
	var rows []struct {
		VersionID int64
		Tstamp    time.Time
	}
	err := s.read.NewSelect().Table("goose_db_version").Column("version_id", "tstamp").Where("is_applied").Scan(ctx, &rows)
	times := make(map[int64]time.Time, len(rows))
	for _, row := range rows {
		times[row.VersionID] = row.Tstamp.UTC()
	}
	return times, err
}

// checkSchema makes sure that the schema is the one this program works with. A new database gets it.
func (s *Store) checkSchema(ctx context.Context, noCreate bool) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	newest := s.newest(provider)
	s.knows = newest
	fits, err := s.schemaFits(ctx, newest, noCreate)
	if err != nil || fits {
		return err
	}
	// Somebody may be migrating right now: look again once nobody is.
	unlock, err := s.dialect.lock(ctx, s.sayWaiting)
	if err != nil {
		return err
	}
	return errors.Join(s.fitSchema(ctx, newest, noCreate), unlock())
}

// schemaFits looks without waiting for anybody.
func (s *Store) schemaFits(ctx context.Context, newest int64, noCreate bool) (bool, error) {
	state, err := s.dialect.state(ctx, s.read.DB)
	switch {
	case err != nil:
		return false, err
	case state.foreign:
		return false, s.foreign("open database")
	case state.floor > newest:
		return false, s.newer("open database", state, newest)
	case state.version < newest:
		return false, nil
	case state.version > newest:
		s.log.Info("a newer tallyman has migrated the database; this one can go on with it", "path", s.path, "schema", state.version, "known", newest)
	}
	ready, err := s.dialect.prepared(ctx, s.read.DB)
	// Somebody who only looks can do without.
	return ready || noCreate, err
}

// fitSchema looks again, under the lock, and migrates a new database.
func (s *Store) fitSchema(ctx context.Context, newest int64, noCreate bool) error {
	state, err := s.dialect.state(ctx, s.read.DB)
	switch {
	case err != nil:
		return err
	case state.version == 0 && noCreate:
		return &Error{
			Op: "open database", Kind: KindMissing, Path: s.path, Message: "there is no database at " + s.path + " yet",
			Next: "Run tallyman sync or tallyman db migrate, which create it, or correct database.url.",
		}
	case state.version == 0:
		_, err = s.migrateLocked(ctx)
		return err
	case state.version < newest:
		return &Error{
			Op: "open database", Kind: KindOlder, Path: s.path,
			Message: fmt.Sprintf("database %s has schema %d, this tallyman needs %d", s.path, state.version, newest),
			Next:    "Make a backup, then run tallyman db migrate.",
		}
	case state.floor > newest:
		return s.newer("open database", state, newest)
	}
	return s.dialect.prepare(ctx, s.write.DB)
}

// migrateLocked applies what is pending. The caller holds the lock.
func (s *Store) migrateLocked(ctx context.Context) ([]Migration, error) {
	const op = "migrate database"
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	state, err := s.dialect.state(ctx, s.read.DB)
	if err != nil {
		return nil, err
	}
	if state.foreign {
		return nil, s.foreign(op)
	}
	switch newest := s.newest(provider); {
	case state.floor > newest:
		return nil, s.newer(op, state, newest)
	case state.version > newest:
		return nil, nil // by a newer program; it has what this one needs
	}
	if err := s.dialect.prepare(ctx, s.write.DB); err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
	}
	done := make([]Migration, 0, len(results))
	now := s.now()
	for _, result := range results {
		done = append(done, Migration{Version: result.Source.Version, Name: path.Base(result.Source.Path), AppliedAt: &now})
		s.log.Info("migrated the database", "path", s.path, "version", result.Source.Version)
	}
	if partial != nil {
		name := path.Base(partial.Failed.Source.Path)
		if problem := s.dialect.classify(partial.Err); problem != nil && problem.Kind != KindOther && problem.Kind != KindConstraint {
			return done, problem.at(op, s.path)
		}
		return done, &Error{
			Op: op, Kind: KindMigration, Path: s.path, Err: partial.Err,
			Message: fmt.Sprintf("migration %s did not work and was rolled back", name),
			Next:    "The database is as it was before that step. Please report this.",
		}
	}
	return done, err
}

func (e *Error) at(op, path string) *Error {
	e.Op, e.Path = op, path
	return e
}

// provider is made anew each time: it is rarely needed.
func (s *Store) provider() (*goose.Provider, error) {
	folder, name := s.dialect.migrations()
	provider, err := goose.NewProvider(name, s.write.DB, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the migrations built into this program: %w", err)
	}
	return provider, nil
}

func (s *Store) newest(provider *goose.Provider) int64 {
	sources := provider.ListSources()
	return sources[len(sources)-1].Version
}

func (s *Store) newer(op string, have schemaState, know int64) error {
	return &Error{
		Op: op, Kind: KindNewer, Path: s.path,
		Message: fmt.Sprintf("database %s has schema %d, which needs a tallyman that knows schema %d; this one knows up to %d",
			s.path, have.version, have.floor, know),
		Next: "Upgrade tallyman to the version that migrated it, or restore a backup from before.",
	}
}

// mayWrite gives an error of KindNewer if the database has come to need a newer program since it was opened. Otherwise that
// does not change until the transaction ends.
func (s *Store) mayWrite(ctx context.Context, tx *sql.Tx) error {
	if s.knows == 0 {
		return nil
	}
	floor, err := s.dialect.floor(ctx, tx)
	if err == nil && floor > s.knows {
		err = s.Fits(ctx)
	}
	return err
}

// Fits gives an error of KindNewer if the database has come to need a newer program since it was opened.
func (s *Store) Fits(ctx context.Context) error {
	const op = "look at the schema"
	state, err := s.dialect.state(ctx, s.read.DB)
	if err == nil && state.floor > s.knows {
		err = s.newer(op, state, s.knows)
	}
	return s.fail(ctx, op, err)
}

func (s *Store) foreign(op string) error {
	return &Error{
		Op: op, Kind: KindNotDatabase, Path: s.path, Message: s.path + " is a database of another program",
		Next: "Correct database.url: tallyman keeps its tables in a database of its own.",
	}
}

func (s *Store) sayWaiting(lock string) {
	s.log.Info("another tallyman is migrating the database or writes to it; waiting for that", "path", s.path, "lock", lock)
}
