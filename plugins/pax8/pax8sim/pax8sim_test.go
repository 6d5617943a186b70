// SPDX-License-Identifier: Apache-2.0

package pax8sim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// client speaks to a simulator as the documentation says.
type client struct {
	t     *testing.T
	sim   *simulator.HTTP
	token string
}

func newClient(t *testing.T, o pax8sim.Options) *client {
	t.Helper()
	sim, err := pax8sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c := &client{t: t, sim: sim}
	c.signIn()
	return c
}

func (c *client) signIn() {
	c.t.Helper()
	s := c.sim.Settings()
	body := fmt.Sprintf(`{"client_id":%q,"client_secret":%q,"audience":"https://api.pax8.com","grant_type":"client_credentials"}`,
		s["client_id"], s["client_secret"])
	status, answer := c.post(body)
	var token struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		TokenType   string  `json:"token_type"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || status != http.StatusOK || token.ExpiresIn != 86400 || token.TokenType != "Bearer" {
		c.t.Fatalf("the token: %d %s", status, answer)
	}
	c.token = token.AccessToken
}

func (c *client) post(body string) (int, string) {
	c.t.Helper()
	return c.do(http.MethodPost, "/v1/token", body)
}

func (c *client) do(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.sim.URL()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

type paged struct {
	Content []struct {
		ID          string `json:"id"`
		CompanyID   string `json:"companyId"`
		CreatedDate string `json:"createdDate"`
	} `json:"content"`
	Page struct{ Size, TotalElements, TotalPages, Number int } `json:"page"`
}

func (c *client) page(path string) paged {
	c.t.Helper()
	status, text := c.do(http.MethodGet, path, "")
	var p paged
	if err := json.Unmarshal([]byte(text), &p); err != nil || status != http.StatusOK {
		c.t.Fatalf("%s: %d %v\n%.500s", path, status, err, text)
	}
	return p
}

func TestPagesAreCountedFromZeroAndAsLongAsDescribed(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	for _, test := range []struct {
		path                              string
		content, size, total, pages, page int
	}{
		{"/v1/subscriptions", 10, 10, 1050, 105, 0},
		{"/v1/subscriptions?page=1&size=100", 100, 100, 1050, 11, 1},
		{"/v1/subscriptions?page=10&size=100", 50, 100, 1050, 11, 10},
		{"/v1/subscriptions?page=11&size=100", 0, 100, 1050, 11, 11},
		{"/v1/subscriptions?size=1000", 200, 200, 1050, 6, 0},
		{"/v1/companies?size=200&page=1&sort=name,asc", 10, 200, 210, 2, 1},
		{"/v1/products?size=200", 5, 200, 5, 1, 0},
	} {
		p := c.page(test.path)
		if len(p.Content) != test.content || p.Page.Size != test.size || p.Page.TotalElements != test.total ||
			p.Page.TotalPages != test.pages || p.Page.Number != test.page {
			t.Errorf("%s: %d elements, %+v", test.path, len(p.Content), p.Page)
		}
	}
}

func TestEverySubscriptionIsOnOnePageAndBelongsToACompany(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	companies, seen := map[string]int{}, map[string]bool{}
	for number := range 2 {
		for _, company := range c.page(fmt.Sprintf("/v1/companies?size=200&page=%d", number)).Content {
			companies[company.ID] = 0
		}
	}
	for number := range 6 {
		for _, s := range c.page(fmt.Sprintf("/v1/subscriptions?size=200&page=%d&sort=createdDate,asc", number)).Content {
			if _, known := companies[s.CompanyID]; !known || seen[s.ID] {
				t.Fatalf("%+v: its company is known %t, it came before %t", s, known, seen[s.ID])
			}
			seen[s.ID] = true
			companies[s.CompanyID]++
		}
	}
	if len(seen) != 1050 || len(companies) != 210 {
		t.Errorf("%d subscriptions of %d companies", len(seen), len(companies))
	}
	for id, n := range companies {
		if n != 5 {
			t.Errorf("company %s holds %d", id, n)
		}
	}
}

func TestTheListOfOneCompany(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]pax8sim.Options{
		"generated": {},
		"given": {
			Companies:     []string{`{"id":"c0000000-0000-4000-8000-000000000002"}`},
			Subscriptions: []string{`{"id":"a","companyId":"c0000000-0000-4000-8000-000000000002"}`, `{"id":"b","companyId":"other"}`},
		},
	} {
		c := newClient(t, o)
		want := map[string]int{"generated": 5, "given": 1}[name]
		p := c.page("/v1/subscriptions?size=200&companyId=c0000000-0000-4000-8000-000000000002")
		if len(p.Content) != want || p.Page.TotalElements != want || p.Content[0].CompanyID != "c0000000-0000-4000-8000-000000000002" {
			t.Errorf("%s: %+v", name, p)
		}
		if status, text := c.do(http.MethodGet, "/v1/subscriptions?companyId=nobody", ""); status != http.StatusForbidden || !strings.Contains(text, "Invalid companyId") {
			t.Errorf("%s: a company that is not there: %d %s", name, status, text)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	good := c.token
	for _, test := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/v1/subscriptions", "wrong", http.StatusUnauthorized},
		{"GET", "/v1/subscriptions", "", http.StatusUnauthorized},
		{"GET", "/v1/webhooks", good, http.StatusNotFound},
		{"GET", "/v2/quotes", good, http.StatusNotFound},
		{"POST", "/v1/companies", good, http.StatusMethodNotAllowed},
		{"DELETE", "/v1/subscriptions", good, http.StatusMethodNotAllowed},
		{"GET", "/v1/subscriptions?page=-1", good, http.StatusBadRequest},
		{"GET", "/v1/subscriptions?size=0", good, http.StatusBadRequest},
		{"GET", "/v1/subscriptions?status=Active", good, http.StatusNotImplemented},
		{"GET", "/v1/subscriptions?sort=price,asc", good, http.StatusNotImplemented},
		{"GET", "/v1/companies?companyId=x", good, http.StatusForbidden},
	} {
		c.token = test.token
		if status, _ := c.do(test.method, test.path, ""); status != test.want {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, status, test.want)
		}
	}
}

func TestATokenTakesAJSONBodyWithTheRightAudience(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	s := c.sim.Settings()
	body := func(id, secret, audience, grant any) string {
		text, err := json.Marshal(map[string]any{"client_id": id, "client_secret": secret, "audience": audience, "grant_type": grant})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const audience, grant = "https://api.pax8.com", "client_credentials"
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"all is right":         {body(s["client_id"], s["client_secret"], audience, grant), http.StatusOK},
		"a wrong secret":       {body(s["client_id"], "wrong", audience, grant), http.StatusUnauthorized},
		"a wrong id":           {body("wrong", s["client_secret"], audience, grant), http.StatusUnauthorized},
		"a vendor's audience":  {body(s["client_id"], s["client_secret"], "api://provisioning", grant), http.StatusUnauthorized},
		"no audience":          {body(s["client_id"], s["client_secret"], nil, grant), http.StatusUnauthorized},
		"another grant":        {body(s["client_id"], s["client_secret"], audience, "password"), http.StatusBadRequest},
		"a form, not a object": {"client_id=x&client_secret=y", http.StatusBadRequest},
	} {
		if status, text := c.post(test.body); status != test.want {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

func TestAMillionCostsNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	if err := c.sim.Resize(t.Context(), 1_000_000); err != nil {
		t.Fatal(err)
	}
	if p := c.page("/v1/subscriptions?size=200&page=4999"); p.Page.TotalElements != 1_000_000 || len(p.Content) != 200 {
		t.Errorf("%d elements, %+v", len(p.Content), p.Page)
	}
	if p := c.page("/v1/companies?size=200"); p.Page.TotalElements != 200_000 {
		t.Errorf("%+v", p.Page)
	}
	if err := c.sim.Resize(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if p := c.page("/v1/subscriptions"); p.Page.TotalElements != 1050 {
		t.Errorf("%+v", p.Page)
	}
}

func TestATokenThatIsRevokedNoLongerHolds(t *testing.T) {
	t.Parallel()
	c := newClient(t, pax8sim.Options{})
	if err := c.sim.Play(t.Context(), "token.revoked"); err != nil {
		t.Fatal(err)
	}
	c.page("/v1/subscriptions?page=0")
	if status, _ := c.do(http.MethodGet, "/v1/subscriptions?page=1", ""); status != http.StatusUnauthorized {
		t.Errorf("%d", status)
	}
	c.signIn()
	c.page("/v1/subscriptions?page=1")
}

// elements are the ids of a simulator.List, read page by page until as many came as the first page announces.
func (c *client) elements(path string) (ids []string, total int) {
	c.t.Helper()
	for number := range 12 {
		p := c.page(fmt.Sprintf("%s?size=200&page=%d", path, number))
		if number == 0 {
			total = p.Page.TotalElements
		}
		for _, e := range p.Content {
			ids = append(ids, e.ID)
		}
	}
	return ids, total
}

func TestPageFaultsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ came, distinct, announced int }{
		"":               {1050, 1050, 1050},
		"total.exact":    {1000, 1000, 1000},
		"total.one-more": {1001, 1001, 1001},
		"total.none":     {0, 0, 0},
		"total.grows":    {1051, 1051, 1050},
		"total.shifts":   {1051, 1050, 1050},
		"total.shrinks":  {1049, 1049, 1050},
		"total.too-high": {1050, 1050, 1051},
		"total.too-low":  {1050, 1050, 1049},
		"total.untold":   {1050, 1050, 0},
		"page.capped":    {600, 600, 1050},
		"page.default":   {120, 120, 1050},
		"page.empty":     {850, 850, 1050},
		"page.lacks":     {1049, 1049, 1050},
		"page.stuck":     {2400, 200, 1050},
	} {
		c := newClient(t, pax8sim.Options{})
		if err := c.sim.Play(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		ids, announced := c.elements("/v1/subscriptions")
		distinct := map[string]bool{}
		for _, id := range ids {
			distinct[id] = true
		}
		if len(ids) != want.came || len(distinct) != want.distinct || announced != want.announced {
			t.Errorf("%s: %d came, %d distinct, %d announced; want %+v", name, len(ids), len(distinct), announced, want)
		}
	}
}
