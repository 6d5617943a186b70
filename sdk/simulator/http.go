// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Match tells whether a request is meant.
type Match func(*http.Request) bool

// Path matches requests whose path is one of the patterns of http.ServeMux, such as "/v1/companies" or
// "GET /customers/{id}/subscriptions". A pattern that cannot be read is a panic.
func Path(patterns ...string) Match {
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	return func(r *http.Request) bool {
		_, pattern := mux.Handler(r)
		return pattern != ""
	}
}

// Either matches what one of several matches.
func Either(several ...Match) Match {
	return func(r *http.Request) bool {
		for _, match := range several {
			if match != nil && match(r) {
				return true
			}
		}
		return false
	}
}

// HTTPFault is a Fault of an HTTP answer.
type HTTPFault struct {
	Fault
	// On says which requests it spoils. Nil: all.
	On Match
	// Skip lets that many of them pass first.
	Skip int
	// Times is how many are spoilt. Zero: all that follow.
	Times int
	// Spoil answers instead of the API, which it may ask.
	Spoil Spoil
	// Begin makes a Spoil for each time the fault is played, for one that remembers what it did. It goes before Spoil.
	Begin func() Spoil
}

// Spoil answers a request wrongly. api is what answers rightly.
type Spoil func(w http.ResponseWriter, r *http.Request, api http.Handler)

// Options says what an HTTP simulator is made of.
type Options struct {
	// Handler answers as the distributor does. Required.
	Handler http.Handler
	// Settings gives the settings of the plugin, given the simulator's address such as "http://127.0.0.1:41234". Required.
	Settings func(url string) map[string]any
	// Faults are the troubles it can play; RESTFaults and PageFaults have those that every REST distributor has.
	Faults []HTTPFault
	// Resize gives the API about that many subscriptions; see Simulator.Resize. Nil: that is an error.
	Resize func(subscriptions int) error
	// Listen is the address to listen on. Default: a free port of 127.0.0.1.
	Listen string
}

// HTTP is a Simulator made of an http.Handler. It listens from NewHTTP to Close.
type HTTP struct {
	options Options
	url     string
	server  *http.Server

	mu      sync.Mutex
	current *HTTPFault
	spoil   Spoil
	seen    int
	left    int
	// healed is closed when another fault is played, so that nobody hangs on.
	healed chan struct{}
}

var _ Simulator = (*HTTP)(nil)

// NewHTTP starts an HTTP simulator.
func NewHTTP(o Options) (*HTTP, error) {
	if o.Handler == nil || o.Settings == nil {
		return nil, errors.New("an HTTP simulator needs a Handler and Settings")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	h := &HTTP{options: o, url: "http://" + listener.Addr().String(), healed: make(chan struct{})}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = h.server.Serve(listener) }()
	return h, nil
}

// URL is where it listens: "http://127.0.0.1:41234".
func (h *HTTP) URL() string { return h.url }

// Settings gives the settings of the plugin.
func (h *HTTP) Settings() map[string]any { return h.options.Settings(h.url) }

// Faults gives the troubles it can play.
func (h *HTTP) Faults() []Fault {
	faults := make([]Fault, len(h.options.Faults))
	for i := range h.options.Faults {
		faults[i] = h.options.Faults[i].Fault
	}
	return faults
}

// Play plays a fault from now on.
func (h *HTTP) Play(_ context.Context, name string) error {
	var fault *HTTPFault
	if name != "" {
		var err error
		if fault, err = find(h.options.Faults, name, func(f HTTPFault) string { return f.Name }); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.healed)
	h.healed = make(chan struct{})
	h.current, h.spoil, h.seen, h.left = fault, nil, 0, 0
	if fault != nil {
		h.spoil, h.left = fault.Spoil, fault.Times
		if fault.Begin != nil {
			h.spoil = fault.Begin()
		}
	}
	return nil
}

// Resize gives the API about that many subscriptions.
func (h *HTTP) Resize(_ context.Context, subscriptions int) error {
	if h.options.Resize == nil {
		return errors.New("the simulator cannot be resized: Options.Resize is nil")
	}
	return h.options.Resize(subscriptions)
}

// Close ends it, and every answer that is under way.
func (h *HTTP) Close() error {
	err := h.Play(context.Background(), "")
	return errors.Join(err, h.server.Close())
}

// ServeHTTP answers a request, wrongly if a fault that is played says so.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	spoil, healed := h.strikes(r)
	if spoil == nil {
		h.options.Handler.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-healed:
			cancel()
		case <-ctx.Done():
		}
	}()
	spoil(w, r.WithContext(ctx), h.options.Handler)
}

// strikes counts a request and gives what spoils it, or nil.
func (h *HTTP) strikes(r *http.Request) (Spoil, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.current
	if f == nil || f.On != nil && !f.On(r) {
		return nil, nil
	}
	h.seen++
	if h.seen <= f.Skip {
		return nil, nil
	}
	if f.Times > 0 {
		if h.left == 0 {
			return nil, nil
		}
		h.left--
	}
	return h.spoil, h.healed
}
