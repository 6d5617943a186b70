// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// catalogue is Pax8's products by their id in lower case.
type catalogue map[string]product

// product is what only the product tells of a subscription.
type product struct{ name, vendor, sku, vendorSKU string }

// The catalogue is held in memory. These bound it, in products and in bytes of what is kept of them; Pax8 has some thousands.
const (
	maxProducts  = 200_000
	maxCatalogue = 128 << 20
)

// readCatalogue reads the products, some thousands. Without them subscriptions lack vendors and SKUs and are whole otherwise,
// so a failure is told and is none of the listing, unless the listing must fail for the same reason. A catalogue that does not
// end is such a failure, and nothing of it is used.
func (c *connection) readCatalogue(ctx context.Context, s scope, found *problems) (catalogue, error) {
	if !c.settings.FetchProducts {
		return nil, nil
	}
	all := catalogue{}
	var (
		ignored    problems
		came, kept int
	)
	_, err := c.read(ctx, products, s, &ignored, func(o rest.Object) error {
		id, p := strings.ToLower(word(o, "id")), product{
			name: word(o, "name"), vendor: word(o, "vendorName"), sku: word(o, "sku"), vendorSKU: word(o, "vendorSku"),
		}
		came++
		kept += len(id) + len(p.name) + len(p.vendor) + len(p.sku) + len(p.vendorSKU)
		if came > maxProducts || kept > maxCatalogue {
			clear(all)
			return sdk.Errorf(sdk.ClassSchema, "the list of products goes on after %d of them; at most %d products and %d MiB of them are read",
				came-1, maxProducts, maxCatalogue>>20)
		}
		all[id] = p
		return nil
	})
	if err == nil {
		return all, nil
	}
	if class := sdk.ClassOf(err); ctx.Err() != nil || class == sdk.ClassAuth || class == sdk.ClassThrottled {
		return nil, err
	}
	found.doubt("products.failed", "vendors and SKUs are missing, because the products could not be read: %s", reason(err))
	return all, nil
}
