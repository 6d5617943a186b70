// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	guidA = "11111111-aaaa-4aaa-8aaa-000000000001"
	guidB = "22222222-bbbb-4bbb-8bbb-000000000002"
	guidC = "33333333-cccc-4ccc-8ccc-000000000003"
)

type customerEdit func(*Customer)

// mapped makes a customer of a module that is mapped to one of ours of the same name, unmapped one that is not.
func mapped(id int64, ref, name string, edits ...customerEdit) Customer {
	return unmapped(ref, name, append([]customerEdit{func(c *Customer) { c.CustomerID, c.CustomerName = id, name }}, edits...)...)
}

func unmapped(ref, name string, edits ...customerEdit) Customer {
	c := Customer{Ref: ref, Key: ref, Name: name}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func tenant(refs ...string) customerEdit {
	return func(c *Customer) {
		for _, ref := range refs {
			c.Tenants = append(c.Tenants, Tenant{"microsoft", ref})
		}
	}
}
func domain(names ...string) customerEdit { return func(c *Customer) { c.Domains = names } }
func ended(c *Customer)                   { c.Ended = true }
func partner(c *Customer)                 { c.Partner = true }
func ours(name string) customerEdit       { return func(c *Customer) { c.CustomerName = name } }

type subEdit func(*Subscription)

// sub makes a subscription; id is our record of it, zero for none.
func sub(id int64, ref, customer, name, vendorRef string, edits ...subEdit) Subscription {
	s := Subscription{Ref: ref, CustomerKey: customer, RecordID: id, Name: name, Vendor: "Microsoft", VendorRef: vendorRef}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func over(s *Subscription)   { s.Ended = true }
func sku(sku string) subEdit { return func(s *Subscription) { s.VendorSKU = sku } }

func term(term string) subEdit { return func(s *Subscription) { s.CommitmentTerm = term } }

func inTenant(ref string) subEdit     { return func(s *Subscription) { s.VendorTenant = ref } }
func charged(kind string) subEdit     { return func(s *Subscription) { s.Charge = kind } }
func recordOn(customer int64) subEdit { return func(s *Subscription) { s.CustomerID = customer } }

func soldBy(vendor string) subEdit             { return func(s *Subscription) { s.Vendor = vendor } }
func customers(list ...Customer) []Customer    { return list }
func subs(list ...Subscription) []Subscription { return list }

// outcome is a proposal as a test writes it down.
type outcome struct {
	// Mapped is "target ref → customer id", Carried "our id → target ref", Left "target ref: why".
	Mapped, Carried, Left []string
	Waiting               int
}

// TestWhatIsOnOneSideOnly: it is told apart from what is carried over, left to a person or over.
func TestWhatIsOnOneSideOnly(t *testing.T) {
	t.Parallel()
	source := Side{
		Module: "acme/old", Complete: true, Customers: customers(Customer{ID: 1, Key: "c", Ref: "c", Name: "Contoso", CustomerID: 7}),
		Subscriptions: subs(
			Subscription{ID: 1, Key: "a", Ref: "a", CustomerKey: "c", RecordID: 11, CustomerID: 7, Name: "Mail"},
			Subscription{ID: 2, Key: "b", Ref: "b", CustomerKey: "c", RecordID: 12, CustomerID: 7, Name: "Backup"},
			Subscription{ID: 3, Key: "e", Ref: "e", CustomerKey: "c", RecordID: 13, CustomerID: 7, Name: "Ended", Ended: true},
			Subscription{ID: 4, Key: "w", Ref: "w", CustomerKey: "c", Name: "Without a record"},
		),
	}
	target := Side{
		Module: "acme/new", Complete: true, Customers: customers(Customer{Key: "k", Ref: "k", Name: "Contoso"}),
		Subscriptions: subs(
			Subscription{Key: "x", Ref: "x", CustomerKey: "k", Name: "Mail"},
			Subscription{Key: "y", Ref: "y", CustomerKey: "k", Name: "Azure plan"},
			Subscription{Key: "z", Ref: "z", CustomerKey: "k", Name: "Over", Ended: true},
			Subscription{ID: 9, Key: "v", Ref: "v", CustomerKey: "k", RecordID: 21, CustomerID: 7, Name: "Has a record"},
		),
	}
	p, err := Propose(&source, &target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Stay) != 1 || p.Stay[0].Ref != "b" || len(p.New) != 1 || p.New[0].Ref != "y" || len(p.Subscriptions) != 1 {
		t.Errorf("%d carried, stay %v, new %v", len(p.Subscriptions), p.Stay, p.New)
	}
}

func propose(t *testing.T, source, target Side, decided ...Decision) outcome {
	t.Helper()
	source.Module, target.Module = "acme/old", "acme/new"
	p, err := Propose(&source, &target, decided)
	if err != nil {
		t.Fatal(err)
	}
	var o outcome
	for _, m := range p.Mappings {
		if m.Reason == "" || m.Source == nil {
			t.Errorf("%s is mapped without a reason", m.Target.Ref)
		}
		o.Mapped = append(o.Mapped, fmt.Sprintf("%s → %d", m.Target.Ref, m.CustomerID))
	}
	for _, c := range p.Subscriptions {
		if c.Reason == "" {
			t.Errorf("%s is carried without a reason", c.Target.Ref)
		}
		text := fmt.Sprintf("%d → %s", c.Source.RecordID, c.Target.Ref)
		if c.Replaces != 0 {
			text += fmt.Sprintf(" for %d", c.Replaces)
		}
		o.Carried = append(o.Carried, text)
	}
	for _, l := range p.Left {
		if l.Next == "" {
			t.Errorf("nobody is told what to do: %s", l.Why)
		}
		var ref string
		if l.Customer != nil {
			ref = l.Customer.Ref
		} else {
			ref = l.Subscription.Ref
		}
		o.Left = append(o.Left, ref+": "+l.Why)
	}
	o.Waiting = p.Waiting
	return o
}

// check compares; of what is left only a part of the reason is written down.
func check(t *testing.T, got, want outcome) {
	t.Helper()
	if len(got.Left) == len(want.Left) {
		for i, part := range want.Left {
			ref, why, _ := strings.Cut(part, ": ")
			if strings.HasPrefix(got.Left[i], ref+": ") && strings.Contains(got.Left[i], why) {
				got.Left[i] = part
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCustomersByVendorDomainAndName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source, target []Customer
		partly         bool
		want           outcome
	}{
		"a renamed customer is found by its tenant": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA))),
			target: customers(unmapped("x", "Contoso Holdings", tenant(guidA))),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"a GUID is the same however it is written, and whatever the vendor is called": {
			source: customers(mapped(1, "a", "Contoso", tenant(strings.ToUpper(guidA)))),
			target: customers(unmapped("x", "Other", func(c *Customer) {
				c.Tenants = []Tenant{{"MS", "{" + strings.ReplaceAll(guidA, "-", "") + "}"}}
			})),
			want: outcome{Mapped: []string{"x → 1"}},
		},
		"another id belongs to its vendor": {
			source: customers(mapped(1, "a", "Contoso", func(c *Customer) { c.Tenants = []Tenant{{"adobe", "77"}} })),
			target: customers(unmapped("x", "Other", func(c *Customer) { c.Tenants = []Tenant{{"google", "77"}} })),
		},
		"an id that was left empty says nothing": {
			source: customers(mapped(1, "a", "Contoso", tenant("00000000-0000-0000-0000-000000000000", ""))),
			target: customers(unmapped("x", "Other", tenant("00000000-0000-0000-0000-000000000000", ""))),
		},
		"the vendor's id counts more than a name": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Fabrikam", tenant(guidB))),
			target: customers(unmapped("x", "Fabrikam", tenant(guidA)), unmapped("y", "Contoso", tenant(guidB))),
			want:   outcome{Mapped: []string{"x → 1", "y → 2"}},
		},
		"a domain counts where there is no vendor's id": {
			source: customers(mapped(1, "a", "Contoso", domain("contoso.com"))),
			target: customers(unmapped("x", "Contoso Holdings", domain(" CONTOSO.com. "))),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"a name counts where there is nothing else": {
			source: customers(mapped(1, "a", "Contoso", domain("contoso.com"))),
			target: customers(unmapped("x", "Contoso")),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"also the name of the customer of ours": {
			source: customers(mapped(1, "a", "CTS", ours("Contoso"))),
			target: customers(unmapped("x", "Contoso")),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"a name that is nearly the same is not": {
			source: customers(mapped(1, "a", "Contoso")),
			target: customers(unmapped("x", "contoso")),
		},
		"two of the source were merged": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Fabrikam", tenant(guidB))),
			target: customers(unmapped("x", "Contoso", tenant(guidA, guidB))),
			want:   outcome{Left: []string{`x: point to 2 customers at acme/old: "Contoso" (a), which is customer "Contoso" (#1); "Fabrikam" (b)`}},
		},
		"two of the source are one of ours": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(1, "b", "Contoso NZ", tenant(guidB))),
			target: customers(unmapped("x", "Contoso", tenant(guidA, guidB))),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"one of the source was split by tenant": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA, guidB))),
			target: customers(unmapped("x", "Contoso", tenant(guidA)), unmapped("y", "Contoso NZ", tenant(guidB))),
			want:   outcome{Mapped: []string{"x → 1", "y → 1"}},
		},
		"two of the target have the same tenant": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA))),
			target: customers(unmapped("x", "Contoso", tenant(guidA)), unmapped("y", "Contoso NZ", tenant(guidA))),
			want:   outcome{Left: []string{`x: "Contoso NZ" (y) at acme/new has it too`, `y: "Contoso" (x) at acme/new has it too`}},
		},
		"who has ended does not rival who lives": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Contoso", tenant(guidA), ended)),
			target: customers(unmapped("x", "Contoso", tenant(guidA)), unmapped("y", "Contoso", tenant(guidA), ended)),
			want:   outcome{Mapped: []string{"x → 1", "y → 1"}},
		},
		"who has ended at the source after the move is found": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA), ended)),
			target: customers(unmapped("x", "Contoso", tenant(guidA))),
			want:   outcome{Mapped: []string{"x → 1"}},
		},
		"a tenant and a domain contradict each other": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Fabrikam", domain("fabrikam.com"))),
			target: customers(unmapped("x", "Contoso", tenant(guidA), domain("fabrikam.com"))),
			want:   outcome{Left: []string{`x: but its domain fabrikam.com is that of "Fabrikam" (b)`}},
		},
		"a domain and a name contradict each other": {
			source: customers(mapped(1, "a", "Contoso", domain("contoso.com")), mapped(2, "b", "Fabrikam")),
			target: customers(unmapped("x", "Fabrikam", domain("contoso.com"))),
			want:   outcome{Left: []string{`x: but exactly its name is that of "Fabrikam" (b)`}},
		},
		"two share a domain": {
			source: customers(mapped(1, "a", "Contoso", domain("group.com")), mapped(2, "b", "Fabrikam", domain("group.com"))),
			target: customers(unmapped("x", "Tailspin", domain("group.com"))),
			want:   outcome{Left: []string{"x: the domains point to 2 customers"}},
		},
		"two have the same name": {
			source: customers(mapped(1, "a", "Contoso"), mapped(2, "b", "Contoso")),
			target: customers(unmapped("x", "Contoso")),
			want:   outcome{Left: []string{"x: the names point to 2 customers"}},
		},
		"a weaker claim to one that is found already": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA))),
			target: customers(unmapped("x", "Contoso Holdings", tenant(guidA)), unmapped("y", "Contoso")),
			want: outcome{
				Mapped: []string{"x → 1"},
				Left:   []string{`y: but "Contoso Holdings" (x) at acme/new is found to be the same by a vendor's tenant id`},
			},
		},
		"one of two with the same name is somebody else by its tenant": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Twins")),
			target: customers(unmapped("x", "Twins", tenant(guidA)), unmapped("y", "Twins")),
			want:   outcome{Mapped: []string{"x → 1", "y → 2"}},
		},
		"two names for one": {
			source: customers(mapped(1, "a", "CTS", ours("Contoso"))),
			target: customers(unmapped("x", "Contoso"), unmapped("y", "CTS")),
			want: outcome{Left: []string{
				`x: but "CTS" (y) at acme/new is found to be the same by its name`, `y: but "Contoso" (x) at acme/new is found to be the same by its name`,
			}},
		},
		"mapped already, to the same": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA))),
			target: customers(mapped(1, "x", "Contoso", tenant(guidA))),
		},
		"mapped already, to another": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA))),
			target: customers(mapped(2, "x", "Contoso", tenant(guidA))),
			want:   outcome{Left: []string{`x: it is mapped to customer "Contoso" (#2) already, but the vendor's tenant id ` + guidA}},
		},
		"mapped already by a person who decided between two": {
			source: customers(mapped(1, "a", "Contoso", tenant(guidA)), mapped(2, "b", "Fabrikam", tenant(guidB))),
			target: customers(mapped(1, "x", "Contoso", tenant(guidA, guidB))),
		},
		"a mapping stands against a name": {
			source: customers(mapped(1, "a", "Contoso")),
			target: customers(mapped(2, "x", "Contoso")),
		},
		"the MSP's own record is nobody's": {
			source: customers(mapped(1, "a", "Acme IT", tenant(guidA))),
			target: customers(unmapped("x", "Acme IT", tenant(guidA), partner)),
		},
		"who is not mapped has nothing to carry": {
			source: customers(unmapped("a", "Contoso", tenant(guidA))),
			target: customers(unmapped("x", "Contoso", tenant(guidA))),
		},
		"a name says little where not everything was read": {
			source: customers(mapped(1, "a", "Contoso"), mapped(2, "b", "Fabrikam", tenant(guidB))),
			target: customers(unmapped("x", "Contoso"), unmapped("y", "Fabrikam", tenant(guidB))),
			partly: true,
			want:   outcome{Mapped: []string{"y → 2"}, Left: []string{"x: acme/new was not read completely"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, propose(t, Side{Customers: c.source}, Side{Customers: c.target, Complete: !c.partly}), c.want)
		})
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	contoso := customers(mapped(1, "a", "Contoso"), mapped(2, "b", "Fabrikam"))
	there := customers(unmapped("x", "Contoso"), unmapped("y", "Fabrikam"))
	both := []string{"x → 1", "y → 2"}
	for name, c := range map[string]struct {
		customers, targetCustomers []Customer
		source, target             []Subscription
		decided                    []Decision
		partly                     bool
		want                       outcome
	}{
		"the vendor's id, whatever the names say": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "t", "x", "Microsoft 365", strings.ToUpper(guidA))),
			want:   outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"the customers are found by the vendor's ids of their subscriptions": {
			targetCustomers: customers(unmapped("x", "Somebody"), unmapped("y", "Else")),
			source:          subs(sub(10, "s", "a", "Office", guidA), sub(11, "s2", "b", "Office", guidB, inTenant(guidC))),
			target:          subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "y", "Other", "", inTenant(guidC))),
			want:            outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"subscriptions of two customers in one": {
			targetCustomers: customers(unmapped("x", "Somebody")),
			source:          subs(sub(10, "s", "a", "Office", guidA), sub(11, "s2", "b", "Office", guidB)),
			target:          subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "x", "Office", guidB)),
			want:            outcome{Left: []string{"x: the vendor's ids of subscriptions point to 2 customers"}, Waiting: 2},
		},
		"two that merged, once a person has mapped them": {
			targetCustomers: customers(mapped(1, "x", "Somebody")),
			source:          subs(sub(10, "s", "a", "Office", guidA), sub(11, "s2", "b", "Office", guidB)),
			target:          subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "x", "Office", guidB)),
			want:            outcome{Carried: []string{"10 → t"}, Left: []string{"t2: but that one belongs to customer #2, and this one to customer #1"}},
		},
		"and has mapped both of the source to one": {
			customers:       customers(mapped(1, "a", "Contoso"), mapped(1, "b", "Fabrikam")),
			targetCustomers: customers(mapped(1, "x", "Somebody")),
			source:          subs(sub(10, "s", "a", "Office", guidA), sub(11, "s2", "b", "Office", guidB, recordOn(2))),
			target:          subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "x", "Office", guidB)),
			want:            outcome{Carried: []string{"10 → t", "11 → t2"}},
		},
		"one that lives counts before one that has ended": {
			source: subs(sub(9, "old", "a", "Office", guidA, over), sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "gone", "x", "Office", guidA, over), sub(0, "t", "x", "Office", guidA)),
			want:   outcome{Mapped: both, Carried: []string{"10 → t", "9 → gone"}},
		},
		"one that ended at the source when it moved": {
			source: subs(sub(10, "s", "a", "Office", guidA, over)),
			target: subs(sub(0, "t", "x", "Office", guidA)),
			want:   outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"one that lives at the source and has ended at the target": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "t", "x", "Office", guidA, over)),
			want:   outcome{Mapped: both},
		},
		"one that has ended at both": {
			source: subs(sub(10, "s", "a", "Office", guidA, over)),
			target: subs(sub(0, "t", "x", "Office", guidA, over)),
			want:   outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"items are told apart by what they are": {
			source: subs(sub(10, "s/1", "a", "Seats", guidA, sku("P1")), sub(11, "s/2", "a", "Storage", guidA, sku("P2"))),
			target: subs(sub(0, "t/b", "x", "Extra storage", guidA, sku("p2")), sub(0, "t/a", "x", "Seats", guidA, sku("P1"))),
			want:   outcome{Mapped: both, Carried: []string{"10 → t/a", "11 → t/b"}},
		},
		"items that cannot be told apart": {
			source: subs(sub(10, "s/1", "a", "Seats", guidA), sub(11, "s/2", "a", "Seats", guidA)),
			target: subs(sub(0, "t/a", "x", "Seats", guidA), sub(0, "t/b", "x", "Seats", guidA)),
			want:   outcome{Mapped: both, Left: []string{"t/a: does not say which is which", "t/b: does not say which is which"}},
		},
		"an item is not another only because no other is left": {
			source: subs(sub(10, "s/1", "a", "Seats", guidA), sub(11, "s/2", "a", "Storage", guidA)),
			target: subs(sub(0, "t/a", "x", "Seats", guidA), sub(0, "t/b", "x", "Telephony", guidA)),
			want:   outcome{Mapped: both, Carried: []string{"10 → t/a"}, Left: []string{"t/b: does not say which is which"}},
		},
		"a person says which items are the same": {
			source:  subs(sub(10, "s/1", "a", "Seats", guidA), sub(11, "s/2", "a", "Seats", guidA)),
			target:  subs(sub(0, "t/a", "x", "Seats", guidA), sub(0, "t/b", "x", "Seats", guidA)),
			decided: []Decision{{"s/2", "t/a"}},
			want:    outcome{Mapped: both, Carried: []string{"11 → t/a", "10 → t/b"}},
		},
		"the same vendor's id twice at the target": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "x", "Office", guidA)),
			want:   outcome{Mapped: both, Left: []string{"t: does not say which is which", "t2: does not say which is which"}},
		},
		"the same vendor's id with two customers of the target": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "t", "x", "Office", guidA), sub(0, "t2", "y", "Office", guidA)),
			want:   outcome{Left: []string{`x: "Fabrikam" (y) at acme/new has it too`, `y: "Contoso" (x) at acme/new has it too`}, Waiting: 2},
		},
		"a name, where there is no vendor's id": {
			source: subs(sub(10, "s", "a", "Backup", "")),
			target: subs(sub(0, "t", "x", "Backup", "")),
			want:   outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"a name, where only one side has a vendor's id": {
			source: subs(sub(10, "s", "a", "Backup", "")),
			target: subs(sub(0, "t", "x", "Backup", guidA)),
			want:   outcome{Mapped: both, Carried: []string{"10 → t"}},
		},
		"a name says nothing against two vendor's ids": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(0, "t", "x", "Office", guidB)),
			want:   outcome{Mapped: both},
		},
		"a name says nothing of another customer": {
			source: subs(sub(10, "s", "a", "Backup", "")),
			target: subs(sub(0, "t", "y", "Backup", "")),
			want:   outcome{Mapped: both},
		},
		"equal names are told apart by their terms": {
			source: subs(sub(10, "s1", "a", "Backup", "", term("P1M")), sub(11, "s2", "a", "Backup", "", term("P1Y"))),
			target: subs(sub(0, "t1", "x", "Backup", "", term("P1Y")), sub(0, "t2", "x", "Backup", "", term("P1M"))),
			want:   outcome{Mapped: both, Carried: []string{"11 → t1", "10 → t2"}},
		},
		"equal names": {
			source: subs(sub(10, "s1", "a", "Backup", ""), sub(11, "s2", "a", "Backup", "")),
			target: subs(sub(0, "t1", "x", "Backup", "")),
			want:   outcome{Mapped: both, Left: []string{"t1: is not the only one of that name: 2 at acme/old and 1 at acme/new"}},
		},
		"equal names that something contradicts": {
			source: subs(sub(10, "s1", "a", "Backup", "", charged("usage")), sub(11, "s2", "b", "Mail", "", soldBy("Google"))),
			target: subs(sub(0, "t1", "x", "Backup", "", charged("recurring")), sub(0, "t2", "y", "Mail", "")),
			want:   outcome{Mapped: both, Left: []string{"t1: differs in its kind of charge", "t2: differs in its vendor"}},
		},
		"an equal name of one that has ended": {
			source: subs(sub(10, "s1", "a", "Backup", "", over)),
			target: subs(sub(0, "t1", "x", "Backup", "")),
			want:   outcome{Mapped: both, Left: []string{"t1: has ended at acme/old"}},
		},
		"no name at all": {
			source: subs(sub(10, "s1", "a", "", "")),
			target: subs(sub(0, "t1", "x", "", "")),
			want:   outcome{Mapped: both},
		},
		"a name where not everything was read": {
			targetCustomers: customers(mapped(1, "x", "Contoso")),
			source:          subs(sub(10, "s1", "a", "Backup", ""), sub(11, "s2", "a", "Office", guidA)),
			target:          subs(sub(0, "t1", "x", "Backup", ""), sub(0, "t2", "x", "Office", guidA)),
			partly:          true,
			want:            outcome{Carried: []string{"11 → t2"}, Left: []string{"t1: was not read completely"}},
		},
		"what has become a record of its own": {
			source: subs(sub(10, "s", "a", "Office", guidA)),
			target: subs(sub(20, "t", "x", "Office", guidA)),
			want:   outcome{Mapped: both, Left: []string{"t: has become a record of its own already: subscription #20"}},
		},
		"what has become a record of its own, and a person says it is the same": {
			source:  subs(sub(10, "s", "a", "Office", guidA)),
			target:  subs(sub(20, "t", "x", "Office", guidA)),
			decided: []Decision{{"s", "t"}},
			want:    outcome{Mapped: both, Carried: []string{"10 → t for 20"}},
		},
		"what has been carried over already": {
			source: subs(sub(0, "s", "a", "Office", guidA)),
			target: subs(sub(10, "t", "x", "Office", guidA)),
			want:   outcome{Mapped: both},
		},
		"what waits for a customer": {
			targetCustomers: customers(unmapped("x", "Contoso", tenant(guidC)), unmapped("y", "Nobody", tenant(guidC))),
			customers:       customers(mapped(1, "a", "Contoso", tenant(guidC)), mapped(2, "b", "Fabrikam", tenant(guidC))),
			source:          subs(sub(10, "s", "a", "Office", "")),
			target:          subs(sub(0, "t", "x", "Office", "")),
			want:            outcome{Left: []string{"x: point to 2 customers", "y: point to 2 customers"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := Side{Customers: contoso, Subscriptions: c.source}, Side{Customers: there, Subscriptions: c.target, Complete: !c.partly}
			if c.customers != nil {
				source.Customers = c.customers
			}
			if c.targetCustomers != nil {
				target.Customers = c.targetCustomers
			}
			source.Customers, target.Customers = slices.Clone(source.Customers), slices.Clone(target.Customers)
			check(t, propose(t, source, target, c.decided...), c.want)
		})
	}
}

func TestDecisionsThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	source := Side{
		Module: "acme/old", Customers: customers(mapped(1, "a", "Contoso")),
		Subscriptions: subs(sub(10, "s", "a", "Office", guidA), sub(0, "moved", "a", "Office", guidB)),
	}
	target := Side{
		Module: "acme/new", Complete: true, Customers: customers(unmapped("x", "Contoso"), unmapped("y", "Nobody")),
		Subscriptions: subs(sub(0, "t", "x", "Office", guidA), sub(0, "u", "y", "Office", guidC)),
	}
	for name, c := range map[string]struct {
		decided []Decision
		want    string
	}{
		"unknown at the source": {[]Decision{{"nope", "t"}}, "acme/old has no subscription"},
		"unknown at the target": {[]Decision{{"s", "nope"}}, "acme/new has no subscription"},
		"without a record":      {[]Decision{{"moved", "t"}}, "has no subscription of ours"},
		"not mapped":            {[]Decision{{"s", "u"}}, "is not mapped yet"},
		"the source twice":      {[]Decision{{"s", "t"}, {"s", "t"}}, "has no subscription of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Propose(&source, &target, c.decided)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestASecondMoveDoesNotTakeANameForMore: two of the source's customers are mapped to one of ours, and the vendor's ids made the
// target's nc2 that one. What showed it of the first was carried over since; the other's name at the target still is none of it.
func TestASecondMoveDoesNotTakeANameForMore(t *testing.T) {
	t.Parallel()
	source := Side{
		Complete: true,
		Customers: customers(
			Customer{ID: 1, Key: "oc2", Ref: "oc2", Name: "Twins", CustomerID: 6, CustomerName: "Twins"},
			Customer{ID: 2, Key: "oc3", Ref: "oc3", Name: "Another", CustomerID: 6, CustomerName: "Twins"},
		),
		Subscriptions: subs(Subscription{ID: 1, Key: "s", Ref: "s", CustomerKey: "oc3", RecordID: 11, CustomerID: 6, Name: "Mail", Vendor: "microsoft", VendorRef: "m1"}),
	}
	target := Side{
		Complete: true,
		Customers: customers(
			Customer{ID: 3, Key: "nc0", Ref: "nc0", Name: "Twins"},
			Customer{ID: 4, Key: "nc2", Ref: "nc2", Name: "Customer 2", CustomerID: 6, CustomerName: "Twins"},
		),
		Subscriptions: subs(Subscription{ID: 2, Key: "n", Ref: "n", CustomerKey: "nc2", Name: "Mail", Vendor: "microsoft", VendorRef: "m1"}),
	}
	o := propose(t, source, target)
	if len(o.Mapped) > 0 || len(o.Left) != 1 || !strings.Contains(o.Left[0], `"Customer 2" (nc2) at acme/new is mapped to the same customer already`) {
		t.Errorf("mapped %v, left %v", o.Mapped, o.Left)
	}
}
