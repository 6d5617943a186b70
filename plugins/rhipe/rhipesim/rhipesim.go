// SPDX-License-Identifier: Apache-2.0

// Package rhipesim is PRISM as the conformance suite plays it: the service of package prismsim, with a generated
// distributor of any size behind two contract agreements, and in front of it the troubles that a plugin must survive.
package rhipesim

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// subscriptions is how many there are unless another number is asked for.
const subscriptions = 120

// agreements is how many contract agreements they are dealt out to.
const agreements = 2

// most is how many there may be: their ids must stay apart.
const most = 1<<31 - 1

// New starts it on a free port of this machine.
func New() (simulator.Simulator, error) {
	service := &prism{}
	first := service.resize(0)
	return simulator.NewHTTP(simulator.Options{
		Handler: service,
		Settings: func(url string) map[string]any {
			return map[string]any{
				"client_id": prismsim.DemoClientID, "client_secret": prismsim.DemoClientSecret,
				"api_base_url": url, "token_url": url + prismsim.TokenPath,
				"retry_wait": "1ms", "requests_per_minute": 0,
			}
		},
		Faults: faults(first.AgreementIDs()[0]),
		Resize: func(n int) error {
			if n > most {
				return fmt.Errorf("at most %d subscriptions", most)
			}
			service.resize(n)
			return nil
		},
	})
}

// prism answers for a distributor that can be replaced by one of another size.
type prism struct {
	current atomic.Pointer[prismsim.Server]
}

// resize replaces the distributor. Its agreements keep their ids; tokens of the one before open nothing.
func (p *prism) resize(n int) *prismsim.Generated {
	if n < 1 {
		n = subscriptions
	}
	world := prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: n, Agreements: agreements})
	p.current.Store(prismsim.New(world))
	return world
}

// ServeHTTP answers as PRISM does.
func (p *prism) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.current.Load().ServeHTTP(w, r) }
