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

// publishedLimit is how many successful calls a minute Pax8 allows.
const publishedLimit = 1000

// settings are what an operator sets in a module's settings block.
type settings struct {
	ClientID     string     `setting:"client_id,required" help:"Client id from the Pax8 portal: Settings, Integrations, Credentials." example:"aBcD1234eFgH5678"`
	ClientSecret sdk.Secret `setting:"client_secret,required" help:"Client secret that belongs to the client id, from the same page."`

	FetchProducts bool `setting:"fetch_products" default:"true" help:"Read the product catalogue with the subscriptions, for vendors and SKUs."`

	PageSize          int           `setting:"page_size" default:"200" help:"Records to ask for at a time, 1 to 1000. Pax8 documents at most 200."`
	RequestsPerMinute int           `setting:"requests_per_minute" default:"900" help:"Requests a minute at most, repeats included. 0: no limit. Pax8 allows 1000, shared by all who use the credentials."`
	Timeout           time.Duration `setting:"timeout" default:"2m" help:"How long to wait for an answer to begin, and for it to go on."`
	MaxAttempts       int           `setting:"max_attempts" default:"5" help:"How often a request is tried, 1 to 10."`
	RetryWait         time.Duration `setting:"retry_wait" default:"1s" help:"Wait before the first repeat. It doubles each time; after a 429 without a time it is eight times as long."`

	APIBaseURL string `setting:"api_base_url,url" default:"https://api.pax8.com/v1" help:"Address of the API, with its version."`
	TokenURL   string `setting:"token_url,url" default:"https://api.pax8.com/v1/token" help:"Address tokens come from."`
	Audience   string `setting:"audience" default:"https://api.pax8.com" help:"Audience asked for with the token. Old credentials take api://p8p.client."`
	AllowHTTP  bool   `setting:"allow_http" default:"false" help:"Permit http to other machines. The secret then travels unencrypted."`
}

// validate checks what the tags cannot say.
func (s settings) validate() []sdk.Diagnostic {
	var found []sdk.Diagnostic
	problem := func(field, hint, format string, args ...any) {
		found = append(found, sdk.Diagnostic{Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	for field, text := range map[string]string{"api_base_url": s.APIBaseURL, "token_url": s.TokenURL} {
		if _, err := rest.CheckURL(text, s.AllowHTTP); err != nil {
			problem(field, "For example https://api.pax8.com/v1. Plain http is for this machine only, unless allow_http is set.", "%v", err)
		}
	}
	within := func(field string, value, least, most int) {
		if value < least || value > most {
			problem(field, "", "is %d; it must be %d to %d", value, least, most)
		}
	}
	within("page_size", s.PageSize, 1, 1000)
	within("max_attempts", s.MaxAttempts, 1, 10)
	within("requests_per_minute", s.RequestsPerMinute, 0, 100_000)
	if s.Timeout < time.Second || s.Timeout > time.Hour {
		problem("timeout", "", "is %s; it must be 1s to 1h", s.Timeout)
	}
	if s.RetryWait <= 0 || s.RetryWait > time.Minute {
		problem("retry_wait", "", "is %s; it must be above 0 and at most 1m", s.RetryWait)
	}
	if strings.TrimSpace(s.Audience) == "" {
		problem("audience", "Leave it out for https://api.pax8.com.", "is empty, and Pax8 gives no token without one")
	}
	slices.SortFunc(found, func(a, b sdk.Diagnostic) int { return strings.Compare(a.Field, b.Field) })
	return found
}
