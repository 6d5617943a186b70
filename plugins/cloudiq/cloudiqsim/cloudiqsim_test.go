// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// client speaks to a simulator.
type client struct {
	t     *testing.T
	sim   *simulator.HTTP
	token string
}

func newClient(t *testing.T, o Options) *client {
	t.Helper()
	sim, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c := &client{t: t, sim: sim}
	status, body := c.ask(credentials())
	var answer struct{ AccessToken, TokenType string }
	if json.Unmarshal(body, &answer) != nil || status != http.StatusOK || answer.TokenType != "Bearer" {
		t.Fatalf("the token is answered %d %s", status, body)
	}
	c.token = answer.AccessToken
	return c
}

// credentials are a client and a form that are accepted.
func credentials() (id, secret string, form url.Values) {
	return clientID, clientSecret, url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}, "scope": {scope}}
}

// ask asks for a token.
func (c *client) ask(id, secret string, form url.Values) (int, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.sim.URL()+"/api/v1/connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	return c.do(r)
}

func (c *client) do(r *http.Request) (int, []byte) {
	c.t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, body
}

// get reads what is below /api/v1.
func (c *client) get(path string) (int, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.sim.URL()+"/api/v1"+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.do(r)
}

// envelope is a page of a list.
type envelope struct {
	Items     []map[string]any
	TotalHits int
}

func (c *client) page(path string) envelope {
	c.t.Helper()
	status, body := c.get(path)
	var p envelope
	if err := json.Unmarshal(body, &p); err != nil || status != http.StatusOK {
		c.t.Fatalf("%s is answered %d %s", path, status, body)
	}
	return p
}

func TestTokensAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, Options{})
	for name, edit := range map[string]func(id, secret *string, form url.Values){
		"another client":   func(id, _ *string, _ url.Values) { *id = "somebody" },
		"another secret":   func(_, secret *string, _ url.Values) { *secret = "else" },
		"an escape":        func(_, secret *string, _ url.Values) { *secret = url.QueryEscape(clientSecret) },
		"another user":     func(_, _ *string, form url.Values) { form.Set("username", "nobody") },
		"another password": func(_, _ *string, form url.Values) { form.Set("password", "none") },
		"another grant":    func(_, _ *string, form url.Values) { form.Set("grant_type", "client_credentials") },
		"no scope":         func(_, _ *string, form url.Values) { form.Del("scope") },
		"a client twice":   func(_, _ *string, form url.Values) { form.Set("client_id", clientID) },
	} {
		id, secret, form := credentials()
		edit(&id, &secret, form)
		if status, body := c.ask(id, secret, form); status != http.StatusBadRequest || strings.Contains(string(body), "Bearer") {
			t.Errorf("%s is answered %d %s", name, status, body)
		}
	}
	c.token = "made up"
	if status, _ := c.get("/me/"); status != http.StatusUnauthorized {
		t.Errorf("a token that was never given is answered %d", status)
	}
	if status, _ := c.get("/ping/"); status != http.StatusOK {
		t.Errorf("ping is answered %d", status)
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	c := newClient(t, Options{})
	seen := map[string]bool{}
	for number := 1; ; number++ {
		p := c.page(fmt.Sprintf("/subscriptions/?organizationId=3869&statuses=511&page=%d&pageSize=100", number))
		if p.TotalHits != few*3/4 {
			t.Fatalf("page %d announces %d", number, p.TotalHits)
		}
		for _, s := range p.Items {
			seen[fmt.Sprint(s["Id"])] = true
		}
		if len(p.Items) == 0 {
			break
		}
	}
	if len(seen) != few*3/4 {
		t.Errorf("%d subscriptions came", len(seen))
	}
	if p := c.page("/customertenants/"); len(p.Items) != 50 || p.TotalHits != few/each {
		t.Errorf("without a size %d of %d tenants come", len(p.Items), p.TotalHits)
	}
	if p := c.page("/subscriptions/?statuses=511&customerTenantId=487"); p.TotalHits != each {
		t.Errorf("a tenant holds %d", p.TotalHits)
	}
	if p := c.page("/subscriptions/?statuses=511&customerTenantId=487&organizationId=3870"); p.TotalHits != 0 {
		t.Errorf("a tenant of another organisation holds %d", p.TotalHits)
	}
	all, old, unasked := c.page("/subscriptions/?statuses=511"), c.page("/subscriptions/?statuses=31"), c.page("/subscriptions/")
	if all.TotalHits != few || old.TotalHits >= few || old.TotalHits == 0 || unasked.TotalHits != old.TotalHits {
		t.Errorf("of %d subscriptions %d have an old status; without a filter %d come", all.TotalHits, old.TotalHits, unasked.TotalHits)
	}
	for path, want := range map[string]int{
		"/subscriptions/?isTrial=true": http.StatusNotImplemented, "/subscriptions/?sortBy=Name": http.StatusNotImplemented,
		"/subscriptions/?sortBy=CreationDate": http.StatusOK, "/subscriptions/?page=0": http.StatusBadRequest,
		"/subscriptions/?pageSize=x": http.StatusBadRequest, "/products/": http.StatusNotFound,
	} {
		if status, body := c.get(path); status != want {
			t.Errorf("%s is answered %d %s, want %d", path, status, body, want)
		}
	}
}

func TestDetailsAgreeWithTheList(t *testing.T) {
	t.Parallel()
	c := newClient(t, Options{})
	listed := c.page("/subscriptions/?statuses=511&pageSize=1").Items[0]
	addon := listed["Subscriptions"].([]any)[0].(map[string]any)
	for _, of := range []map[string]any{listed, addon} {
		status, body := c.get(fmt.Sprintf("/subscriptions/%v/", of["Id"]))
		var details map[string]any
		if err := json.Unmarshal(body, &details); err != nil || status != http.StatusOK {
			t.Fatalf("%v is answered %d %s", of["Id"], status, body)
		}
		for _, name := range []string{"Id", "PublisherSubscriptionId", "Name", "Quantity"} {
			if details[name] != of[name] {
				t.Errorf("%s is %v in the simulator.List and %v in the details", name, of[name], details[name])
			}
		}
		if details["Pricing"] == nil || listed["Pricing"] != nil {
			t.Error("the prices are not told by the details alone")
		}
	}
	for _, path := range []string{"/subscriptions/1/", "/subscriptions/100003/", "/subscriptions/x/", "/customertenants/1/detailed/"} {
		if status, _ := c.get(path); status != http.StatusNotFound {
			t.Errorf("%s is answered %d", path, status)
		}
	}
}

func TestAMillionCostsNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t, Options{})
	began := time.Now()
	if err := c.sim.Resize(t.Context(), 1_000_000); err != nil {
		t.Fatal(err)
	}
	p := c.page("/subscriptions/?organizationId=3870&statuses=511&pageSize=1000&page=250")
	if p.TotalHits != 250_000 || len(p.Items) != 1000 || p.Items[999]["Id"] != float64(firstSubscription+apart*999_999) {
		t.Errorf("the last page has %d of %d, and ends with %v", len(p.Items), p.TotalHits, p.Items[len(p.Items)-1]["Id"])
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
