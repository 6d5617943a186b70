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
	ClientID     string     `setting:"client_id,required" help:"Client id from Cloud-iQ: Manage, API Management, a client with the resource owner flow." example:"0a1b2c3d-1111-4222-8333-444455556666"`
	ClientSecret sdk.Secret `setting:"client_secret,required" help:"Client secret, shown once when the client is added."`
	Username     string     `setting:"username" help:"User name of the user that is kept for the API. Needed with grant_type password." example:"tallyman@msp.example"`
	Password     sdk.Secret `setting:"password" help:"Password of that user. Needed with grant_type password."`
	GrantType    string     `setting:"grant_type" default:"password" choices:"password|client_credentials" help:"How a token is asked for. Crayon documents password."`
	Scope        string     `setting:"scope" default:"CustomerApi" help:"Scope asked for with the token."`

	OrganizationIDs []string `setting:"organization_ids" help:"Organisations to read. Empty: all that the user can see." example:"3869"`
	FetchDetails    bool     `setting:"fetch_details" default:"true" help:"One more request for each subscription that is new or may have changed: cost, list price, currency, end of the commitment."`
	FetchAddresses  bool     `setting:"fetch_addresses" default:"true" help:"One more request for each customer: address, contact, registration number."`
	PageSize        int      `setting:"page_size" default:"50" help:"Elements asked for at a time, 1 to 1000."`
	Statuses        int      `setting:"statuses" default:"511" help:"Sum of the flags of the statuses to list. 511 is every flag known; a lower number hides subscriptions."`

	MaxParallel       int           `setting:"max_parallel" default:"2" help:"Requests at a time, 1 to 16."`
	RequestsPerMinute int           `setting:"requests_per_minute" default:"300" help:"Requests a minute at most, repeats included. 0: no limit."`
	Timeout           time.Duration `setting:"timeout" default:"2m" help:"How long to wait for an answer to begin, and for it to go on."`
	MaxAttempts       int           `setting:"max_attempts" default:"5" help:"How often a request is tried, 1 to 10."`
	RetryWait         time.Duration `setting:"retry_wait" default:"1s" help:"Wait before the first repeat. It doubles each time."`

	APIBaseURL string `setting:"api_base_url,url" default:"https://api.crayon.com/api/v1" help:"Address of the API, up to its version."`
	TokenURL   string `setting:"token_url,url" default:"https://api.crayon.com/api/v1/connect/token" help:"Address tokens come from."`
	AllowHTTP  bool   `setting:"allow_http" default:"false" help:"Permit http to other machines. The secrets then travel unencrypted."`
}

// validate checks what the tags cannot say.
func (s settings) validate() []sdk.Diagnostic {
	var found []sdk.Diagnostic
	problem := func(field, hint, format string, args ...any) {
		found = append(found, sdk.Diagnostic{Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	if s.GrantType == passwordGrant {
		const hint = "Cloud-iQ gives tokens to a client and a user together. Use a user that is kept for the API."
		if strings.TrimSpace(s.Username) == "" {
			problem("username", hint, "is missing; grant_type password needs it")
		}
		if s.Password.Reveal() == "" {
			problem("password", hint, "is missing; grant_type password needs it")
		}
	}
	for field, text := range map[string]string{"api_base_url": s.APIBaseURL, "token_url": s.TokenURL} {
		if _, err := rest.CheckURL(text, s.AllowHTTP); err != nil {
			problem(field, "For example https://api.crayon.com/api/v1. Plain http is for this machine only, unless allow_http is set.", "%v", err)
		}
	}
	within := func(field string, value, least, most int) {
		if value < least || value > most {
			problem(field, "", "is %d; it must be %d to %d", value, least, most)
		}
	}
	within("page_size", s.PageSize, 1, 1000)
	within("statuses", s.Statuses, 1, 1<<31-1)
	within("max_parallel", s.MaxParallel, 1, 16)
	within("max_attempts", s.MaxAttempts, 1, 10)
	within("requests_per_minute", s.RequestsPerMinute, 0, 100_000)
	if s.Statuses > 0 && s.Statuses&everyStatus != everyStatus {
		found = append(found, sdk.Diagnostic{
			Warning: true, Field: "statuses", Message: fmt.Sprintf("%d leaves out statuses that there are", s.Statuses),
			Hint: "Subscriptions with such a status are not listed, and so look as if they had ended. 511 lists every status.",
		})
	}
	if s.Timeout < time.Second || s.Timeout > time.Hour {
		problem("timeout", "", "is %s; it must be 1s to 1h", s.Timeout)
	}
	if s.RetryWait <= 0 || s.RetryWait > time.Minute {
		problem("retry_wait", "", "is %s; it must be above 0 and at most 1m", s.RetryWait)
	}
	for i, id := range s.OrganizationIDs {
		if strings.TrimLeft(strings.TrimSpace(id), "0123456789") != "" || strings.TrimSpace(id) == "" {
			problem("organization_ids", `Ids of organisations are numbers, such as "3869"; "tallyman test" shows those there are.`, "entry %d (%q) is no id", i+1, id)
		}
	}
	slices.SortFunc(found, func(a, b sdk.Diagnostic) int { return strings.Compare(a.Field, b.Field) })
	return found
}
