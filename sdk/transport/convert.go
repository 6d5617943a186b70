// SPDX-License-Identifier: Apache-2.0

package transport

import (
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// Package sdk is initialised before this one, so the bridge is filled.
var (
	customerToProto       = wire.Bridge.CustomerToProto.(func(sdk.Customer) *distributorv1.Customer)
	customerFromProto     = wire.Bridge.CustomerFromProto.(func(*distributorv1.Customer) (sdk.Customer, error))
	subscriptionToProto   = wire.Bridge.SubscriptionToProto.(func(sdk.Subscription) *distributorv1.Subscription)
	subscriptionFromProto = wire.Bridge.SubscriptionFromProto.(func(*distributorv1.Subscription) (sdk.Subscription, error))
	errorToProto          = wire.Bridge.ErrorToProto.(func(error) *distributorv1.ErrorDetail)
	errorFromProto        = wire.Bridge.ErrorFromProto.(func(*distributorv1.ErrorDetail) *sdk.Error)
	errorToStatus         = wire.Bridge.ErrorToStatus.(func(error) error)
	errorFromStatus       = wire.Bridge.ErrorFromStatus.(func(error) error)
)

// CustomerToProto converts a customer for the wire. Text is cleaned; see Clean.
func CustomerToProto(c sdk.Customer) *distributorv1.Customer { return customerToProto(c) }

// CustomerFromProto converts a customer from the wire. Text is cleaned and unknown enum values become unknown. It never
// panics, whatever the message holds, and fails only for a missing message.
func CustomerFromProto(p *distributorv1.Customer) (sdk.Customer, error) { return customerFromProto(p) }

// SubscriptionToProto converts a subscription for the wire. Text is cleaned; see Clean.
func SubscriptionToProto(s sdk.Subscription) *distributorv1.Subscription {
	return subscriptionToProto(s)
}

// SubscriptionFromProto converts a subscription from the wire. Text is cleaned and unknown enum values become unknown. It
// never panics; its error names the field that is not a number.
func SubscriptionFromProto(p *distributorv1.Subscription) (sdk.Subscription, error) {
	return subscriptionFromProto(p)
}

// ErrorToProto converts an error for the wire; nil stays nil. The cause stays behind.
func ErrorToProto(err error) *distributorv1.ErrorDetail { return errorToProto(err) }

// ErrorFromProto converts an error from the wire; nil stays nil.
func ErrorFromProto(p *distributorv1.ErrorDetail) *sdk.Error { return errorFromProto(p) }

// ErrorToStatus converts an error to a gRPC status that carries it as a detail; nil stays nil.
func ErrorToStatus(err error) error { return errorToStatus(err) }

// ErrorFromStatus converts what a call to a plugin returned to an *sdk.Error; nil and io.EOF stay what they are.
//
// A status without detail is explained by its code: a plugin that went away is ClassTransient with OriginPlugin, a
// message above MaxReceivedBytes is ClassInternal with OriginPlugin. errors.Is finds context.Canceled and
// context.DeadlineExceeded, and status.FromError the status itself.
func ErrorFromStatus(err error) error { return errorFromStatus(err) }
