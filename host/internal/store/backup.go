// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// backer is a dialect whose database the store itself can write to a file, and read back.
type backer interface {
	// backup writes the database as it is at one instant into an empty file, while others go on writing.
	backup(ctx context.Context, read *sql.DB, path string) error
	// restore makes the database what it is in a file that backup wrote. Whoever has it open sees the old or the new, whole.
	restore(ctx context.Context, from string) error
}

// Backup writes the database, as it is at one instant, to a file that only this user may read. Runs go on meanwhile; one that
// is under way is in the backup as one that never ended. A file that is there already is a *ConflictError unless replace is set.
// The file appears whole or not at all.
func (s *Store) Backup(ctx context.Context, path string, replace bool) (size int64, err error) {
	const op = "back up database"
	b, can := s.dialect.(backer)
	if !can {
		return 0, elsewhere(op, s.path, "Use pg_dump --format=custom, which is consistent while tallyman runs.")
	}
	if path, err = filepath.Abs(path); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if there, err := os.Stat(path); err == nil {
		own, ownErr := os.Stat(s.path)
		switch {
		case ownErr == nil && os.SameFile(there, own):
			return 0, &ConflictError{Message: path + " is the database itself", Next: "Name another file for the backup."}
		case !there.Mode().IsRegular():
			return 0, &ConflictError{Message: path + " is not a file", Next: "Name a file in it for the backup."}
		case !replace:
			return 0, &ConflictError{Message: path + " is there already", Next: "Name another file, or let it be replaced with --force."}
		}
	}
	s.removeLeftBackups(filepath.Dir(path))
	partial, err := os.CreateTemp(filepath.Dir(path), partialBackup)
	if err != nil {
		return 0, fileProblem(op, path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeDatabase(partial.Name()))
		}
	}()
	if err := partial.Close(); err != nil {
		return 0, fileProblem(op, path, err)
	}
	if err := b.backup(ctx, s.read.DB, partial.Name()); err != nil {
		return 0, s.failedBackup(ctx, op, path, err)
	}
	if err := freeLeases(ctx, partial.Name()); err != nil {
		return 0, err
	}
	if size, err = settle(partial.Name()); err == nil {
		err = os.Rename(partial.Name(), path)
	}
	if err != nil {
		return 0, fileProblem(op, path, err)
	}
	return size, nil
}

// partialBackup is the name of a backup that is being made. Older than leftFor it is left over from a program that was killed.
const (
	partialBackup = ".tallyman-backup-*"
	leftFor       = 24 * time.Hour
)

// removeLeftBackups removes what programs that were killed have left of their backups: all data is in it.
func (s *Store) removeLeftBackups(dir string) {
	entries, _ := os.ReadDir(dir) // the backup itself tells what is wrong with it
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if left, _ := filepath.Match(partialBackup, entry.Name()); !left {
			continue
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < leftFor {
			continue
		}
		if err := removeDatabase(path); err != nil {
			s.log.Warn("what is left of a backup could not be removed", "path", path, "error", err)
			continue
		}
		s.log.Info("removed what was left of a backup", "path", path)
	}
}

// failedBackup says what SQLite's error means for the file that is written, not for the database that is read.
func (s *Store) failedBackup(ctx context.Context, op, path string, err error) error {
	problem := (&sqlite{path: path}).classify(err)
	if problem == nil || ctx.Err() != nil || problem.Kind == KindCorrupt || problem.Kind == KindNotDatabase {
		return s.fail(ctx, op, err)
	}
	problem.Op, problem.Path = op, path
	problem.Next = nextFor(problem.Kind, filepath.Dir(path))
	return problem
}

// freeLeases takes out of a backup what was true for its moment only: leases, hosts, and runs that somebody asked for. Pauses
// stay. It makes sure that the backup can be used, too.
func freeLeases(ctx context.Context, path string) (err error) {
	s, err := Open(ctx, Options{URL: "sqlite:" + path, NoCreate: true, ForMigration: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, model := range []any{(*Lease)(nil), (*Wish)(nil), (*Host)(nil)} {
		if _, err := s.write.NewDelete().Model(model).Where("1 = 1").Exec(ctx); err != nil {
			return s.fail(ctx, "free the leases in the backup", err)
		}
	}
	return s.Check(ctx)
}

// settle makes sure that a file is on the disk, and gives its size in bytes.
func settle(path string) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Sync()
}

// Restore makes the database what it was when Backup wrote the file, and gives the migrations it still needs. What was written
// since is lost. It gives a *ConflictError if there is a database and replace is not set, or if anybody runs a module. A
// database that cannot be read any more is moved aside, and aside says where to.
func Restore(ctx context.Context, opts Options, from string, replace bool) (pending int, aside string, err error) {
	const op = "restore database"
	d, path, err := dialectFor(opts)
	if err != nil {
		return 0, "", err
	}
	b, can := d.(backer)
	if !can {
		return 0, "", elsewhere(op, path, "Use pg_restore on a file that pg_dump wrote, while no tallyman runs.")
	}
	if from, err = filepath.Abs(from); err != nil {
		return 0, "", fmt.Errorf("%s: %w", op, err)
	}
	if pending, err = inspect(ctx, from); err != nil {
		return 0, "", err
	}
	unlock, err := d.lock(ctx, func(string) {})
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	own, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		defer func() {
			if err != nil {
				err = errors.Join(err, removeDatabase(path))
			}
		}()
	case err != nil:
		return 0, "", fileProblem(op, path, err)
	default:
		if there, err := os.Stat(from); err == nil && os.SameFile(there, own) {
			return 0, "", &ConflictError{Message: from + " is the database itself", Next: "Name a backup of it."}
		}
		if !replace {
			return 0, "", &ConflictError{
				Message: "there is a database at " + path,
				Next:    "Back it up, then let it be replaced with --force. What was written since the backup is lost.",
			}
		}
		if aside, err = makeWay(ctx, opts, path); err != nil {
			return 0, "", err
		}
	}
	if _, err := os.Stat(path); err != nil {
		if err := (&sqlite{path: path}).file(false); err != nil {
			return 0, aside, err
		}
	}
	if err := b.restore(ctx, from); err != nil {
		if problem := d.classify(err); problem != nil && ctx.Err() == nil {
			err = problem.at(op, path)
		}
		return 0, aside, fmt.Errorf("%s: %w", op, err)
	}
	return pending, aside, nil
}

// inspect makes sure that a file is a backup that this program can work with, and counts the migrations it still needs.
func inspect(ctx context.Context, from string) (pending int, err error) {
	if info, err := os.Stat(from); err != nil || !info.Mode().IsRegular() {
		return 0, &NotFoundError{What: "file " + from, Next: "Name a file that tallyman db backup wrote."}
	}
	backup, err := Open(ctx, Options{URL: "sqlite:" + from, NoCreate: true, ForMigration: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	list, err := backup.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range list {
		if m.AppliedAt == nil {
			pending++
		}
	}
	if pending == len(list) {
		return 0, &Error{
			Op: "restore database", Path: from, Kind: KindMissing, Message: from + " holds nothing",
			Next: "Name a file that tallyman db backup wrote.",
		}
	}
	return pending, backup.Check(ctx)
}

// makeWay makes sure that nobody runs a module of the database. One that cannot be read is moved aside.
func makeWay(ctx context.Context, opts Options, path string) (aside string, err error) {
	opts.ForMigration = true
	err = unusedIn(ctx, opts)
	var problem *Error
	if errors.As(err, &problem) && (problem.Kind == KindCorrupt || problem.Kind == KindNotDatabase) {
		aside = path + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
		return aside, moveDatabase(path, aside)
	}
	return "", err
}

// hostsSince is the schema that first knew which hosts serve.
const hostsSince = 5

// unusedIn refuses a database of any schema while somebody uses it.
func unusedIn(ctx context.Context, opts Options) (err error) {
	s, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	state, err := s.dialect.state(ctx, s.read.DB)
	if err != nil {
		return s.fail(ctx, "restore database", err)
	}
	switch {
	case state.foreign:
		return &ConflictError{Message: s.path + " is a database of another program", Next: "Correct database.url, or move that file away."}
	case state.version == 0:
		return nil
	case state.version >= hostsSince:
		return s.nobodyRuns(ctx, s.read)
	}
	leases, err := s.Leases(ctx, 0)
	if err == nil && len(leases) > 0 {
		err = &ConflictError{
			Message: fmt.Sprintf("%s is being used: %s runs a module", s.path, leases[0].Holder), Next: "End that program, or wait.",
		}
	}
	return err
}

// elsewhere says that a database has tools of its own.
func elsewhere(op, path, next string) error {
	return &Error{Op: op, Path: path, Kind: KindURL, Message: "the database server has its own tools for that", Next: next}
}

func fileProblem(op, path string, err error) error {
	kind := kindOfFileError(err)
	return &Error{
		Op: op, Path: path, Kind: kind, Message: path + " cannot be written", Err: bare(err), Next: nextFor(kind, filepath.Dir(path)),
	}
}
