// SPDX-License-Identifier: Apache-2.0

// Command badplugin is a plugin that misbehaves: at its start as the variable BAD_START says, in a call as the setting mode
// says. Otherwise it lists one customer with two subscriptions. It is written against the contract itself, not with the
// SDK, which would not let it.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// stdout and stderr are the descriptors themselves, whatever go-plugin makes of os.Stdout and os.Stderr.
var (
	stdout = os.NewFile(1, "stdout")
	stderr = os.NewFile(2, "stderr")
)

func main() {
	s := &server{start: os.Getenv("BAD_START")}
	plugins := transport.ServerPlugins(s)
	switch s.start {
	case "protocol":
		plugins = map[int]plugin.PluginSet{9: plugins[transport.ProtocolVersion]}
	case "stdout":
		fmt.Fprintln(stdout, "starting up, please wait")
	case "panic":
		panic("no bananas left")
	case "exit":
		fmt.Fprintln(stderr, "cannot find my files")
		os.Exit(3)
	case "hang":
		select {}
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  transport.Handshake(),
		VersionedPlugins: plugins,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxSendMsgSize(64<<20))...)
		},
	})
	if s.mode == "hang at exit" {
		select {}
	}
}

type server struct {
	distributorv1.UnimplementedDistributorServiceServer
	start, mode string
}

func (s *server) Describe(context.Context, *distributorv1.DescribeRequest) (*distributorv1.DescribeResponse, error) {
	d := &distributorv1.DescribeResponse{
		Name: "rhipe", DisplayName: "Bad", Version: "1.2.3", Vendor: "Testers",
		Capabilities: &distributorv1.Capabilities{Absence: distributorv1.AbsenceMeaning_ABSENCE_MEANING_ENDED},
	}
	for _, name := range []string{"client_id", "client_secret", "api_base_url", "token_url", "max_attempts", "retry_wait", "requests_per_minute", "mode"} {
		kind := distributorv1.SettingType_SETTING_TYPE_STRING
		if name == "max_attempts" || name == "requests_per_minute" {
			kind = distributorv1.SettingType_SETTING_TYPE_INTEGER
		}
		d.Settings = append(d.Settings, &distributorv1.SettingField{Name: name, Type: kind, Secret: name == "client_secret"})
	}
	switch s.start {
	case "name":
		d.Name = "someone-else"
	case "host":
		d.HostVersions = ">= 99.1"
	case "panic in Describe":
		panic("cannot describe myself")
	}
	return d, nil
}

func (s *server) Configure(_ context.Context, r *distributorv1.ConfigureRequest) (*distributorv1.ConfigureResponse, error) {
	s.mode = r.GetSettings()["mode"].GetText()
	switch s.mode {
	case "panic in Configure":
		panic("these settings are too much for me")
	case "hang in Configure":
		select {}
	}
	return &distributorv1.ConfigureResponse{}, nil
}

func (s *server) Drain(context.Context, *distributorv1.DrainRequest) (*distributorv1.DrainResponse, error) {
	return &distributorv1.DrainResponse{}, nil
}

func (s *server) ListCustomers(
	_ *distributorv1.ListCustomersRequest, stream grpc.ServerStreamingServer[distributorv1.ListCustomersResponse],
) error {
	if s.mode == "panic with the customers" {
		panic("boom with the customers")
	}
	for _, e := range []*distributorv1.ListCustomersResponse{
		{Event: &distributorv1.ListCustomersResponse_Begin{Begin: &distributorv1.ListingBegin{}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeBegin{ScopeBegin: &distributorv1.ScopeBegin{ScopeRef: "account"}}},
		{Event: &distributorv1.ListCustomersResponse_Records{Records: &distributorv1.CustomerBatch{
			ScopeRef: "account", Customers: []*distributorv1.Customer{{Ref: "c1", Name: "Alpha"}},
		}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeEnd{ScopeEnd: &distributorv1.ScopeEnd{ScopeRef: "account", Outcome: complete, Count: 1}}},
		{Event: &distributorv1.ListCustomersResponse_End{End: &distributorv1.ListingEnd{Outcome: complete, Count: 1, Scopes: 1}}},
	} {
		if err := stream.Send(e); err != nil {
			return err
		}
	}
	return nil
}

const complete = distributorv1.Outcome_OUTCOME_COMPLETE

// out sends the events of a subscription listing.
type out struct {
	stream grpc.ServerStreamingServer[distributorv1.ListSubscriptionsResponse]
}

// send ends the call, and not the process, when the host does not read any more.
func (o out) send(e *distributorv1.ListSubscriptionsResponse) {
	if err := o.stream.Send(e); err != nil {
		runtime.Goexit()
	}
}

// records begins the listing and sends subscriptions of these quantities.
func (o out) records(quantities ...string) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Begin{Begin: &distributorv1.ListingBegin{}}})
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeBegin{
		ScopeBegin: &distributorv1.ScopeBegin{ScopeRef: "account", Name: "the account"},
	}})
	batch := &distributorv1.SubscriptionBatch{ScopeRef: "account"}
	for i, quantity := range quantities {
		ref := fmt.Sprintf("s%d", i+1)
		batch.Subscriptions = append(batch.Subscriptions, &distributorv1.Subscription{
			Ref: ref, CustomerRef: "c1", Name: "Subscription " + ref, State: distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
			Items: []*distributorv1.Item{{Quantity: &quantity}},
		})
	}
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Records{Records: batch}})
}

func (o out) scopeEnd(count int64) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeEnd{
		ScopeEnd: &distributorv1.ScopeEnd{ScopeRef: "account", Outcome: complete, Count: count},
	}})
}

func (o out) end(count int64) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_End{
		End: &distributorv1.ListingEnd{Outcome: complete, Count: count, Scopes: 1},
	}})
}

func (o out) good() {
	o.records("5", "2")
	o.scopeEnd(2)
	o.end(2)
}

func (s *server) ListSubscriptions(
	_ *distributorv1.ListSubscriptionsRequest, stream grpc.ServerStreamingServer[distributorv1.ListSubscriptionsResponse],
) error {
	o := out{stream}
	switch s.mode {
	case "panic":
		o.records("6")
		panic("boom in a call")
	case "panic elsewhere":
		o.records("6")
		go panic("boom in a goroutine")
		select {}
	case "exit":
		o.records("6")
		fmt.Fprintln(stderr, "I have had enough")
		os.Exit(7)
	case "exit as if all were well":
		o.records("6")
		os.Exit(0)
	case "killed":
		o.records("6")
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {}
	case "hang":
		o.records("6")
		select {}
	case "hang at once":
		select {}
	case "flood":
		for i := range 20_000 {
			fmt.Fprintf(stderr, "line %d of far too many\n", i)
		}
		fmt.Fprintln(stderr, strings.Repeat("long ", 1<<20))
		o.good()
	case "large":
		o.records(strings.Repeat("6", 10<<20))
		o.scopeEnd(1)
		o.end(1)
	case "status":
		o.records("6")
		return status.Error(codes.DataLoss, "something odd")
	case "no end":
		o.records("5")
	case "wrong count":
		o.records("5")
		o.scopeEnd(2)
		o.end(2)
	case "end before the scope's":
		o.records("5")
		o.end(1)
	case "no number":
		o.records("many", "2")
		o.scopeEnd(2)
		o.end(2)
	default:
		o.good()
	}
	return nil
}
