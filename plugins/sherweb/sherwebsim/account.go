// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Account is what a service provider's account holds, as the JSON of the API. Its methods may be called from several
// goroutines.
type Account interface {
	// Customers gives the customers, in the order in which they are listed.
	Customers() iter.Seq[json.RawMessage]
	// Subscriptions gives a customer's subscriptions, with every member that any call tells of them. The id is in lower
	// case. Found is false if there is no such customer.
	Subscriptions(customerID string) (list []json.RawMessage, found bool)
}

// Fixed is an account whose answers are given.
type Fixed struct {
	customers     []json.RawMessage
	subscriptions map[string][]json.RawMessage
}

var _ Account = (*Fixed)(nil)

// NewFixed makes an account of JSON lists: one of customers, and one of subscriptions for each customer's id.
func NewFixed(customers string, subscriptions map[string]string) (*Fixed, error) {
	f := &Fixed{subscriptions: map[string][]json.RawMessage{}}
	if err := json.Unmarshal([]byte(customers), &f.customers); err != nil {
		return nil, fmt.Errorf("the customers: %w", err)
	}
	for id, text := range subscriptions {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("the subscriptions of %s: %w", id, err)
		}
		f.subscriptions[strings.ToLower(id)] = list
	}
	return f, nil
}

// Customers gives the customers.
func (f *Fixed) Customers() iter.Seq[json.RawMessage] { return slices.Values(f.customers) }

// Subscriptions gives a customer's subscriptions.
func (f *Fixed) Subscriptions(customerID string) ([]json.RawMessage, bool) {
	list, found := f.subscriptions[customerID]
	return list, found
}
