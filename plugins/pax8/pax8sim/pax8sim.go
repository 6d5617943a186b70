// SPDX-License-Identifier: Apache-2.0

// Package pax8sim plays the partner API of Pax8: a token by JSON body, companies, subscriptions and products in pages
// that are counted from 0, and the troubles these can have.
//
// It is written from what Pax8 publishes (its OpenAPI description with examples, https://devx.pax8.com) and from what
// clients of it tell, and shares no code with the plugin. Only what a reader needs is played: nothing can be written,
// and a filter or an order that is not played is refused with 501 and not ignored.
package pax8sim

import (
	"sync/atomic"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// Options say what the simulator lists. The zero value is generated data: a partner with 210 companies, five subscriptions
// each, which is several pages of both.
type Options struct {
	// Companies, Subscriptions and Products are the elements to simulator.List, as JSON. If any is set, nothing is generated.
	Companies, Subscriptions, Products []string
	// Seen is told every request to the API but those for tokens, as "/v1/companies?page=0". It must be safe for
	// concurrent use.
	Seen func(request string)
	// Listen is the address to listen on. Default: a free port of 127.0.0.1.
	Listen string
}

// few is how many subscriptions there are at first: more than the thousand that Pax8's own command line once stopped at.
const few = 1050

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
	if o.Companies == nil && o.Subscriptions == nil && o.Products == nil {
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
		"client_id": clientID, "client_secret": clientSecret, "api_base_url": url + "/v1", "token_url": url + "/v1/token",
		"requests_per_minute": "0", "retry_wait": "1ms",
	}
}
