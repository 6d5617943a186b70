// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// asError gives what a call failed with, as the host sees it.
func asError(t *testing.T, err error) *sdk.Error {
	t.Helper()
	var e *sdk.Error
	if !errors.As(transport.ErrorFromStatus(err), &e) {
		t.Fatalf("got %v, want an *sdk.Error", err)
	}
	return e
}

func TestDescribeNeedsNoSettings(t *testing.T) {
	t.Parallel()
	plugin := settingsPlugin(new(everySetting), nil)
	plugin.Vendor, plugin.HostVersions, plugin.DocumentationURL = "Acme", ">= 1.2, < 3", "https://acme.example"
	plugin.Capabilities = sdk.Capabilities{
		RefsIgnoreCase: true, SubscriptionScope: sdk.ScopeContainer, AbsenceMeansEnded: true, StatusImplied: true,
		ListingTotal: true, Addresses: true, RequestsPerMinute: 60,
	}
	got, err := dial(t, plugin, nil).Describe(t.Context(), &distributorv1.DescribeRequest{HostVersion: "9.9.9"})
	if err != nil {
		t.Fatal(err)
	}
	got.Settings = nil
	want := &distributorv1.DescribeResponse{
		Name: "fake", DisplayName: "fake", Version: "1.0.0", Vendor: "Acme", HostVersions: ">= 1.2, < 3", DocumentationUrl: "https://acme.example",
		Capabilities: &distributorv1.Capabilities{
			RefComparison:     distributorv1.RefComparison_REF_COMPARISON_IGNORE_CASE,
			SubscriptionScope: distributorv1.ScopeKind_SCOPE_KIND_CONTAINER,
			Absence:           distributorv1.AbsenceMeaning_ABSENCE_MEANING_ENDED,
			StatusSource:      distributorv1.StatusSource_STATUS_SOURCE_IMPLIED,
			ListingTotal:      ptr(true), Addresses: ptr(true), RequestsPerMinute: ptr(int32(60)),
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// able has every optional ability.
type able struct {
	fake
	test  func(context.Context, *sdk.ConnectionTest) error
	close func() error
}

func (*able) FiltersCustomers() {}

func (a *able) TestConnection(ctx context.Context, t *sdk.ConnectionTest) error {
	return a.test(ctx, t)
}

func (a *able) Close() error { return a.close() }

// describer speaks as whom its settings say.
type describer struct {
	fake
	name string
}

func (d *describer) Describe() (string, sdk.Capabilities) {
	return d.name, sdk.Capabilities{RefsIgnoreCase: true}
}

func TestSettingsMaySayWhoADistributorIs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Harbour Telecom": "Harbour Telecom", "": "fake"} {
		client := dial(t, pluginOf(&describer{name: name}), nil)
		describe := func() *distributorv1.DescribeResponse {
			t.Helper()
			d, err := client.Describe(t.Context(), &distributorv1.DescribeRequest{})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		if d := describe(); d.GetDisplayName() != "fake" || d.GetCapabilities().GetRefComparison() != distributorv1.RefComparison_REF_COMPARISON_UNSPECIFIED {
			t.Errorf("before Configure: %v", d)
		}
		configure(t, client, nil)
		if d := describe(); d.GetDisplayName() != want || d.GetCapabilities().GetRefComparison() != distributorv1.RefComparison_REF_COMPARISON_IGNORE_CASE ||
			d.GetCapabilities().CustomerFilter == nil {
			t.Errorf("after it: %v", d)
		}
	}
}

func TestAbilitiesAreDescribedOnceConfigured(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		d       sdk.Distributor
		filters bool
		extra   []string
	}{
		{"none", &fake{}, false, nil},
		{"all", &able{}, true, []string{"connection_test"}},
	} {
		client := dial(t, pluginOf(test.d), nil)
		for range 2 { // Describing twice must not add up.
			before, err := client.Describe(t.Context(), &distributorv1.DescribeRequest{})
			if err != nil || before.GetCapabilities().CustomerFilter != nil {
				t.Fatalf("before: %v, %v", before, err)
			}
		}
		configure(t, client, nil)
		for range 2 {
			after, err := client.Describe(t.Context(), &distributorv1.DescribeRequest{})
			if err != nil || after.GetCapabilities().CustomerFilter == nil || after.GetCapabilities().GetCustomerFilter() != test.filters {
				t.Errorf("%s: %v, %v", test.name, after, err)
			}
			if diff := cmp.Diff(test.extra, after.GetCapabilities().GetExtra()); diff != "" {
				t.Errorf("%s: %s", test.name, diff)
			}
		}
	}
}

func TestCallsBeforeConfigureAskForIt(t *testing.T) {
	t.Parallel()
	client := dial(t, pluginOf(&fake{}), nil)
	if e := streamError(t, client); e.Class != sdk.ClassSettings || e.Hint == "" {
		t.Errorf("a listing fails with %v", e)
	}
	_, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
	if e := asError(t, err); e.Class != sdk.ClassSettings {
		t.Errorf("a test fails with %v", e)
	}
}

func TestConfigureHappensOnce(t *testing.T) {
	t.Parallel()
	client := ready(t, &fake{})
	_, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{})
	if e := asError(t, err); e.Class != sdk.ClassInvalid || !strings.Contains(e.Message, "once") {
		t.Errorf("the second Configure fails with %v", e)
	}
}

func TestConnectGetsItsEnvironment(t *testing.T) {
	t.Parallel()
	var got sdk.Env
	plugin := pluginOf(nil)
	plugin.Connect = func(_ context.Context, _ noSettings, env sdk.Env) (sdk.Distributor, error) {
		got = env
		return &fake{}, nil
	}
	if _, err := dial(t, plugin, nil).Configure(t.Context(), &distributorv1.ConfigureRequest{Tenant: "acme", Module: "fake-nz"}); err != nil {
		t.Fatal(err)
	}
	if got.Tenant != "acme" || got.Module != "fake-nz" || got.UserAgent != "tallyman-fake/1.2.3" || got.Log == nil {
		t.Errorf("the environment is %+v", got)
	}
}

func TestConnectCanFail(t *testing.T) {
	t.Parallel()
	connect := func(err error) (*distributorv1.ConfigureResponse, error) {
		plugin := pluginOf(nil)
		plugin.Connect = func(context.Context, noSettings, sdk.Env) (sdk.Distributor, error) { return nil, err }
		return dial(t, plugin, nil).Configure(t.Context(), &distributorv1.ConfigureRequest{})
	}
	response, err := connect(&sdk.Error{Class: sdk.ClassSettings, Field: "endpoint", Message: "is an old one", Hint: "Use v2."})
	if err != nil || len(response.GetDiagnostics()) != 1 || response.GetDiagnostics()[0].GetField() != "endpoint" {
		t.Errorf("a setting at fault gives %v, %v", response, err)
	}
	_, err = connect(errors.New("no memory"))
	if e := asError(t, err); e.Class != sdk.ClassInternal || e.Message != "no memory" {
		t.Errorf("another error gives %v", e)
	}
	_, err = connect(nil)
	if e := asError(t, err); e.Class != sdk.ClassInternal || !strings.Contains(e.Message, "neither") {
		t.Errorf("nothing gives %v", e)
	}
}

func TestAPanicEndsTheCallAndNotThePlugin(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	d := &able{test: func(_ context.Context, t *sdk.ConnectionTest) error {
		_ = t.Step("resolve", func(context.Context) (string, error) { return "found", nil })
		return t.Step("connect", func(context.Context) (string, error) { panic("no route") })
	}}
	d.subscriptions = func(context.Context, sdk.ListRequest, *sdk.SubscriptionListing) error {
		var m map[string]int
		m["x"] = 1 //nolint:staticcheck // a panic as vendors make it
		return nil
	}
	panics := true
	plugin := pluginOf(d)
	plugin.Connect = func(context.Context, noSettings, sdk.Env) (sdk.Distributor, error) {
		if panics {
			panics = false
			panic("at the disco")
		}
		return d, nil
	}
	client := dial(t, plugin, &log)
	_, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{})
	if e := asError(t, err); e.Class != sdk.ClassInternal || e.Origin != sdk.OriginPlugin || !strings.Contains(e.Message, "panicked while being configured: at the disco") {
		t.Errorf("Configure fails with %v", e)
	}
	configure(t, client, nil)
	h := listSubscriptions(t, client)
	if h.end.GetOutcome() != failed || !strings.Contains(h.end.GetError().GetMessage(), "assignment to entry in nil map") {
		t.Errorf("the listing ends %v", h.end)
	}
	response, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
	if err != nil || response.GetOk() || len(response.GetSteps()) != 2 || !strings.Contains(response.GetSteps()[1].GetError().GetMessage(), "no route") {
		t.Errorf("the test gives %v, %v", response, err)
	}
	stacks := 0
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry["@message"] == "panic" && strings.Contains(fmt.Sprint(entry["stack"]), "server_test.go") {
			stacks++
		}
	}
	if stacks != 3 {
		t.Errorf("%d stacks in the log, want 3:\n%s", stacks, log.String())
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestConnectionTests(t *testing.T) {
	t.Parallel()
	step := func(name string, err error) func(*sdk.ConnectionTest) error {
		return func(t *sdk.ConnectionTest) error {
			return t.Step(name, func(context.Context) (string, error) { return "tried " + name, err })
		}
	}
	tests := []struct {
		name  string
		steps []func(*sdk.ConnectionTest) error
		err   error
		want  *distributorv1.TestConnectionResponse
	}{
		{
			name:  "that succeed tell the account",
			steps: []func(*sdk.ConnectionTest) error{step("resolve", nil), step("read", nil)},
			want: &distributorv1.TestConnectionResponse{
				Ok: true, Account: "Acme", Visible: "2 agreements, 41 customers",
				Steps: []*distributorv1.TestStep{{Name: "resolve", Ok: true, Detail: "tried resolve"}, {Name: "read", Ok: true, Detail: "tried read"}},
			},
		},
		{
			name: "stop at the first step that fails, even if the plugin goes on",
			steps: []func(*sdk.ConnectionTest) error{
				step("resolve", nil), step("authenticate", sdk.Errorf(sdk.ClassAuth, "401").WithHint("Renew it.")), step("read", nil),
			},
			want: &distributorv1.TestConnectionResponse{
				Account: "Acme", Visible: "2 agreements, 41 customers",
				Steps: []*distributorv1.TestStep{{Name: "resolve", Ok: true, Detail: "tried resolve"}, {
					Name: "authenticate", Detail: "tried authenticate",
					Error: &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_AUTH, Message: "401", Hint: "Renew it."},
				}},
			},
		},
		{
			name: "that fail outside a step have a step for it", err: errors.New("odd"),
			want: &distributorv1.TestConnectionResponse{
				Account: "Acme", Visible: "2 agreements, 41 customers",
				Steps: []*distributorv1.TestStep{{
					Name: "test", Error: &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, Message: "odd"},
				}},
			},
		},
		{
			name: "that try nothing prove nothing",
			want: &distributorv1.TestConnectionResponse{
				Account: "Acme", Visible: "2 agreements, 41 customers",
				Steps: []*distributorv1.TestStep{{
					Name:  "test",
					Error: &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, Message: "the plugin tried no step"},
				}},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := ready(t, &able{test: func(_ context.Context, ct *sdk.ConnectionTest) error {
				ct.Account("Acme")
				ct.Visible("%d agreements, %d customers", 2, 41)
				for _, step := range test.steps {
					_ = step(ct)
				}
				return test.err
			}})
			got, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectionsWithoutATestAreTestedByListing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		list    func(context.Context, *sdk.CustomerListing) error
		ok      bool
		visible string
		class   distributorv1.ErrorClass
	}{
		{name: "with customers", ok: true, visible: "at least 500 customers", list: func(ctx context.Context, out *sdk.CustomerListing) error {
			return out.Scope(ctx, "a", "", func(s *sdk.CustomerScope) error {
				for i := 0; ; i++ { // Without end: a test must not read it all.
					if err := s.Send(sdk.Customer{Ref: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
			})
		}},
		{name: "with no customers", ok: true, visible: "no customers", list: func(ctx context.Context, out *sdk.CustomerListing) error {
			return out.Scope(ctx, "a", "", func(*sdk.CustomerScope) error { return nil })
		}},
		{name: "with a scope that fails", class: distributorv1.ErrorClass_ERROR_CLASS_AUTH, list: func(ctx context.Context, out *sdk.CustomerListing) error {
			return out.Scope(ctx, "a", "", func(*sdk.CustomerScope) error { return sdk.Errorf(sdk.ClassAuth, "401") })
		}},
		{name: "with a listing that fails", class: distributorv1.ErrorClass_ERROR_CLASS_THROTTLED, list: func(context.Context, *sdk.CustomerListing) error {
			return sdk.Errorf(sdk.ClassThrottled, "429")
		}},
		{name: "with a listing that panics", class: distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, list: func(context.Context, *sdk.CustomerListing) error {
			panic("no")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := ready(t, &fake{customers: func(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
				return test.list(ctx, out)
			}})
			got, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if got.GetOk() != test.ok || got.GetVisible() != test.visible || len(got.GetSteps()) != 1 || got.GetSteps()[0].GetError().GetClass() != test.class {
				t.Errorf("got %v", got)
			}
		})
	}
}

// secretText has everything that is written in another way somewhere.
const secretText = `p&ss "wörd"/+<1>`

func TestSecretSettingsLeaveThePluginNowhere(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(secretText)
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{
		secretText, url.QueryEscape(secretText), url.PathEscape(secretText), string(quoted), fmt.Sprintf("%q", secretText),
		hex.EncodeToString([]byte(secretText)), html.EscapeString(secretText),
		base64.StdEncoding.EncodeToString([]byte(secretText)), base64.URLEncoding.EncodeToString([]byte(secretText)),
		base64.StdEncoding.EncodeToString([]byte("id:" + secretText)), base64.StdEncoding.EncodeToString([]byte("i:" + secretText + "!")),
		base64.RawURLEncoding.EncodeToString([]byte("{" + secretText)),
	}
	everything := strings.Join(forms, " | ")
	leak := &sdk.Error{Class: sdk.ClassAuth, Message: everything, Hint: everything, CorrelationID: everything, Field: everything}
	d := &able{test: func(_ context.Context, t *sdk.ConnectionTest) error {
		t.Account(everything)
		t.Visible("%s", everything)
		_ = t.Step("resolve", func(context.Context) (string, error) { return everything, nil })
		return t.Step("read", func(context.Context) (string, error) { return everything, leak })
	}}
	d.subscriptions = func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
		out.Warn("w", "%s", everything)
		_ = out.Scope(ctx, "a", "", func(s *sdk.SubscriptionScope) error {
			s.Warn("w", "%s", everything)
			s.Partial("p", "%s", everything)
			_ = s.Gone("x", "", everything)
			return leak
		})
		_ = out.Scope(ctx, "b", "", func(*sdk.SubscriptionScope) error { panic(everything) })
		return leak
	}
	plugin := sdk.Plugin[everySetting]{
		Name: "fake", Version: "1.0.0",
		Connect: func(context.Context, everySetting, sdk.Env) (sdk.Distributor, error) { return d, nil },
	}
	client := dial(t, plugin, nil)
	configure(t, client, map[string]*distributorv1.SettingValue{"client_id": text("id"), "client_secret": text(secretText), "pin": text("abc")})

	var shown strings.Builder
	response, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(&shown, response.GetAccount(), response.GetVisible())
	for _, step := range response.GetSteps() {
		e := step.GetError()
		fmt.Fprint(&shown, step.GetDetail(), e.GetMessage(), e.GetHint(), e.GetCorrelationId(), e.GetField())
	}
	h := listSubscriptions(t, client)
	for _, w := range h.warnings {
		fmt.Fprint(&shown, w.GetMessage())
	}
	for _, e := range []*distributorv1.ErrorDetail{h.ends["a"].GetError(), h.ends["b"].GetError(), h.end.GetError()} {
		fmt.Fprint(&shown, e.GetMessage(), e.GetHint(), e.GetCorrelationId(), e.GetField())
	}
	fmt.Fprint(&shown, h.gone[0].GetReason())
	if strings.Count(shown.String(), "***") < 10 {
		t.Errorf("little was redacted:\n%s", shown.String())
	}
	for _, form := range append(forms[:7:7], "wörd", "w%C3%B6rd", "3c3Agd8O2cmQ") {
		if strings.Contains(shown.String(), form) {
			t.Errorf("%q shows in:\n%s", form, shown.String())
		}
	}
	// What follows a text in base64 depends on its neighbours; the secret's inner characters must be gone.
	for _, form := range forms[7:] {
		if inner := form[8 : len(form)-4]; strings.Contains(shown.String(), inner) {
			t.Errorf("%q shows in:\n%s", inner, shown.String())
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	drain := func(t *testing.T, client distributorv1.DistributorServiceClient, wait time.Duration) error {
		_, err := client.Drain(t.Context(), &distributorv1.DrainRequest{DeadlineMilliseconds: wait.Milliseconds()})
		return err
	}

	t.Run("closes the connection and refuses new calls", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{}, 2)
		client := ready(t, &able{close: func() error { closed <- struct{}{}; return nil }})
		for range 2 {
			if err := drain(t, client, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if len(closed) != 1 {
			t.Errorf("closed %d times, want once", len(closed))
		}
		if e := streamError(t, client); e.Class != sdk.ClassTransient || !strings.Contains(e.Message, "being stopped") {
			t.Errorf("a call fails with %v", e)
		}
	})

	t.Run("waits for a call that ends in time", func(t *testing.T) {
		t.Parallel()
		started, finish := make(chan struct{}), make(chan struct{})
		client := ready(t, &fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
			return out.Scope(ctx, "a", "", func(s *sdk.SubscriptionScope) error {
				close(started)
				<-finish
				return s.Send(numbered(1))
			})
		}})
		result := make(chan *heard, 1)
		go func() { result <- listSubscriptions(t, client) }()
		<-started
		drained := make(chan error, 1)
		go func() { drained <- drain(t, client, time.Minute) }()
		for { // Until the plugin refuses new calls, so that it is draining.
			_, err := client.Describe(t.Context(), &distributorv1.DescribeRequest{})
			if status.Code(err) == codes.Unavailable {
				break
			}
		}
		close(finish)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if h := <-result; h.end.GetOutcome() != complete {
			t.Errorf("the listing ended %v", h.end)
		}
	})

	t.Run("cancels a call that does not", func(t *testing.T) {
		t.Parallel()
		started := make(chan struct{})
		client := ready(t, &fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
			return out.Scope(ctx, "a", "", func(*sdk.SubscriptionScope) error {
				close(started)
				<-ctx.Done()
				return ctx.Err()
			})
		}})
		result := make(chan *heard, 1)
		go func() { result <- listSubscriptions(t, client) }()
		<-started
		if err := drain(t, client, 2*time.Second); err != nil {
			t.Error(err)
		}
		h := <-result
		if h.end.GetOutcome() != failed || !strings.Contains(h.end.GetError().GetMessage(), "being stopped") {
			t.Errorf("the listing ended %v", h.end)
		}
		if h.ends["a"].GetOutcome() != failed {
			t.Errorf("its scope ended %v", h.ends["a"])
		}
	})

	t.Run("says when a call does not end at all", func(t *testing.T) {
		t.Parallel()
		started, finish := make(chan struct{}), make(chan struct{})
		client := ready(t, &fake{subscriptions: func(context.Context, sdk.ListRequest, *sdk.SubscriptionListing) error {
			close(started)
			<-finish
			return nil
		}})
		if _, err := client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{}); err != nil {
			t.Fatal(err)
		}
		<-started
		err := drain(t, client, time.Millisecond)
		close(finish)
		if e := asError(t, err); !strings.Contains(e.Message, "1 calls did not end") {
			t.Errorf("drain gives %v", e)
		}
	})
}
