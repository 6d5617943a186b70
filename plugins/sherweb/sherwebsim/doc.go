// SPDX-License-Identifier: Apache-2.0

// Package sherwebsim plays Sherweb's Service Provider API: the token endpoint, the gateway that wants a key with every
// call, the list of customers, and the subscriptions of one customer.
//
// It is written from Sherweb's published OpenAPI documents ("Service Provider API (Beta)") and from what clients of the API
// are known to send and receive, and shares nothing with the plugin it tests. There is no status, no address and no page
// anywhere in this API: what is listed is live, and what ended is no longer listed.
package sherwebsim
