// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

const (
	detailsText = `{"TenantId":"T1","Subscriptions":[
		{"SubscriptionId":"s-1","FriendlyName":"Business Premium","UnitPrice":27.36,"AddonSubscriptions":[{"SubscriptionId":"S-1a","FriendlyName":"Phone","Quantity":2,"Unit":"Licenses","UnitPrice":"1.5"}]},
		{"SubscriptionId":"S-2","AddonSubscriptions":[{"SubscriptionId":"s-2A","Quantity":5}]},
		{"SubscriptionId":"S-other","FriendlyName":"not in the list"}]}`
	pricesText = `{"ProductGroups":[{"Products":null},{"Products":[
		{"ProductId":"3F0E","ProductName":"M365 BP","ProductSku":"CFQ7:0002","Price":30,"UnitPrice":27.5,"RetailUnitPrice":32.9,"IsTrialProduct":true},
		{"ProductId":"else","ProductSku":"EX","ProductName":"Exchange by code","Price":"4.000","RetailPrice":null}]}]}`
	usageText = `{"SubscriptionName":"Fabrikam production","Currency":"aud","TotalCost":412.774125,"ResourceUsageSummaries":[]}`
)

func enriched() map[string]string {
	texts := account()
	texts[detailsT1] = detailsText
	texts["/api/v2/microsoftcsp/tenants/T3"] = `{"Subscriptions":null}`
	texts[usageAzure] = usageText
	return texts
}

// handlePrices answers the price list of any day, since the plugin asks for today's.
func handlePrices(t *testing.T, p *prism, handler http.HandlerFunc) {
	t.Helper()
	for day := -1; day <= 1; day++ {
		p.handle("/api/v2/me/pricing/"+agreementA+"/pricelist/"+time.Now().UTC().AddDate(0, 0, day).Format("2006/1/2")+"/", handler)
	}
}

var allEnrichment = map[string]any{"fetch_tenant_details": "true", "fetch_prices": "true", "fetch_azure_usage": "true", "max_parallel": "1"}

func TestEnrichmentAddsNamesPricesAndUsage(t *testing.T) {
	t.Parallel()
	p := newPrism(t, enriched())
	handlePrices(t, p, respond(200, "application/json", pricesText))
	got := connected(t, p.URL, allEnrichment).listSubscriptions()
	if got.outcome(agreementA) != "complete" || len(got.warnings) > 0 {
		t.Fatalf("outcome %s: %q", got.outcome(agreementA), got.warnings)
	}
	if len(got.records) != 6 {
		t.Errorf("records %s", got.refs())
	}
	s := got.record("S-1")
	if i := s.Items[0]; s.Name != "Business Premium" || i.SKU != "CFQ7:0002" || i.ProductRef != "3f0e" || i.PartnerCost.Amount.String() != "27.36" ||
		i.PartnerCost.Currency != "" || i.ListPrice.Amount.String() != "32.9" || i.PricePer != sdk.PricePerUnit || s.Trial == nil || !*s.Trial {
		t.Errorf("%+v", s)
	}
	if a := got.record("S-1a"); a == nil || a.ParentRef != "S-1" || a.Items[0].PartnerCost.Amount.String() != "1.5" || a.State != sdk.StateActive {
		t.Errorf("%+v", a)
	}
	if s := got.record("S-2"); s.Items[0].SKU != "EX" || s.Items[0].PartnerCost.Amount.String() != "5.1" || !s.Items[0].ListPrice.Amount.IsAbsent() {
		t.Errorf("%+v", s)
	}
	azure := got.record("S-azure")
	if i := azure.Items[0]; !i.Quantity.IsAbsent() || i.PartnerCost != (sdk.Money{Amount: i.PartnerCost.Amount, Currency: "AUD"}) ||
		i.PartnerCost.Amount.String() != "412.774125" || i.PricePer != sdk.PricePerTotal || azure.Extra["usage_from"] == "" {
		t.Errorf("%+v", azure)
	}
	if p.asked("startDate=") != 1 || p.asked("excludeTieredProducts=true") != 1 {
		t.Errorf("requests %q", p.requests)
	}
}

// A failed enrichment leaves what it would have told untold, which the host keeps; it removes and blanks nothing.
func TestFailedEnrichmentRemovesAndBlanksNothing(t *testing.T) {
	t.Parallel()
	broken := map[string]http.HandlerFunc{
		"500":     respond(500, "text/plain", ""),
		"404":     respond(404, "application/json", `{"Message":"gone"}`),
		"403":     respond(403, "application/json", `{"Message":"no"}`),
		"HTML":    respond(200, "text/html", "<html>"),
		"no list": respond(200, "application/json", `{"Foo":1}`),
		"text":    respond(200, "application/json", `"x"`),
	}
	for name, handler := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrism(t, enriched())
			handlePrices(t, p, handler)
			p.handle(usageAzure, handler)
			got := connected(t, p.URL, allEnrichment).listSubscriptions()
			if got.outcome(agreementA) != "complete" || !got.warned("prices.failed") || !got.warned("usage.failed") {
				t.Errorf("outcome %s, warnings %q", got.outcome(agreementA), got.warnings)
			}
			if len(got.records) != 6 {
				t.Errorf("records %s", got.refs())
			}
			s := got.record("S-1")
			if i := s.Items[0]; i.Quantity.String() != "25" || i.SKU != "" || !i.ListPrice.Amount.IsAbsent() || s.Name != "Business Premium" {
				t.Errorf("%+v", s)
			}
			if i := got.record("S-azure").Items[0]; !i.PartnerCost.Amount.IsAbsent() {
				t.Errorf("%+v", i)
			}
		})
	}
}

// Add-ons may be told by the details alone, so a tenant without details must not let the host conclude that they ended.
func TestFailedDetailsKeepTheRecordsAndMakeTheScopePartial(t *testing.T) {
	t.Parallel()
	texts := enriched()
	delete(texts, detailsT1)
	got := connected(t, newPrism(t, texts).URL, map[string]any{"fetch_tenant_details": "true"}).listSubscriptions()
	if got.outcome(agreementA) != "partial" || !got.warned("details.failed") {
		t.Errorf("outcome %s, warnings %q", got.outcome(agreementA), got.warnings)
	}
	if s := got.record("S-1"); s == nil || s.Name == "" || s.Items[0].Quantity.String() != "25" {
		t.Errorf("%+v", s)
	}
}

func TestAProductMissingFromThePriceListIsKept(t *testing.T) {
	t.Parallel()
	p := newPrism(t, enriched())
	handlePrices(t, p, respond(200, "application/json", `{"ProductGroups":[]}`))
	got := connected(t, p.URL, map[string]any{"fetch_prices": "true"}).listSubscriptions()
	if s := got.record("S-1"); got.outcome(agreementA) != "complete" || s == nil || s.Items[0].SKU != "3f0e" {
		t.Errorf("outcome %s: %+v", got.outcome(agreementA), s)
	}
}

func TestUsageMonth(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 31, 23, 0, 0, 0, time.UTC)
	for which, want := range map[string]string{"previous": "2023-12-01 2024-01-01", "current": "2024-01-01 2024-02-01"} {
		from, to := usageMonth(which, now)
		if got := from.Format(time.DateOnly) + " " + to.Format(time.DateOnly); got != want {
			t.Errorf("%s: %s, want %s", which, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]sdk.Term{
		"Monthly": sdk.Months(1, "Monthly"), "ANNUAL": sdk.Years(1, "ANNUAL"), "P1M": sdk.Months(1, "P1M"), "P3Y": sdk.Years(3, "P3Y"),
		"12 Months": sdk.Months(12, "12 Months"), "1 Year": sdk.Years(1, "1 Year"), "P7D": sdk.Days(7, "P7D"),
		"One-Time": {Kind: sdk.TermOneTime, Raw: "One-Time"}, "2": {Raw: "2"}, "": {}, "Whenever": {Raw: "Whenever"},
		"P": {Raw: "P"}, "P0M": {Raw: "P0M"}, "P-1M": {Raw: "P-1M"}, "P99999Y": {Raw: "P99999Y"}, "BiAnnually": {Raw: "BiAnnually"},
	} {
		if got := parseTerm(raw); got != want {
			t.Errorf("%q is %+v, want %+v", raw, got, want)
		}
	}
}

func TestStatesAreMappedWithoutCaseAndUnknownWordsAreNoEnd(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]sdk.State{
		"Active": sdk.StateActive, "ACTIVE": sdk.StateActive, "suspended": sdk.StateSuspended, "Pending": sdk.StatePending, "Expired": sdk.StateExpired,
		"Cancelled": sdk.StateCancelled, "Canceled": sdk.StateCancelled, "Deleted": sdk.StateDeleted, "Disabled": sdk.StateExpired,
		"None": sdk.StateUnknown, "": sdk.StateUnknown, "Terminating": sdk.StateUnknown, "1": sdk.StateUnknown,
	} {
		if got := stateOf(status); got != want {
			t.Errorf("%q is %v, want %v", status, got, want)
		}
	}
}

func TestMistakesInSettingsAreAllToldWithTheirField(t *testing.T) {
	t.Parallel()
	found := startPlugin(t).configure(map[string]any{
		"client_id": "x", "client_secret": testSecret, "api_base_url": "http://api.example.com", "token_url": "nonsense", "max_parallel": "0",
		"max_attempts": "99", "timeout": "1ms", "contract_agreement_ids": []string{"a/b"}, "azure_usage_month": "next",
		"paths.tenants": "/api/{tenantId}", "paths.customers": "customers",
	})
	fields := map[string]bool{}
	for _, d := range found {
		fields[d.GetField()] = true
		if strings.Contains(d.String(), testSecret) {
			t.Errorf("a secret is in %v", d)
		}
	}
	for _, want := range []string{"token_url", "azure_usage_month"} {
		if !fields[want] {
			t.Errorf("nothing is said about %s: %v", want, found)
		}
	}
	// What the types say comes first; these are told once they fit.
	found = startPlugin(t).configure(map[string]any{
		"client_id": "x", "client_secret": testSecret, "api_base_url": "http://api.example.com", "max_parallel": "0",
		"max_attempts": "99", "timeout": "1ms", "contract_agreement_ids": []string{"a/b"},
		"paths.tenants": "/api/{tenantId}", "paths.customers": "customers",
	})
	fields = map[string]bool{}
	for _, d := range found {
		fields[d.GetField()] = true
	}
	for _, want := range []string{"api_base_url", "max_parallel", "max_attempts", "timeout", "contract_agreement_ids", "paths.tenants", "paths.customers"} {
		if !fields[want] {
			t.Errorf("nothing is said about %s: %v", want, found)
		}
	}
}

func TestNoWriteCanBeSent(t *testing.T) {
	t.Parallel()
	for _, e := range (paths{Me: "/a", Customers: "/b", Tenants: "/c", TenantDetails: "/d", PriceList: "/e", AzureUsage: "/f"}).endpoints() {
		if e.Method != "GET" {
			t.Errorf("%+v may be sent", e)
		}
	}
}

func TestConnectionTestNamesTheStepThatFails(t *testing.T) {
	t.Parallel()
	token := "/core/connect/token"
	tests := map[string]struct {
		change func(p *prism)
		more   map[string]any
		failed string
		steps  int
		want   []string
	}{
		"all is well":             {func(*prism) {}, nil, "", 5, nil},
		"who am I does not exist": {func(p *prism) { p.set("/api/v1/me", "") }, nil, "", 5, nil},
		"a host without name":     {func(*prism) {}, map[string]any{"api_base_url": "https://nowhere.invalid"}, "resolve", 1, []string{"nowhere.invalid", "api_base_url"}},
		"nobody listens":          {func(*prism) {}, map[string]any{"api_base_url": "http://127.0.0.1:1"}, "connect", 2, []string{"refused"}},
		"a wrong secret":          {func(p *prism) { p.handle(token, respond(400, "application/json", `{"error":"invalid_client"}`)) }, nil, "authenticate", 3, []string{"invalid_client", "Manage Client Credentials"}},
		"a wrong scope":           {func(p *prism) { p.handle(token, respond(400, "application/json", `{"error":"invalid_scope"}`)) }, nil, "authenticate", 3, []string{"invalid_scope", "scope"}},
		"a token that is refused": {func(p *prism) { p.handle("/api/v1/me", respond(401, "application/json", `{"Message":"denied"}`)) }, nil, "authorise", 4, []string{"401", "Manage Client Credentials"}},
		"a right that is missing": {func(p *prism) { p.handle("/api/v1/me", respond(403, "application/json", `{"Message":"denied"}`)) }, nil, "authorise", 4, []string{"403", "own company"}},
		"an agreement of others":  {func(p *prism) { p.handle(tenantsA, respond(403, "application/json", `{"Message":"denied"}`)) }, nil, "read", 5, []string{"403", agreementA, "agreement"}},
		"no agreement at all":     {func(p *prism) { p.set(customersPath, `[{"CustomerId":"C1"}]`) }, nil, "read", 5, []string{"contract_agreement_ids"}},
		"a sign-in page":          {func(p *prism) { p.handle(customersPath, respond(200, "text/html", "<html>")) }, nil, "read", 5, []string{"HTML", "sign-in page"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrism(t, account())
			test.change(p)
			got := connected(t, p.URL, test.more).test()
			if n := len(got.GetSteps()); n != test.steps || got.GetOk() != (test.failed == "") {
				t.Fatalf("%d steps, ok %t: %v", n, got.GetOk(), got)
			}
			last := got.GetSteps()[test.steps-1]
			if test.failed == "" {
				if !strings.Contains(got.GetVisible(), "2 customers (1 deactivated)") || !strings.Contains(got.GetVisible(), "3 tenants") {
					t.Errorf("visible: %q", got.GetVisible())
				}
				return
			}
			if last.GetName() != test.failed {
				t.Errorf("step %q failed, want %q", last.GetName(), test.failed)
			}
			for _, part := range test.want {
				if !strings.Contains(last.GetError().GetMessage()+" | "+last.GetError().GetHint(), part) {
					t.Errorf("%q / %q does not hold %q", last.GetError().GetMessage(), last.GetError().GetHint(), part)
				}
			}
		})
	}
}

func TestAnAnswerThatNeverComesEndsWithAClearError(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	p.handle(tenantsA, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	})
	got := connected(t, p.URL, map[string]any{"timeout": "1s", "max_attempts": "2"}).listSubscriptions()
	if m := got.ends[agreementA].GetError().GetMessage(); !strings.Contains(m, "no answer within 1s") || !strings.Contains(m, "tried 2 times") {
		t.Errorf("message %q", m)
	}
}

func TestATokenRefusedInTheMiddleIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPrism(t, account())
	refused := false
	p.handle(tenantsA, func(w http.ResponseWriter, r *http.Request) {
		if !refused {
			refused = true
			respond(401, "application/json", `{"Message":"denied"}`)(w, r)
			return
		}
		respond(200, "application/json", account()[tenantsA])(w, r)
	})
	got := connected(t, p.URL, nil).listSubscriptions()
	if got.outcome(agreementA) != "complete" || p.asked("/core/connect/token") != 2 {
		t.Errorf("outcome %s, %d tokens", got.outcome(agreementA), p.asked("/core/connect/token"))
	}
}
