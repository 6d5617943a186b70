// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// connectable gives good settings; text gives the simulator's by name.
func connectable(text func(name string) string) settings {
	return settings{
		ClientID: text("client_id"), ClientSecret: sdk.NewSecret(text("client_secret")), SubscriptionKey: sdk.NewSecret(text("subscription_key")),
		APIBaseURL: text("api_base_url"), TokenURL: text("token_url"), Scope: "service-provider",
		MaxParallel: 1, MaxAttempts: 1, Timeout: time.Minute, RetryWait: time.Millisecond,
		Paths: paths{
			Customers: "/service-provider/v1/customers", Subscriptions: "/service-provider/v1/billing/subscriptions",
			Prices: "/service-provider/v1/billing/subscriptions/pricing-information",
		},
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	plain := func(name string) string {
		if name == "api_base_url" || name == "token_url" {
			return "https://api.sherweb.com/x"
		}
		return "word"
	}
	for name, test := range map[string]struct {
		change func(*settings)
		field  string
	}{
		"as they are":                  {func(*settings) {}, ""},
		"http to another machine":      {func(s *settings) { s.APIBaseURL = "http://api.sherweb.com" }, "api_base_url"},
		"http allowed":                 {func(s *settings) { s.APIBaseURL, s.AllowHTTP = "http://api.sherweb.com", true }, ""},
		"a token address with a query": {func(s *settings) { s.TokenURL = "https://api.sherweb.com/token?x=1" }, "token_url"},
		"a blank key":                  {func(s *settings) { s.SubscriptionKey = sdk.NewSecret(" ") }, "subscription_key"},
		"a key of two lines":           {func(s *settings) { s.SubscriptionKey = sdk.NewSecret("a\nb") }, "subscription_key"},
		"a key with a blank around it": {func(s *settings) { s.SubscriptionKey = sdk.NewSecret(" key\n") }, ""},
		"no request at a time":         {func(s *settings) { s.MaxParallel = 0 }, "max_parallel"},
		"seventeen requests at a time": {func(s *settings) { s.MaxParallel = 17 }, "max_parallel"},
		"no attempt":                   {func(s *settings) { s.MaxAttempts = 0 }, "max_attempts"},
		"a negative rate":              {func(s *settings) { s.RequestsPerMinute = -1 }, "requests_per_minute"},
		"no time":                      {func(s *settings) { s.Timeout = 0 }, "timeout"},
		"no wait":                      {func(s *settings) { s.RetryWait = 0 }, "retry_wait"},
		"a path that climbs":           {func(s *settings) { s.Paths.Prices = "/a/../b" }, "paths.prices"},
		"a path to another host":       {func(s *settings) { s.Paths.Customers = "//elsewhere/x" }, "paths.customers"},
		"a path with a query":          {func(s *settings) { s.Paths.Subscriptions = "/x?customerId=1" }, "paths.subscriptions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectable(plain)
			test.change(&s)
			found := s.validate()
			switch {
			case test.field == "" && len(found) > 0:
				t.Errorf("%+v", found)
			case test.field != "" && !slices.ContainsFunc(found, func(d sdk.Diagnostic) bool { return d.Field == test.field && !d.Warning }):
				t.Errorf("%+v, want a diagnostic of %s", found, test.field)
			}
		})
	}
}
