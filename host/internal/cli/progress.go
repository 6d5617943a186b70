// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
)

// progress shows how far a run is: one line that is rewritten, and only on a terminal. Elsewhere the log tells.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	on    bool
	last  time.Time
	stage string
	drawn bool
}

func newProgress(a *app) *progress {
	width, tty := terminal(a.errOut)
	return &progress{w: a.errOut, on: tty && !a.json && width > 0}
}

func (p *progress) update(now integrator.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || now.Stage == p.stage && time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.stage = time.Now(), now.Stage
	line := now.Stage
	if now.Done > 0 {
		line += fmt.Sprintf("  %d", now.Done)
	}
	if now.Text != "" {
		line += "  " + printable(now.Text)
	}
	width, _ := terminal(p.w)
	if runes := []rune(line); len(runes) > width-1 {
		line = string(runes[:width-1])
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.drawn = true
}

// done takes the line away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.on = false
}
