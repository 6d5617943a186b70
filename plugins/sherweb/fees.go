// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// fees are what a subscription costs the customer. Absent where Sherweb has no catalogue item for it.
type fees struct{ recurring, setup sdk.Money }

// currencies are the values of Sherweb's enumeration, in ISO 4217. "Undefined" is no currency.
var currencies = map[string]string{"cad": "CAD", "usd": "USD", "eur": "EUR", "gbp": "GBP", "undefined": "", "": ""}

// decodeFees reads the member fees, which is null where there is no price. An amount that is no number, or a currency that
// is not known, is left out and remarked.
func decodeFees(v rest.Value, found *remarks) fees {
	o := v.Object()
	word := strings.TrimSpace(o.Text("currency"))
	currency, known := currencies[strings.ToLower(word)]
	if !known {
		found.doubt("price.unknown_currency", "the currency %q is not known; prices in it are kept without currency", word)
	}
	amount := func(name string) sdk.Money {
		d, err := o.Get(name).Decimal()
		if err != nil {
			found.doubt("price.undecodable", "the %s of a subscription is no amount: %v", name, err)
		}
		if d.IsAbsent() {
			return sdk.Money{}
		}
		return sdk.Money{Amount: d, Currency: currency}
	}
	return fees{recurring: amount("recurringFee"), setup: amount("setupFee")}
}

// moneyText is an amount for people: "25 USD".
func moneyText(m sdk.Money) string { return strings.TrimSpace(m.Amount.String() + " " + m.Currency) }
