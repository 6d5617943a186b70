// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// table is a table as the schema of a database has it.
type table struct {
	name    string
	columns []field
	// key are the columns of the primary key.
	key []string
	// counted: its ids are counted up, and never used twice.
	counted bool
	// refersTo are the tables that its rows refer to.
	refersTo []string
}

// field is a column of a table.
type field struct {
	name string
	kind fieldKind
}

// fieldKind is what a column holds, whatever a database calls that.
type fieldKind byte

// The kinds of fields. Their numbers go into checksums.
const (
	fieldNumber fieldKind = iota + 1
	fieldText
	fieldTime
	fieldFlag
)

// fieldKinds gives the kinds by the names that databases have for them, in small letters.
var fieldKinds = map[string]fieldKind{
	"integer": fieldNumber, "bigint": fieldNumber, "text": fieldText, "boolean": fieldFlag,
	"timestamp": fieldTime, "timestamp with time zone": fieldTime,
}

// described is a column as a database tells of it; Key is its place in the primary key, from 1, or zero.
type described struct {
	Table, Name, Type string
	Key               int
	Counted           bool
}

// reference says that rows of one table refer to rows of another.
type reference struct{ Table, Other string }

// tablesOf makes tables of columns, which come in order of the tables, and puts those first that others refer to.
func tablesOf(columns []described, references []reference) ([]table, error) {
	var list []table
	for _, c := range columns {
		if len(list) == 0 || list[len(list)-1].name != c.Table {
			list = append(list, table{name: c.Table})
		}
		t := &list[len(list)-1]
		kind := fieldKinds[strings.ToLower(c.Type)]
		if kind == 0 {
			return nil, fmt.Errorf("column %s.%s is of type %q, which cannot be copied", c.Table, c.Name, c.Type)
		}
		t.columns = append(t.columns, field{c.Name, kind})
		t.counted = t.counted || c.Counted
		if c.Key > 0 {
			t.key = append(t.key, c.Name)
		}
	}
	for i := range list {
		for _, r := range references {
			if r.Table == list[i].name && r.Other != r.Table {
				list[i].refersTo = append(list[i].refersTo, r.Other)
			}
		}
		if len(list[i].key) == 0 {
			return nil, fmt.Errorf("table %s has no primary key, so it cannot be copied", list[i].name)
		}
	}
	ordered := make([]table, 0, len(list))
	for len(list) > 0 {
		i := slices.IndexFunc(list, func(t table) bool {
			return !slices.ContainsFunc(list, func(other table) bool { return slices.Contains(t.refersTo, other.name) })
		})
		if i < 0 {
			return nil, fmt.Errorf("table %s and others refer to each other in a circle, so they cannot be copied", list[0].name)
		}
		ordered = append(ordered, list[i])
		list = slices.Delete(list, i, i+1)
	}
	return ordered, nil
}

// like reports whether two tables hold the same.
func (t table) like(other table) bool {
	return slices.Equal(t.columns, other.columns) && slices.Equal(t.key, other.key) && t.counted == other.counted
}

func (t table) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// holds reports whether there are rows.
func (t table) holds(ctx context.Context, db bun.IDB) (bool, error) {
	return db.NewSelect().Table(t.name).ColumnExpr("1").Exists(ctx)
}

// reading reads a table row by row, in the order of its key, and sums it up.
type reading struct {
	rows   *sql.Rows
	scan   []any
	values []any
	n      int64
	hash   hash.Hash
	buffer []byte
	err    error
}

// read begins to read the table. Whoever calls it closes the reading.
func (t table) read(ctx context.Context, db bun.IDB) (*reading, error) {
	r := &reading{values: make([]any, len(t.columns)), hash: sha256.New()}
	for _, c := range t.columns {
		switch c.kind {
		case fieldNumber:
			r.scan = append(r.scan, new(sql.NullInt64))
		case fieldText:
			r.scan = append(r.scan, new(sql.NullString))
		case fieldTime:
			r.scan = append(r.scan, new(sql.NullTime))
		case fieldFlag:
			r.scan = append(r.scan, new(sql.NullBool))
		}
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", //nolint:rowserrcheck // next does
		quoted(t.columnNames()), quoted([]string{t.name}), quoted(t.key)))
	r.rows = rows
	return r, err
}

// quoted lists names for a statement.
func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// next gives the values of the next row: int64, string, time.Time, bool or nil, which hold until the next call. After the
// last one it gives nil.
func (r *reading) next() ([]any, error) {
	if r.err != nil || !r.rows.Next() {
		r.err = errors.Join(r.err, r.rows.Err())
		return nil, r.err
	}
	if r.err = r.rows.Scan(r.scan...); r.err != nil {
		return nil, r.err
	}
	r.n++
	b := r.buffer[:0]
	for i, scanned := range r.scan {
		b, r.values[i] = value(b, scanned)
	}
	r.buffer = b
	r.hash.Write(b)
	return r.values, nil
}

// value appends a value in the one form it has in checksums, and gives it.
func value(b []byte, scanned any) ([]byte, any) {
	switch v := scanned.(type) {
	case *sql.NullInt64:
		if v.Valid {
			return binary.BigEndian.AppendUint64(append(b, byte(fieldNumber)), uint64(v.Int64)), v.Int64
		}
	case *sql.NullString:
		if v.Valid {
			b = binary.BigEndian.AppendUint64(append(b, byte(fieldText)), uint64(len(v.String)))
			return append(b, v.String...), v.String
		}
	case *sql.NullTime:
		if v.Valid {
			at := stored(v.Time)
			return binary.BigEndian.AppendUint64(append(b, byte(fieldTime)), uint64(at.UnixMicro())), at
		}
	case *sql.NullBool:
		if v.Valid && v.Bool {
			return append(b, byte(fieldFlag), 1), true
		}
		if v.Valid {
			return append(b, byte(fieldFlag), 0), false
		}
	}
	return append(b, 0), nil
}

func (r *reading) close() error { return r.rows.Close() }

// sum gives what was read, up to now.
func (r *reading) sum(name string) CopiedTable {
	return CopiedTable{Table: name, Rows: r.n, Checksum: hex.EncodeToString(r.hash.Sum(nil))}
}

// sum reads the table through.
func (t table) sum(ctx context.Context, db bun.IDB) (CopiedTable, error) {
	r, err := t.read(ctx, db)
	if err != nil {
		return CopiedTable{}, err
	}
	for row := []any{}; row != nil && err == nil; {
		row, err = r.next()
	}
	return r.sum(t.name), errors.Join(err, r.close())
}
