// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// run is one run under way.
type run struct {
	*Integrator
	store   *store.Store
	req     Request
	log     hclog.Logger
	started time.Time
	// holder is the run's name in the lease.
	holder string
	leases leases

	tenant store.Tenant
	module store.Module
	record store.Run
	// from is the module that a move carries over from; its id is zero in any other run.
	from store.Module

	source Source
	info   Info
	key    refKey

	// narrow holds the keys, narrowRefs the refs of the distributor customers the run is narrowed to; nil: all.
	narrow     map[string]bool
	narrowRefs []string

	customers     customerListing
	subscriptions subscriptionListing
	planned       plan

	details Details
	counts  map[string]int
	// requests is how many requests to the distributor the plugin told of, answers how many of them were answered with which
	// HTTP status; 0: with none.
	requests int64
	answers  map[int]int64
	// applied: the plan was written.
	applied bool
	// broken says, by entity, why a listing could not be used. The run goes on with the other entity.
	broken map[string]error
}

// open makes the rows a run needs and takes the module's lease.
func (i *Integrator) open(ctx context.Context, req Request) (*run, error) {
	req.Module.Unmatched = cmp.Or(req.Module.Unmatched, UnmatchedHold)
	r := &run{Integrator: i, store: i.Store, req: req, counts: map[string]int{}, broken: map[string]error{}, key: exactKey}
	r.holder = i.holderOfRun()
	var err error
	if r.tenant, err = i.Store.EnsureTenant(ctx, req.Module.Tenant, req.Module.TenantName); err != nil {
		return nil, err
	}
	if r.module, err = i.Store.EnsureModule(ctx, r.tenant.ID, req.Module.Name, req.Module.Plugin); err != nil {
		return nil, err
	}
	if err = r.approving(ctx); err != nil {
		return nil, err
	}
	req = r.req
	if err = r.movingFrom(ctx); err != nil {
		return nil, err
	}
	if err = r.lease(ctx); err != nil {
		return nil, err
	}
	if req.Confirm != nil {
		if err = req.Confirm(ctx); err != nil {
			return nil, errors.Join(err, r.release(ctx))
		}
	}
	// Not before: until then somebody else's run of the module may have been under way.
	r.started = i.now().UTC()
	r.record = store.Run{
		TenantID: r.tenant.ID, ModuleID: r.module.ID, Mode: string(req.Mode),
		Trigger: cmp.Or(req.Trigger, "command"), Who: req.Who, Entities: req.Entities.String(),
		Customers: joinIDs(req.Customers), Holder: r.holder, StartedAt: r.started,
	}
	r.record.WishID = req.Wish
	if req.Approve != 0 {
		r.record.ApprovesRunID = &req.Approve
	}
	if err = i.Store.StartRun(ctx, &r.record); err != nil {
		return nil, errors.Join(err, r.release(ctx))
	}
	r.log = i.Log.With("run", r.record.ID, "tenant", req.Module.Tenant, "module", req.Module.Name)
	return r, nil
}

// approving narrows the approval of a run that was narrowed to the same customers.
func (r *run) approving(ctx context.Context) error {
	if r.req.Approve == 0 || len(r.req.Customers) > 0 {
		return nil
	}
	held, err := r.store.Run(ctx, r.req.Approve)
	if err != nil || held.Customers == "" {
		return err
	}
	return json.Unmarshal([]byte("["+held.Customers+"]"), &r.req.Customers)
}

// connect starts the plugin and finds out whom the run is about.
func (r *run) connect(ctx context.Context) error {
	r.progress("open", 0, "")
	if err := r.store.CloseAbandoned(ctx, r.module.ID, r.record.ID); err != nil {
		return err
	}
	source, err := r.Open(ctx, r.req.Module, strconv.FormatInt(r.record.ID, 10))
	if err != nil {
		return err
	}
	r.source, r.info = source, source.Info()
	r.record.PluginVersion, r.record.PluginSHA256 = r.info.Version, r.info.SHA256
	if r.info.RefsIgnoreCase {
		r.key = foldedKey
	}
	for _, warning := range r.info.Warnings {
		r.details.warn("%s", warning)
	}
	if r.module.Distributor != r.info.Distributor {
		if err := r.store.SetDistributor(ctx, r.module.ID, r.info.Distributor); err != nil {
			return err
		}
		r.module.Distributor = r.info.Distributor
	}
	return r.narrowDown(ctx)
}

// narrowDown finds the distributor customers behind the customers the run is narrowed to.
func (r *run) narrowDown(ctx context.Context) error {
	if len(r.req.Customers) == 0 {
		return nil
	}
	if err := r.loadKnown(ctx); err != nil {
		return err
	}
	var ids []int64
	for _, k := range r.planned.known {
		if slices.Contains(r.req.Customers, k.customer) {
			ids = append(ids, k.id)
		}
	}
	slices.Sort(ids)
	rows, err := r.store.DistributorCustomersByID(ctx, r.module.ID, ids)
	if err != nil {
		return err
	}
	r.narrow = map[string]bool{}
	for _, row := range rows {
		r.narrow[row.RefKey] = true
		r.narrowRefs = append(r.narrowRefs, row.Ref)
	}
	if len(r.narrow) == 0 {
		return &Problem{
			Code:    "run.customer_not_mapped",
			Message: fmt.Sprintf("none of the customers asked for is mapped in %s", r.req.Module),
			Hint:    fmt.Sprintf("See %q, and map it with %q.", "tallyman mappings list "+r.req.Module.String(), "tallyman mappings add"),
		}
	}
	return nil
}

// finish records how the run ended and gives the report. It works even when ctx is over.
func (r *run) finish(ctx context.Context, err error) (*Report, error) {
	ctx = context.WithoutCancel(ctx)
	if r.source != nil {
		if closeErr := r.source.Close(ctx); closeErr != nil {
			r.log.Warn("the plugin did not end cleanly", "error", closeErr)
		}
		r.record.Crash = r.source.Crash()
	}
	if died := (*pluginhost.CrashError)(nil); r.record.Crash == nil && errors.As(err, &died) {
		r.record.Crash = jsonText(died.Record) // at its start, before there was a source to ask
	}
	err = errors.Join(err, r.subscriptions.delta.close())
	if err == nil {
		err = r.brokenError()
	}
	report := r.report(err)
	if r.record.FinishedAt == nil || err != nil {
		r.fill(report)
		if finishErr := r.store.FinishRun(ctx, &r.record); finishErr != nil {
			err = errors.Join(err, fmt.Errorf("record the end of run %d: %w", r.record.ID, finishErr))
		}
	}
	if releaseErr := r.release(ctx); releaseErr != nil {
		r.log.Warn("the lease could not be given back; it ends by itself", "error", releaseErr)
	}
	return report, err
}

// brokenError gives the reason why nothing at all could be read, if that is so.
func (r *run) brokenError() error {
	for _, entity := range []string{"customers", "subscriptions"} {
		if err := r.broken[entity]; err != nil {
			return err
		}
	}
	return nil
}

// report sums the run up.
func (r *run) report(err error) *Report {
	if r.planned.held > 0 {
		r.counts[CountHeld] = r.planned.held
	}
	rep := &Report{
		Run: r.record.ID, Module: r.req.Module.String(), Mode: r.req.Mode, Counts: r.counts, Details: r.details,
		Error: ProblemOf(err), Started: r.started, Duration: r.now().Sub(r.started),
		CustomersComplete:     r.customers.complete && r.narrow == nil,
		SubscriptionsComplete: r.subscriptions.complete && r.narrow == nil,
		Requests:              r.requests, Answers: r.answers, Crashed: r.record.Crash != nil,
	}
	rep.Outcome = r.outcome(err)
	return rep
}

func (r *run) outcome(err error) Outcome {
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case err != nil:
		return Failed
	case r.planned.held > 0:
		return Held
	case len(r.details.Warnings) > 0 || len(r.details.Left) > 0:
		return Warning
	case r.counts[CountApplied] > 0:
		return Succeeded
	default:
		return NoChange
	}
}

// fill copies the report into the run's record.
func (r *run) fill(report *Report) {
	now := r.now().UTC()
	r.record.FinishedAt = &now
	r.record.Outcome = string(report.Outcome)
	r.record.Counts = jsonText(report.Counts)
	r.record.Report = jsonText(report.Details)
	r.record.CustomersComplete = r.applied && r.req.Mode == Sync && report.CustomersComplete
	r.record.SubscriptionsComplete = r.applied && r.req.Mode == Sync && report.SubscriptionsComplete
	if report.Error != nil {
		r.record.ErrorCode, r.record.Error = report.Error.Code, report.Error.Message
	}
}

func (r *run) progress(stage string, done int, text string) {
	if r.req.Progress != nil {
		r.req.Progress(Progress{Stage: stage, Done: done, Text: text})
	}
}

func (r *run) count(name string, n int) {
	if n != 0 {
		r.counts[name] += n
	}
}

// listingFailed notes that a listing cannot be used. Credentials or settings that are refused end the run, so that no
// account is locked; after anything else the run goes on with the other entity.
func (r *run) listingFailed(ctx context.Context, entity string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var told *sdk.Error
	if errors.As(err, &told) {
		switch told.Class {
		case sdk.ClassAuth, sdk.ClassSettings:
			return err
		}
	}
	r.broken[entity] = err
	return nil
}

// judge looks at how a listing ended. A listing of which nothing was read has failed.
func (r *run) judge(ctx context.Context, entity string, result pluginhost.Result) error {
	r.requests += result.Requests
	if r.answers == nil {
		r.answers = map[int]int64{}
	}
	for status, n := range result.Answers {
		r.answers[status] += n
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	told := map[string]bool{}
	for _, s := range result.Scopes {
		scope := Scope{Entity: entity, Ref: s.Ref, Name: s.Name, Outcome: s.Outcome.String(), Count: int(s.Count), Error: ProblemOf(s.Err)}
		r.details.Scopes = append(r.details.Scopes, scope)
		why := problemText(scope.Error)
		if s.Outcome != pluginhost.OutcomeComplete && told[why] {
			why = "for a reason given above"
		}
		told[why] = true
		switch s.Outcome {
		case pluginhost.OutcomeFailed:
			r.details.warn("%s: %s could not be read; nothing of it was touched: %s", entity, scopeTitle(s.Name, s.Ref), why)
		case pluginhost.OutcomePartial:
			r.details.warn("%s: only part of %s could be read, so nothing counts as missing from it: %s", entity, scopeTitle(s.Name, s.Ref), why)
		}
	}
	for _, w := range result.Warnings {
		if !isReason(w, result.Scopes) {
			r.details.warn("%s", w.Text())
		}
	}
	if more := result.WarningCount - len(result.Warnings); more > 0 {
		r.details.WarningsLeft += more
	}
	if result.Outcome == pluginhost.OutcomeFailed {
		err := result.Err
		if err == nil {
			err = &Problem{Code: "listing.failed", Message: fmt.Sprintf("the plugin could not list %s and did not say why", entity)}
		}
		return r.listingFailed(ctx, entity, err)
	}
	if len(result.Scopes) > 0 && len(failedScopes(result)) == len(result.Scopes) {
		return r.listingFailed(ctx, entity, fmt.Errorf("list %s: %w", entity, result.Scopes[0].Err))
	}
	return nil
}

// isReason reports whether a warning is why a scope was not read completely, which has been said already.
func isReason(w pluginhost.Warning, scopes []pluginhost.ScopeResult) bool {
	return slices.ContainsFunc(scopes, func(s pluginhost.ScopeResult) bool {
		return s.Ref == w.Scope && s.Outcome != pluginhost.OutcomeComplete && s.Err != nil && ProblemOf(s.Err).Message == w.Message
	})
}

func scopeTitle(name, ref string) string { return (&scopeState{ref: ref, name: name}).title() }

func problemText(p *Problem) string {
	switch {
	case p == nil:
		return "no reason was given"
	case p.Hint != "":
		return strings.TrimRight(p.Message, ".") + ". " + p.Hint
	default:
		return p.Message
	}
}

func joinIDs(ids []int64) string {
	b, _ := json.Marshal(ids)
	if len(ids) == 0 {
		return ""
	}
	return string(b[1 : len(b)-1])
}

func hashKey(key string) uint64 { return xxhash.Sum64String(key) }
