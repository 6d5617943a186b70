// SPDX-License-Identifier: Apache-2.0

package sherwebsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

const base = "/service-provider/v1"

// client asks a simulator with the credentials given.
type client struct {
	t          *testing.T
	sim        *simulator.HTTP
	key, token string
}

// newClient starts a simulator and gets a token for it.
func newClient(t *testing.T) *client {
	t.Helper()
	sim, err := sherwebsim.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c := &client{t: t, sim: sim, key: sherwebsim.SubscriptionKey}
	status, body := c.askToken(goodToken())
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	err = json.Unmarshal([]byte(body), &answer)
	if err != nil || status != http.StatusOK || answer.AccessToken == "" || answer.ExpiresIn <= 0 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	c.token = answer.AccessToken
	return c
}

// goodToken is a request for a token that is granted.
func goodToken() url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {"service-provider"},
		"client_id": {sherwebsim.ClientID}, "client_secret": {sherwebsim.ClientSecret},
	}
}

func (c *client) askToken(form url.Values) (status int, body string) {
	address := c.sim.URL() + "/auth/oidc/connect/token"
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(req)
}

func (c *client) get(path string) (status int, body string) {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.sim.URL()+path, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.key != "" {
		req.Header.Set("Ocp-Apim-Subscription-Key", c.key)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	return c.do(req)
}

func (c *client) do(req *http.Request) (status int, body string) {
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

// items gets a list.
func (c *client) items(path string) []map[string]any {
	c.t.Helper()
	status, body := c.get(path)
	var answer struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Items == nil {
		c.t.Fatalf("%s: %d %.200s: %v", path, status, body, err)
	}
	return answer.Items
}

func TestEveryCallWantsTheKeyAndAToken(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for name, test := range map[string]struct {
		key, token, says string
	}{
		"no key":      {"", c.token, "missing subscription key"},
		"a wrong key": {"0000", c.token, "invalid subscription key"},
		"no token":    {c.key, "", ""},
		"a bad token": {c.key, c.token + "x", ""},
	} {
		wrong := &client{t: t, sim: c.sim, key: test.key, token: test.token}
		for _, path := range []string{base + "/customers", base + "/billing/subscriptions?customerId=x"} {
			if status, body := wrong.get(path); status != http.StatusUnauthorized || !strings.Contains(body, test.says) {
				t.Errorf("%s: %s answers %d %s", name, path, status, body)
			}
		}
	}
}

func TestTokensAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for changed, test := range map[string]struct{ value, says string }{
		"client_secret": {"wrong", "invalid_client"}, "client_id": {"wrong", "invalid_client"}, "scope": {"distributor", "invalid_scope"},
		"grant_type": {"password", "unsupported_grant_type"},
	} {
		form := goodToken()
		form.Set(changed, test.value)
		if status, body := c.askToken(form); status != http.StatusBadRequest || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: %d %s", changed, test.value, status, body)
		}
	}
}

func TestSubscriptionsAreListedByCustomerAndSharedOutOverTwoCalls(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	customers := c.items(base + "/customers")
	total, suspended, ids := 0, 0, map[any]bool{}
	for _, customer := range customers {
		if customer["suspendedOn"] != nil {
			suspended++
		}
		query := "?customerId=" + customer["id"].(string)
		all := c.items(base + "/billing/subscriptions" + query)
		details := c.items(base + "/billing/subscriptions/details" + query)
		prices := c.items(base + "/billing/subscriptions/pricing-information" + query)
		for i, s := range all {
			ids[s["id"]] = true
			for part, has := range map[string][]map[string]any{"quantity": details, "billingCycle": prices} {
				if fmt.Sprint(has[i][part]) != fmt.Sprint(s[part]) || has[i]["id"] != s["id"] {
					t.Errorf("%v: %v", s, has[i])
				}
			}
			if _, told := details[i]["fees"]; told || prices[i]["quantity"] != nil {
				t.Errorf("details %v, prices %v", details[i], prices[i])
			}
		}
		total += len(all)
	}
	if total != 120 || len(ids) != total || suspended == 0 || suspended == len(customers) {
		t.Errorf("%d subscriptions with %d ids, %d of %d customers suspended", total, len(ids), suspended, len(customers))
	}
}

func TestWhatIsAskedForWronglyIsAProblem(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for query, want := range map[string]int{
		"": http.StatusBadRequest, "?customerId=acme": http.StatusBadRequest,
		"?customerId=0a1b2c3d-0009-4000-8000-000000000009": http.StatusNotFound,
		"?customerId=c0000000-5e1f-4000-8000-0000000fffff": http.StatusNotFound,
	} {
		if status, body := c.get(base + "/billing/subscriptions" + query); status != want || !strings.Contains(body, `"detail"`) {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
}

func TestAMillionCostNothingUntilTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	began := time.Now()
	if err := c.sim.Resize(t.Context(), 1_000_000); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	customers := c.items(base + "/customers")
	last := c.items(base + "/billing/subscriptions?customerId=" + customers[len(customers)-2]["id"].(string))
	if len(customers) != 20_001 || len(last) != 50 {
		t.Errorf("%d customers, the last but one with %d subscriptions", len(customers), len(last))
	}
}

func TestFaultsOfOneCustomerLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	customers := c.items(base + "/customers")
	path := func(at int) string { return base + "/billing/subscriptions?customerId=" + customers[at]["id"].(string) }
	_, well := c.get(path(1))
	n := 0
	for _, fault := range c.sim.Faults() {
		if !strings.HasPrefix(fault.Name, "customer.") || fault.Name == "customer.cut" {
			continue
		}
		n++
		if err := c.sim.Play(t.Context(), fault.Name); err != nil {
			t.Fatal(err)
		}
		if fault.Subscriptions != simulator.Partly {
			t.Errorf("%s expects %q", fault.Name, fault.Subscriptions)
		}
		if _, body := c.get(path(1)); body == well {
			t.Errorf("%s: the second customer is answered rightly", fault.Name)
		}
		for _, at := range []int{0, 2} {
			if status, body := c.get(path(at)); status != http.StatusOK || !json.Valid([]byte(body)) {
				t.Errorf("%s: customer %d is answered %d %s", fault.Name, at, status, body)
			}
		}
	}
	if n < 8 {
		t.Errorf("%d faults of one customer", n)
	}
}

func TestAnAccountThatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{`{`, `{}`, ``} {
		if _, err := sherwebsim.NewFixed(broken, nil); err == nil {
			t.Errorf("customers %q are taken", broken)
		}
		if _, err := sherwebsim.NewFixed(`[]`, map[string]string{"c": broken}); err == nil {
			t.Errorf("subscriptions %q are taken", broken)
		}
	}
}

func TestNamesOfFaultsAreUnique(t *testing.T) {
	t.Parallel()
	var names []string
	for _, fault := range newClient(t).sim.Faults() {
		names = append(names, fault.Name)
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("%q", names)
	}
}
