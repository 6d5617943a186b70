// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"encoding/json"
	"fmt"
	"iter"
)

// generated is an account of any size, whose records are made as they are asked for. Each says the same in every run.
type generated struct {
	subscriptions, each int
}

// generate makes an account with that many subscriptions. A large one has more of them with each customer, as a large
// provider's does.
func generate(subscriptions int) generated {
	const small = 10_000
	if subscriptions <= small {
		return generated{subscriptions, 8}
	}
	return generated{subscriptions, 50}
}

// customers is how many there are. The last one holds nothing.
func (g *generated) customers() int { return (g.subscriptions+g.each-1)/g.each + 1 }

// customerID gives the id of the customer at a position.
func customerID(at int) string { return fmt.Sprintf("c0000000-5e1f-4000-8000-%012x", at) }

// Customers gives the customers. Every seventh is suspended.
func (g *generated) Customers() iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		for at := range g.customers() {
			suspended := "null"
			if at%7 == 3 {
				suspended = `"2025-01-13T20:30:05.7613888"`
			}
			text := fmt.Sprintf(`{"id":%q,"displayName":"Customer %d","path":["Provider","Customer %d"],"suspendedOn":%s}`,
				customerID(at), at, at, suspended)
			if !yield(json.RawMessage(text)) {
				return
			}
		}
	}
}

// Subscriptions gives a customer's subscriptions.
func (g *generated) Subscriptions(id string) ([]json.RawMessage, bool) {
	var at int
	if _, err := fmt.Sscanf(id, "c0000000-5e1f-4000-8000-%x", &at); err != nil || at < 0 || at >= g.customers() || customerID(at) != id {
		return nil, false
	}
	first := at * g.each
	count := max(0, min(g.each, g.subscriptions-first))
	list := make([]json.RawMessage, count)
	for i := range count {
		list[i] = subscription(first + i)
	}
	return list, true
}

// The variety of a generated account. The lengths have no common divisor, so that everything meets everything.
var (
	cycles = []string{"monthly", "yearly", "none", "daily", "weekly", "unknown", "monthly"}
	fees   = []string{
		`{"recurringFee":22.5,"setupFee":0,"currency":"Usd"}`,
		`null`,
		`{"recurringFee":1234567.89,"setupFee":100,"currency":"Cad"}`,
		`{"recurringFee":0,"setupFee":0,"currency":"Eur"}`,
		`{"recurringFee":0.005,"setupFee":12.25,"currency":"Gbp"}`,
	}
	commitments = []string{
		`null`,
		`{"type":"Monthly","termEndDate":"2026-03-31","renewalConfiguration":{"renewalDate":"2026-04-01","scheduledQuantity":null}}`,
		`{"type":"Annual","termEndDate":"2026-11-30T00:00:00","renewalConfiguration":null,` +
			`"committedMinimalQuantities":[{"committedUntil":"2026-11-30T00:00:00","quantity":3}]}`,
		`{"type":"Triennial","termEndDate":"2028-06-30","renewalConfiguration":{"renewalDate":"2028-07-01","scheduledQuantity":7},` +
			`"committedMinimalQuantities":[{"committedUntil":"2027-06-30","quantity":5},{"committedUntil":"2028-06-30","quantity":2}]}`,
	}
	products = []struct{ name, sku string }{
		{"Microsoft 365 Business Premium", "CFQ7TTC0LCHC-0002"},
		{"Exchange Online (Plan 1)", "CFQ7TTC0LH16-0001"},
		{"Online Backup – 1 To", "OBK-1TB"},
	}
)

// subscription gives the subscription at a position of the whole account.
func subscription(at int) json.RawMessage {
	product := products[at%len(products)]
	return fmt.Appendf(nil, `{"id":"50000000-ab5c-4000-9000-%012x","productName":%q,"description":%q,"sku":%q,"quantity":%d,`+
		`"billingCycle":%q,"purchaseDate":"2023-11-%02dT20:27:05.7613888","fees":%s,"commitmentTerm":%s}`,
		at, product.name, product.name+", by the seat", product.sku, at%41,
		cycles[at%len(cycles)], 1+at%28, fees[at%len(fees)], commitments[at%len(commitments)])
}
