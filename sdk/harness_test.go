// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// noSettings is for plugins that take none.
type noSettings struct{}

// fake is a distributor made of functions.
type fake struct {
	sdk.Unimplemented
	customers     func(context.Context, sdk.ListRequest, *sdk.CustomerListing) error
	subscriptions func(context.Context, sdk.ListRequest, *sdk.SubscriptionListing) error
}

func (f *fake) ListCustomers(ctx context.Context, req sdk.ListRequest, out *sdk.CustomerListing) error {
	if f.customers == nil {
		return f.Unimplemented.ListCustomers(ctx, req, out)
	}
	return f.customers(ctx, req, out)
}

func (f *fake) ListSubscriptions(ctx context.Context, req sdk.ListRequest, out *sdk.SubscriptionListing) error {
	if f.subscriptions == nil {
		return f.Unimplemented.ListSubscriptions(ctx, req, out)
	}
	return f.subscriptions(ctx, req, out)
}

// pluginOf gives a plugin whose connection is d.
func pluginOf(d sdk.Distributor) sdk.Plugin[noSettings] {
	return sdk.Plugin[noSettings]{
		Name: "fake", Version: "1.2.3",
		Connect: func(context.Context, noSettings, sdk.Env) (sdk.Distributor, error) { return d, nil },
	}
}

// dial serves a plugin in this process and connects to it with the limits of a host.
func dial(t testing.TB, plugin any, log io.Writer) distributorv1.DistributorServiceClient {
	t.Helper()
	if log == nil {
		log = io.Discard
	}
	logger := hclog.New(&hclog.LoggerOptions{Output: log, JSONFormat: true, Level: hclog.Trace})
	server, err := wire.Bridge.NewServer(plugin, logger)
	if err != nil {
		t.Fatal(err)
	}
	return dialServer(t, server, transport.ServerOptions()...)
}

func dialServer(t testing.TB, server distributorv1.DistributorServiceServer, limits ...grpc.ServerOption) distributorv1.DistributorServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	grpcServer := grpc.NewServer(append(limits, grpc.WaitForHandlers(true))...)
	distributorv1.RegisterDistributorServiceServer(grpcServer, server)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = grpcServer.Serve(listener)
	}()
	options := append(transport.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	conn, err := grpc.NewClient("passthrough:///plugin", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		grpcServer.Stop()
		<-served
	})
	return distributorv1.NewDistributorServiceClient(conn)
}

// ready serves a plugin with connection d and configures it.
func ready(t testing.TB, d sdk.Distributor) distributorv1.DistributorServiceClient {
	t.Helper()
	client := dial(t, pluginOf(d), nil)
	configure(t, client, nil)
	return client
}

func text(value string) *distributorv1.SettingValue {
	return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: value}}
}

func configure(t testing.TB, client distributorv1.DistributorServiceClient, settings map[string]*distributorv1.SettingValue) {
	t.Helper()
	response, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{Settings: settings})
	if err != nil {
		t.Fatalf("configure: %v", err)
	}
	if len(response.GetDiagnostics()) > 0 {
		t.Fatalf("configure: %v", response.GetDiagnostics())
	}
}

// heard is what a host hears of a listing.
type heard struct {
	events    []string
	customers []*distributorv1.Customer
	records   []*distributorv1.Subscription
	batches   []int
	begins    map[string]*distributorv1.ScopeBegin
	ends      map[string]*distributorv1.ScopeEnd
	warnings  []*distributorv1.Warning
	progress  []*distributorv1.Progress
	gone      []*distributorv1.Tombstone
	begin     *distributorv1.ListingBegin
	end       *distributorv1.ListingEnd
}

func newHeard() *heard {
	return &heard{begins: map[string]*distributorv1.ScopeBegin{}, ends: map[string]*distributorv1.ScopeEnd{}}
}

func (h *heard) subscriptionEvent(r *distributorv1.ListSubscriptionsResponse) {
	switch e := r.GetEvent().(type) {
	case *distributorv1.ListSubscriptionsResponse_Records:
		h.events = append(h.events, "records "+e.Records.GetScopeRef())
		h.records = append(h.records, e.Records.GetSubscriptions()...)
		h.batches = append(h.batches, len(e.Records.GetSubscriptions()))
	default:
		h.common(r.GetBegin(), r.GetScopeBegin(), r.GetTombstone(), r.GetWarning(), r.GetProgress(), r.GetScopeEnd(), r.GetEnd())
	}
}

func (h *heard) customerEvent(r *distributorv1.ListCustomersResponse) {
	switch e := r.GetEvent().(type) {
	case *distributorv1.ListCustomersResponse_Records:
		h.events = append(h.events, "records "+e.Records.GetScopeRef())
		h.customers = append(h.customers, e.Records.GetCustomers()...)
		h.batches = append(h.batches, len(e.Records.GetCustomers()))
	default:
		h.common(r.GetBegin(), r.GetScopeBegin(), r.GetTombstone(), r.GetWarning(), r.GetProgress(), r.GetScopeEnd(), r.GetEnd())
	}
}

func (h *heard) common(begin *distributorv1.ListingBegin, scope *distributorv1.ScopeBegin, gone *distributorv1.Tombstone,
	warning *distributorv1.Warning, progress *distributorv1.Progress, scopeEnd *distributorv1.ScopeEnd, end *distributorv1.ListingEnd,
) {
	switch {
	case begin != nil:
		h.events, h.begin = append(h.events, "begin"), begin
	case scope != nil:
		h.events = append(h.events, "scope "+scope.GetScopeRef())
		h.begins[scope.GetScopeRef()] = scope
	case gone != nil:
		h.events, h.gone = append(h.events, "gone "+gone.GetRef()), append(h.gone, gone)
	case warning != nil:
		h.events, h.warnings = append(h.events, "warning "+warning.GetCode()), append(h.warnings, warning)
	case progress != nil:
		h.progress = append(h.progress, progress) // Not among the events: it depends on the clock.
	case scopeEnd != nil:
		h.events = append(h.events, "end of "+scopeEnd.GetScopeRef())
		h.ends[scopeEnd.GetScopeRef()] = scopeEnd
	case end != nil:
		h.events, h.end = append(h.events, "end"), end
	}
}

// listSubscriptions hears a listing to its end.
func listSubscriptions(t testing.TB, client distributorv1.DistributorServiceClient, refs ...string) *heard {
	t.Helper()
	stream, err := client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{CustomerRefs: refs})
	if err != nil {
		t.Fatal(err)
	}
	h := newHeard()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %v: %v", h.events, err)
		}
		h.subscriptionEvent(r)
	}
	if h.end == nil {
		t.Fatalf("the listing has no end: %v", h.events)
	}
	return h
}

// listCustomers hears a listing to its end.
func listCustomers(t testing.TB, client distributorv1.DistributorServiceClient) *heard {
	t.Helper()
	stream, err := client.ListCustomers(t.Context(), &distributorv1.ListCustomersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHeard()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %v: %v", h.events, err)
		}
		h.customerEvent(r)
	}
	if h.end == nil {
		t.Fatalf("the listing has no end: %v", h.events)
	}
	return h
}

// streamError gives what a listing fails with before its first event.
func streamError(t testing.TB, client distributorv1.DistributorServiceClient) *sdk.Error {
	t.Helper()
	stream, err := client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	var e *sdk.Error
	if !errors.As(transport.ErrorFromStatus(err), &e) {
		t.Fatalf("got %v, want an *sdk.Error", err)
	}
	return e
}

// oversized is a plugin not made with the SDK, whose messages are larger than a host accepts.
type oversized struct {
	distributorv1.UnimplementedDistributorServiceServer
}

func (*oversized) Describe(context.Context, *distributorv1.DescribeRequest) (*distributorv1.DescribeResponse, error) {
	return &distributorv1.DescribeResponse{Name: strings.Repeat("x", transport.MaxReceivedBytes)}, nil
}
