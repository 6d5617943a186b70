// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

const detailsPath = "/service-provider/v1/billing/subscriptions/details"

const priced = `[{"id":"` + first + `","productName":"Mail","description":"Mail","sku":"M1","quantity":7,"billingCycle":"yearly",
	"purchaseDate":"2023-11-21T20:27:05","fees":{"recurringFee":12,"setupFee":0,"currency":"Usd"},"commitmentTerm":null}]`

// The call for details tells no prices, the call for prices no quantity; together they are what the one call tells.
func TestTwoCallsTellWhatOneDoes(t *testing.T) {
	t.Parallel()
	sim := oneCustomer(t, priced)
	one := sdktest.Subscriptions(t, plugin(), sim.Settings())
	two := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "paths.subscriptions", detailsPath, "fetch_prices", true))
	if diff := cmp.Diff(one.Records, two.Records, sameDecimals); diff != "" || !two.Complete || len(one.Records) != 1 {
		t.Errorf("complete %t (-one call +two calls):\n%s", two.Complete, diff)
	}
	bare := sdktest.Subscriptions(t, plugin(), with(sim.Settings(), "paths.subscriptions", detailsPath))
	if item := bare.Records[0].Items[0]; !item.CustomerPrice.Amount.IsAbsent() || item.Quantity != sdk.Int(7) || !bare.Complete {
		t.Errorf("the details alone give %+v", bare.Records)
	}
}

func TestPricesThatCannotBeReadAreLeftUntold(t *testing.T) {
	t.Parallel()
	sim := oneCustomer(t, priced)
	settings := before(t, sim, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/pricing-information") {
			http.Error(w, "{}", http.StatusInternalServerError)
			return true
		}
		return false
	})
	got := sdktest.Subscriptions(t, plugin(), with(settings, "paths.subscriptions", detailsPath, "fetch_prices", true))
	if len(got.Records) != 1 || !got.Complete || !got.Records[0].Items[0].CustomerPrice.Amount.IsAbsent() ||
		len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], "prices.failed: ") {
		t.Errorf("%+v", got)
	}
}
