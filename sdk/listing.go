// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"fmt"
)

// CustomerListing takes the customers of one listing. Its methods may be called from several goroutines, all of which
// must have returned when ListCustomers does.
//
// What was read completely is told scope by scope, never by the end of the stream:
//
//	err := out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
//		for … {
//			if err := s.Send(customer); err != nil {
//				return err
//			}
//		}
//		return nil // complete
//	})
//
// A function that returns nil makes its scope complete (unless Partial was called, a record was refused or the count is
// not what Expect said); an error or a panic makes it failed and is reported to the host, while the listing goes on.
// Scope itself returns an error only when the listing cannot go on: the host went away, the context ended, or the plugin
// is at fault (a ref that is empty or was used before). Return that error from ListCustomers.
type CustomerListing struct{ *listing }

// Scope reads one part of the listing; see CustomerListing.
//
// ref must be the same in every run ("account", an agreement's id, a customer's id) and is used once in a listing. name
// is for people: "agreement Microsoft CSP". Scopes may be read at the same time, in goroutines of yours.
func (l *CustomerListing) Scope(ctx context.Context, ref, name string, read func(*CustomerScope) error) error {
	return l.scope(ctx, ref, name, func(s *scope) error { return read(&CustomerScope{s}) })
}

// SubscriptionListing takes the subscriptions of one listing; see CustomerListing.
type SubscriptionListing struct{ *listing }

// Scope reads one part of the listing; see CustomerListing.Scope.
func (l *SubscriptionListing) Scope(ctx context.Context, ref, name string, read func(*SubscriptionScope) error) error {
	return l.scope(ctx, ref, name, func(s *scope) error { return read(&SubscriptionScope{s}) })
}

// Expect says how many records the distributor announced for the whole listing. A different number at the end makes the
// listing partial. Call it before the first record if possible, so that the host can show progress.
func (l *listing) Expect(total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = &total
}

// Warn tells something a person should know that belongs to no scope. code is dotted words: "page.unstable".
func (l *listing) Warn(code, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnLocked("", code, "", message)
}

// Requests adds n to the number of requests made to the distributor, which is shown as progress.
func (l *listing) Requests(n int) { l.requests.Add(int64(n)) }

// Answers adds how many of these requests were answered with which HTTP status; 0: with none. The host counts them for
// whoever watches it. A rest.Client tells both by itself: see its Count.
func (l *listing) Answers(byStatus map[int]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers == nil {
		l.answers = map[int32]int64{}
	}
	for status, n := range byStatus {
		if status < 0 || status > maxStatus {
			status = 0
		}
		l.answers[int32(status)] += int64(n)
	}
}

// CustomerScope takes the customers of one scope. Its methods may be called from several goroutines, until the function
// it was given to returns.
type CustomerScope struct{ *scope }

// Send sends a customer; records travel in batches. It waits while the host is slow. The record may be reused.
//
// A customer without Ref is refused: the host is warned and the scope becomes partial. Send returns an error only when
// the listing cannot go on; return it from the function.
func (s *CustomerScope) Send(c Customer) error { return s.sendCustomer(&c) }

// SubscriptionScope takes the subscriptions of one scope; see CustomerScope.
type SubscriptionScope struct{ *scope }

// Send sends a subscription; records travel in batches. It waits while the host is slow. The record may be reused.
//
// A subscription without Ref or CustomerRef, or with several items that cannot be told apart by their Ref, is refused:
// the host is warned and the scope becomes partial. Send returns an error only when the listing cannot go on; return it
// from the function.
func (s *SubscriptionScope) Send(r Subscription) error { return s.sendSubscription(&r) }

// Gone sends a tombstone: the distributor says the record was removed. at is when, as text made by Date or Instant, and
// reason why; both may be empty.
func (s *scope) Gone(ref, at, reason string) error { return s.gone(ref, at, reason) }

// Expect says how many records the distributor announced for this scope. A different number at its end makes it partial.
// Call it before the first Send if possible, so that the host can show progress.
func (s *scope) Expect(total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = &total
}

// Partial says that the scope is not complete, and why: a page was refused, a record could not be decoded. What is not in
// it means nothing. code is dotted words: "page.refused".
func (s *scope) Partial(code, format string, args ...any) {
	s.partial(code, "", format, args...)
}

// Warn tells something a person should know. The scope stays complete. code is dotted words: "price.unknown_currency".
func (s *scope) Warn(code, format string, args ...any) {
	s.warn(code, format, args...)
}

// Progress tells how far the scope is: "page 3 of 12". It is shown at most once a second.
func (s *scope) Progress(format string, args ...any) {
	s.listing.progress(false, format, args...)
}
