// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"net/http"
	"testing"
)

func TestAClientReadsItsWay(t *testing.T) {
	t.Parallel()
	c := start(t)
	if n := len(c.list(customersPath)); n != 3 {
		t.Errorf("%d customers, want the partner and two active ones", n)
	}
	tenants := c.list(tenantsPath)
	if len(tenants) != 4 {
		t.Fatalf("%d tenants, want 4", len(tenants))
	}
	if name := dig(t, tenants, 0, "Subscriptions", 0, "ProductName"); name != "Microsoft 365 Business Premium (NCE)" {
		t.Errorf("the first subscription is of %v", name)
	}
	if w := c.s.Writes(); len(w) != 0 {
		t.Errorf("reading was taken for writing: %v", w)
	}
	if a := c.get("/api/v1/nothing"); a.status != http.StatusNotFound {
		t.Errorf("an unknown path is answered with %d", a.status)
	}
}
