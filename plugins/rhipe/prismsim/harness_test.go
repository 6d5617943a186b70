// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// Ids of the small world most tests serve.
const (
	agreementID = "c0ffee00-1a2b-e811-8130-000d3a500001"
	splaID      = "c0ffee00-1a2b-e811-8130-000d3a500002"
	partnerID   = "11111111-2222-e711-8100-000d3a660001"
	fabrikamID  = "5b0c1f7e-1c2d-e811-8130-000d3a6600a1"
	contosoID   = "6c1d2f8f-2d3e-e811-8130-000d3a6600a2"
	goneID      = "7d2e3090-3e4f-e811-8130-000d3a6600a3"
	fabrikamTen = "7c9d2a10-4e5f-e911-a2c4-000d3ad00101"
	contosoTen  = "9d1e3b20-5f60-e911-a2c4-000d3ad00102"
	emptyTen    = "ae2f4c30-6071-e911-a2c4-000d3ad00103"
	bareTen     = "bf305d40-7182-e911-a2c4-000d3ad00104"
	premiumSub  = "e2f1d7aa-90c4-ec11-b656-000d3ad10001"
	audioAddon  = "e2f1d7aa-90c4-ec11-b656-000d3ad10003"
	exchangeSub = "e2f1d7aa-90c4-ec11-b656-000d3ad10004"
	azureSub    = "4b6a9c00-7bc1-ea11-a812-000d3ad10002"
	azureOldSub = "4b6a9c00-7bc1-ea11-a812-000d3ad10005"
	backupSub   = "4b6a9c00-7bc1-ea11-a812-000d3ad10006"
	endedSub    = "4b6a9c00-7bc1-ea11-a812-000d3ad10007"
	unknownID   = "00000000-0000-e811-8130-00000000dead"
)

// smallWorld has one of everything the service was seen to send.
func smallWorld() *prismsim.World {
	w := prismsim.NewWorld(prismsim.Customer{ID: partnerID, Name: "Example MSP", Email: "it@msp.example"})
	start := time.Date(2019, time.March, 1, 0, 0, 0, 0, time.UTC)
	w.AddAgreement(prismsim.Agreement{ID: agreementID, Reference: "1234567", Start: start})
	w.AddAgreement(prismsim.Agreement{ID: splaID, ProgramName: "Microsoft SPLA", Start: start, Reported: true})
	w.AddCustomer(prismsim.Customer{
		ID: fabrikamID, Name: "Fabrikam Pty Ltd", Email: "accounts@fabrikam.example", NotificationEmail: "it@fabrikam.example",
		RegistrationNumber: "12345678901", WebURL: "https://fabrikam.example", Phone: "+61 3 7010 0000",
		Address: prismsim.Address{Street1: "Level 4, 12 Example Street", City: "Melbourne", State: "VIC", Postcode: "3000", Country: "Australia", CountryISOCode: "AU"},
		Billing: prismsim.Address{Street1: "PO Box 45", City: "Melbourne", State: "VIC", Postcode: "3001", Country: "Australia", CountryISOCode: "AU"},
	})
	w.AddCustomer(prismsim.Customer{ID: contosoID, Name: "Contoso Démo Ltd"})
	w.AddCustomer(prismsim.Customer{ID: goneID, Name: "Gone Pty Ltd", Deactivated: true})
	products := prismsim.Catalogue()
	of := func(name, id string, quantity int64, first string, change func(*prismsim.Subscription)) prismsim.Subscription {
		for i := range products {
			if products[i].Name == name {
				s := products[i].Of(id, quantity)
				s.FirstPurchased, _ = time.Parse(time.RFC3339Nano, first)
				if change != nil {
					change(&s)
				}
				return s
			}
		}
		panic(name)
	}
	w.AddTenant(prismsim.Tenant{ID: fabrikamTen, AgreementID: agreementID, CustomerID: fabrikamID, Domain: "fabrikam.onmicrosoft.example", Subscriptions: []prismsim.Subscription{
		of("Microsoft 365 Business Premium (NCE)", premiumSub, 25, "2022-03-14T02:11:45.1234567Z", func(s *prismsim.Subscription) {
			s.Addons = []prismsim.Subscription{of("Audio Conferencing (NCE)", audioAddon, 5, "2022-03-14T02:11:45Z", nil)}
			s.TermDuration, s.CommitmentEnd, s.AutoRenew = "P1Y", time.Date(2026, time.March, 13, 0, 0, 0, 0, time.UTC), true
		}),
		of("Exchange Online (Plan 1)", exchangeSub, 3, "2021-05-01T10:00:00.25Z", func(s *prismsim.Subscription) { s.Status = prismsim.StatusSuspended }),
		of("Azure plan", azureSub, 1, "2020-07-02T23:05:10Z", nil),
		of("Microsoft Azure", azureOldSub, 1, "2018-07-02T23:05:10Z", nil),
	}})
	w.AddTenant(prismsim.Tenant{ID: contosoTen, AgreementID: agreementID, CustomerID: contosoID, Domain: "contoso-demo.onmicrosoft.example", Subscriptions: []prismsim.Subscription{
		of("Cloud Backup per User", backupSub, 12, "2023-01-01T00:00:00Z", nil),
		of("Visio Pro for Office 365", endedSub, 2, "2017-01-01T00:00:00Z", func(s *prismsim.Subscription) { s.Status = "Cancelled" }),
	}})
	w.AddTenant(prismsim.Tenant{ID: emptyTen, AgreementID: agreementID, CustomerID: contosoID, Domain: "empty.onmicrosoft.example", NullSubscriptions: true})
	w.AddTenant(prismsim.Tenant{ID: bareTen, AgreementID: agreementID, CustomerID: contosoID, Domain: "bare.onmicrosoft.example"})
	return w
}

// client calls a simulator as a client of PRISM does.
type client struct {
	t     *testing.T
	s     *prismsim.Server
	token string
}

func start(t *testing.T, options ...prismsim.Option) *client {
	t.Helper()
	return startWith(t, smallWorld(), options...)
}

func startWith(t *testing.T, source prismsim.Source, options ...prismsim.Option) *client {
	t.Helper()
	return &client{t: t, s: prismsim.StartFor(t, source, options...)}
}

// transport keeps no connection, so that nothing of a spoilt answer stays.
var transport = &http.Transport{DisableKeepAlives: true}

// answer is what a client sees of an answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

func send(request *http.Request) (*answer, error) {
	c := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	a := &answer{status: response.StatusCode, header: response.Header}
	a.body, a.err = io.ReadAll(response.Body)
	return a, nil
}

func tokenForm() url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {prismsim.DemoClientID},
		"client_secret": {prismsim.DemoClientSecret}, "scope": {prismsim.Scope},
	}
}

func (c *client) postForm(form url.Values, change func(*http.Request)) *answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(r)
	}
	a, err := send(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) logIn() string {
	c.t.Helper()
	a := c.postForm(tokenForm(), nil)
	if a.status != http.StatusOK {
		c.t.Fatalf("token: %d %s", a.status, a.body)
	}
	var t struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(a.body, &t); err != nil || t.AccessToken == "" {
		c.t.Fatalf("token: %v in %s", err, a.body)
	}
	return t.AccessToken
}

// try makes a call with a token and gives the error of the transport, if any.
func (c *client) try(method, path, body string) (*answer, error) {
	c.t.Helper()
	if c.token == "" {
		c.token = c.logIn()
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.s.APIURL()+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	return send(r)
}

func (c *client) call(method, path, body string) *answer {
	c.t.Helper()
	a, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (c *client) get(path string) *answer { c.t.Helper(); return c.call(http.MethodGet, path, "") }

// good is the body of a call that must succeed.
func (c *client) good(method, path, body string) []byte {
	c.t.Helper()
	a := c.call(method, path, body)
	if a.status != http.StatusOK || a.err != nil {
		c.t.Fatalf("%s %s: %d, %v, %s", method, path, a.status, a.err, a.body)
	}
	return a.body
}

// read is the answer to a call that must succeed, decoded with its numbers as
// they were sent.
func (c *client) read(path string) any { c.t.Helper(); return decode(c.t, c.good("GET", path, "")) }

func (c *client) list(path string) []any {
	c.t.Helper()
	list, ok := c.read(path).([]any)
	if !ok {
		c.t.Fatalf("%s is no array", path)
	}
	return list
}

func decode(t *testing.T, body []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode: %v in %s", err, body)
	}
	if d.More() {
		t.Fatalf("more than one value in %s", body)
	}
	return v
}

// dig follows names and indices down a decoded answer.
func dig(t *testing.T, v any, steps ...any) any {
	t.Helper()
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			object, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%q of %v, which is no object", step, v)
			}
			v, ok = object[step]
			if !ok {
				t.Fatalf("no %q in %v", step, object)
			}
		case int:
			list, ok := v.([]any)
			if !ok || step >= len(list) {
				t.Fatalf("no element %d in %v", step, v)
			}
			v = list[step]
		}
	}
	return v
}

const (
	customersPath = "/api/v1/me/customers"
	tenantsPath   = "/api/v2/contractagreements/" + agreementID + "/tenants"
	detailsPath   = "/api/v2/microsoftcsp/tenants/" + fabrikamTen
	pricesPath    = "/api/v2/me/pricing/" + agreementID + "/pricelist/2025/3/14/"
	summaryPath   = "/api/v2/microsoftcsp/azure/usage/summary/" + azureSub
	rowsPath      = "/api/v2/microsoftcsp/azure/usage/detailed"
	oldRowsPath   = "/api/v2/microsoftcsp/azure/detailed/" + azureOldSub
	invoicesPath  = "/api/v2/invoices"
	oneDay        = "?startDate=2025-02-01T00:00:00%2B0000&endDate=2025-02-01T23:59:59%2B0000"
	oneDayBody    = `"startDate":"2025-02-01T00:00:00+0000","endDate":"2025-02-01T23:59:59+0000"`
	oneDayRows    = `{"subscriptionId":"` + azureSub + `",` + oneDayBody + `,"page":1,"pageSize":500}`
)
