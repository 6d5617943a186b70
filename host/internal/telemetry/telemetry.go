// SPDX-License-Identifier: Apache-2.0

// Package telemetry tells monitoring how the program is doing: metrics for Prometheus, and traces over OTLP for whoever wants to
// see where a run's time goes. It knows no database and no plugin; what is told, it is given.
//
// The labels of metrics are names out of the configuration and words of a fixed list, so there are as many series as modules make,
// whatever distributors say. Names of customers and ids are in no label.
package telemetry

import "time"

// Module is a module as metrics name it.
type Module struct {
	// Tenant and Name are the names in the configuration: acme, rhipe.
	Tenant, Name string
	// Distributor is the plugin's name.
	Distributor string
	// Kinds are what it is run for: customers, subscriptions. Only of these it is told when they were last read completely.
	Kinds []string
	// StaleAfter is after how long without a complete reading it is stale; zero: never.
	StaleAfter time.Duration
}

// Run is a run that has ended.
type Run struct {
	Module
	// Outcome is no_change, succeeded, warning, held, failed or cancelled.
	Outcome string
	Took    time.Duration
	// Records is how many records were read, by kind: customers, subscriptions.
	Records map[string]int
	// Changes is how many changes were made, by kind: subscriptions_created.
	Changes map[string]int
	// Requests is how many requests the plugin made, as far as it told. Answers are how many of them were answered with which
	// HTTP status; 0: with none. It may tell of fewer.
	Requests int64
	Answers  map[int]int64
	// Crashed: the plugin's process ended when it should not have.
	Crashed bool
}

// Standing is how a module is doing, as the database has it: every host that shares the database tells the same.
type Standing struct {
	Tenant, Name string
	// Complete is when the last complete reading of each kind began: customers, subscriptions. Kinds that were never read completely
	// are not there.
	Complete map[string]time.Time
	// LastRun is when the newest sync began, and LastRunTook how long it took; zero: there was none.
	LastRun     time.Time
	LastRunTook time.Duration
	// Failures is how many syncs in a row have failed, Held how many changes wait for a person.
	Failures, Held int
	// Scheduled is since when the module has its schedule; zero: it has none.
	Scheduled time.Time
}

// Host is what this process is doing.
type Host struct {
	// Looked is when it last looked what is due; zero: not yet.
	Looked time.Time
	// Due is how many modules are due and wait for their run, Oldest since when the first of them does.
	Due    int
	Oldest time.Time
	// UnderWay is how many runs it makes now, of Limit.
	UnderWay, Limit int
	// Next is when each module is due, by its name as people write it: acme/rhipe. A module that is stopped has no time.
	Next map[string]time.Time
	// Stopped are the modules that are not run any more since their credentials were refused too often.
	// Paused are those that somebody paused.
	Stopped, Paused map[string]bool
}
