// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// settings are what an operator sets in a module's settings block.
type settings struct {
	ClientID        string     `setting:"client_id,required" help:"Client id, from Sherweb's partner portal: Security, APIs." example:"5f1d3c5e-7f3a-4d6e-9a51-2c8e6b0a7d11"`
	ClientSecret    sdk.Secret `setting:"client_secret,required" help:"Client secret, shown once when the key is created."`
	SubscriptionKey sdk.Secret `setting:"subscription_key,required" help:"Subscription key of the API gateway, from the same page."`

	FetchPrices bool `setting:"fetch_prices" default:"false" help:"One more request for each customer, for billing cycles and fees."`

	MaxParallel       int           `setting:"max_parallel" default:"1" help:"Requests at a time, 1 to 16."`
	RequestsPerMinute int           `setting:"requests_per_minute" default:"120" help:"Requests a minute at most, repeats included. 0: no limit."`
	Timeout           time.Duration `setting:"timeout" default:"2m" help:"How long to wait for an answer to begin, and for it to go on."`
	MaxAttempts       int           `setting:"max_attempts" default:"5" help:"How often a request is tried, 1 to 10."`
	RetryWait         time.Duration `setting:"retry_wait" default:"1s" help:"Wait before the first repeat. It doubles each time."`

	APIBaseURL string `setting:"api_base_url,url" default:"https://api.sherweb.com" help:"Address of the API."`
	TokenURL   string `setting:"token_url,url" default:"https://api.sherweb.com/auth/oidc/connect/token" help:"Address tokens come from."`
	Scope      string `setting:"scope" default:"service-provider" help:"Scope asked for with the token."`
	AllowHTTP  bool   `setting:"allow_http" default:"false" help:"Permit http to other machines. The secrets then travel unencrypted."`

	Paths paths `setting:"paths"`
}

// paths are the requests. Nothing else is ever sent, and all of them by GET.
type paths struct {
	Customers     string `setting:"customers" default:"/service-provider/v1/customers" help:"All customers."`
	Subscriptions string `setting:"subscriptions" default:"/service-provider/v1/billing/subscriptions" help:"The subscriptions of one customer."`
	Prices        string `setting:"prices" default:"/service-provider/v1/billing/subscriptions/pricing-information" help:"Billing cycles and fees of one customer, for fetch_prices."`
}

func (p paths) byField() map[string]string {
	return map[string]string{"paths.customers": p.Customers, "paths.subscriptions": p.Subscriptions, "paths.prices": p.Prices}
}

func (p paths) endpoints() []rest.Endpoint {
	var list []rest.Endpoint
	for _, path := range p.byField() {
		list = append(list, rest.Endpoint{Method: "GET", Path: path})
	}
	return list
}

// validate checks what the tags cannot say.
func (s settings) validate() []sdk.Diagnostic {
	var found []sdk.Diagnostic
	problem := func(field, hint, format string, args ...any) {
		found = append(found, sdk.Diagnostic{Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	for field, text := range map[string]string{"api_base_url": s.APIBaseURL, "token_url": s.TokenURL} {
		if _, err := rest.CheckURL(text, s.AllowHTTP); err != nil {
			problem(field, "For example https://api.sherweb.com. Plain http is for this machine only, unless allow_http is set.", "%v", err)
		}
	}
	within := func(field string, value, least, most int) {
		if value < least || value > most {
			problem(field, "", "is %d; it must be %d to %d", value, least, most)
		}
	}
	within("max_parallel", s.MaxParallel, 1, 16)
	within("max_attempts", s.MaxAttempts, 1, 10)
	within("requests_per_minute", s.RequestsPerMinute, 0, 100_000)
	if s.Timeout < time.Second || s.Timeout > time.Hour {
		problem("timeout", "", "is %s; it must be 1s to 1h", s.Timeout)
	}
	if s.RetryWait <= 0 || s.RetryWait > time.Minute {
		problem("retry_wait", "", "is %s; it must be above 0 and at most 1m", s.RetryWait)
	}
	if key := strings.TrimSpace(s.SubscriptionKey.Reveal()); key == "" || strings.ContainsFunc(key, unfitForHeader) {
		problem("subscription_key", "Copy the key from the partner portal; it is one word of letters and digits.",
			"is no key: it is empty, or holds characters that no header may hold")
	}
	for field, path := range s.Paths.byField() {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, "..") || strings.ContainsAny(path, "{}?#") {
			problem(field, "It takes no {names} and no query.", "%q must be a path that begins with a single /", path)
		}
	}
	slices.SortFunc(found, func(a, b sdk.Diagnostic) int { return strings.Compare(a.Field, b.Field) })
	return found
}

func unfitForHeader(r rune) bool { return r <= ' ' || r >= 0x7f }
