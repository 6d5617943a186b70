// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// enough is how many calls for details may fail one after the other before no more are made in a listing.
const enough = 10

var errGivenUp = errors.New("not asked for, because too many before it failed")

// patience is used up by calls that fail. It is safe for concurrent use.
type patience struct {
	mu     sync.Mutex
	failed int
}

func (p *patience) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed >= enough
}

// took notes how a call ended. Being throttled after all repeats uses the patience up at once.
func (p *patience) took(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.failed = 0
	case sdk.ClassOf(err) == sdk.ClassThrottled:
		p.failed = enough
	case sdk.ClassOf(err) != sdk.ClassNotFound:
		p.failed++
	}
}

// detailsOf makes the call for one record. An answer that does not speak of that record is an error.
func (c *connection) detailsOf(ctx context.Context, path, id string, idOf func(rest.Object) string) (rest.Object, error) {
	v, err := c.Get(ctx, rest.Read("GET", path, rest.Vars{"id": id}))
	if err != nil {
		return nil, err
	}
	o := v.Object()
	if idOf(o) != id {
		return nil, sdk.Errorf(sdk.ClassSchema, "the details that Cloud-iQ answered for %s are not of it", id)
	}
	return o, nil
}

// ask makes n calls, several at a time. call gives the error of one; those of credentials end all and are given back.
func (c *connection) ask(ctx context.Context, p *patience, n int, call func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.MaxParallel())
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := call(ctx, i)
			p.took(err)
			switch class := sdk.ClassOf(err); {
			case err != nil && ctx.Err() != nil:
				return ctx.Err()
			case err != nil && (class == sdk.ClassAuth || class == sdk.ClassSettings):
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// reason is an error in a sentence, without its class.
func reason(err error) string {
	var e *sdk.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}
