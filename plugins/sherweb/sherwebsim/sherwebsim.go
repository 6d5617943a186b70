// SPDX-License-Identifier: Apache-2.0

package sherwebsim

import (
	"sync/atomic"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The credentials that are accepted.
const (
	ClientID        = "5f1d3c5e-7f3a-4d6e-9a51-2c8e6b0a7d11"
	ClientSecret    = "sim-secret-of-the-service-provider" //nolint:gosec // it opens the simulator alone
	SubscriptionKey = "0123456789abcdef0123456789abcdef"
)

// few is how many subscriptions a generated account begins with.
const few = 120

// New starts a simulator with a generated account, which can be resized.
func New() (*simulator.HTTP, error) {
	var current atomic.Pointer[generated]
	resize := func(subscriptions int) error {
		if subscriptions < 1 {
			subscriptions = few
		}
		g := generate(subscriptions)
		current.Store(&g)
		return nil
	}
	if err := resize(0); err != nil {
		return nil, err
	}
	return start(func() Account { return current.Load() }, resize)
}

// With starts a simulator of an account. It cannot be resized.
func With(account Account) (*simulator.HTTP, error) {
	return start(func() Account { return account }, nil)
}

func start(account func() Account, resize func(int) error) (*simulator.HTTP, error) {
	return simulator.NewHTTP(simulator.Options{
		Handler: newAPI(account),
		Settings: func(url string) map[string]any {
			return map[string]any{
				"client_id": ClientID, "client_secret": ClientSecret, "subscription_key": SubscriptionKey,
				"api_base_url": url, "token_url": url + tokenPath,
				"retry_wait": "1ms", "requests_per_minute": 0, "max_parallel": 4,
			}
		},
		Faults: append(simulator.RESTFaults(simulator.Requests{
			Token: isToken, Customers: isCustomers, Subscriptions: isSubscriptions, CustomersFirst: true,
		}), faults(account)...),
		Resize: resize,
	})
}
