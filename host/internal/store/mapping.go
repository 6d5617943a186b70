// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// DistributorCustomers gives all distributor customers of a module, by id.
func (s *Store) DistributorCustomers(ctx context.Context, moduleID int64) ([]DistributorCustomer, error) {
	var list []DistributorCustomer
	err := s.read.NewSelect().Model(&list).Where("module_id = ?", moduleID).Order("id").Scan(ctx)
	return list, s.fail(ctx, "list distributor customers", err)
}

// DistributorCustomersByID gives distributor customers of a module, by id. Ids that are not there are left out.
func (s *Store) DistributorCustomersByID(ctx context.Context, moduleID int64, ids []int64) ([]DistributorCustomer, error) {
	list := make([]DistributorCustomer, 0, len(ids))
	err := bySlice(ctx, ids, func(ids []int64) error {
		var some []DistributorCustomer
		err := s.read.NewSelect().Model(&some).Where("module_id = ?", moduleID).Where("id IN (?)", bun.List(ids)).Order("id").Scan(ctx)
		list = append(list, some...)
		return err
	})
	return list, s.fail(ctx, "read distributor customers", err)
}

// KnownCustomer is what tells whether a listed customer is unchanged, and where its subscriptions belong.
type KnownCustomer struct {
	ID, Fingerprint int64
	RefKey          string
	// Gone: it is missing from the distributor.
	Gone bool
	// CustomerID is the customer it is mapped to, PlacedCustomerID the one its subscriptions were last put on; zero: none.
	CustomerID, PlacedCustomerID int64
}

// ScanDistributorCustomers calls fn for every distributor customer of a module, by id. fn must not use the store.
func (s *Store) ScanDistributorCustomers(ctx context.Context, moduleID int64, fn func(KnownCustomer)) error {
	const op = "read distributor customers"
	rows, err := s.read.NewSelect().TableExpr("distributor_customers AS d").
		ColumnExpr("d.id, d.ref_key, d.fingerprint, d.gone_at IS NOT NULL").
		ColumnExpr("coalesce(m.customer_id, 0), coalesce(d.placed_customer_id, 0)").
		Join("LEFT JOIN mappings AS m ON m.distributor_customer_id = d.id").
		Where("d.module_id = ?", moduleID).OrderExpr("d.id").Rows(ctx)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var k KnownCustomer
		if err := rows.Scan(&k.ID, &k.RefKey, &k.Fingerprint, &k.Gone, &k.CustomerID, &k.PlacedCustomerID); err != nil {
			return s.fail(ctx, op, err)
		}
		fn(k)
	}
	return s.fail(ctx, op, rows.Err())
}

// DistributorCustomerTitles gives what people call distributor customers, by key: the names of the customers they are
// mapped to, their own where they are not.
func (s *Store) DistributorCustomerTitles(ctx context.Context, moduleID int64, keys []string) (map[string]string, error) {
	titles := make(map[string]string, len(keys))
	err := bySlice(ctx, keys, func(keys []string) error {
		var list []struct{ RefKey, Title string }
		err := s.read.NewSelect().TableExpr("distributor_customers AS d").ColumnExpr("d.ref_key, coalesce(c.name, d.name) AS title").
			Join("LEFT JOIN mappings AS m ON m.distributor_customer_id = d.id").
			Join("LEFT JOIN customers AS c ON c.id = m.customer_id").
			Where("d.module_id = ?", moduleID).Where("d.ref_key IN (?)", bun.List(keys)).Scan(ctx, &list)
		for _, row := range list {
			titles[row.RefKey] = row.Title
		}
		return err
	})
	return titles, s.fail(ctx, "read the names of distributor customers", err)
}

// FindDistributorCustomer gives the distributor customer with that ref, or else the only one with exactly that name. It
// gives a *NotFoundError if there is none, a *ConflictError if several have that name.
func (s *Store) FindDistributorCustomer(ctx context.Context, moduleID int64, refOrName string) (DistributorCustomer, error) {
	op := fmt.Sprintf("find distributor customer %q", refOrName)
	text := clean(refOrName)
	var list []DistributorCustomer
	for _, column := range []string{"ref", "ref_key", "name"} {
		err := s.read.NewSelect().Model(&list).Where("module_id = ?", moduleID).Where("? = ?", bun.Ident(column), text).Limit(3).Scan(ctx)
		if err != nil {
			return DistributorCustomer{}, s.fail(ctx, op, err)
		}
		switch {
		case len(list) == 1:
			return list[0], nil
		case len(list) > 1:
			return DistributorCustomer{}, &ConflictError{
				Message: fmt.Sprintf("several distributor customers are called %q", refOrName),
				Next:    "Name it by its id at the distributor; tallyman mappings list shows it.",
			}
		}
	}
	return DistributorCustomer{}, &NotFoundError{
		What: fmt.Sprintf("distributor customer %q in this module", refOrName),
		Next: "See tallyman mappings list. A customer that is new at the distributor is there after the next tallyman sync.",
	}
}

// Mappings gives all mappings of a module, by id.
func (s *Store) Mappings(ctx context.Context, moduleID int64) ([]Mapping, error) {
	var list []Mapping
	err := s.read.NewSelect().Model(&list).Where("module_id = ?", moduleID).Order("id").Scan(ctx)
	return list, s.fail(ctx, "list mappings", err)
}

// MappingFilter narrows a list of mappings. Zero values do not.
type MappingFilter struct {
	TenantID, ModuleID, CustomerID int64
	// Mapped and Unmapped give only the one kind.
	Mapped, Unmapped bool
	// Gone gives also distributor customers that are no longer at the distributor and are not mapped.
	Gone bool
	// Search is any part of either name or of the distributor's id.
	Search string
	Limit  int
	// Total, if it is not nil, takes how many there are without the limit.
	Total *int
}

// MappingRow is a distributor customer with its mapping, if it has one.
type MappingRow struct {
	TenantID              int64      `json:"tenant_id"`
	ModuleID              int64      `json:"module_id"`
	Tenant                string     `json:"tenant"`
	Module                string     `json:"module"`
	DistributorCustomerID int64      `json:"distributor_customer_id"`
	Ref                   string     `json:"ref"`
	Name                  string     `json:"name"`
	Lifecycle             string     `json:"lifecycle"`
	IsPartner             bool       `json:"is_partner"`
	GoneAt                *time.Time `json:"gone_at,omitempty"`
	// The rest is nil or empty if it is not mapped.
	MappingID    *int64     `json:"mapping_id,omitempty"`
	CustomerID   *int64     `json:"customer_id,omitempty"`
	CustomerName string     `json:"customer_name"`
	Origin       string     `json:"origin"`
	Who          string     `json:"who"`
	MappedAt     *time.Time `json:"mapped_at,omitempty"`
}

// MappingRows gives distributor customers with their mappings: unmapped ones first, then by name.
func (s *Store) MappingRows(ctx context.Context, filter MappingFilter) ([]MappingRow, error) {
	var list []MappingRow
	query := s.read.NewSelect().TableExpr("distributor_customers AS d").
		ColumnExpr("d.tenant_id, d.module_id, t.name AS tenant, o.name AS module, d.id AS distributor_customer_id, d.ref, d.name").
		ColumnExpr("d.lifecycle, d.is_partner, d.gone_at, m.id AS mapping_id, m.customer_id, coalesce(c.name, '') AS customer_name").
		ColumnExpr("coalesce(m.origin, '') AS origin, coalesce(m.who, '') AS who, m.created_at AS mapped_at").
		Join("JOIN tenants AS t ON t.id = d.tenant_id").
		Join("JOIN modules AS o ON o.id = d.module_id").
		Join("LEFT JOIN mappings AS m ON m.distributor_customer_id = d.id").
		Join("LEFT JOIN customers AS c ON c.id = m.customer_id").
		OrderExpr("m.id IS NOT NULL, d.is_partner, d.lifecycle IN ('ended', 'deleted'), lower(d.name), d.id")
	whereID(query, "d.tenant_id", filter.TenantID)
	whereID(query, "d.module_id", filter.ModuleID)
	whereID(query, "m.customer_id", filter.CustomerID)
	if filter.Mapped {
		query.Where("m.id IS NOT NULL")
	}
	if filter.Unmapped {
		query.Where("m.id IS NULL")
	}
	if !filter.Gone {
		query.Where("(d.gone_at IS NULL OR m.id IS NOT NULL)")
	}
	whereMatches(query, filter.Search, "d.name", "d.ref", "c.name")
	err := page(ctx, query, filter.Limit, filter.Total, &list)
	return list, s.fail(ctx, "list mappings", err)
}

// MappingOf gives the mapping of a distributor customer, or nil if it is not mapped.
func (s *Store) MappingOf(ctx context.Context, moduleID, distributorCustomerID int64) (*Mapping, error) {
	var mapping Mapping
	err := s.read.NewSelect().Model(&mapping).Where("module_id = ?", moduleID).
		Where("distributor_customer_id = ?", distributorCustomerID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &mapping, s.fail(ctx, "read a mapping", err)
}

// AddMapping maps a distributor customer by hand. It gives a *ConflictError if it is mapped already.
func (s *Store) AddMapping(ctx context.Context, moduleID, distributorCustomerID, customerID int64, who string) (Mapping, error) {
	var mapping Mapping
	err := s.byHand(ctx, "add a mapping", moduleID, distributorCustomerID, who, func(ctx context.Context, h hand) error {
		if h.mapping != nil {
			return &ConflictError{
				Message: fmt.Sprintf("%q is already mapped to customer #%d", h.row.Name, h.mapping.CustomerID),
				Next:    "Remove that mapping first, or add --change.",
			}
		}
		customer, err := s.customer(ctx, h.tx, h.row.TenantID, customerID)
		if err != nil {
			return err
		}
		mapping = Mapping{
			TenantID: h.row.TenantID, ModuleID: moduleID, DistributorCustomerID: h.row.ID, CustomerID: customer.ID,
			Origin: "manual", Who: who, CreatedAt: s.now(),
		}
		if _, err := h.tx.NewInsert().Model(&mapping).ExcludeColumn("id").Returning("id").Exec(ctx); err != nil {
			return err
		}
		return h.record(ctx, s, "map", customer.ID, nil, customerJSON(customer), "mapped by hand")
	})
	return mapping, err
}

// ChangeMapping maps a distributor customer to another customer by hand. The next run moves its subscriptions.
func (s *Store) ChangeMapping(ctx context.Context, moduleID, distributorCustomerID, customerID int64, who string) (Mapping, error) {
	var mapping Mapping
	err := s.byHand(ctx, "change a mapping", moduleID, distributorCustomerID, who, func(ctx context.Context, h hand) error {
		if h.mapping == nil {
			return h.notMapped()
		}
		mapping = *h.mapping
		if mapping.CustomerID == customerID {
			return nil
		}
		customer, err := s.customer(ctx, h.tx, h.row.TenantID, customerID)
		if err != nil {
			return err
		}
		before, err := s.customer(ctx, h.tx, h.row.TenantID, mapping.CustomerID)
		if err != nil {
			return err
		}
		mapping.CustomerID, mapping.Origin, mapping.Who = customer.ID, "manual", who
		if _, err := h.tx.NewUpdate().Model(&mapping).Column("customer_id", "origin", "who").WherePK().Exec(ctx); err != nil {
			return err
		}
		return h.record(ctx, s, "map", customer.ID, customerJSON(before), customerJSON(customer), "mapped to another customer by hand")
	})
	return mapping, err
}

// RemoveMapping takes a mapping away by hand. Its subscriptions stay where they are until they are mapped again.
func (s *Store) RemoveMapping(ctx context.Context, moduleID, distributorCustomerID int64, who string) error {
	return s.byHand(ctx, "remove a mapping", moduleID, distributorCustomerID, who, func(ctx context.Context, h hand) error {
		if h.mapping == nil {
			return h.notMapped()
		}
		before, err := s.customer(ctx, h.tx, h.row.TenantID, h.mapping.CustomerID)
		if err != nil {
			return err
		}
		if _, err := h.tx.NewDelete().Model(h.mapping).WherePK().Exec(ctx); err != nil {
			return err
		}
		return h.record(ctx, s, "unmap", before.ID, customerJSON(before), nil, "mapping removed by hand")
	})
}

// hand is what somebody changes by hand: one distributor customer and its mapping, if it has one.
type hand struct {
	tx      bun.Tx
	row     DistributorCustomer
	mapping *Mapping
	who     string
}

// byHand runs fn in a transaction with a distributor customer and its mapping.
func (s *Store) byHand(ctx context.Context, op string, moduleID, distributorCustomerID int64, who string, fn func(context.Context, hand) error) error {
	return s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		h := hand{tx: tx, who: clean(who)}
		err := tx.NewSelect().Model(&h.row).Where("id = ?", distributorCustomerID).Where("module_id = ?", moduleID).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return &NotFoundError{What: fmt.Sprintf("distributor customer #%d in this module", distributorCustomerID), Next: "See tallyman mappings list."}
		}
		if err == nil {
			err = s.dialect.alone(ctx, tx, h.row.TenantID)
		}
		if err != nil {
			return err
		}
		var mapping Mapping
		err = tx.NewSelect().Model(&mapping).Where("distributor_customer_id = ?", h.row.ID).Scan(ctx)
		if err == nil {
			h.mapping = &mapping
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return fn(ctx, h)
	})
}

func (h hand) notMapped() error {
	return &ConflictError{Message: fmt.Sprintf("%q is not mapped", h.row.Name), Next: "Map it with tallyman mappings add."}
}

func (h hand) record(ctx context.Context, s *Store, kind string, customerID int64, before, after json.RawMessage, reason string) error {
	return s.recordByHand(ctx, h.tx, Change{
		TenantID: h.row.TenantID, ModuleID: &h.row.ModuleID, Entity: "mapping", EntityID: &h.row.ID, EntityKey: h.row.Ref,
		Name: h.row.Name, CustomerID: &customerID, Kind: kind, Before: before, After: after, Reason: reason, Who: h.who,
	})
}

// recordByHand writes the record of a change that no run made.
func (s *Store) recordByHand(ctx context.Context, tx bun.Tx, change Change) error {
	change.Status, change.CreatedAt = "applied", s.now()
	change.Before, change.After = cleanJSON(change.Before), cleanJSON(change.After)
	cleanAll(&change.EntityKey, &change.Name, &change.Reason, &change.Who)
	_, err := tx.NewInsert().Model(&change).ExcludeColumn("id").Returning("NULL").Exec(ctx)
	return err
}

func customerJSON(c Customer) json.RawMessage {
	return asJSON(map[string]any{"customer_id": c.ID, "customer": c.Name})
}

// asJSON marshals what cannot fail to marshal.
func asJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("store: " + err.Error())
	}
	return b
}
