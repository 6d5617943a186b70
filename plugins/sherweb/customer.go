// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// customer is what Sherweb tells of a customer. There is no address, no contact and no status but suspendedOn.
type customer struct {
	id, name  string
	standing  standing
	suspended string // Since when, as text of a date or instant.
}

// standing is whether a customer is in good standing. It decides about the state of what the customer holds.
type standing int

const (
	// standingUnknown: the list of customers was not read.
	standingUnknown standing = iota
	standingGood
	standingSuspended
)

// directory is the list of customers.
type directory struct {
	customers []customer
	at        map[string]int // By id in lower case.
}

// find gives a customer by its id in any case.
func (d *directory) find(id string) (customer, bool) {
	if d == nil {
		return customer{}, false
	}
	at, found := d.at[strings.ToLower(id)]
	if !found {
		return customer{}, false
	}
	return d.customers[at], true
}

// readCustomers reads the list of customers, each once. Whole is false if a customer in it could not be read; what is
// wrong with single ones goes to found.
func (c *connection) readCustomers(ctx context.Context, found *remarks) (d *directory, whole bool, err error) {
	list, err := c.items(ctx, c.settings.Paths.Customers, "")
	if err != nil {
		return nil, false, err
	}
	d = &directory{at: map[string]int{}}
	whole = true
	var o rest.Object
	n := 0
	for element := range list.Elements() {
		n++
		if !o.Read(element) || strings.TrimSpace(o.Text("id")) == "" {
			whole = false
			found.lost("customer.without_id", "element %d of the list of customers has no id (name %q)", n, o.Text("displayName"))
			continue
		}
		read := decodeCustomer(o)
		if !usable(read.id) {
			whole = false
			found.lost("customer.id_unusable", "the id of element %d of the list of customers (name %q) cannot be one: it has %d bytes and begins %q",
				n, start(read.name), len(read.id), start(read.id))
			continue
		}
		key := strings.ToLower(read.id)
		if at, twice := d.at[key]; twice {
			found.doubt("customer.twice", "customer %s is listed twice; the last one counts", read.id)
			d.customers[at] = read
			continue
		}
		d.at[key] = len(d.customers)
		d.customers = append(d.customers, read)
	}
	if whole {
		c.directory.Store(d)
	}
	return d, whole, nil
}

// unreadable is the scope of the customers that have none of their own.
const (
	unreadable     = "unreadable"
	unreadableName = "customers that could not be read"
)

// maxID is the longest id a customer can have, in bytes. Sherweb's are UUIDs.
const maxID = 256

// usable tells whether an id can stand for a customer: it names the customer's scope and is sent with requests.
func usable(id string) bool {
	return id != "" && len(id) <= maxID && !strings.EqualFold(id, unreadable)
}

// start gives the beginning of a text that may be of any length, for a message.
func start(text string) string {
	const enough = 40
	for i := range text {
		if i >= enough {
			return text[:i] + "…"
		}
	}
	return text
}

func decodeCustomer(o rest.Object) customer {
	read := customer{id: strings.TrimSpace(o.Text("id")), name: o.Text("displayName"), standing: standingGood}
	text := strings.TrimSpace(o.Text("suspendedOn"))
	since, err := rest.ParseDate(text)
	switch {
	case err != nil:
		read.standing, read.suspended = standingSuspended, text
	case since.IsSet():
		read.standing, read.suspended = standingSuspended, since.String()
	}
	return read
}

// record gives the customer as the host wants it.
func (c *customer) record() sdk.Customer {
	r := sdk.Customer{Ref: c.id, Name: c.name, Lifecycle: sdk.LifecycleActive}
	if c.standing == standingSuspended {
		r.Lifecycle, r.Status = sdk.LifecycleSuspended, "suspended on "+c.suspended
	}
	return r
}
