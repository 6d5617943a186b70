// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// tenant is one element of an agreement's list.
type tenant struct {
	id, domain, status string
	customerRef        string
	subscriptions      rest.Value
	// raw is the whole element.
	raw rest.Value
}

// reader turns tenants into subscriptions. It is used by one goroutine, and uses its memory again for every record.
type reader struct {
	directory *directory
	agreement agreement
	terms     *termFields
	problems  *problems
	extras    *extras
	send      func(sdk.Subscription) error
	// sendAddon sends what is nested in another subscription; sawAddons is told of each one whether it has the member for that.
	sendAddon func(sdk.Subscription) error
	sawAddons func(told bool) error
	wants     func(customerRef string) bool

	object   rest.Object
	member   rest.Object
	record   sdk.Subscription
	item     [1]sdk.Item
	sent     int
	position int
}

// tenant reads the head of a tenant. Ok is false when it was lost, which is then noted.
func (r *reader) tenant(v rest.Value) (t tenant, ok bool) {
	r.position++
	if !r.object.Read(v) {
		r.problems.lost("tenant.unreadable", "element %d of %s is no tenant", r.position, r.agreement.name())
		return t, false
	}
	o := r.object
	t = tenant{id: id(o, "TenantId"), domain: trimmed(o, "TenantDomain"), status: trimmed(o, "TenantStatus"), raw: v}
	customerID, customerName := id(o, "CustomerId"), o.Text("CustomerName")
	if t.id == "" {
		r.problems.lost("tenant.without_id", "element %d of %s has no TenantId (domain %q, customer %q)", r.position, r.agreement.name(), t.domain, customerName)
		return t, false
	}
	if t.customerRef = r.directory.customerOf(t.id, customerID); t.customerRef == "" {
		r.problems.lost("tenant.without_customer", "tenant %s (%s) names no customer, and no customer claims it", t.id, t.domain)
		return t, false
	}
	if !o.Has("Subscriptions") {
		// Null is an empty list; a member that is gone may have got another name.
		r.problems.lost("tenant.without_subscriptions", "tenant %s (%s) has no member Subscriptions", t.id, t.domain)
		return t, false
	}
	if t.subscriptions, ok = o.Get("Subscriptions").List(); !ok {
		r.problems.lost("tenant.subscriptions_unreadable", "the subscriptions of tenant %s (%s) are no list", t.id, t.domain)
		return t, false
	}
	return t, true
}

// read sends the subscriptions of a tenant. details may be nil.
func (r *reader) read(t *tenant, details *details) error {
	parents := r.parents(t, details)
	for v := range t.subscriptions.Elements() {
		if err := r.subscription(t, v, "", sdk.StateUnknown, "", parents, details); err != nil {
			return err
		}
	}
	return nil
}

// parents tells of add-ons that are also listed on their own whose add-on they are. Nil when there is none.
func (r *reader) parents(t *tenant, details *details) map[string]string {
	if !mayHoldAddons(t.raw) && details == nil {
		return nil
	}
	parents := map[string]string{}
	var sub, addon rest.Object
	for v := range t.subscriptions.Elements() {
		if !sub.Read(v) {
			continue
		}
		parent := id(sub, "SubscriptionId")
		for a := range details.addons(parent, sub) {
			if addon.Read(a) {
				if ref := id(addon, "SubscriptionId"); ref != "" && !strings.EqualFold(ref, parent) {
					parents[strings.ToLower(ref)] = parent
				}
			}
		}
	}
	// Only those matter that stand on their own too.
	own := map[string]string{}
	for v := range t.subscriptions.Elements() {
		if sub.Read(v) {
			key := strings.ToLower(id(sub, "SubscriptionId"))
			if parent, ok := parents[key]; ok {
				own[key] = parent
			}
		}
	}
	return own
}

// mayHoldAddons is a quick look for AddonSubscriptions in any case.
func mayHoldAddons(v rest.Value) bool {
	raw := v.Raw()
	return bytes.Contains(raw, []byte("ddonSub")) || bytes.Contains(raw, []byte("ddOnSub")) ||
		bytes.Contains(raw, []byte("ddonsub")) || bytes.Contains(raw, []byte("DDONSUB"))
}

// subscription sends one element and its add-ons. An add-on without a status of its own has its parent's.
func (r *reader) subscription(t *tenant, v rest.Value, parent string, parentState sdk.State, parentStatus string, own map[string]string, details *details) error {
	if !r.member.Read(v) {
		r.problems.lost("subscription.unreadable", "tenant %s (%s) has an element that is no subscription", t.id, t.domain)
		return nil
	}
	o := r.member
	ref := id(o, "SubscriptionId")
	if ref == "" {
		kind := "a subscription"
		if parent != "" {
			kind = "an add-on of subscription " + parent
		}
		r.problems.lost("subscription.without_id", "%s of tenant %s (%s) has no SubscriptionId (name %q)", kind, t.id, t.domain, o.Text("FriendlyName", "ProductName"))
		return nil
	}
	send := r.sendAddon
	if parent == "" {
		send, parent = r.send, own[strings.ToLower(ref)]
		if err := r.sawAddons(o.Has("AddonSubscriptions") || details.of(ref).Has("AddonSubscriptions")); err != nil {
			return err
		}
	}
	ok := r.decode(t, o, ref, parent, details)
	state, status := r.record.State, r.record.Status
	if status == "" && parent != "" {
		state, status = parentState, parentStatus
		r.record.State, r.record.Status = state, status
	}
	if ok {
		if err := send(r.record); err != nil {
			return err
		}
		r.sent++
	}
	addons := o.Get("AddonSubscriptions")
	if addons.IsNull() && details == nil {
		return nil
	}
	if _, isList := addons.List(); !isList {
		r.problems.lost("subscription.addons_unreadable", "the add-ons of subscription %s are no list", ref)
	}
	o = slices.Clone(o) // The add-ons are read into the same memory.
	seen := map[string]bool{strings.ToLower(ref): true}
	for a := range details.addons(ref, o) {
		var addon rest.Object
		addon.Read(a)
		key := strings.ToLower(id(addon, "SubscriptionId"))
		if key != "" && (seen[key] || own[key] != "") {
			continue
		}
		seen[key] = true
		if err := r.subscription(t, a, ref, state, status, own, details); err != nil {
			return err
		}
	}
	return nil
}

// decode fills r.record. It reports false when the record must not be sent because what counts in it cannot be read; what
// the host knows of it then stays as it is.
func (r *reader) decode(t *tenant, o rest.Object, ref, parent string, details *details) bool {
	more := details.of(ref)
	unit := trimmed(o, "Unit")
	if unit == "" {
		unit = trimmed(more, "Unit")
	}
	productID, productName := trimmed(o, "ProductId"), o.Text("ProductName")
	billing := billingTerm(o.Get("BillingCycle"), o.Get("BillingCycleDuration"))
	status := trimmed(o, "Status")

	r.item[0] = sdk.Item{Name: productName, ProductRef: productID, SKU: productID, Unit: unit, Charge: chargeOf(unit, billing)}
	item := &r.item[0]
	extra := r.record.Extra
	clear(extra)
	r.record = sdk.Subscription{
		Ref: ref, CustomerRef: t.customerRef, TenantRef: t.id, ParentRef: parent,
		Name: o.Text("FriendlyName"), State: stateOf(status), Status: status,
		BillingTerm: billing, Items: r.item[:], Extra: extra,
	}
	s := &r.record
	if s.Extra == nil {
		s.Extra = map[string]string{}
	}
	if r.agreement.vendor() != "" {
		s.Vendor = "Microsoft"
	}
	if item.Charge != sdk.ChargeUsage {
		quantity, err := o.Get("Quantity").Decimal()
		if err != nil {
			r.problems.lost("subscription.quantity_unreadable", "the quantity of subscription %s cannot be read: %v", ref, err)
			return false
		}
		item.Quantity = quantity
	}
	r.dates(s, o, more)
	r.price(s, item, o, more)
	if s.Name == "" {
		s.Name = more.Text("FriendlyName")
	}
	if r.extras != nil {
		r.extras.apply(s, item)
	}
	for _, name := range []string{item.Name, productID} {
		if s.Name == "" {
			s.Name = name
		}
	}
	note := func(key, value string) {
		if value != "" {
			s.Extra[key] = value
		}
	}
	note("display_template", trimmed(o, "DisplayTemplate"))
	note("program_reference_label", trimmed(o, "ProgramReferenceLabel"))
	note("tenant_domain", t.domain)
	note("tenant_status", t.status)
	return true
}

func (r *reader) price(s *sdk.Subscription, item *sdk.Item, o, more rest.Object) {
	v := o.Get("UnitPrice")
	if v.IsNull() {
		v = more.Get("UnitPrice")
	}
	price, err := v.Decimal()
	if err != nil {
		r.problems.doubt("subscription.price_unreadable", "the price of subscription %s cannot be read: %v", s.Ref, err)
		return
	}
	if !price.IsAbsent() {
		// The currency is not told. It is that of the account.
		item.PartnerCost, item.PricePer = sdk.Money{Amount: price}, sdk.PricePerUnit
	}
}

func (r *reader) dates(s *sdk.Subscription, o, more rest.Object) {
	s.StartedOn = r.date(s.Ref, "FirstPurchased", o.Get("FirstPurchased"))
	for _, object := range []rest.Object{o, more} {
		if len(object) == 0 {
			continue
		}
		if s.CommitmentEnd == "" {
			s.CommitmentEnd = r.date(s.Ref, "the end of the commitment", object.Get(r.terms.end...))
		}
		if s.CommitmentTerm.Raw == "" {
			s.CommitmentTerm = parseTerm(strings.TrimSpace(object.Get(r.terms.term...).Text()))
		}
		if s.AutoRenew == nil {
			if yes, told := object.Get(r.terms.autoRenew...).Bool(); told {
				s.AutoRenew = &yes
			}
		}
	}
}

func (r *reader) date(ref, what string, v rest.Value) string {
	if v.IsNull() {
		return ""
	}
	d, err := rest.ParseDate(v.Text())
	if err != nil {
		r.problems.doubt("subscription.date_unreadable", "%s of subscription %s: %v", what, ref, err)
	}
	return d.String()
}
