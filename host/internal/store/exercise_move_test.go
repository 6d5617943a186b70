// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// exerciseMove carries subscriptions over from one module to another, and back.
func exerciseMove(t *testing.T, fresh newDatabase) {
	w := newWorld(t, fresh)
	ctx := t.Context()
	_, to := addModule(t, w.Store, "acme", "cloudiq")
	_, err := w.AcquireLease(ctx, to, "me", "move", time.Hour)
	must(t, err)
	customer := w.customers(t, "A")[0]
	subs, told := w.subscriptions(t, customer.ID, "c", 3)
	var scope Scope
	mine := Subscription{CustomerID: customer.ID, Distributor: "Cloud-iQ", Ref: "t2", Active: true, State: "active"}
	var known DistributorSubscription
	must(t, w.Apply(ctx, to.ID, "me", func(ctx context.Context, tx *Tx) error {
		scopes, own := []Scope{{Ref: "all"}}, []Subscription{mine}
		must(t, tx.EnsureScopes(ctx, scopes))
		must(t, tx.InsertSubscriptions(ctx, own))
		scope, mine = scopes[0], own[0]
		rows := []DistributorSubscription{{Ref: "t2", RefKey: "t2", ScopeID: scope.ID, CustomerKey: "x", Fingerprint: 9, SubscriptionID: &mine.ID}}
		must(t, tx.InsertDistributorSubscriptions(ctx, rows))
		known = rows[0]
		return nil
	}))
	move := func(from, into Module, rows ...Carried) error {
		return w.ApplyMove(ctx, from.ID, into.ID, "me", func(ctx context.Context, m *Move) error { return m.Carry(ctx, rows) })
	}
	index := func(m Module) map[int64]IndexRow {
		rows := map[int64]IndexRow{}
		must(t, w.ScanIndex(ctx, m.ID, func(r IndexRow) { rows[r.ID] = r }))
		return rows
	}

	newTold := &DistributorSubscription{Ref: "t1", RefKey: "t1", ScopeID: scope.ID, CustomerKey: "x", Flags: FlagPending}
	known.Flags = FlagPending
	must(t, move(w.module, to,
		Carried{Subscription: subs[0].ID, From: told[0].ID, To: newTold, Distributor: "Cloud-iQ", Ref: "t1", ParentRef: "p"},
		Carried{Subscription: subs[1].ID, From: told[1].ID, To: &known, Distributor: "Cloud-iQ", Ref: "t2", Replaces: mine.ID}))
	if newTold.ID == 0 {
		t.Error("the new distributor subscription has no id")
	}
	rows, err := w.SubscriptionRows(ctx, SubscriptionFilter{ModuleID: to.ID})
	must(t, err)
	if len(rows) != 3 || rows[0].ID != subs[0].ID || rows[0].Ref != "t1" || rows[0].ParentRef != "p" || rows[0].Distributor != "Cloud-iQ" ||
		rows[0].Name != subs[0].Name || rows[1].ID != subs[1].ID || rows[1].Ref != "t2" || rows[2].ID != mine.ID {
		t.Errorf("the target has %+v", rows)
	}
	source, target := index(w.module), index(to)
	for i, want := range []IndexRow{{Flags: FlagCarried}, {Flags: FlagCarried}, {Linked: true}} {
		if got := source[told[i].ID]; got.Flags != want.Flags || got.Linked != want.Linked {
			t.Errorf("the source's %d is %+v, want %+v", i, got, want)
		}
	}
	for _, id := range []int64{newTold.ID, known.ID} {
		if got := target[id]; got.Flags != FlagPending || !got.Linked {
			t.Errorf("the target's %d is %+v", id, got)
		}
	}
	pairs, err := w.DistributorSubscriptions(ctx, to.ID, 0, 10)
	must(t, err)
	if len(pairs) != 2 || pairs[0].Subscription.ID != subs[1].ID || pairs[0].Fingerprint != 9 || pairs[1].Subscription.ID != subs[0].ID {
		t.Errorf("the target's pairs are %+v", pairs)
	}
	if pairs, err = w.DistributorSubscriptions(ctx, w.module.ID, told[0].ID, 1); err != nil || len(pairs) != 1 || *pairs[0].CarriedAs != subs[1].ID || pairs[0].Subscription != nil {
		t.Errorf("the source's second page is %+v (%v)", pairs, err)
	}

	// What has ended elsewhere while it is still here.
	if list, err := w.CarriedEnded(ctx, w.module.ID); err != nil || len(list) != 0 {
		t.Errorf("%+v ended (%v)", list, err)
	}
	must(t, w.Apply(ctx, to.ID, "me", func(ctx context.Context, tx *Tx) error {
		ended := rows[0].Subscription
		ended.Active = false
		return tx.UpdateSubscriptions(ctx, []Subscription{ended})
	}))
	if list, err := w.CarriedEnded(ctx, w.module.ID); err != nil || len(list) != 1 || list[0].ID != told[0].ID || list[0].Module != "cloudiq" {
		t.Errorf("%+v ended (%v)", list, err)
	}

	// A second time there is nothing to carry, and nothing of it is written.
	err = move(w.module, to,
		Carried{Subscription: subs[2].ID, From: told[2].ID, To: &DistributorSubscription{Ref: "t3", RefKey: "t3", ScopeID: scope.ID}},
		Carried{Subscription: subs[0].ID, From: told[0].ID, To: &DistributorSubscription{Ref: "t4", RefKey: "t4", ScopeID: scope.ID}})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("carried twice: %v", err)
	}
	if got := index(w.module)[told[2].ID]; !got.Linked || len(index(to)) != 2 {
		t.Errorf("a move that failed left %+v", got)
	}

	// And back to where it came from.
	back := DistributorSubscription{ID: told[0].ID}
	must(t, move(to, w.module, Carried{Subscription: subs[0].ID, From: newTold.ID, To: &back, Distributor: "Rhipe", Ref: told[0].Ref}))
	if got := index(w.module)[told[0].ID]; got.Flags != 0 || !got.Linked {
		t.Errorf("back again it is %+v", got)
	}
	if pairs, err = w.DistributorSubscriptions(ctx, w.module.ID, 0, 1); err != nil || pairs[0].CarriedAs != nil || pairs[0].Subscription.ID != subs[0].ID {
		t.Errorf("back again it is %+v (%v)", pairs, err)
	}

	// Both leases have to be held, and both modules have to be the tenant's.
	_, stranger := addModule(t, w.Store, "globex", "rhipe")
	_, err = w.AcquireLease(ctx, stranger, "me", "move", time.Hour)
	must(t, err)
	if err := move(stranger, to); err == nil {
		t.Error("a move between two tenants was let through")
	}
	if err := move(to, to); err == nil {
		t.Error("a move to itself was let through")
	}
	for _, m := range []Module{w.module, to} {
		must(t, w.ReleaseLease(ctx, m.ID, "me"))
		if err := move(w.module, to); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("without the lease of %s: %v", m.Name, err)
		}
		_, err = w.AcquireLease(ctx, m, "me", "move", time.Hour)
		must(t, err)
	}
}
