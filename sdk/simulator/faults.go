// SPDX-License-Identifier: Apache-2.0

package simulator

import "net/http"

// Requests tells the requests of a REST API apart. Nil: there is no such request.
type Requests struct {
	// Token matches requests for a token.
	Token Match
	// Customers and Subscriptions match the requests these listings are made of.
	Customers, Subscriptions Match
	// CustomersFirst: subscriptions can only be listed by customer, so they need the list of customers.
	CustomersFirst bool
}

// RESTFaults gives the faults that every REST distributor can show: refusals, throttling in its forms, passing and lasting
// failures, answers that are cut, empty or not JSON. The plugin's settings should make its waits short.
//
// Each fault that spoils one listing comes twice, for customers and for subscriptions.
func RESTFaults(r Requests) []HTTPFault {
	api := Either(r.Customers, r.Subscriptions)
	faults := []HTTPFault{
		{
			Fault: both("credentials.refused", "every request is answered 401", Incomplete, "auth"), On: Either(r.Token, api),
			Spoil: Status(http.StatusUnauthorized, `{"error":"invalid_client"}`),
		},
		{
			Fault: both("permission.refused", "every list is answered 403", Incomplete, "permission"), On: api,
			Spoil: Status(http.StatusForbidden, `{"error":"forbidden"}`),
		},
		{
			Fault: both("throttled.seconds", "one request is answered 429, to be repeated after 0 seconds", Complete, ""), On: api, Times: 1,
			Spoil: Status(http.StatusTooManyRequests, `{"error":"too many requests"}`, "Retry-After", "0"),
		},
		{
			Fault: both("throttled.date", "one request is answered 429, to be repeated at a date", Complete, ""), On: api, Times: 1,
			Spoil: RetryAtDate(),
		},
		{
			Fault: both("throttled.words", "for a second every request is answered 429, and only the text says for how long", Complete, ""), On: api,
			Begin: ThrottleInWords(`{"statusCode":429,"message":"Rate limit is exceeded. Try again in 1 seconds."}`),
		},
		{
			Fault: both("throttled.silent", "one request is answered 429, and no time is named", Complete, ""), On: api, Times: 1,
			Spoil: Status(http.StatusTooManyRequests, `{"error":"too many requests"}`),
		},
		{
			Fault: both("throttled.forever", "every list is answered 429", Incomplete, "throttled"), On: api,
			Spoil: Status(http.StatusTooManyRequests, `{"error":"too many requests"}`, "Retry-After", "0"),
		},
		{
			Fault: both("server.stumbles", "one request is answered 503", Complete, ""), On: api, Times: 1,
			Spoil: Status(http.StatusServiceUnavailable, `{"error":"unavailable"}`),
		},
		{
			Fault: both("connection.stumbles", "one connection is closed without an answer", Complete, ""), On: api, Times: 1, Spoil: Drop(),
		},
		{
			Fault: both("connection.dropped", "every connection is closed without an answer", Incomplete, "transient"), On: api, Spoil: Drop(),
		},
	}
	if r.Token != nil {
		faults = append(faults,
			HTTPFault{
				Fault: both("token.expires", "a token is no longer accepted in the middle", Complete, ""), On: api, Times: 1,
				Spoil: Status(http.StatusUnauthorized, `{"error":"invalid_token"}`),
			},
			HTTPFault{
				Fault: both("token.down", "the token endpoint is answered 500", Incomplete, "transient"), On: r.Token,
				Spoil: Status(http.StatusInternalServerError, `{"error":"server_error"}`),
			})
	}
	for _, s := range spoilt {
		if r.Customers != nil {
			f := Fault{Name: "customers." + s.name, Help: "the customers: " + s.help, Customers: Incomplete, Subscriptions: Any, Class: s.class}
			if r.CustomersFirst {
				f.Subscriptions = Incomplete
			}
			faults = append(faults, HTTPFault{Fault: f, On: r.Customers, Spoil: s.spoil})
		}
		if r.Subscriptions != nil {
			f := Fault{Name: "subscriptions." + s.name, Help: "the subscriptions: " + s.help, Subscriptions: Incomplete, Class: s.class}
			faults = append(faults, HTTPFault{Fault: f, On: r.Subscriptions, Spoil: s.spoil})
		}
	}
	return faults
}

func both(name, help string, expect Expect, class string) Fault {
	return Fault{Name: name, Help: help, Customers: expect, Subscriptions: expect, Class: class, TestFails: expect == Incomplete}
}

// spoilt are the answers that must never be taken for an empty list.
var spoilt = []struct {
	name, help, class string
	spoil             Spoil
}{
	{"failing", "each answer is 500", "transient", Status(http.StatusInternalServerError, `{"error":"internal"}`)},
	{"not-found", "each answer is 404", "", Status(http.StatusNotFound, `{"error":"not found"}`)},
	{"cut", "each answer breaks off with its connection", "", Cut()},
	{"cut-cleanly", "half of each answer, whole for HTTP", "", CutCleanly()},
	{"empty", "each answer is 200 with an empty body", "", Status(http.StatusOK, "")},
	{"null", "each answer is 200 with null", "", Status(http.StatusOK, "null")},
	{"no-list", "each answer is 200 with an object that holds no list", "", Status(http.StatusOK, `{"message":"try later"}`)},
	{"page-for-people", "each answer is 200 with an HTML page", "", HTML()},
}
