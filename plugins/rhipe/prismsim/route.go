// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"net/http"
	"strings"
)

// Endpoint names one endpoint of the service.
type Endpoint string

// The endpoints. The last three write.
const (
	Token                   Endpoint = "token"
	Me                      Endpoint = "me"
	Customers               Endpoint = "customers"
	Tenants                 Endpoint = "tenants"
	AllTenants              Endpoint = "all_tenants"
	TenantDetails           Endpoint = "tenant_details"
	CSPSubscription         Endpoint = "csp_subscription"
	ConsumptionSubscription Endpoint = "consumption_subscription"
	AvailableProducts       Endpoint = "available_products"
	PriceList               Endpoint = "price_list"
	UsageSummary            Endpoint = "usage_summary"
	UsageRows               Endpoint = "usage_rows"
	UsageRowsOld            Endpoint = "usage_rows_old"
	Invoices                Endpoint = "invoices"
	InvoiceCSV              Endpoint = "invoice_csv"

	CreateCustomer Endpoint = "create_customer"
	Order          Endpoint = "order"
	ChangeQuantity Endpoint = "change_quantity"
)

// TokenPath is the path of the token endpoint.
const TokenPath = "/core/connect/token"

type route struct {
	endpoint Endpoint
	method   string
	path     []string // a segment of one star stands for any
	write    bool
	serve    func(*call)
}

var routes []route

func init() {
	for _, r := range []struct {
		endpoint     Endpoint
		method, path string
		write        bool
		serve        func(*call)
	}{
		{Token, "POST", TokenPath, false, (*call).token},
		{Me, "GET", "api/v1/me", false, (*call).me},
		{Customers, "GET", "api/v1/me/customers", false, (*call).customers},
		{Tenants, "GET", "api/v2/contractagreements/*/tenants", false, (*call).tenants},
		{AllTenants, "GET", "api/v2/microsoftcsp/tenants", false, (*call).allTenants},
		{TenantDetails, "GET", "api/v2/microsoftcsp/tenants/*", false, (*call).tenantDetails},
		{CSPSubscription, "GET", "api/v2/microsoftcsp/subscriptions/*", false, (*call).oneSubscription},
		{ConsumptionSubscription, "GET", "api/v2/consumption/subscriptions/*", false, (*call).oneSubscription},
		{AvailableProducts, "GET", "api/v2/microsoftcsp/tenants/*/products/available", false, (*call).availableProducts},
		{PriceList, "GET", "api/v2/me/pricing/*/pricelist/*/*/*", false, (*call).priceList},
		{UsageSummary, "GET", "api/v2/microsoftcsp/azure/usage/summary/*", false, (*call).usageSummary},
		{UsageRows, "POST", "api/v2/microsoftcsp/azure/usage/detailed", false, (*call).usageRows},
		{UsageRowsOld, "POST", "api/v2/microsoftcsp/azure/detailed/*", false, (*call).usageRowsOld},
		{Invoices, "GET", "api/v2/invoices", false, (*call).invoices},
		{InvoiceCSV, "GET", "api/v1/me/invoice/*/csv", false, (*call).invoiceCSV},
		{CreateCustomer, "POST", "api/v2/customers", true, (*call).createCustomer},
		{Order, "POST", "api/v2/microsoftcsp/orders", true, (*call).order},
		{ChangeQuantity, "POST", "api/v2/microsoftcsp/subscriptions/*/quantity/*", true, (*call).changeQuantity},
	} {
		routes = append(routes, route{r.endpoint, r.method, segments(r.path), r.write, r.serve})
	}
}

func endpointKnown(e Endpoint) bool {
	for i := range routes {
		if routes[i].endpoint == e {
			return true
		}
	}
	return false
}

// segments splits a path; doubled and trailing slashes do not count.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// findRoute finds the route of a path in any letter case. Where the path is
// known and the method is not, it returns the method that is allowed.
func findRoute(method, path string) (found *route, args []string, allow string) {
	segs := segments(path)
	for i := range routes {
		a, ok := match(routes[i].path, segs)
		if !ok {
			continue
		}
		if routes[i].method == method || routes[i].method == http.MethodGet && method == http.MethodHead {
			return &routes[i], a, ""
		}
		allow = routes[i].method
	}
	return nil, nil, allow
}

func match(pattern, segs []string) (args []string, ok bool) {
	if len(pattern) != len(segs) {
		return nil, false
	}
	for i, p := range pattern {
		if p == "*" {
			args = append(args, segs[i])
		} else if !strings.EqualFold(p, segs[i]) {
			return nil, false
		}
	}
	return args, true
}
