// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// BenchmarkTenants turns an agreement's answer, 20 subscriptions a tenant, into subscriptions.
func BenchmarkTenants(b *testing.B) {
	var list bytes.Buffer
	list.WriteByte('[')
	for t := range 500 {
		if t > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"TenantId":"7c9d2a10-4e5f-e911-a2c4-%012d","TenantDomain":"fabrikam.onmicrosoft.example","TenantStatus":"Active",`+
			`"CustomerId":"5b0c1f7e-1c2d-e811-8130-000d3a6600a1","CustomerName":"Fabrikam Pty Ltd","Subscriptions":[`, t)
		for s := range 20 {
			if s > 0 {
				list.WriteByte(',')
			}
			fmt.Fprintf(&list, `{"SubscriptionId":"e2f1d7aa-90c4-ec11-b656-%012d","Status":"Active","ProgramReferenceLabel":"fabrikam.onmicrosoft.example",`+
				`"ProductId":"3f0e8c52-1111-ec11-8c62-000d3ad20001","ProductName":"Microsoft 365 Business Premium (NCE)","Quantity":25,`+
				`"FirstPurchased":"2022-03-14T02:11:45.1234567+00:00","DisplayTemplate":"Office365","Unit":"Licenses","BillingCycle":"Monthly","BillingCycleDuration":1}`, s)
		}
		list.WriteString("]}")
	}
	list.WriteByte(']')
	terms := newTermFields(settings{})
	n := 0
	b.SetBytes(int64(list.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := &reader{
			directory: newDirectory(), agreement: agreement{"A", "Microsoft CSP"}, terms: &terms, problems: &problems{},
			send: func(sdk.Subscription) error { n++; return nil }, sawAddons: func(bool) error { return nil },
		}
		err := rest.ReadList(bytes.NewReader(list.Bytes()), func(v rest.Value) error {
			t, ok := r.tenant(v)
			if !ok {
				b.Fatal("a tenant was lost")
			}
			return r.read(&t, nil)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "subscriptions/s")
}
