// SPDX-License-Identifier: Apache-2.0

// Package cloudiqsim plays the API of Crayon's Cloud-iQ: a token by password and HTTP Basic, organisations, customer tenants
// and subscriptions in pages that are counted from 1, prices by one call for each subscription, and the troubles these
// can have.
//
// It is written from what Crayon publishes (apidocs.crayon.com, its C# SDK, its OpenAPI file) and from what clients tell,
// and shares no code with the plugin. Only what a reader needs is played: nothing can be written, and a filter that is not
// played is refused with 501 and not ignored.
package cloudiqsim

import (
	"sync/atomic"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// Options say what the simulator tells. The zero value is generated data: a partner of two organisations with some hundred
// customer tenants, five subscriptions each, which is several pages of both.
type Options struct {
	// Organizations, Tenants and Subscriptions are the elements to simulator.List, as JSON. If any is set, nothing is generated.
	Organizations, Tenants, Subscriptions []string
	// TenantDetails and SubscriptionDetails are the detailed answers, by id. An id that is not there is answered 404.
	TenantDetails, SubscriptionDetails map[string]string
	// Seen is told every request to the API but those for tokens, as "/api/v1/subscriptions/?page=1". It must be safe for
	// concurrent use.
	Seen func(request string)
	// Listen is the address to listen on. Default: a free port of 127.0.0.1.
	Listen string
}

// few is how many subscriptions there are at first.
const few = 640

// New starts a simulator. Close ends it.
func New(o Options) (*simulator.HTTP, error) {
	current := &atomic.Pointer[world]{}
	resize := func(subscriptions int) error {
		if subscriptions < 1 {
			subscriptions = few
		}
		current.Store(generated(subscriptions))
		return nil
	}
	if o.Organizations == nil && o.Tenants == nil && o.Subscriptions == nil {
		_ = resize(few)
	} else {
		current.Store(fixed(o))
		resize = nil
	}
	a := &api{world: current.Load, tokens: &tokens{}, shape: simulator.Whole, seen: o.Seen}
	return simulator.NewHTTP(simulator.Options{
		Handler: a, Settings: settings, Faults: faults(a), Resize: resize, Listen: o.Listen,
	})
}

// settings are those of the plugin. The waits are short and nothing bounds the rate, so that tests are quick.
func settings(url string) map[string]any {
	return map[string]any{
		"client_id": clientID, "client_secret": clientSecret, "username": username, "password": password,
		"api_base_url": url + "/api/v1", "token_url": url + "/api/v1/connect/token",
		"requests_per_minute": "0", "retry_wait": "1ms",
	}
}
