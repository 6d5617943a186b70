// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

// TestAnInstallationMovesToPostgres: after the move everything is what it was, with the same ids, and the next sync finds
// nothing to do.
func TestAnInstallationMovesToPostgres(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5, 7)
	w.customer("Fabrikam", 1)
	p := w.place(t, createUnmatched, deactivateMissing)
	p.sync("succeeded")
	w.SetQuantity(subscriptions[0], 6)
	w.RemoveSubscription(subscriptions[1])
	p.sync("succeeded")
	p.sync("no_change")
	lists := [][]string{
		{"customers", "list", "acme", "--json"},
		{"subscriptions", "list", "acme", "--all", "--json"},
		{"mappings", "list", "acme/rhipe", "--json"},
		{"changes", "acme", "--limit", "0", "--json"},
		{"runs", "list", "--json"},
		{"runs", "show", "2", "--json"},
	}
	var before []string
	for _, list := range lists {
		before = append(before, p.run(0, list...))
	}

	url := pgtest.URL(t)
	p.env["NEW_DATABASE"] = url
	const password = "recognisable-password"
	told := p.run(2, "db", "copy", "--to", strings.Replace(url, "postgres://tallyman@", "postgres://tallyman:"+password+"@", 1))
	p.wants(told, "--to holds a password", `--to 'env("NAME")'`)
	if strings.Contains(told, password) {
		t.Errorf("the password is repeated:\n%s", told)
	}
	p.wants(p.run(2, "db", "copy", "--to", `env("NO_DATABASE")`), "NO_DATABASE, which is not set")
	p.wants(p.run(0, "db", "copy", "--to", `env("NEW_DATABASE")`),
		"subscriptions\t3\t", "tallyman.db is copied to postgres://", "read back and found to be the same", `database { url = env("NEW_DATABASE") }`)
	p.wants(p.run(1, "db", "copy", "--to", `env("NEW_DATABASE")`), "database.conflict", "is not empty", "Name a database that is empty")
	p.env["TALLYMAN_DATABASE_URL"], p.env["ANOTHER"] = "sqlite:"+filepath.Join(p.dir, "tallyman.db"), pgtest.URL(t)
	p.wants(p.run(0, "db", "copy", "--to", `env("ANOTHER")`), "Now change TALLYMAN_DATABASE_URL", "a unit of systemd", `database { url = env("ANOTHER") }`)

	p.env["TALLYMAN_DATABASE_URL"] = url
	for i, list := range lists {
		if after := p.run(0, list...); after != before[i] {
			t.Errorf("tallyman %s says\n%s\nand said\n%s", strings.Join(list, " "), after, before[i])
		}
	}
	p.run(0, "plan", "acme/rhipe")
	p.sync("no_change")
	w.SetQuantity(subscriptions[0], 9)
	w.customer("Northwind", 3)
	p.counts(p.sync("succeeded"), map[string]int{"subscriptions_updated": 1, "subscriptions_created": 1, "customers_created": 1})
	if id := p.bySource()[subscriptions[0]].ID; strings.Count(before[1], `"id": `) != 3 || id == 0 || id > 3 {
		t.Errorf("the subscription has the id %d now", id)
	}

	p.env["NEW_DATABASE"] = "sqlite:back.db"
	p.run(0, "db", "copy", "--to", "sqlite:back.db")
	p.env["TALLYMAN_DATABASE_URL"] = "sqlite:back.db"
	p.sync("no_change")
}
