// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// switchCase is what becomes of a run when PRISM answers in another way than before. Unless it says otherwise the run
// ends with no_change and nothing that anybody can see differs.
type switchCase struct {
	// switches are in JSON; for is the endpoint or id they are limited to.
	switches, limit string
	// settings are further settings for this run.
	settings []string
	// secret, when set, is the client secret of this run.
	secret string
	// world is changed before the run; undo changes it back after it.
	world, undo func(*prismsim.World)
	fault       prismsim.Fault
	// hourglass lets twenty minutes pass at every look at the clock.
	hourglass bool

	outcome string
	effect  []string
	// kept: the record of what the distributor said may differ all the same.
	kept bool
	says []string
	// tokens is how many tokens the run needs; zero is one.
	tokens int
	// stays is what remains of the effect after another run on plain answers.
	stays []string
}

// switchBlocks are those under which most could go wrong.
var switchBlocks = []string{
	`customers {
      unmatched                = "create"
      update_main_site_address = true
    }`,
	`subscriptions { deactivate_missing = true }`,
}

// switchWorld has something of everything: add-ons, metered and ended subscriptions, names made of digits, addresses of
// every kind, a customer without anything, several agreements.
func switchWorld() *prismsim.World {
	w := prismsim.NewWorld(prismsim.Customer{ID: "c-partner", Name: "Harbourside IT"})
	w.AddAgreement(prismsim.Agreement{ID: "a-microsoft", Start: time.Date(2023, time.July, 1, 0, 0, 0, 0, time.UTC)})
	w.AddAgreement(prismsim.Agreement{ID: "a-backup", ProgramName: "Cloud Backup"})
	w.AddAgreement(prismsim.Agreement{ID: "a-reported", ProgramName: "Hosting Licences", Reported: true})
	for _, c := range []prismsim.Customer{
		{
			ID: "c-acacia", Name: "Acacia Farms", Phone: "61390001111", Email: "office@acacia.example", WebURL: "https://acacia.example", RegistrationNumber: "12345678901",
			Address: prismsim.Address{
				Street1: "1 Acacia Way", Street2: "Level 2", City: "Melbourne", State: "VIC", Postcode: "3000", Country: "Australia", CountryISOCode: "AU",
			},
		},
		{ID: "c-digits", Name: "365", Address: prismsim.Address{Street1: "5", City: "Darwin", Postcode: "0800"}},
		{ID: "c-billing", Name: "Banksia & Söhne „Ost“", Billing: prismsim.Address{Street1: "Straße 7", City: "Köln", Postcode: "50667", Country: "Germany", CountryISOCode: "DE"}},
		{ID: "c-bare", Name: "Callistemon Café"},
		{ID: "c-deactivated", Name: "Deactivated Dairy", Deactivated: true},
	} {
		w.AddCustomer(c)
	}
	bought := func(nanoseconds int) time.Time {
		// Late in the day, so that elsewhere it is the next one.
		return time.Date(2024, time.March, 13, 22, 11, 45, nanoseconds, time.UTC)
	}
	w.AddTenant(prismsim.Tenant{ID: "t-acacia", AgreementID: "a-microsoft", CustomerID: "c-acacia", Domain: "acacia.example", Subscriptions: []prismsim.Subscription{
		{
			ID: "s-premium", ProductID: "3f0e8c52-1111", ProductName: "Business Premium (NCE)", FriendlyName: "Business Premium", Quantity: 25,
			UnitPrice: "27.36", DisplayTemplate: "Office365", FirstPurchased: bought(123456700),
			TermDuration: "P1Y", CommitmentEnd: time.Date(2026, time.March, 13, 0, 0, 0, 0, time.UTC), AutoRenew: true,
			Addons: []prismsim.Subscription{
				{ID: "s-addon", FriendlyName: "Audio Conferencing", Quantity: 5, UnitPrice: "4.9"},
				{ID: "s-addon-off", FriendlyName: "Calling Plan", Quantity: 2, UnitPrice: "12", Status: "Suspended"},
			},
		},
		{ID: "s-azure", ProductID: "3f0e8c52-2222", ProductName: "Azure plan", Quantity: 1, Unit: prismsim.UnitUsage, DisplayTemplate: "Azure", FirstPurchased: bought(0)},
		{ID: "s-cancelled", ProductID: "3f0e8c52-3333", ProductName: "Visio (old)", Quantity: 3, UnitPrice: "19.80", Status: "Cancelled", FirstPurchased: bought(120000000)},
	}})
	w.AddTenant(prismsim.Tenant{ID: "t-digits", AgreementID: "a-microsoft", CustomerID: "c-digits", Domain: "365.example", Subscriptions: []prismsim.Subscription{
		{ID: "s-suspended", ProductID: "1234567", ProductName: "2019", Quantity: 7, UnitPrice: "551.4", Status: "Suspended", BillingCycle: "Annual", Unit: "User", FirstPurchased: bought(0)},
	}})
	w.AddTenant(prismsim.Tenant{ID: "t-null", AgreementID: "a-microsoft", CustomerID: "c-billing", Domain: "banksia.example", NullSubscriptions: true})
	w.AddTenant(prismsim.Tenant{ID: "t-empty", AgreementID: "a-microsoft", CustomerID: "c-acacia", Domain: "acacia-two.example"})
	w.AddTenant(prismsim.Tenant{ID: "t-bare", AgreementID: "a-backup", CustomerID: "c-bare", Subscriptions: []prismsim.Subscription{
		{ID: "s-backup", ProductID: "cb-1", ProductName: "Cloud Backup per User", FriendlyName: "Cloud Backup", Quantity: 46, UnitPrice: "3.000", FirstPurchased: bought(0)},
	}})
	w.AddTenant(prismsim.Tenant{ID: "t-other", AgreementID: "a-backup", CustomerID: "c-acacia", Subscriptions: []prismsim.Subscription{
		backupTwo,
	}})
	return w
}

var backupTwo = prismsim.Subscription{
	ID: "s-backup-two", ProductID: "cb-1", ProductName: "Cloud Backup per User", FriendlyName: "Cloud Backup", Quantity: 9, UnitPrice: "3",
	FirstPurchased: time.Date(2024, time.March, 13, 22, 11, 45, 0, time.UTC),
}

// What a case may do to several records.
var (
	productNames = []string{
		"subscriptions s-backup name: Cloud Backup -> Cloud Backup per User",
		"subscriptions s-backup-two name: Cloud Backup -> Cloud Backup per User",
		"subscriptions s-premium name: Business Premium -> Business Premium (NCE)",
	}
	addonsUntold = "add-ons of contract agreement a-microsoft (Microsoft CSP Indirect) was not part of this listing; its 2 subscriptions were left as they are"
	terms        = []string{
		"subscriptions s-azure auto_renew: null -> 0",
		"subscriptions s-backup auto_renew: null -> 0",
		"subscriptions s-backup-two auto_renew: null -> 0",
		"subscriptions s-cancelled auto_renew: null -> 0",
		"subscriptions s-premium auto_renew: null -> 1",
		"subscriptions s-premium commitment_end:  -> 2026-03-13T00:00:00Z",
		"subscriptions s-premium commitment_term:  -> P1Y",
		"subscriptions s-suspended auto_renew: null -> 0",
	}
	// tenantOnly is what is known of a customer that only its tenants name.
	tenantOnly = []string{"distributor_customers c-acacia lifecycle: active -> unknown"}
)

// forEach gives "subscriptions <ref> <change>" for each ref.
func forEach(change string, refs ...string) (list []string) {
	for _, ref := range refs {
		list = append(list, "subscriptions "+ref+" "+change)
	}
	return list
}

func together(lists ...[]string) []string {
	return slices.Sorted(slices.Values(slices.Concat(lists...)))
}

// agreementRefused is a case in which one of several agreements fails, and has changed: nothing of it may be touched.
func agreementRefused(style, says string) switchCase {
	return switchCase{
		switches: fmt.Sprintf(`{"error_body":%q}`, style), fault: prismsim.AgreementFails("a-backup", 403),
		world: func(w *prismsim.World) {
			w.RemoveSubscription("s-backup-two")
			w.SetQuantity("s-backup", 50)
			w.SetQuantity("s-premium", 26)
		},
		undo: func(w *prismsim.World) {
			w.AddSubscription("t-other", backupTwo)
			w.SetQuantity("s-backup", 46)
			w.SetQuantity("s-premium", 25)
		},
		outcome: "warning", effect: []string{"subscriptions s-premium quantity: 25 -> 26"},
		says: []string{"contract agreement a-backup (Cloud Backup) could not be read; nothing of it was touched", "answered 403 Forbidden", says},
	}
}

func refusedToken(status int) switchCase {
	return switchCase{
		switches: fmt.Sprintf(`{"token_error_status":%d}`, status), secret: "no-longer-the-secret-of-this-client",
		outcome: "failed", says: []string{"distributor.auth", fmt.Sprintf("answered %d", status), "invalid_client", "Generate Client Credentials"},
	}
}

// ended is a case in which both subscriptions of an agreement are told to be of a status that is an end.
func ended(status, state string) switchCase {
	return switchCase{
		switches: fmt.Sprintf(`{"statuses":[%q]}`, status), limit: "a-backup", outcome: "succeeded",
		effect: together(
			forEach("active: 1 -> 0", "s-backup", "s-backup-two"), forEach("deactivated_at: null -> set", "s-backup", "s-backup-two"),
			forEach("state: active -> "+state, "s-backup", "s-backup-two"), forEach("status: Active -> "+status, "s-backup", "s-backup-two")),
	}
}

// other is a case in which both are told to be of a status that is no end.
func other(status, state string) switchCase {
	return switchCase{
		switches: fmt.Sprintf(`{"statuses":[%q]}`, status), limit: "a-backup", outcome: "succeeded",
		effect: together(forEach("state: active -> "+state, "s-backup", "s-backup-two"), forEach("status: Active -> "+status, "s-backup", "s-backup-two")),
	}
}

// without are the cases of an id that is not there.
func without(field string, c switchCase) (list []switchCase) {
	for _, absence := range []string{"absent", "null", "empty"} {
		c.switches = fmt.Sprintf(`{%q:%q}`, field, absence)
		list = append(list, c)
	}
	return list
}

// shapes are cases of switches that must change nothing.
func shapes(switches ...string) (list []switchCase) {
	for _, s := range switches {
		list = append(list, switchCase{switches: s})
	}
	return list
}

func switchCases() []switchCase {
	list := slices.Concat(
		[]switchCase{
			agreementRefused("", "You are not allowed to see this resource."),
			agreementRefused("error", "You are not allowed to see this resource."),
			agreementRefused("model_state", "request: You are not allowed to see this resource."),
			agreementRefused("exception", "An error has occurred."),
			agreementRefused("empty", "In PRISM check that the client credentials belong to your own company"),
			agreementRefused("html", "Forbidden You are not allowed to see this resource."),

			{switches: `{"token_lifetime":"2s"}`},
			{switches: `{"token_lifetime":"24h"}`},
			{switches: `{"token_lifetime":"30m"}`, hourglass: true, tokens: 6},
			{switches: `{"token_calls":1}`, tokens: 6},
			{switches: `{"token_calls":4}`, tokens: 2},
			{switches: `{"token_type":"bearer"}`},
			{switches: `{"token_type":"PRISM"}`},
			refusedToken(400), refusedToken(401), refusedToken(403),

			ended("Cancelled", "cancelled"), ended("CANCELED", "cancelled"), ended("Deleted", "deleted"), ended("expired", "expired"), ended("Disabled", "expired"),
			other("Pending", "pending"), other("SUSPENDED", "suspended"), other("None", "unknown"), other("In limbo", "unknown"),
			{switches: `{"statuses":["active"]}`, limit: "a-backup", outcome: "succeeded", effect: forEach("status: Active -> active", "s-backup", "s-backup-two")},
			{switches: `{"statuses":[""]}`, limit: "a-backup", kept: true},
			{ // All ended at once is more than is believed.
				switches: `{"statuses":["Deleted"]}`, outcome: "held", says: []string{"deactivations: 7 deactivations among 7 active subscriptions"}, kept: true,
				effect: together(
					forEach("state: active -> deleted", "s-addon", "s-azure", "s-backup", "s-backup-two", "s-premium"),
					forEach("state: suspended -> deleted", "s-addon-off", "s-suspended"), forEach("state: cancelled -> deleted", "s-cancelled"),
					forEach("status: Active -> Deleted", "s-addon", "s-azure", "s-backup", "s-backup-two", "s-premium"),
					forEach("status: Suspended -> Deleted", "s-addon-off", "s-suspended"), forEach("status: Cancelled -> Deleted", "s-cancelled")),
			},
			{switches: `{"hide_ended":true}`, kept: true},
			{ // Ended subscriptions may be listed, or vanish: both are an end.
				switches: `{"hide_ended":true}`, kept: true, outcome: "succeeded",
				world:  func(w *prismsim.World) { w.SetStatus("s-backup", "Cancelled") },
				undo:   func(w *prismsim.World) { w.SetStatus("s-backup", "Active") },
				effect: append(forEach("active: 1 -> 0", "s-backup"), forEach("deactivated_at: null -> set", "s-backup")...),
			},

			{switches: `{"lean_list":true}`, outcome: "warning", effect: productNames, says: []string{addonsUntold}, kept: true},
			{switches: `{"lean_list":true}`, settings: []string{`fetch_tenant_details = true`}},
			{switches: `{"term_fields":true}`, outcome: "succeeded", effect: terms, stays: terms},

			{
				switches: `{"status":"number"}`, outcome: "succeeded", // What the numbers mean is not known.
				effect: together(
					forEach("state: active -> unknown", "s-addon", "s-azure", "s-backup", "s-backup-two", "s-premium"),
					forEach("state: suspended -> unknown", "s-addon-off", "s-suspended"),
					forEach("status: Active -> 1", "s-addon", "s-azure", "s-backup", "s-backup-two", "s-premium"),
					forEach("status: Suspended -> 2", "s-addon-off", "s-suspended"), forEach("status: Cancelled -> 4", "s-cancelled")),
			},
			{switches: `{"billing_cycle":"number"}`, kept: true},
			{switches: `{"tenant_status":"number"}`, kept: true},

			// Without its parent's id the partner's own record is known only by the setting.
			{
				switches: `{"missing_fields":true}`, settings: []string{`partner_customer_id = "C-PARTNER"`}, outcome: "succeeded",
				effect: productNames, kept: true,
			},
			{switches: `{"omit_fields":["Subscriptions"]}`, outcome: "warning", says: []string{"only part of contract agreement a-microsoft", "has no member Subscriptions"}},
			{switches: `{"omit_fields":["AddonSubscriptions"]}`, outcome: "warning", says: []string{addonsUntold}},
			{switches: `{"omit_fields":["Status"]}`, kept: true},
			{switches: `{"omit_fields":["Quantity"]}`, kept: true},
			{switches: `{"omit_fields":["Unit","UnitPrice","BillingCycle","BillingCycleDuration","FirstPurchased"]}`, kept: true},
			{switches: `{"omit_fields":["ProductId","ProductName"]}`, kept: true},
			{switches: `{"omit_fields":["FriendlyName"]}`, outcome: "succeeded", effect: productNames, kept: true},
			{switches: `{"omit_fields":["Street2","State","Country","CountryIsoCode"]}`, outcome: "succeeded", effect: []string{"sites Acacia Farms/Main #1 line2: Level 2 -> "}},
			{switches: `{"omit_fields":["Street1","Street2","Street3","City","Postcode","BillingStreet1","BillingCity"]}`, kept: true},
			{
				switches: `{"omit_fields":["CustomerProgramAgreements"]}`, outcome: "failed",
				says: []string{"distributor.settings", "no contract agreement is configured", "contract_agreement_ids"},
			},
			{switches: `{"omit_fields":["CustomerProgramAgreements"]}`, settings: []string{`contract_agreement_ids = ["A-MICROSOFT", "a-backup"]`}, kept: true},
			{
				switches: `{"null_customer_arrays":true}`, outcome: "failed",
				says: []string{"distributor.settings", "no contract agreement is configured", "contract_agreement_ids"},
			},
			{switches: `{"null_customer_arrays":true}`, settings: []string{`contract_agreement_ids = ["a-microsoft", "a-backup"]`}, kept: true},

			{
				switches: `{"dates":"date_only"}`, outcome: "succeeded", // The day stays.
				effect: forEach("started_on: 2024-03-13T22:11:45Z -> 2024-03-13", "s-azure", "s-backup", "s-backup-two", "s-cancelled", "s-premium", "s-suspended"),
			},
			{switches: `{"dates":"year_one"}`, kept: true},
			{switches: `{"dates":"null"}`, kept: true},
			{switches: `{"dates":"broken"}`, kept: true, outcome: "warning", says: []string{`FirstPurchased of subscription s-premium: "the day after tomorrow" is not a date`}},

			{switches: `{"duplicate_ids":"same"}`, outcome: "warning", says: []string{`customer "c-acacia" was listed twice`, `subscription "s-premium" was listed twice`}},
			{
				switches: `{"duplicate_ids":"differs"}`, outcome: "warning",
				says: []string{`was listed twice; the last one counts`, `"Acacia Farms" is now called "Acacia Farms (again)"`},
				effect: []string{
					"distributor_customers c-acacia name: Acacia Farms -> Acacia Farms (again)",
					"distributor_subscriptions s-backup ref: s-backup -> S-BACKUP",
					"distributor_subscriptions s-premium ref: s-premium -> S-PREMIUM",
					"subscriptions s-addon parent_ref: s-premium -> S-PREMIUM",
					"subscriptions s-addon-off parent_ref: s-premium -> S-PREMIUM",
					"subscriptions s-backup quantity: 46 -> 47",
					"subscriptions s-premium quantity: 25 -> 26",
				},
			},

			{switches: `{"hide_customers":["c-acacia"]}`, effect: tenantOnly, outcome: "succeeded", kept: true},
			{
				switches: `{"hide_customers":["c-partner"]}`, outcome: "succeeded",
				effect: []string{"distributor_customers c-partner gone_at: null -> set"},
			},
			{ // Gone customers are told and keep everything.
				switches: `{"hide_customers":["c-billing"]}`, settings: []string{`customers_from_tenants = false`}, outcome: "succeeded", kept: true,
				effect: []string{"distributor_customers c-billing gone_at: null -> set"},
			},
		},
		without("no_customer_id", switchCase{
			outcome: "warning", effect: tenantOnly, kept: true, says: []string{"only part of the customers of the account", `has no CustomerId (name "Acacia Farms")`},
		}),
		without("no_tenant_id", switchCase{
			outcome: "warning", says: []string{"only part of contract agreement a-microsoft", "has no TenantId", `customer "Acacia Farms"`},
		}),
		without("no_subscription_id", switchCase{
			outcome: "warning", says: []string{"only part of contract agreement a-microsoft", "has no SubscriptionId", `name "Business Premium"`},
		}),
		without("no_tenant_customer_id", switchCase{}),
		shapes(
			`{"status":"text"}`, `{"billing_cycle":"text"}`, `{"billing_period":"text"}`, `{"billing_period":"number"}`, `{"tenant_status":"text"}`,
			`{"acting_role":"text"}`, `{"acting_role":"number"}`,
			`{"envelope":"Records"}`, `{"envelope":"Items"}`, `{"envelope":"Data"}`, `{"envelope":"value"}`,
			`{"envelope":"Records","page_size":1}`, `{"envelope":"items","page_size":3}`, `{"envelope":"Records","page_size":2,"repeat_last_page":true}`,
			`{"extra_fields":true}`, `{"credit_card":"object"}`, `{"credit_card":"text"}`, `{"empty_text":"text"}`, `{"empty_text":"absent"}`,
			`{"null_arrays":true}`, `{"name_case":"camel"}`, `{"name_case":"lower"}`, `{"name_case":"upper"}`,
			`{"numbers_as_text":true}`, `{"text_as_numbers":true}`, `{"ascii_only":true}`, `{"byte_order_mark":true}`,
			`{"dates":"zulu"}`, `{"dates":"nine_digits"}`, `{"dates":"no_colon"}`, `{"dates":"no_offset"}`, `{"dates":"other_offset"}`, `{"dates":"in_turn"}`,
			`{"invert_partner_flag":true}`, `{"usage_lag":3}`,
		),
	)
	return list
}

// name is the case's name among the tests.
func (c *switchCase) name() string {
	name := strings.Join(slices.Concat([]string{c.switches, c.limit}, c.settings), " ")
	return strings.TrimSpace(strings.NewReplacer("{", "", "}", "", `"`, "").Replace(name))
}

// TestEverySwitch holds what a run does against every way in which PRISM may answer otherwise than it did yesterday.
func TestEverySwitch(t *testing.T) {
	t.Parallel()
	first := newPlace(t, switchWorld(), switchBlocks...)
	first.sync("succeeded")
	first.sync("no_change")
	for _, c := range switchCases() {
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			c.try(t, first)
		})
	}
}

// try runs the case on a copy of the place, and then once more on plain answers.
func (c *switchCase) try(t *testing.T, from *place) {
	var options []prismsim.Option
	if c.hourglass {
		options = append(options, prismsim.WithClock(hourglass()))
	}
	p := copyPlace(t, from, switchWorld(), options...)
	before := p.contents()

	var switches prismsim.Switches
	if err := json.Unmarshal([]byte(c.switches), &switches); err != nil {
		t.Fatal(err)
	}
	if c.limit == "" {
		p.sim.Set(func(s *prismsim.Switches) { *s = switches })
	} else {
		p.sim.SetFor(c.limit, func(s *prismsim.Switches) { *s = switches })
	}
	if c.world != nil {
		c.world(p.world)
	}
	if c.fault != (prismsim.Fault{}) {
		p.sim.Fail(c.fault)
	}
	if c.secret != "" {
		p.env["RHIPE_CLIENT_SECRET"] = c.secret
	}
	p.settings = c.settings
	p.configure(switchBlocks...)
	outcome := c.outcome
	if outcome == "" {
		outcome = "no_change"
	}
	r := p.sync(outcome)
	after := p.contents()
	if diff := cmp.Diff(c.effect, differences(before.visible(), after.visible())); diff != "" {
		t.Errorf("the effect (-want +got):\n%s", diff)
	}
	if unseen := differences(before, after); len(c.effect) == 0 && !c.kept && len(unseen) > 0 {
		t.Errorf("what the distributor said was written anew:\n%s", strings.Join(unseen, "\n"))
	}
	p.wants(r.text(), c.says...)
	if len(c.says) == 0 && len(r.Warnings) > 0 {
		t.Errorf("warnings %q", r.Warnings)
	}
	tokens := c.tokens
	if tokens == 0 {
		tokens = 1
	}
	if n := p.sim.Calls(prismsim.Token); n != tokens {
		t.Errorf("%d tokens were asked for, want %d", n, tokens)
	}
	if writes := p.sim.Writes(); len(writes) > 0 {
		t.Errorf("the plugin wrote at the distributor: %v", writes)
	}

	p.sim.ResetSwitches()
	p.sim.ClearFaults()
	if c.undo != nil {
		c.undo(p.world)
	}
	p.settings, p.env["RHIPE_CLIENT_SECRET"] = nil, secret
	p.configure(switchBlocks...)
	if code, out := p.try("sync", "acme/rhipe"); code != 0 {
		t.Errorf("on plain answers again, exit code %d:\n%s", code, out)
	}
	if diff := cmp.Diff(c.stays, differences(before.visible(), p.contents().visible())); diff != "" {
		t.Errorf("on plain answers again (-want +got):\n%s", diff)
	}
}

// hourglass gives a clock that goes on by twenty minutes whenever somebody looks at it.
func hourglass() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2025, time.March, 14, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(20 * time.Minute)
		return now
	}
}

// TestEverySwitchHasACase finds switches, and legal values of them, that no case tries.
func TestEverySwitchHasACase(t *testing.T) {
	t.Parallel()
	tried := map[string]map[string]bool{}
	for _, c := range switchCases() {
		var values map[string]any
		if err := json.Unmarshal([]byte(c.switches), &values); err != nil {
			t.Fatalf("%s: %v", c.switches, err)
		}
		for name, value := range values {
			if tried[name] == nil {
				tried[name] = map[string]bool{}
			}
			tried[name][fmt.Sprint(value)] = true
		}
	}
	sim := prismsim.StartFor(t, switchWorld(), prismsim.WithControl())
	for field := range reflect.TypeFor[prismsim.Switches]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if len(tried[name]) == 0 {
			t.Errorf("no case tries the switch %s", name)
		}
		if field.Type.Kind() != reflect.String {
			continue
		}
		for _, value := range legalValues(t, sim, name) {
			if !tried[name][value] {
				t.Errorf("no case tries %s = %s", name, value)
			}
		}
	}
}

// legalValues asks the simulator which values a switch may have; none for one that takes any text.
func legalValues(t *testing.T, sim *prismsim.Server, name string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, sim.ControlURL()+"switches", strings.NewReader(fmt.Sprintf(`{%q:"no such value"}`, name)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var refusal struct{ Error string }
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	if err := json.Unmarshal(body, &refusal); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	_, legal, found := strings.Cut(refusal.Error, "is none of ")
	if !found {
		t.Fatalf("switch %s: %s", name, refusal.Error)
	}
	return strings.Fields(legal)
}

// TestCustomersThatOnlyTenantsName are created from what the tenants tell, and get the rest when the list has them.
func TestCustomersThatOnlyTenantsName(t *testing.T) {
	t.Parallel()
	p := newPlace(t, switchWorld(), switchBlocks...)
	p.sim.Set(func(s *prismsim.Switches) { s.HideCustomers = []string{"c-acacia"} })
	p.counts(p.sync("succeeded"), map[string]int{"customers_created": 4, "subscriptions_created": 8})
	before := p.contents()
	if site := before["sites Acacia Farms/Main #1"]; site == nil || site["line1"] != "" {
		t.Errorf("the main site: %v", site)
	}
	p.sync("no_change")
	p.unchanged(before)
	p.sim.ResetSwitches()
	p.sync("succeeded")
	want := []string{
		"distributor_customers c-acacia lifecycle: unknown -> active",
		"sites Acacia Farms/Main #1 city:  -> Melbourne",
		"sites Acacia Farms/Main #1 country:  -> Australia",
		"sites Acacia Farms/Main #1 country_code:  -> AU",
		"sites Acacia Farms/Main #1 line1:  -> 1 Acacia Way",
		"sites Acacia Farms/Main #1 line2:  -> Level 2",
		"sites Acacia Farms/Main #1 postal_code:  -> 3000",
		"sites Acacia Farms/Main #1 region:  -> VIC",
	}
	if diff := cmp.Diff(want, differences(before.visible(), p.contents().visible())); diff != "" {
		t.Errorf("the effect (-want +got):\n%s", diff)
	}
}
