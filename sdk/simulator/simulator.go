// SPDX-License-Identifier: Apache-2.0

// Package simulator is the kit with which a plugin's author plays the distributor: no account, no network, and every
// trouble on demand.
//
// A Simulator answers as the distributor does, and plays one Fault at a time. Package sdktest plays all of them and holds
// what the plugin reports against what the fault expects. For a distributor with a REST API, NewHTTP makes a Simulator of
// an http.Handler that answers as the distributor does when all is well:
//
//	sim, err := simulator.NewHTTP(simulator.Options{
//		Handler:  api,
//		Settings: func(url string) map[string]any { return map[string]any{"url": url, "key": "open-sesame"} },
//		Faults: simulator.RESTFaults(simulator.Requests{
//			Customers:     simulator.Path("/customers"),
//			Subscriptions: simulator.Path("/subscriptions"),
//		}),
//	})
//
// Where lists come in pages, PageFaults adds the troubles of those: answer with a Shape of a List.
//
// Serve makes a program of it, for "tallyman plugin test --simulator", and Attach is the other end.
//
// Write the answers from the distributor's documentation, not from the plugin: a simulator that shares its mistakes with
// what it tests proves nothing.
package simulator

import (
	"context"
	"fmt"
)

// Simulator plays a distributor. Its methods may be called from several goroutines.
type Simulator interface {
	// Settings make a plugin speak to it: addresses, good credentials, short waits. Values are text, numbers, booleans,
	// lists and maps of text, as in a configuration.
	Settings() map[string]any
	// Faults are the troubles it can play.
	Faults() []Fault
	// Play plays a fault from now on, from its beginning. The empty name is: all is well. An unknown name is an error.
	Play(ctx context.Context, fault string) error
	// Resize gives it about that many subscriptions from now on; a number below one is the size it began with. It
	// should make them as they are asked for, so that a million costs nothing.
	Resize(ctx context.Context, subscriptions int) error
	// Close ends it.
	Close() error
}

// Expect says how a listing must end while a fault is played.
type Expect string

// What a fault does to a listing.
const (
	// Any: nothing is demanded but that the plugin lives and tells the truth.
	Any Expect = ""
	// Complete: the plugin must cope, and say that everything was read.
	Complete Expect = "complete"
	// Incomplete: the listing must not be complete.
	Incomplete Expect = "incomplete"
	// Partly: the listing must not be complete, and yet at least one of its scopes must be.
	Partly Expect = "partly"
)

// Fault is a trouble a Simulator can play, and what a plugin must make of it.
type Fault struct {
	// Name is dotted words: "body.cut".
	Name string `json:"name"`
	// Help says what happens, for people: "each list breaks off in the middle".
	Help string `json:"help"`
	// Customers and Subscriptions say how these listings must end.
	Customers     Expect `json:"customers,omitempty"`
	Subscriptions Expect `json:"subscriptions,omitempty"`
	// Class is the class of error that must be given for a listing that is not complete: "auth", "throttled". Empty: any.
	Class string `json:"class,omitempty"`
	// TestFails: the connection test must fail, too.
	TestFails bool `json:"test_fails,omitempty"`
}

// find gives the fault of that name.
func find[F any](faults []F, name string, nameOf func(F) string) (*F, error) {
	for i := range faults {
		if nameOf(faults[i]) == name {
			return &faults[i], nil
		}
	}
	return nil, fmt.Errorf("the simulator has no fault %q", name)
}
