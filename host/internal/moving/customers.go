// SPDX-License-Identifier: Apache-2.0

package moving

import (
	"fmt"
	"slices"
)

// claim is what one kind of evidence says about one of the target's customers.
type claim struct {
	// sources are the source's customers it points to, by customer of ours.
	sources map[int64][]int
	// rivals are others of the target's customers that have the same evidence, what is some of it.
	rivals []int
	what   string
}

func (c *claim) customers() []int64 {
	ids := make([]int64, 0, len(c.sources))
	for id := range c.sources {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// finding is what all evidence about one of the target's customers comes to.
type finding struct {
	by       Evidence
	customer int64
	source   int
	what     string
	// why is set if it is left to a person.
	why string
}

// customers finds out which customers of the target are which of ours.
func (p *proposing) customers() {
	p.owner, p.undecided = make([]int64, len(p.target.Customers)), map[int]bool{}
	for i := range p.target.Customers {
		p.owner[i] = p.target.Customers[i].CustomerID
	}
	found := make([]finding, len(p.target.Customers))
	for p.findAll(found) {
	}
	taken := map[int64]bool{}
	for i := range found {
		c := &p.target.Customers[i]
		f := &found[i]
		switch {
		case c.CustomerID != 0:
			p.doubtMapping(i, f)
		case f.why != "":
			if !c.Ended {
				p.leaveCustomer(i, f.why, fmt.Sprintf(
					"Map it by hand with \"tallyman mappings add %s %s CUSTOMER\", then move again. Do so before the next sync.", p.target.Module, word(c.Ref)))
			}
			p.undecided[i] = true
		case f.customer != 0:
			source := &p.source.Customers[f.source]
			p.Mappings = append(p.Mappings, Mapping{
				Source: source, Target: c, CustomerID: f.customer, CustomerName: source.CustomerName, By: f.by, Reason: p.reason(f, source),
			})
		}
		if p.owner[i] != 0 {
			taken[p.owner[i]] = true
		}
	}
	for i := range p.source.Customers {
		if c := &p.source.Customers[i]; c.CustomerID != 0 && !c.Ended && !taken[c.CustomerID] {
			p.CustomersStay++
		}
	}
}

// findAll looks at each of the target's customers, and reports whether it found any that was not found before. Who is found
// is no rival to the others any more, so it is called until nobody else is found: a second move would find them.
func (p *proposing) findAll(found []finding) bool {
	for i := range p.target.Customers {
		if !p.target.Customers[i].Partner || p.owner[i] != 0 {
			found[i] = p.find(i)
		}
	}
	p.notTwice(found)
	more := false
	for i := range found {
		if f := &found[i]; p.owner[i] == 0 && f.customer != 0 && f.why == "" {
			p.owner[i], more = f.customer, true
		}
	}
	return more
}

func (p *proposing) leaveCustomer(at int, why, next string) {
	p.Left = append(p.Left, Left{Customer: &p.target.Customers[at], Why: why, Next: next})
}

// doubtMapping asks a person about a mapping that the target has already and that a vendor's id or a domain contradicts.
func (p *proposing) doubtMapping(at int, f *finding) {
	c := &p.target.Customers[at]
	if c.Ended || f.customer == 0 || f.customer == c.CustomerID || f.by == ByName || f.why != "" {
		return
	}
	source := &p.source.Customers[f.source]
	p.leaveCustomer(at,
		fmt.Sprintf("it is mapped to %s already, but %s is that of %s at %s, which is %s",
			called(c.CustomerName, c.CustomerID), f.what, quoted(source.Name, source.Ref), p.source.Module, called(source.CustomerName, source.CustomerID)),
		fmt.Sprintf("If it is %s, change it with \"tallyman mappings add %s %s %d --change\" and move again. If it is right as it is, leave it.",
			called(source.CustomerName, source.CustomerID), p.target.Module, word(c.Ref), source.CustomerID))
	p.undecided[at] = true
}

// kind is one kind of evidence that customers themselves have: what the target's customer has of it, and who has it.
type kind struct {
	keys             []string
	sources, targets map[string][]int
	what             func(source int, key string) string
}

// find looks at all evidence about one of the target's customers, the strongest first.
func (p *proposing) find(at int) finding {
	has := &p.targets.evidence[at]
	subscriptions := p.bySubscriptions(at)
	tenants := p.byKeys(at, kind{has.tenants, p.sources.tenants, p.targets.tenants, p.tenantText})
	domains := p.byKeys(at, kind{has.domains, p.sources.domains, p.targets.domains, func(_ int, key string) string { return "its domain " + key }})
	names := p.byKeys(at, kind{has.names, p.sources.names, p.targets.names, func(int, string) string { return "exactly its name" }})
	vendor, by := tenants, ByTenantID
	if len(subscriptions.sources) > 0 {
		vendor, by = subscriptions, BySubscriptionID
	}
	f := p.judge(vendor, by)
	if by == BySubscriptionID {
		p.contradicted(&f, tenants)
	}
	if f.by != None {
		p.contradicted(&f, domains)
		return f
	}
	if f = p.judge(domains, ByDomain); f.by != None {
		p.contradicted(&f, names)
	} else {
		f = p.judge(names, ByName)
	}
	if f.by != None && f.why == "" && !p.target.Complete {
		f.why = fmt.Sprintf("%s is that of %s at %s, but %s was not read completely, and another may have it too",
			f.what, p.sourceText(f.source), p.source.Module, p.target.Module)
	}
	return f
}

// contradicted leaves to a person what other evidence says is somebody else.
func (p *proposing) contradicted(f *finding, by claim) {
	if f.by == None || f.why != "" || len(by.sources) == 0 || by.sources[f.customer] != nil {
		return
	}
	other := by.sources[by.customers()[0]][0]
	f.why = fmt.Sprintf("%s is that of %s at %s, but %s is that of %s",
		f.what, p.sourceText(f.source), p.source.Module, by.what, p.sourceText(other))
}

// judge says what one kind of evidence comes to by itself.
func (p *proposing) judge(c claim, by Evidence) finding {
	if len(c.sources) == 0 {
		return finding{}
	}
	f := finding{by: by, what: c.what}
	customers := c.customers()
	f.customer = customers[0]
	f.source = c.sources[f.customer][0]
	switch {
	case len(customers) > 1:
		var texts []string
		for _, id := range customers {
			source := c.sources[id][0]
			texts = append(texts, fmt.Sprintf("%s, which is %s", p.sourceText(source), called(p.source.Customers[source].CustomerName, id)))
		}
		f.why = fmt.Sprintf("%s point to %d customers at %s: %s", plural(by), len(customers), p.source.Module, enough(texts))
	case len(c.rivals) > 0:
		var texts []string
		for _, rival := range c.rivals {
			texts = append(texts, p.targetText(rival))
		}
		f.why = fmt.Sprintf("%s is that of %s at %s, but %s at %s has it too",
			c.what, p.sourceText(f.source), p.source.Module, enough(texts), p.target.Module)
	}
	return f
}

// bySubscriptions collects what the vendor's ids of its subscriptions say. What has ended does not rival what lives.
func (p *proposing) bySubscriptions(at int) claim {
	c := claim{sources: map[int64][]int{}}
	for _, key := range p.targets.evidence[at].subscriptions {
		mine, others := false, []int(nil)
		for _, i := range current(p.target.Subscriptions, p.targets.subscriptions[key]) {
			switch owner := p.targets.owner[i]; {
			case owner == at:
				mine = true
			case owner >= 0:
				others = append(others, owner)
			}
		}
		if !mine {
			continue
		}
		for _, i := range current(p.source.Subscriptions, p.sources.subscriptions[key]) {
			if owner := p.sources.owner[i]; owner >= 0 && c.add(p.source, owner) && c.what == "" {
				c.what = "the vendor's subscription id " + p.source.Subscriptions[i].VendorRef
			}
		}
		if len(c.sources) > 0 {
			for _, rival := range others {
				c.rival(rival)
			}
		}
	}
	return c
}

// current gives the subscriptions that have not ended, or all if all have.
func current(all []Subscription, list []int) []int {
	alive := slices.DeleteFunc(slices.Clone(list), func(i int) bool { return all[i].Ended })
	if len(alive) > 0 {
		return alive
	}
	return list
}

// byKeys collects what one kind of evidence says. Who has ended does not rival who lives.
func (p *proposing) byKeys(at int, k kind) claim {
	c := claim{sources: map[int64][]int{}}
	self := &p.target.Customers[at]
	for _, key := range k.keys {
		found := living(p.source, k.sources[key])
		if len(found) == 0 {
			continue
		}
		for _, i := range found {
			if c.add(p.source, i) && c.what == "" {
				c.what = k.what(i, key)
			}
		}
		for _, rival := range k.targets[key] {
			// One that is mapped is no rival: a person, an earlier run or stronger evidence has decided about it.
			other := &p.target.Customers[rival]
			if rival != at && p.owner[rival] == 0 && (!other.Ended || self.Ended) {
				c.rival(rival)
			}
		}
	}
	return c
}

// add notes one of the source's customers, if it is mapped to one of ours.
func (c *claim) add(side *Side, at int) bool {
	customer := side.Customers[at].CustomerID
	if customer != 0 && !slices.Contains(c.sources[customer], at) {
		c.sources[customer] = append(c.sources[customer], at)
	}
	return customer != 0
}

func (c *claim) rival(at int) {
	if !slices.Contains(c.rivals, at) {
		c.rivals = append(c.rivals, at)
	}
}

// living gives those that have not ended, or all if all have.
func living(side *Side, list []int) []int {
	mapped := slices.DeleteFunc(slices.Clone(list), func(i int) bool { return side.Customers[i].CustomerID == 0 })
	alive := slices.DeleteFunc(slices.Clone(mapped), func(i int) bool { return side.Customers[i].Ended })
	if len(alive) > 0 {
		return alive
	}
	return mapped
}

// notTwice leaves to a person what points to a customer of the source about which stronger evidence has found another of
// the target's. A vendor's ids may well find two of them: a customer of two tenants may be two customers elsewhere. One
// domain and another, or two names, may not.
func (p *proposing) notTwice(found []finding) {
	claimants := map[int][]int{}
	for i := range found {
		c := &p.target.Customers[i]
		if f := &found[i]; f.by != None && f.why == "" && !c.Ended && (p.owner[i] == 0 || p.owner[i] == f.customer) {
			claimants[f.source] = append(claimants[f.source], i)
		}
	}
	why := map[int]string{}
	for i := range found {
		f := &found[i]
		if f.by == None || f.why != "" || p.owner[i] != 0 {
			continue
		}
		for _, other := range claimants[f.source] {
			if g := &found[other]; other != i && (level(g.by) < level(f.by) || g.by == f.by && f.by >= ByDomain) {
				why[i] = fmt.Sprintf("%s is that of %s at %s, but %s at %s is found to be the same by %s",
					f.what, p.sourceText(f.source), p.source.Module, p.targetText(other), p.target.Module, manner(g.by))
				break
			}
		}
		if j := p.mappedAlready(i, found); j >= 0 && f.by >= ByDomain && why[i] == "" {
			why[i] = fmt.Sprintf("%s is that of %s at %s, but %s at %s is mapped to the same customer already",
				f.what, p.sourceText(f.source), p.source.Module, p.targetText(j), p.target.Module)
		}
	}
	for i, text := range why {
		found[i].why = text
	}
}

// mappedAlready gives another of the target's customers that was mapped before to the customer which one is found to be, and
// about which stronger evidence is known, or none any more: what showed it then may have been carried over since, and what is
// left of it may point to another of the source's customers that is mapped to the same one. -1: none.
func (p *proposing) mappedAlready(at int, found []finding) int {
	f := &found[at]
	for i := range p.target.Customers {
		c, g := &p.target.Customers[i], &found[i]
		if i != at && c.CustomerID != 0 && c.CustomerID == f.customer && !c.Ended && (g.by == None || level(g.by) < level(f.by)) {
			return i
		}
	}
	return -1
}

// level puts both kinds of a vendor's ids together.
func level(e Evidence) Evidence {
	if e == BySubscriptionID {
		return ByTenantID
	}
	return e
}
