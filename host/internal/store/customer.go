// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// Customers gives all customers of a tenant, those that are not active included, by id.
func (s *Store) Customers(ctx context.Context, tenantID int64) ([]Customer, error) {
	var list []Customer
	err := s.read.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Order("id").Scan(ctx)
	return list, s.fail(ctx, "list customers", err)
}

// ScanCustomers calls fn for every customer of a tenant, those that are not active included, by id. fn must not use the
// store.
func (s *Store) ScanCustomers(ctx context.Context, tenantID int64, fn func(id int64, name string, active bool)) error {
	const op = "read customers"
	rows, err := s.read.NewSelect().Table("customers").Column("id", "name", "active").Where("tenant_id = ?", tenantID).Order("id").Rows(ctx)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var name string
		var active bool
		if err := rows.Scan(&id, &name, &active); err != nil {
			return s.fail(ctx, op, err)
		}
		fn(id, name, active)
	}
	return s.fail(ctx, op, rows.Err())
}

// TopLevels gives the top levels of a tenant by name.
func (s *Store) TopLevels(ctx context.Context, tenantID int64) ([]TopLevel, error) {
	var list []TopLevel
	err := s.read.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Order("name").Scan(ctx)
	return list, s.fail(ctx, "list top levels", err)
}

// MainSites gives the main sites of customers of a tenant, by customer. A customer without one is left out.
func (s *Store) MainSites(ctx context.Context, tenantID int64, customerIDs []int64) (map[int64]Site, error) {
	sites := make(map[int64]Site, len(customerIDs))
	err := bySlice(ctx, customerIDs, func(ids []int64) error {
		var list []Site
		err := s.read.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Where("main").
			Where("customer_id IN (?)", bun.List(ids)).Scan(ctx)
		for _, site := range list {
			sites[site.CustomerID] = site
		}
		return err
	})
	return sites, s.fail(ctx, "read main sites", err)
}

// CustomerFilter narrows a list of customers. Zero values do not.
type CustomerFilter struct {
	TenantID int64
	// ModuleID gives only customers that a module's distributor customers are mapped to.
	ModuleID int64
	ID       int64
	// Name is the exact name, Search any part of it.
	Name, Search string
	Limit        int
	// Total, if it is not nil, takes how many there are without the limit.
	Total *int
}

// CustomerRow is a customer as it is listed.
type CustomerRow struct {
	Customer `bun:",extend"`

	Tenant   string `json:"tenant"`
	TopLevel string `json:"top_level"`
	// Sites is how many there are, MainSite the name of the main one.
	Sites    int64   `json:"sites"`
	MainSite string  `json:"main_site"`
	Main     Address `bun:"embed:main_" json:"main"`
	// Subscriptions is how many are active.
	Subscriptions int64 `json:"subscriptions"`
}

// CustomerRows gives customers by name.
func (s *Store) CustomerRows(ctx context.Context, filter CustomerFilter) ([]CustomerRow, error) {
	var list []CustomerRow
	query := s.read.NewSelect().TableExpr("customers AS c").
		ColumnExpr("c.*, t.name AS tenant, coalesce(l.name, '') AS top_level, coalesce(m.name, '') AS main_site").
		ColumnExpr("coalesce(m.line1, '') AS main_line1, coalesce(m.line2, '') AS main_line2, coalesce(m.line3, '') AS main_line3").
		ColumnExpr("coalesce(m.city, '') AS main_city, coalesce(m.region, '') AS main_region").
		ColumnExpr("coalesce(m.postal_code, '') AS main_postal_code, coalesce(m.country_code, '') AS main_country_code").
		ColumnExpr("coalesce(m.country, '') AS main_country").
		ColumnExpr("(SELECT count(*) FROM sites x WHERE x.customer_id = c.id) AS sites").
		ColumnExpr("(SELECT count(*) FROM subscriptions x WHERE x.customer_id = c.id AND x.active) AS subscriptions").
		Join("JOIN tenants AS t ON t.id = c.tenant_id").
		Join("LEFT JOIN top_levels AS l ON l.id = c.top_level_id").
		Join("LEFT JOIN sites AS m ON m.customer_id = c.id AND m.main").
		OrderExpr("lower(c.name), c.id")
	whereID(query, "c.tenant_id", filter.TenantID)
	whereID(query, "c.id", filter.ID)
	if filter.ModuleID != 0 {
		query.Where("EXISTS (SELECT 1 FROM mappings x WHERE x.customer_id = c.id AND x.module_id = ?)", filter.ModuleID)
	}
	if filter.Name != "" {
		query.Where("c.name = ?", clean(filter.Name))
	}
	whereMatches(query, filter.Search, "c.name")
	err := page(ctx, query, filter.Limit, filter.Total, &list)
	return list, s.fail(ctx, "list customers", err)
}

// CustomerNames gives the names of customers. Ids that are not there are left out.
func (s *Store) CustomerNames(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	err := bySlice(ctx, ids, func(ids []int64) error {
		var list []struct {
			ID   int64
			Name string
		}
		err := s.read.NewSelect().Table("customers").Column("id", "name").Where("id IN (?)", bun.List(ids)).Scan(ctx, &list)
		for _, row := range list {
			names[row.ID] = row.Name
		}
		return err
	})
	return names, s.fail(ctx, "read the names of customers", err)
}

// Sites gives the sites of a customer, the main one first.
func (s *Store) Sites(ctx context.Context, tenantID, customerID int64) ([]Site, error) {
	var list []Site
	err := s.read.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Where("customer_id = ?", customerID).
		OrderExpr("main DESC, name, id").Scan(ctx)
	return list, s.fail(ctx, "list sites", err)
}

// customer gives a customer of a tenant inside a transaction, or a *NotFoundError.
func (s *Store) customer(ctx context.Context, tx bun.Tx, tenantID, id int64) (Customer, error) {
	var customer Customer
	err := tx.NewSelect().Model(&customer).Where("id = ?", id).Where("tenant_id = ?", tenantID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = &NotFoundError{What: fmt.Sprintf("customer #%d of this tenant", id), Next: "See tallyman customers list."}
	}
	return customer, err
}

// EnsureTopLevel gives the id of a top level, which it makes if there is none of that name.
func (t *Tx) EnsureTopLevel(ctx context.Context, name string) (int64, error) {
	id, _, err := t.store.ensureTopLevel(ctx, t.tx, t.tenantID, name)
	return id, err
}

// ensureTopLevel also says whether the top level is new.
func (s *Store) ensureTopLevel(ctx context.Context, tx bun.Tx, tenantID int64, name string) (int64, bool, error) {
	name = clean(name)
	var known TopLevel
	err := tx.NewSelect().Model(&known).Where("tenant_id = ?", tenantID).Where("name = ?", name).Scan(ctx)
	if !errors.Is(err, sql.ErrNoRows) {
		return known.ID, false, err
	}
	row := TopLevel{TenantID: tenantID, Name: name, CreatedAt: s.now()}
	_, err = tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("id").Exec(ctx)
	return row.ID, true, err
}

// CustomersSince gives the customers of the tenant with an id above the given one: those that were made since that was the
// highest.
func (t *Tx) CustomersSince(ctx context.Context, id int64) ([]Customer, error) {
	var list []Customer
	err := t.tx.NewSelect().Model(&list).Where("tenant_id = ?", t.tenantID).Where("id > ?", id).Order("id").Scan(ctx)
	return list, err
}

// InsertCustomers writes customers and fills in their ids.
func (t *Tx) InsertCustomers(ctx context.Context, rows []Customer) error {
	if err := t.fillIDs(ctx, TableCustomers, len(rows), func(i int) *int64 { return &rows[i].ID }); err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if err := t.own(TableCustomers, &row.TenantID, nil); err != nil {
			return err
		}
		cleanAll(&row.Name, &row.CreatedBy)
		t.store.orNow(&row.CreatedAt, &row.UpdatedAt)
	}
	return bySlice(ctx, rows, func(rows []Customer) error {
		_, err := t.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
		return err
	})
}

// InsertSites writes sites and fills in their ids.
func (t *Tx) InsertSites(ctx context.Context, rows []Site) error {
	if err := t.fillIDs(ctx, TableSites, len(rows), func(i int) *int64 { return &rows[i].ID }); err != nil {
		return err
	}
	for i := range rows {
		if err := t.tidySite(&rows[i]); err != nil {
			return err
		}
	}
	return bySlice(ctx, rows, func(rows []Site) error {
		_, err := t.tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
		return err
	})
}

// UpdateSites writes whole sites by id. A site that is not there is an error.
func (t *Tx) UpdateSites(ctx context.Context, rows []Site) error {
	for i := range rows {
		row := &rows[i]
		if err := t.tidySite(row); err != nil {
			return err
		}
		result, err := t.tx.NewUpdate().Model(row).ExcludeColumn("id", "tenant_id", "customer_id").
			WherePK().Where("tenant_id = ?", t.tenantID).Where("customer_id = ?", row.CustomerID).Exec(ctx)
		if err := oneRow(result, err, fmt.Sprintf("site %d", row.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) tidySite(row *Site) error {
	if err := t.own(TableSites, &row.TenantID, nil); err != nil {
		return err
	}
	a := &row.Address
	cleanAll(&row.Name, &a.Line1, &a.Line2, &a.Line3, &a.City, &a.Region, &a.PostalCode, &a.CountryCode, &a.Country)
	t.store.orNow(&row.UpdatedAt)
	return nil
}

// whereMatches narrows a query to rows that hold the text somewhere in one of the columns, whatever the case of ASCII letters.
func whereMatches(query *bun.SelectQuery, search string, columns ...string) {
	if search == "" {
		return
	}
	pattern := matching(search)
	query.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		for _, column := range columns {
			q.WhereOr(`lower(?) LIKE ? ESCAPE '\'`, bun.Ident(column), pattern)
		}
		return q
	})
}
