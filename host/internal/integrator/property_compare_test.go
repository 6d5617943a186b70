// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// This file compares a run and the database with the model.

func (h *history) compareOutcome(report *Report, err error, want answer) {
	applied, held := 0, 0
	for _, c := range want.changes {
		if c.held {
			held++
		} else {
			applied++
		}
	}
	var may []Outcome
	switch {
	case want.failed:
		may = []Outcome{Failed}
	case held > 0:
		may = []Outcome{Held}
	case applied > 0:
		may = []Outcome{Succeeded, Warning}
	default:
		may = []Outcome{NoChange, Warning}
	}
	if !slices.Contains(may, report.Outcome) || (err != nil) != want.failed {
		h.Fatalf("outcome %s, want %v; error %v", report.Outcome, may, err)
	}
	if report.Counts[CountApplied] != applied || report.Counts[CountHeld] != held {
		h.Fatalf("%d applied and %d held, want %d and %d", report.Counts[CountApplied], report.Counts[CountHeld], applied, held)
	}
	run, err := h.Store.Run(context.Background(), report.Run)
	h.must(err)
	if run.Outcome != string(report.Outcome) || run.FinishedAt == nil {
		h.Fatalf("the record says %q, finished %v; the report %s", run.Outcome, run.FinishedAt, report.Outcome)
	}
	leases, err := h.Store.Leases(context.Background(), h.tenantID)
	h.must(err)
	if len(leases) > 0 {
		h.Fatalf("after the run there is still a lease: %+v", leases)
	}
}

// compareChanges compares what was planned, what was recorded and what should have been.
func (h *history) compareChanges(report *Report, mode Mode, want answer) {
	wanted := []string{}
	for _, c := range want.changes {
		wanted = append(wanted, c.String())
	}
	slices.Sort(wanted)
	planned := []string{}
	for _, c := range h.planned {
		planned = append(planned, changeAsModel(c.Entity, c.Kind, c.Key, c.Before, c.After, c.Guard != ""))
	}
	slices.Sort(planned)
	if diff := cmp.Diff(wanted, planned); diff != "" {
		h.Fatalf("planned changes (-model +run):\n%s", diff)
	}
	rows, err := h.Store.Changes(context.Background(), store.ChangeFilter{ModuleID: h.moduleID, RunID: report.Run})
	h.must(err)
	recorded := []string{}
	for _, row := range rows {
		recorded = append(recorded, changeAsModel(row.Entity, row.Kind, row.EntityKey, row.Before, row.After, row.Status == store.ChangeHeld))
		if row.Status == store.ChangeApplied && row.EntityID == nil || row.Reason == "" || row.Who != "property" {
			h.Fatalf("an incomplete record: %+v", row)
		}
	}
	slices.Sort(recorded)
	if mode == Plan {
		wanted = []string{}
	}
	if diff := cmp.Diff(wanted, recorded); diff != "" {
		h.Fatalf("recorded changes (-model +database):\n%s", diff)
	}
}

// changeAsModel spells a change as the model does.
func changeAsModel(entity, kind, key string, before, after json.RawMessage, held bool) string {
	c := modelChange{entity: entity, kind: kind, key: key, held: held}
	switch entity + " " + kind {
	case "distributor_customer flag":
		for _, f := range []struct{ in, out string }{{`"listed":"no"`, "gone"}, {`"listed":"yes"`, "listed"}, {"lifecycle", "lifecycle"}} {
			if strings.Contains(string(after), f.in) {
				c.after = f.out
				break
			}
		}
	case "distributor_customer rename":
		c.after = textsOf(after)["name"]
	case "subscription update":
		c.after = updateText(textsOf(before), textsOf(after))
	case "customer create":
		var made struct {
			Name, Top_level string
			Address         map[string]string
		}
		if err := json.Unmarshal(after, &made); err != nil {
			panic(err)
		}
		a := made.Address
		c.after = fmt.Sprint(made.Name, modelAddress{a["line1"], a["city"], a["postal_code"], a["country"]}, made.Top_level)
	}
	return c.String()
}

func textsOf(raw json.RawMessage) map[string]string {
	texts := map[string]string{}
	if err := json.Unmarshal(raw, &texts); err != nil {
		panic(err)
	}
	return texts
}

// compareState compares the database with the model.
func (h *history) compareState() {
	h.compareCustomers()
	h.compareMappings()
	h.compareSubscriptions()
	rows, err := h.Store.Changes(context.Background(), store.ChangeFilter{ModuleID: h.moduleID, Status: store.ChangeHeld})
	h.must(err)
	got, want := []string{}, []string{}
	for _, row := range rows {
		got = append(got, fmt.Sprint(*row.RunID, " ", changeAsModel(row.Entity, row.Kind, row.EntityKey, row.Before, row.After, true)))
	}
	for _, c := range h.model.held {
		want = append(want, fmt.Sprint(c.run, " ", c.String()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("held changes (-model +database):\n%s", diff)
	}
}

func (h *history) compareCustomers() {
	rows, err := h.Store.CustomerRows(context.Background(), store.CustomerFilter{TenantID: h.tenantID})
	h.must(err)
	byID := map[int64]store.CustomerRow{}
	for _, row := range rows {
		byID[row.ID] = row
	}
	for id, c := range h.model.customers {
		if _, known := h.ids[id]; known {
			continue
		}
		// A created customer's name is nobody else's among those that are new.
		for _, row := range rows {
			if row.Name == c.name && row.CreatedBy == "Fake" && !h.used[row.ID] {
				h.ids[id] = row.ID
				h.used[row.ID] = true
			}
		}
	}
	if len(rows) != len(h.model.customers) {
		h.Fatalf("%d customers, want %d: %+v", len(rows), len(h.model.customers), rows)
	}
	for id, c := range h.model.customers {
		row, ok := byID[h.ids[id]]
		if !ok {
			h.Fatalf("customer %q (#%d) is not there", c.name, h.ids[id])
		}
		a := row.Main
		got := modelCustomer{row.Name, row.CreatedBy, row.TopLevel, row.Active, modelAddress{a.Line1, a.City, a.PostalCode, a.Country}}
		if got != *c || row.Sites != 1 {
			h.Fatalf("customer #%d is %+v with %d sites, want %+v", row.ID, got, row.Sites, *c)
		}
	}
}

func (h *history) compareMappings() {
	rows, err := h.Store.MappingRows(context.Background(), store.MappingFilter{ModuleID: h.moduleID, Gone: true})
	h.must(err)
	if len(rows) != len(h.model.told) {
		h.Fatalf("%d distributor customers, want %d", len(rows), len(h.model.told))
	}
	for _, row := range rows {
		told := h.model.told[h.model.key(row.Ref)]
		if told == nil {
			h.Fatalf("nobody spoke of distributor customer %q", row.Ref)
		}
		mapped := int64(0)
		if row.CustomerID != nil {
			mapped = *row.CustomerID
		}
		if mapped != h.ids[told.mapped] || row.Name != told.name || (row.GoneAt != nil) != told.gone || (row.Lifecycle == "ended") != told.ended {
			h.Fatalf("distributor customer %+v, want %+v on #%d", row, *told, h.ids[told.mapped])
		}
	}
}

func (h *history) compareSubscriptions() {
	rows, err := h.Store.SubscriptionRows(context.Background(), store.SubscriptionFilter{TenantID: h.tenantID})
	h.must(err)
	want := map[string]*modelSub{}
	waiting := 0
	for key, rec := range h.model.records {
		if rec.sub != nil {
			want[strings.ToLower(key)] = rec.sub
		} else if !rec.gone {
			waiting++
		}
	}
	if len(rows) != len(want) {
		h.Fatalf("%d subscriptions, want %d", len(rows), len(want))
	}
	for _, row := range rows {
		key := strings.ToLower(row.Ref)
		w := want[key]
		if w == nil {
			h.Fatalf("subscription %q should not be there", row.Ref)
		}
		id, known := h.subs[key]
		switch {
		case known && id != row.ID:
			h.Fatalf("subscription %q was #%d and is #%d", row.Ref, id, row.ID)
		case !known && row.ID <= h.lastID:
			h.Fatalf("subscription %q has #%d, which is not new", row.Ref, row.ID)
		}
		h.subs[key] = row.ID
		got := map[string]string{
			"name": row.Name, "quantity": textOf(row.Quantity), "state": row.State, "status": row.Status, "charge": row.Charge,
			"partner_cost": textOf(row.PartnerCost), "currency": row.Currency,
		}
		if diff := cmp.Diff(w.fields, got); diff != "" {
			h.Fatalf("subscription %q (-model +database):\n%s", row.Ref, diff)
		}
		if row.CustomerID != h.ids[w.customer] || row.Active != w.active || (row.DeactivatedAt == nil) != w.active || row.Distributor != "Fake" {
			h.Fatalf("subscription %q on #%d, active %v, deactivated %v; want #%d, %v", row.Ref, row.CustomerID, row.Active, row.DeactivatedAt, h.ids[w.customer], w.active)
		}
	}
	for _, id := range h.subs {
		h.lastID = max(h.lastID, id)
	}
	var n int
	h.must(h.raw.QueryRow("SELECT count(*) FROM distributor_subscriptions WHERE module_id = ? AND subscription_id IS NULL AND flags & 1 = 0", h.moduleID).Scan(&n))
	if n != waiting {
		h.Fatalf("%d subscriptions wait for a customer, want %d", n, waiting)
	}
}

func (h *history) activeSubs() map[string]bool {
	active := map[string]bool{}
	for key, rec := range h.model.records {
		if rec.sub != nil && rec.sub.active {
			active[key] = true
		}
	}
	return active
}

// nothingEndedUnproven looks for a subscription that became inactive although no scope it belongs to was read completely,
// or although the operator did not allow it.
func (h *history) nothingEndedUnproven(q question, before map[string]bool, scopes map[string]string) {
	complete := map[string]bool{}
	for _, s := range q.subscriptions.scopes {
		complete[s.ref] = s.outcome == pluginhost.OutcomeComplete
	}
	rows, err := h.Store.SubscriptionRows(context.Background(), store.SubscriptionFilter{TenantID: h.tenantID})
	h.must(err)
	for _, row := range rows {
		for key, rec := range h.model.records {
			if !strings.EqualFold(key, row.Ref) || row.Active || !before[key] {
				continue
			}
			if !q.module.Subscriptions.DeactivateMissing || q.mode != Sync || !complete[rec.scope] && !complete[scopes[key]] {
				h.Fatalf("subscription %q was deactivated on the strength of %+v", row.Ref, q.subscriptions)
			}
		}
	}
}

// dump is every row of the tenant, but for its runs and leases.
func (h *history) dump() map[string][]string {
	all := map[string][]string{}
	for _, table := range []string{
		"modules", "top_levels", "customers", "sites", "distributor_customers", "mappings", "scopes", "subscriptions", "distributor_subscriptions", "changes",
	} {
		rows, err := h.raw.Query("SELECT * FROM "+table+" WHERE tenant_id = ? ORDER BY 1", h.tenantID)
		h.must(err)
		columns, err := rows.Columns()
		h.must(err)
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		for rows.Next() {
			h.must(rows.Scan(places...))
			all[table] = append(all[table], fmt.Sprint(values...))
		}
		h.must(rows.Err())
		h.must(rows.Close()) //nolint:sqlclosecheck // one table after the other
	}
	return all
}
