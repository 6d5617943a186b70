// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// leaf is a value that holds no other: a text, a number, a boolean, null, or an
// empty list or object. The value is as it was sent, texts in quotes.
type leaf struct{ doc, path, value string }

// name is the property the leaf is the value of.
func (l leaf) name() string {
	name := l.path[strings.LastIndexByte(l.path, '.')+1:]
	name, _, _ = strings.Cut(name, "[")
	return name
}

// leaves takes a JSON answer apart, in its order.
func leaves(t *testing.T, doc string, body []byte) []leaf {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	d.UseNumber()
	var list []leaf
	var walk func(path string)
	next := func() json.Token {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v in %s", doc, err, body)
		}
		return token
	}
	walk = func(path string) {
		switch token := next().(type) {
		case json.Delim:
			n := 0
			for ; d.More(); n++ {
				if token == '{' {
					walk(path + "." + next().(string))
				} else {
					walk(path + "[" + strconv.Itoa(n) + "]")
				}
			}
			if end := next(); n == 0 {
				list = append(list, leaf{doc, path, fmt.Sprintf("%v%v", token, end)})
			}
		case string:
			list = append(list, leaf{doc, path, strconv.Quote(token)})
		case nil:
			list = append(list, leaf{doc, path, "null"})
		default:
			list = append(list, leaf{doc, path, fmt.Sprint(token)})
		}
	}
	walk("")
	if d.More() {
		t.Fatalf("%s: more than one value", doc)
	}
	return list
}

// reads are calls that together see every form of record the service sends.
var reads = []struct{ doc, method, path, body string }{
	{"me", "GET", "/api/v1/me", ""},
	{"customers", "GET", customersPath + "?includeDeactivatedCustomers=true", ""},
	{"tenants", "GET", tenantsPath, ""},
	{"all_tenants", "GET", "/api/v2/microsoftcsp/tenants", ""},
	{"tenant_details", "GET", detailsPath, ""},
	{"csp_subscription", "GET", "/api/v2/microsoftcsp/subscriptions/" + premiumSub, ""},
	{"consumption_subscription", "GET", "/api/v2/consumption/subscriptions/" + audioAddon, ""},
	{"available_products", "GET", detailsPath + "/products/available", ""},
	{"price_list", "GET", pricesPath, ""},
	{"usage_summary", "GET", summaryPath + oneDay, ""},
	{"usage_rows", "POST", rowsPath, oneDayRows},
	{"usage_rows_old", "POST", oldRowsPath, "{" + oneDayBody + "}"},
	{"invoices", "GET", invoicesPath, ""},
}

// lists are the docs of reads that may come in an envelope.
var lists = map[string]bool{"customers": true, "tenants": true, "all_tenants": true}

// everything reads all docs.
func (c *client) everything() []leaf {
	c.t.Helper()
	var all []leaf
	for _, r := range reads {
		all = append(all, leaves(c.t, r.doc, c.good(r.method, r.path, r.body))...)
	}
	return all
}

// lines makes leaves comparable.
func lines(list []leaf) []string {
	text := make([]string, len(list))
	for i, l := range list {
		text[i] = l.doc + l.path + " = " + l.value
	}
	return text
}
