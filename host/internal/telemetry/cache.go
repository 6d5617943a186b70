// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// freshFor is how long what the database said is told again, so that several who scrape, or one in a hurry, cost it little.
const freshFor = 10 * time.Second

// cache asks the database when it is asked itself, and not more often than it has to.
type cache struct {
	read func(context.Context) ([]Standing, error)

	// stale: what is known was true once.
	stale atomic.Bool
	mu    sync.Mutex
	at    time.Time
	known []Standing
	err   error
}

func newCache(read func(context.Context) ([]Standing, error)) *cache { return &cache{read: read} }

// get gives what the database says, or said a moment ago. That it does not answer is remembered, too.
func (c *cache) get(ctx context.Context) ([]Standing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stale.Swap(false) && !c.at.IsZero() && time.Since(c.at) < freshFor {
		return c.known, c.err
	}
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	c.known, c.err = c.read(ctx)
	c.at = time.Now()
	return c.known, c.err
}

// forget makes the next one who asks be told what is so now. It does not wait for the database.
func (c *cache) forget() { c.stale.Store(true) }
