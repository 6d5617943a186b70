// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// helperURL tells this test program, started again, that it is another host, and on which database.
const helperURL = "INTEGRATOR_TEST_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(helperURL); url != "" {
		if err := otherHost(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// otherHost makes a run. In the middle of its listing it says "reading" and waits for a line, or for ever.
func otherHost(url string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{URL: url})
	if err != nil {
		return err
	}
	f := newFake()
	f.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "7"))
	f.at = func(_ context.Context, step string) error {
		if step != "subscriptions" {
			return nil
		}
		fmt.Println("reading")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return err
	}
	i := &Integrator{
		Store: s, Log: hclog.NewNullLogger(), Holder: "other",
		Open: func(context.Context, Module, string) (Source, error) { return f, nil },
	}
	report, err := i.Run(ctx, Request{
		Module: Module{Tenant: "acme", Name: "fake", Plugin: "fake", Unmatched: UnmatchedCreate},
		Mode:   Sync, Entities: Entities{Customers: true, Subscriptions: true},
	})
	if report != nil {
		fmt.Println(report.Outcome)
	}
	return errors.Join(err, s.Close())
}

// other is another process that makes a run.
type other struct {
	t       *testing.T
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// startOther starts another process and waits until it is in the middle of its run.
func startOther(t *testing.T, url string) *other {
	t.Helper()
	o := &other{t: t, command: exec.CommandContext(t.Context(), os.Args[0])}
	o.command.Env = append(os.Environ(), helperURL+"="+url)
	o.command.Stderr = t.Output()
	var err error
	o.in, err = o.command.StdinPipe()
	must(t, err)
	out, err := o.command.StdoutPipe()
	must(t, err)
	o.out = bufio.NewReader(out)
	must(t, o.command.Start())
	if line := o.line(); line != "reading" {
		t.Fatalf("the other process says %q", line)
	}
	return o
}

func (o *other) line() string {
	line, _ := o.out.ReadString('\n')
	return strings.TrimSpace(line)
}

// goOn lets it end its run and gives the outcome.
func (o *other) goOn() string {
	o.t.Helper()
	_, err := o.in.Write([]byte("\n"))
	must(o.t, err)
	outcome := o.line()
	_ = o.command.Wait()
	return outcome
}

func busyError(t *testing.T, err error) {
	t.Helper()
	var held *store.LeaseHeldError
	if !errors.As(err, &held) || ProblemOf(err).Code != "run.module_busy" {
		t.Errorf("error %v, want that the module is busy", err)
	}
}

// later gives an integrator whose clock is that much ahead, and which so finds old leases expired.
func (r *rig) later(by time.Duration) *Integrator {
	r.t.Helper()
	now := func() time.Time { return time.Now().Add(by) }
	s, err := store.Open(r.t.Context(), store.Options{URL: r.url, Now: now})
	must(r.t, err)
	r.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	i := *r.Integrator
	i.Store, i.Now = s, now
	return &i
}

func TestTwoProcessesNeverRunAModuleTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	o := startOther(t, r.url)
	i := r.later(0)
	report, err := i.Run(t.Context(), r.request())
	busyError(t, err)
	if report != nil {
		t.Errorf("it ran all the same: %+v", report)
	}
	if outcome := o.goOn(); outcome != string(Succeeded) {
		t.Errorf("the other process ended as %q", outcome)
	}
	if _, err := i.Run(t.Context(), r.request()); err != nil {
		t.Errorf("after it had ended: %v", err)
	}
	if row := r.subscriptionRows()["u1"]; quantityOf(row) != "5" {
		t.Errorf("quantity %s", quantityOf(row))
	}
}

func TestADeadProcessBlocksAModuleOnlyUntilItsLeaseIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	o := startOther(t, r.url)
	must(t, o.command.Process.Kill())
	_ = o.command.Wait()
	_, err := r.later(0).Run(t.Context(), r.request())
	busyError(t, err)
	report, err := r.later(2*time.Minute).Run(t.Context(), r.request())
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
	_, module := r.ids()
	runs, err := r.Store.Runs(t.Context(), store.RunFilter{ModuleID: module})
	must(t, err)
	if len(runs) != 2 || runs[1].Outcome != "failed" || runs[1].ErrorCode != "run.abandoned" {
		t.Errorf("the dead process's run is recorded as %+v", runs)
	}
}

func TestASlowProcessWhoseLeaseWasTakenAppliesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	o := startOther(t, r.url)
	report, err := r.later(2*time.Minute).Run(t.Context(), r.request())
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
	if outcome := o.goOn(); outcome != string(Failed) {
		t.Errorf("the slow process ended as %q", outcome)
	}
	if row := r.subscriptionRows()["u1"]; quantityOf(row) != "5" {
		t.Errorf("the slow process wrote quantity %s", quantityOf(row))
	}
}

// TestTheOldHolderLeavesTheNewOneAlone: a run of the very same process, whose lease has expired and was taken by another
// run, neither applies, nor renews, nor gives back what is no longer its own.
func TestTheOldHolderLeavesTheNewOneAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	slow, quick := r.later(0), r.later(2*time.Minute)
	// It would be renewed every 20 seconds, which this test does not last.
	slow.Lease = time.Minute
	inMiddle, goOn := make(chan struct{}), make(chan struct{})
	slowFake := newFake()
	slowFake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "7"))
	slowFake.at = func(_ context.Context, step string) error {
		if step == "subscriptions" {
			close(inMiddle)
			<-goOn
		}
		return nil
	}
	slow.Open = func(context.Context, Module, string) (Source, error) { return slowFake, nil }
	var wait sync.WaitGroup
	var slowErr error
	var slowReport *Report
	slowRequest := r.request()
	slowRequest.Planned = nil
	wait.Go(func() { slowReport, slowErr = slow.Run(t.Context(), slowRequest) })
	<-inMiddle
	r.fake.at = func(_ context.Context, step string) error {
		if step != "subscriptions" {
			return nil
		}
		// The new holder is in the middle of its run while the old one ends.
		close(goOn)
		wait.Wait()
		leases, err := r.Store.Leases(t.Context(), 0)
		if err != nil || len(leases) != 1 {
			t.Errorf("leases %+v (%v): the old holder gave the new one's back", leases, err)
		}
		return nil
	}
	report, err := quick.Run(t.Context(), r.request())
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
	if !errors.Is(slowErr, store.ErrLeaseLost) || slowReport.Outcome != Failed || slowReport.Error.Code != "run.lease_lost" || slowReport.Counts[CountApplied] != 0 {
		t.Errorf("the old holder: error %v, report %+v", slowErr, slowReport)
	}
	if row := r.subscriptionRows()["u1"]; quantityOf(row) != "5" {
		t.Errorf("the old holder wrote quantity %s", quantityOf(row))
	}
}

// TestALostLeaseEndsTheRun: the watch finds out that somebody else has the lease, and the run ends without being asked.
func TestALostLeaseEndsTheRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	r.Lease = 3 * time.Second
	r.fake.at = func(ctx context.Context, step string) error {
		if step != "subscriptions" {
			return nil
		}
		// Somebody takes it over. The new holder's clock is ahead of that of this run, which goes on renewing meanwhile.
		_, module := r.ids()
		if _, err := r.later(24*time.Hour).Store.AcquireLease(ctx, store.Module{ID: module, TenantID: 1, Name: "fake"}, "somebody", "sync", time.Hour); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	report, err := r.Run(t.Context(), r.request())
	if !errors.Is(err, store.ErrLeaseLost) || report.Outcome != Failed {
		t.Errorf("outcome %s, error %v", report.Outcome, err)
	}
	leases, err := r.later(24*time.Hour).Store.Leases(t.Context(), 0)
	must(t, err)
	if len(leases) != 1 || leases[0].Holder != "somebody" {
		t.Errorf("leases %+v", leases)
	}
	if rows := r.subscriptionRows(); len(rows) != 0 {
		t.Errorf("it applied %+v", rows)
	}
}

func TestALeaseIsRenewedAsLongAsTheRunLasts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	i := r.later(0)
	i.Lease = 3 * time.Second
	r.fake.at = func(ctx context.Context, step string) error {
		if step != "subscriptions" {
			return nil
		}
		// The lease has to be extended three times before the listing begins.
		for n, last := 0, (time.Time{}); n < 4; {
			leases, err := r.Store.Leases(ctx, 0)
			if err != nil {
				return err
			}
			if len(leases) == 1 && leases[0].ExpiresAt.After(last) {
				n, last = n+1, leases[0].ExpiresAt
			}
		}
		return nil
	}
	report, err := i.Run(t.Context(), r.request())
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
}

func TestEveryRunHasAHolderOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	holders := map[string]bool{}
	for range 3 {
		run, err := r.Store.Run(t.Context(), r.sync().Run)
		must(t, err)
		if holders[run.Holder] || !strings.HasPrefix(run.Holder, "test, run ") {
			t.Errorf("holder %q; before it were %v", run.Holder, holders)
		}
		holders[run.Holder] = true
	}
}

// TestOneIntegratorRunsSeveralModulesAtOnce: the modules of two tenants at once, and none sees the other's.
func TestOneIntegratorRunsSeveralModulesAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Now = nil
	var wait sync.WaitGroup
	const n = 4
	errs := make([]error, n)
	open := func(_ context.Context, m Module, _ string) (Source, error) {
		f := newFake()
		f.lists([]sdk.Customer{customer("c1", "Contoso of "+m.Tenant)}, sub("u1", "c1", "5"))
		return f, nil
	}
	r.Open = open
	for i := range n {
		req := r.request()
		req.Planned = nil
		req.Module.Tenant = fmt.Sprint("tenant-", i)
		wait.Go(func() { _, errs[i] = r.Run(t.Context(), req) })
	}
	wait.Wait()
	must(t, errors.Join(errs...))
	for i := range n {
		r.module.Tenant = fmt.Sprint("tenant-", i)
		if row := r.subscriptionRows()["u1"]; row.Customer != "Contoso of "+r.module.Tenant {
			t.Errorf("tenant %d has %+v", i, row)
		}
	}
}

// TestRunsOfOneAccountDoNotMeet: a module that uses the same account as another waits until that one's run has ended, and
// that one waits for it, on whatever host.
func TestRunsOfOneAccountDoNotMeet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	o := startOther(t, r.url)
	i := r.later(0)
	r.fake.info.Sharing = []Module{r.module}
	waiting, listing := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.fake.at = func(_ context.Context, step string) error {
		if step == "customers" {
			close(listing)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first := r.request()
			first.Progress = func(p Progress) {
				if strings.Contains(p.Text, "sync of beta/fake, which uses the same account") {
					cancel()
				}
			}
			if report, err := i.Run(ctx, first); report != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("it did not wait: %v", err)
			}
		}
		return nil
	}
	req := r.request()
	req.Module.Tenant = "beta"
	req.Progress = func(p Progress) {
		if strings.Contains(p.Text, "same account: other") {
			once.Do(func() { close(waiting) })
		}
	}
	ended := make(chan error)
	go func() {
		_, err := i.Run(t.Context(), req)
		ended <- err
	}()
	<-waiting
	select {
	case <-listing:
		t.Error("it lists while the other run does")
	default:
	}
	if outcome := o.goOn(); outcome != string(Succeeded) {
		t.Errorf("the other process ended as %q", outcome)
	}
	must(t, <-ended)
	if leases, err := r.Store.Leases(t.Context(), 0); err != nil || len(leases) > 0 {
		t.Errorf("leases are left: %v, %v", leases, err)
	}
}

// TestAWaitForTheAccountEndsWithTheRun: a run that waits for the account of another is cancelled as any other.
func TestAWaitForTheAccountEndsWithTheRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := startOther(t, r.url)
	r.fake.info.Sharing = []Module{r.module}
	ctx, cancel := context.WithCancel(t.Context())
	req := r.request()
	req.Module.Tenant = "beta"
	req.Progress = func(p Progress) {
		if p.Text != "" {
			cancel()
		}
	}
	report, err := r.later(0).Run(ctx, req)
	if !errors.Is(err, context.Canceled) || report == nil || report.Outcome != Cancelled {
		t.Errorf("%v, %+v", err, report)
	}
	o.goOn()
}

// TestAWaitForTheAccountCostsNoneOfTheLease: a run that waited for its own module's lease, which was lent, longer than a lease
// lasts, has all of the time that a lease gives.
func TestAWaitForTheAccountCostsNoneOfTheLease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	i := r.later(0)
	i.Lease = time.Second
	tenant, module := r.module.Tenant, r.module.Name
	acme, err := i.Store.EnsureTenant(t.Context(), tenant, r.module.TenantName)
	must(t, err)
	row, err := i.Store.EnsureModule(t.Context(), acme.ID, module, r.module.Plugin)
	must(t, err)
	_, err = i.Store.AcquireLease(t.Context(), row, "other", "sync of beta/fake"+lent, 3*time.Second)
	must(t, err)
	r.fake.at = func(ctx context.Context, step string) error {
		if step != "customers" {
			return nil
		}
		select { // long enough for the lease to be renewed
		case <-time.After(500 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	report, err := i.Run(t.Context(), r.request())
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
}

// TestARunWithALeaseWaitsForNoOther: nobody renews what a move has while it waits, so it does not.
func TestARunWithALeaseWaitsForNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	i := r.later(0)
	_, err := i.Run(t.Context(), r.request())
	must(t, err)
	_, row, err := i.Store.FindModule(t.Context(), r.module.Tenant, r.module.Name)
	must(t, err)
	_, err = i.Store.AcquireLease(t.Context(), row, "other", "sync of beta/fake"+lent, time.Hour)
	must(t, err)
	req := r.request()
	req.Module.Name, req.Mode, req.Move = "another", Plan, &MoveFrom{Module: r.module.Name}
	_, err = i.Run(t.Context(), req)
	busyError(t, err)
	if leases, err := i.Store.Leases(t.Context(), 0); err != nil || len(leases) != 1 {
		t.Errorf("the move keeps a lease: %v, %v", leases, err)
	}
}

// TestALongApplyKeepsItsLease: the changes take longer to write than a lease lasts, and nobody gets the module meanwhile.
func TestALongApplyKeepsItsLease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	i := r.later(0)
	i.Lease = 900 * time.Millisecond
	other := r.later(0)
	var taken sync.WaitGroup
	var tookAnyway error
	req := r.request()
	var once sync.Once
	req.Planned = func(Change) {
		once.Do(func() {
			time.Sleep(3 * i.Lease / 2)
			taken.Go(func() {
				acme, err := other.Store.EnsureTenant(t.Context(), r.module.Tenant, r.module.TenantName)
				if err != nil {
					tookAnyway = err
					return
				}
				row, err := other.Store.EnsureModule(t.Context(), acme.ID, r.module.Name, r.module.Plugin)
				if err == nil {
					_, err = other.Store.AcquireLease(t.Context(), row, "another", "sync", time.Minute)
				}
				tookAnyway = err
			})
			time.Sleep(i.Lease)
		})
	}
	report, err := i.Run(t.Context(), req)
	must(t, err)
	r.wants(report, Succeeded, map[string]int{CountCreated: 1})
	taken.Wait()
	// Where one writes at a time, whoever wants the lease waits until the run has ended.
	var held *store.LeaseHeldError
	if !errors.As(tookAnyway, &held) && (r.Store.Shared() || tookAnyway != nil) {
		t.Errorf("another run that wanted the module meanwhile got %v", tookAnyway)
	}
}

// TestAWaitForTheAccountCostsNoneOfTheTime: runs.timeout is for the run itself.
func TestAWaitForTheAccountCostsNoneOfTheTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.lists([]sdk.Customer{customer("c1", "Contoso")}, sub("u1", "c1", "5"))
	i := r.later(0)
	i.Timeout = 3 * time.Second
	acme, err := i.Store.EnsureTenant(t.Context(), r.module.Tenant, r.module.TenantName)
	must(t, err)
	row, err := i.Store.EnsureModule(t.Context(), acme.ID, r.module.Name, r.module.Plugin)
	must(t, err)
	_, err = i.Store.AcquireLease(t.Context(), row, "other", "sync", 5*time.Second)
	must(t, err)
	r.fake.info.Sharing = []Module{r.module}
	req := r.request()
	req.Module.Tenant = "beta"
	report, err := i.Run(t.Context(), req)
	must(t, err)
	if report.Outcome != Succeeded {
		t.Errorf("it ended as %s", report.Outcome)
	}
}
