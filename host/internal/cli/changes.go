// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// shownChange is a change as people read it, planned or kept.
type shownChange struct {
	entity, kind, customer, name, what string
	// guard is what holds it, empty if nothing does.
	guard string
	// status, run and when are empty for a planned one.
	status string
	run    int64
	when   time.Time
}

func keptChange(r store.ChangeRow) shownChange {
	c := shownChange{
		entity: r.Entity, kind: r.Kind, customer: r.Customer, name: r.Name, what: changeText(r.Kind, r.Before, r.After, r.Reason),
		status: r.Status, when: r.CreatedAt,
	}
	if r.RunID != nil {
		c.run = *r.RunID
	}
	if r.Status == store.ChangeHeld {
		c.guard = r.Guard
	}
	return c
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
			g.add(c.when, run, c.state(), c.entity+" "+c.kind, c.customer, c.name, c.what)
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
		heading := fmt.Sprintf("%s %s %q", c.kind, strings.ReplaceAll(c.entity, "_", " "), printable(c.name))
		if c.customer != "" && c.customer != c.name {
			heading += " of " + printable(c.customer)
		}
		if withRun {
			by := "by hand"
			if c.run != 0 {
				by = fmt.Sprintf("run %d", c.run)
			}
			heading += fmt.Sprintf(" (%s, %s)", when(c.when), by)
		}
		paragraph(w, "  "+mark+" ", heading)
		what := c.what
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

// changeText says in a line what a change does.
func changeText(kind string, before, after json.RawMessage, reason string) string {
	if kind == "create" || kind == "deactivate" || kind == "reactivate" || kind == "map" {
		return reason
	}
	var from, to map[string]any
	_ = json.Unmarshal(before, &from)
	_ = json.Unmarshal(after, &to)
	var parts []string
	for _, name := range sortedNames(from, to) {
		if was, is := orDash(from[name]), orDash(to[name]); was == is {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %s -> %s", name, orDash(from[name]), orDash(to[name])))
	}
	if len(parts) == 0 {
		return reason
	}
	return strings.Join(parts, ", ")
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
