// SPDX-License-Identifier: Apache-2.0

package main_test

import "testing"

// TestAnOldHostDuringAnUpgrade: a newer version migrates the database while a host of this version serves it. A migration that
// adds something leaves it working; with one that it cannot live with, it ends, changes nothing any more, and says what to do.
func TestAnOldHostDuringAnUpgrade(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.due(0)
	host := f.start("serve")
	f.hosts = append(f.hosts, host)
	f.until("the runs", f.done)

	f.change("ALTER TABLE subscriptions ADD COLUMN later TEXT; INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	f.due(1)
	f.until("the runs after a newer version has migrated the database", f.done)
	f.right(1)
	f.wants(f.run(0, "sync", "t0/rhipe"), "no change")
	f.wants(f.run(0, "db", "status"), "99\tof a newer tallyman\t")
	f.wants(f.run(0, "db", "migrate"), "is up to date")

	f.change("COMMENT ON TABLE goose_db_version IS 'needs schema 99'")
	f.due(2)
	code, out := f.finish(host)
	if code != 1 {
		t.Errorf("the host ended with code %d", code)
	}
	f.wants(out, "database.newer", "has schema 99, which needs a tallyman that knows schema 99", "Upgrade tallyman")
	for _, command := range [][]string{{"serve"}, {"sync", "t0/rhipe"}, {"status"}, {"db", "migrate"}} {
		f.wants(f.run(1, command...), "database.newer", "Upgrade tallyman")
	}
	f.right(1)
}
