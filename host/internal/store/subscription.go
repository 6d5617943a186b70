// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// IndexRow is what tells whether a listed record is unchanged.
type IndexRow struct {
	ID, KeyHash, Fingerprint, ScopeID, Flags int64
	// Linked: there is a subscription for it.
	Linked bool
}

// CountIndex gives the number of rows that ScanIndex goes through.
func (s *Store) CountIndex(ctx context.Context, moduleID int64) (int, error) {
	var n int
	err := s.countIndex(moduleID).Scan(ctx, &n)
	return n, s.fail(ctx, "count distributor subscriptions", err)
}

func (s *Store) countIndex(moduleID int64) *bun.SelectQuery {
	return s.read.NewSelect().Table("distributor_subscriptions").ColumnExpr("count(*)").Where("module_id = ?", moduleID)
}

// ScanIndex calls fn for every distributor subscription of a module, in no order that counts. It reads one index and no
// table. fn must not use the store. Only the lowest eight bits of flags are read.
func (s *Store) ScanIndex(ctx context.Context, moduleID int64, fn func(IndexRow)) error {
	return s.fail(ctx, "read the index of distributor subscriptions", s.dialect.scanIndex(ctx, s.read.DB, moduleID, fn))
}

// Scopes gives the scopes of a module, by id.
func (s *Store) Scopes(ctx context.Context, moduleID int64) ([]Scope, error) {
	var list []Scope
	err := s.read.NewSelect().Model(&list).Where("module_id = ?", moduleID).Order("id").Scan(ctx)
	return list, s.fail(ctx, "list scopes", err)
}

// Pair is a distributor subscription with our subscription for it, which is nil where it has none.
type Pair struct {
	DistributorSubscription
	Subscription *Subscription
}

// DistributorSubscriptionsByID gives distributor subscriptions of a module with their subscriptions, by id. Ids that are
// not there are left out.
func (s *Store) DistributorSubscriptionsByID(ctx context.Context, moduleID int64, ids []int64) ([]Pair, error) {
	list := make([]Pair, 0, len(ids))
	for rest := ids; len(rest) > 0; {
		n := min(len(rest), 1000)
		query := s.pairs(moduleID).Where("d.id IN (?)", bun.List(rest[:n])).OrderExpr("d.id")
		var err error
		if list, err = s.scanPairs(ctx, query, list); err != nil {
			return nil, s.fail(ctx, "read distributor subscriptions", err)
		}
		rest = rest[n:]
	}
	return list, nil
}

// DistributorSubscriptionsOfCustomer gives a page of the distributor subscriptions of one distributor customer, by id:
// those with an id above afterID, at most limit of them.
func (s *Store) DistributorSubscriptionsOfCustomer(ctx context.Context, moduleID int64, customerKey string, afterID int64, limit int) ([]Pair, error) {
	query := s.pairs(moduleID).Where("d.customer_key = ?", clean(customerKey)).Where("d.id > ?", afterID).OrderExpr("d.id").Limit(int64(limit))
	list, err := s.scanPairs(ctx, query, make([]Pair, 0, limit))
	return list, s.fail(ctx, "read distributor subscriptions of a customer", err)
}

// DistributorSubscriptions gives a page of all distributor subscriptions of a module, by id: those with an id above afterID,
// at most limit of them.
func (s *Store) DistributorSubscriptions(ctx context.Context, moduleID, afterID int64, limit int) ([]Pair, error) {
	query := s.pairs(moduleID).Where("d.id > ?", afterID).OrderExpr("d.id").Limit(int64(limit))
	list, err := s.scanPairs(ctx, query, make([]Pair, 0, limit))
	return list, s.fail(ctx, "read distributor subscriptions", err)
}

// ItemKeyHashes gives the key hashes of the distributor subscriptions whose keys begin with a subscription's key and a
// slash: its items, where it has several.
func (s *Store) ItemKeyHashes(ctx context.Context, moduleID int64, refKey string) ([]int64, error) {
	var list []int64
	refKey = clean(refKey)
	// A zero comes right after a slash.
	err := s.read.NewSelect().Table("distributor_subscriptions").Column("key_hash").Where("module_id = ?", moduleID).
		Where("ref_key > ?", refKey+"/").Where("ref_key < ?", refKey+"0").Order("id").Scan(ctx, &list)
	return list, s.fail(ctx, "find the items of a subscription", err)
}

// CountActiveSubscriptions gives how many subscriptions of a module are active.
func (s *Store) CountActiveSubscriptions(ctx context.Context, moduleID int64) (int, error) {
	var n int
	err := s.countActive(moduleID).Scan(ctx, &n)
	return n, s.fail(ctx, "count active subscriptions", err)
}

func (s *Store) countActive(moduleID int64) *bun.SelectQuery {
	return s.read.NewSelect().Table("subscriptions").ColumnExpr("count(*)").Where("module_id = ?", moduleID).Where("active")
}

// pairs is the query behind scanPairs, which reads its columns in this order.
func (s *Store) pairs(moduleID int64) *bun.SelectQuery {
	return s.read.NewSelect().TableExpr("distributor_subscriptions AS d").
		ColumnExpr("d.id, d.tenant_id, d.module_id, d.ref, d.ref_key, d.key_hash, d.fingerprint, d.customer_key, d.scope_id").
		ColumnExpr("d.flags, d.missing, d.record, d.subscription_id, d.carried_as, d.created_at, d.updated_at").
		ColumnExpr("s.customer_id, s.distributor, s.ref, s.name, s.quantity, s.unit, s.active, s.state, s.status, s.charge").
		ColumnExpr("s.billing_term, s.commitment_term, s.started_on, s.commitment_end, s.cancellable_until, s.auto_renew").
		ColumnExpr("s.trial, s.sku, s.vendor, s.vendor_ref, s.parent_ref, s.customer_price, s.partner_cost, s.list_price").
		ColumnExpr("s.currency, s.deactivated_at, s.created_at, s.updated_at").
		Join("LEFT JOIN subscriptions AS s ON s.id = d.subscription_id").
		Where("d.module_id = ?", moduleID)
}

// scanPairs reads by hand: Bun's scanning takes twice as long, and a changed mapping reads a great many rows.
func (s *Store) scanPairs(ctx context.Context, query *bun.SelectQuery, list []Pair) ([]Pair, error) {
	rows, err := query.Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var (
		customerID                                      sql.NullInt64
		texts                                           [17]sql.NullString
		active                                          sql.NullBool
		quantity, customerPrice, partnerCost, listPrice *string
		autoRenew, trial                                *bool
		deactivatedAt, createdAt, updatedAt             *time.Time
		record                                          []byte
	)
	for rows.Next() {
		list = append(list, Pair{})
		p := &list[len(list)-1]
		d := &p.DistributorSubscription
		err := rows.Scan(&d.ID, &d.TenantID, &d.ModuleID, &d.Ref, &d.RefKey, &d.KeyHash, &d.Fingerprint, &d.CustomerKey, &d.ScopeID,
			&d.Flags, &d.Missing, &record, &d.SubscriptionID, &d.CarriedAs, &d.CreatedAt, &d.UpdatedAt,
			&customerID, &texts[0], &texts[1], &texts[2], &quantity, &texts[3], &active, &texts[4], &texts[5], &texts[6],
			&texts[7], &texts[8], &texts[9], &texts[10], &texts[11], &autoRenew,
			&trial, &texts[12], &texts[13], &texts[14], &texts[15], &customerPrice, &partnerCost, &listPrice,
			&texts[16], &deactivatedAt, &createdAt, &updatedAt)
		if err != nil {
			return nil, err
		}
		d.Record, record = record, nil
		if d.SubscriptionID == nil {
			continue
		}
		if !customerID.Valid || createdAt == nil || updatedAt == nil {
			return nil, fmt.Errorf("distributor subscription %d points to subscription %d, which is not there", d.ID, *d.SubscriptionID)
		}
		p.Subscription = &Subscription{
			ID: *d.SubscriptionID, TenantID: d.TenantID, CustomerID: customerID.Int64, ModuleID: d.ModuleID,
			Distributor: texts[0].String, Ref: texts[1].String, Name: texts[2].String, Quantity: quantity, Unit: texts[3].String,
			Active: active.Bool, State: texts[4].String, Status: texts[5].String, Charge: texts[6].String,
			BillingTerm: texts[7].String, CommitmentTerm: texts[8].String, StartedOn: texts[9].String,
			CommitmentEnd: texts[10].String, CancellableUntil: texts[11].String, AutoRenew: autoRenew, Trial: trial,
			SKU: texts[12].String, Vendor: texts[13].String, VendorRef: texts[14].String, ParentRef: texts[15].String,
			CustomerPrice: customerPrice, PartnerCost: partnerCost, ListPrice: listPrice, Currency: texts[16].String,
			DeactivatedAt: deactivatedAt, CreatedAt: *createdAt, UpdatedAt: *updatedAt,
		}
	}
	return list, rows.Err()
}

// SubscriptionFilter narrows a list of subscriptions. Zero values do not.
type SubscriptionFilter struct {
	TenantID, ModuleID, CustomerID, ID int64
	// Active gives only active ones, or only those that are not; nil gives all.
	Active *bool
	// Search is any part of the name, the SKU, the distributor's id or the customer's name.
	Search string
	// AfterID is the last id of the page before.
	AfterID int64
	Limit   int
	// Total, if it is not nil, takes how many there are without the limit.
	Total *int
}

// SubscriptionRow is a subscription as it is listed.
type SubscriptionRow struct {
	Subscription `bun:",extend"`

	Tenant   string `json:"tenant"`
	Module   string `json:"module"`
	Customer string `json:"customer"`
}

// SubscriptionRows gives subscriptions by id.
func (s *Store) SubscriptionRows(ctx context.Context, filter SubscriptionFilter) ([]SubscriptionRow, error) {
	var list []SubscriptionRow
	query := s.read.NewSelect().TableExpr("subscriptions AS s").
		ColumnExpr("s.*, t.name AS tenant, o.name AS module, c.name AS customer").
		Join("JOIN tenants AS t ON t.id = s.tenant_id").
		Join("JOIN modules AS o ON o.id = s.module_id").
		Join("JOIN customers AS c ON c.id = s.customer_id").
		OrderExpr("s.id")
	whereID(query, "s.tenant_id", filter.TenantID)
	whereID(query, "s.module_id", filter.ModuleID)
	whereID(query, "s.customer_id", filter.CustomerID)
	whereID(query, "s.id", filter.ID)
	if filter.Active != nil {
		query.Where("s.active = ?", *filter.Active)
	}
	if filter.AfterID != 0 {
		query.Where("s.id > ?", filter.AfterID)
	}
	whereMatches(query, filter.Search, "s.name", "s.sku", "s.ref", "c.name")
	err := page(ctx, query, filter.Limit, filter.Total, &list)
	return list, s.fail(ctx, "list subscriptions", err)
}
