// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// ImportRow is one row of an MSP's existing customers: a customer and one of its sites.
type ImportRow struct {
	Name     string
	TopLevel string
	// Site is the site's name; "Main" if empty.
	Site string
	Address
}

// ImportResult says what became of the row at the same place.
type ImportResult struct {
	CustomerID int64
	// Created: the row made the customer. SiteAdded: it made a site of a customer that an earlier row made. Neither: a
	// customer of that name and top level was there already, and was left as it is.
	Created, SiteAdded bool
}

// ImportCustomers makes customers with their sites and top levels, all or none. The first row of a customer gives its main
// site, later ones more sites. A customer of exactly the same name under the same top level is never made twice.
func (s *Store) ImportCustomers(ctx context.Context, tenantID int64, rows []ImportRow, who string) ([]ImportResult, error) {
	var results []ImportResult
	err := s.change(ctx, "import customers", func(ctx context.Context, tx bun.Tx) error {
		i := importing{
			Store: s, tx: &Tx{store: s, tx: tx, tenantID: tenantID, prepared: map[statementKey]*sql.Stmt{}}, who: clean(who),
			topLevels: map[string]int64{}, known: map[importKey]*importedCustomer{},
		}
		results = make([]ImportResult, len(rows))
		err := s.dialect.alone(ctx, tx, tenantID)
		if err == nil {
			err = i.load(ctx)
		}
		for n := range rows {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				results[n], err = i.row(ctx, rows[n])
			}
		}
		return errors.Join(err, i.tx.close())
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// importing is one import under way.
type importing struct {
	*Store
	tx        *Tx
	who       string
	topLevels map[string]int64
	known     map[importKey]*importedCustomer
}

type importKey struct {
	name     string
	topLevel int64
}

type importedCustomer struct {
	id int64
	// sites are the names of the sites that this import made; nil if the customer was there before.
	sites map[string]bool
}

func (i *importing) load(ctx context.Context) error {
	found, err := i.tx.tx.NewSelect().Model((*Tenant)(nil)).Where("id = ?", i.tx.tenantID).Exists(ctx)
	if err == nil && !found {
		err = &NotFoundError{What: fmt.Sprintf("tenant #%d", i.tx.tenantID)}
	}
	if err != nil {
		return err
	}
	var customers []Customer
	if err := i.tx.tx.NewSelect().Model(&customers).Where("tenant_id = ?", i.tx.tenantID).OrderExpr("id DESC").Scan(ctx); err != nil {
		return err
	}
	for _, c := range customers {
		key := importKey{name: c.Name}
		if c.TopLevelID != nil {
			key.topLevel = *c.TopLevelID
		}
		// The oldest of several wins.
		i.known[key] = &importedCustomer{id: c.ID}
	}
	return nil
}

func (i *importing) row(ctx context.Context, row ImportRow) (ImportResult, error) {
	cleanAll(&row.Name, &row.TopLevel, &row.Site)
	if row.Name == "" {
		return ImportResult{}, errors.New("a customer without a name cannot be imported")
	}
	if row.Site == "" {
		row.Site = "Main"
	}
	topLevel, err := i.topLevel(ctx, row.TopLevel)
	if err != nil {
		return ImportResult{}, err
	}
	key := importKey{row.Name, topLevel}
	customer := i.known[key]
	switch {
	case customer == nil:
		id, err := i.create(ctx, row, topLevel)
		i.known[key] = &importedCustomer{id: id, sites: map[string]bool{row.Site: true}}
		return ImportResult{CustomerID: id, Created: true}, err
	case customer.sites == nil || customer.sites[row.Site]:
		return ImportResult{CustomerID: customer.id}, nil
	default:
		customer.sites[row.Site] = true
		return ImportResult{CustomerID: customer.id, SiteAdded: true}, i.site(ctx, row, customer.id, false)
	}
}

func (i *importing) topLevel(ctx context.Context, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	if id, ok := i.topLevels[name]; ok {
		return id, nil
	}
	id, created, err := i.ensureTopLevel(ctx, i.tx.tx, i.tx.tenantID, name)
	if err != nil {
		return 0, err
	}
	i.topLevels[name] = id
	if created {
		err = i.recordByHand(ctx, i.tx.tx, Change{
			TenantID: i.tx.tenantID, Entity: "top_level", EntityID: &id, Name: name, Kind: "create", Reason: "imported", Who: i.who,
		})
	}
	return id, err
}

func (i *importing) create(ctx context.Context, row ImportRow, topLevel int64) (int64, error) {
	customers := []Customer{{Name: row.Name, Active: true, CreatedBy: "import"}}
	after := map[string]any{"name": row.Name}
	if topLevel != 0 {
		customers[0].TopLevelID = &topLevel
		after["top_level"] = row.TopLevel
	}
	if err := i.tx.InsertCustomers(ctx, customers); err != nil {
		return 0, err
	}
	id := customers[0].ID
	err := i.recordByHand(ctx, i.tx.tx, Change{
		TenantID: i.tx.tenantID, Entity: "customer", EntityID: &id, Name: row.Name, CustomerID: &id, Kind: "create",
		After: asJSON(after), Reason: "imported", Who: i.who,
	})
	if err != nil {
		return 0, err
	}
	return id, i.site(ctx, row, id, true)
}

func (i *importing) site(ctx context.Context, row ImportRow, customerID int64, main bool) error {
	sites := []Site{{CustomerID: customerID, Name: row.Site, Main: main, Address: row.Address}}
	if err := i.tx.InsertSites(ctx, sites); err != nil {
		return err
	}
	return i.recordByHand(ctx, i.tx.tx, Change{
		TenantID: i.tx.tenantID, Entity: "site", EntityID: &sites[0].ID, Name: row.Name, CustomerID: &customerID, Kind: "create",
		After: asJSON(struct {
			Name string `json:"name"`
			Main bool   `json:"main"`
			Address
		}{row.Site, main, sites[0].Address}), Reason: "imported", Who: i.who,
	})
}
