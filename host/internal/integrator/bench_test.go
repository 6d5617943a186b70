// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// benchSource makes up a distributor without a plugin process, so that a benchmark sees the host alone.
type benchSource struct {
	subscriptions int
	// quantity of every hundredth subscription.
	quantity string
}

func (*benchSource) Info() Info {
	return Info{Distributor: "Bench", Version: "1.0.0", AbsenceMeansEnded: true}
}
func (*benchSource) Crash() json.RawMessage      { return nil }
func (*benchSource) Close(context.Context) error { return nil }

func (s *benchSource) customers() int { return max(s.subscriptions/100, 1) }

func (s *benchSource) ListCustomers(context.Context, []string) (Listing, error) {
	list := make([]sdk.Customer, s.customers())
	for i := range list {
		list[i] = sdk.Customer{Ref: "c" + strconv.Itoa(i), Name: fmt.Sprintf("Customer %d", i)}
	}
	return &benchListing{events: func(yield func(pluginhost.Event)) {
		yield(pluginhost.Customers{Scope: "account", Customers: list})
	}, count: int64(len(list))}, nil
}

func (s *benchSource) ListSubscriptions(context.Context, []string, time.Time) (Listing, error) {
	return &benchListing{count: int64(s.subscriptions), batches: (s.subscriptions + 499) / 500, batch: s.batch}, nil
}

func (s *benchSource) batch(at int) pluginhost.Event {
	var list []*distributorv1.Subscription
	for i := at * 500; i < min((at+1)*500, s.subscriptions); i++ {
		quantity := "25"
		if i%100 == 0 {
			quantity = s.quantity
		}
		list = append(list, &distributorv1.Subscription{
			Ref: fmt.Sprintf("e2f1d7aa-90c4-ec11-b656-%012d", i), CustomerRef: "c" + strconv.Itoa(i%s.customers()),
			Name: "Business Premium", State: distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE, SourceStatus: "Active",
			BillingTerm: &distributorv1.Term{Kind: distributorv1.TermKind_TERM_KIND_RECURRING, Unit: distributorv1.TermUnit_TERM_UNIT_MONTH, Count: 1},
			StartedOn:   "2022-03-14T02:11:45Z",
			Items: []*distributorv1.Item{{
				Sku: "CFQ7TTC0LCHC:0002", Quantity: &quantity, Unit: "Licenses", ChargeKind: distributorv1.ChargeKind_CHARGE_KIND_RECURRING,
				PartnerCost: &distributorv1.Money{Amount: "27.36", Currency: "AUD"},
			}},
		})
	}
	return pluginhost.Subscriptions{Scope: "account", Subscriptions: list}
}

type benchListing struct {
	events      func(func(pluginhost.Event))
	batch       func(int) pluginhost.Event
	batches, at int
	count       int64
	queue       []pluginhost.Event
	begun       bool
}

func (l *benchListing) Next() (pluginhost.Event, error) {
	if !l.begun {
		l.begun = true
		if l.events != nil {
			l.events(func(e pluginhost.Event) { l.queue = append(l.queue, e) })
		}
		return pluginhost.ScopeBegin{Ref: "account"}, nil
	}
	if len(l.queue) > 0 {
		e := l.queue[0]
		l.queue = l.queue[1:]
		return e, nil
	}
	if l.at < l.batches {
		l.at++
		return l.batch(l.at - 1), nil
	}
	return nil, io.EOF
}

func (l *benchListing) Result() pluginhost.Result {
	return pluginhost.Result{
		Outcome: pluginhost.OutcomeComplete, Records: l.count,
		Scopes: []pluginhost.ScopeResult{{Ref: "account", Outcome: pluginhost.OutcomeComplete, Count: l.count}},
	}
}
func (*benchListing) Close() {}

// BenchmarkRun times a first import, an unchanged reading and one with 1 % changed, without a plugin process.
// TALLYMAN_BENCH_SUBSCRIPTIONS sets the number of subscriptions; the default is 10,000.
func BenchmarkRun(b *testing.B) {
	n := 10_000
	if text := os.Getenv("TALLYMAN_BENCH_SUBSCRIPTIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Options{URL: "sqlite:bench.db", BaseDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		source := &benchSource{subscriptions: n, quantity: "25"}
		i := &Integrator{
			Store: s, Log: hclog.NewNullLogger(), Holder: "bench",
			Open: func(context.Context, Module, string) (Source, error) { return source, nil },
		}
		req := Request{
			Mode: Sync, Entities: Entities{Customers: true, Subscriptions: true},
			Module: Module{Tenant: "t", Name: "m", Plugin: "bench", Unmatched: UnmatchedCreate, Limits: reconcile.DefaultLimits()},
		}
		for _, step := range []struct{ name, quantity, count string }{
			{"import", "25", CountCreated}, {"unchanged", "25", CountUnchanged}, {"changed", "26", CountUpdated},
		} {
			source.quantity = step.quantity
			begin := time.Now()
			report, err := i.Run(b.Context(), req)
			if err != nil {
				b.Fatal(err)
			}
			took := time.Since(begin)
			want := map[string]int{"import": n, "unchanged": n, "changed": (n + 99) / 100}[step.name]
			if report.Counts[step.count] != want {
				b.Fatalf("%s: %d %s, want %d", step.name, report.Counts[step.count], step.count, want)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/record-"+step.name)
		}
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.Sys)/(1<<20), "MiB-from-system")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
