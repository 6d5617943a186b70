// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"slices"
	"strings"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// Rule is one rule of the contract.
type Rule struct {
	// Name stays, once it was released.
	Name string
	// Demand is what it demands, in a sentence.
	Demand string
	// Where it is explained.
	Where string
	check func(ctx context.Context, b *bench) error
}

// The places in the project where rules are explained.
const (
	whereCalls    = "proto/README.md#the-calls"
	whereSettings = "proto/README.md#settings"
	whereListings = "proto/README.md#listings"
	whereRecords  = "proto/README.md#records"
	whereErrors   = "proto/README.md#errors"
	whereDrain    = "proto/README.md#drain"
	whereHosts    = "proto/README.md#host-versions"
)

// Rules gives every rule there is, but those that a simulator's faults add.
func Rules() []Rule { return append(slices.Clone(rules), secretRule) }

// The rules without which hardly anything else can be checked.
const (
	ruleHandshake = "process.handshake"
	ruleAccepts   = "configure.accepts"
)

var rules = []Rule{
	{ruleHandshake, "The plugin starts, and agrees on a version of the protocol with mutual TLS", whereCalls, checkHandshake},
	{"describe.alone", "Describe answers before Configure, and the same twice", whereCalls, checkDescribeAlone},
	{"describe.identity", "Name, version and host versions are what hosts can read", whereHosts, checkIdentity},
	{"describe.settings", "Each setting has a name, a type and a help, and a default only where it may have one", whereSettings, checkSchema},

	{"configure.first", "Nothing is listed before Configure", whereCalls, checkConfigureFirst},
	{ruleAccepts, "Good settings are accepted", whereSettings, checkAccepts},
	{"configure.required", "A required setting that is missing is refused, by its name", whereSettings, checkRequired},
	{"configure.types", "A text that is no number, duration, URL or boolean is refused where one is due, by the setting's name", whereSettings, checkTypes},
	{"configure.choices", "A text that is none of the choices is refused, by the setting's name", whereSettings, checkChoices},
	{"configure.offline", "Configure does not use the network", whereCalls, checkOffline},

	{"test.succeeds", "With good credentials the connection test succeeds, step by step", whereCalls, checkTestSucceeds},
	{"test.refused", "With bad credentials the connection test fails at a step, and the class is auth", whereErrors, checkTestRefused},

	{"listing.complete", "A distributor that is well is listed completely", whereListings, checkComplete},
	{"listing.order", "begin, scopes with what is theirs, end; nothing follows an end", whereListings, onHealthy("listing.order")},
	{"listing.counts", "What is counted is what came", whereListings, onHealthy("listing.counts")},
	{"listing.truth", "Nothing is complete that gives an error or holds what is not complete; what is not complete says why", whereListings, onHealthy("listing.truth")},
	{"listing.refs", "Each record has a ref of its own, a subscription a customer, each of several items a ref", whereRecords, onHealthy("listing.refs")},
	{"listing.values", "Numbers are numbers, currencies are ISO 4217 and dates ISO 8601", whereRecords, onHealthy("listing.values")},
	{"listing.size", "A message has at most 4 MiB", whereListings, checkSize},
	{"listing.stable", "A second process lists the same refs in the same scopes", whereListings, checkStable},
	{"listing.customer", "A listing for one customer holds what belongs to it", whereListings, checkCustomer},
	{"listing.cancel", "A listing that is cancelled ends within a second, and the plugin lives on", whereDrain, checkCancel},
	{"listing.deadline", "A listing ends with its deadline, and the plugin lives on", whereDrain, checkDeadline},
	{"listing.pressure", "A host that reads slowly does not make the plugin grow", whereListings, checkPressure},
	{"listing.memory", "A large listing takes no more memory than a small one", whereListings, checkMemory},

	{"sessions.apart", "Two sessions share no token", whereCalls, checkApart},
	{"drain.answers", "Drain answers in time and no new call is taken", whereDrain, checkDrain},
	{"drain.exits", "The process exits when it is told to", whereDrain, checkExit},
	{"process.orphan", "The process ends when its host is gone", whereDrain, checkOrphan},
	{"process.stdout", "Nothing is printed to the standard output but the handshake", whereCalls, checkStdout},
}

// secretRule looks at everything that was said while the other rules were checked.
var secretRule = Rule{"secret.kept", "No secret is in a log line, an error, a warning or a diagnostic", whereSettings, checkSecrets}

func className(c distributorv1.ErrorClass) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "ERROR_CLASS_"))
}
