// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// rival creates, by another module, the next of some customers whenever the run is about to apply its plan.
func (r *rig) rival(req *Request, names ...string) {
	r.t.Helper()
	other := r.another()
	req.Progress = func(p Progress) {
		if p.Stage != "apply" || len(names) == 0 {
			return
		}
		second := newFake()
		second.lists([]sdk.Customer{customer("x"+names[0], names[0])}, sub("x"+names[0], "x"+names[0], "1"))
		other.Open = func(context.Context, Module, string) (Source, error) { return second, nil }
		theirs := r.request()
		theirs.Module.Name, theirs.Planned = "second", nil
		names = names[1:]
		if _, err := other.Run(r.t.Context(), theirs); err != nil {
			r.t.Error(err)
		}
	}
}

// outcomes gives how the module's runs ended, oldest first.
func (r *rig) outcomes() string {
	r.t.Helper()
	_, module := r.ids()
	runs, err := r.Store.Runs(r.t.Context(), store.RunFilter{ModuleID: module})
	must(r.t, err)
	var list []string
	for _, run := range runs {
		list = append([]string{run.Outcome}, list...)
	}
	return strings.Join(list, " ")
}

func TestARunThatSomebodyForestalledIsMadeAgainOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rivals   []string
		outcomes string
	}{
		{nil, "succeeded"},
		{[]string{"Contoso"}, "failed succeeded"},
		{[]string{"Contoso", "Fabrikam"}, "failed failed"},
	} {
		t.Run(test.outcomes, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.lists([]sdk.Customer{customer("c1", "Contoso"), customer("c2", "Fabrikam")}, sub("u1", "c1", "5"))
			req := r.request()
			r.rival(&req, test.rivals...)
			asked := 0
			req.Confirm = func(context.Context) error { asked++; return nil }
			report, err := r.RunUnattended(t.Context(), req)
			got := r.outcomes()
			if got != test.outcomes || !strings.HasSuffix(got, string(report.Outcome)) || (err != nil) != (report.Outcome == Failed) {
				t.Errorf("the runs ended as %q, the report says %s, error %v", got, report.Outcome, err)
			}
			if asked != 1 {
				t.Errorf("whether it is wanted was asked %d times", asked)
			}
		})
	}
}

func TestARunThatIsNotWantedAnyMoreIsNotMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	r.sync()
	unwanted := errors.New("somebody else has run it")
	req := r.request()
	req.Confirm = func(ctx context.Context) error {
		// Nobody else can run it now.
		_, err := r.another().Run(ctx, r.request())
		busyError(t, err)
		return unwanted
	}
	if report, err := r.RunUnattended(t.Context(), req); report != nil || !errors.Is(err, unwanted) {
		t.Errorf("report %+v, error %v", report, err)
	}
	req = r.request()
	req.Wish = 4711
	if report, err := r.RunUnattended(t.Context(), req); report != nil || !errors.Is(err, store.ErrWishGone) {
		t.Errorf("report %+v, error %v", report, err)
	}
	if got := r.outcomes(); got != "succeeded" {
		t.Errorf("the runs ended as %q", got)
	}
	if leases, err := r.Store.Leases(t.Context(), 0); err != nil || len(leases) != 0 {
		t.Errorf("leases are left: %+v, %v", leases, err)
	}
}

func TestAWishEndsWithItsRunUnlessThatIsCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	r.sync()
	tenant, module := r.ids()
	wish, _, err := r.Store.AddWish(t.Context(), store.Wish{TenantID: tenant, ModuleID: module, Who: "ann"})
	must(t, err)
	// left gives the wishes that are left, and whether they were begun.
	left := func() string {
		t.Helper()
		list, err := r.Store.Wishes(t.Context(), tenant)
		must(t, err)
		text := ""
		for _, w := range list {
			text += fmt.Sprint(w.Who, " ", w.BegunAt != nil)
		}
		return text
	}
	req := r.request()
	req.Wish, req.Trigger, req.Who = wish.ID, "queue", wish.Who
	ctx, cancel := context.WithCancel(t.Context())
	req.Progress = func(p Progress) {
		if p.Stage == "apply" {
			if got := left(); got != "ann true" {
				t.Errorf("during the run the wishes are %q", got)
			}
			cancel()
		}
	}
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "6"))
	if report, err := r.Run(ctx, req); report == nil || report.Outcome != Cancelled {
		t.Fatalf("report %+v, error %v", report, err)
	}
	if got := left(); got != "ann false" {
		t.Errorf("after a run that was cancelled the wishes are %q", got)
	}
	req.Progress = nil
	report, err := r.Run(t.Context(), req)
	must(t, err)
	if got := left(); got != "" || report.Outcome != Succeeded {
		t.Errorf("after a run that %s the wishes are %q", report.Outcome, got)
	}
	run, err := r.Store.Run(t.Context(), report.Run)
	must(t, err)
	if run.Trigger != "queue" || run.Who != "ann" {
		t.Errorf("the run was made for %s %s", run.Trigger, run.Who)
	}
}
