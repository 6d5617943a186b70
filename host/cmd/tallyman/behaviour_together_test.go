// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// hold lets the next run come as far as its first answer from the customer list, and no further until release is called.
func (p *place) hold() (reached <-chan struct{}, release func()) {
	at, on := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(on) })
	p.t.Cleanup(release)
	p.sim.Script(prismsim.Step{After: prismsim.Customers, Calls: 1, Do: func(*prismsim.Server) {
		close(at)
		<-on
	}})
	return at, release
}

// TestH11_17_TheSecondOfTwoRunsIsRefused: while one run is under way another is refused, says which one and what to do, and
// touches neither the distributor nor the database; the first goes on as if nothing had been.
func TestH11_17_TheSecondOfTwoRunsIsRefused(t *testing.T) {
	t.Parallel()
	w := newSmall()
	_, subscriptions := w.customer("Contoso", 5)
	w.customer("Fabrikam", 2)
	p := w.place(t, createUnmatched)
	p.lease = "1m"
	p.configure(createUnmatched)
	p.sync("succeeded")
	w.SetQuantity(subscriptions[0], 7)

	reached, release := p.hold()
	first := p.start("sync", "acme/rhipe")
	p.await(reached, "the first run's first answer")
	p.sim.ForgetRequests()
	for _, args := range [][]string{
		{"sync", "acme/rhipe"},
		{"sync", "acme"},
		{"sync", "acme/rhipe", "--customer", "Fabrikam"},
		{"plan", "acme/rhipe"},
		{"mappings", "generate", "acme/rhipe"},
		{"sync", "acme/rhipe", "--json"},
	} {
		code, out := p.try(args...)
		if code != 1 {
			t.Errorf("tallyman %s: exit code %d, want 1\n%s", strings.Join(args, " "), code, out)
		}
		p.wants(out, "run.module_busy", "rhipe")
	}
	if list := p.sim.Requests(); len(list) != 0 {
		t.Errorf("a run that was refused asked the distributor: %+v", list)
	}
	if n := p.ask("SELECT count(*) FROM runs"); n != "2" {
		t.Errorf("%s runs are recorded, want 2", n)
	}
	// What only looks is not refused, and sees what was before.
	if s := p.bySource()[subscriptions[0]]; s.Quantity != "5" {
		t.Errorf("it is seen before it is applied: %+v", s)
	}
	release()
	if code, out := p.finish(first); code != 0 {
		t.Errorf("the first run ended with exit code %d\n%s", code, out)
	}
	if s := p.bySource()[subscriptions[0]]; s.Quantity != "7" {
		t.Errorf("the first run did not apply: %+v", s)
	}
	if n := p.ask("SELECT count(*) FROM leases"); n != "0" {
		t.Errorf("%s leases are left", n)
	}
	p.sync("no_change")
}

// TestH11_17_OfEightProcessesOneRuns: on a database that is not there yet.
func TestH11_17_OfEightProcessesOneRuns(t *testing.T) {
	t.Parallel()
	w := newSmall()
	w.customer("Contoso", 5, 6, 7)
	w.customer("Fabrikam", 2)
	p := w.place(t, createUnmatched)
	p.lease = "1m"
	p.configure(createUnmatched)
	reached, release := p.hold()
	var all [8]*background
	for i := range all {
		all[i] = p.start("sync", "acme/rhipe")
	}
	p.await(reached, "one run's first answer")
	running := func() (list []*background) {
		for _, b := range all {
			select {
			case <-b.ended:
			default:
				list = append(list, b)
			}
		}
		return list
	}
	p.until("the end of all runs but one", func() bool { return len(running()) <= 1 })
	left := running()
	if len(left) != 1 {
		t.Fatalf("%d runs are under way, want 1", len(left))
	}
	if n := p.sim.Calls(prismsim.Customers); n != 1 {
		t.Errorf("the customers were asked for %d times, want once", n)
	}
	release()
	for _, b := range all {
		code, out := p.finish(b)
		switch {
		case b == left[0] && code != 0:
			t.Errorf("the one that ran ended with exit code %d\n%s", code, out)
		case b != left[0] && (code != 1 || !strings.Contains(out, "run.module_busy")):
			t.Errorf("one of the others ended with exit code %d, and not because a run is under way\n%s", code, out)
		}
	}
	for query, want := range map[string]string{
		"SELECT count(*) FROM runs":          "1",
		"SELECT count(*) FROM tenants":       "1",
		"SELECT count(*) FROM modules":       "1",
		"SELECT count(*) FROM customers":     "2",
		"SELECT count(*) FROM mappings":      "2",
		"SELECT count(*) FROM subscriptions": "4",
		"SELECT count(*) FROM leases":        "0",
	} {
		if got := p.ask(query); got != want {
			t.Errorf("%s gives %s, want %s", query, got, want)
		}
	}
	p.sync("no_change")
}
