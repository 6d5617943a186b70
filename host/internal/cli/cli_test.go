// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tallymanhq/tallyman/host/internal/cli"
)

// plugins is the directory with the plugin that was built for these tests.
var plugins string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tallyman-cli-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
		plugins = filepath.Join(dir, "plugins")
		if err := os.Mkdir(plugins, 0o755); err != nil {
			panic(err)
		}
		name := "tallyman-plugin-rhipe"
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		build := exec.Command("go", "build", "-o", filepath.Join(plugins, name), "../../../plugins/rhipe")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build the plugin: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

const (
	clientID     = "0f8fad5b-d9cb-469f-a165-70867728950e"
	clientSecret = "recognisable0123456789abcdefsecret"
	agreementA   = "c0ffee00-1a2b-e811-8130-000d3a500001"
	agreementB   = "c0ffee00-1a2b-e811-8130-000d3a500002"
)

// prism is a distributor of four customers and two agreements, just large enough for the command line.
type prism struct {
	mu       sync.Mutex
	names    map[string]string
	quantity map[string]int
	cut      bool
	// ended is a customer that is no longer active.
	ended string
}

func newPrism(t *testing.T) (*prism, string) {
	t.Helper()
	p := &prism{
		names: map[string]string{"c1": "Contoso Pty Ltd", "c2": "Fabrikam Pty Ltd", "c3": "Tailspin Toys"},
		// By agreement, customer and number.
		quantity: map[string]int{"a c1 1": 25, "a c1 2": 3, "a c2 1": 7, "b c3 1": 10},
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

func (p *prism) set(key string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quantity[key] = n
}

func (p *prism) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == "/core/connect/token":
		if r.FormValue("client_secret") != clientSecret {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"composed.token.value","expires_in":3600,"token_type":"Bearer"}`))
	case r.Header.Get("Authorization") != "Bearer composed.token.value":
		w.WriteHeader(http.StatusUnauthorized)
	case path == "/api/v1/me":
		_, _ = w.Write([]byte(`{}`))
	case path == "/api/v1/me/customers":
		p.customers(w)
	case path == "/api/v2/contractagreements/"+agreementA+"/tenants":
		p.tenants(w, "a")
	case path == "/api/v2/contractagreements/"+agreementB+"/tenants":
		p.tenants(w, "b")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *prism) customers(w http.ResponseWriter) {
	var list []map[string]any
	for _, id := range []string{"c1", "c2", "c3"} {
		agreement := agreementA
		if id == "c3" {
			agreement = agreementB
		}
		list = append(list, map[string]any{
			"CustomerId": id, "CustomerName": p.names[id], "IsActive": id != p.ended, "Street1": "1 Example Street", "City": "Melbourne", "Postcode": "3000",
			"CustomerProgramAgreements": []map[string]any{{
				"Id": "t" + id, "ContractAgreementId": agreement, "ProgramName": "Microsoft CSP Indirect", "IsConsumptionProgram": true,
			}},
		})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (p *prism) tenants(w http.ResponseWriter, agreement string) {
	list := []map[string]any{}
	for _, id := range []string{"c1", "c2", "c3"} {
		var subs []map[string]any
		for n := 1; n <= 60; n++ {
			if quantity, ok := p.quantity[fmt.Sprintf("%s %s %d", agreement, id, n)]; ok {
				subs = append(subs, map[string]any{
					"SubscriptionId": fmt.Sprintf("s-%s-%d", id, n), "Status": "Active", "ProductName": fmt.Sprintf("Product %d", n),
					"Quantity": quantity, "Unit": "Licenses", "BillingCycle": "Monthly", "BillingCycleDuration": 1,
				})
			}
		}
		if subs != nil {
			list = append(list, map[string]any{"TenantId": "t" + id, "CustomerId": id, "CustomerName": p.names[id], "Subscriptions": subs})
		}
	}
	b, _ := json.Marshal(list)
	if p.cut && agreement == "b" {
		b = b[:len(b)/2]
	}
	_, _ = w.Write(b)
}

// shell runs commands against one configuration, as a person would.
type shell struct {
	t      *testing.T
	config string
	dir    string
	all    bytes.Buffer
}

func newShell(t *testing.T, url, secret string) *shell {
	t.Helper()
	dir := t.TempDir()
	s := &shell{t: t, config: filepath.Join(dir, "tallyman.hcl"), dir: dir}
	s.write("tallyman.hcl", fmt.Sprintf(`
plugins { directory = %q }
tenant "acme" {
  display_name = "Acme IT"
  module "rhipe" {
    settings {
      client_id     = %q
      client_secret = file("secret")
      api_base_url  = %q
      token_url     = "%s/core/connect/token"
      max_attempts  = 2
    }
    customers {
      unmatched = "create"
      top_level = "Cloud customers"
    }
    subscriptions {
      deactivate_missing = true
    }
  }
}
`, plugins, clientID, url, url))
	s.write("secret", secret+"\n")
	s.run(0, "plugin", "lock")
	return s
}

func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs one command, checks its exit code and gives all it printed.
func (s *shell) run(code int, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	got := runCLI(&out, append([]string{"--config", s.config}, args...)...)
	if got != code {
		s.t.Fatalf("tallyman %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out.String())
	}
	s.all.Write(out.Bytes())
	return out.String()
}

func runCLI(out io.Writer, args ...string) int { return cli.Main("0.1.0", args, nil, out, out) }

// wants finds texts in an output, whose lines may be broken anywhere.
func (s *shell) wants(text string, wanted ...string) {
	s.t.Helper()
	folded := strings.Join(strings.Fields(text), " ")
	for _, w := range wanted {
		if !strings.Contains(text, w) && !strings.Contains(folded, w) {
			s.t.Errorf("the output lacks %q:\n%s", w, text)
		}
	}
}

func TestTheMainJobFromTheCommandLine(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.write("mine.csv", "name,top_level,line1,city,postal_code\nContoso Pty Ltd,,1 Old Street,Sydney,2000\nFabrikam Limited,,,,\n,,nobody,,\n")

	s.wants(s.run(1, "customers", "import", filepath.Join(s.dir, "mine.csv"), "--tenant", "acme"), "mine.csv:4", "2 customers imported", "1 bad line")
	s.wants(s.run(0, "test", "acme/rhipe"), "authenticate", "acme/rhipe is connected")

	s.wants(s.run(0, "mappings", "generate", "acme/rhipe"), "1 mapped")
	s.wants(s.run(0, "mappings", "list", "acme/rhipe"), "Tailspin Toys", "not mapped", "Contoso Pty Ltd (#1)")
	s.run(0, "mappings", "add", "acme/rhipe", "c2", "Fabrikam Limited")

	plan := s.run(4, "plan", "acme/rhipe")
	s.wants(plan, "customer create", "Tailspin Toys", "subscription create", "changes pending")
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 mapped, 1 of them created", "4 created")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change", "4 unchanged")
	s.wants(s.run(0, "plan", "acme/rhipe"), "no change")

	distributor.set("a c1 1", 27)
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 updated")
	s.wants(s.run(0, "changes", "acme", "--kind", "update"), "quantity: 25 -> 27")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--customer", "Contoso Pty Ltd"), "Product 1", "27", "Rhipe")
	s.wants(s.run(0, "customers", "show", "Tailspin Toys"), "Created by  Rhipe", "Cloud customers")
	s.wants(s.run(0, "runs", "list", "--json"), `"succeeded"`)

	if strings.Contains(s.all.String(), clientSecret) {
		t.Error("the secret was printed")
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "tallyman.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil && bytes.Contains(b, []byte(clientSecret)) {
			t.Errorf("the secret is in %s", file)
		}
	}
}

func TestAnAnswerCutShortTouchesNothingOfItsAgreement(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")

	distributor.mu.Lock()
	distributor.cut = true
	delete(distributor.quantity, "a c1 2")
	distributor.quantity["b c3 1"] = 99
	distributor.mu.Unlock()
	out := s.run(0, "sync", "acme/rhipe")
	s.wants(out, "warning", "nothing of it was touched", "1 deactivated")
	subs := s.run(0, "subscriptions", "list", "acme")
	s.wants(subs, "Tailspin Toys\tProduct 1\t10\tactive")
}

func TestTooManyDeactivationsWaitForAPerson(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	for n := 1; n <= 9; n++ {
		distributor.set(fmt.Sprintf("a c1 %d", n), n)
	}
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")

	distributor.mu.Lock()
	for n := 2; n <= 9; n++ {
		delete(distributor.quantity, fmt.Sprintf("a c1 %d", n))
	}
	distributor.mu.Unlock()
	s.wants(s.run(4, "plan", "acme/rhipe"), "8 to hold", `"tallyman sync acme/rhipe" holds these until "tallyman approve"`)
	s.wants(s.run(4, "sync", "acme/rhipe"), "held", "tallyman approve 3", "8 deactivations among 11 active")
	s.wants(s.run(0, "runs", "show", "3"), "held by deactivations", "8 held")
	s.wants(s.run(0, "approve", "3"), "8 deactivated")
	s.run(1, "approve", "3")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change")
}

func TestAWrongSecretSaysSoAndStaysSecret(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	const wrong = "wrong0123456789recognisable"
	s := newShell(t, url, wrong)
	s.wants(s.run(1, "test", "acme/rhipe"), "FAILED authenticate", "invalid_client", "Manage Client Credentials")
	s.wants(s.run(1, "sync", "acme/rhipe"), "distributor.auth")
	s.wants(s.run(0, "runs", "show", "1", "--log-level", "trace"), "failed", "distributor.auth")
	if strings.Contains(s.all.String(), wrong) {
		t.Error("the secret was printed")
	}
}

func TestWrongUseIsExitCodeTwo(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "db", "migrate")
	for _, args := range [][]string{
		{"sync"},
		{"sync", "nobody"},
		{"sync", "acme/none"},
		{"test", "acme"},
		{"sync", "acme", "--only", "invoices"},
		{"sync", "acme", "--override", "everything"},
		{"runs", "show", "x"},
		{"nonsense"},
		{"sync", "acme", "--nonsense"},
	} {
		s.run(2, args...)
	}
}

func TestWhatChangedWhileACustomerWasNotMappedIsCaughtUp(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.run(0, "mappings", "remove", "acme/rhipe", "c1")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("tallyman.hcl", strings.Replace(string(text), `unmatched = "create"`, `unmatched = "ignore"`, 1))
	distributor.mu.Lock()
	distributor.names["c1"] = "Contoso (renamed)"
	distributor.quantity["a c1 1"] = 31
	distributor.mu.Unlock()
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 not matched")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--search", "Contoso"), "\t25\t")

	s.run(0, "mappings", "add", "acme/rhipe", "c1", "Contoso Pty Ltd")
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 updated")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--search", "Contoso"), "\t31\t")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change")
}

func TestAQuantityThatExplodesIsHeldAndTheRestApplied(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	distributor.set("a c1 1", 2500)
	distributor.set("a c2 1", 8)
	s.wants(s.run(4, "sync", "acme/rhipe"), "held", "1 updated")
	s.wants(s.run(4, "sync", "acme/rhipe"), "held")
	s.wants(s.run(0, "runs", "show", "2"), "superseded", "quantity: 25 -> 2500")
	s.wants(s.run(0, "reject", "3"), "1 held change of run 3 rejected")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-1"), "\t25\t")
	s.wants(s.run(0, "sync", "acme/rhipe", "--override", "quantity"), "1 updated")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-1"), "\t2500\t")
}

func TestRunsStartedTogetherNeverOverlap(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "db", "migrate")
	var wait sync.WaitGroup
	outputs := make([]strings.Builder, 4)
	codes := make([]int, len(outputs))
	for i := range outputs {
		wait.Go(func() { codes[i] = runCLI(&outputs[i], "--config", s.config, "sync", "acme/rhipe") })
	}
	wait.Wait()
	done := 0
	for i, code := range codes {
		switch {
		case code == 0:
			done++
		case !strings.Contains(outputs[i].String(), "run.module_busy"):
			t.Errorf("exit code %d for another reason than a run under way:\n%s", code, outputs[i].String())
		}
	}
	if done == 0 {
		t.Error("none of them ran")
	}
	if n := strings.Count(s.run(0, "subscriptions", "list", "acme"), "\tRhipe"); n != 4 {
		t.Errorf("%d subscriptions, want 4", n)
	}
}

func TestTheMainSitesAddressFollowsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.write("mine.csv", "name,site,line1,city,postal_code\nContoso Pty Ltd,Head office,9 Old Street,Sydney,2000\nContoso Pty Ltd,Warehouse,3 Far Street,Perth,6000\n")
	s.run(0, "customers", "import", filepath.Join(s.dir, "mine.csv"), "--tenant", "acme")
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "customers", "show", "Contoso Pty Ltd"), "9 Old Street", "3 Far Street")

	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("tallyman.hcl", strings.Replace(string(text), `unmatched = "create"`, "unmatched = \"create\"\n update_main_site_address = true", 1))
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 with a new address")
	s.wants(s.run(0, "customers", "show", "Contoso Pty Ltd"), "Head office (main): 1 Example Street", "3 Far Street")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change")
}

func TestARunForOneCustomerTouchesNoOther(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	distributor.mu.Lock()
	distributor.quantity["a c1 1"], distributor.quantity["a c2 1"] = 26, 8
	delete(distributor.quantity, "a c1 2")
	delete(distributor.quantity, "b c3 1")
	distributor.mu.Unlock()
	s.wants(s.run(0, "sync", "acme/rhipe", "--customer", "Contoso Pty Ltd"), "1 updated", "1 deactivated")
	subs := s.run(0, "subscriptions", "list", "acme")
	s.wants(subs, "Contoso Pty Ltd\tProduct 1\t26", "Fabrikam Pty Ltd\tProduct 1\t7", "Tailspin Toys\tProduct 1\t10")
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 updated", "1 deactivated")
}

func TestDeletedAtTheDistributorAndBackAgain(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("tallyman.hcl", strings.Replace(string(text), "deactivate_missing = true", "deactivate_missing = false", 1))
	s.run(0, "sync", "acme/rhipe")
	before := s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-2")
	distributor.mu.Lock()
	delete(distributor.quantity, "a c1 2")
	distributor.mu.Unlock()
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 ended but left active")
	if now := s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-2"); now != before {
		t.Errorf("switched off, and yet it changed:\n%s", now)
	}
	s.write("tallyman.hcl", string(text))
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 deactivated")
	s.wants(s.run(0, "subscriptions", "list", "acme", "--inactive"), "Product 2", "inactive")
	s.wants(s.run(0, "sync", "acme/rhipe"), "no change")
	distributor.set("a c1 2", 3)
	s.wants(s.run(0, "sync", "acme/rhipe"), "1 reactivated")
	if now := s.run(0, "subscriptions", "list", "acme", "--search", "s-c1-2"); now != before {
		t.Errorf("it came back as something else:\nbefore %s\nnow %s", before, now)
	}
}
