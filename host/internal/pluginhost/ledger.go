// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"errors"
	"fmt"
	"strings"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// maxWarnings is how many warnings of a listing are kept; all are counted.
const maxWarnings = 200

// message is one message of a listing, of customers or of subscriptions. One field is set, or none if the plugin sent
// an event this host does not know.
type message struct {
	begin         *distributorv1.ListingBegin
	scopeBegin    *distributorv1.ScopeBegin
	customers     *distributorv1.CustomerBatch
	subscriptions *distributorv1.SubscriptionBatch
	tombstone     *distributorv1.Tombstone
	warning       *distributorv1.Warning
	progress      *distributorv1.Progress
	scopeEnd      *distributorv1.ScopeEnd
	end           *distributorv1.ListingEnd
}

// ledger keeps the books of one listing: what the plugin announced, what came, and what therefore may be believed. It
// can only take belief away; nothing that follows makes a scope complete again.
type ledger struct {
	plugin string
	redact *redactor

	began, ended bool
	expected     *int64
	scopes       map[string]*account
	order        []*account
	// broken is why the listing as a whole is not complete, whatever the plugin says.
	broken  error
	result  Result
	pending []Event
}

// account is one scope in the books.
type account struct {
	ScopeResult
	expected *int64
	ended    bool
	// broken is why the scope is not complete, whatever the plugin says.
	broken error
	told   map[string]bool
}

func newLedger(plugin string, r *redactor) *ledger {
	return &ledger{plugin: plugin, redact: r, scopes: map[string]*account{}, result: Result{Outcome: OutcomeFailed}}
}

// take books one message; the events it amounts to are added to pending.
func (l *ledger) take(m message) {
	if l.ended {
		l.late(m)
		return
	}
	if !l.began && m.begin == nil {
		l.began = true
		l.emit(Begin{})
		l.breach(nil, "protocol.no_begin", "the plugin began to list without saying so")
	}
	switch {
	case m.begin != nil:
		if l.began {
			l.breach(nil, "protocol.begin_twice", "the plugin began the listing twice")
			return
		}
		l.began, l.expected = true, m.begin.ExpectedCount
		l.emit(Begin{Expected: l.expected})
	case m.scopeBegin != nil:
		l.beginScope(m.scopeBegin)
	case m.customers != nil:
		l.takeCustomers(m.customers)
	case m.subscriptions != nil:
		l.takeSubscriptions(m.subscriptions)
	case m.tombstone != nil:
		s := l.open(m.tombstone.GetScopeRef(), "a removed record")
		l.result.Tombstones++
		l.emit(Tombstone{
			Scope: s.Ref, Ref: m.tombstone.GetRef(), At: l.redact.clean(m.tombstone.GetAt()), Reason: l.redact.clean(m.tombstone.GetReason()),
		})
	case m.warning != nil:
		w := m.warning
		l.warn(Warning{
			Scope: w.GetScopeRef(), Code: l.redact.clean(w.GetCode()), Message: l.redact.clean(w.GetMessage()), Ref: l.redact.clean(w.GetRef()),
		})
	case m.progress != nil:
		l.result.Requests, l.result.Answers = max(m.progress.GetRequests(), 0), answersOf(m.progress)
		l.emit(Progress{
			Records: m.progress.GetRecords(), Requests: l.result.Requests, Answers: l.result.Answers, Text: l.redact.clean(m.progress.GetText()),
		})
	case m.scopeEnd != nil:
		l.endScope(m.scopeEnd)
	case m.end != nil:
		l.end(m.end)
	}
}

// answersOf gives the answers a plugin tells of, as far as they can be HTTP's: whoever counts them by status relies on there
// being few of these.
func answersOf(p *distributorv1.Progress) map[int]int64 {
	answers := map[int]int64{}
	for status, n := range p.GetAnswers() {
		if status < 100 || status > 599 {
			status = 0
		}
		answers[int(status)] += max(n, 0)
	}
	return answers
}

func (l *ledger) emit(e Event) { l.pending = append(l.pending, e) }

func (l *ledger) beginScope(m *distributorv1.ScopeBegin) {
	ref := m.GetScopeRef()
	if s, ok := l.scopes[ref]; ok {
		l.breach(s, "protocol.scope_begin_twice", "the plugin began this scope twice")
		return
	}
	s := l.add(ref, l.redact.clean(m.GetName()))
	s.expected = m.ExpectedCount
	l.emit(ScopeBegin{Ref: s.Ref, Name: s.Name, Expected: s.expected})
}

func (l *ledger) add(ref, name string) *account {
	s := &account{ScopeResult: ScopeResult{Ref: ref, Name: name, Outcome: OutcomeFailed}}
	l.scopes[ref] = s
	l.order = append(l.order, s)
	return s
}

// open gives the scope something belongs to. One the plugin did not begin is begun for it, and is not complete.
func (l *ledger) open(ref, what string) *account {
	s, ok := l.scopes[ref]
	switch {
	case !ok:
		s = l.add(ref, "")
		l.emit(ScopeBegin{Ref: ref})
		l.breach(s, "protocol.scope_not_begun", "the plugin sent %s for a scope it had not begun", what)
	case s.ended:
		l.breach(s, "protocol.after_scope_end", "the plugin sent %s for a scope it had ended", what)
	}
	return s
}

func (l *ledger) takeCustomers(m *distributorv1.CustomerBatch) {
	s := l.open(m.GetScopeRef(), "customers")
	l.receive(s, len(m.GetCustomers()))
	batch := make([]sdk.Customer, 0, len(m.GetCustomers()))
	for _, p := range m.GetCustomers() {
		c, err := transport.CustomerFromProto(p)
		switch {
		case err != nil:
			l.undecodable(s, "record.undecodable", "a customer was left out: "+err.Error(), p.GetRef())
		case c.Ref == "":
			l.undecodable(s, "record.without_id", "a customer without id was left out", c.Name)
		default:
			batch = append(batch, c)
		}
	}
	l.emit(Customers{Scope: s.Ref, Customers: batch})
}

func (l *ledger) takeSubscriptions(m *distributorv1.SubscriptionBatch) {
	s := l.open(m.GetScopeRef(), "subscriptions")
	batch := m.GetSubscriptions()
	l.receive(s, len(batch))
	kept := batch[:0]
	for _, p := range batch {
		if p.GetRef() == "" {
			l.undecodable(s, "record.without_id", "a subscription without id was left out", p.GetName())
			continue
		}
		if err := canonical(p); err != nil {
			l.undecodable(s, "record.undecodable", fmt.Sprintf("subscription %q was left out: %v", cut(p.GetRef(), 100), err), p.GetRef())
			continue
		}
		kept = append(kept, p)
	}
	l.emit(Subscriptions{Scope: s.Ref, Subscriptions: kept})
}

// canonical brings a subscription's numbers into the one form in which they are compared. What is no number is an error.
func canonical(p *distributorv1.Subscription) error {
	for _, item := range p.GetItems() {
		if item.Quantity != nil {
			if err := canonicalNumber(item.Quantity, "its quantity"); err != nil {
				return err
			}
			if strings.HasPrefix(item.GetQuantity(), "-") {
				return fmt.Errorf("its quantity %s is below zero", cut(item.GetQuantity(), 40))
			}
		}
		for _, price := range []*distributorv1.Money{item.GetCustomerPrice(), item.GetPartnerCost(), item.GetListPrice()} {
			if price != nil {
				if err := canonicalNumber(&price.Amount, "a price"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func canonicalNumber(text *string, what string) error {
	d, err := sdk.ParseDecimal(*text)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %s", what, cut(err.Error(), 200))
	}
	*text = d.String()
	return nil
}

func (l *ledger) receive(s *account, n int) {
	s.Count += int64(n)
	l.result.Records += int64(n)
}

// undecodable leaves out one record and makes its scope partial.
func (l *ledger) undecodable(s *account, code, text, ref string) {
	text = l.redact.clean(text)
	l.warn(Warning{Scope: s.Ref, ScopeName: s.Name, Code: code, Message: text, Ref: l.redact.clean(ref)})
	l.spoil(s, fail(CodeProtocol, "", "%s", text))
}

func (l *ledger) endScope(m *distributorv1.ScopeEnd) {
	s, ok := l.scopes[m.GetScopeRef()]
	if !ok {
		s = l.open(m.GetScopeRef(), "the end")
	}
	if s.ended {
		l.breach(s, "protocol.scope_end_twice", "the plugin ended this scope twice")
		return
	}
	told := l.told(m.GetError())
	switch m.GetOutcome() {
	case distributorv1.Outcome_OUTCOME_COMPLETE:
		s.Outcome = OutcomeComplete
		if s.expected != nil && *s.expected != s.Count {
			l.breach(s, "protocol.count", "%d records were announced and %d came", *s.expected, s.Count)
		}
		if told != nil {
			l.breach(s, "protocol.outcome", "the plugin reported an error and said that everything was read")
		}
	case distributorv1.Outcome_OUTCOME_PARTIAL:
		s.Outcome = OutcomePartial
	case distributorv1.Outcome_OUTCOME_FAILED:
		s.Outcome = OutcomeFailed
	default:
		s.Outcome = OutcomePartial
		l.breach(s, "protocol.outcome", "the plugin did not say in a known word whether everything was read (%d)", m.GetOutcome())
	}
	if m.GetCount() != s.Count {
		l.breach(s, "protocol.count", "the plugin said that it sent %d records; %d came", m.GetCount(), s.Count)
	}
	if told != nil {
		s.Err = told
	}
	l.closeScope(s)
}

// closeScope settles a scope's outcome.
func (l *ledger) closeScope(s *account) {
	s.ended = true
	l.settle(s)
	l.emit(ScopeEnd(s.ScopeResult))
}

func (l *ledger) settle(s *account) {
	if s.broken != nil && s.Outcome == OutcomeComplete {
		s.Outcome = OutcomePartial
	}
	if s.Outcome == OutcomeComplete {
		s.Err = nil
		return
	}
	if s.Err == nil {
		s.Err = s.broken
	}
	if s.Err == nil {
		s.Err = fail(CodeProtocol, "", "the plugin did not say why")
	}
}

func (l *ledger) end(m *distributorv1.ListingEnd) {
	for _, s := range l.order {
		if !s.ended {
			l.breach(s, "protocol.scope_not_ended", "the plugin did not end this scope")
			s.Outcome = OutcomePartial
			l.closeScope(s)
		}
	}
	told := l.told(m.GetError())
	switch m.GetOutcome() {
	case distributorv1.Outcome_OUTCOME_COMPLETE:
		l.result.Outcome = OutcomeComplete
		if l.expected != nil && *l.expected != l.result.Records {
			l.breach(nil, "protocol.count", "%d records were announced for the whole listing and %d came", *l.expected, l.result.Records)
		}
		if told != nil {
			l.breach(nil, "protocol.outcome", "the plugin reported an error and said that everything was read")
		}
	case distributorv1.Outcome_OUTCOME_PARTIAL:
		l.result.Outcome = OutcomePartial
	case distributorv1.Outcome_OUTCOME_FAILED:
		l.result.Outcome = OutcomeFailed
	default:
		l.result.Outcome = OutcomePartial
		l.breach(nil, "protocol.outcome", "the plugin did not say in a known word whether everything was read (%d)", m.GetOutcome())
	}
	if m.GetCount() != l.result.Records {
		l.breach(nil, "protocol.count", "the plugin said that it sent %d records in all; %d came", m.GetCount(), l.result.Records)
	}
	if m.GetScopes() != int64(len(l.order)) {
		l.breach(nil, "protocol.count", "the plugin said that it began %d scopes; %d were seen", m.GetScopes(), len(l.order))
	}
	if told != nil {
		l.result.Err = told
	}
	l.finish()
}

// late is for what comes after the end, where nothing may.
func (l *ledger) late(m message) {
	l.breach(nil, "protocol.after_end", "the plugin went on after it had ended the listing")
	for _, ref := range []*string{
		refOf(m.scopeBegin), refOf(m.customers), refOf(m.subscriptions), refOf(m.tombstone), refOf(m.scopeEnd),
	} {
		if ref == nil {
			continue
		}
		if s, ok := l.scopes[*ref]; ok {
			l.breach(s, "protocol.after_end", "the plugin went on with this scope after it had ended the listing")
		}
	}
	l.conclude()
}

func refOf[T interface {
	comparable
	GetScopeRef() string
}](m T) *string {
	var none T
	if m == none {
		return nil
	}
	ref := m.GetScopeRef()
	return &ref
}

// cutOff is for a stream that ended without the plugin's end: err is why, or nil if it ended as if all were well.
func (l *ledger) cutOff(err error) {
	if l.ended {
		return
	}
	if !l.began {
		l.began = true
		l.emit(Begin{})
	}
	if err == nil {
		e := fail(CodeProtocol, "Report this to the plugin's vendor.", "plugin %q ended the listing without saying whether everything was read", l.plugin)
		l.breach(nil, "protocol.no_end", "the plugin ended the listing without saying whether everything was read")
		err = e
	}
	for _, s := range l.order {
		if s.ended {
			// It said that it was complete, but the listing it belongs to never did: its absences prove nothing.
			l.spoil(s, err)
			continue
		}
		s.Err = fmt.Errorf("it was cut off: %w", err)
		s.Outcome = OutcomeFailed
		if s.Count > 0 {
			s.Outcome = OutcomePartial
		}
		l.closeScope(s)
	}
	l.result.Outcome = OutcomeFailed
	if l.result.Records > 0 {
		l.result.Outcome = OutcomePartial
	}
	l.result.Err = err
	l.finish()
}

// finish ends the listing.
func (l *ledger) finish() {
	l.ended = true
	l.conclude()
	l.emit(End{Outcome: l.result.Outcome, Err: l.result.Err})
}

// conclude draws the sum of the books.
func (l *ledger) conclude() {
	if l.result.Outcome == OutcomeFailed {
		for _, s := range l.order {
			if s.Outcome == OutcomeComplete {
				l.spoil(s, fail(CodeProtocol, "", "the listing as a whole failed"))
			}
		}
	}
	l.result.Scopes = l.result.Scopes[:0]
	for _, s := range l.order {
		l.settle(s)
		l.result.Scopes = append(l.result.Scopes, s.ScopeResult)
		if s.Outcome != OutcomeComplete {
			if l.result.Outcome == OutcomeComplete {
				l.result.Outcome = OutcomePartial
			}
			if l.result.Err == nil {
				l.result.Err = s.Err
			}
		}
	}
	if l.broken != nil {
		if l.result.Outcome == OutcomeComplete {
			l.result.Outcome = OutcomePartial
		}
		if l.result.Err == nil {
			l.result.Err = l.broken
		}
	}
	if l.result.Outcome != OutcomeComplete && l.result.Err == nil {
		l.result.Err = fail(CodeProtocol, "", "plugin %q did not say why the listing is not complete", l.plugin)
	}
	l.result.Origin = originOf(l.result.Err)
}

// breach notes that the plugin broke the rules: a warning, and the end of belief in the scope, or in the listing if
// there is none. Of one kind only the first in a scope is told.
func (l *ledger) breach(s *account, code, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w := Warning{Code: code, Message: text}
	err := fail(CodeProtocol, "Report this to the plugin's vendor.", "plugin %q broke the rules of a listing: %s", l.plugin, text)
	if s == nil {
		if l.broken == nil {
			l.broken = err
		}
		l.warn(w)
		return
	}
	l.spoil(s, err)
	if s.told[code] {
		return
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[code] = true
	w.Scope, w.ScopeName = s.Ref, s.Name
	l.warn(w)
}

// spoil makes a scope at most partial.
func (l *ledger) spoil(s *account, err error) {
	if s.broken == nil {
		s.broken = err
	}
}

func (l *ledger) warn(w Warning) {
	if s, ok := l.scopes[w.Scope]; ok && w.ScopeName == "" {
		w.ScopeName = s.Name
	}
	l.result.WarningCount++
	if len(l.result.Warnings) < maxWarnings {
		l.result.Warnings = append(l.result.Warnings, w)
	}
	if !l.ended {
		l.emit(w)
	}
}

// told gives the failure in an event, or nil.
func (l *ledger) told(detail *distributorv1.ErrorDetail) error {
	if detail == nil {
		return nil
	}
	return l.redact.cleanError(transport.ErrorFromProto(detail))
}

// originOf says whose fault an error is.
func originOf(err error) sdk.Origin {
	var told *sdk.Error
	var own *Error
	var crash *CrashError
	switch {
	case errors.As(err, &told):
		return told.Origin
	case errors.As(err, &crash):
		if crash.Record.Signal != "" {
			return sdk.OriginUnknown
		}
		return sdk.OriginPlugin
	case errors.As(err, &own) && own.code != CodeClosed:
		return sdk.OriginPlugin
	}
	return sdk.OriginUnknown
}
