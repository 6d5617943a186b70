// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// shownChange is a change as people read it, planned or kept.
type shownChange struct {
	entity, kind, name, reason string
	// customer and customerID are the customer it belongs to, empty and zero as long as there is none.
	customer      string
	customerID    int64
	before, after map[string]any
	// guard is what holds it, empty if nothing does.
	guard string
	// status, run and when are empty for a planned one.
	status string
	run    int64
	when   time.Time
	// names are the names of the customers it speaks of by id.
	names map[int64]string
}

func keptChange(r store.ChangeRow) shownChange {
	c := shownChange{
		entity: r.Entity, kind: r.Kind, customer: r.Customer, name: r.Name, reason: r.Reason,
		before: fieldsIn(r.Before), after: fieldsIn(r.After), status: r.Status, when: r.CreatedAt,
	}
	if r.CustomerID != nil {
		c.customerID = *r.CustomerID
	}
	if r.RunID != nil {
		c.run = *r.RunID
	}
	if r.Status == store.ChangeHeld {
		c.guard = r.Guard
	}
	return c
}

func keptChanges(rows []store.ChangeRow) []shownChange {
	shown := make([]shownChange, len(rows))
	for i, row := range rows {
		shown[i] = keptChange(row)
	}
	return shown
}

func plannedChange(c integrator.Change) shownChange {
	return shownChange{
		entity: c.Entity, kind: c.Kind, customer: c.Customer, customerID: c.CustomerID, name: c.Name, guard: c.Guard, reason: c.Reason,
		before: fieldsIn(c.Before), after: fieldsIn(c.After),
	}
}

// fieldsIn gives the fields of one side of a change.
func fieldsIn(raw json.RawMessage) map[string]any {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&fields)
	return fields
}

// nameCustomers finds the names of the customers that changes speak of by id.
func nameCustomers(ctx context.Context, s *store.Store, list []shownChange) error {
	seen := map[int64]bool{}
	for _, c := range list {
		for _, id := range []int64{c.customerID, customerIn(c.before), customerIn(c.after)} {
			if id > 0 {
				seen[id] = true
			}
		}
	}
	names, err := s.CustomerNames(ctx, slices.Sorted(maps.Keys(seen)))
	for i := range list {
		list[i].names = names
	}
	return err
}

// customerIn gives the customer that one side of a change names, or zero.
func customerIn(fields map[string]any) int64 {
	id, _ := strconv.ParseInt(fmt.Sprint(fields["customer_id"]), 10, 64)
	return id
}

// customerText names a customer with its id, as far as they are known.
func (c *shownChange) customerText(id int64, otherwise string) string {
	switch name := cmp.Or(c.names[id], otherwise); {
	case id <= 0 && name == "":
		return "a new customer"
	case id <= 0:
		return fmt.Sprintf("the new customer %q", printable(name))
	case name == "":
		return fmt.Sprintf("customer #%d", id)
	default:
		return fmt.Sprintf("%q (#%d)", printable(name), id)
	}
}

// marks show at a glance what a change does.
var marks = map[string]string{
	"create": "+", "map": "+", "reactivate": "+", "deactivate": "-", "unmap": "-",
}

// printChanges writes changes: a paragraph each on a terminal, a line each in a pipe.
func printChanges(w io.Writer, list []shownChange, withRun bool) {
	if _, tty := terminal(w); !tty {
		g := &grid{columns: []string{"When", "Run", "Status", "Change", "Customer", "Name", "What"}}
		for _, c := range list {
			run := ""
			if c.run != 0 {
				run = fmt.Sprint(c.run)
			}
			customer := cmp.Or(c.customer, c.names[c.customerID])
			g.add(c.when, run, c.state(), strings.ReplaceAll(c.entity, "_", " ")+" "+c.kind, customer, c.name, c.line())
		}
		g.render(w)
		return
	}
	for _, c := range list {
		mark := marks[c.kind]
		if mark == "" {
			mark = "~"
		}
		if c.guard != "" {
			mark = "!"
		}
		heading := c.heading()
		if withRun {
			by := "by hand"
			if c.run != 0 {
				by = fmt.Sprintf("run %d", c.run)
			}
			heading += fmt.Sprintf(" (%s, %s)", when(c.when), by)
		}
		paragraph(w, "  "+mark+" ", heading)
		what := c.what()
		if c.status != "" && c.status != store.ChangeApplied && c.guard == "" {
			what = c.state() + ": " + what
		}
		paragraph(w, "      ", what)
	}
}

// state says what became of the change.
func (c *shownChange) state() string {
	switch {
	case c.guard != "":
		return "held by " + c.guard
	case c.status == "":
		return "planned"
	default:
		return c.status
	}
}

// heading says in words what is done to what.
func (c *shownChange) heading() string {
	name := fmt.Sprintf("%q", printable(c.name))
	switch {
	case c.entity == integrator.EntityDistributorCustomer && c.kind == "rename":
		return "note that " + c.parties()
	case c.entity == integrator.EntityDistributorCustomer:
		return "note about the distributor's customer " + name
	case c.entity == integrator.EntityMapping:
		return c.kind + " " + name + " " + c.parties()
	case c.kind == "move":
		return "move " + c.entity + " " + name + " " + c.parties()
	case c.kind == "carry":
		return "carry over " + c.entity + " " + name + c.ofCustomer() + " " + c.parties()
	}
	return fmt.Sprintf("%s %s %s", c.kind, strings.ReplaceAll(c.entity, "_", " "), name) + c.ofCustomer()
}

// ofCustomer says whose it is, if it is somebody's.
func (c *shownChange) ofCustomer() string {
	if customer := cmp.Or(c.customer, c.names[c.customerID]); customer != "" && customer != c.name {
		return " of " + printable(customer)
	}
	return ""
}

// parties says who a change is between, with names and ids; "" if it is about one alone.
func (c *shownChange) parties() string {
	was := customerIn(c.before)
	switch {
	case c.kind == "rename":
		return fmt.Sprintf("%q is now called %q at the distributor", printable(orDash(c.before["name"])), printable(orDash(c.after["name"])))
	case c.kind == "unmap":
		return "from " + c.customerText(cmp.Or(was, c.customerID), c.customer)
	case c.kind == "map" && was != 0:
		return "to " + c.customerText(c.customerID, c.customer) + " instead of " + c.customerText(was, "")
	case c.kind == "map":
		return "to " + c.customerText(c.customerID, c.customer)
	case c.kind == "carry":
		return "from " + printable(orDash(c.before["module"])) + " to " + printable(orDash(c.after["module"]))
	case c.kind == "move":
		return "from " + c.customerText(was, "") + " to " + c.customerText(customerIn(c.after), c.customer)
	default:
		return ""
	}
}

// line says all there is to say about a change beside its name, for a table.
func (c *shownChange) line() string {
	if parties := c.parties(); parties != "" {
		return parties + "; " + c.what()
	}
	return c.what()
}

// what says why a change is made, or which fields get other values.
func (c *shownChange) what() string {
	switch c.kind {
	case "create":
		if quantity := orDash(c.after["quantity"]); c.entity == integrator.EntitySubscription && quantity != "-" {
			return "quantity " + quantity + "; " + c.reason
		}
		return c.reason
	case "carry":
		if was, is := orDash(c.before["ref"]), orDash(c.after["ref"]); was != is {
			return fmt.Sprintf("its id at the distributor is %s instead of %s; %s", is, was, c.reason)
		}
		return c.reason
	case "deactivate", "reactivate", "map", "unmap", "move", "rename":
		return c.reason
	}
	if c.after["listed"] != nil {
		return c.reason
	}
	var parts []string
	for _, name := range sortedNames(c.before, c.after) {
		if was, is := orDash(c.before[name]), orDash(c.after[name]); was != is {
			parts = append(parts, fmt.Sprintf("%s: %s -> %s", fieldText(name), was, is))
		}
	}
	if len(parts) == 0 {
		return c.reason
	}
	return strings.Join(parts, ", ")
}

// fieldText gives the name of a field in words.
func fieldText(name string) string {
	switch name {
	case "sku":
		return "SKU"
	case "lifecycle":
		return "state at the distributor"
	case "line1", "line2", "line3":
		return "address line " + strings.TrimPrefix(name, "line")
	default:
		return strings.ReplaceAll(name, "_", " ")
	}
}

func sortedNames(values ...map[string]any) []string {
	seen := map[string]bool{}
	for _, m := range values {
		for name := range m {
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func orDash(v any) string {
	if v == nil || v == "" {
		return "-"
	}
	return fmt.Sprint(v)
}
