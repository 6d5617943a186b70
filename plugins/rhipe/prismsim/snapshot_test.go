// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"reflect"
	"testing"
)

// TestSnapshotsStay holds that no edit shows in what an answer that has begun
// is made of.
func TestSnapshotsStay(t *testing.T) {
	t.Parallel()
	for note, edit := range map[string]func(*World){
		"quantity":        func(w *World) { w.SetQuantity("sub", 99) },
		"add-on":          func(w *World) { w.SetStatus("addon", "Deleted") },
		"subscription":    func(w *World) { w.AddSubscription("tenant", Subscription{}) },
		"another add-on":  func(w *World) { w.AddAddon("sub", Subscription{}) },
		"no subscription": func(w *World) { w.RemoveSubscription("sub") },
		"no add-on":       func(w *World) { w.RemoveSubscription("addon") },
		"moved":           func(w *World) { w.MoveSubscription("sub", "other") },
		"no tenant":       func(w *World) { w.RemoveTenant("tenant") },
		"moved tenant":    func(w *World) { w.MoveTenant("tenant", "nobody") },
		"tenant":          func(w *World) { w.UpdateTenant("tenant", func(t *Tenant) { t.Domain = "x" }) },
		"name":            func(w *World) { w.Rename("customer", "x") },
		"partner's name":  func(w *World) { w.Rename("partner", "x") },
		"address":         func(w *World) { w.SetAddress("customer", Address{City: "x"}) },
		"deactivated":     func(w *World) { w.Deactivate("customer") },
		"activated":       func(w *World) { w.Activate("gone") },
		"no customer":     func(w *World) { w.RemoveCustomer("customer") },
		"programs":        func(w *World) { w.UpdateCustomer("customer", func(c *Customer) { c.Programs[0].ID = "x" }) },
		"product":         func(w *World) { w.AddProduct("agreement", Product{ID: "x"}) },
		"no product":      func(w *World) { w.RemoveProduct("agreement", catalogue[0].ID) },
		"agreement":       func(w *World) { w.AddAgreement(Agreement{}) },
		"date":            func(w *World) { w.SetToday(w.snapshot().today().AddDate(0, 0, 1)) },
	} {
		w := NewWorld(Customer{ID: "partner"})
		w.AddAgreement(Agreement{ID: "agreement", Products: Catalogue()})
		w.AddCustomer(Customer{ID: "customer", Name: "Name", Programs: []ProgramAgreement{{ID: "program"}}})
		w.AddCustomer(Customer{ID: "gone", Deactivated: true})
		w.AddTenant(Tenant{ID: "tenant", CustomerID: "customer", Subscriptions: []Subscription{{ID: "sub", Addons: []Subscription{{ID: "addon"}}}, {ID: "last"}}})
		w.AddTenant(Tenant{ID: "other"})
		held := w.snapshot().(*worldState)
		before := held.clone()
		edit(w)
		if !reflect.DeepEqual(held, before) {
			t.Errorf("%s: the edit shows in a snapshot", note)
		}
		if reflect.DeepEqual(w.snapshot(), before) {
			t.Errorf("%s: the edit shows nowhere", note)
		}
	}
}
