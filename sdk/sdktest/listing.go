// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// kind is what a listing lists.
type kind string

const (
	customers     kind = "customers"
	subscriptions kind = "subscriptions"
)

var kinds = []kind{customers, subscriptions}

// event is an event of either listing.
type event struct {
	begin      *distributorv1.ListingBegin
	scopeBegin *distributorv1.ScopeBegin
	scopeRef   string // Of records.
	customers  []*distributorv1.Customer
	records    []*distributorv1.Subscription
	tombstone  *distributorv1.Tombstone
	warning    *distributorv1.Warning
	progress   *distributorv1.Progress
	scopeEnd   *distributorv1.ScopeEnd
	end        *distributorv1.ListingEnd
	isRecords  bool
	size       int
}

// stream opens a listing and gives its events.
func (s *session) stream(ctx context.Context, k kind, refs []string) (func() (event, error), error) {
	if k == customers {
		stream, err := s.rpc.ListCustomers(ctx, &distributorv1.ListCustomersRequest{CustomerRefs: refs})
		if err != nil {
			return nil, err
		}
		return func() (event, error) {
			m, err := stream.Recv()
			return event{
				begin: m.GetBegin(), scopeBegin: m.GetScopeBegin(), scopeRef: m.GetRecords().GetScopeRef(), customers: m.GetRecords().GetCustomers(),
				tombstone: m.GetTombstone(), warning: m.GetWarning(), progress: m.GetProgress(), scopeEnd: m.GetScopeEnd(), end: m.GetEnd(),
				isRecords: m.GetRecords() != nil, size: proto.Size(m),
			}, err
		}, nil
	}
	stream, err := s.rpc.ListSubscriptions(ctx, &distributorv1.ListSubscriptionsRequest{
		CustomerRefs: refs, LastComplete: sdk.Instant(s.lastComplete),
	})
	if err != nil {
		return nil, err
	}
	return func() (event, error) {
		m, err := stream.Recv()
		return event{
			begin: m.GetBegin(), scopeBegin: m.GetScopeBegin(), scopeRef: m.GetRecords().GetScopeRef(), records: m.GetRecords().GetSubscriptions(),
			tombstone: m.GetTombstone(), warning: m.GetWarning(), progress: m.GetProgress(), scopeEnd: m.GetScopeEnd(), end: m.GetEnd(),
			isRecords: m.GetRecords() != nil, size: proto.Size(m),
		}, err
	}, nil
}

// violation is what a listing did against a rule.
type violation struct{ rule, text string }

// heardScope is a scope as it was heard.
type heardScope struct {
	ref, name string
	expected  *int64
	count     int64
	end       *distributorv1.ScopeEnd
}

func (s *heardScope) complete() bool {
	return s.end.GetOutcome() == distributorv1.Outcome_OUTCOME_COMPLETE && s.end.GetError() == nil && s.count == s.end.GetCount() &&
		(s.expected == nil || *s.expected == s.count)
}

// heard is a listing as it was heard. The rules it broke are in broken, by the names of the rules.
type heard struct {
	kind   kind
	begin  *distributorv1.ListingBegin
	scopes []*heardScope
	byRef  map[string]*heardScope
	count  int64
	end    *distributorv1.ListingEnd
	// err is how the stream ended, if not with its end.
	err error
	// customerOf gives, by ref, the customer of each subscription, or of each customer itself.
	customerOf map[string]string
	keep       bool
	largest    int
	broken     []violation
	warnings   []string
	first      bool
}

// keepRefs keeps what is needed to compare a listing with another one; a large one is only counted.
const (
	keepRefs  = true
	onlyCount = false
)

// listEach reads a listing to its end and gives each event to a function, whose error is passed on.
func (s *session) listEach(ctx context.Context, k kind, refs []string, keep bool, each func(event) error) (*heard, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &heard{kind: k, byRef: map[string]*heardScope{}, customerOf: map[string]string{}, keep: keep, first: true}
	next, err := s.stream(ctx, k, refs)
	for err == nil {
		var e event
		if e, err = next(); err == nil {
			h.take(s.texts, e)
			if wrong := each(e); wrong != nil {
				return h, wrong
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		h.err = transport.ErrorFromStatus(err)
		s.texts.add(h.err.Error())
	}
	h.close()
	return h, nil
}

func (h *heard) breaks(rule, format string, args ...any) {
	const most = 1000
	if len(h.broken) < most {
		h.broken = append(h.broken, violation{rule, fmt.Sprintf(format, args...)})
	}
}

// take takes the next event.
func (h *heard) take(texts *textLog, e event) {
	h.largest = max(h.largest, e.size)
	if h.end != nil {
		h.breaks("listing.order", "something follows the end of the listing")
	}
	if h.first && e.begin == nil {
		h.breaks("listing.order", "the listing does not begin with begin")
	}
	switch {
	case e.begin != nil:
		if !h.first {
			h.breaks("listing.order", "begin comes again in the middle")
		}
		h.begin = e.begin
	case e.scopeBegin != nil:
		h.beginScope(e.scopeBegin)
	case e.isRecords:
		h.takeRecords(e)
	case e.tombstone != nil:
		h.within("a tombstone", e.tombstone.GetScopeRef())
		if e.tombstone.GetRef() == "" {
			h.breaks("listing.refs", "a tombstone names no record")
		}
	case e.warning != nil:
		h.takeWarning(texts, e.warning)
	case e.progress != nil:
		texts.add(e.progress.GetText())
	case e.scopeEnd != nil:
		h.endScope(e.scopeEnd)
		texts.add(e.scopeEnd.GetError().GetMessage(), e.scopeEnd.GetError().GetHint())
	case e.end != nil:
		h.end = e.end
		texts.add(e.end.GetError().GetMessage(), e.end.GetError().GetHint())
	}
	h.first = false
}

func (h *heard) beginScope(begin *distributorv1.ScopeBegin) {
	ref := begin.GetScopeRef()
	if ref == "" {
		h.breaks("listing.order", "a scope has no ref")
	}
	if h.byRef[ref] != nil {
		h.breaks("listing.order", "scope %q begins twice", ref)
		return
	}
	scope := &heardScope{ref: ref, name: begin.GetName(), expected: begin.ExpectedCount}
	h.scopes, h.byRef[ref] = append(h.scopes, scope), scope
}

// within gives the open scope an event names.
func (h *heard) within(what, ref string) *heardScope {
	scope := h.byRef[ref]
	switch {
	case scope == nil:
		h.breaks("listing.order", "%s is in scope %q, which has not begun", what, ref)
		return nil
	case scope.end != nil:
		h.breaks("listing.order", "%s comes after the end of scope %q", what, ref)
	}
	return scope
}

func (h *heard) takeWarning(texts *textLog, w *distributorv1.Warning) {
	texts.add(w.GetMessage(), w.GetRef())
	if w.GetScopeRef() != "" {
		h.within("a warning", w.GetScopeRef())
	}
	const most = 20
	if len(h.warnings) < most {
		h.warnings = append(h.warnings, w.GetCode()+": "+w.GetMessage())
	}
}

func (h *heard) endScope(end *distributorv1.ScopeEnd) {
	scope := h.within("a scope_end", end.GetScopeRef())
	if scope == nil || scope.end != nil {
		return
	}
	scope.end = end
	complete := end.GetOutcome() == distributorv1.Outcome_OUTCOME_COMPLETE
	switch {
	case end.GetOutcome() == distributorv1.Outcome_OUTCOME_UNSPECIFIED:
		h.breaks("listing.truth", "scope %q ends without an outcome", scope.ref)
	case complete && end.GetError() != nil:
		h.breaks("listing.truth", "scope %q is complete and gives an error: %s", scope.ref, end.GetError().GetMessage())
	case !complete && end.GetError() == nil:
		h.breaks("listing.truth", "scope %q is not complete and gives no error that says why", scope.ref)
	}
	if end.GetCount() != scope.count {
		h.breaks("listing.counts", "scope %q says it has %d records; %d came", scope.ref, end.GetCount(), scope.count)
	}
	if complete && scope.expected != nil && *scope.expected != scope.count {
		h.breaks("listing.counts", "scope %q is complete with %d records, and %d were expected", scope.ref, scope.count, *scope.expected)
	}
}

func (h *heard) takeRecords(e event) {
	scope := h.within("a batch of records", e.scopeRef)
	if scope == nil {
		scope = &heardScope{}
	}
	n := len(e.customers) + len(e.records)
	if n == 0 {
		h.breaks("listing.order", "a batch of records is empty")
	}
	scope.count += int64(n)
	h.count += int64(n)
	for _, c := range e.customers {
		h.takeCustomer(c)
	}
	for _, r := range e.records {
		h.takeSubscription(r)
	}
}

// remember keeps a ref and finds one that came before.
func (h *heard) remember(ref, customer string) {
	if ref == "" {
		h.breaks("listing.refs", "a record has no ref")
		return
	}
	if !h.keep {
		return
	}
	if _, known := h.customerOf[ref]; known {
		h.breaks("listing.refs", "%q is listed twice", ref)
	}
	h.customerOf[ref] = customer
}

// close checks what can only be said at the end.
func (h *heard) close() {
	for _, scope := range h.scopes {
		if scope.end == nil && h.err == nil {
			h.breaks("listing.order", "scope %q does not end", scope.ref)
		}
	}
	if h.end == nil {
		if h.err == nil {
			h.breaks("listing.order", "the stream ends without end")
		}
		return
	}
	complete := h.end.GetOutcome() == distributorv1.Outcome_OUTCOME_COMPLETE
	switch {
	case h.end.GetOutcome() == distributorv1.Outcome_OUTCOME_UNSPECIFIED:
		h.breaks("listing.truth", "the listing ends without an outcome")
	case complete && h.end.GetError() != nil:
		h.breaks("listing.truth", "the listing is complete and gives an error: %s", h.end.GetError().GetMessage())
	case !complete && h.end.GetError() == nil && h.firstError() == nil:
		h.breaks("listing.truth", "the listing is not complete, and no error says why")
	}
	if h.end.GetCount() != h.count {
		h.breaks("listing.counts", "the listing says it has %d records; %d came", h.end.GetCount(), h.count)
	}
	if h.end.GetScopes() != int64(len(h.scopes)) {
		h.breaks("listing.counts", "the listing says it has %d scopes; %d began", h.end.GetScopes(), len(h.scopes))
	}
	if complete && h.begin != nil && h.begin.ExpectedCount != nil && h.begin.GetExpectedCount() != h.count {
		h.breaks("listing.counts", "the listing is complete with %d records, and %d were expected", h.count, h.begin.GetExpectedCount())
	}
	for _, scope := range h.scopes {
		if complete && scope.end.GetOutcome() != distributorv1.Outcome_OUTCOME_COMPLETE {
			h.breaks("listing.truth", "the listing is complete, and its scope %q is not", scope.ref)
		}
	}
}

// complete reports whether a host would take the listing for complete.
func (h *heard) complete() bool {
	if h.err != nil || h.end.GetOutcome() != distributorv1.Outcome_OUTCOME_COMPLETE || h.end.GetError() != nil {
		return false
	}
	return h.count == h.end.GetCount() && h.completeScopes() == len(h.scopes)
}

func (h *heard) completeScopes() int {
	n := 0
	for _, scope := range h.scopes {
		if scope.complete() {
			n++
		}
	}
	return n
}

// firstError gives the first reason why the listing is not complete.
func (h *heard) firstError() *distributorv1.ErrorDetail {
	var known *sdk.Error
	switch {
	case errors.As(h.err, &known):
		return transport.ErrorToProto(known)
	case h.end.GetError() != nil:
		return h.end.GetError()
	}
	for _, scope := range h.scopes {
		if scope.end.GetError() != nil {
			return scope.end.GetError()
		}
	}
	return nil
}

func (h *heard) class() distributorv1.ErrorClass { return h.firstError().GetClass() }

// String says how the listing ended.
func (h *heard) String() string {
	how := "complete"
	switch {
	case h.err != nil:
		how = "broken off"
	case !h.complete():
		how = "not complete"
	}
	text := fmt.Sprintf("%s: %s, %d records, %d of %d scopes complete", h.kind, how, h.count, h.completeScopes(), len(h.scopes))
	if e := h.firstError(); e != nil {
		text += fmt.Sprintf(" (%s: %s)", className(e.GetClass()), e.GetMessage())
	}
	return text
}
