// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

const (
	complete = distributorv1.Outcome_OUTCOME_COMPLETE
	failed   = distributorv1.Outcome_OUTCOME_FAILED
)

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

func (o out) begin() {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Begin{Begin: &distributorv1.ListingBegin{}}})
}

func (o out) scope(ref string) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeBegin{
		ScopeBegin: &distributorv1.ScopeBegin{ScopeRef: ref, Name: "scope " + ref},
	}})
}

func (o out) records(scope string, refs ...string) {
	batch := &distributorv1.SubscriptionBatch{ScopeRef: scope}
	for _, ref := range refs {
		batch.Subscriptions = append(batch.Subscriptions, &distributorv1.Subscription{Ref: ref, CustomerRef: "c1", Name: "Subscription " + ref})
	}
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Records{Records: batch}})
}

func (o out) warn(scope, code, text string) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Warning{
		Warning: &distributorv1.Warning{ScopeRef: scope, Code: code, Message: text},
	}})
}

func (o out) scopeEnd(ref string, outcome distributorv1.Outcome, count int64) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeEnd{
		ScopeEnd: &distributorv1.ScopeEnd{ScopeRef: ref, Outcome: outcome, Count: count},
	}})
}

func (o out) end(count, scopes int64) {
	o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_End{
		End: &distributorv1.ListingEnd{Outcome: complete, Count: count, Scopes: scopes},
	}})
}

// good is one complete scope of two records.
func (o out) good() {
	o.begin()
	o.scope("a")
	o.records("a", "1", "2")
	o.scopeEnd("a", complete, 2)
	o.end(2, 1)
}

// half begins a scope and sends a record of it.
func (o out) half() {
	o.begin()
	o.scope("a")
	o.records("a", "1")
}

func (s *server) ListSubscriptions(
	r *distributorv1.ListSubscriptionsRequest, stream grpc.ServerStreamingServer[distributorv1.ListSubscriptionsResponse],
) error {
	o := out{stream}
	mode, argument := "good", ""
	if refs := r.GetCustomerRefs(); len(refs) > 0 {
		mode, argument, _ = strings.Cut(refs[0], ":")
	}
	switch mode {
	case "good":
		o.good()
	case "last-complete":
		o.begin()
		o.warn("", "asked", r.GetLastComplete())
		o.end(0, 0)
	case "panic":
		o.half()
		panic("boom in a call")
	case "panic-elsewhere":
		o.half()
		go panic("boom in a goroutine")
		select {}
	case "exit":
		o.half()
		os.Exit(7)
	case "hang":
		o.half()
		select {}
	case "hang-at-once":
		select {}
	case "ignore-cancel":
		o.half()
		<-stream.Context().Done()
		select {}
	case "flood":
		for i := range 20000 {
			fmt.Fprintf(stderr, "line %d of far too many\n", i)
		}
		o.good()
	case "large":
		o.half()
		o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Warning{
			Warning: &distributorv1.Warning{Message: strings.Repeat("x", 10<<20)},
		}})
	case "no-end":
		o.half()
		o.scopeEnd("a", complete, 1)
	case "failed-call":
		o.half()
		return transport.ErrorToStatus(sdk.Errorf(sdk.ClassThrottled, "the distributor says: later").WithHint("Wait."))
	case "plain-status":
		o.half()
		return status.Error(codes.DataLoss, "something odd")
	case "env":
		o.begin()
		o.scope("env")
		o.records("env", os.Environ()...)
		o.scopeEnd("env", complete, int64(len(os.Environ())))
		o.end(int64(len(os.Environ())), 1)
	case "stdin":
		o.begin()
		text, err := io.ReadAll(os.Stdin)
		o.warn("", "stdin", fmt.Sprintf("%q %v", text, err))
		o.end(0, 0)
	case "say":
		// The secret comes over the wire, in every way a plugin can say something.
		s.say(argument)
		o.begin()
		o.warn("", "said", "I know "+argument)
		return transport.ErrorToStatus(sdk.Errorf(sdk.ClassAuth, "token %s was refused", argument).WithHint("Not " + argument + "?"))
	case "stdout-late":
		fmt.Println("this went to os.Stdout")
		fmt.Fprintln(stdout, "this went to descriptor 1")
		o.good()
	case "odd-log":
		fmt.Fprintln(stderr, `{"@message": 1, "@level": {}}`)
		fmt.Fprintln(stderr, `{"@message": "fine", "@level": "warn", "@timestamp": 5, "n": 3}`)
		fmt.Fprintln(stderr, strings.Repeat("long ", 1<<20))
		fmt.Fprintln(stderr, "\x1b[31mred\x00\xff")
		o.good()
	case "memory":
		o.half()
		eatMemory()
	case "child":
		o.half()
		// A process of the plugin's own, which holds on to its standard error.
		cmd := exec.Command("/bin/sleep", "600")
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		o.warn("", "child", fmt.Sprint(cmd.Process.Pid))
		select {}
	case "bench":
		o.bench()
	case "slow":
		o.begin()
		for i := 0; ; i++ {
			select {
			case <-stream.Context().Done():
				return stream.Context().Err()
			case <-time.After(10 * time.Millisecond):
				o.warn("", "tick", fmt.Sprint(i))
			}
		}
	default:
		return status.Errorf(codes.InvalidArgument, "no mode %q", mode)
	}
	return nil
}

// say logs a text in several ways.
func (s *server) say(text string) {
	fmt.Fprintln(stderr, "plain "+text)
	fmt.Fprintf(stderr, `{"@level":"info","@message":"json %s","url":"https://x.example/?k=%s"}`+"\n", text, text)
	fmt.Fprintln(stderr, "panic: not really, but "+text)
	fmt.Println("stdout " + text)
	fmt.Fprintln(os.Stderr, "synced "+text)
	log.Print("log " + text)
}

// bench sends many records as fast as it can.
func (o out) bench() {
	const batches, size = 200, 500
	batch := &distributorv1.SubscriptionBatch{ScopeRef: "a"}
	for i := range size {
		batch.Subscriptions = append(batch.Subscriptions, &distributorv1.Subscription{
			Ref: fmt.Sprintf("0f8fad5b-d9cb-469f-a165-%012d", i), CustomerRef: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Name: "Microsoft 365 Business Premium",
			State: distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE, SourceStatus: "Active", StartedOn: "2025-03-13",
			Items: []*distributorv1.Item{{Sku: "CFQ7TTC0LCHC", Unit: "Seat"}},
		})
	}
	o.begin()
	o.scope("a")
	for range batches {
		o.send(&distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Records{Records: batch}})
	}
	o.scopeEnd("a", complete, batches*size)
	o.end(batches*size, 1)
}

func (s *server) ListCustomers(
	_ *distributorv1.ListCustomersRequest, stream grpc.ServerStreamingServer[distributorv1.ListCustomersResponse],
) error {
	events := []*distributorv1.ListCustomersResponse{
		{Event: &distributorv1.ListCustomersResponse_Begin{Begin: &distributorv1.ListingBegin{}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeBegin{ScopeBegin: &distributorv1.ScopeBegin{ScopeRef: "account"}}},
		{Event: &distributorv1.ListCustomersResponse_Records{Records: &distributorv1.CustomerBatch{
			ScopeRef:  "account",
			Customers: []*distributorv1.Customer{{Ref: "c1", Name: "Alpha", Address: &distributorv1.Address{City: "Perth"}}, {Name: "Nameless"}},
		}}},
		{Event: &distributorv1.ListCustomersResponse_Progress{Progress: &distributorv1.Progress{Records: 2, Requests: 5, Text: "page 1"}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeEnd{ScopeEnd: &distributorv1.ScopeEnd{ScopeRef: "account", Outcome: complete, Count: 2}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeBegin{ScopeBegin: &distributorv1.ScopeBegin{ScopeRef: "b", Name: "agreement B"}}},
		{Event: &distributorv1.ListCustomersResponse_ScopeEnd{ScopeEnd: &distributorv1.ScopeEnd{
			ScopeRef: "b", Outcome: failed,
			Error: &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_PERMISSION, Message: "403", Origin: distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR},
		}}},
		{Event: &distributorv1.ListCustomersResponse_End{End: &distributorv1.ListingEnd{Outcome: complete, Count: 2, Scopes: 2}}},
	}
	for _, e := range events {
		if err := stream.Send(e); err != nil {
			return err
		}
	}
	return nil
}
