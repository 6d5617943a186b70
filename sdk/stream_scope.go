// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// scope is one scope of a listing on its way to the host. It locks itself before its listing, never the other way round.
type scope struct {
	listing *listing
	ref     string
	name    string

	mu            sync.Mutex
	slabs         slabs
	customers     []*distributorv1.Customer
	subscriptions []*distributorv1.Subscription
	bytes         int // Of the batch, at most.
	begun         bool
	closed        bool
	count         int64 // Records sent or in the batch.
	expected      *int
	notComplete   *distributorv1.ErrorDetail // Why the scope is partial.
}

func (s *scope) sendCustomer(c *Customer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if strings.TrimSpace(c.Ref) == "" {
		return s.refuse("record.without_id", "", "a customer has no id%s", known("name", c.Name, "email", c.Email))
	}
	if wrong := wrongRef(c.Ref); wrong != "" {
		return s.refuse("record.id_unusable", shortRef(c.Ref), "customer %q: its id %s", shortRef(c.Ref), wrong)
	}
	record := s.slabs.customer(c)
	size := customerSize(record)
	if size > wire.MaxSentBytes-reserve && proto.Size(record) > wire.MaxSentBytes-reserve {
		return s.refuse("record.too_large", c.Ref, "customer %q is larger than a message may be (%d bytes)", shortRef(c.Ref), size)
	}
	if err := s.makeRoom(len(s.customers), size); err != nil {
		return err
	}
	s.customers = append(s.customers, record)
	return nil
}

func (s *scope) sendSubscription(r *Subscription) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(r.Ref) == "":
		return s.refuse("record.without_id", "", "a subscription has no id%s", known("name", r.Name, "customer", r.CustomerRef))
	case strings.TrimSpace(r.CustomerRef) == "":
		return s.refuse("record.without_customer", r.Ref, "subscription %q has no customer%s", shortRef(r.Ref), known("name", r.Name))
	case cmp.Or(wrongRef(r.Ref), wrongRef(r.CustomerRef)) != "":
		return s.refuse("record.id_unusable", shortRef(r.Ref), "subscription %q of customer %q: an id %s", shortRef(r.Ref), shortRef(r.CustomerRef),
			cmp.Or(wrongRef(r.Ref), wrongRef(r.CustomerRef)))
	case negative(r.Items):
		return s.refuse("record.negative_quantity", r.Ref, "subscription %q has a quantity below zero%s", shortRef(r.Ref), known("name", r.Name))
	case !distinctItems(r.Items):
		return s.refuse("record.items_not_distinct", r.Ref, "subscription %q has %d items that cannot be told apart by their ref%s",
			shortRef(r.Ref), len(r.Items), known("name", r.Name))
	}
	record := s.slabs.subscription(r)
	size := subscriptionSize(record)
	if size > wire.MaxSentBytes-reserve && proto.Size(record) > wire.MaxSentBytes-reserve {
		return s.refuse("record.too_large", r.Ref, "subscription %q is larger than a message may be (%d bytes)", shortRef(r.Ref), size)
	}
	if err := s.makeRoom(len(s.subscriptions), size); err != nil {
		return err
	}
	s.subscriptions = append(s.subscriptions, record)
	return nil
}

// known names what is known of a record that was refused, so that a person can find it at the distributor.
func known(pairs ...string) string {
	var found []string
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			found = append(found, fmt.Sprintf("%s %q", pair[0], wire.Cut(pair[1], 200)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return " (" + strings.Join(found, ", ") + ")"
}

// wrongRef says why a text cannot be the id of a record, or "". Bytes that are no text were replaced by U+FFFD where they were
// read: two ids may have become one.
func wrongRef(ref string) string {
	switch {
	case len(ref) > maxRef:
		return fmt.Sprintf("has %d bytes, and at most %d can be told apart", len(ref), maxRef)
	case strings.ContainsRune(ref, utf8.RuneError):
		return "holds bytes that are no text, and may be that of another one as well"
	default:
		return ""
	}
}

// negative reports whether a quantity is below zero, which nobody can hold.
func negative(items []Item) bool {
	for i := range items {
		if strings.HasPrefix(items[i].Quantity.String(), "-") {
			return true
		}
	}
	return false
}

// distinctItems reports whether the refs of several items are set and differ.
func distinctItems(items []Item) bool {
	if len(items) < 2 {
		return true
	}
	seen := make(map[string]bool, len(items))
	for i := range items {
		ref := items[i].Ref
		if ref == "" || seen[ref] {
			return false
		}
		seen[ref] = true
	}
	return true
}

// usable reports why nothing can be sent. The caller holds mu.
func (s *scope) usable() error {
	if s.closed {
		s.listing.mu.Lock()
		defer s.listing.mu.Unlock()
		return s.listing.misuse("sent to scope %q after its function returned", s.ref)
	}
	return stopped(s.listing.ctx)
}

// refuse warns about a record that cannot be sent and makes the scope partial. The caller holds mu.
func (s *scope) refuse(code, ref, format string, args ...any) error {
	s.lacks(code, ref, format, args...)
	s.listing.mu.Lock()
	defer s.listing.mu.Unlock()
	return s.listing.broken
}

// warn begins the scope first: a warning that names a scope is an event of it.
func (s *scope) warn(code, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing.mu.Lock()
	defer s.listing.mu.Unlock()
	if s.begin() == nil {
		s.listing.warnLocked(s.ref, code, "", message)
	}
}

func (s *scope) partial(code, ref, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacks(code, ref, format, args...)
}

func (s *scope) lacks(code, ref, format string, args ...any) {
	message := errorText(s.listing.secrets.text(fmt.Sprintf(format, args...)))
	if s.notComplete == nil {
		s.notComplete = &distributorv1.ErrorDetail{
			Class:   distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
			Origin:  distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR,
			Message: message,
		}
	}
	s.listing.mu.Lock()
	defer s.listing.mu.Unlock()
	if s.begin() == nil {
		s.listing.warnLocked(s.ref, code, ref, message)
	}
}

// makeRoom counts a record of size bytes and sends the batch first if the record does not fit. The caller holds mu.
func (s *scope) makeRoom(batched, size int) error {
	if batched >= wire.BatchRecords || (batched > 0 && s.bytes+size > wire.SoftMessageBytes) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.bytes += size
	s.count++
	return nil
}

// begin sends the begin of the scope, once. The caller holds mu and the listing's.
//
// It is sent with the scope's first event and not before, so that a plugin can tell the count after the first page.
func (s *scope) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	return s.listing.send(&distributorv1.ScopeBegin{ScopeRef: s.ref, Name: s.name, ExpectedCount: count64(s.expected)})
}

// flush sends the batch. The caller holds mu.
func (s *scope) flush() error {
	s.listing.mu.Lock()
	defer s.listing.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	var event proto.Message
	var records int
	switch {
	case len(s.customers) > 0:
		records = len(s.customers)
		event = &distributorv1.CustomerBatch{ScopeRef: s.ref, Customers: s.customers}
		s.customers = make([]*distributorv1.Customer, 0, records)
	case len(s.subscriptions) > 0:
		records = len(s.subscriptions)
		event = &distributorv1.SubscriptionBatch{ScopeRef: s.ref, Subscriptions: s.subscriptions}
		s.subscriptions = make([]*distributorv1.Subscription, 0, records)
	default:
		return nil
	}
	s.bytes = 0
	if err := s.listing.send(event); err != nil {
		return err
	}
	s.listing.count += int64(records)
	return nil
}

func (s *scope) gone(ref, at, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if strings.TrimSpace(ref) == "" {
		return s.refuse("tombstone.without_id", "", "a removed record has no id")
	}
	// What was sent before stays before.
	if err := s.flush(); err != nil {
		return err
	}
	s.listing.mu.Lock()
	defer s.listing.mu.Unlock()
	return s.listing.send(&distributorv1.Tombstone{
		ScopeRef: s.ref, Ref: wire.Clean(ref), At: shortRef(at), Reason: errorText(s.listing.secrets.text(reason)),
	})
}

// end sends what is left and how the scope ended, and gives the reason why the listing cannot go on, if there is one.
func (s *scope) end(ctx context.Context, readErr error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	flushErr := s.flush()

	l := s.listing
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if flushErr != nil {
		return flushErr
	}
	end := &distributorv1.ScopeEnd{ScopeRef: s.ref, Outcome: distributorv1.Outcome_OUTCOME_COMPLETE, Count: s.count}
	switch {
	case readErr != nil:
		end.Outcome, end.Error = distributorv1.Outcome_OUTCOME_FAILED, errorToProto(l.secrets.error(readErr))
	case s.notComplete != nil:
		end.Outcome, end.Error = distributorv1.Outcome_OUTCOME_PARTIAL, s.notComplete
	case s.expected != nil && int64(*s.expected) != s.count:
		end.Outcome, end.Error = distributorv1.Outcome_OUTCOME_PARTIAL, mismatch(*s.expected, s.count)
	}
	if end.Error != nil {
		l.incomplete++
		if l.why == nil {
			l.why = end.Error
		}
	}
	if err := l.send(end); err != nil {
		return err
	}
	return cmp.Or(stopped(ctx), stopped(l.ctx))
}
