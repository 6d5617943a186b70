// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// Copied is what Copy has copied and found to be the same on both sides.
type Copied struct {
	From   string        `json:"from"`
	To     string        `json:"to"`
	Tables []CopiedTable `json:"tables"`
}

// CopiedTable is one table of a copy.
type CopiedTable struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	// Checksum is the SHA-256 of the rows in the order of their keys, in hexadecimal. It is the same in every kind of database.
	Checksum string `json:"checksum"`
}

// Rows gives how many rows were copied.
func (c Copied) Rows() (n int64) {
	for _, t := range c.Tables {
		n += t.Rows
	}
	return n
}

const copying = "copy database"

// Copy writes everything that one database holds into another, which has to be empty or have empty tables only. Ids stay the
// same, and none that was ever given out is given out again. The other one gets all or nothing, and only what reads there
// as it was read here. Nobody can write to either meanwhile. It gives a *ConflictError if anybody runs a module, if the
// other database holds something, or if this one holds nothing.
func Copy(ctx context.Context, from, to Options) (done Copied, err error) {
	from.NoCreate = true
	source, err := Open(ctx, from)
	if err != nil {
		return Copied{}, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	tables, err := source.dialect.tables(ctx, source.read)
	if err == nil {
		err = source.holdsSomething(ctx, tables)
	}
	if err == nil {
		err = source.nobodyRuns(ctx, source.read)
	}
	if err != nil {
		return Copied{}, source.fail(ctx, copying, err)
	}
	if _, place, err := dialectFor(to); err == nil && place == source.path {
		return Copied{}, &ConflictError{Message: place + " is the database itself", Next: "Name another database to copy it to."}
	}
	target, err := Open(ctx, to)
	if err != nil {
		return Copied{}, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	// This is looked at again once nobody else can write. But if they are one database by two names, that would never be.
	if err := target.holdsNothing(ctx, target.read, tables); err != nil {
		return Copied{}, target.fail(ctx, copying, err)
	}
	done = Copied{From: source.path, To: target.path}
	err = source.changeOnce(ctx, copying, func(ctx context.Context, _ *sql.Conn, out bun.Tx) error {
		return target.changeOnce(ctx, copying, func(ctx context.Context, conn *sql.Conn, in bun.Tx) error {
			c := &copyRun{source: source, target: target, out: out, in: in, conn: conn}
			done.Tables, err = c.run(ctx)
			return err
		})
	})
	return done, err
}

// copyRun is a copy under way, in a transaction on each side.
type copyRun struct {
	source, target *Store
	out, in        bun.Tx
	// conn is that of in.
	conn *sql.Conn
}

func (c *copyRun) run(ctx context.Context) ([]CopiedTable, error) {
	tables, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	done := make([]CopiedTable, 0, len(tables))
	for _, t := range tables {
		begun := time.Now()
		copied, err := c.table(ctx, t)
		if err != nil {
			return nil, err
		}
		c.source.log.Info("copied", "table", t.name, "rows", copied.Rows, "took", time.Since(begun).Round(time.Millisecond))
		done = append(done, copied)
	}
	return done, nil
}

// begin keeps others from writing, looks again whether all is as it has to be, and gives the tables: those that others refer
// to first.
func (c *copyRun) begin(ctx context.Context) ([]table, error) {
	tables, err := c.source.dialect.tables(ctx, c.out)
	if err != nil {
		return nil, err
	}
	if err := c.source.dialect.freeze(ctx, c.out, tables); err != nil {
		return nil, err
	}
	if err := c.source.nobodyRuns(ctx, c.out); err != nil {
		return nil, err
	}
	there, err := c.target.dialect.tables(ctx, c.in)
	if err != nil {
		return nil, c.target.fail(ctx, copying, err)
	}
	if err := c.sameSchema(ctx, tables, there); err != nil {
		return nil, err
	}
	err = c.target.dialect.freeze(ctx, c.in, tables)
	if err == nil {
		err = c.target.holdsNothing(ctx, c.in, tables)
	}
	return tables, c.target.fail(ctx, copying, err)
}

// sameSchema makes sure that both sides have the same tables, by the same migrations.
func (c *copyRun) sameSchema(ctx context.Context, here, there []table) error {
	var versions [2]int64
	for i, side := range []bun.Tx{c.out, c.in} {
		if err := side.NewSelect().Table("goose_db_version").ColumnExpr("max(version_id)").Where("is_applied").Scan(ctx, &versions[i]); err != nil {
			return err
		}
	}
	problem := &Error{Op: copying, Path: c.target.path, Kind: KindOther, Next: "Run tallyman db migrate with each of the two databases; then run it again."}
	if versions[0] != versions[1] {
		problem.Message = fmt.Sprintf("%s has schema %d and %s has schema %d", c.source.path, versions[0], c.target.path, versions[1])
		return problem
	}
	for _, t := range here {
		i := slices.IndexFunc(there, func(o table) bool { return o.name == t.name })
		if i < 0 || !t.like(there[i]) {
			problem.Message = fmt.Sprintf("table %s is not the same in %s as in %s", t.name, c.target.path, c.source.path)
			return problem
		}
	}
	if len(here) != len(there) {
		problem.Message = fmt.Sprintf("%s has tables that %s does not have", c.target.path, c.source.path)
		return problem
	}
	return nil
}

// table copies a table and reads it back.
func (c *copyRun) table(ctx context.Context, t table) (copied CopiedTable, err error) {
	sent, err := t.read(ctx, c.out)
	if err != nil {
		return CopiedTable{}, fmt.Errorf("read table %s: %w", t.name, err)
	}
	err = c.target.dialect.load(ctx, c.conn, c.in, t, sent.next)
	if err := errors.Join(sent.err, sent.close()); err != nil {
		// That the other side could not go on is only what follows from it.
		return CopiedTable{}, fmt.Errorf("read table %s: %w", t.name, err)
	}
	if err == nil {
		err = c.count(ctx, t)
	}
	if err != nil {
		return CopiedTable{}, c.target.fail(ctx, "write table "+t.name, err)
	}
	copied = sent.sum(t.name)
	got, err := t.sum(ctx, c.in)
	if err != nil {
		return CopiedTable{}, c.target.fail(ctx, "read table "+t.name+" back", err)
	}
	if got != copied {
		return CopiedTable{}, &Error{
			Op: copying, Path: c.target.path, Kind: KindOther,
			Message: fmt.Sprintf("table %s arrived otherwise than it was sent: %d rows with checksum %.12s instead of %d with %.12s",
				t.name, got.Rows, got.Checksum, copied.Rows, copied.Checksum),
			Next: "Nothing was copied. See that nothing changes rows there by itself (a trigger?); then run it again, or report this.",
		}
	}
	return copied, nil
}

// count makes the next id follow the last one that was given out.
func (c *copyRun) count(ctx context.Context, t table) error {
	if !t.counted {
		return nil
	}
	last, err := c.source.dialect.lastID(ctx, c.out, t.name)
	if err != nil {
		return fmt.Errorf("find the last id of table %s: %w", t.name, err)
	}
	return c.target.dialect.setLastID(ctx, c.in, t.name, last)
}

// holdsSomething refuses a database without rows.
func (s *Store) holdsSomething(ctx context.Context, tables []table) error {
	for _, t := range tables {
		if has, err := t.holds(ctx, s.read); err != nil || has {
			return err
		}
	}
	return &ConflictError{Message: s.path + " holds nothing", Next: "There is nothing to copy: write the other database into database.url."}
}

// holdsNothing refuses a database with rows.
func (s *Store) holdsNothing(ctx context.Context, db bun.IDB, tables []table) error {
	for _, t := range tables {
		has, err := t.holds(ctx, db)
		if err != nil {
			return err
		}
		if has {
			return &ConflictError{
				Message: fmt.Sprintf("%s is not empty: there are rows in table %s", s.path, t.name),
				Next:    "Name a database that is empty: a copy is not mixed with what is there.",
			}
		}
	}
	return nil
}

// nobodyRuns refuses a database while a lease is alive in it, or a host that would take up the next run.
func (s *Store) nobodyRuns(ctx context.Context, db bun.IDB) error {
	var serving []Host
	err := db.NewSelect().Model(&serving).Where("seen_at > ?", stored(s.now().Add(-HostSilence))).Order("id").Limit(1).Scan(ctx)
	if err != nil {
		return err
	}
	if len(serving) > 0 {
		return &ConflictError{
			Message: fmt.Sprintf("%s is being used: tallyman serve runs (%s, seen at %s)", s.path, serving[0].Name, serving[0].SeenAt.Format(time.RFC3339)),
			Next:    fmt.Sprintf("End it, there and on every other host. One that is dead counts for %s after it was seen last.", HostSilence),
		}
	}
	var alive []Lease
	err = db.NewSelect().Model(&alive).Where("expires_at > ?", s.now()).Order("module_id").Limit(1).Scan(ctx)
	if err != nil || len(alive) == 0 {
		return err
	}
	return &ConflictError{
		Message: fmt.Sprintf("%s is being used: %s runs a module since %s", s.path, alive[0].Holder, alive[0].AcquiredAt.Format(time.RFC3339)),
		Next: fmt.Sprintf("End that program, or wait. If it is dead, its hold ends by itself at %s.",
			alive[0].ExpiresAt.Format(time.RFC3339)),
	}
}
