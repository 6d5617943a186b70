// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"
)

// Glance is how a module is doing, in numbers: the same as its Standing, for those who ask every few seconds about all of them.
type Glance struct {
	ModuleID       int64
	Tenant, Module string
	// Customers and Subscriptions are when the last complete reading of each began; nil: there was none.
	Customers, Subscriptions *time.Time
	// Started and Finished are those of the newest sync of all customers that has ended; nil before the first.
	Started, Finished *time.Time
	// Failures is how many syncs in a row have failed, with no other between but cancelled ones.
	Failures int
	// Held is how many changes wait for a person.
	Held int `bun:"-"`
	// Scheduled is since when the module has its schedule; nil: it has none.
	Scheduled *time.Time
}

// Glances gives how all modules are doing, in two statements however many there are. What it reads of each are ends of
// indexes.
func (s *Store) Glances(ctx context.Context) ([]Glance, error) {
	const op = "read how the modules are doing"
	// newest is the id of a module's newest run of a kind.
	newest := func(where string) string {
		return "(SELECT n.id FROM runs n WHERE n.module_id = m.id AND " + where + " ORDER BY n.id DESC LIMIT 1)"
	}
	var list []Glance
	err := s.read.NewSelect().TableExpr("modules AS m").
		Join("JOIN tenants t ON t.id = m.tenant_id").
		Join("LEFT JOIN runs c ON c.id = "+newest("n.customers_complete")).
		Join("LEFT JOIN runs u ON u.id = "+newest("n.subscriptions_complete")).
		Join("LEFT JOIN runs l ON l.id = "+newest(wholeSync)).
		Join("LEFT JOIN schedules s ON s.module_id = m.id").
		ColumnExpr("m.id AS module_id, t.name AS tenant, m.name AS module, s.since AS scheduled").
		ColumnExpr("c.started_at AS customers, u.started_at AS subscriptions, l.started_at AS started, l.finished_at AS finished").
		ColumnExpr("(SELECT count(*) FROM runs f WHERE f.module_id = m.id AND "+wholeSync+" AND f.outcome = 'failed' AND f.id > coalesce("+
			newest(wholeSync+" AND n.outcome NOT IN ('failed', 'cancelled')")+", 0)) AS failures").
		Order("m.id").Scan(ctx, &list)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	held, err := s.HeldCounts(ctx, 0)
	for i := range list {
		list[i].Held = held[list[i].ModuleID]
	}
	return list, err
}
