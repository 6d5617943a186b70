// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	driver "modernc.org/sqlite"
)

var _ backer = (*sqlite)(nil)

// backup reads in one transaction, which keeps no writer waiting.
func (d *sqlite) backup(ctx context.Context, _ *sql.DB, path string) (err error) {
	db, err := sql.Open("sqlite", d.dsn(readCache, ""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// restore copies page by page in one transaction, so that other connections go on with what is restored.
func (d *sqlite) restore(ctx context.Context, from string) (err error) {
	db, err := sql.Open("sqlite", (&sqlite{path: from}).dsn(readCache, "query_only(1)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(c any) error {
		source, can := c.(interface {
			NewBackup(destination string) (*driver.Backup, error)
		})
		if !can {
			return fmt.Errorf("the driver's connection %T cannot copy", c)
		}
		copying, err := source.NewBackup(d.dsn(writeCache, ""))
		if err != nil {
			return err
		}
		const pages = 4096 // 16 MiB, between which ctx is asked
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil {
				more, err = copying.Step(pages)
			}
		}
		// Before the last page, this takes everything back.
		return errors.Join(err, copying.Finish())
	})
}

// besideDatabase are the endings of the files that SQLite keeps for one database.
var besideDatabase = []string{"", "-wal", "-shm", "-journal"}

// removeDatabase removes a file and what SQLite made beside it.
func removeDatabase(path string) error {
	var errs []error
	for _, ending := range besideDatabase {
		if err := os.Remove(path + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// moveDatabase renames a file and what SQLite made beside it.
func moveDatabase(path, to string) error {
	for _, ending := range besideDatabase {
		if err := os.Rename(path+ending, to+ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileProblem("move the damaged database aside", path, err)
		}
	}
	return nil
}
