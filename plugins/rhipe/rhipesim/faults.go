// SPDX-License-Identifier: Apache-2.0

package rhipesim

import (
	"bytes"
	"net/http"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// faults gives the troubles every REST distributor has and those of PRISM: its lists are not paged but nested, and one
// contract agreement can fail where the other does not. Customers are found in their tenants too, so an agreement that
// cannot be read leaves the customers in doubt as well.
func faults(agreement string) []simulator.HTTPFault {
	tenants := simulator.Path("GET /api/v2/contractagreements/{id}/tenants")
	one := simulator.Path("GET /api/v2/contractagreements/" + agreement + "/tenants")
	first := func(old, text string) simulator.Spoil {
		return simulator.Rewrite(func(body []byte) []byte { return bytes.Replace(body, []byte(old), []byte(text), 1) })
	}
	list := simulator.RESTFaults(simulator.Requests{
		Token:     simulator.Path("POST " + prismsim.TokenPath),
		Customers: simulator.Path("GET /api/v1/me/customers"), Subscriptions: tenants, CustomersFirst: true,
	})
	return append(list,
		partly("agreement.failing", "one contract agreement is answered 500", one,
			simulator.Status(http.StatusInternalServerError, `{"Message":"An error has occurred."}`)),
		partly("agreement.refused", "one contract agreement is answered 403", one,
			simulator.Status(http.StatusForbidden, `{"Message":"Authorization has been denied for this request."}`)),
		partly("agreement.cut", "one contract agreement breaks off half way", one, simulator.CutCleanly()),
		partly("agreement.null", "one contract agreement is answered null", one, simulator.Status(http.StatusOK, "null")),
		simulator.HTTPFault{
			Fault: simulator.Fault{
				Name: "subscription.no-quantity", Help: "a quantity is a text that is no number",
				Customers: simulator.Complete, Subscriptions: simulator.Partly,
			},
			On: one, Spoil: first(`"Quantity":`, `"Quantity":"some","Was":`),
		},
		simulator.HTTPFault{
			Fault: simulator.Fault{
				Name: "subscription.status-unknown", Help: "a status is a word nobody knows",
				Customers: simulator.Complete, Subscriptions: simulator.Complete,
			},
			On: one, Spoil: first(`"Active"`, `"Daydreaming"`),
		},
	)
}

func partly(name, help string, on simulator.Match, spoil simulator.Spoil) simulator.HTTPFault {
	return simulator.HTTPFault{
		Fault: simulator.Fault{Name: name, Help: help, Customers: simulator.Incomplete, Subscriptions: simulator.Partly},
		On:    on, Spoil: spoil,
	}
}
