// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"bytes"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// leafTest says what a switch makes of an answer.
type leafTest struct {
	name string // of the switch in JSON
	note string
	set  func(*prismsim.Switches)
	// want gives what is to become of a leaf: its new form, or false when it
	// is to go.
	want func(leaf) (leaf, bool)
	// added recognises what is new, and must be met.
	added func(leaf) bool
	// changes is the least number of leaves that differ.
	changes int
}

func value(l leaf, v string) (leaf, bool) { l.value = v; return l, true }

// coded replaces a property's texts by others.
func coded(name string, codes ...string) func(leaf) (leaf, bool) {
	pairs := strings.NewReplacer(codes...)
	return func(l leaf) (leaf, bool) {
		if l.name() == name && (strings.HasPrefix(l.value, `"`) || name == "CustomerActingRole") {
			l.value = pairs.Replace(l.value)
		}
		return l, true
	}
}

func gone(gone func(leaf) bool) func(leaf) (leaf, bool) {
	return func(l leaf) (leaf, bool) { return l, !gone(l) }
}

func named(names ...string) func(leaf) bool {
	return func(l leaf) bool { return slices.Contains(names, l.name()) }
}

func at(v string, places ...string) func(leaf) (leaf, bool) {
	return func(l leaf) (leaf, bool) {
		if slices.Contains(places, l.doc+l.path) {
			return value(l, v)
		}
		return l, true
	}
}

func notAt(places ...string) func(leaf) (leaf, bool) {
	return gone(func(l leaf) bool { return slices.Contains(places, l.doc+l.path) })
}

var (
	firstTenants = []string{"tenants[0].TenantId", "all_tenants[0].TenantId", "tenant_details.TenantId"}
	firstSubs    = []string{"tenants[0].Subscriptions[0].SubscriptionId", "tenant_details.Subscriptions[0].SubscriptionId"}
	isNumber     = regexp.MustCompile(`^-?\d`)
	digitsOnly   = regexp.MustCompile(`^"[1-9]\d{0,14}"$|^"0"$`)
	tenantOwner  = regexp.MustCompile(`^(tenants\[\d\]|all_tenants\[\d\]|tenant_details)\.CustomerId$`)
	renamed      = regexp.MustCompile(`[A-Za-z]+`)
	// maybe are the texts that may be missing in the reads.
	maybe = named("CustomerNotificationEmail", "ParentCustomerId", "RegistrationNumber", "WebUrl", "MainPhone", "Email", "CrmId",
		"FinanceAccountId", "Street1", "Street2", "Street3", "City", "State", "Postcode", "Country", "CountryIsoCode",
		"BillingStreet1", "BillingStreet2", "BillingStreet3", "BillingCity", "BillingState", "BillingPostcode", "BillingCountry",
		"BillingCountryIsoCode", "ProgramReferenceId", "ProgramReferenceLabel", "Tags", "AdditionalInfo", "InstanceData")
	needed = named("CustomerId", "CustomerName", "IsActive", "CustomerProgramAgreements", "Id", "ContractAgreementId", "ProgramName",
		"IsConsumptionProgram", "TenantId", "Subscriptions", "SubscriptionId", "Status", "Quantity", "Unit", "UnitPrice", "ProductId",
		"ProductName", "AddonSubscriptions", "TotalCost", "Cost", "PartnerCost", "InvoiceId")
)

func renaming(change func(string) string) func(leaf) (leaf, bool) {
	return func(l leaf) (leaf, bool) { l.path = renamed.ReplaceAllStringFunc(l.path, change); return l, true }
}

var leafTests = []leafTest{
	{
		name: "statuses", note: "in turn", changes: 8,
		set: func(s *prismsim.Switches) { s.Statuses = []string{"Pending", "Frozen"} },
		want: func(l leaf) (leaf, bool) {
			if l.name() != "Status" {
				return l, true
			}
			// The first tenant has four, so that each tenant begins with the first.
			if strings.HasSuffix(l.path, "Subscriptions[1].Status") || strings.HasSuffix(l.path, "Subscriptions[3].Status") {
				return value(l, `"Frozen"`)
			}
			return value(l, `"Pending"`)
		},
	},
	{
		name: "hide_ended", note: "cancelled ones are gone", changes: 10,
		set:  func(s *prismsim.Switches) { s.HideEnded = true },
		want: gone(func(l leaf) bool { return strings.HasPrefix(l.doc+l.path, "tenants[1].Subscriptions[1].") }),
	},
	{
		name: "lean_list", note: "only the details tell names, prices and add-ons", changes: 15,
		set: func(s *prismsim.Switches) { s.LeanList = true },
		want: gone(func(l leaf) bool {
			return l.doc == "tenants" && (named("FriendlyName", "UnitPrice", "AddonSubscriptions")(l) || strings.Contains(l.path, "Addon"))
		}),
	},
	{
		name: "term_fields", note: "in subscriptions", changes: 30,
		set:   func(s *prismsim.Switches) { s.TermFields = true },
		added: named("TermDuration", "CommitmentEndDate", "AutoRenewEnabled"),
	},
	{
		name: "status", note: "number", changes: 8,
		set:  func(s *prismsim.Switches) { s.Status = prismsim.FormNumber },
		want: coded("Status", `"Active"`, "1", `"Suspended"`, "2", `"Cancelled"`, "4"),
	},
	{
		name: "billing_cycle", note: "number", changes: 8,
		set:  func(s *prismsim.Switches) { s.BillingCycle = prismsim.FormNumber },
		want: coded("BillingCycle", `"Monthly"`, "1"),
	},
	{
		name: "billing_period", note: "number", changes: 6,
		set:  func(s *prismsim.Switches) { s.BillingPeriod = prismsim.FormNumber },
		want: coded("BillingPeriod", `"Monthly"`, "1"),
	},
	{
		name: "tenant_status", note: "number", changes: 9,
		set:  func(s *prismsim.Switches) { s.TenantStatus = prismsim.FormNumber },
		want: coded("TenantStatus", `"Active"`, "1"),
	},
	{
		name: "acting_role", note: "text", changes: 4,
		set:  func(s *prismsim.Switches) { s.ActingRole = prismsim.FormText },
		want: coded("CustomerActingRole", "0", `"EndCustomer"`, "1", `"Partner"`),
	},
	{
		name: "envelope", note: "around the lists", changes: 200,
		set: func(s *prismsim.Switches) { s.Envelope = "Items" },
		want: func(l leaf) (leaf, bool) {
			if lists[l.doc] {
				l.path = ".Items" + l.path
			}
			return l, true
		},
	},
	{
		name: "extra_fields", note: "in every record", changes: 400,
		set:   func(s *prismsim.Switches) { s.ExtraFields = true },
		added: func(l leaf) bool { return strings.Contains(l.path, ".AddedLater") },
	},
	{
		name: "missing_fields", note: "all but the needed", changes: 400,
		set:  func(s *prismsim.Switches) { s.MissingFields = true },
		want: gone(func(l leaf) bool { return !needed(l) }),
	},
	{
		name: "omit_fields", note: "in any letter case", changes: 20,
		set:  func(s *prismsim.Switches) { s.OmitFields = []string{"friendlyname", "STREET1", "MeterId"} },
		want: gone(named("FriendlyName", "Street1", "MeterId")),
	},
	{
		name: "credit_card", note: "object", changes: 20,
		set:   func(s *prismsim.Switches) { s.CreditCard = prismsim.CreditCardObject },
		want:  gone(named("CreditCard")),
		added: func(l leaf) bool { return strings.Contains(l.path, ".CreditCard.") },
	},
	{
		name: "credit_card", note: "text", changes: 6,
		set: func(s *prismsim.Switches) { s.CreditCard = prismsim.CreditCardText },
		want: func(l leaf) (leaf, bool) {
			if l.name() == "CreditCard" {
				return value(l, `"xxxx-xxxx-xxxx-0000"`)
			}
			return l, true
		},
	},
	{
		name: "empty_text", note: "empty instead of null", changes: 50,
		set: func(s *prismsim.Switches) { s.EmptyText = prismsim.EmptyAsText },
		want: func(l leaf) (leaf, bool) {
			if l.value == "null" && maybe(l) {
				return value(l, `""`)
			}
			return l, true
		},
	},
	{
		name: "empty_text", note: "absent", changes: 50,
		set: func(s *prismsim.Switches) { s.EmptyText = prismsim.EmptyAbsent },
		want: gone(func(l leaf) bool {
			return maybe(l) && (l.value == "null" || l.name() == "Street2" && l.value == `""`)
		}),
	},
	{
		name: "null_arrays", note: "for the empty ones", changes: 10,
		set: func(s *prismsim.Switches) { s.NullArrays = true },
		want: func(l leaf) (leaf, bool) {
			if l.value == "[]" {
				return value(l, "null")
			}
			return l, true
		},
	},
	{
		name: "null_customer_arrays", note: "for every one", changes: 50,
		set: func(s *prismsim.Switches) { s.NullCustomerArrays = true },
		want: gone(func(l leaf) bool {
			return strings.Contains(l.path, ".CustomerProgramAgreements") || l.name() == "FinanceAccounts"
		}),
		added: func(l leaf) bool {
			return named("CustomerProgramAgreements", "FinanceAccounts")(l) && l.value == "null"
		},
	},
	{
		name: "name_case", note: "camel", changes: 500,
		set:  func(s *prismsim.Switches) { s.NameCase = prismsim.NamesCamel },
		want: renaming(func(n string) string { return strings.ToLower(n[:1]) + n[1:] }),
	},
	{
		name: "name_case", note: "lower", changes: 500,
		set: func(s *prismsim.Switches) { s.NameCase = prismsim.NamesLower }, want: renaming(strings.ToLower),
	},
	{
		name: "name_case", note: "upper", changes: 500,
		set: func(s *prismsim.Switches) { s.NameCase = prismsim.NamesUpper }, want: renaming(strings.ToUpper),
	},
	{
		name: "numbers_as_text", note: "of records", changes: 100,
		set: func(s *prismsim.Switches) { s.NumbersAsText = true },
		want: func(l leaf) (leaf, bool) {
			if isNumber.MatchString(l.value) {
				return value(l, `"`+l.value+`"`)
			}
			return l, true
		},
	},
	{
		name: "text_as_numbers", note: "made of digits", changes: 5,
		set: func(s *prismsim.Switches) { s.TextAsNumbers = true },
		want: func(l leaf) (leaf, bool) {
			if digitsOnly.MatchString(l.value) {
				return value(l, strings.Trim(l.value, `"`))
			}
			return l, true
		},
	},
	{name: "ascii_only", note: "means the same", set: func(s *prismsim.Switches) { s.ASCIIOnly = true }},
	{name: "byte_order_mark", note: "means the same", set: func(s *prismsim.Switches) { s.ByteOrderMark = true }},
	{
		name: "no_customer_id", note: "absent", changes: 1,
		set:  func(s *prismsim.Switches) { s.NoCustomerID = prismsim.Absent },
		want: notAt("customers[1].CustomerId"),
	},
	{
		name: "no_customer_id", note: "null", changes: 1,
		set:  func(s *prismsim.Switches) { s.NoCustomerID = prismsim.AbsentNull },
		want: at("null", "customers[1].CustomerId"),
	},
	{
		name: "no_customer_id", note: "empty", changes: 1,
		set:  func(s *prismsim.Switches) { s.NoCustomerID = prismsim.AbsentEmpty },
		want: at(`""`, "customers[1].CustomerId"),
	},
	{
		name: "no_tenant_id", note: "absent", changes: 3,
		set: func(s *prismsim.Switches) { s.NoTenantID = prismsim.Absent }, want: notAt(firstTenants...),
	},
	{
		name: "no_tenant_id", note: "null", changes: 3,
		set: func(s *prismsim.Switches) { s.NoTenantID = prismsim.AbsentNull }, want: at("null", firstTenants...),
	},
	{
		name: "no_subscription_id", note: "absent", changes: 2,
		set: func(s *prismsim.Switches) { s.NoSubscriptionID = prismsim.Absent }, want: notAt(firstSubs...),
	},
	{
		name: "no_subscription_id", note: "empty", changes: 2,
		set: func(s *prismsim.Switches) { s.NoSubscriptionID = prismsim.AbsentEmpty }, want: at(`""`, firstSubs...),
	},
	{
		name: "no_tenant_customer_id", note: "absent", changes: 9,
		set:  func(s *prismsim.Switches) { s.NoTenantCustomerID = prismsim.Absent },
		want: gone(func(l leaf) bool { return tenantOwner.MatchString(l.doc + l.path) }),
	},
	{
		name: "hide_customers", note: "their tenants stay", changes: 30,
		set:  func(s *prismsim.Switches) { s.HideCustomers = []string{strings.ToUpper(goneID)} },
		want: gone(func(l leaf) bool { return strings.HasPrefix(l.doc+l.path, "customers[3].") }),
	},
	{
		name: "invert_partner_flag", note: "true for the partner", changes: 4,
		set: func(s *prismsim.Switches) { s.InvertPartnerFlag = true },
		want: func(l leaf) (leaf, bool) {
			if l.name() == "IsPartnerCustomer" {
				return value(l, map[string]string{"true": "false", "false": "true"}[l.value])
			}
			return l, true
		},
	},
}

// TestSwitches holds that a switch changes what it is for, in every answer, and
// nothing else.
func TestSwitches(t *testing.T) {
	t.Parallel()
	before := start(t).everything()
	for _, test := range leafTests {
		t.Run(test.name+", "+test.note, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			c.s.Set(test.set)
			after := c.everything()
			var want, got []leaf
			for _, l := range before {
				if test.want == nil {
					want = append(want, l)
				} else if l, ok := test.want(l); ok {
					want = append(want, l)
				}
			}
			added := 0
			for _, l := range after {
				if test.added != nil && test.added(l) {
					added++
				} else {
					got = append(got, l)
				}
			}
			if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.added != nil && added == 0 {
				t.Error("nothing was added")
			}
			if n := different(before, after); n < test.changes {
				t.Errorf("%d leaves differ, want at least %d", n, test.changes)
			}
			c.s.ResetSwitches()
			if diff := cmp.Diff(lines(before), lines(c.everything())); diff != "" {
				t.Errorf("after a reset (-want +got):\n%s", diff)
			}
		})
	}
}

func different(a, b []leaf) int {
	count := map[leaf]int{}
	for _, l := range a {
		count[l]++
	}
	for _, l := range b {
		count[l]--
	}
	n := 0
	for _, k := range count {
		if k != 0 {
			n++
		}
	}
	return n
}

// otherSwitches have tests of their own in this package's other tests.
var otherSwitches = []string{
	"error_body", "token_lifetime", "token_calls", "token_type", "token_error_status", "page_size", "repeat_last_page", "dates",
	"duplicate_ids", "usage_lag",
}

func TestEverySwitchHasATest(t *testing.T) {
	t.Parallel()
	tested := slices.Clone(otherSwitches)
	for _, test := range leafTests {
		tested = append(tested, test.name)
	}
	for f := range reflect.TypeFor[prismsim.Switches]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !slices.Contains(tested, name) {
			t.Errorf("the switch %s has no test", name)
		}
	}
}

func TestTermFields(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithSwitches(prismsim.Switches{TermFields: true}))
	first := dig(t, c.read(tenantsPath), 0, "Subscriptions", 0)
	for name, want := range map[string]any{"TermDuration": "P1Y", "CommitmentEndDate": "2026-03-13T00:00:00+00:00", "AutoRenewEnabled": true} {
		if got := dig(t, first, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestExtraFieldsAreInEveryRecord(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithSwitches(prismsim.Switches{ExtraFields: true}))
	seen := map[string]bool{}
	for _, l := range c.everything() {
		seen[l.doc+l.path] = true
	}
	for _, record := range []string{
		"me", "customers[0]", "customers[3]", "customers[1].CustomerProgramAgreements[0]", "tenants[2]", "tenants[0].Subscriptions[3]",
		"tenants[0].Subscriptions[0].AddonSubscriptions[0]", "all_tenants[1]", "tenant_details", "csp_subscription",
		"consumption_subscription", "available_products[4]", "price_list", "price_list.ProductGroups[0].Products[1]", "usage_summary",
		"usage_summary.ResourceUsageSummaries[0]", "usage_rows.Records[0]", "usage_rows_old.UsageLineItems[0]", "invoices.Records[1]",
	} {
		if !seen[record+".AddedLater"] {
			t.Errorf("%s has none", record)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	c := start(t)
	isASCII := func(b []byte) bool { return !bytes.ContainsFunc(b, func(r rune) bool { return r > 127 }) }
	plain := c.good("GET", customersPath, "")
	if isASCII(plain) {
		t.Fatal("nothing here is beyond ASCII")
	}
	c.s.Set(func(s *prismsim.Switches) { s.ASCIIOnly = true })
	if body := c.good("GET", customersPath, ""); !isASCII(body) || !bytes.Contains(body, []byte(`D\u00e9mo`)) {
		t.Errorf("not ASCII only: %s", body)
	}
	c.s.Set(func(s *prismsim.Switches) { s.ASCIIOnly, s.ByteOrderMark = false, true })
	if body := c.good("GET", customersPath, ""); string(body) != "\ufeff"+string(plain) {
		t.Errorf("the mark, or the rest, is wrong: %.80q", body)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	c := start(t)
	customers, tenants := c.list(customersPath), c.list(tenantsPath)
	firstSub := dig(t, tenants, 0, "Subscriptions", 0)

	c.s.Set(func(s *prismsim.Switches) { s.DuplicateIDs = prismsim.DuplicateSame })
	twice := c.list(customersPath)
	if diff := cmp.Diff(slices.Insert(slices.Clone(customers), 2, customers[1]), twice); diff != "" {
		t.Errorf("customers (-want +got):\n%s", diff)
	}
	subs := dig(t, c.list(tenantsPath), 0, "Subscriptions").([]any)
	before := dig(t, tenants, 0, "Subscriptions").([]any)
	if diff := cmp.Diff(slices.Insert(slices.Clone(before), 1, firstSub), subs); diff != "" {
		t.Errorf("subscriptions (-want +got):\n%s", diff)
	}

	c.s.Set(func(s *prismsim.Switches) { s.DuplicateIDs = prismsim.DuplicateDiffers })
	again := dig(t, c.list(customersPath), 2)
	if id := dig(t, again, "CustomerId"); id != strings.ToUpper(fabrikamID) {
		t.Errorf("the second customer's id is %v", id)
	}
	if name := dig(t, again, "CustomerName"); name == "Fabrikam Pty Ltd" {
		t.Error("the second customer does not differ")
	}
	sub := dig(t, c.list(tenantsPath), 0, "Subscriptions", 1)
	if id, n := dig(t, sub, "SubscriptionId"), dig(t, sub, "Quantity"); id != strings.ToUpper(premiumSub) || stringOf(n) != "26" {
		t.Errorf("the second subscription is %v of %v", n, id)
	}
}

func stringOf(v any) string {
	if s, ok := v.(interface{ String() string }); ok {
		return s.String()
	}
	return ""
}

func TestDates(t *testing.T) {
	t.Parallel()
	isDate := named("FirstPurchased", "AgreementStartDate", "StartDate", "EndDate", "LastUpdateDate", "UsageDate", "BillingPeriodStart")
	before := start(t).everything()
	for form, want := range map[prismsim.DateForm]string{
		prismsim.DatesZulu:      `"2022-03-14T02:11:45Z"`,
		prismsim.DatesNine:      `"2022-03-14T02:11:45.123456700+00:00"`,
		prismsim.DatesNoColon:   `"2022-03-14T02:11:45+0000"`,
		prismsim.DatesNoOffset:  `"2022-03-14T02:11:45"`,
		prismsim.DatesElsewhere: `"2022-03-14T12:11:45+10:00"`,
		prismsim.DatesOnly:      `"2022-03-14"`,
		prismsim.DatesYearOne:   `"0001-01-01T00:00:00"`,
		prismsim.DatesNull:      `null`,
		prismsim.DatesBroken:    `"the day after tomorrow"`,
	} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			c := start(t, prismsim.WithSwitches(prismsim.Switches{Dates: form}))
			after := c.everything()
			if len(after) != len(before) {
				t.Fatalf("%d leaves, want %d", len(after), len(before))
			}
			for i, l := range after {
				if l.doc+l.path == "tenants[0].Subscriptions[0].FirstPurchased" && l.value != want {
					t.Errorf("%s is %s, want %s", l.path, l.value, want)
				}
				if (l != before[i]) != (isDate(before[i]) && l.path == before[i].path) {
					t.Errorf("%v became %v", before[i], l)
				}
			}
		})
	}
	t.Run("in turn", func(t *testing.T) {
		t.Parallel()
		c := start(t, prismsim.WithSwitches(prismsim.Switches{Dates: prismsim.DatesInTurn}))
		var got []string
		for _, l := range leaves(t, "tenants", c.good("GET", tenantsPath, "")) {
			if isDate(l) {
				got = append(got, l.value)
			}
		}
		want := []string{
			`"2022-03-14T02:11:45.1234567+00:00"`, `"2021-05-01T10:00:00Z"`, `"2020-07-02T23:05:10.000000000+00:00"`,
			`"2018-07-02T23:05:10+0000"`, `"2023-01-01T00:00:00"`, `"2017-01-01T10:00:00+10:00"`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithSwitches(prismsim.Switches{Envelope: "Records", PageSize: 3}))
	page := func(query string) (ids []string) {
		for _, record := range dig(t, c.read(tenantsPath+query), "Records").([]any) {
			ids = append(ids, dig(t, record, "TenantId").(string))
		}
		return ids
	}
	for query, want := range map[string][]string{
		"":                    {fabrikamTen, contosoTen, emptyTen},
		"?page=1":             {fabrikamTen, contosoTen, emptyTen},
		"?page=2":             {bareTen},
		"?page=3":             nil,
		"?page=9":             nil,
		"?page=2&pageSize=2":  {emptyTen, bareTen},
		"?page=1&pageSize=50": {fabrikamTen, contosoTen, emptyTen},
		"?PAGE=2&PAGESIZE=1":  {contosoTen},
	} {
		if diff := cmp.Diff(want, page(query)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"?page=0", "?page=-1", "?page=two", "?pageSize=0"} {
		if a := c.get(tenantsPath + query); a.status != http.StatusBadRequest {
			t.Errorf("%q is answered with %d", query, a.status)
		}
	}
	c.s.Set(func(s *prismsim.Switches) { s.RepeatLastPage = true })
	if diff := cmp.Diff([]string{bareTen}, page("?page=7")); diff != "" {
		t.Errorf("the last page again (-want +got):\n%s", diff)
	}
	c.s.Set(func(s *prismsim.Switches) { s.PageSize = 0 })
	if n := len(page("?page=7")); n != 4 {
		t.Errorf("the only page again has %d records", n)
	}
	c.s.Set(func(s *prismsim.Switches) { s.RepeatLastPage = false })
	if n := len(page("?page=2")); n != 0 {
		t.Errorf("a page after the only one has %d records", n)
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	for form, want := range map[prismsim.ErrorBody]struct{ kind, body string }{
		prismsim.ErrorMessage:    {"application/json; charset=utf-8", `{"Message":"The tenant was not found."}`},
		prismsim.ErrorWord:       {"application/json; charset=utf-8", `{"error":"The tenant was not found."}`},
		prismsim.ErrorModelState: {"application/json; charset=utf-8", `{"Message":"The request is invalid.","ModelState":{"request":["The tenant was not found."]}}`},
		prismsim.ErrorException: {
			"application/json; charset=utf-8",
			`{"ExceptionMessage":"The tenant was not found.","ExceptionType":"System.InvalidOperationException",` +
				`"Message":"An error has occurred.","StackTrace":"   at Prism.Api.Controllers.Base.Handle()"}`,
		},
		prismsim.ErrorEmpty: {"", ""},
		prismsim.ErrorHTML: {"text/html; charset=utf-8", "<!DOCTYPE html>\r\n<html><head><title>Not Found</title></head>\r\n" +
			"<body><h1>Not Found</h1><p>The tenant was not found.</p></body></html>\r\n"},
	} {
		t.Run("form "+string(form), func(t *testing.T) {
			t.Parallel()
			c := start(t)
			before := c.everything()
			c.s.Set(func(s *prismsim.Switches) { s.ErrorBody = form })
			a := c.get("/api/v2/microsoftcsp/tenants/" + unknownID)
			if a.status != http.StatusNotFound || a.header.Get("Content-Type") != want.kind || string(a.body) != want.body {
				t.Errorf("%d %q %s", a.status, a.header.Get("Content-Type"), a.body)
			}
			if diff := cmp.Diff(lines(before), lines(c.everything())); diff != "" {
				t.Errorf("good answers changed (-want +got):\n%s", diff)
			}
			c.token = "nonsense"
			if a := c.get(customersPath); a.status != http.StatusUnauthorized || (len(a.body) == 0) != (form == prismsim.ErrorEmpty) {
				t.Errorf("without a good token: %d %q", a.status, a.body)
			}
		})
	}
}

func TestSwitchesForOneEndpointOrID(t *testing.T) {
	t.Parallel()
	c := start(t)
	before := c.everything()
	c.s.SetFor(string(prismsim.Customers), func(s *prismsim.Switches) { s.NameCase = prismsim.NamesUpper })
	c.s.SetFor(strings.ToUpper(agreementID), func(s *prismsim.Switches) { s.Envelope = "value" })
	c.s.SetFor(string(prismsim.Tenants), func(s *prismsim.Switches) { s.NameCase = prismsim.NamesLower }) // the id wins
	var want []leaf
	for _, l := range before {
		switch l.doc {
		case "customers":
			l, _ = renaming(strings.ToUpper)(l)
		case "tenants":
			l.path = ".value" + l.path
		}
		want = append(want, l)
	}
	if diff := cmp.Diff(lines(want), lines(c.everything())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownStatusesGoOutAsTheyAre(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	for i, status := range []string{"Deleted", "canceled", "Expired", "Disabled", "Pending", "None", "Brand new"} {
		w.AddSubscription(bareTen, prismsim.Subscription{ID: "sub-" + strconv.Itoa(i), Status: status})
	}
	c := startWith(t, w)
	statuses := func() (list []string) {
		for _, s := range dig(t, c.list(tenantsPath), 3, "Subscriptions").([]any) {
			list = append(list, dig(t, s, "Status").(string))
		}
		return list
	}
	if diff := cmp.Diff([]string{"Deleted", "canceled", "Expired", "Disabled", "Pending", "None", "Brand new"}, statuses()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	c.s.Set(func(s *prismsim.Switches) { s.HideEnded = true })
	if diff := cmp.Diff([]string{"Pending", "None", "Brand new"}, statuses()); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
}
