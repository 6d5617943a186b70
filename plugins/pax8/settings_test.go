// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk"
)

// good are the settings with their defaults.
func good() settings {
	return settings{
		PageSize: 200, RequestsPerMinute: 900, Timeout: 2 * time.Minute, MaxAttempts: 5, RetryWait: time.Second,
		APIBaseURL: "https://api.pax8.com/v1", TokenURL: "https://api.pax8.com/v1/token", Audience: "https://api.pax8.com",
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(s *settings)
		fields []string
	}{
		"the defaults":           {func(*settings) {}, nil},
		"the old audience":       {func(s *settings) { s.Audience, s.TokenURL = "api://p8p.client", "https://login.pax8.com/oauth/token" }, nil},
		"no audience":            {func(s *settings) { s.Audience = " " }, []string{"audience"}},
		"http to another":        {func(s *settings) { s.APIBaseURL, s.TokenURL = "http://a.example", "http://b.example" }, []string{"api_base_url", "token_url"}},
		"http, if that is meant": {func(s *settings) { s.APIBaseURL, s.AllowHTTP = "http://a.example", true }, nil},
		"a page of nothing":      {func(s *settings) { s.PageSize = 0 }, []string{"page_size"}},
		"too large a page":       {func(s *settings) { s.PageSize = 1001 }, []string{"page_size"}},
		"no attempt":             {func(s *settings) { s.MaxAttempts = 0 }, []string{"max_attempts"}},
		"a negative rate":        {func(s *settings) { s.RequestsPerMinute = -1 }, []string{"requests_per_minute"}},
		"no time":                {func(s *settings) { s.Timeout, s.RetryWait = 0, 0 }, []string{"retry_wait", "timeout"}},
	} {
		s := good()
		test.change(&s)
		var fields []string
		for _, d := range s.validate() {
			fields = append(fields, d.Field)
		}
		if diff := cmp.Diff(test.fields, fields); diff != "" {
			t.Errorf("%s: fields at fault (-want +got):\n%s", name, diff)
		}
	}
}

// The connection test asks for the totals of both lists, and takes nothing else for an answer.
func TestTotals(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t, pax8sim.Options{})
	told := sim.Settings()
	s := good()
	s.ClientID, s.ClientSecret = told["client_id"].(string), sdk.NewSecret(told["client_secret"].(string))
	s.APIBaseURL, s.TokenURL, s.RetryWait = told["api_base_url"].(string), told["token_url"].(string), time.Millisecond
	c, err := connect(s, sdk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for fault, want := range map[string]struct {
		companies, subscriptions int64
		class                    sdk.Class
		fails                    bool
	}{
		"":                        {210, 1050, 0, false},
		"total.none":              {0, 0, 0, false},
		"total.untold":            {0, 0, sdk.ClassSchema, true},
		"subscriptions.no-list":   {210, 0, sdk.ClassSchema, true},
		"subscriptions.null":      {210, 0, sdk.ClassSchema, true},
		"subscriptions.not-found": {210, 0, sdk.ClassNotFound, true},
		"permission.refused":      {0, 0, sdk.ClassPermission, true},
	} {
		play(t, sim, fault)
		companiesTold, errCompanies := c.total(t.Context(), companies)
		subscriptionsTold, err := c.total(t.Context(), subscriptions)
		if companiesTold != want.companies || subscriptionsTold != want.subscriptions || (err != nil) != want.fails || err != nil && sdk.ClassOf(err) != want.class {
			t.Errorf("%s: %d companies (%v), %d subscriptions (%v)", fault, companiesTold, errCompanies, subscriptionsTold, err)
		}
	}
}
