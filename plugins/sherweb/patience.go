// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"

	"github.com/tallymanhq/tallyman/sdk"
)

// patience says when to stop asking for further customers. Credentials that are refused, and throttling that outlasts every
// repeat, will meet the next customer too, and asking on makes both worse. One customer's own trouble does not; a service
// that fails for several in a row is down.
type patience struct {
	mu     sync.Mutex
	failed int
	gone   error
}

// mostFailed is how many customers in a row may fail for a passing reason.
const mostFailed = 3

// lost gives why no more customers are asked for, or nil.
func (p *patience) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// note takes how a request ended.
func (p *patience) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.failed = 0
		return
	}
	switch sdk.ClassOf(err) {
	case sdk.ClassAuth, sdk.ClassSettings, sdk.ClassThrottled:
		p.gone = err
	case sdk.ClassTransient:
		if p.failed++; p.failed >= mostFailed {
			p.gone = err
		}
	default:
		p.failed = 0
	}
}
