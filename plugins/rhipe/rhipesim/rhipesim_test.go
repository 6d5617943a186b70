// SPDX-License-Identifier: Apache-2.0

package rhipesim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	"github.com/tallymanhq/tallyman/plugins/rhipe/rhipesim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The faults of one agreement name it by its id, so a distributor of another size must have it too.
func TestADistributorOfAnotherSizeHasTheSameAgreements(t *testing.T) {
	t.Parallel()
	sim := start(t)
	agreements := prismsim.NewGenerated(prismsim.GeneratedOptions{}).AgreementIDs()
	counted := map[int]int{}
	for _, size := range []int{0, 40, 400, 0} {
		if err := sim.Resize(t.Context(), size); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, id := range agreements {
			status, body := get(t, sim, "/api/v2/contractagreements/"+id+"/tenants")
			if status != http.StatusOK {
				t.Fatalf("%d subscriptions: agreement %s is answered %d", size, id, status)
			}
			n += strings.Count(body, `"Quantity":`)
		}
		counted[size] = n
	}
	if counted[0] != 120 || counted[40] != 40 || counted[400] != 400 {
		t.Errorf("subscriptions by size: %v", counted)
	}
}

func TestOneAgreementFailsAndTheOtherDoesNot(t *testing.T) {
	t.Parallel()
	sim := start(t)
	if err := sim.Play(t.Context(), "agreement.failing"); err != nil {
		t.Fatal(err)
	}
	var answered []int
	for _, id := range prismsim.NewGenerated(prismsim.GeneratedOptions{}).AgreementIDs() {
		status, _ := get(t, sim, "/api/v2/contractagreements/"+id+"/tenants")
		answered = append(answered, status)
	}
	if len(answered) != 2 || answered[0] != http.StatusInternalServerError || answered[1] != http.StatusOK {
		t.Errorf("the agreements are answered %v", answered)
	}
}

func TestAMillionCostNothingUntilTheyAreAskedFor(t *testing.T) { // Not parallel: allocations are counted.
	sim := start(t)
	if n := testing.AllocsPerRun(1, func() { _ = sim.Resize(t.Context(), 1_000_000) }); n > 1000 {
		t.Errorf("%v allocations", n)
	}
	if err := sim.Resize(t.Context(), 1<<31); err == nil {
		t.Error("more than can be told apart are accepted")
	}
}

func start(t *testing.T) simulator.Simulator {
	t.Helper()
	sim, err := rhipesim.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// get asks with a token that was asked for with the settings the simulator gives.
func get(t *testing.T, sim simulator.Simulator, path string) (status int, body string) {
	t.Helper()
	text := func(name string) string { return sim.Settings()[name].(string) }
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {text("client_id")}, "client_secret": {text("client_secret")}, "scope": {prismsim.Scope},
	}
	send := func(method, url, body string, header http.Header) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	_, answer := send(http.MethodPost, text("token_url"), form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	var token struct {
		Value string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || token.Value == "" {
		t.Fatalf("no token: %v, %s", err, answer)
	}
	return send(http.MethodGet, text("api_base_url")+path, "", http.Header{"Authorization": {"Bearer " + token.Value}})
}
