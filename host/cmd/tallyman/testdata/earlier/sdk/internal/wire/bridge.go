// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"github.com/hashicorp/go-hclog"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// Bridge lets packages beside package sdk use what it keeps from vendors. Serve needs the conversions, so they live in
// package sdk; exported there, they would put the wire's types into every vendor's documentation. Package sdk fills the
// bridge when it is initialised, and packages transport and sdktest, which import sdk, take it from here. Fields of
// type any hold functions over sdk's types, which this package cannot name.
var Bridge struct {
	CustomerToProto       any // func(sdk.Customer) *distributorv1.Customer
	CustomerFromProto     any // func(*distributorv1.Customer) (sdk.Customer, error)
	SubscriptionToProto   any // func(sdk.Subscription) *distributorv1.Subscription
	SubscriptionFromProto any // func(*distributorv1.Subscription) (sdk.Subscription, error)
	ErrorToProto          any // func(error) *distributorv1.ErrorDetail
	ErrorFromProto        any // func(*distributorv1.ErrorDetail) *sdk.Error
	ErrorToStatus         any // func(error) error
	ErrorFromStatus       any // func(error) error

	// NewServer gives the server of an sdk.Plugin, as Serve would serve it.
	NewServer func(plugin any, log hclog.Logger) (distributorv1.DistributorServiceServer, error)
}
