// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// EnsureTenant gives a tenant, which it makes if there is none of that name. An empty display name changes nothing.
func (s *Store) EnsureTenant(ctx context.Context, name, displayName string) (Tenant, error) {
	op := fmt.Sprintf("keep tenant %q", name)
	cleanAll(&name, &displayName)
	tenant, err := s.FindTenant(ctx, name)
	if err == nil && (displayName == "" || tenant.DisplayName == displayName) {
		return tenant, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Tenant{}, err
	}
	err = s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		row := Tenant{Name: name, DisplayName: displayName, CreatedAt: s.now()}
		insert := tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("NULL")
		if displayName == "" {
			insert.On("CONFLICT (name) DO NOTHING")
		} else {
			insert.On("CONFLICT (name) DO UPDATE").Set("display_name = EXCLUDED.display_name")
		}
		if _, err := insert.Exec(ctx); err != nil {
			return err
		}
		tenant = Tenant{}
		return tx.NewSelect().Model(&tenant).Where("name = ?", name).Scan(ctx)
	})
	return tenant, err
}

// EnsureModule gives a module of a tenant, which it makes if there is none of that name.
func (s *Store) EnsureModule(ctx context.Context, tenantID int64, name, plugin string) (Module, error) {
	op := fmt.Sprintf("keep module %q", name)
	cleanAll(&name, &plugin)
	var module Module
	find := func(db bun.IDB) error {
		module = Module{}
		return db.NewSelect().Model(&module).Where("tenant_id = ?", tenantID).Where("name = ?", name).Scan(ctx)
	}
	err := find(s.read)
	if err == nil && module.Plugin == plugin {
		return module, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Module{}, s.fail(ctx, op, err)
	}
	err = s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		row := Module{TenantID: tenantID, Name: name, Plugin: plugin, CreatedAt: s.now()}
		_, err := tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("NULL").
			On("CONFLICT (tenant_id, name) DO UPDATE").Set("plugin = EXCLUDED.plugin").Exec(ctx)
		if err != nil {
			return err
		}
		return find(tx)
	})
	return module, err
}

// SetDistributor keeps the display name of the distributor behind a module.
func (s *Store) SetDistributor(ctx context.Context, moduleID int64, displayName string) error {
	displayName = clean(displayName)
	return s.change(ctx, "keep the distributor's name", func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Module)(nil)).Set("distributor = ?", displayName).
			Where("id = ?", moduleID).Where("distributor <> ?", displayName).Exec(ctx)
		return err
	})
}

// FindTenant gives the tenant of a name, or a *NotFoundError.
func (s *Store) FindTenant(ctx context.Context, name string) (Tenant, error) {
	var tenant Tenant
	err := s.read.NewSelect().Model(&tenant).Where("name = ?", clean(name)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Tenant{}, &NotFoundError{
			What: fmt.Sprintf("tenant %q in the database", name),
			Next: "A tenant is there once one of its modules was run: tallyman sync.",
		}
	}
	return tenant, s.fail(ctx, fmt.Sprintf("find tenant %q", name), err)
}

// FindModule gives a tenant and its module by their names, or a *NotFoundError.
func (s *Store) FindModule(ctx context.Context, tenantName, moduleName string) (Tenant, Module, error) {
	tenant, err := s.FindTenant(ctx, tenantName)
	if err != nil {
		return Tenant{}, Module{}, err
	}
	var module Module
	err = s.read.NewSelect().Model(&module).Where("tenant_id = ?", tenant.ID).Where("name = ?", clean(moduleName)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Tenant{}, Module{}, &NotFoundError{
			What: fmt.Sprintf("module %s/%s in the database", tenantName, moduleName),
			Next: "A module is there once it was run. See tallyman module list for those of the configuration.",
		}
	}
	return tenant, module, s.fail(ctx, fmt.Sprintf("find module %s/%s", tenantName, moduleName), err)
}

// Tenants gives all tenants by name.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	var list []Tenant
	err := s.read.NewSelect().Model(&list).Order("name").Scan(ctx)
	return list, s.fail(ctx, "list tenants", err)
}

// Modules gives the modules of a tenant by name; those of all tenants if tenantID is zero.
func (s *Store) Modules(ctx context.Context, tenantID int64) ([]Module, error) {
	var list []Module
	query := s.read.NewSelect().Model(&list).Order("tenant_id", "name")
	if tenantID != 0 {
		query.Where("tenant_id = ?", tenantID)
	}
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list modules", err)
}
