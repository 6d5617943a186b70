// SPDX-License-Identifier: Apache-2.0

package sdk

import "context"

// CustomerListing takes the customers of one listing. Its methods may be called from several goroutines.
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
// A function that returns nil makes its scope complete (unless Partial was called or a record was refused); an error
// makes it failed and is reported to the host, while the listing goes on. Scope itself returns an error only when the
// listing cannot go on: the host went away or the context ended.
type CustomerListing struct{ listing }

// SubscriptionListing takes the subscriptions of one listing; see CustomerListing.
type SubscriptionListing struct{ listing }

// CustomerScope takes the customers of one scope.
type CustomerScope struct{ scope }

// SubscriptionScope takes the subscriptions of one scope.
type SubscriptionScope struct{ scope }

// The API the two pairs share, kept here in one place for readers:
//
//	(*XListing) Scope(ctx, ref, name string, read func(*XScope) error) error
//	(*XListing) Expect(total int)              the distributor announced that many records in all
//	(*XListing) Warn(code, format, args...)    something a person should know, about no scope
//	(*XListing) Requests(n int)                adds to the number of requests shown as progress
//	(*XScope)   Send(record) error             batches by count and bytes; waits when the host is slow
//	(*XScope)   Gone(ref, at, reason) error    a tombstone
//	(*XScope)   Expect(total int)              a different count at the end makes the scope partial
//	(*XScope)   Partial(code, format, args...) the scope is not complete; why
//	(*XScope)   Warn(code, format, args...)    something a person should know; the scope stays complete
//	(*XScope)   Progress(format, args...)      shown at most once a second

type listing struct{ context.Context }

type scope struct{}
