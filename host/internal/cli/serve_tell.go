// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/notify"
)

const (
	// tellEvery is how often messages that wait are looked at.
	tellEvery = time.Minute
	// lookEvery is how often all modules are looked at, whether they were run or not.
	lookEvery = 15 * time.Minute
)

// telling tells people while the program serves, apart from the runs: a mail server that hangs keeps none of them.
type telling struct {
	log hclog.Logger
	// wake says that ran or teller have changed.
	wake chan struct{}

	mu     sync.Mutex
	teller *notify.Teller
	// ran are modules that were run and not yet looked at; all is true if every module is to be looked at.
	ran map[string]bool
	all bool
}

func newTelling(log hclog.Logger) *telling {
	return &telling{log: log, wake: make(chan struct{}, 1), ran: map[string]bool{}}
}

// take makes another configuration the one that counts.
func (t *telling) take(teller *notify.Teller) {
	t.mu.Lock()
	t.teller, t.all = teller, true
	t.mu.Unlock()
	t.stir()
}

// tell has a module looked at that was run.
func (t *telling) tell(module string) {
	t.mu.Lock()
	t.ran[module] = true
	t.mu.Unlock()
	t.stir()
}

func (t *telling) stir() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// serve tells until ended is closed. What was run until then is still told.
func (t *telling) serve(ctx context.Context, ended <-chan struct{}) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	looked := time.Now()
	for {
		select {
		case <-ended:
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellEvery/2)
			defer cancel()
			t.pass(last, false)
			return
		case <-t.wake:
			t.pass(ctx, false)
		case now := <-tick.C:
			if now.Sub(looked) >= lookEvery {
				looked = now
				t.mu.Lock()
				t.all = true
				t.mu.Unlock()
			}
			t.pass(ctx, true)
		}
	}
}

// pass looks at what there is to look at and sends what is due.
func (t *telling) pass(ctx context.Context, round bool) {
	t.mu.Lock()
	teller, names, all := t.teller, slices.Sorted(maps.Keys(t.ran)), t.all
	clear(t.ran)
	t.all = false
	t.mu.Unlock()
	if teller == nil || len(teller.Channels) == 0 {
		return
	}
	var errs []error
	switch {
	case all:
		errs = append(errs, teller.Look(ctx))
	case len(names) > 0:
		errs = append(errs, teller.Look(ctx, names...))
	}
	if round || all {
		errs = append(errs, teller.Round(ctx))
	}
	_, err := teller.Deliver(ctx)
	if err = errors.Join(append(errs, err)...); err == nil {
		return
	}
	// It is done again: nothing is lost.
	t.mu.Lock()
	t.all = true
	t.mu.Unlock()
	if ctx.Err() == nil {
		t.log.Error("people could not be told; it is tried again", "error", err)
	}
}
