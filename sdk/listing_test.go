// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

const (
	complete = distributorv1.Outcome_OUTCOME_COMPLETE
	partial  = distributorv1.Outcome_OUTCOME_PARTIAL
	failed   = distributorv1.Outcome_OUTCOME_FAILED
)

// listing gives what a host hears of the listing that run makes.
func listing(t *testing.T, run func(ctx context.Context, out *sdk.SubscriptionListing) error) *heard {
	t.Helper()
	return listSubscriptions(t, ready(t, &fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
		return run(ctx, out)
	}}))
}

// oneScope gives what a host hears of a listing with the one scope "account".
func oneScope(t *testing.T, read func(s *sdk.SubscriptionScope) error) *heard {
	t.Helper()
	return listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
		return out.Scope(ctx, "account", "the account", read)
	})
}

func numbered(i int) sdk.Subscription {
	return sdk.Subscription{Ref: fmt.Sprintf("s%d", i), CustomerRef: "c1"}
}

func TestListingTellsWhatIsComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		read      func(s *sdk.SubscriptionScope) error
		scope     distributorv1.Outcome
		end       distributorv1.Outcome
		count     int64
		class     distributorv1.ErrorClass
		says      string
		warnings  []string
		leaveOpen bool
	}{
		{
			name:  "a scope whose function returns nil is complete",
			read:  func(s *sdk.SubscriptionScope) error { return s.Send(numbered(1)) },
			scope: complete, end: complete, count: 1,
		},
		{
			name:  "an empty scope is complete",
			read:  func(*sdk.SubscriptionScope) error { return nil },
			scope: complete, end: complete,
		},
		{
			name: "a scope whose function returns an error is failed, though records were sent",
			read: func(s *sdk.SubscriptionScope) error {
				if err := s.Send(numbered(1)); err != nil {
					return err
				}
				return sdk.Errorf(sdk.ClassThrottled, "429")
			},
			scope: failed, end: partial, count: 1, class: distributorv1.ErrorClass_ERROR_CLASS_THROTTLED, says: "429",
		},
		{
			name:  "a scope that panics is failed",
			read:  func(*sdk.SubscriptionScope) error { panic("index out of cheese") },
			scope: failed, end: partial, class: distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, says: `panicked while reading scope "account": index out of cheese`,
		},
		{
			name: "Partial makes a scope partial",
			read: func(s *sdk.SubscriptionScope) error {
				s.Partial("page.refused", "page %d was refused", 3)
				return s.Send(numbered(1))
			},
			scope: partial, end: partial, count: 1, class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, says: "page 3 was refused",
			warnings: []string{"page.refused"},
		},
		{
			name: "Warn leaves a scope complete",
			read: func(s *sdk.SubscriptionScope) error {
				s.Warn("price.odd", "price %s is odd", "1/3")
				return nil
			},
			scope: complete, end: complete, warnings: []string{"price.odd"},
		},
		{
			name: "a record without id is refused and makes the scope partial",
			read: func(s *sdk.SubscriptionScope) error {
				return errors.Join(s.Send(sdk.Subscription{CustomerRef: "c9", Name: "Exchange"}), s.Send(numbered(1)))
			},
			scope: partial, end: partial, count: 1, class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
			says: `a subscription has no id (name "Exchange", customer "c9")`, warnings: []string{"record.without_id"},
		},
		{
			name: "a record without customer is refused and makes the scope partial",
			read: func(s *sdk.SubscriptionScope) error {
				return s.Send(sdk.Subscription{Ref: "s1", CustomerRef: "  ", Name: "Exchange"})
			},
			scope: partial, end: partial, class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
			says: `subscription "s1" has no customer (name "Exchange")`, warnings: []string{"record.without_customer"},
		},
		{
			name: "items that cannot be told apart are refused",
			read: func(s *sdk.SubscriptionScope) error {
				r := numbered(1)
				r.Items = []sdk.Item{{Ref: "a"}, {Ref: "a"}}
				return s.Send(r)
			},
			scope: partial, end: partial, class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
			says: "cannot be told apart", warnings: []string{"record.items_not_distinct"},
		},
		{
			name: "fewer records than announced make the scope partial",
			read: func(s *sdk.SubscriptionScope) error {
				s.Expect(2)
				return s.Send(numbered(1))
			},
			scope: partial, end: partial, count: 1, class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, says: "announced 2 records and gave 1",
		},
		{
			name: "as many records as announced leave it complete, however late they were announced",
			read: func(s *sdk.SubscriptionScope) error {
				err := s.Send(numbered(1))
				s.Expect(1)
				return err
			},
			scope: complete, end: complete, count: 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := oneScope(t, test.read)
			scope := h.ends["account"]
			if scope.GetOutcome() != test.scope || h.end.GetOutcome() != test.end {
				t.Errorf("scope ended %v and listing %v, want %v and %v", scope.GetOutcome(), h.end.GetOutcome(), test.scope, test.end)
			}
			if scope.GetCount() != test.count || h.end.GetCount() != test.count || int64(len(h.records)) != test.count {
				t.Errorf("counts %d, %d and %d, want %d", scope.GetCount(), h.end.GetCount(), len(h.records), test.count)
			}
			if h.end.GetScopes() != 1 {
				t.Errorf("%d scopes, want 1", h.end.GetScopes())
			}
			if got := scope.GetError().GetClass(); got != test.class {
				t.Errorf("class %v, want %v", got, test.class)
			}
			if got := scope.GetError().GetMessage(); !strings.Contains(got, test.says) || (test.says == "") != (got == "") {
				t.Errorf("scope says %q, want %q", got, test.says)
			}
			if got := h.end.GetError().GetMessage(); !strings.Contains(got, test.says) {
				t.Errorf("listing says %q, want %q", got, test.says)
			}
			var codes []string
			for _, w := range h.warnings {
				codes = append(codes, w.GetCode())
				if w.GetScopeRef() != "account" {
					t.Errorf("warning %v names no scope", w)
				}
			}
			if diff := cmp.Diff(test.warnings, codes); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListingEvents(t *testing.T) {
	t.Parallel()

	t.Run("come in order, each naming its scope", func(t *testing.T) {
		t.Parallel()
		h := listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
			out.Expect(2)
			out.Requests(3)
			out.Answers(map[int]int{200: 1, 429: 1})
			out.Answers(map[int]int{200: 1, -7: 0})
			err := out.Scope(ctx, "a1", "agreement 1", func(s *sdk.SubscriptionScope) error {
				s.Expect(1)
				if err := s.Send(numbered(1)); err != nil {
					return err
				}
				return s.Gone("s0", "2025-03-13", "cancelled")
			})
			return errors.Join(err, out.Scope(ctx, "a2", "agreement 2", func(s *sdk.SubscriptionScope) error { return s.Send(numbered(2)) }))
		})
		want := []string{
			"begin", "scope a1", "records a1", "gone s0", "end of a1", "scope a2", "records a2", "end of a2", "end",
		}
		if diff := cmp.Diff(want, h.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if h.begin.GetExpectedCount() != 2 || h.begins["a1"].GetExpectedCount() != 1 || h.begins["a2"].ExpectedCount != nil {
			t.Errorf("expected counts are wrong: %v, %v", h.begin, h.begins)
		}
		if h.begins["a1"].GetName() != "agreement 1" {
			t.Errorf("scope is named %q", h.begins["a1"].GetName())
		}
		if h.end.GetOutcome() != complete || h.end.GetScopes() != 2 || h.end.GetCount() != 2 {
			t.Errorf("end is %v", h.end)
		}
		if last := h.progress[len(h.progress)-1]; last.GetRequests() != 3 || last.GetRecords() != 2 ||
			!maps.Equal(last.GetAnswers(), map[int32]int64{200: 2, 429: 1, 0: 0}) {
			t.Errorf("last progress is %v", last)
		}
		if diff := cmp.Diff("s0 2025-03-13 cancelled", fmt.Sprint(h.gone[0].GetRef(), " ", h.gone[0].GetAt(), " ", h.gone[0].GetReason())); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("begin a scope with its first, be it a warning", func(t *testing.T) {
		t.Parallel()
		h := oneScope(t, func(s *sdk.SubscriptionScope) error {
			if err := s.Send(numbered(1)); err != nil { // It waits in its batch.
				return err
			}
			s.Warn("price.unknown", "a price is unknown")
			return nil
		})
		want := []string{"begin", "scope account", "warning price.unknown", "records account", "end of account", "end"}
		if diff := cmp.Diff(want, h.events); diff != "" || h.end.GetOutcome() != complete {
			t.Errorf("%v, events (-want +got):\n%s", h.end, diff)
		}
	})

	t.Run("of a listing that fails still end", func(t *testing.T) {
		t.Parallel()
		h := listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
			_ = out.Scope(ctx, "a1", "", func(*sdk.SubscriptionScope) error { return nil })
			return &sdk.Error{Class: sdk.ClassAuth, Origin: sdk.OriginDistributor, Message: "401", CorrelationID: "x-1"}
		})
		if h.end.GetOutcome() != failed || h.end.GetError().GetClass() != distributorv1.ErrorClass_ERROR_CLASS_AUTH || h.end.GetError().GetCorrelationId() != "x-1" {
			t.Errorf("end is %v", h.end)
		}
		if h.ends["a1"].GetOutcome() != complete {
			t.Errorf("scope is %v", h.ends["a1"])
		}
	})

	t.Run("of a listing that panics still end", func(t *testing.T) {
		t.Parallel()
		client := ready(t, &fake{subscriptions: func(context.Context, sdk.ListRequest, *sdk.SubscriptionListing) error { panic(errors.New("nil map")) }})
		for range 2 { // The process lives.
			h := listSubscriptions(t, client)
			if h.end.GetOutcome() != failed || !strings.Contains(h.end.GetError().GetMessage(), "panicked while listing subscriptions: nil map") {
				t.Errorf("end is %v", h.end)
			}
		}
	})

	t.Run("go on after a scope that failed", func(t *testing.T) {
		t.Parallel()
		h := listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
			for i, ref := range []string{"a", "b", "c"} {
				if err := out.Scope(ctx, ref, ref, func(s *sdk.SubscriptionScope) error {
					if ref == "b" {
						return errors.New("500")
					}
					return s.Send(numbered(i))
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if h.ends["a"].GetOutcome() != complete || h.ends["b"].GetOutcome() != failed || h.ends["c"].GetOutcome() != complete {
			t.Errorf("scopes are %v", h.ends)
		}
		if h.end.GetOutcome() != partial || !strings.Contains(h.end.GetError().GetMessage(), "1 of 3 scopes are not complete: 500") {
			t.Errorf("end is %v", h.end)
		}
	})

	t.Run("of another number than announced make the listing partial", func(t *testing.T) {
		t.Parallel()
		h := listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
			out.Expect(2)
			return out.Scope(ctx, "a", "", func(s *sdk.SubscriptionScope) error { return s.Send(numbered(1)) })
		})
		if h.ends["a"].GetOutcome() != complete || h.end.GetOutcome() != partial {
			t.Errorf("scope is %v, end is %v", h.ends["a"], h.end)
		}
	})

	t.Run("without any scope are a complete listing of nothing", func(t *testing.T) {
		t.Parallel()
		h := listing(t, func(context.Context, *sdk.SubscriptionListing) error { return nil })
		if diff := cmp.Diff([]string{"begin", "end"}, h.events); diff != "" || h.end.GetOutcome() != complete {
			t.Errorf("%v, events %s", h.end, diff)
		}
	})

	t.Run("of an interface that is not implemented say so", func(t *testing.T) {
		t.Parallel()
		h := listSubscriptions(t, ready(t, &fake{}))
		if h.end.GetOutcome() != failed || h.end.GetError().GetClass() != distributorv1.ErrorClass_ERROR_CLASS_UNSUPPORTED {
			t.Errorf("end is %v", h.end)
		}
	})
}

func TestListingFaultsOfThePlugin(t *testing.T) {
	t.Parallel()
	nothing := func(*sdk.SubscriptionScope) error { return nil }
	tests := []struct {
		name string
		run  func(ctx context.Context, out *sdk.SubscriptionListing) error
		says string
	}{
		{"a scope opened twice", func(ctx context.Context, out *sdk.SubscriptionListing) error {
			_ = out.Scope(ctx, "a", "", nothing)
			_ = out.Scope(ctx, "a", "", nothing) // Ignored by the plugin, not by us.
			return nil
		}, `opened scope "a" twice`},
		{"a scope without ref", func(ctx context.Context, out *sdk.SubscriptionListing) error {
			_ = out.Scope(ctx, " ", "the account", nothing)
			return nil
		}, `scope without ref ("the account")`},
		{"a scope whose ref is endless", func(ctx context.Context, out *sdk.SubscriptionListing) error {
			_ = out.Scope(ctx, strings.Repeat("x", 5<<20), "", nothing)
			return nil
		}, "too long"},
		{"a scope used after its function returned", func(ctx context.Context, out *sdk.SubscriptionListing) error {
			var kept *sdk.SubscriptionScope
			err := out.Scope(ctx, "a", "", func(s *sdk.SubscriptionScope) error { kept = s; return nil })
			_ = kept.Send(numbered(1))
			return err
		}, `sent to scope "a" after its function returned`},
		{"a scope still read when the listing ends", func(ctx context.Context, out *sdk.SubscriptionListing) error {
			reading := make(chan struct{})
			go func() {
				_ = out.Scope(ctx, "a", "", func(*sdk.SubscriptionScope) error {
					close(reading)
					<-ctx.Done()
					return nil
				})
			}()
			<-reading
			return nil
		}, "ended while 1 scopes were being read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := listing(t, test.run)
			if h.end.GetOutcome() != failed || !strings.Contains(h.end.GetError().GetMessage(), test.says) {
				t.Errorf("end is %v, want %q", h.end, test.says)
			}
			if h.end.GetError().GetOrigin() != distributorv1.ErrorOrigin_ERROR_ORIGIN_PLUGIN {
				t.Errorf("origin is %v", h.end.GetError().GetOrigin())
			}
		})
	}

	t.Run("scopes that differ in case only, where ids ignore case", func(t *testing.T) {
		t.Parallel()
		plugin := pluginOf(&fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
			return errors.Join(out.Scope(ctx, "abc", "", nothing), out.Scope(ctx, "ABC", "", nothing))
		}})
		plugin.Capabilities.RefsIgnoreCase = true
		client := dial(t, plugin, nil)
		configure(t, client, nil)
		if h := listSubscriptions(t, client); h.end.GetOutcome() != failed {
			t.Errorf("end is %v", h.end)
		}
	})
}

func TestListingBatches(t *testing.T) {
	t.Parallel()

	t.Run("hold at most 500 records", func(t *testing.T) {
		t.Parallel()
		h := oneScope(t, func(s *sdk.SubscriptionScope) error {
			for i := range 1201 {
				if err := s.Send(numbered(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if diff := cmp.Diff([]int{500, 500, 201}, h.batches); diff != "" {
			t.Error(diff)
		}
		for i, r := range h.records {
			if r.GetRef() != fmt.Sprintf("s%d", i) {
				t.Fatalf("record %d is %q", i, r.GetRef())
			}
		}
	})

	t.Run("hold at most 1 MiB, unless one record is larger", func(t *testing.T) {
		t.Parallel()
		sizes := []int{300 << 10, 300 << 10, 300 << 10, 300 << 10, 3 << 20, 10}
		h := oneScope(t, func(s *sdk.SubscriptionScope) error {
			for i, size := range sizes {
				r := numbered(i)
				r.Extra = map[string]string{"note": strings.Repeat("x", size)}
				if err := s.Send(r); err != nil {
					return err
				}
			}
			return nil
		})
		if diff := cmp.Diff([]int{3, 1, 1, 1}, h.batches); diff != "" {
			t.Error(diff)
		}
		if h.end.GetOutcome() != complete {
			t.Errorf("end is %v", h.end)
		}
	})

	t.Run("leave out a record that fits in no message, and the rest arrives", func(t *testing.T) {
		t.Parallel()
		h := oneScope(t, func(s *sdk.SubscriptionScope) error {
			huge := numbered(2)
			huge.Name = strings.Repeat("x", wire.MaxSentBytes)
			return errors.Join(s.Send(numbered(1)), s.Send(huge), s.Send(numbered(3)))
		})
		if len(h.records) != 2 || h.ends["account"].GetOutcome() != partial || h.end.GetOutcome() != partial {
			t.Errorf("%d records, scope %v", len(h.records), h.ends["account"])
		}
		if len(h.warnings) != 1 || h.warnings[0].GetCode() != "record.too_large" || h.warnings[0].GetRef() != "s2" {
			t.Errorf("warnings are %v", h.warnings)
		}
	})

	t.Run("hold a record just below the limit", func(t *testing.T) {
		t.Parallel()
		r := numbered(1)
		r.Name = strings.Repeat("x", wire.MaxSentBytes-8<<10)
		h := oneScope(t, func(s *sdk.SubscriptionScope) error { return s.Send(r) })
		if len(h.records) != 1 || proto.Size(h.records[0]) < wire.MaxSentBytes-8<<10 || h.end.GetOutcome() != complete {
			t.Errorf("%d records, end %v", len(h.records), h.end)
		}
	})

	t.Run("of scopes read at the same time do not mix", func(t *testing.T) {
		t.Parallel()
		const scopes, records = 8, 700
		h := listing(t, func(ctx context.Context, out *sdk.SubscriptionListing) error {
			var readers sync.WaitGroup
			errs := make([]error, scopes)
			for n := range scopes {
				readers.Go(func() {
					errs[n] = out.Scope(ctx, fmt.Sprint(n), "", func(s *sdk.SubscriptionScope) error {
						var senders sync.WaitGroup
						for half := range 2 {
							senders.Go(func() {
								for i := range records / 2 {
									_ = s.Send(sdk.Subscription{Ref: fmt.Sprint(n, "/", half, "/", i), CustomerRef: fmt.Sprint(n)})
									s.Progress("record %d", i)
								}
							})
						}
						senders.Wait()
						return nil
					})
				})
			}
			readers.Wait()
			return errors.Join(errs...)
		})
		if h.end.GetOutcome() != complete || h.end.GetCount() != scopes*records || h.end.GetScopes() != scopes {
			t.Fatalf("end is %v", h.end)
		}
		refs := map[string]bool{}
		for _, r := range h.records {
			refs[r.GetRef()] = true
		}
		if len(refs) != scopes*records {
			t.Errorf("%d different records, want %d", len(refs), scopes*records)
		}
		for n := range scopes {
			if end := h.ends[fmt.Sprint(n)]; end.GetCount() != records || end.GetOutcome() != complete {
				t.Errorf("scope %d is %v", n, end)
			}
		}
	})
}

func TestListingWarningsAreBounded(t *testing.T) {
	t.Parallel()
	h := oneScope(t, func(s *sdk.SubscriptionScope) error {
		for range 1500 {
			s.Warn("odd", "odd")
		}
		return nil
	})
	if len(h.warnings) != 1001 || h.warnings[1000].GetMessage() != "500 more warnings are not shown" {
		t.Errorf("%d warnings, the last %v", len(h.warnings), h.warnings[len(h.warnings)-1])
	}
}

func TestListingGivesUpWithItsHost(t *testing.T) {
	t.Parallel()
	result := make(chan error, 1)
	started := make(chan struct{})
	client := ready(t, &fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
		err := out.Scope(ctx, "a", "", func(s *sdk.SubscriptionScope) error {
			close(started)
			for i := 0; ; i++ {
				if err := s.Send(numbered(i)); err != nil {
					return nil //nolint:nilerr // swallowed by the plugin: Scope must tell it nevertheless
				}
			}
		})
		result <- err
		return err
	}})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := client.ListSubscriptions(ctx, &distributorv1.ListSubscriptionsRequest{}); err != nil {
		t.Fatal(err)
	}
	<-started
	cancel()
	if err := <-result; err == nil {
		t.Error("Scope returned nil after the host went away")
	}
}

func TestCustomersAreListed(t *testing.T) {
	t.Parallel()
	h := listCustomers(t, ready(t, &fake{customers: func(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
		return out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
			return errors.Join(s.Send(sdk.Customer{Ref: "c1", Name: "Acme"}), s.Send(sdk.Customer{Name: "Nobody"}))
		})
	}}))
	if len(h.customers) != 1 || h.customers[0].GetName() != "Acme" {
		t.Errorf("customers are %v", h.customers)
	}
	if h.end.GetOutcome() != partial || len(h.warnings) != 1 || !strings.Contains(h.warnings[0].GetMessage(), `"Nobody"`) {
		t.Errorf("end is %v, warnings are %v", h.end, h.warnings)
	}
}

func TestListRequestNarrows(t *testing.T) {
	t.Parallel()
	seen := make(chan sdk.ListRequest, 1)
	listSubscriptions(t, ready(t, &fake{subscriptions: func(_ context.Context, req sdk.ListRequest, _ *sdk.SubscriptionListing) error {
		seen <- req
		return nil
	}}), "A-1")
	req := <-seen
	if !req.Wants("a-1") || req.Wants("a-2") || !(sdk.ListRequest{}).Wants("a-2") {
		t.Errorf("%v wants the wrong customers", req)
	}
}

func TestListRequestTellsTheLastCompleteReading(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 2, 15, 0, 250, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, sdk.Instant(began): began, "2026-03-01T13:15:00.00000025+11:00": began, "2026-03-01": {}, "yesterday": {},
	} {
		seen := make(chan sdk.ListRequest, 1)
		client := ready(t, &fake{subscriptions: func(_ context.Context, req sdk.ListRequest, _ *sdk.SubscriptionListing) error {
			seen <- req
			return nil
		}})
		stream, err := client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{LastComplete: text})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = stream.Recv()
		}
		if req := <-seen; !req.LastComplete.Equal(want) || len(req.CustomerRefs) != 0 {
			t.Errorf("%q is told as %v, want %v", text, req, want)
		}
	}
}
