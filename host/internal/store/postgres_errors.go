// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// classify says what Postgres's error means and what to do about it. The codes are in appendix A of its manual.
func (d *postgres) classify(err error) *Error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		if !lost(err) {
			return nil
		}
		return &Error{
			Kind: KindUnreachable, Message: fmt.Sprintf("the database server of %s cannot be reached", d.place), Err: oneLine(err),
			Next: "See that the server is running and that database.url names it; then run it again. What was not finished was rolled back.",
		}
	}
	e := &Error{Err: said}
	switch code := said.Code; {
	case code == "3D000":
		e.Kind, e.Message = KindMissing, fmt.Sprintf("the server has no database %q", d.config.Database)
		e.Next = fmt.Sprintf("Create it (createdb --owner %s %s), or correct database.url.", d.config.User, d.config.Database)
	case strings.HasPrefix(code, "28"):
		e.Kind, e.Message = KindPermission, fmt.Sprintf("the server does not let user %q in", d.config.User)
		e.Next = "Correct user and password in database.url, or let the user in with pg_hba.conf."
	case code == "42501":
		e.Kind, e.Message = KindPermission, fmt.Sprintf("user %q may not do that in %s", d.config.User, d.place)
		e.Next = fmt.Sprintf("Make the user the owner of the database: ALTER DATABASE %q OWNER TO %q.", d.config.Database, d.config.User)
	case code == "25006":
		e.Kind, e.Message = KindReadOnly, d.place+" only lets itself be read"
		e.Next = "It may be a standby: name the primary server with database.url."
	case code == "53100":
		e.Kind, e.Message = KindFull, "there is no space left for "+d.place
		e.Next = "Make room on the database server and run it again; what was not finished was rolled back."
	case code == "55P03", code == "40001", code == "40P01":
		e.Kind, e.Message = KindLocked, fmt.Sprintf("another program has kept rows of %s locked for too long", d.place)
		e.Next = "Run it again. If it comes back, find who holds the lock: SELECT * FROM pg_stat_activity WHERE state <> 'idle'."
	case strings.HasPrefix(code, "23"):
		e.Kind, e.Message = KindConstraint, "the database refused a row that breaks one of its rules"
		e.Next = nextFor(KindConstraint, "")
	case code == "53300":
		e.Kind, e.Message = KindUnreachable, fmt.Sprintf("the server of %s takes no more connections", d.place)
		e.Next = fmt.Sprintf("Raise max_connections on the server; each tallyman uses up to %d.", pgWriters+pgReaders)
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"):
		e.Kind, e.Message = KindUnreachable, fmt.Sprintf("the server of %s ended the connection", d.place)
		e.Next = "See that the server is running, then run it again. What was not finished was rolled back."
	case strings.HasPrefix(code, "XX"), code == "58030":
		e.Kind, e.Message = KindCorrupt, d.place+" is damaged"
		e.Next = "Look at the server's log and restore the last backup."
	default:
		e.Kind, e.Message = KindOther, "Postgres refused"
		e.Next = nextFor(KindOther, "")
	}
	return e
}

// again reports whether the same transaction may work in a moment: it lost a race, or its connection, and left nothing.
func (d *postgres) again(err error) bool {
	var told *Error
	var said *pgconn.PgError
	switch {
	case errors.As(err, &told):
		return false
	case errors.As(err, &said):
		return raced(said) || strings.HasPrefix(said.Code, "57P") || strings.HasPrefix(said.Code, "08")
	default:
		return lost(err)
	}
}

// rolledBack reports whether a failed commit certainly left nothing.
func (d *postgres) rolledBack(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && raced(said) || errors.Is(err, pgx.ErrTxCommitRollback)
}

// raced: it could not be serialised, or would have waited forever.
func raced(said *pgconn.PgError) bool { return said.Code == "40001" || said.Code == "40P01" }

// lost reports whether an error is that of a connection.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// oneLine takes an error of several lines together.
func oneLine(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }
