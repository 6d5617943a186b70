// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/sdk"
)

// knownCustomer is what a run holds of every distributor customer that the database knows: enough to tell whether a listed
// one is unchanged, and where its subscriptions belong. The rows are read only of those that need more.
type knownCustomer struct {
	id, print int64
	// customer is the customer it is mapped to, placed the one its subscriptions were last put on; zero: none.
	customer, placed int64
	gone             bool
	// listed: the listing had it.
	listed bool
}

// loadKnown reads what is known, or reads it again: people map customers while a listing is read.
func (r *run) loadKnown(ctx context.Context) error {
	p := &r.planned
	if p.known == nil {
		p.known = map[string]knownCustomer{}
	}
	return r.store.ScanDistributorCustomers(ctx, r.module.ID, func(row store.KnownCustomer) {
		p.known[row.RefKey] = knownCustomer{
			id: row.ID, print: row.Fingerprint, customer: row.CustomerID, placed: row.PlacedCustomerID, gone: row.Gone,
			listed: p.known[row.RefKey].listed,
		}
	})
}

// quiet reports whether nothing is to be done about a customer that is listed like this: it is mapped, and the distributor
// says the same as before.
func (r *run) quiet(known knownCustomer, told *sdk.Customer) bool {
	if known.customer == 0 || known.gone || r.followsAddresses() {
		return false
	}
	print, _ := customerPrint(told)
	return print == known.print
}

// customerPrint gives the fingerprint of what a distributor says about a customer, and the part of it that is stored as JSON.
func customerPrint(told *sdk.Customer) (int64, json.RawMessage) {
	record := jsonText(customerRecord(told))
	text := strings.Join([]string{
		told.Ref, told.Name, lifecycleName(told.Lifecycle), strconv.FormatBool(told.IsPartner), string(record),
	}, "\x00")
	return int64(hashKey(text)), record
}

// owner gives what happens with a distributor customer; nil if nobody knows it.
func (p *plan) owner(key string) *customerStep {
	if step := p.byKey[key]; step != nil {
		return step
	}
	if known, ok := p.known[key]; ok {
		return &customerStep{key: key, customer: known.customer, name: p.titles[key]}
	}
	return nil
}

// nameOwners finds out what people call some distributor customers, if somebody wants to see the plan.
func (r *run) nameOwners(ctx context.Context, keys ...string) error {
	p := &r.planned
	if r.req.Planned == nil {
		return nil
	}
	var unnamed []string
	for _, key := range keys {
		if _, named := p.titles[key]; !named && p.known[key].id != 0 {
			unnamed = append(unnamed, key)
		}
	}
	titles, err := r.store.DistributorCustomerTitles(ctx, r.module.ID, unnamed)
	for key, title := range titles {
		p.titles[key] = title
		if step := p.byKey[key]; step != nil && step.mapAs == "" {
			step.name = title
		}
	}
	return err
}
