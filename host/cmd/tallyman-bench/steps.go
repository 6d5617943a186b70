// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// source is a distributor of a size on a day, and the database it is synced into.
type source struct {
	Plugin        string
	Subscriptions int
	// Day is 0 or 1 at first; each day after changes 1 % of the subscriptions.
	Day      int
	Database string
	// Rhipe: the plugin is Rhipe's and reads from a simulator.
	Rhipe bool
}

// result is what a step came to. Peaks are in bytes, zero where the system does not tell.
type result struct {
	Seconds              float64
	Records              int
	HostPeak, PluginPeak int64
}

func takeStep(ctx context.Context, name string, args []string) error {
	if len(args) != 1 {
		return errors.New("a step takes one argument")
	}
	var r any
	var err error
	switch name {
	case "start":
		r, err = measureStart(ctx, args[0])
	case "scale":
		var s share
		if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
			return err
		}
		r, err = s.work(ctx)
	default:
		var s source
		if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
			return err
		}
		switch name {
		case "stream":
			r, err = rawStream(ctx, s)
		case "insert":
			r, err = rawInsert(ctx, s)
		case "import", "unchanged", "changed":
			r, err = measureRun(ctx, name, s)
		default:
			err = fmt.Errorf("there is no step %q", name)
		}
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// measureStart gives the median of starting a plugin and asking it who it is.
func measureStart(ctx context.Context, path string) (result, error) {
	const times = 15
	var took []float64
	for range times {
		begin := time.Now()
		p, err := pluginhost.Launch(ctx, pluginhost.Spec{Name: pluginName(path), Path: path, Dev: true, HostVersion: "0.1.0"})
		if err != nil {
			return result{}, err
		}
		took = append(took, time.Since(begin).Seconds())
		if err := p.Close(ctx); err != nil {
			return result{}, err
		}
	}
	slices.Sort(took)
	return result{Seconds: took[times/2], Records: times}, nil
}

// measureRun makes a run and checks that it did what the step is about.
func measureRun(ctx context.Context, name string, s source) (result, error) {
	settings, done, err := s.serve()
	if err != nil {
		return result{}, err
	}
	defer done()
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + s.Database})
	if err != nil {
		return result{}, err
	}
	defer db.Close() //nolint:errcheck // everything was written
	var pluginPeak int64
	i := &integrator.Integrator{
		Store: db, Log: hclog.NewNullLogger(), Holder: "bench",
		Open: func(ctx context.Context, m integrator.Module, run string) (integrator.Source, error) {
			p, err := s.launch(ctx, settings)
			if err != nil {
				return nil, err
			}
			return watched{integrator.FromProcess(p), func() { pluginPeak = peak(p.PID()) }}, nil
		},
	}
	req := integrator.Request{
		Mode: integrator.Sync, Entities: integrator.Entities{Customers: true, Subscriptions: true},
		Module: integrator.Module{
			Tenant: "acme", Name: pluginName(s.Plugin), Plugin: pluginName(s.Plugin), Unmatched: integrator.UnmatchedCreate,
			Subscriptions: reconcile.Policy{DeactivateMissing: true, MissingRuns: 1}, Limits: reconcile.DefaultLimits(),
		},
	}
	begin := time.Now()
	report, err := i.Run(ctx, req)
	if err != nil {
		return result{}, err
	}
	took := time.Since(begin)
	if err := s.check(name, report); err != nil {
		return result{}, err
	}
	return result{Seconds: took.Seconds(), Records: report.Counts[integrator.CountSubscriptionsListed], HostPeak: peak(os.Getpid()), PluginPeak: pluginPeak}, nil
}

// check fails a step whose run did something else than it is named for.
func (s source) check(name string, r *integrator.Report) error {
	count, want := integrator.CountCreated, s.Subscriptions
	switch name {
	case "unchanged":
		count = integrator.CountUnchanged
	case "changed":
		count, want = integrator.CountUpdated, s.changed()
	}
	if r.Counts[count] != want {
		return fmt.Errorf("%s is %d, not %d (outcome %s, warnings %q)", count, r.Counts[count], want, r.Outcome, r.Warnings)
	}
	return nil
}

// watched looks at the plugin's memory before it ends.
type watched struct {
	integrator.Source
	before func()
}

func (w watched) Close(ctx context.Context) error {
	w.before()
	return w.Source.Close(ctx)
}

// peak gives the most memory a process has had resident. Only Linux tells.
func peak(pid int) int64 {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	mode := os.FileMode(0o755)
	if runtime.GOOS == "windows" {
		mode = 0o666
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
