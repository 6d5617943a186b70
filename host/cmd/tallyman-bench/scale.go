// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

// scale is many tenants in one database, and how many hosts share them.
type scale struct {
	title    string
	hosts    int
	postgres bool
}

var scales = []scale{
	{"SQLite, one host", 1, false},
	{"PostgreSQL, one host", 1, true},
	{"PostgreSQL, three hosts", 3, true},
}

// runScale measures runs of many tenants: what each costs, and whether it costs more when there are more of them.
func (o *options) runScale(ctx context.Context, plugin string) error {
	fmt.Printf("\nTenants with one module of %d subscriptions each; each host makes %d runs at once.\n", o.scaleSize, o.workers)
	fmt.Println("Milliseconds of processor time a run: in the host's own code, in its database driver and Bun, in its side of the plugin's")
	fmt.Println("connection, in the plugin's process; the database server's own is not among them. Share: of the host's own code in these.")
	for _, s := range scales {
		var last map[string]tally
		for text := range strings.SplitSeq(o.scale, ",") {
			tenants, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil || tenants < s.hosts {
				return fmt.Errorf("-scale: %q is not a number of tenants, %d or more", text, s.hosts)
			}
			this, err := o.measureScale(ctx, s, plugin, tenants)
			if err != nil {
				return fmt.Errorf("%s, %d tenants: %w", s.title, tenants, err)
			}
			for _, pass := range passes {
				if before, ok := last[pass.name]; ok {
					fmt.Printf("  cost of a run, %s, to that with fewer tenants: %.2f\n", pass.name, this[pass.name].cost()/before.cost())
				}
			}
			last = this
		}
	}
	return nil
}

// passes are what is done with the tenants, one after another.
var passes = []struct {
	name string
	day  int
}{{"first import", 1}, {"unchanged", 1}, {"1 % changed", 2}}

func (o *options) measureScale(ctx context.Context, s scale, plugin string, tenants int) (map[string]tally, error) {
	url := "sqlite:" + filepath.Join(o.dir, fmt.Sprintf("scale-%d.db", tenants))
	if s.postgres {
		schema := fmt.Sprintf("scale_%d_%d", s.hosts, tenants)
		var err error
		if url, err = pgtest.Schema(ctx, schema); err != nil {
			return nil, err
		}
	}
	db, err := store.Open(ctx, store.Options{URL: url})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	fmt.Printf("\n%s, %d tenants\n  %-14s %9s %9s %11s %8s | %8s %8s %8s %8s %6s\n", s.title, tenants,
		"", "seconds", "runs/s", "changes/s", "host MB", "own", "database", "link", "plugin", "share")
	done := map[string]tally{}
	for _, pass := range passes {
		before, err := countAll(ctx, url)
		if err != nil {
			return nil, err
		}
		total, err := o.pass(ctx, share{
			URL: url, Plugin: plugin, Tenants: tenants, Hosts: s.hosts, Subscriptions: o.scaleSize, Workers: o.workers,
			Step: pass.name, Day: pass.day,
		})
		if err != nil {
			return nil, err
		}
		if pass.name == "unchanged" {
			after, err := countAll(ctx, url)
			before["runs"] += tenants
			if err == nil && !maps.Equal(before, after) {
				err = fmt.Errorf("nothing had changed, but there are %v rows instead of %v", after, before)
			}
			if err != nil {
				return nil, err
			}
		}
		done[pass.name] = total
		runs := float64(total.Runs)
		fmt.Printf("  %-14s %9.1f %9.1f %11.0f %8s | %8.1f %8.1f %8.1f %8.1f %5.0f%%\n", pass.name,
			total.Seconds, runs/total.Seconds, float64(total.Changes)/total.Seconds, megabytes(total.Peak),
			1000*total.Own/runs, 1000*total.Database/runs, 1000*total.Link/runs, 1000*total.Process/runs, 100*total.Own/(total.cost()*runs))
	}
	return done, nil
}

// pass runs every tenant once, on all hosts at the same time.
func (o *options) pass(ctx context.Context, each share) (tally, error) {
	results := make([]tally, each.Hosts)
	group, ctx := errgroup.WithContext(ctx)
	for i := range each.Hosts {
		this := each
		this.Host = i
		group.Go(func() error {
			encoded, err := json.Marshal(this)
			if err != nil {
				return err
			}
			return o.call(ctx, &results[i], "scale", string(encoded))
		})
	}
	if err := group.Wait(); err != nil {
		return tally{}, err
	}
	total := results[0]
	for _, r := range results[1:] {
		total.add(r)
	}
	if total.Runs != each.Tenants {
		return total, fmt.Errorf("%d runs were made, not %d", total.Runs, each.Tenants)
	}
	return total, nil
}
