// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// longPause is how long something may be paused without an end before the doctor asks whether it was forgotten.
const longPause = 7 * 24 * time.Hour

// schedules looks at what is run by itself, what is kept from it, and who does it.
func (d *doctor) schedules(ctx context.Context, s *store.Store) {
	const check = "schedules"
	board, err := d.app.statusBoard(ctx, "")
	if err != nil {
		d.wrong(check, err)
		return
	}
	var none []string
	for i, m := range board.modules {
		row := &board.rows[i]
		if when, err := d.app.scheduleOf(m); m.On() && when == nil && err == nil {
			none = append(none, m.String())
		}
		switch said := row.explain(); row.State {
		case stateStopped:
			d.add(findingWrong, check, said.what, said.next)
		case stateStale:
			d.add(findingWarning, check, said.what, said.next)
		}
	}
	switch {
	case board.scheduled == 0:
		d.ok(check, "no module has one, so \"tallyman serve\" runs only what is queued; \"tallyman sync --all\" runs every module")
	case len(none) > 0:
		d.add(findingWarning, check, fmt.Sprintf("%s, so it is run only when somebody asks for it", withoutSchedule(none)),
			"Write schedule { daily_at = \"02:15\" } into the module's block, or disable it.")
	default:
		d.ok(check, "every enabled module has one")
	}
	d.paused(board)
	d.hosts(board)
	d.serverClock(ctx, s)
}

// withoutSchedule names modules that have no schedule, the first few of them.
func withoutSchedule(modules []string) string {
	const most = 5
	verb, left := " has no schedule", ""
	if len(modules) > 1 {
		verb = " have no schedule"
	}
	if n := len(modules) - most; n > 0 {
		modules, left = modules[:most], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(modules, ", ") + left + verb
}

// paused tells what is paused.
func (d *doctor) paused(board *statusBoard) {
	const check = "paused"
	for _, p := range board.paused {
		text := fmt.Sprintf("%s is paused %s", p.On, p.text(nil))
		if p.EndsAt == nil && board.now.Sub(p.Since) > longPause {
			d.add(findingWarning, check, text, fmt.Sprintf("If that was forgotten, end it with %q.", p.resume()))
		} else {
			d.ok(check, "%s", text)
		}
	}
}

// hosts tells who runs what is due.
func (d *doctor) hosts(board *statusBoard) {
	const check = "serving"
	alive := 0
	for _, h := range board.hosts {
		ahead := h.SeenAt.Sub(board.now)
		switch {
		case ahead > store.HostSilence:
			d.add(findingWrong, "clock", fmt.Sprintf("%s was seen at %s, which is %s from now", h.Name, when(h.SeenAt), ahead.Round(time.Second)),
				"This machine's clock is behind, or that one's is ahead. Set it, and keep it in step with time servers.")
			alive++
		case h.Alive(board.now):
			d.ok(check, "%s, version %s, since %s", h.Name, h.Version, when(h.StartedAt))
			alive++
		default:
			d.add(findingWarning, check,
				fmt.Sprintf("%s, version %s, was seen last at %s and did not say that it ends", h.Name, h.Version, when(h.SeenAt)),
				"Look into its log. If another host serves, its modules are run there.")
		}
	}
	if alive == 0 && (board.scheduled > 0 || len(board.wishes) > 0) {
		said := board.explainHosts()
		d.add(findingWarning, check, strings.TrimSuffix(said.what, "."), said.next)
	}
}

// serverClock compares this machine's clock with the database server's, if there is one. Leases last by these clocks.
func (d *doctor) serverClock(ctx context.Context, s *store.Store) {
	const check = "clock"
	ahead, has, err := s.ClockAhead(ctx)
	if err != nil {
		d.wrong(check, err)
		return
	}
	if !has {
		return
	}
	off, side := ahead.Abs(), "behind"
	if ahead < 0 {
		side = "ahead of"
	}
	message := fmt.Sprintf("this machine's clock is %s %s that of the database server", off.Round(time.Millisecond), side)
	next := "Set the clocks, and keep them in step with time servers: which host runs a module is decided by them."
	switch {
	case off > d.app.config.Runs.Lease/3:
		d.add(findingWrong, check, message, next)
	case off > time.Second:
		d.add(findingWarning, check, message, next)
	default:
		d.ok(check, "it is %s here, to within a second as on the database server", when(time.Now()))
	}
}
