// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

const (
	wireComplete = distributorv1.Outcome_OUTCOME_COMPLETE
	wirePartial  = distributorv1.Outcome_OUTCOME_PARTIAL
	wireFailed   = distributorv1.Outcome_OUTCOME_FAILED
)

func mBegin() message { return message{begin: &distributorv1.ListingBegin{}} }

func mScope(ref string) message {
	return message{scopeBegin: &distributorv1.ScopeBegin{ScopeRef: ref}}
}

func mRecords(scope string, refs ...string) message {
	b := &distributorv1.SubscriptionBatch{ScopeRef: scope}
	for _, ref := range refs {
		b.Subscriptions = append(b.Subscriptions, &distributorv1.Subscription{Ref: ref})
	}
	return message{subscriptions: b}
}

func mItem(scope string, item *distributorv1.Item) message {
	return message{subscriptions: &distributorv1.SubscriptionBatch{
		ScopeRef: scope, Subscriptions: []*distributorv1.Subscription{{Ref: "1", Items: []*distributorv1.Item{item}}},
	}}
}

func mScopeEnd(ref string, outcome distributorv1.Outcome, count int64) message {
	return message{scopeEnd: &distributorv1.ScopeEnd{ScopeRef: ref, Outcome: outcome, Count: count}}
}

func mEnd(outcome distributorv1.Outcome, count, scopes int64) message {
	return message{end: &distributorv1.ListingEnd{Outcome: outcome, Count: count, Scopes: scopes}}
}

func ptr(n int64) *int64 { return &n }

func TestAListingIsBelievedOnlyAsFarAsItsBooksAgree(t *testing.T) {
	t.Parallel()
	failure := &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT, Message: "503", Origin: distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR}
	whole := []message{mBegin(), mScope("a"), mRecords("a", "1", "2"), mScopeEnd("a", wireComplete, 2), mScope("b"), mScopeEnd("b", wireComplete, 0)}
	with := func(more ...message) []message { return append(slices.Clone(whole), more...) }
	for _, c := range []struct {
		name     string
		messages []message
		// outcome of the listing, then of its scopes in the order they began.
		outcomes string
		warning  string
	}{
		{"all in order", with(mEnd(wireComplete, 2, 2)), "complete complete complete", ""},
		{"no scope and no record", []message{mBegin(), mEnd(wireComplete, 0, 0)}, "complete", ""},
		{"scopes open at the same time", []message{
			mBegin(), mScope("a"), mScope("b"), mRecords("b", "1"), mRecords("a", "2"), mScopeEnd("b", wireComplete, 1), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 2, 2),
		}, "complete complete complete", ""},
		{"an event nobody knows yet", with(message{}, mEnd(wireComplete, 2, 2)), "complete complete complete", ""},
		{"no begin", append(whole[1:5:5], mEnd(wireComplete, 2, 2)), "partial complete partial", "protocol.no_begin"},
		{"begun twice", with(mBegin(), mEnd(wireComplete, 2, 2)), "partial complete complete", "protocol.begin_twice"},
		{"records before their scope", []message{
			mBegin(), mRecords("a", "1"), mScope("a"), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 1, 1),
		}, "partial partial", "protocol.scope_not_begun"},
		{"records of an unknown scope", with(mRecords("z", "9"), mEnd(wireComplete, 3, 3)), "partial complete complete partial", "protocol.scope_not_begun"},
		{
			"a removed record of an unknown scope", with(message{tombstone: &distributorv1.Tombstone{ScopeRef: "z", Ref: "9"}}, mEnd(wireComplete, 2, 2)),
			"partial complete complete partial", "protocol.scope_not_begun",
		},
		{"the end of an unknown scope", with(mScopeEnd("z", wireComplete, 0), mEnd(wireComplete, 2, 2)), "partial complete complete partial", "protocol.scope_not_begun"},
		{"records after their scope's end", with(mRecords("a", "3"), mEnd(wireComplete, 3, 2)), "partial partial complete", "protocol.after_scope_end"},
		{"a scope begun twice", with(mScope("a"), mEnd(wireComplete, 2, 2)), "partial partial complete", "protocol.scope_begin_twice"},
		{"a scope ended twice", with(mScopeEnd("a", wireComplete, 2), mEnd(wireComplete, 2, 2)), "partial partial complete", "protocol.scope_end_twice"},
		{"a scope that never ends", append(whole[:5:5], mEnd(wireComplete, 2, 2)), "partial complete partial", "protocol.scope_not_ended"},
		{"a scope's count is wrong", []message{
			mBegin(), mScope("a"), mRecords("a", "1"), mScopeEnd("a", wireComplete, 2), mEnd(wireComplete, 1, 1),
		}, "partial partial", "protocol.count"},
		{"fewer records than announced for the scope", []message{
			mBegin(), {scopeBegin: &distributorv1.ScopeBegin{ScopeRef: "a", ExpectedCount: ptr(3)}}, mRecords("a", "1"), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 1, 1),
		}, "partial partial", "protocol.count"},
		{"fewer records than announced for the listing", []message{
			{begin: &distributorv1.ListingBegin{ExpectedCount: ptr(3)}}, mScope("a"), mRecords("a", "1"), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 1, 1),
		}, "partial complete", "protocol.count"},
		{"the listing's count is wrong", with(mEnd(wireComplete, 3, 2)), "partial complete complete", "protocol.count"},
		{"the number of scopes is wrong", with(mEnd(wireComplete, 2, 3)), "partial complete complete", "protocol.count"},
		{"a scope's outcome is no known word", []message{mBegin(), mScope("a"), mScopeEnd("a", 17, 0), mEnd(wireComplete, 0, 1)}, "partial partial", "protocol.outcome"},
		{"a scope's outcome is missing", []message{mBegin(), mScope("a"), mScopeEnd("a", 0, 0), mEnd(wireComplete, 0, 1)}, "partial partial", "protocol.outcome"},
		{"the listing's outcome is no known word", with(mEnd(17, 2, 2)), "partial complete complete", "protocol.outcome"},
		{"an error in a scope that is complete", []message{
			mBegin(), mScope("a"), {scopeEnd: &distributorv1.ScopeEnd{ScopeRef: "a", Outcome: wireComplete, Error: failure}}, mEnd(wireComplete, 0, 1),
		}, "partial partial", "protocol.outcome"},
		{"something after the end", with(mEnd(wireComplete, 2, 2), mRecords("a", "3")), "partial partial complete", "protocol.after_end"},
		{"a second end", with(mEnd(wireComplete, 2, 2), mEnd(wireComplete, 2, 2)), "partial complete complete", "protocol.after_end"},
		{"no end", whole, "partial partial partial", "protocol.no_end"},
		{"nothing at all", nil, "failed", "protocol.no_end"},
		{"a record without id", []message{
			mBegin(), mScope("a"), mRecords("a", "1", ""), mScopeEnd("a", wireComplete, 2), mEnd(wireComplete, 2, 1),
		}, "partial partial", "record.without_id"},
		{"a quantity that is no number", []message{
			mBegin(), mScope("a"), mItem("a", &distributorv1.Item{Quantity: new("many")}), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 1, 1),
		}, "partial partial", "record.undecodable"},
		{"a price that is no number", []message{
			mBegin(), mScope("a"), mItem("a", &distributorv1.Item{PartnerCost: &distributorv1.Money{Amount: "1,5"}}), mScopeEnd("a", wireComplete, 1), mEnd(wireComplete, 1, 1),
		}, "partial partial", "record.undecodable"},
		{"a failed scope", []message{
			mBegin(), mScope("a"), {scopeEnd: &distributorv1.ScopeEnd{ScopeRef: "a", Outcome: wireFailed, Error: failure}}, mScope("b"), mScopeEnd("b", wireComplete, 0), mEnd(wirePartial, 0, 2),
		}, "partial failed complete", ""},
		{"a listing that failed takes its scopes with it", with(mEnd(wireFailed, 2, 2)), "failed partial partial", ""},
		{"the plugin's own warning", with(message{warning: &distributorv1.Warning{ScopeRef: "a", Code: "odd"}}, mEnd(wireComplete, 2, 2)), "complete complete complete", "odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger("test", &redactor{})
			for _, m := range c.messages {
				l.take(m)
			}
			l.cutOff(nil)
			if got := outcomes(l.result); got != c.outcomes {
				t.Errorf("outcomes %q, want %q", got, c.outcomes)
			}
			var codes []string
			for _, w := range l.result.Warnings {
				codes = append(codes, w.Code)
				if w.Text() == "" {
					t.Error("a warning without text")
				}
			}
			if c.warning == "" && len(codes) > 0 || c.warning != "" && !slices.Contains(codes, c.warning) {
				t.Errorf("warnings %v, want %q", codes, c.warning)
			}
			checkBooks(t, l)
		})
	}
}

// One number must have one form, whoever wrote the plugin: a form that changes would look like another price.
func TestNumbersComeInOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"5": "5", "5.0": "5", "007": "7", "-0": "0", "27.360": "27.36", "1e2": "100", " 4 ": "4", "": ""} {
		l := newLedger("test", &redactor{})
		for _, m := range []message{mBegin(), mScope("a"), mItem("a", &distributorv1.Item{Quantity: new(text), ListPrice: &distributorv1.Money{Amount: text}})} {
			l.take(m)
		}
		batch, ok := l.pending[len(l.pending)-1].(Subscriptions)
		if !ok || len(batch.Subscriptions) != 1 {
			t.Errorf("%q: %+v", text, l.pending)
			continue
		}
		item := batch.Subscriptions[0].GetItems()[0]
		if item.GetQuantity() != want || item.GetListPrice().GetAmount() != want {
			t.Errorf("%q became %q and %q, want %q", text, item.GetQuantity(), item.GetListPrice().GetAmount(), want)
		}
	}
}

func outcomes(r Result) string {
	words := []string{r.Outcome.String()}
	for _, s := range r.Scopes {
		words = append(words, s.Outcome.String())
	}
	return strings.Join(words, " ")
}

// checkBooks checks what always holds: the order of events, an error exactly where something is not complete.
func checkBooks(t interface {
	Errorf(string, ...any)
	Helper()
}, l *ledger,
) {
	t.Helper()
	r := l.result
	if (r.Outcome == OutcomeComplete) != (r.Err == nil) {
		t.Errorf("the listing is %s with error %v", r.Outcome, r.Err)
	}
	for _, s := range r.Scopes {
		if (s.Outcome == OutcomeComplete) != (s.Err == nil) || s.Outcome == OutcomeUnknown {
			t.Errorf("scope %q is %s with error %v", s.Ref, s.Outcome, s.Err)
		}
		if s.Outcome != OutcomeComplete && r.Outcome == OutcomeComplete {
			t.Errorf("the listing is complete and scope %q is %s", s.Ref, s.Outcome)
		}
	}
	begun, ended := map[string]bool{}, map[string]bool{}
	records := int64(0)
	for i, e := range l.pending {
		if _, ok := e.(Begin); ok != (i == 0) {
			t.Errorf("event %d is %T", i, e)
		}
		if _, ok := e.(End); ok != (i == len(l.pending)-1) {
			t.Errorf("event %d of %d is %T", i, len(l.pending), e)
		}
		switch e := e.(type) {
		case ScopeBegin:
			if begun[e.Ref] {
				t.Errorf("scope %q begins twice", e.Ref)
			}
			begun[e.Ref] = true
		case Subscriptions:
			records += int64(len(e.Subscriptions))
			if !begun[e.Scope] {
				t.Errorf("records of scope %q before its begin", e.Scope)
			}
		case ScopeEnd:
			if !begun[e.Ref] || ended[e.Ref] {
				t.Errorf("scope %q ends out of order", e.Ref)
			}
			ended[e.Ref] = true
		}
	}
	if len(begun) != len(ended) || len(begun) != len(r.Scopes) {
		t.Errorf("%d scopes begun, %d ended, %d in the result", len(begun), len(ended), len(r.Scopes))
	}
	if r.Outcome == OutcomeComplete && records != r.Records {
		t.Errorf("%d records given, %d counted", records, r.Records)
	}
}

func TestWhateverAPluginSendsTheBooksHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.SampledFrom([]string{"a", "b", ""})
		count := rapid.Int64Range(-1, 3)
		outcome := rapid.Custom(func(t *rapid.T) distributorv1.Outcome {
			return distributorv1.Outcome(rapid.IntRange(0, 4).Draw(t, "outcome"))
		})
		l := newLedger("test", &redactor{})
		open := map[string]int64{}
		clean, total, scopes := true, int64(0), int64(0)
		state := map[string]string{}
		began, ended := false, false
		for range rapid.IntRange(0, 14).Draw(t, "length") {
			var m message
			kind := rapid.IntRange(0, 4).Draw(t, "kind")
			if ended || (!began) != (kind == 0) {
				clean = false
			}
			switch r := ref.Draw(t, "ref"); kind {
			case 0:
				m, began = mBegin(), true
			case 1:
				m = mScope(r)
				clean = clean && state[r] == ""
				state[r] = "open"
				scopes++
			case 2:
				n := rapid.IntRange(0, 2).Draw(t, "records")
				m = mRecords(r, []string{"1", "2"}[:n]...)
				clean = clean && state[r] == "open"
				open[r] += int64(n)
				total += int64(n)
			case 3:
				o, n := outcome.Draw(t, "outcome"), count.Draw(t, "count")
				m = mScopeEnd(r, o, n)
				clean = clean && state[r] == "open" && o == wireComplete && n == open[r]
				state[r] = "ended"
			case 4:
				o, n, s := outcome.Draw(t, "outcome"), count.Draw(t, "count"), count.Draw(t, "scopes")
				m = mEnd(o, n, s)
				for _, st := range state {
					clean = clean && st == "ended"
				}
				clean = clean && o == wireComplete && n == total && s == scopes
				ended = true
			}
			l.take(m)
		}
		l.cutOff(nil)
		if want := clean && ended; want != (l.result.Outcome == OutcomeComplete) {
			t.Fatalf("the listing is %s; in order: %v", l.result.Outcome, want)
		}
		checkBooks(t, l)
	})
}

func TestWarningsAreCountedAndTheFirstAreKept(t *testing.T) {
	t.Parallel()
	l := newLedger("test", &redactor{})
	l.take(mBegin())
	for i := range 500 {
		l.take(message{warning: &distributorv1.Warning{Code: "odd", Message: fmt.Sprint(i)}})
	}
	l.take(mEnd(wireComplete, 0, 0))
	if r := l.result; r.WarningCount != 500 || len(r.Warnings) != maxWarnings || r.Warnings[199].Message != "199" || r.Outcome != OutcomeComplete {
		t.Errorf("%d warnings, %d kept, %s", r.WarningCount, len(r.Warnings), r.Outcome)
	}
}

func TestWhoseFaultItIsIsTold(t *testing.T) {
	t.Parallel()
	for want, err := range map[sdk.Origin]error{
		sdk.OriginDistributor: fmt.Errorf("x: %w", &sdk.Error{Origin: sdk.OriginDistributor}),
		sdk.OriginPlugin:      &CrashError{Record: CrashRecord{ExitCode: 2}},
		sdk.OriginUnknown:     &CrashError{Record: CrashRecord{Signal: "killed"}},
	} {
		if got := originOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
