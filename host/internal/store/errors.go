// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what is wrong with the database. Once released, a kind keeps its meaning: it is part of Error's code.
type Kind string

// The kinds of failure.
const (
	// KindURL: the database's URL cannot be used.
	KindURL Kind = "url"
	// KindMissing: there is no database, and none may be created now.
	KindMissing Kind = "missing"
	// KindNoDirectory: the folder the database should be in does not exist.
	KindNoDirectory Kind = "no_directory"
	// KindPermission: the file or its folder may not be read.
	KindPermission Kind = "permission"
	// KindReadOnly: the file, its folder or the whole file system may not be written.
	KindReadOnly Kind = "read_only"
	// KindNotDatabase: the file is something else, or a database of another program.
	KindNotDatabase Kind = "not_a_database"
	// KindCorrupt: the file is damaged.
	KindCorrupt Kind = "corrupt"
	// KindFull: there is no space left.
	KindFull Kind = "full"
	// KindLocked: somebody else kept the database locked for too long.
	KindLocked Kind = "locked"
	// KindUnreachable: the database server does not answer, or ended the connection.
	KindUnreachable Kind = "unreachable"
	// KindIO: the operating system could not read or write the file.
	KindIO Kind = "io"
	// KindNewer: the database was made by a newer program.
	KindNewer Kind = "newer"
	// KindOlder: the database has to be migrated first.
	KindOlder Kind = "older"
	// KindMigration: a migration did not work. It was rolled back.
	KindMigration Kind = "migration"
	// KindConstraint: a rule of the schema would have been broken.
	KindConstraint Kind = "constraint"
	// KindOther is anything else the database says.
	KindOther Kind = "other"
)

// Error is a failure of the database: what was tried, where, what happened and what to do next.
type Error struct {
	// Op is what was tried: "open database", "apply changes".
	Op string
	// Path is the database file, or the URL where there is none.
	Path    string
	Kind    Kind
	Message string
	// Next is what to do about it; Hint gives it.
	Next string
	// Err is what the database or the operating system said. May be nil.
	Err error
}

// Error gives the whole message but for what to do next.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives what the database or the operating system said.
func (e *Error) Unwrap() error { return e.Err }

// Code gives the stable name of the failure: database.read_only.
func (e *Error) Code() string { return "database." + string(e.Kind) }

// Hint says what to do next.
func (e *Error) Hint() string { return e.Next }

// ErrNotFound is what a NotFoundError is.
var ErrNotFound = errors.New("not found")

// NotFoundError says that there is no such thing, at least not in the tenant or module that was asked.
type NotFoundError struct {
	// What is the thing as a person would name it: run 12, tenant "acme".
	What string
	// Next is what to do about it; Hint gives it.
	Next string
}

func (e *NotFoundError) Error() string { return "there is no " + e.What }

// Is makes errors.Is(err, ErrNotFound) true.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// Code gives the stable name of the failure.
func (e *NotFoundError) Code() string { return "database.not_found" }

// Hint says what to do next.
func (e *NotFoundError) Hint() string { return e.Next }

// ConflictError says that something done by hand does not fit what is there, such as a second mapping.
type ConflictError struct {
	Message string
	// Next is what to do about it; Hint gives it.
	Next string
}

func (e *ConflictError) Error() string { return e.Message }

// Code gives the stable name of the failure.
func (e *ConflictError) Code() string { return "database.conflict" }

// Hint says what to do next.
func (e *ConflictError) Hint() string { return e.Next }

// LeaseHeldError says that somebody else is running the module.
type LeaseHeldError struct {
	Lease Lease
	// Module is the module's name.
	Module string
	// Written: its holder is writing, and keeps the lease until that is over, even if it has expired.
	Written bool
}

func (e *LeaseHeldError) Error() string {
	return fmt.Sprintf("module %q is being run by %s (%s) since %s", e.Module, e.Lease.Holder, e.Lease.Purpose, e.Lease.AcquiredAt.Format(time.RFC3339))
}

// Code gives the stable name of the failure.
func (e *LeaseHeldError) Code() string { return "run.module_busy" }

// Hint says what to do next.
func (e *LeaseHeldError) Hint() string {
	if e.Written {
		return "Wait for it to end: it is writing its changes. If that program hangs, end it; what it has not finished is undone."
	}
	return fmt.Sprintf("Wait for it to end. If that program is dead, its hold ends by itself at %s.", e.Lease.ExpiresAt.Format(time.RFC3339))
}

// ErrLeaseLost says that the module's lease is no longer the holder's: somebody else may be running it, and nothing was changed.
var ErrLeaseLost error = leaseLost{}

type leaseLost struct{}

func (leaseLost) Error() string { return "the lease of the module was lost; nothing was changed" }
func (leaseLost) Code() string  { return "run.lease_lost" }
func (leaseLost) Hint() string {
	return "This program was stopped or slow for longer than the lease lasts. Run it again."
}

// fail names the operation that failed and says what the database's error means. It is the one place where that happens.
func (s *Store) fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	var told *Error
	if errors.As(err, &told) {
		return err
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		// Whatever the driver made of it, the reason is that the time was over.
		return fmt.Errorf("%s: %w", op, ctxErr)
	}
	if problem := s.dialect.classify(err); problem != nil {
		problem.Op, problem.Path = op, s.path
		return problem
	}
	return fmt.Errorf("%s: %w", op, err)
}
