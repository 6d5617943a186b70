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
	ClientID     string     `setting:"client_id,required" help:"Client id from PRISM: Customer Management, your own company, Manage Client Credentials." example:"0a1b2c3d-1111-4222-8333-444455556666"`
	ClientSecret sdk.Secret `setting:"client_secret,required" help:"Client secret, shown once when the client credentials are generated."`

	ContractAgreementIDs []string `setting:"contract_agreement_ids" help:"Contract agreements to read. Empty: those found with the customers." example:"c0ffee00-1a2b-e811-8130-000d3a500001"`
	PartnerCustomerID    string   `setting:"partner_customer_id" help:"CustomerId of your own company, so that it is not taken for a customer."`

	IncludeDeactivatedCustomers bool   `setting:"include_deactivated_customers" default:"true" help:"List deactivated customers too, marked as ended."`
	CustomersFromTenants        bool   `setting:"customers_from_tenants" default:"true" help:"Read the tenants with the customers too, for domains and for customers that only tenants name."`
	FetchTenantDetails          bool   `setting:"fetch_tenant_details" default:"false" help:"One more request for each tenant: display names, unit prices, add-ons."`
	FetchPrices                 bool   `setting:"fetch_prices" default:"false" help:"One more request for each agreement: prices and product codes from the price list."`
	FetchAzureUsage             bool   `setting:"fetch_azure_usage" default:"false" help:"One more request for each metered subscription: its cost in a month."`
	AzureUsageMonth             string `setting:"azure_usage_month" default:"previous" choices:"previous|current" help:"The month fetch_azure_usage asks for. The current one changes every day."`

	MaxParallel       int           `setting:"max_parallel" default:"2" help:"Requests at a time, 1 to 16."`
	RequestsPerMinute int           `setting:"requests_per_minute" default:"300" help:"Requests a minute at most, repeats included. 0: no limit."`
	Timeout           time.Duration `setting:"timeout" default:"2m" help:"How long to wait for an answer to begin, and for it to go on."`
	MaxAttempts       int           `setting:"max_attempts" default:"5" help:"How often a request is tried, 1 to 10."`
	RetryWait         time.Duration `setting:"retry_wait" default:"1s" help:"Wait before the first repeat. It doubles each time."`

	APIBaseURL string `setting:"api_base_url,url" default:"https://api.prismportal.online" help:"Address of the API."`
	TokenURL   string `setting:"token_url,url" default:"https://identity.prismportal.online/core/connect/token" help:"Address tokens come from."`
	Scope      string `setting:"scope" default:"rhipeapi" help:"Scope asked for with the token."`
	AllowHTTP  bool   `setting:"allow_http" default:"false" help:"Permit http to other machines. The secret then travels unencrypted."`

	TermFields      []string `setting:"term_fields" help:"Members that may hold the commitment term. Empty: TermDuration, CommitmentTerm."`
	EndDateFields   []string `setting:"end_date_fields" help:"Members that may hold the end of the commitment. Empty: CommitmentEndDate, TermEndDate, RenewalDate, EndDate."`
	AutoRenewFields []string `setting:"auto_renew_fields" help:"Members that may say whether it renews itself. Empty: AutoRenewEnabled, AutoRenew."`

	Paths paths `setting:"paths"`
}

// paths are the templates of the requests. Nothing else is ever sent, and all of them by GET.
type paths struct {
	Me            string `setting:"me" default:"/api/v1/me" help:"Who am I, for the connection test."`
	Customers     string `setting:"customers" default:"/api/v1/me/customers" help:"All customers."`
	Tenants       string `setting:"tenants" default:"/api/v2/contractagreements/{contractAgreementId}/tenants" help:"All tenants of an agreement, with their subscriptions."`
	TenantDetails string `setting:"tenant_details" default:"/api/v2/microsoftcsp/tenants/{tenantId}" help:"One tenant."`
	PriceList     string `setting:"price_list" default:"/api/v2/me/pricing/{contractAgreementId}/pricelist/{year}/{month}/{day}/?excludeTieredProducts=true" help:"Price list of an agreement on a day."`
	AzureUsage    string `setting:"azure_usage" default:"/api/v2/microsoftcsp/azure/usage/summary/{subscriptionId}" help:"Cost of a metered subscription."`
}

// pathRule is what a template must and may hold.
type pathRule struct {
	field, template string
	vars            []string
}

func (p paths) rules() []pathRule {
	return []pathRule{
		{"paths.me", p.Me, nil},
		{"paths.customers", p.Customers, nil},
		{"paths.tenants", p.Tenants, []string{"contractAgreementId"}},
		{"paths.tenant_details", p.TenantDetails, []string{"tenantId"}},
		{"paths.price_list", p.PriceList, []string{"contractAgreementId", "year", "month", "day"}},
		{"paths.azure_usage", p.AzureUsage, []string{"subscriptionId"}},
	}
}

func (p paths) endpoints() []rest.Endpoint {
	var list []rest.Endpoint
	for _, rule := range p.rules() {
		list = append(list, rest.Endpoint{Method: "GET", Path: rule.template})
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
			problem(field, "For example https://api.prismportal.online. Plain http is for this machine only, unless allow_http is set.", "%v", err)
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
	for i, id := range s.ContractAgreementIDs {
		if id = strings.TrimSpace(id); id == "" || strings.ContainsAny(id, `/\?#% `) {
			problem("contract_agreement_ids", "Copy the id from PRISM; it looks like c0ffee00-1a2b-e811-8130-000d3a500001.", "entry %d (%q) is no id", i+1, id)
		}
	}
	for _, rule := range s.Paths.rules() {
		checkPath(rule, func(hint, format string, args ...any) { problem(rule.field, hint, format, args...) })
	}
	slices.SortFunc(found, func(a, b sdk.Diagnostic) int { return strings.Compare(a.Field, b.Field) })
	return found
}

func checkPath(rule pathRule, problem func(hint, format string, args ...any)) {
	if !strings.HasPrefix(rule.template, "/") || strings.HasPrefix(rule.template, "//") || strings.Contains(rule.template, "..") {
		problem("", "%q must be a path that begins with a single /", rule.template)
		return
	}
	hint := "It takes no {names}."
	if len(rule.vars) > 0 {
		hint = "It takes {" + strings.Join(rule.vars, "}, {") + "}."
	}
	have := rest.PathVars(rule.template)
	for _, name := range have {
		if !slices.Contains(rule.vars, name) {
			problem(hint, "%q holds {%s}, which nothing fills", rule.template, name)
		}
	}
	for _, name := range rule.vars {
		if !slices.Contains(have, name) {
			problem(hint, "%q lacks {%s}", rule.template, name)
		}
	}
}

func orDefault(list []string, names ...string) []string {
	if len(list) == 0 {
		return names
	}
	return list
}
