// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// share is what one host of several does in a pass: the runs of each Hosts-th tenant.
type share struct {
	URL, Plugin, Step         string
	Tenants, Subscriptions    int
	Host, Hosts, Workers, Day int
}

// tally is what runs came to. Times are in seconds of processor time, but for Seconds, which is the clock's.
type tally struct {
	Runs, Changes int
	Seconds       float64
	Peak          int64
	// Own is what the host spent in neither of Database (its driver and Bun) and Link (its side of the plugin's connection);
	// Process is what the plugins' processes spent.
	Own, Database, Link, Process float64
}

func (t *tally) add(o tally) {
	t.Runs, t.Changes, t.Seconds, t.Peak = t.Runs+o.Runs, t.Changes+o.Changes, max(t.Seconds, o.Seconds), max(t.Peak, o.Peak)
	t.Own, t.Database, t.Link, t.Process = t.Own+o.Own, t.Database+o.Database, t.Link+o.Link, t.Process+o.Process
}

// cost is the processor time of a run.
func (t tally) cost() float64 { return (t.Own + t.Database + t.Link + t.Process) / float64(t.Runs) }

// work makes the runs and tells what they cost.
func (s share) work(ctx context.Context) (t tally, err error) {
	db, err := store.Open(ctx, store.Options{URL: s.URL})
	if err != nil {
		return t, err
	}
	defer db.Close() //nolint:errcheck // everything was written
	var spent bytes.Buffer
	if err := pprof.StartCPUProfile(&spent); err != nil {
		return t, err
	}
	begin := time.Now()
	ownBefore, childrenBefore := processorTime()
	t.Runs, t.Changes, err = s.runs(ctx, db)
	t.Seconds = time.Since(begin).Seconds()
	own, children := processorTime()
	pprof.StopCPUProfile()
	if err != nil {
		return t, err
	}
	t.Peak, t.Process = peak(os.Getpid()), children-childrenBefore
	database, link, err := portions(&spent)
	own -= ownBefore
	t.Database, t.Link = own*database, own*link
	t.Own = own - t.Database - t.Link
	return t, err
}

func (s share) runs(ctx context.Context, db *store.Store) (runs, changes int, err error) {
	from := source{Plugin: s.Plugin, Subscriptions: s.Subscriptions, Day: s.Day}
	settings, done, err := from.serve()
	if err != nil {
		return 0, 0, err
	}
	defer done()
	i := &integrator.Integrator{
		Store: db, Log: hclog.NewNullLogger(), Holder: fmt.Sprintf("bench %d", s.Host),
		Open: func(ctx context.Context, _ integrator.Module, _ string) (integrator.Source, error) {
			p, err := from.launch(ctx, settings)
			if err != nil {
				return nil, err
			}
			return integrator.FromProcess(p), nil
		},
	}
	var counting sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.Workers)
	for n := s.Host; n < s.Tenants; n += s.Hosts {
		group.Go(func() error {
			name := pluginName(s.Plugin)
			report, err := i.Run(ctx, integrator.Request{
				Mode: integrator.Sync, Entities: integrator.Entities{Customers: true, Subscriptions: true}, Trigger: "schedule",
				Module: integrator.Module{
					Tenant: fmt.Sprintf("tenant-%d", n), Name: name, Plugin: name, Unmatched: integrator.UnmatchedCreate,
					Subscriptions: reconcile.Policy{DeactivateMissing: true, MissingRuns: 1}, Limits: reconcile.DefaultLimits(),
				},
			})
			if err != nil {
				return fmt.Errorf("tenant-%d: %w", n, err)
			}
			step := map[string]string{"first import": "import", "unchanged": "unchanged", "1 % changed": "changed"}[s.Step]
			if err := from.check(step, report); err != nil {
				return fmt.Errorf("tenant-%d: %w", n, err)
			}
			counting.Lock()
			defer counting.Unlock()
			runs, changes = runs+1, changes+report.Counts[integrator.CountApplied]
			return nil
		})
	}
	return runs, changes, group.Wait()
}

// portions gives which parts of a processor profile were spent for the database and for the plugins' connections: a sample is
// that of whose function is found first, from the innermost outwards.
func portions(spent *bytes.Buffer) (database, link float64, err error) {
	p, err := profile.Parse(spent)
	if err != nil {
		return 0, 0, err
	}
	var all, ofDatabase, ofLink int64
	for _, sample := range p.Sample {
		value := sample.Value[len(sample.Value)-1]
		all += value
		switch ownerOf(sample) {
		case "database":
			ofDatabase += value
		case "link":
			ofLink += value
		}
	}
	if all == 0 {
		return 0, 0, fmt.Errorf("the profile holds no samples")
	}
	return float64(ofDatabase) / float64(all), float64(ofLink) / float64(all), nil
}

// owners says whose time is spent in the functions of a package and in what they call.
var owners = []struct{ prefix, owner string }{
	{"modernc.org/", "database"},
	{"github.com/jackc/pgx", "database"},
	{"github.com/uptrace/bun", "database"},
	{"database/sql", "database"},
	{"google.golang.org/", "link"},
	{"github.com/hashicorp/go-plugin", "link"},
	{"crypto/tls", "link"},
	{"os/exec", "link"},
	{"github.com/tallymanhq/tallyman/", "own"},
}

func ownerOf(s *profile.Sample) string {
	for _, location := range s.Location {
		for _, line := range location.Line {
			for _, o := range owners {
				if strings.HasPrefix(line.Function.Name, o.prefix) {
					return o.owner
				}
			}
		}
	}
	return "own"
}
