// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	modernc "modernc.org/sqlite"
)

// Fetching a row through the driver takes longer than it takes SQLite to find it. An aggregate function is handed the
// values while SQLite is still inside its loop, which is about three times as fast.

// indexScan reads nothing but the index distributor_subscriptions_scan. The last three columns travel as one number: the
// scope, eight flags and whether there is a subscription.
const indexScan = `SELECT tallyman_scan_index(?, id, key_hash, fingerprint, (scope_id << 9) | (flags << 1) | (subscription_id IS NOT NULL))
	FROM distributor_subscriptions WHERE module_id = ?`

// indexScans holds the functions of the scans under way, by number.
var indexScans struct {
	sync.Map
	last atomic.Int64
}

func init() {
	modernc.MustRegisterFunction("tallyman_scan_index", &modernc.FunctionImpl{
		NArgs: 5,
		MakeAggregate: func(modernc.FunctionContext) (modernc.AggregateFunction, error) {
			return &indexScanner{}, nil
		},
	})
}

func (d *sqlite) scanIndex(ctx context.Context, read *sql.DB, moduleID int64, fn func(IndexRow)) error {
	scan := indexScans.last.Add(1)
	indexScans.Store(scan, fn)
	defer indexScans.Delete(scan)
	var n int64
	return read.QueryRowContext(ctx, indexScan, scan, moduleID).Scan(&n)
}

// indexScanner calls a function of Go for every row of a scan; its result is their number.
type indexScanner struct {
	fn func(IndexRow)
	n  int64
}

var _ modernc.AggregateFunction = (*indexScanner)(nil)

func (s *indexScanner) Step(_ *modernc.FunctionContext, args []driver.Value) (err error) {
	defer func() {
		// A panic must not unwind through SQLite, which would keep its locks.
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic while reading the index: %v", cause)
		}
	}()
	if s.fn == nil {
		scan, _ := indexScans.Load(args[0])
		if s.fn, _ = scan.(func(IndexRow)); s.fn == nil {
			return errors.New("tallyman_scan_index was called by somebody else")
		}
	}
	id, ok1 := args[1].(int64)
	key, ok2 := args[2].(int64)
	print, ok3 := args[3].(int64)
	rest, ok4 := args[4].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return errors.New("the index of distributor subscriptions holds something that is no number")
	}
	s.n++
	s.fn(IndexRow{ID: id, KeyHash: key, Fingerprint: print, ScopeID: rest >> 9, Flags: rest >> 1 & 0xff, Linked: rest&1 != 0})
	return nil
}

func (s *indexScanner) WindowInverse(*modernc.FunctionContext, []driver.Value) error {
	return errors.New("tallyman_scan_index is no window function")
}

func (s *indexScanner) WindowValue(*modernc.FunctionContext) (driver.Value, error) { return s.n, nil }

func (s *indexScanner) Final(*modernc.FunctionContext) {}
