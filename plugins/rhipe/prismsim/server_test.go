// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// logBuffer takes what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: b, Level: hclog.Debug})
}

func TestRequests(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	c := start(t, prismsim.WithLogger(log.logger()))
	body := c.good("GET", customersPath+"?includeDeactivatedCustomers=true", "")
	c.s.Fail(prismsim.Fault{Endpoint: prismsim.Tenants, Status: 503, Times: 1})
	c.get(tenantsPath)
	c.get("/nowhere")
	c.good("POST", writes[2].path, "")
	token := len(c.postFormAnswer())
	want := []prismsim.Request{
		{Seq: 1, Method: "POST", Path: prismsim.TokenPath, Endpoint: prismsim.Token, Status: 200, Bytes: int64(token)},
		{Seq: 2, Method: "GET", Path: customersPath, Query: "includeDeactivatedCustomers=true", Endpoint: prismsim.Customers, Status: 200, Bytes: int64(len(body))},
		{
			Seq: 3, Method: "GET", Path: tenantsPath, Endpoint: prismsim.Tenants, ID: agreementID, Status: 503,
			Bytes: int64(len(`{"Message":"An error has occurred."}`)), Fault: prismsim.FaultStatus,
		},
		{Seq: 4, Method: "GET", Path: "/nowhere", Status: 404, Bytes: int64(len(`{"Message":"No HTTP resource was found that matches the request URI."}`))},
		{Seq: 5, Method: "POST", Path: writes[2].path, Endpoint: prismsim.ChangeQuantity, ID: premiumSub, Status: 200, Write: true},
		{Seq: 6, Method: "POST", Path: prismsim.TokenPath, Endpoint: prismsim.Token, Status: 200, Bytes: int64(token)},
	}
	if diff := cmp.Diff(want, c.s.Requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[4:5], c.s.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if n := strings.Count(log.String(), "[ERROR]"); n != 1 {
		t.Errorf("%d errors are logged, want the one write:\n%s", n, log)
	}
	if c.s.Calls(prismsim.Token) != 2 || c.s.Calls(prismsim.Customers) != 1 || c.s.Calls(prismsim.Me) != 0 || c.s.Calls("") != 1 {
		t.Error("the counts are wrong")
	}
	c.s.ForgetRequests()
	c.get("/api/v1/me")
	if got := c.s.Requests(); len(got) != 1 || got[0].Seq != 7 || c.s.Calls(prismsim.Token) != 0 || len(c.s.Writes()) != 0 {
		t.Errorf("after they were forgotten: %+v", got)
	}
}

func (c *client) postFormAnswer() []byte { return c.postForm(tokenForm(), nil).body }

func TestWaitForCalls(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.s.WaitForCalls(ctx, prismsim.Me, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("the wait ended with %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- c.s.WaitForCalls(t.Context(), prismsim.Me, 2) }()
	c.get("/api/v1/me")
	c.get("/api/v1/me")
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestMostAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.token = c.logIn()
	c.s.Fail(prismsim.Fault{Endpoint: prismsim.Me, Kind: prismsim.FaultHang})
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.APIURL()+"/api/v1/me", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+c.token)
			if response, err := transport.RoundTrip(r); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	if err := c.s.WaitForCalls(t.Context(), prismsim.Me, 3); err != nil {
		t.Error(err)
	}
	cancel()
	calls.Wait()
	if n := c.s.MostAtOnce(); n != 3 {
		t.Errorf("%d at once, want 3", n)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	c := startWith(t, w)
	var took []string
	note := func(s string) func(*prismsim.Server) {
		return func(*prismsim.Server) { took = append(took, s) }
	}
	c.s.Script(
		prismsim.Step{After: prismsim.Tenants, ID: strings.ToUpper(agreementID), Calls: 2, Do: func(s *prismsim.Server) {
			note("world")(s)
			w.Rename(fabrikamID, "Fabrikam again")
			s.Fail(prismsim.Fault{Endpoint: prismsim.Me, Status: 418})
		}},
		prismsim.Step{After: prismsim.Tenants, ID: splaID, Calls: 2, Do: note("another id")},
		prismsim.Step{Calls: 1, Do: note("any call")},
	)
	name := func() string { return dig(t, c.list(customersPath), 1, "CustomerName").(string) }
	c.get(tenantsPath)
	if got := name(); got != "Fabrikam Pty Ltd" || len(took) != 0 {
		t.Errorf("a step was taken too early: %s, %v", got, took)
	}
	c.get(tenantsPath)
	if got := name(); got != "Fabrikam again" {
		t.Errorf("after the second call the name is %s", got)
	}
	if a := c.get("/api/v1/me"); a.status != 418 {
		t.Errorf("the fault of the step: %d", a.status)
	}
	c.get(tenantsPath)
	if c.s.ScriptDone() || len(took) != 1 {
		t.Errorf("steps taken: %v", took)
	}
	c.get("/api/v2/contractagreements/" + splaID + "/tenants")
	if len(took) != 1 {
		t.Errorf("the second step was taken too early: %v", took)
	}
	c.get("/api/v2/contractagreements/" + splaID + "/tenants")
	c.get("/api/v1/nothing")
	if diff := cmp.Diff([]string{"world", "another id", "any call"}, took); diff != "" || !c.s.ScriptDone() {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEditsWhileServed holds that every answer shows one state of the world:
// all quantities in it are the same, since each edit changes them together.
func TestEditsWhileServed(t *testing.T) {
	t.Parallel()
	w := prismsim.NewWorld(prismsim.Customer{Name: "Example MSP"})
	agreement := w.AddAgreement(prismsim.Agreement{})
	tenant := w.AddTenant(prismsim.Tenant{})
	ids := make([]string, 300)
	for i := range ids {
		ids[i] = w.AddSubscription(tenant, prismsim.Subscription{Quantity: 1})
	}
	c := startWith(t, w, prismsim.WithControl())
	c.token = c.logIn()
	stop := make(chan struct{})
	var editors sync.WaitGroup
	editors.Go(func() {
		for n := 2; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			edits := make([]prismsim.Edit, len(ids))
			for i, id := range ids {
				edits[i] = prismsim.Edit{Operation: "set_quantity", Arguments: fmt.Appendf(nil, `{"id":%q,"quantity":%d}`, id, n)}
			}
			if _, err := w.Apply(edits...); err != nil {
				t.Error(err)
				return
			}
		}
	})
	editors.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c.s.Set(func(s *prismsim.Switches) { s.ExtraFields = !s.ExtraFields })
			c.s.Fail(prismsim.Fault{Endpoint: prismsim.Customers})()
			w.RemoveCustomer(w.AddCustomer(prismsim.Customer{Name: "Passing"}))
		}
	})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 10 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.APIURL()+"/api/v2/contractagreements/"+agreement+"/tenants", nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+c.token)
				a, err := send(r)
				if err != nil || a.err != nil || a.status != 200 {
					t.Errorf("%v, %+v", err, a)
					return
				}
				n, first := 0, ""
				for _, part := range strings.Split(string(a.body), `"Quantity":`)[1:] {
					quantity, _, _ := strings.Cut(part, ",")
					if first == "" {
						first = quantity
					}
					if quantity != first {
						t.Errorf("%s and %s in one answer", first, quantity)
						return
					}
					n++
				}
				if n != len(ids) {
					t.Errorf("%d subscriptions", n)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	editors.Wait()
}

func TestClosedServer(t *testing.T) {
	t.Parallel()
	s := prismsim.New(smallWorld())
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := s.Start(); err == nil {
		t.Error("a closed server was started")
	}
}
