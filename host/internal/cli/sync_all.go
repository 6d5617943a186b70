// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// defaultAtOnce is how many modules are synced at the same time, each of another tenant. A run mostly waits for its distributor, and holds a plugin's
// process and an index of its subscriptions meanwhile; the database takes one writer at a time.
const defaultAtOnce = 4

// allFlags are the flags of sync that belong to --all.
type allFlags struct {
	all    bool
	atOnce int
}

func (f *allFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.all, "all", false, "all enabled modules of all tenants, with a line for each; for cron and timers")
	cmd.Flags().IntVar(&f.atOnce, "at-once", defaultAtOnce, "with --all: how many modules to sync at the same time, each of another tenant")
}

// check refuses flags that do not go together.
func (f *allFlags) check(cmd *cobra.Command, o runOptions) error {
	switch {
	case !f.all && cmd.Flags().Changed("at-once"):
		return usagef("--at-once goes with --all only")
	case f.atOnce < 1:
		return usagef("--at-once takes how many modules to sync at the same time, 1 or more, not %d", f.atOnce)
	case f.all && o.customer != "":
		return usagef("--customer and --all contradict each other; name the customer's module instead")
	case f.all && len(o.override) > 0:
		return usagef("--override and --all contradict each other: a guard is let pass for one module, by somebody who has looked at it")
	default:
		return nil
	}
}

// allRuns is one sync of many modules: a few tenants at a time, and the modules of each one after another. Two modules of one
// tenant that are run together may want to create the same customer; one of them would have to be run again.
type allRuns struct {
	app     *app
	store   *store.Store
	modules []integrator.Module
	// tenants are the places in modules of each tenant's.
	tenants [][]int
	options runOptions
	paused  pauses
	// width is that of the longest module's name.
	width int

	// mu is held while a line is written or the rest is changed.
	mu      sync.Mutex
	reports []*integrator.Report
	worst   int
	// wrong is how many modules are not as they should be.
	wrong int
}

// syncAll makes one run for each enabled module. A module that fails leaves the others untouched.
func (a *app) syncAll(ctx context.Context, o runOptions, atOnce int) error {
	modules, err := a.meantToRun("")
	if err != nil {
		return err
	}
	all := &allRuns{app: a, options: o, modules: modules}
	for i, m := range modules {
		if i == 0 || m.Tenant != modules[i-1].Tenant {
			all.tenants = append(all.tenants, nil)
		}
		last := len(all.tenants) - 1
		all.tenants[last] = append(all.tenants[last], i)
		all.width = max(all.width, len(m.String()))
	}
	a.errOut = &together{w: a.errOut}
	if all.store, err = a.openStore(ctx, false); err != nil {
		return err
	}
	defer all.store.Close() //nolint:errcheck // everything was written or rolled back
	if all.paused, err = readPauses(ctx, all.store); err != nil {
		return err
	}
	all.run(ctx, atOnce)
	return all.end()
}

// run works through the tenants in the order of the configuration.
func (r *allRuns) run(ctx context.Context, atOnce int) {
	r.reports = make([]*integrator.Report, len(r.modules))
	next := make(chan []int)
	var workers sync.WaitGroup
	for range min(atOnce, len(r.tenants)) {
		workers.Go(func() {
			for places := range next {
				for _, i := range places {
					r.one(ctx, i)
				}
			}
		})
	}
	for _, places := range r.tenants {
		next <- places
	}
	close(next)
	workers.Wait()
}

// pausedOutcome stands in the place of an outcome where a module is not run, since it is paused.
const pausedOutcome integrator.Outcome = "paused"

// one makes one run and tells of it. Once ctx is over it starts none.
func (r *allRuns) one(ctx context.Context, i int) {
	module := r.modules[i]
	var report *integrator.Report
	err := ctx.Err()
	if err == nil && r.paused.of(module.String()) != nil {
		report = &integrator.Report{Module: module.String(), Mode: integrator.Sync, Outcome: pausedOutcome, Counts: map[string]int{}}
	} else if err == nil {
		report, err = r.app.integrator(r.store).RunUnattended(ctx, integrator.Request{
			Module: module, Mode: integrator.Sync, Entities: r.options.entities, Trigger: r.options.trigger, Who: r.app.who(),
		})
	}
	if report != nil {
		r.app.tell(ctx, r.store, module.String())
	}
	code := exitDone
	switch {
	case err != nil:
		code = max(exitCode(err), exitFailed)
	case report.Outcome == integrator.Held:
		code = exitPending
	}
	if report == nil {
		report = &integrator.Report{
			Module: module.String(), Mode: integrator.Sync, Outcome: integrator.Failed, Counts: map[string]int{}, Error: integrator.ProblemOf(err),
		}
		if errors.Is(err, context.Canceled) {
			report.Outcome = integrator.Cancelled
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports[i], r.worst = report, worse(r.worst, code)
	if code != exitDone {
		r.wrong++
	}
	if !r.app.json {
		fmt.Fprintln(r.app.out, r.line(report))
	}
}

// line says in one line what a run came to.
func (r *allRuns) line(report *integrator.Report) string {
	if report.Outcome == pausedOutcome {
		zone, _ := r.app.zoneOf(report.Module)
		return printable(fmt.Sprintf("%-*s  paused (no run) %s", r.width, report.Module, r.paused.of(report.Module).text(zone)))
	}
	run := "no run"
	if report.Run != 0 {
		run = fmt.Sprintf("run %d, %s", report.Run, report.Duration.Round(100*time.Millisecond))
	}
	line := fmt.Sprintf("%-*s  %s (%s)", r.width, report.Module, outcomeText(report.Outcome, report.Mode), run)
	what := runWhat(report.Counts, report.Details, false)
	if report.Error != nil {
		// What is wrong with the configuration takes lines; the first says what, and the run's record has them all.
		message, _, _ := strings.Cut(problemLine(report.Error), "\n")
		what = message
	}
	if what != "" {
		line += ": " + what
	}
	return printable(line)
}

// problemLine gives a problem with what to do about it.
func problemLine(p *integrator.Problem) string {
	text := p.Message
	if p.Code != "run.failed" {
		text = p.Code + ": " + text
	}
	if p.Hint != "" && !strings.Contains(p.Message, "\n") {
		text = strings.TrimRight(text, ".") + ". " + p.Hint
	}
	return text
}

// end tells how many are as they should be, and gives the exit code.
func (r *allRuns) end() error {
	if r.app.json {
		_ = r.app.printJSON(map[string]any{"runs": r.reports})
	}
	if r.wrong == 0 {
		return nil
	}
	message := fmt.Sprintf("Not as they should be: %d of %s; see \"tallyman status\".", r.wrong, plural(len(r.modules), "module"))
	if !r.app.json {
		fmt.Fprintln(r.app.errOut, message)
	}
	return shownError{errors.New(message), r.worst}
}

// together lets several goroutines write lines to one place.
type together struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *together) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}
