// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// FuzzCustomers: whatever PRISM answers, a customer that is sent has an id and text that every database takes.
func FuzzCustomers(f *testing.F) {
	f.Add([]byte(account()[customersPath]))
	f.Add([]byte(`{"Records":[{"customerid":7,"CustomerProgramAgreements":{"Items":[null,1,{"Id":"x"}]},"Street1":null}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := newDirectory()
		var o rest.Object
		_ = rest.ReadList(bytes.NewReader(text), func(v rest.Value) error {
			if !o.Read(v) {
				return nil
			}
			c, agreements := decodeCustomer(o)
			if c.Ref == "" {
				return nil
			}
			for _, text := range append([]string{c.Ref, c.Name, c.Email, c.Phone, c.ParentRef}, c.Domains...) {
				checkText(t, text)
			}
			d.add(c.Ref, c.ParentRef, agreements)
			sortDomains(&c)
			return nil
		})
		_ = d.partner("")
		list, err := d.agreements(nil)
		if err == nil && len(list) == 0 {
			t.Error("no agreement and no error")
		}
		for _, a := range list {
			if a.id == "" {
				t.Error("an agreement without id")
			}
		}
	})
}

// FuzzTenants: whatever PRISM answers, a subscription that is sent has an id, a customer and exactly one item, and each
// element that is not sent is told.
func FuzzTenants(f *testing.F) {
	f.Add([]byte(account()[tenantsA]), []byte(detailsText))
	f.Add([]byte(`[{"tenantid":1,"CustomerId":"c","Subscriptions":[{"SubscriptionId":"a","AddonSubscriptions":[{"SubscriptionId":"a"}]}]}]`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, text, more []byte) {
		var found problems
		send := func(s sdk.Subscription) error {
			if s.Ref == "" || s.CustomerRef == "" || len(s.Items) != 1 {
				t.Errorf("%+v", s)
			}
			for _, text := range []string{s.Ref, s.CustomerRef, s.Name, s.Status, s.ParentRef, s.Items[0].Unit, s.BillingTerm.Raw} {
				checkText(t, text)
			}
			if s.Items[0].Charge == sdk.ChargeUsage && !s.Items[0].Quantity.IsAbsent() {
				t.Error("metered use has a quantity")
			}
			return nil
		}
		r := &reader{
			directory: newDirectory(), agreement: agreement{"A", "Microsoft CSP"}, terms: &termFields{term: []string{"TermDuration"}, end: []string{"EndDate"}, autoRenew: []string{"AutoRenew"}},
			problems: &found, extras: &extras{}, wants: func(string) bool { return true },
			send: send, sendAddon: send, sawAddons: func(bool) error { return nil },
		}
		var d *details
		if v, err := rest.ParseValue(more); err == nil {
			d = &details{byRef: map[string]rest.Object{}}
			list, _ := v.Object().Get("Subscriptions").List()
			for e := range list.Elements() {
				o := e.Object()
				d.byRef[id(o, "SubscriptionId")] = o
			}
		}
		_ = rest.ReadList(bytes.NewReader(text), func(v rest.Value) error {
			tenant, ok := r.tenant(v)
			if !ok {
				if !found.lossy() {
					t.Error("a tenant was skipped in silence")
				}
				return nil
			}
			return r.read(&tenant, d)
		})
	})
}

// FuzzDate: a date that is read is a date, and reads the same again.
func FuzzDate(f *testing.F) {
	for _, seed := range []string{"2022-03-14T02:11:45.1234567+00:00", "2021-07-13T00:00:00+0000", "0001-01-01T00:00:00", "9999-12-31", "2021-07-13 10:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := rest.ParseDate(text)
		if err != nil || !d.IsSet() {
			return
		}
		layout := time.RFC3339
		if d.DateOnly {
			layout = time.DateOnly
		}
		if _, err := time.Parse(layout, d.String()); err != nil {
			t.Errorf("%q became %q: %v", text, d, err)
		}
		again, err := rest.ParseDate(d.String())
		if err != nil || again.String() != d.String() {
			t.Errorf("%q became %q, which became %q (%v)", text, d, again, err)
		}
	})
}

func checkText(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || bytes.IndexByte([]byte(text), 0) >= 0 {
		t.Errorf("%q is no text a database takes", text)
	}
}
