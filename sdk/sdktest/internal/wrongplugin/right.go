// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// right keeps every rule, but for what its hooks change.
type right struct {
	distributorv1.UnimplementedDistributorServiceServer

	beforeServe, afterServe func()
	describe                func(*distributorv1.DescribeResponse)
	// accept takes what is wrong with the settings, and may forget it.
	accept func(url string, wrong []*distributorv1.Diagnostic) []*distributorv1.Diagnostic
	tested func(*distributorv1.TestConnectionResponse)
	// event may change an event, leave it out, or add others.
	event func(e *event) []*event
	// failed is told what a listing failed with, and gives what is said of it.
	failed func(error) error
	// listing is called when a listing begins.
	listing func(ctx context.Context, p *right)
	// interrupted is called when a listing is cancelled or its deadline is over.
	interrupted func()
	// key changes the key that is used.
	key func(context.Context, *right) string
	// prefetch reads a whole answer before it is sent, keep holds on to every record.
	prefetch, keep           bool
	ignoreParent             bool
	unconfigured, neverDrain bool

	mu       sync.Mutex
	settings map[string]string
	draining bool
	calls    sync.WaitGroup
	kept     []string
}

// event is one of either listing.
type event struct {
	customers     bool
	refs          []string // asked for
	begin         *distributorv1.ListingBegin
	scopeBegin    *distributorv1.ScopeBegin
	records       []*distributorv1.Customer
	subscriptions []*distributorv1.Subscription
	scopeEnd      *distributorv1.ScopeEnd
	end           *distributorv1.ListingEnd
}

const scope = "account"

func (p *right) Describe(context.Context, *distributorv1.DescribeRequest) (*distributorv1.DescribeResponse, error) {
	d := &distributorv1.DescribeResponse{
		Name: "right", DisplayName: "Right", Version: "1.0.0", Capabilities: &distributorv1.Capabilities{CustomerFilter: new(true)},
		Settings: []*distributorv1.SettingField{
			{Name: "url", Type: distributorv1.SettingType_SETTING_TYPE_URL, Required: true, Help: "Where it is."},
			{Name: "key", Type: distributorv1.SettingType_SETTING_TYPE_STRING, Required: true, Secret: true, Help: "A key."},
			{
				Name: "mood", Type: distributorv1.SettingType_SETTING_TYPE_STRING, Choices: []string{"good", "better"},
				DefaultValue: new("good"), Help: "How it feels.",
			},
		},
	}
	if p.describe != nil {
		p.describe(d)
	}
	return d, nil
}

func (p *right) Configure(_ context.Context, r *distributorv1.ConfigureRequest) (*distributorv1.ConfigureResponse, error) {
	settings := map[string]string{}
	for name, value := range r.GetSettings() {
		settings[name] = value.GetText()
	}
	var wrong []*distributorv1.Diagnostic
	refuse := func(field, message string) {
		wrong = append(wrong, &distributorv1.Diagnostic{Severity: distributorv1.Severity_SEVERITY_ERROR, Field: field, Message: message})
	}
	for _, name := range []string{"url", "key"} {
		if settings[name] == "" {
			refuse(name, "it is missing")
		}
	}
	if u, err := url.Parse(settings["url"]); settings["url"] != "" && (err != nil || u.Scheme != "http") {
		refuse("url", "it is no URL")
	}
	if mood := settings["mood"]; !slices.Contains([]string{"", "good", "better"}, mood) {
		refuse("mood", "it is good or better")
	}
	if p.accept != nil {
		wrong = p.accept(settings["url"], wrong)
	}
	if len(wrong) == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settings = settings
	}
	return &distributorv1.ConfigureResponse{Diagnostics: wrong}, nil
}

func (p *right) TestConnection(ctx context.Context, _ *distributorv1.TestConnectionRequest) (*distributorv1.TestConnectionResponse, error) {
	step := &distributorv1.TestStep{Name: "read", Ok: true, Detail: "the customers"}
	r := &distributorv1.TestConnectionResponse{Ok: true, Steps: []*distributorv1.TestStep{step}}
	for _, path := range []string{"/customers", "/subscriptions"} {
		if err := p.read(ctx, path, func(*element) error { return nil }); err != nil {
			r.Ok, step.Ok, step.Error = false, false, detail(err)
			break
		}
	}
	if p.tested != nil {
		p.tested(r)
	}
	return r, nil
}

func (p *right) Drain(ctx context.Context, _ *distributorv1.DrainRequest) (*distributorv1.DrainResponse, error) {
	p.mu.Lock()
	p.draining = !p.neverDrain
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.calls.Wait()
	}()
	select {
	case <-ended:
		return &distributorv1.DrainResponse{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *right) ListCustomers(
	r *distributorv1.ListCustomersRequest, s distributorv1.DistributorService_ListCustomersServer,
) error {
	return p.list(s.Context(), "/customers", r.GetCustomerRefs(), func(e *event) error { return s.Send(e.asCustomers()) })
}

func (p *right) ListSubscriptions(
	r *distributorv1.ListSubscriptionsRequest, s distributorv1.DistributorService_ListSubscriptionsServer,
) error {
	return p.list(s.Context(), "/subscriptions", r.GetCustomerRefs(), func(e *event) error { return s.Send(e.asSubscriptions()) })
}

// list reads a list and sends it as a listing of one scope.
func (p *right) list(ctx context.Context, path string, refs []string, send func(*event) error) error {
	p.mu.Lock()
	refused := p.settings == nil && !p.unconfigured || p.draining
	if !refused {
		p.calls.Add(1)
	}
	p.mu.Unlock()
	if refused {
		return status.Error(codes.FailedPrecondition, "not configured, or draining")
	}
	defer p.calls.Done()
	if p.listing != nil {
		p.listing(ctx, p)
	}
	customers := path == "/customers"
	emit := func(e *event) error {
		e.customers, e.refs = customers, refs
		list := []*event{e}
		if p.event != nil {
			list = p.event(e)
		}
		for _, e := range list {
			if err := send(e); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(emit(&event{begin: &distributorv1.ListingBegin{}}),
		emit(&event{scopeBegin: &distributorv1.ScopeBegin{ScopeRef: scope, Name: "the account"}})); err != nil {
		return err
	}
	var count int64
	batch := &event{}
	flush := func() error {
		full := batch
		batch = &event{}
		if len(full.records)+len(full.subscriptions) == 0 {
			return nil
		}
		return emit(full)
	}
	err := p.read(ctx, path, func(e *element) error {
		const most = 500
		if len(refs) > 0 && !slices.Contains(refs, e.customerRef()) {
			return nil
		}
		count++
		batch.add(e, customers)
		if len(batch.records)+len(batch.subscriptions) < most {
			return nil
		}
		return flush()
	})
	if failed := ctx.Err(); failed != nil {
		if p.interrupted != nil {
			p.interrupted()
		}
		return status.FromContextError(failed).Err()
	}
	if p.failed != nil {
		err = p.failed(err)
	}
	outcome := distributorv1.Outcome_OUTCOME_COMPLETE
	var why *distributorv1.ErrorDetail
	if err != nil {
		outcome, why = distributorv1.Outcome_OUTCOME_FAILED, detail(err)
	}
	return errors.Join(flush(),
		emit(&event{scopeEnd: &distributorv1.ScopeEnd{ScopeRef: scope, Outcome: outcome, Count: count, Error: why}}),
		emit(&event{end: &distributorv1.ListingEnd{Outcome: outcome, Count: count, Scopes: 1, Error: proto.CloneOf(why)}}))
}

// element is one of either list.
type element struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
}

func (e *element) customerRef() string {
	if e.Customer == "" {
		return e.ID
	}
	return e.Customer
}

func (e *event) add(from *element, customers bool) {
	if customers {
		e.records = append(e.records, &distributorv1.Customer{Ref: from.ID, Name: from.ID})
		return
	}
	e.subscriptions = append(e.subscriptions, &distributorv1.Subscription{
		Ref: from.ID, CustomerRef: from.Customer, Name: "Mail", State: distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
		Items: []*distributorv1.Item{{Quantity: new("3")}},
	})
}

// read reads a list to its end.
func (p *right) read(ctx context.Context, path string, each func(*element) error) error {
	resp, err := p.get(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	decoder := json.NewDecoder(resp.Body)
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return &failure{distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, fmt.Sprintf("the answer is no list (%v)", err)}
	}
	var all []*element
	for decoder.More() {
		e := &element{}
		if err := decoder.Decode(e); err != nil {
			return &failure{distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, err.Error()}
		}
		if p.keep {
			p.mu.Lock()
			p.kept = append(p.kept, string(make([]byte, keptBytes)))
			p.mu.Unlock()
		}
		if p.prefetch {
			p.kept = append(p.kept, string(make([]byte, keptBytes)))
			all = append(all, e)
		} else if err := each(e); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return &failure{distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, err.Error()}
	}
	for _, e := range all {
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

// keptBytes is how much a plugin that hoards keeps for a record.
const keptBytes = 2048

// get asks for a list, several times if the reason to fail may pass.
func (p *right) get(ctx context.Context, path string) (*http.Response, error) {
	p.mu.Lock()
	base, key := p.settings["url"], p.settings["key"]
	p.mu.Unlock()
	if p.key != nil {
		key = p.key(ctx, p)
	}
	var failed *failure
	for range 4 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err == nil && resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		failed = reason(resp, err)
		if failed.class != distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT && failed.class != distributorv1.ErrorClass_ERROR_CLASS_THROTTLED {
			return nil, failed
		}
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, failed
}

// failure is why a list could not be read.
type failure struct {
	class   distributorv1.ErrorClass
	message string
}

func (f *failure) Error() string { return f.message }

func reason(resp *http.Response, err error) *failure {
	if err != nil {
		return &failure{distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT, "the distributor does not answer"}
	}
	_ = resp.Body.Close()
	class := distributorv1.ErrorClass_ERROR_CLASS_INVALID
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		class = distributorv1.ErrorClass_ERROR_CLASS_AUTH
	case resp.StatusCode == http.StatusForbidden:
		class = distributorv1.ErrorClass_ERROR_CLASS_PERMISSION
	case resp.StatusCode == http.StatusNotFound:
		class = distributorv1.ErrorClass_ERROR_CLASS_NOT_FOUND
	case resp.StatusCode == http.StatusTooManyRequests:
		class = distributorv1.ErrorClass_ERROR_CLASS_THROTTLED
	case resp.StatusCode >= http.StatusInternalServerError:
		class = distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT
	}
	return &failure{class, resp.Status}
}

func detail(err error) *distributorv1.ErrorDetail {
	d := &distributorv1.ErrorDetail{
		Class: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, Origin: distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR, Message: err.Error(),
	}
	var f *failure
	if errors.As(err, &f) {
		d.Class = f.class
	}
	return d
}
