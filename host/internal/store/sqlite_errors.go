// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// classify says what SQLite's error means and what to do about it.
func (d *sqlite) classify(err error) *Error {
	var said *driver.Error
	if !errors.As(err, &said) {
		return nil
	}
	e := &Error{Err: said}
	dir := filepath.Dir(d.path)
	switch primary := said.Code() & 0xff; primary {
	case sqlite3.SQLITE_FULL:
		e.Kind, e.Message = KindFull, "there is no space left for "+d.path
	case sqlite3.SQLITE_READONLY:
		e.Kind, e.Message = KindReadOnly, fmt.Sprintf("the database %s or its folder is read-only", d.path)
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		e.Kind, e.Message = KindPermission, d.path+" may not be opened"
	case sqlite3.SQLITE_CORRUPT:
		e.Kind, e.Message = KindCorrupt, fmt.Sprintf("the database %s is damaged", d.path)
	case sqlite3.SQLITE_NOTADB:
		e.Kind, e.Message = KindNotDatabase, d.path+" is not a database"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Kind, e.Message = KindLocked, fmt.Sprintf("another program has kept %s locked for more than %s", d.path, busyTimeout)
	case sqlite3.SQLITE_CANTOPEN:
		return d.cannotOpen(said)
	case sqlite3.SQLITE_IOERR:
		e.Kind, e.Message = KindIO, d.path+" cannot be read or written"
		switch said.Code() {
		case sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
			// The shared memory beside the file could not grow: as good as always a full disk.
			e.Kind, e.Message = KindFull, "there is no space left beside "+d.path
		}
	case sqlite3.SQLITE_CONSTRAINT:
		e.Kind, e.Message = KindConstraint, "the database refused a row that breaks one of its rules"
	default:
		e.Kind, e.Message = KindOther, "SQLite refused"
	}
	e.Next = nextFor(e.Kind, dir)
	return e
}

// cannotOpen finds out why SQLite could not open a file; it does not say.
func (d *sqlite) cannotOpen(said error) *Error {
	file, err := os.Open(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.missing()
	case errors.Is(err, fs.ErrPermission):
		return d.notAllowed(err)
	case err != nil:
		return &Error{Kind: KindIO, Message: d.path + " cannot be opened", Err: bare(err), Next: nextFor(KindIO, filepath.Dir(d.path))}
	}
	_ = file.Close()
	dir := filepath.Dir(d.path)
	return &Error{
		Kind: KindReadOnly, Err: said, Next: nextFor(KindReadOnly, dir),
		Message: fmt.Sprintf("the files SQLite needs beside %s cannot be made", d.path),
	}
}

func (d *sqlite) notAllowed(err error) *Error {
	return &Error{
		Path: d.path, Kind: KindPermission, Message: d.path + " may not be opened", Err: bare(err),
		Next: nextFor(KindPermission, filepath.Dir(d.path)),
	}
}

// kindOfFileError tells the failures of the operating system apart.
func kindOfFileError(err error) Kind {
	switch {
	case errors.Is(err, syscall.EROFS):
		return KindReadOnly
	case errors.Is(err, fs.ErrPermission):
		return KindPermission
	case errors.Is(err, syscall.ENOSPC):
		return KindFull
	default:
		return KindIO
	}
}

// bare takes the path and the call off an error; the message names them already.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// nextFor says what to do about a kind of failure.
func nextFor(kind Kind, dir string) string {
	switch kind {
	case KindFull:
		return fmt.Sprintf("Make room on the disk of %s and run it again; what was not finished was rolled back.", dir)
	case KindReadOnly, KindPermission:
		return fmt.Sprintf("Let the user tallyman runs as read and write the file and its folder %s, or name another place with database.url.", dir)
	case KindCorrupt:
		return "Restore the last backup (tallyman db restore), or move the file away and let a new one be made: tallyman sync reads everything again, but runs, changes and mappings made by hand are lost."
	case KindNotDatabase:
		return "Correct database.url, or move that file away."
	case KindLocked:
		return "Find the program that uses it (another tallyman, a backup, an open sqlite3 shell), then run it again."
	case KindIO:
		return fmt.Sprintf("Look at the disk of %s and at the system's log. The database has to be on a local disk.", dir)
	case KindConstraint:
		return "Run it again: somebody may have changed the same records by hand meanwhile. If it comes back, please report it."
	default:
		return "Run it again; if it comes back, please report it."
	}
}
