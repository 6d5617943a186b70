// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"encoding/json"

	"github.com/cespare/xxhash/v2"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// The entities of changes.
const (
	EntityTopLevel            = "top_level"
	EntityCustomer            = "customer"
	EntitySite                = "site"
	EntityMapping             = "mapping"
	EntityDistributorCustomer = "distributor_customer"
	EntitySubscription        = "subscription"
)

// The kinds of change beside those of package reconcile.
const (
	kindCreate = string(reconcile.Create)
	kindUpdate = string(reconcile.Update)
	kindMap    = "map"
	kindRename = "rename"
	kindFlag   = "flag"
	kindCarry  = "carry"
)

// Change is one change of a plan.
type Change struct {
	// Entity and Kind say what happens to what: subscription deactivate.
	Entity string `json:"entity"`
	Kind   string `json:"kind"`
	// Key is the distributor's id of it, or another stable name. Name is what a person calls it.
	Key  string `json:"entity_key"`
	Name string `json:"name"`
	// EntityID and CustomerID are our ids, zero as long as there are none.
	EntityID   int64 `json:"entity_id,omitempty"`
	CustomerID int64 `json:"customer_id,omitempty"`
	// Customer is the name of the customer it belongs to.
	Customer string `json:"customer,omitempty"`
	// Before and After hold the fields that differ.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Reason string          `json:"reason"`
	// Guard is the guard that holds it, with Held saying why; empty when it may be applied.
	Guard string `json:"guard,omitempty"`
	Held  string `json:"held,omitempty"`
}

// fingerprint identifies what a change would do, to find it again in a later run.
func (c Change) fingerprint() uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, s := range []string{c.Entity, c.Kind, c.Key, string(c.After)} {
		_, _ = d.WriteString(s)
		_, _ = d.Write([]byte{0})
	}
	return d.Sum64()
}

// row gives the change as it is recorded.
func (c Change) row(r *run, status string) store.Change {
	moduleID, runID := r.module.ID, r.record.ID
	row := store.Change{
		TenantID: r.module.TenantID, ModuleID: &moduleID, RunID: &runID,
		Entity: c.Entity, EntityKey: c.Key, Name: c.Name, Kind: c.Kind, Status: status, Guard: c.Guard,
		Before: c.Before, After: c.After, Reason: c.Reason, Who: r.req.Who, CreatedAt: r.started,
	}
	if c.Held != "" {
		row.Reason = c.Reason + "; held: " + c.Held
	}
	if c.EntityID != 0 {
		row.EntityID = &c.EntityID
	}
	if c.CustomerID != 0 {
		row.CustomerID = &c.CustomerID
	}
	return row
}

// jsonText marshals what cannot fail to marshal: maps and structs of text and numbers.
func jsonText(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("integrator: " + err.Error())
	}
	return b
}

// differences gives the two sides of some differences as JSON objects.
func differences(list []reconcile.Difference) (before, after json.RawMessage) {
	b, a := make(map[string]string, len(list)), make(map[string]string, len(list))
	for _, d := range list {
		b[d.Field], a[d.Field] = d.Before, d.After
	}
	return jsonText(b), jsonText(a)
}
