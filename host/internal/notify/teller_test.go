// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/notify/mailtest"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
	"github.com/tallymanhq/tallyman/sdk"
)

// installation is a database with a module acme/rhipe, and a clock.
type installation struct {
	*testing.T
	url    string
	hours  atomic.Int64
	store  *store.Store
	module store.Module
	hook   *hook
}

// onBoth runs a test on a new installation of each kind of database.
func onBoth(t *testing.T, test func(in *installation)) {
	t.Helper()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "t.db") },
		"postgres": func(t *testing.T) string { return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &installation{T: t, url: url(t), hook: newHook(t)}
			in.store = in.open()
			in.module = in.add("acme")
			test(in)
		})
	}
}

func (in *installation) now() time.Time { return begin.Add(time.Duration(in.hours.Load()) * time.Hour) }

// open opens the database as another host does.
func (in *installation) open() *store.Store {
	in.Helper()
	s, err := store.Open(in.Context(), store.Options{URL: in.url, Now: in.now})
	in.must(err)
	in.Cleanup(func() { in.must(s.Close()) })
	return s
}

func (in *installation) must(err error) {
	in.Helper()
	if err != nil {
		in.Fatal(err)
	}
}

// add adds the module rhipe of a tenant.
func (in *installation) add(tenant string) store.Module {
	in.Helper()
	row, err := in.store.EnsureTenant(in.Context(), tenant, "")
	in.must(err)
	m, err := in.store.EnsureModule(in.Context(), row.ID, "rhipe", "rhipe")
	in.must(err)
	return m
}

// ran records a sync that ended now.
func (in *installation) ran(m store.Module, outcome, code string) {
	in.Helper()
	run := store.Run{TenantID: m.TenantID, ModuleID: m.ID, Mode: "sync", Trigger: "schedule", Entities: "customers,subscriptions", StartedAt: in.now()}
	in.must(in.store.StartRun(in.Context(), &run))
	at := in.now()
	run.FinishedAt, run.Outcome, run.ErrorCode, run.Error = &at, outcome, code, "it did not work"
	run.CustomersComplete, run.SubscriptionsComplete = outcome == "succeeded", outcome == "succeeded"
	in.must(in.store.FinishRun(in.Context(), &run))
}

// teller tells of tenants' modules through the hook, named hook, and whatever is added.
func (in *installation) teller(s *store.Store, tenants ...string) *Teller {
	t := &Teller{
		Store: s, Log: hclog.NewNullLogger(), Now: in.now, RemindAfter: 24 * time.Hour, Zone: time.UTC,
		Channels: map[string]Sender{"hook": &Webhook{sdk.NewSecret(in.hook.url), sdk.NewSecret(signingKey), time.Minute}},
		Routes:   []Route{{Channels: []string{"hook"}, Severity: Warn}},
	}
	for _, tenant := range tenants {
		t.Modules = append(t.Modules, Watched{
			Tenant: tenant, Module: "rhipe", Entities: integrator.Entities{Customers: true, Subscriptions: true}, StaleAfter: 36 * time.Hour, MaxRefused: 3,
		})
	}
	return t
}

// look looks at all modules and delivers.
func (in *installation) look(t *Teller) {
	in.Helper()
	in.must(t.Look(in.Context()))
	in.must(t.Round(in.Context()))
	_, err := t.Deliver(in.Context())
	in.must(err)
}

// told gives what arrived so far: kinds and modules.
func (in *installation) told() string {
	in.Helper()
	var list []string
	for _, p := range in.hook.got() {
		var body webhookBody
		in.must(json.Unmarshal([]byte(p.body), &body))
		list = append(list, fmt.Sprint(body.Type, " ", body.Data.Tenant))
	}
	return strings.Join(list, ", ")
}

func (in *installation) wantTold(want string) {
	in.Helper()
	if got := in.told(); got != want {
		in.Errorf("after %d hours, told is %q, want %q", in.hours.Load(), got, want)
	}
}

func TestFailingIsToldOnceAndWhenItIsOver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		teller := in.teller(in.store, "acme")
		in.look(teller)
		for range 3 {
			in.ran(in.module, "failed", "distributor.auth")
			in.look(teller)
			in.look(teller)
		}
		in.wantTold("failed acme, stopped acme")
		in.hours.Store(37)
		in.look(teller)
		in.look(teller)
		in.wantTold("failed acme, stopped acme, failed acme, stopped acme, stale acme")
		in.ran(in.module, "cancelled", "")
		in.look(teller)
		in.ran(in.module, "succeeded", "")
		in.look(teller)
		in.look(teller)
		in.wantTold("failed acme, stopped acme, failed acme, stopped acme, stale acme, recovered acme")
		open, err := in.store.OpenIncidents(in.Context(), 0, 0)
		in.must(err)
		if len(open) != 0 {
			in.Errorf("open are %+v", open)
		}
	})
}

func TestAMutedModuleIsToldOfAfterwards(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		teller := in.teller(in.store, "acme", "beta")
		beta := in.add("beta")
		in.must(in.store.AddMute(in.Context(), store.Mute{TenantID: in.module.TenantID, ModuleID: &in.module.ID, Until: in.now().Add(2 * time.Hour), Reason: "works", Who: "me"}))
		in.ran(in.module, "failed", "a")
		in.ran(beta, "failed", "a")
		in.look(teller)
		in.wantTold("failed beta")
		in.hours.Store(3)
		in.look(teller)
		in.wantTold("failed beta, failed acme")
		// A module that is no longer in the configuration is not spoken of any more.
		teller.Modules = teller.Modules[1:]
		in.look(teller)
		open, err := in.store.OpenIncidents(in.Context(), 0, 0)
		in.must(err)
		if len(open) != 1 || open[0].TenantID != beta.TenantID {
			in.Errorf("open are %+v", open)
		}
		in.wantTold("failed beta, failed acme")
	})
}

func TestAChannelThatIsDownGetsItsMessagesWhenItIsBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		server := mailtest.New(t, StartTLS)
		teller := in.teller(in.store, "acme")
		teller.Channels["mail"] = email(server, StartTLS)
		teller.Channels["not here"] = nil
		teller.Routes[0].Channels = []string{"hook", "mail", "not here"}
		in.hook.answers(http.StatusServiceUnavailable, "down")
		in.ran(in.module, "failed", "a")
		for range 3 {
			in.look(teller)
		}
		if mails := server.Sent(); len(mails) != 1 || !strings.Contains(mails[0].Text, "Subject: [Tallyman] acme/rhipe failed: a: it did not work") {
			in.Fatalf("mails are %+v", mails)
		}
		waiting, err := in.store.Undelivered(in.Context(), 0)
		in.must(err)
		at := slices.IndexFunc(waiting, func(m store.Message) bool { return m.Channel == "hook" })
		if len(waiting) != 2 || waiting[at].Attempts != 1 || !strings.Contains(waiting[at].Error, "503") || strings.Contains(waiting[at].Error, "topsecret") {
			in.Fatalf("waiting are %+v", waiting)
		}
		in.hours.Store(1)
		in.look(teller)
		in.hook.answers(http.StatusOK, "")
		in.look(teller)
		in.wantTold("") // it is not its time yet
		in.hours.Store(2)
		in.look(teller)
		in.look(teller)
		in.wantTold("failed acme")
		if len(server.Sent()) != 1 {
			in.Error("the mail was sent again")
		}

		in.hook.answers(http.StatusServiceUnavailable, "down")
		in.ran(in.module, "succeeded", "")
		in.look(teller)
		in.hours.Store(2 + 73)
		in.look(teller)
		in.hook.answers(http.StatusOK, "")
		in.hours.Store(2 + 74)
		waiting, err = in.store.Undelivered(in.Context(), 0)
		in.must(err)
		given := 0
		for _, m := range waiting {
			if m.Channel == "hook" && m.FailedAt != nil && m.Kind == "recovered" {
				given++
			}
		}
		if given != 1 {
			in.Errorf("after three days these are kept as not delivered: %+v", waiting)
		}
	})
}

// TestNobodyIsToldOfTheEndBeforeTheBeginning: the message of the failure has to wait for the channel, that of another module does
// not.
func TestNobodyIsToldOfTheEndBeforeTheBeginning(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		teller := in.teller(in.store, "acme", "beta")
		beta := in.add("beta")
		in.hook.answers(http.StatusServiceUnavailable, "down")
		in.ran(in.module, "failed", "a")
		in.look(teller)
		in.hook.answers(http.StatusOK, "")
		in.ran(in.module, "succeeded", "")
		in.ran(beta, "failed", "b")
		for range 2 {
			in.look(teller)
		}
		in.wantTold("failed beta")
		waiting, err := in.store.Undelivered(in.Context(), 0)
		in.must(err)
		if len(waiting) != 2 || waiting[1].Attempts != 0 || !waiting[1].NextAt.Equal(waiting[0].NextAt) {
			in.Errorf("waiting are %+v", waiting)
		}
		in.hours.Store(1)
		in.look(teller)
		in.wantTold("failed beta, failed acme, recovered acme")
	})
}

// TestNothingIsToldOfAMutedModule: neither what had to wait for its channel, nor that it is over. Both are told afterwards.
func TestNothingIsToldOfAMutedModule(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		teller := in.teller(in.store, "acme", "beta")
		beta := in.add("beta")
		in.ran(beta, "failed", "b")
		in.look(teller)
		in.wantTold("failed beta")
		in.hook.answers(http.StatusServiceUnavailable, "down")
		in.ran(in.module, "failed", "a")
		in.look(teller)
		for _, m := range []store.Module{in.module, beta} {
			in.must(in.store.AddMute(in.Context(), store.Mute{
				TenantID: m.TenantID, ModuleID: &m.ID, Until: in.now().Add(5 * time.Hour), Reason: "moving", Who: "kim",
			}))
		}
		in.hook.answers(http.StatusOK, "")
		in.ran(in.module, "succeeded", "")
		in.ran(beta, "succeeded", "")
		for range 4 {
			in.hours.Add(1)
			in.look(teller)
		}
		in.wantTold("failed beta")
		in.hours.Add(2)
		in.look(teller)
		in.look(teller)
		in.wantTold("failed beta, failed acme, recovered acme, recovered beta")
	})
}

func TestSeveralHostsTellOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		const tenants = 8
		modules := []store.Module{in.module}
		names := []string{"acme"}
		for i := 1; i < tenants; i++ {
			names = append(names, fmt.Sprint("t", i))
			modules = append(modules, in.add(names[i]))
		}
		hosts := make([]*Teller, 3)
		for i := range hosts {
			hosts[i] = in.teller(in.open(), names...)
			hosts[i].DigestAt = &DigestTime{Hour: 3}
			hosts[i].Routes[0].Severity = Info
		}
		all := func() {
			var wait sync.WaitGroup
			for _, host := range hosts {
				wait.Go(func() { in.look(host) })
			}
			wait.Wait()
		}
		// once wants each tenant to be told of so.
		seen := 0
		once := func(kind Kind, digests int) {
			in.Helper()
			got := strings.Split(in.told(), ", ")[seen:]
			seen += len(got)
			var want []string
			for _, name := range names {
				want = append(want, fmt.Sprint(kind, " ", name))
			}
			for range digests {
				want = append(want, "digest ")
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				in.Errorf("told is %q, want %q", got, want)
			}
		}
		for _, m := range modules {
			in.ran(m, "failed", "a")
		}
		all()
		once(Failed, 0)
		in.hours.Store(25)
		all()
		all()
		once(Failed, 1)
		for _, m := range modules {
			in.ran(m, "succeeded", "")
		}
		all()
		once(Recovered, 0)
		in.hours.Store(26)
		all()
		if got := len(in.hook.got()); got != seen {
			in.Errorf("%d messages more", got-seen)
		}
	})
}

func TestTheDigestNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	onBoth(t, func(in *installation) {
		in.add("beta")
		teller := in.teller(in.store, "acme", "beta")
		teller.DigestAt = &DigestTime{Hour: 2}
		teller.Routes = []Route{{Channels: []string{"hook"}, Kinds: []Kind{Digest}, Severity: Severe, Tenants: []string{"acme"}}}
		in.look(teller)
		in.ran(in.module, "failed", "a")
		in.hours.Store(24)
		in.look(teller)
		in.look(teller)
		posts := in.hook.got()
		if len(posts) != 2 || !strings.Contains(posts[0].body, "all is well: 1 module") {
			in.Fatalf("posted are %v", posts)
		}
		for _, want := range []string{"1 of 1 module not as they should be", "acme/rhipe: failed since 2026-03-02 02:00 UTC: acme/rhipe failed in run 1: a: it did not work"} {
			if !strings.Contains(posts[1].body, want) {
				in.Errorf("the digest lacks %q: %s", want, posts[1].body)
			}
		}
	})
}
