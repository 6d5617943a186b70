// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// openSQLite opens a new database in a folder of the test's own.
func openSQLite(t *testing.T) *Store {
	t.Helper()
	return openAt(t, Options{URL: "sqlite:tallyman.db", BaseDir: t.TempDir()})
}

func openAt(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return s
}

func TestEverythingOnce(t *testing.T) {
	s := openAt(t, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "a b?#%.db")})
	ctx := t.Context()
	tenant, err := s.EnsureTenant(ctx, "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	module, err := s.EnsureModule(ctx, tenant.ID, "rhipe", "rhipe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcquireLease(ctx, module, "me", "sync", time.Minute); err != nil {
		t.Fatal(err)
	}
	run := Run{TenantID: tenant.ID, ModuleID: module.ID, Mode: "sync", Trigger: "command", Entities: "customers"}
	if err := s.StartRun(ctx, &run); err != nil {
		t.Fatal(err)
	}
	err = s.Apply(ctx, module.ID, "me", func(ctx context.Context, tx *Tx) error {
		top, err := tx.EnsureTopLevel(ctx, "Cloud")
		if err != nil {
			return err
		}
		cs := []Customer{{Name: "A", Active: true, TopLevelID: &top}, {Name: "B", Active: true}}
		if err := tx.InsertCustomers(ctx, cs); err != nil {
			return err
		}
		sites := []Site{{CustomerID: cs[0].ID, Name: "Main", Main: true, Address: Address{Line1: "1 High St", City: "X"}}}
		if err := tx.InsertSites(ctx, sites); err != nil {
			return err
		}
		sites[0].Line2 = "Level 2"
		if err := tx.UpdateSites(ctx, sites); err != nil {
			return err
		}
		dcs := []DistributorCustomer{{Ref: "R1", RefKey: "r1", Name: "A", Lifecycle: "active"}}
		if err := tx.InsertDistributorCustomers(ctx, dcs); err != nil {
			return err
		}
		dcs[0].PlacedCustomerID = &cs[0].ID
		if err := tx.UpdateDistributorCustomers(ctx, dcs); err != nil {
			return err
		}
		if err := tx.InsertMappings(ctx, []Mapping{{DistributorCustomerID: dcs[0].ID, CustomerID: cs[0].ID, Origin: "name"}}); err != nil {
			return err
		}
		scopes := []Scope{{Ref: "s1", Name: "One"}, {Ref: "s2"}}
		if err := tx.EnsureScopes(ctx, scopes); err != nil {
			return err
		}
		subs := make([]Subscription, 213)
		for i := range subs {
			subs[i] = Subscription{CustomerID: cs[0].ID, Distributor: "D", Ref: "x", Name: "n", Active: true, State: "active"}
		}
		if err := tx.InsertSubscriptions(ctx, subs); err != nil {
			return err
		}
		ds := make([]DistributorSubscription, 213)
		for i := range ds {
			ds[i] = DistributorSubscription{Ref: "x", RefKey: string(rune('0' + i)), KeyHash: int64(-i), Fingerprint: 7, CustomerKey: "r1", ScopeID: scopes[0].ID}
			if i%2 == 0 {
				ds[i].SubscriptionID = &subs[i].ID
			}
		}
		if err := tx.InsertDistributorSubscriptions(ctx, ds); err != nil {
			return err
		}
		ds[0].Flags = FlagGone
		if err := tx.UpdateDistributorSubscriptions(ctx, ds[:1]); err != nil {
			return err
		}
		subs[0].Name = "changed"
		if err := tx.UpdateSubscriptions(ctx, subs[:1]); err != nil {
			return err
		}
		if err := tx.InsertChanges(ctx, []Change{{RunID: &run.ID, Entity: "subscription", Kind: "create", Status: "held", CustomerID: &cs[0].ID}}); err != nil {
			return err
		}
		now := time.Now()
		run.FinishedAt = &now
		return tx.FinishRun(ctx, &run)
	})
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := s.DistributorSubscriptionsByID(ctx, module.ID, []int64{1, 2, 3})
	if err != nil || len(pairs) != 3 || pairs[0].Subscription.Name != "changed" || pairs[1].Subscription != nil {
		t.Fatalf("%v %+v", err, pairs)
	}
	crows, err := s.CustomerRows(ctx, CustomerFilter{TenantID: tenant.ID, Search: "a"})
	if err != nil || len(crows) != 1 || crows[0].Main.Line2 != "Level 2" || crows[0].Sites != 1 || crows[0].TopLevel != "Cloud" || crows[0].Subscriptions != 213 || crows[0].ID == 0 {
		t.Fatalf("%v %+v", err, crows)
	}
	srows, err := s.SubscriptionRows(ctx, SubscriptionFilter{ModuleID: module.ID, Search: "CHANGED"})
	if err != nil || len(srows) != 1 || srows[0].Customer != "A" {
		t.Fatalf("%v %+v", err, srows)
	}
	mrows, err := s.MappingRows(ctx, MappingFilter{ModuleID: module.ID})
	if err != nil || len(mrows) != 1 || mrows[0].CustomerName != "A" {
		t.Fatalf("%v %+v", err, mrows)
	}
	hrows, err := s.Changes(ctx, ChangeFilter{RunID: run.ID, Status: "held"})
	if err != nil || len(hrows) != 1 || hrows[0].Customer != "A" {
		t.Fatalf("%v %+v", err, hrows)
	}
	if n, err := s.RejectHeld(ctx, tenant.ID, run.ID, "me"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	n := 0
	if err := s.ScanIndex(ctx, module.ID, func(r IndexRow) { n++ }); err != nil || n != 213 {
		t.Fatal(n, err)
	}
	if _, err := s.ImportCustomers(ctx, tenant.ID, []ImportRow{{Name: "A", TopLevel: "Cloud"}, {Name: "Z", TopLevel: "New"}, {Name: "Z", TopLevel: "New", Site: "Two"}}, "me"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeMapping(ctx, module.ID, mrows[0].DistributorCustomerID, 2, "me"); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveMapping(ctx, module.ID, mrows[0].DistributorCustomerID, "me"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddMapping(ctx, module.ID, mrows[0].DistributorCustomerID, 2, "me"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseAbandoned(ctx, module.ID, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LastTrustworthy(ctx, module.ID); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Status(ctx)
	t.Logf("%+v %v", ms, err)
}
