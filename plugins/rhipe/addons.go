// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"github.com/tallymanhq/tallyman/sdk"
)

// addonScope is a scope for the add-ons of a contract agreement. PRISM is known to tell them with a tenant's details, and
// perhaps not always with the list; where none of an agreement's subscriptions has the member, their add-ons may well be
// there all the same. So the scope begins with the first subscription that has it, and nothing counts as missing from a
// scope that never began.
//
// It is safe for concurrent use.
type addonScope struct {
	// begin calls its argument with the scope, as SubscriptionListing.Scope does.
	begin func(read func(*sdk.SubscriptionScope) error) error

	mu     sync.Mutex
	scope  *sdk.SubscriptionScope
	end    chan error
	ended  chan error
	failed error
	// untold: a subscription lacked the member.
	untold bool
}

func newAddonScope(ctx context.Context, out *sdk.SubscriptionListing, a agreement) *addonScope {
	return &addonScope{begin: func(read func(*sdk.SubscriptionScope) error) error {
		return out.Scope(ctx, a.scopeRef()+"/add-ons", "add-ons of "+a.name(), read)
	}}
}

// saw notes whether a subscription has the member that holds its add-ons.
func (a *addonScope) saw(told bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !told {
		a.untold = true
		return nil
	}
	return a.open()
}

// send sends an add-on.
func (a *addonScope) send(s sdk.Subscription) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return err
	}
	return a.scope.Send(s)
}

// open begins the scope, once. The caller holds mu.
func (a *addonScope) open() error {
	if a.scope != nil || a.failed != nil {
		return a.failed
	}
	began := make(chan *sdk.SubscriptionScope)
	a.end, a.ended = make(chan error), make(chan error, 1)
	go func() {
		a.ended <- a.begin(func(s *sdk.SubscriptionScope) error {
			began <- s
			return <-a.end
		})
	}()
	select {
	case a.scope = <-began:
	case a.failed = <-a.ended:
	}
	return a.failed
}

// close ends the scope with what became of the agreement's list. An agreement without a single subscription has no add-ons.
func (a *addonScope) close(found *problems, listErr error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.scope == nil && !a.untold && listErr == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	if a.scope == nil {
		return nil
	}
	if found.lossy() {
		a.scope.Partial("addons.incomplete", "some of the agreement's records were lost")
	}
	a.end <- listErr
	return <-a.ended
}
