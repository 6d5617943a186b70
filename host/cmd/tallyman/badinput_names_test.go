// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestNamesOfEveryKind: whatever a distributor calls a customer, an address or a subscription is kept as it is, found again
// by the next run, and cannot make a terminal, a table or a pipe show what is not there.
func TestNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	names := map[string]string{ // what is kept of each
		"Robert'); DROP TABLE customers;--":        "",
		`=cmd|' /C calc'!A0`:                       "",
		"Two lines\nCustomer\tActive\r\nmore":      "",
		"\x1b[31mRed\x1b[0m\x1b]0;title\x07\b\x7f": "",
		"\u0085\u009b31m next line":                "",
		"Right \u202eto left\u202c \u2028 line":    "",
		"NUL\x00inside":                            "NULinside",
		"broken \xff\xfe UTF-8":                    "broken \ufffd\ufffd UTF-8",
		"😀 👨\u200d👩\u200d👧":                        "",
		"Z\u0334\u0321\u0352algo":                  "",
		`"quoted" \ 'and' {{.Name}} %s %d ${HOME}`: "",
		"<script>alert(1)</script>&amp;":           "",
		"null":                                     "",
		"0":                                        "",
		strings.Repeat("long and longer ", 8<<10):  "",
	}
	w := prismsim.NewWorld(prismsim.Customer{ID: "c-partner", Name: "Harbourside IT"})
	agreement := w.AddAgreement(prismsim.Agreement{})
	want := map[string]string{}
	for name, kept := range names {
		if kept == "" {
			kept = name
		}
		customer := w.AddCustomer(prismsim.Customer{Name: name, Address: prismsim.Address{Street1: name, City: name, Postcode: "1"}})
		id := w.AddSubscription(w.AddTenant(prismsim.Tenant{CustomerID: customer, AgreementID: agreement}), prismsim.Subscription{
			FriendlyName: name, ProductName: name, Unit: name, Quantity: 3, DisplayTemplate: name, ProgramReferenceLabel: name,
		})
		want[id] = kept
	}
	nameless := []string{"", "   ", "\u00a0\t"}
	for _, name := range nameless {
		w.AddCustomer(prismsim.Customer{Name: name})
	}
	p := newPlace(t, w, switchBlocks...)
	r := p.sync("warning")
	p.counts(r, map[string]int{"customers_created": len(names), "subscriptions_created": len(names), "customers_unmatched": len(nameless)})
	p.wants(r.text(), "has no name; map it by hand")
	before := p.contents()
	got, customers := map[string]string{}, map[string]bool{}
	for name, row := range before {
		if strings.HasPrefix(name, "subscriptions ") {
			got[row["ref"]] = row["name"]
		}
		if strings.HasPrefix(name, "customers ") {
			customers[row["name"]] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the subscriptions' names (-want +got):\n%s", diff)
	}
	for _, name := range want {
		if !customers[name] {
			t.Errorf("no customer is called %.50q", name)
		}
	}
	p.sync("warning")
	p.unchanged(before)

	for _, list := range []struct {
		args  []string
		lines int
	}{
		{[]string{"customers", "list", "acme"}, len(names)},
		{[]string{"subscriptions", "list", "acme", "--all"}, len(names)},
		{[]string{"mappings", "list", "acme/rhipe", "--limit", "0"}, len(names) + len(nameless) + 1},
		{[]string{"changes", "acme", "--limit", "0"}, 0},
		{[]string{"runs", "show", "1"}, 0},
		{[]string{"customers", "show", "1"}, 0},
	} {
		out := p.run(0, list.args...)
		for i, r := range out {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' {
				t.Errorf("tallyman %s prints %q: %q", strings.Join(list.args, " "), r, out[max(i-20, 0):min(i+20, len(out))])
				break
			}
		}
		if lines := strings.Count(out, "\n"); list.lines > 0 && lines != list.lines+1 {
			t.Errorf("tallyman %s prints %d lines, want %d and a heading", strings.Join(list.args, " "), lines, list.lines)
		}
	}
}
