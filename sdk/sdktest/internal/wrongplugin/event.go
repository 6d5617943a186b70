// SPDX-License-Identifier: Apache-2.0

package main

import distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"

func (e *event) asCustomers() *distributorv1.ListCustomersResponse {
	switch {
	case e.begin != nil:
		return &distributorv1.ListCustomersResponse{Event: &distributorv1.ListCustomersResponse_Begin{Begin: e.begin}}
	case e.scopeBegin != nil:
		return &distributorv1.ListCustomersResponse{Event: &distributorv1.ListCustomersResponse_ScopeBegin{ScopeBegin: e.scopeBegin}}
	case e.scopeEnd != nil:
		return &distributorv1.ListCustomersResponse{Event: &distributorv1.ListCustomersResponse_ScopeEnd{ScopeEnd: e.scopeEnd}}
	case e.end != nil:
		return &distributorv1.ListCustomersResponse{Event: &distributorv1.ListCustomersResponse_End{End: e.end}}
	}
	return &distributorv1.ListCustomersResponse{Event: &distributorv1.ListCustomersResponse_Records{
		Records: &distributorv1.CustomerBatch{ScopeRef: scope, Customers: e.records},
	}}
}

func (e *event) asSubscriptions() *distributorv1.ListSubscriptionsResponse {
	switch {
	case e.begin != nil:
		return &distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Begin{Begin: e.begin}}
	case e.scopeBegin != nil:
		return &distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeBegin{ScopeBegin: e.scopeBegin}}
	case e.scopeEnd != nil:
		return &distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_ScopeEnd{ScopeEnd: e.scopeEnd}}
	case e.end != nil:
		return &distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_End{End: e.end}}
	}
	return &distributorv1.ListSubscriptionsResponse{Event: &distributorv1.ListSubscriptionsResponse_Records{
		Records: &distributorv1.SubscriptionBatch{ScopeRef: scope, Subscriptions: e.subscriptions},
	}}
}
