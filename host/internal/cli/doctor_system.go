// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// database looks at the schema, the files and the rows.
func (d *doctor) database(ctx context.Context) {
	const check = "database"
	options, err := d.app.storeOptions()
	if err != nil {
		d.wrong(check, err)
		return
	}
	options.ForMigration, options.NoCreate = true, true
	s, err := store.Open(ctx, options)
	var problem *store.Error
	if errors.As(err, &problem) && problem.Kind == store.KindMissing {
		d.add(findingWarning, check, problem.Message, "Nothing was synced yet. The first sync makes it, or \"tallyman db migrate\" does.")
		if filepath.IsAbs(problem.Path) { // not that of a database server
			d.folder(check, filepath.Dir(problem.Path))
		}
		return
	}
	if err != nil {
		d.wrong(check, err)
		return
	}
	defer s.Close() //nolint:errcheck // it was only read
	d.files(check, s.Path())
	list, err := s.Status(ctx)
	if err != nil {
		d.wrong(check, err)
		return
	}
	pending := 0
	for _, m := range list {
		if m.AppliedAt == nil {
			pending++
		}
	}
	if pending > 0 {
		d.add(findingWrong, check, fmt.Sprintf("%s: %s pending", s.Path(), plural(pending, "migration")), "Make a backup, then run \"tallyman db migrate\".")
		return
	}
	if err := s.Check(ctx); err != nil {
		d.wrong(check, err)
		return
	}
	d.ok(check, "%s has the schema this version needs, and is whole", s.Path())
	d.rows(ctx)
}

// files looks at the files of a database that is one.
func (d *doctor) files(check, path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if readableByAll(path) {
		d.add(findingWrong, check, "everybody on this machine may read "+path+", which holds your customers and prices",
			fmt.Sprintf("chmod 600 %s*", shellWord(path)))
	}
	d.writable(check, path)
	d.writable(check, filepath.Dir(path))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		d.add(findingWrong, check, fmt.Sprintf("this user may not write %s: %v", path, bare(err)),
			"Run tallyman as the user that the file belongs to, or give the file and its folder to this one.")
	} else {
		_ = f.Close()
	}
	d.folder(check, filepath.Dir(path))
}

// folder makes a file in a folder and removes it.
func (d *doctor) folder(check, dir string) {
	f, err := os.CreateTemp(dir, ".tallyman-doctor-*")
	if err == nil {
		_, err = f.WriteString("x")
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		d.add(findingWrong, check, fmt.Sprintf("no file can be written in %s: %v", dir, bare(err)),
			"Make the folder, make room in it, or let this user write there.")
	}
}

// bare gives an error without the path, which stands beside it.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// rows compares the clock with the newest run, and tells who runs what.
func (d *doctor) rows(ctx context.Context) {
	s, err := d.app.openStore(ctx, true)
	if err != nil {
		d.wrong("database", err)
		return
	}
	defer s.Close() //nolint:errcheck // it was only read
	runs, err := s.Runs(ctx, store.RunFilter{Limit: 1})
	if err != nil {
		d.wrong("database", err)
		return
	}
	// A minute is a lease: programs whose clocks differ by more cannot tell a dead holder from one that is alive.
	for _, run := range runs {
		if ahead := time.Until(run.StartedAt); ahead > time.Minute {
			d.add(findingWrong, "clock", fmt.Sprintf("run %d, by %s, started at %s, which is %s from now", run.ID, run.Holder, when(run.StartedAt), ahead.Round(time.Second)),
				"This machine's clock is behind, or that one's was ahead. Set it, and keep it in step with time servers.")
		}
	}
	leases, err := s.Leases(ctx, 0)
	if err != nil {
		d.wrong("database", err)
		return
	}
	names, err := moduleNames(ctx, s)
	if err != nil {
		d.wrong("database", err)
		return
	}
	d.schedules(ctx, s)
	d.undelivered(ctx, s)
	for _, lease := range leases {
		if integrator.Lent(lease) {
			continue
		}
		d.ok("database", "%s is being run by %s since %s", names[lease.ModuleID], lease.Holder, when(lease.AcquiredAt))
	}
}

// temporary makes a file where listings are put aside and plugins' sockets are.
func (d *doctor) temporary() {
	const check = "folders"
	begin := len(d.findings)
	d.folder(check, os.TempDir())
	if len(d.findings) == begin {
		d.ok(check, "%s, for listings under way and the sockets of plugins, can be written", os.TempDir())
	}
}

// clock looks for one that was never set. Compared with the database it was already.
func (d *doctor) clock() {
	const check = "clock"
	now := time.Now()
	for _, f := range d.findings {
		if f.Check == check {
			return
		}
	}
	if now.Year() < 2026 {
		d.add(findingWrong, check, "it is "+when(now)+" here, before this program was written", "Set the clock, and keep it in step with time servers.")
		return
	}
	zone, _ := now.Zone()
	d.ok(check, "it is %s (%s) here", when(now), zone)
}
