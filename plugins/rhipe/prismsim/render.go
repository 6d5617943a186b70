// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"strings"
)

// customers answers the list of customers, the partner's own record first.
func (c *call) customers() {
	all, ok := c.boolean("includeDeactivatedCustomers")
	if !ok {
		return
	}
	hidden := map[string]bool{}
	for _, id := range c.sw.HideCustomers {
		hidden[lower(id)] = true
	}
	c.records(func(yield func(func(*encoder)) bool) {
		for cu := range c.v.customers() {
			if cu.Deactivated && !all || len(hidden) > 0 && hidden[lower(cu.ID)] {
				continue
			}
			if !yield(func(e *encoder) { c.customer(e, cu) }) {
				return
			}
		}
	})
}

// tenants answers one contract agreement's tenants with their subscriptions.
func (c *call) tenants() {
	a, ok := agreementByID(c.v, c.id)
	if !ok || a.Reported {
		c.unknown("The contract agreement")
		return
	}
	c.records(func(yield func(func(*encoder)) bool) {
		for t := range c.v.tenants(a.ID) {
			if !yield(func(e *encoder) { c.tenant(e, t, true, c.sw.LeanList) }) {
				return
			}
		}
	})
}

// allTenants answers the tenants of all contract agreements, without their
// subscriptions.
func (c *call) allTenants() {
	c.records(func(yield func(func(*encoder)) bool) {
		for t := range c.v.tenants("") {
			if !yield(func(e *encoder) { c.tenant(e, t, false, false) }) {
				return
			}
		}
	})
}

// tenantDetails answers one tenant with all that is known of its
// subscriptions.
func (c *call) tenantDetails() {
	t, ok := c.v.tenant(c.id)
	if !ok {
		c.unknown("The tenant")
		return
	}
	c.sendJSON(func(e *encoder) { c.tenant(e, t, true, false) })
}

// oneSubscription answers a subscription or an add-on.
func (c *call) oneSubscription() {
	sub, _, ok := c.v.subscription(c.id)
	if !ok {
		c.unknown("The subscription")
		return
	}
	c.sendJSON(func(e *encoder) { c.subscription(e, sub, false, false) })
}

// records answers a list: a bare array, or the page of an envelope the switches
// ask for.
func (c *call) records(each func(yield func(func(*encoder)) bool)) { c.list(c.sw.Envelope, each) }

// list answers a page of an envelope, or a bare array when it has no name.
func (c *call) list(envelope string, each func(yield func(func(*encoder)) bool)) {
	if c.fault != nil && c.fault.Kind == FaultEmpty {
		each = func(func(func(*encoder)) bool) {}
	}
	from, to := 0, -1
	if envelope != "" {
		page, size, ok := c.paging(c.query("page"), c.query("pageSize"), c.sw.PageSize)
		if !ok {
			return
		}
		from, to = c.window(page, size, each)
	}
	write := func(e *encoder) {
		e.pad()
		i := 0
		for item := range each {
			if to >= 0 && i >= to {
				break
			}
			if i >= from {
				item(e)
			}
			i++
			if !e.ok() {
				break
			}
		}
	}
	c.sendJSON(func(e *encoder) {
		if envelope != "" {
			e.object(func() { e.list(envelope, func() { write(e) }) })
			return
		}
		e.open('[')
		write(e)
		e.close(']')
	})
}

// window is the half-open range of records on a page.
func (c *call) window(page, size int, each func(yield func(func(*encoder)) bool)) (from, to int) {
	if size == 0 { // all on the first page
		if page == 1 || c.sw.RepeatLastPage {
			return 0, -1
		}
		return 0, 0
	}
	if c.sw.RepeatLastPage {
		n := 0
		for range each {
			n++
		}
		page = min(page, max(1, (n+size-1)/size))
	}
	return (page - 1) * size, page * size
}

func (c *call) tenant(e *encoder, t *Tenant, withSubscriptions, lean bool) {
	e.tenant++
	e.object(func() {
		absence := Present
		if e.tenant == 1 {
			absence = c.sw.NoTenantID
		}
		e.id("TenantId", t.ID, absence)
		e.text("TenantDomain", t.Domain)
		e.coded("TenantStatus", t.Status, statusCodes, c.sw.TenantStatus == FormNumber)
		e.id("CustomerId", t.CustomerID, c.sw.NoTenantCustomerID)
		e.text("CustomerName", t.CustomerName)
		e.extras()
		if withSubscriptions {
			c.subscriptionList(e, t, lean)
		}
	})
}

func (c *call) subscriptionList(e *encoder, t *Tenant, lean bool) {
	if !e.key("Subscriptions") {
		return
	}
	started := false
	start := func() {
		if !started {
			e.open('[')
			started = true
		}
	}
	for s := range c.v.subscriptions(t) {
		if c.sw.HideEnded && endedStatuses[lower(s.Status)] {
			continue
		}
		start()
		c.subscriptionRecord(e, s, lean)
		if !e.ok() {
			return
		}
	}
	if !started && (t.NullSubscriptions || c.sw.NullArrays) {
		e.raw("null")
		return
	}
	start()
	e.close(']')
}

// subscriptionRecord writes a subscription of a list, with what the switches
// make of the first one.
func (c *call) subscriptionRecord(e *encoder, s *Subscription, lean bool) {
	e.sub++
	first := e.sub == 1
	if !first {
		e.object(func() { c.subscriptionFields(e, s, lean, Present) })
		return
	}
	e.object(func() { c.subscriptionFields(e, s, lean, c.sw.NoSubscriptionID) })
	switch c.sw.DuplicateIDs {
	case DuplicateSame:
		e.object(func() { c.subscriptionFields(e, s, lean, c.sw.NoSubscriptionID) })
	case DuplicateDiffers:
		d := *s
		d.Quantity++
		d.ID = strings.ToUpper(s.ID)
		e.object(func() { c.subscriptionFields(e, &d, lean, c.sw.NoSubscriptionID) })
	}
}

func (c *call) subscription(e *encoder, s *Subscription, lean, addon bool) {
	e.object(func() {
		if addon {
			c.addonFields(e, s)
			return
		}
		c.subscriptionFields(e, s, lean, Present)
	})
}

func (c *call) subscriptionFields(e *encoder, s *Subscription, lean bool, absence Absence) {
	e.id("SubscriptionId", s.ID, absence)
	c.status(e, s.Status)
	e.maybe("ProgramReferenceLabel", s.ProgramReferenceLabel)
	e.text("ProductId", s.ProductID)
	e.text("ProductName", s.ProductName)
	if !lean {
		e.maybe("FriendlyName", s.FriendlyName)
	}
	e.integer("Quantity", s.Quantity)
	e.date("FirstPurchased", s.FirstPurchased)
	e.maybe("DisplayTemplate", s.DisplayTemplate)
	e.text("Unit", s.Unit)
	if !lean {
		e.number("UnitPrice", s.UnitPrice)
	}
	e.coded("BillingCycle", s.BillingCycle, cycleCodes, c.sw.BillingCycle == FormNumber)
	e.integer("BillingCycleDuration", int64(s.BillingCycleDuration))
	if c.sw.TermFields {
		e.maybe("TermDuration", s.TermDuration)
		e.date("CommitmentEndDate", s.CommitmentEnd)
		e.flag("AutoRenewEnabled", s.AutoRenew)
	}
	e.extras()
	if lean {
		return
	}
	switch {
	case len(s.Addons) == 0:
		e.null("AddonSubscriptions")
	default:
		e.list("AddonSubscriptions", func() {
			for i := range s.Addons {
				if c.sw.HideEnded && endedStatuses[lower(s.Addons[i].Status)] {
					continue
				}
				c.subscription(e, &s.Addons[i], false, true)
			}
		})
	}
}

// addonFields are the fewer fields an add-on has inside its parent.
func (c *call) addonFields(e *encoder, s *Subscription) {
	e.text("SubscriptionId", s.ID)
	e.maybe("FriendlyName", s.FriendlyName)
	e.integer("Quantity", s.Quantity)
	e.text("Unit", s.Unit)
	e.number("UnitPrice", s.UnitPrice)
	if s.Status != StatusActive {
		c.status(e, s.Status)
	}
	e.extras()
}

func (c *call) status(e *encoder, status string) {
	if len(c.sw.Statuses) > 0 {
		status = c.sw.Statuses[e.statuses%len(c.sw.Statuses)]
	}
	e.statuses++
	e.coded("Status", status, statusCodes, c.sw.Status == FormNumber)
}
