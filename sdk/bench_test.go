// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

func BenchmarkSubscriptionToProto(b *testing.B) {
	record := exampleSubscription()
	b.ReportAllocs()
	for b.Loop() {
		transport.SubscriptionToProto(record)
	}
}

func BenchmarkSubscriptionFromProto(b *testing.B) {
	record := transport.SubscriptionToProto(exampleSubscription())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := transport.SubscriptionFromProto(record); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream sends b.N subscriptions through a connection and reads what is most read of each.
func BenchmarkStream(b *testing.B) {
	record := exampleSubscription()
	client := ready(b, &fake{subscriptions: func(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
		return out.Scope(ctx, "account", "", func(s *sdk.SubscriptionScope) error {
			for i := range b.N {
				record.Ref = strconv.Itoa(i)
				if err := s.Send(record); err != nil {
					return err
				}
			}
			return nil
		})
	}})
	b.ReportAllocs()
	b.ResetTimer()
	stream, err := client.ListSubscriptions(b.Context(), &distributorv1.ListSubscriptionsRequest{})
	if err != nil {
		b.Fatal(err)
	}
	records, bytes := 0, 0
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range r.GetRecords().GetSubscriptions() {
			records++
			bytes += len(s.GetRef()) + len(s.GetItems()[0].GetQuantity())
		}
	}
	if records != b.N {
		b.Fatalf("%d records, want %d", records, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
