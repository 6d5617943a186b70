// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/rest"
)

// BenchmarkReadList reads a list of tenants with 20 subscriptions each and every member of them.
func BenchmarkReadList(b *testing.B) {
	var list bytes.Buffer
	list.WriteByte('[')
	const tenants, each = 500, 20
	for t := range tenants {
		if t > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"TenantId":"7c9d2a10-4e5f-e911-a2c4-%012d","CustomerName":"Fabrikam Pty Ltd","Subscriptions":[`, t)
		for s := range each {
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
	b.SetBytes(int64(list.Len()))
	b.ReportAllocs()
	var tenant, sub rest.Object
	n := 0
	for b.Loop() {
		err := rest.ReadList(bytes.NewReader(list.Bytes()), func(v rest.Value) error {
			tenant.Read(v)
			for s := range tenant.Get("Subscriptions").Elements() {
				sub.Read(s)
				for _, name := range []string{"SubscriptionId", "Status", "ProductId", "ProductName", "Unit", "BillingCycle", "DisplayTemplate", "FriendlyName"} {
					_ = sub.Get(name).Text()
				}
				if _, err := sub.Get("Quantity").Decimal(); err != nil {
					return err
				}
				if _, err := rest.ParseDate(sub.Get("FirstPurchased").Text()); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "subscriptions/s")
}
