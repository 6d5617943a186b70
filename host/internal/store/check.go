// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
)

// checker is a dialect whose files the store can look through for damage.
type checker interface {
	// check gives what is damaged, or nothing.
	check(ctx context.Context, read *sql.DB) (damage string, err error)
}

// Check looks through the whole database for damage, where the database does not do that itself. It gives an *Error of
// KindCorrupt if there is any.
func (s *Store) Check(ctx context.Context) error {
	const op = "check database"
	c, can := s.dialect.(checker)
	if !can {
		return nil
	}
	damage, err := c.check(ctx, s.read.DB)
	if err == nil && damage != "" {
		err = &Error{
			Op: op, Path: s.path, Kind: KindCorrupt, Message: fmt.Sprintf("%s is damaged: %s", s.path, damage),
			Next: nextFor(KindCorrupt, s.path),
		}
	}
	return s.fail(ctx, op, err)
}

var _ checker = (*sqlite)(nil)

func (d *sqlite) check(ctx context.Context, read *sql.DB) (string, error) {
	var told string
	err := read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&told)
	if told == "ok" {
		told = ""
	}
	return told, err
}
