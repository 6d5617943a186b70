// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"iter"
	"strings"
	"time"
)

// Source is what a Server serves: a *World or a *Generated. Each request reads
// one snapshot of it, so an edit is seen by the next request and never by an
// answer that has begun.
type Source interface {
	snapshot() view
	// setDay moves the source to a day, counted from 1, and says what of the
	// service fails on that day.
	setDay(day int) ([]Fault, error)
}

// view is an unchanging reading of a source. What an iterator yields is valid
// until its next step only.
type view interface {
	partner() *Customer
	agreements() []Agreement
	customers() iter.Seq[*Customer]
	programs(c *Customer) []ProgramAgreement
	// tenants lists one agreement's tenants, or all for an empty id.
	tenants(agreementID string) iter.Seq[*Tenant]
	subscriptions(t *Tenant) iter.Seq[*Subscription]
	tenant(id string) (*Tenant, bool)
	subscription(id string) (*Subscription, *Tenant, bool)
	today() time.Time
}

// agreementByID finds a contract agreement of v by its id in any letter case.
func agreementByID(v view, id string) (*Agreement, bool) {
	list := v.agreements()
	for i := range list {
		if strings.EqualFold(list[i].ID, id) {
			return &list[i], true
		}
	}
	return nil, false
}

// products is the agreement's price list, retired products included.
func (a *Agreement) products() []Product {
	if a.Products != nil {
		return a.Products
	}
	return catalogue
}

func lower(s string) string { return strings.ToLower(s) }
