// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"
)

// benchSizes are numbers of subscriptions.
var benchSizes = []int{10_000, 100_000, 1_000_000}

// benchChunk is how many rows of each table are written in turn, as a run does.
const benchChunk = 1000

// benchRows are the rows of one chunk of a first import.
type benchRows struct {
	subscriptions            []Subscription
	distributorSubscriptions []DistributorSubscription
	changes                  []Change
}

type benchModule struct {
	module               Module
	customer, scope, run int64
}

func newBenchModule(b *testing.B, s *Store) benchModule {
	b.Helper()
	ctx := b.Context()
	tenant, err := s.EnsureTenant(ctx, "acme", "Acme IT")
	must(b, err)
	m := benchModule{}
	m.module, err = s.EnsureModule(ctx, tenant.ID, "rhipe", "rhipe")
	must(b, err)
	_, err = s.AcquireLease(ctx, m.module, "bench", "sync", time.Hour)
	must(b, err)
	run := Run{TenantID: tenant.ID, ModuleID: m.module.ID, Mode: "sync", Trigger: "command", Entities: "subscriptions"}
	must(b, s.StartRun(ctx, &run))
	must(b, s.Apply(ctx, m.module.ID, "bench", func(ctx context.Context, tx *Tx) error {
		customers, scopes := []Customer{{Name: "Customer", Active: true}}, []Scope{{Ref: "agreement"}}
		must(b, tx.InsertCustomers(ctx, customers))
		must(b, tx.EnsureScopes(ctx, scopes))
		m.customer, m.scope, m.run = customers[0].ID, scopes[0].ID, run.ID
		return nil
	}))
	return m
}

// rows makes the rows first to first+n-1, with ids as if there were no others.
func (m benchModule) rows(first, n int) benchRows {
	var r benchRows
	now := stored(time.Now())
	for i := first; i < first+n; i++ {
		id := int64(i) + 1
		hash := fnv.New64a()
		_, _ = fmt.Fprint(hash, i)
		key := hash.Sum64() * 0x9e3779b97f4a7c15
		ref := fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(key), uint16(key>>32), uint16(key>>48), uint16(i), i)
		quantity, yes, subscription := fmt.Sprint(i%500), true, id
		record := fmt.Sprintf(`{"ref":%q,"customer_ref":"b0f1c7a2-55aa-4d55-9f1b-2f0d6a1e%04x","name":"Microsoft 365 Business Premium",`+
			`"quantity":"%d","unit":"licence","state":"active","status":"Active","charge":"recurring","billing_term":"P1M",`+
			`"commitment_term":"P1Y","commitment_end":"2027-03-12","sku":"CFQ7TTC0LCHC:0002","vendor":"Microsoft"}`, ref, i%300, i%500)
		r.subscriptions = append(r.subscriptions, Subscription{
			ID: id, TenantID: m.module.TenantID, CustomerID: m.customer, ModuleID: m.module.ID, Distributor: "Rhipe", Ref: ref,
			Name: "Microsoft 365 Business Premium", Quantity: &quantity, Unit: "licence", Active: true, State: "active",
			Status: "Active", Charge: "recurring", BillingTerm: "P1M", CommitmentTerm: "P1Y", CommitmentEnd: "2027-03-12",
			AutoRenew: &yes, SKU: "CFQ7TTC0LCHC:0002", Vendor: "Microsoft", VendorRef: ref, CreatedAt: now, UpdatedAt: now,
		})
		r.distributorSubscriptions = append(r.distributorSubscriptions, DistributorSubscription{
			ID: id, TenantID: m.module.TenantID, ModuleID: m.module.ID, Ref: ref, RefKey: ref, KeyHash: int64(key),
			Fingerprint: int64(key * 31), CustomerKey: fmt.Sprintf("b0f1c7a2-55aa-4d55-9f1b-2f0d6a1e%04x", i%300),
			ScopeID: m.scope, Record: []byte(record), SubscriptionID: &subscription, CreatedAt: now, UpdatedAt: now,
		})
		r.changes = append(r.changes, Change{
			TenantID: m.module.TenantID, ModuleID: &m.module.ID, RunID: &m.run, Entity: "subscription", EntityID: &subscription,
			EntityKey: ref, Name: "Microsoft 365 Business Premium", CustomerID: &m.customer, Kind: "create", Status: "applied",
			After: []byte(record), Reason: "new at the distributor", Who: "operator", CreatedAt: now,
		})
	}
	return r
}

// raw writes rows as plainly as the driver allows: prepared statements of 100 rows and lists of arguments.
func (r benchRows) raw(b *testing.B, stmts [3]*sql.Stmt, at string) {
	args := make([]any, 0, 100*len(bulkSubscriptions.columns))
	for from := 0; from < len(r.subscriptions); from += 100 {
		args = args[:0]
		for i := range 100 {
			s := &r.subscriptions[from+i]
			args = append(args, s.ID, s.TenantID, s.CustomerID, s.ModuleID, s.Distributor, s.Ref, s.Name, *s.Quantity, s.Unit, s.Active,
				s.State, s.Status, s.Charge, s.BillingTerm, s.CommitmentTerm, s.StartedOn, s.CommitmentEnd, s.CancellableUntil,
				*s.AutoRenew, nil, s.SKU, s.Vendor, s.VendorRef, s.ParentRef, nil, nil, nil, s.Currency, nil, at, at)
		}
		_, err := stmts[0].Exec(args...)
		must(b, err)
	}
	for from := 0; from < len(r.distributorSubscriptions); from += 100 {
		args = args[:0]
		for i := range 100 {
			d := &r.distributorSubscriptions[from+i]
			args = append(args, d.ID, d.TenantID, d.ModuleID, d.Ref, d.RefKey, d.KeyHash, d.Fingerprint, d.CustomerKey, d.ScopeID,
				d.Flags, d.Missing, string(d.Record), *d.SubscriptionID, at, at)
		}
		_, err := stmts[1].Exec(args...)
		must(b, err)
	}
	for from := 0; from < len(r.changes); from += 100 {
		args = args[:0]
		for i := range 100 {
			c := &r.changes[from+i]
			args = append(args, c.TenantID, *c.ModuleID, *c.RunID, c.Entity, *c.EntityID, c.EntityKey, c.Name, *c.CustomerID, c.Kind,
				c.Status, c.Guard, nil, string(c.After), c.Reason, c.Who, at)
		}
		_, err := stmts[2].Exec(args...)
		must(b, err)
	}
}

// BenchmarkFirstImport writes subscriptions, distributor subscriptions and changes in one transaction: by the driver
// alone, by Tx, and by Bun. The metrics are ratios to the driver alone.
func BenchmarkFirstImport(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var raw, ours, byBun time.Duration
			for b.Loop() {
				raw += importRaw(b, size)
				ours += importByTx(b, size)
				if size <= 100_000 {
					byBun += importByBun(b, size)
				}
			}
			b.ReportMetric(ours.Seconds()/raw.Seconds(), "ours/raw")
			if byBun > 0 {
				b.ReportMetric(byBun.Seconds()/raw.Seconds(), "bun/raw")
			}
			b.ReportMetric(float64(size*b.N)/raw.Seconds(), "raw-subscriptions/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func importRaw(b *testing.B, size int) time.Duration {
	s := benchStore(b)
	m := newBenchModule(b, s)
	var stmts [3]*sql.Stmt
	var spent time.Duration
	start := time.Now()
	tx, err := s.write.DB.Begin()
	must(b, err)
	for i, in := range []*bulk{&bulkSubscriptions, &bulkDistributorSubscriptions, &bulkChanges} {
		row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(in.columns)), ",") + ")"
		text := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", in.table, strings.Join(in.columns, ","),
			strings.TrimSuffix(strings.Repeat(row+",", 100), ","))
		stmts[i], err = tx.Prepare(text) //nolint:sqlclosecheck // it is closed with the transaction
		must(b, err)
	}
	spent += time.Since(start)
	at := time.Now().UTC().Format("2006-01-02 15:04:05.999999-07:00")
	for first := 0; first < size; first += benchChunk {
		rows := m.rows(first, benchChunk)
		start := time.Now()
		rows.raw(b, stmts, at)
		spent += time.Since(start)
	}
	start = time.Now()
	must(b, tx.Commit())
	return spent + time.Since(start)
}

func importByTx(b *testing.B, size int) time.Duration {
	s := benchStore(b)
	m := newBenchModule(b, s)
	var making time.Duration
	start := time.Now()
	must(b, s.Apply(b.Context(), m.module.ID, "bench", func(ctx context.Context, tx *Tx) error {
		for first := 0; first < size; first += benchChunk {
			start := time.Now()
			rows := m.rows(first, benchChunk)
			making += time.Since(start)
			must(b, tx.InsertSubscriptions(ctx, rows.subscriptions))
			must(b, tx.InsertDistributorSubscriptions(ctx, rows.distributorSubscriptions))
			must(b, tx.InsertChanges(ctx, rows.changes))
		}
		return nil
	}))
	return time.Since(start) - making
}

func importByBun(b *testing.B, size int) time.Duration {
	s := benchStore(b)
	m := newBenchModule(b, s)
	var making time.Duration
	start := time.Now()
	must(b, s.Apply(b.Context(), m.module.ID, "bench", func(ctx context.Context, tx *Tx) error {
		for first := 0; first < size; first += benchChunk {
			start := time.Now()
			rows := m.rows(first, benchChunk)
			making += time.Since(start)
			must(b, bySlice(ctx, rows.subscriptions, func(rows []Subscription) error {
				_, err := tx.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
				return err
			}))
			must(b, bySlice(ctx, rows.distributorSubscriptions, func(rows []DistributorSubscription) error {
				_, err := tx.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
				return err
			}))
			must(b, bySlice(ctx, rows.changes, func(rows []Change) error {
				_, err := tx.tx.NewInsert().Model(&rows).ExcludeColumn("id").Returning("NULL").Exec(ctx)
				return err
			}))
		}
		return nil
	}))
	return time.Since(start) - making
}

// BenchmarkScanIndex reads the index as every run does.
func BenchmarkScanIndex(b *testing.B) {
	for _, size := range benchSizes[:2] {
		s := benchStore(b)
		m := newBenchModule(b, s)
		must(b, s.Apply(b.Context(), m.module.ID, "bench", func(ctx context.Context, tx *Tx) error {
			for first := 0; first < size; first += benchChunk {
				rows := m.rows(first, benchChunk)
				must(b, tx.InsertSubscriptions(ctx, rows.subscriptions))
				must(b, tx.InsertDistributorSubscriptions(ctx, rows.distributorSubscriptions))
			}
			return nil
		}))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			var plain, floor, ours time.Duration
			for b.Loop() {
				n := 0
				start := time.Now()
				must(b, s.ScanIndex(b.Context(), m.module.ID, func(IndexRow) { n++ }))
				ours += time.Since(start)
				if n != size {
					b.Fatalf("read %d rows of %d", n, size)
				}
				plain += scanPlainly(b, s, m.module.ID)
				start = time.Now()
				var sum float64
				must(b, s.read.DB.QueryRow(`SELECT total(id) + total(key_hash) + total(fingerprint) + total(scope_id) + total(flags) + count(subscription_id)
					FROM distributor_subscriptions WHERE module_id = ?`, m.module.ID).Scan(&sum))
				floor += time.Since(start)
			}
			b.ReportMetric(float64(size*b.N)/ours.Seconds(), "rows/s")
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "times-rows.Scan")
			b.ReportMetric(ours.Seconds()/floor.Seconds(), "ours/sum-in-sqlite")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// scanPlainly reads the index by rows.Scan.
func scanPlainly(b *testing.B, s *Store, moduleID int64) time.Duration {
	start := time.Now()
	rows, err := s.read.DB.QueryContext(b.Context(), `SELECT id, key_hash, fingerprint, scope_id, flags, subscription_id IS NOT NULL
		FROM distributor_subscriptions WHERE module_id = ?`, moduleID)
	must(b, err)
	defer func() { must(b, rows.Close()) }()
	for rows.Next() {
		var r IndexRow
		must(b, rows.Scan(&r.ID, &r.KeyHash, &r.Fingerprint, &r.ScopeID, &r.Flags, &r.Linked))
	}
	must(b, rows.Err())
	return time.Since(start)
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Options{URL: "sqlite:bench.db", BaseDir: b.TempDir()})
	must(b, err)
	b.Cleanup(func() { must(b, s.Close()) })
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
