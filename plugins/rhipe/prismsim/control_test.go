// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// control calls the control endpoint and gives its decoded answer.
func (c *client) control(method, path, body string, status int) any {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.s.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := send(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if a.status != status || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
		c.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	v := decode(c.t, a.body)
	if status >= 400 && dig(c.t, v, "error") == "" {
		c.t.Errorf("%s %s: an error without words", method, path)
	}
	return v
}

func TestControlSwitches(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithControl())
	want := prismsim.Switches{HideEnded: true, Statuses: []string{"Pending"}, UsageLag: 3}
	c.control("PUT", "switches", `{"hide_ended":true,"statuses":["Pending"],"usage_lag":3}`, 200)
	if diff := cmp.Diff(want, c.s.Switches()); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	c.control("PATCH", "switches", `{"token_lifetime":"90s","usage_lag":0}`, 200)
	want.TokenLifetime, want.UsageLag = 90_000_000_000, 0
	if diff := cmp.Diff(want, c.s.Switches()); diff != "" {
		t.Errorf("set in part (-want +got):\n%s", diff)
	}
	for _, wrong := range []string{`{"hide_endet":true}`, `{"status":"roman"}`, `{"usage_lag":"many"}`, `{`, ``, `{} {}`, `[]`} {
		c.control("PUT", "switches", wrong, 400)
		c.control("PATCH", "switches", wrong, 400)
	}
	got := c.control("GET", "switches", "", 200)
	if diff := cmp.Diff(map[string]any{"hide_ended": true, "statuses": []any{"Pending"}, "token_lifetime": "1m30s"}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	c.control("PUT", "switches", `{}`, 200)
	c.control("PATCH", "switches/customers", `{"envelope":"Data"}`, 200)
	if dig(t, c.read(customersPath), "Data"); len(c.list(tenantsPath)) != 4 {
		t.Error("the switch is not for one endpoint only")
	}
	c.control("DELETE", "switches", "", 200)
	if n := len(c.list(customersPath)); n != 3 {
		t.Errorf("after a reset %d customers", n)
	}
}

func TestControlFaults(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithControl())
	first := stringOf(dig(t, c.control("POST", "faults", `{"endpoint":"tenants","status":503,"retry_after":"2","skip":1}`, 200), "number"))
	second := stringOf(dig(t, c.control("POST", "faults", `{"endpoint":"customers","kind":"delay","interval":"1ms"}`, 200), "number"))
	if first == second {
		t.Fatalf("both faults have the number %s", first)
	}
	if got := statuses(c, tenantsPath, 2); got[0] != 200 || got[1] != 503 {
		t.Errorf("%v", got)
	}
	list := dig(t, c.control("GET", "faults", "", 200), "faults")
	want := map[string]any{"endpoint": "tenants", "status": dig(t, list, 0, "fault", "status"), "retry_after": "2", "skip": dig(t, list, 0, "fault", "skip")}
	if diff := cmp.Diff(want, dig(t, list, 0, "fault")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if seen, struck := stringOf(dig(t, list, 0, "seen")), stringOf(dig(t, list, 0, "struck")); seen != "2" || struck != "1" {
		t.Errorf("seen %s, struck %s", seen, struck)
	}
	c.control("DELETE", "faults/"+first, "", 200)
	c.control("DELETE", "faults/"+first, "", 404)
	if got := statuses(c, tenantsPath, 1); got[0] != 200 {
		t.Errorf("after it was taken away: %v", got)
	}
	c.control("DELETE", "faults", "", 200)
	if list := dig(t, c.control("GET", "faults", "", 200), "faults").([]any); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
	for _, wrong := range []string{`{"kind":"sabotage"}`, `{"endpoint":"nowhere"}`, `{"status":1}`, `{"colour":"red"}`, `{"interval":"soon"}`} {
		c.control("POST", "faults", wrong, 400)
	}
}

func TestControlDay(t *testing.T) {
	t.Parallel()
	c := startWith(t, prismsim.Demo(), prismsim.WithControl())
	path := "/api/v2/contractagreements/" + prismsim.DemoAgreementMicrosoft + "/tenants"
	day1 := c.good("GET", path, "")
	if got := stringOf(dig(t, c.control("PUT", "day", `{"day":2}`, 200), "day")); got != "2" || c.s.Day() != 2 {
		t.Errorf("the day is %s", got)
	}
	if day2 := c.good("GET", path, ""); string(day1) == string(day2) {
		t.Error("the second day is the first one again")
	}
	for _, wrong := range []string{`{"day":0}`, `{"day":99}`, `{"day":"two"}`, `{}`} {
		c.control("PUT", "day", wrong, 400)
	}
	if got := stringOf(dig(t, c.control("GET", "day", "", 200), "day")); got != "2" {
		t.Errorf("after days that are none: %s", got)
	}
	c.control("POST", "reset", "", 200)
	if again := c.call("GET", path, ""); again.status != http.StatusUnauthorized {
		t.Errorf("a token outlived the reset: %d", again.status)
	}
	c.token = c.logIn()
	if again := c.good("GET", path, ""); string(again) != string(day1) {
		t.Error("after a reset it is not the first day")
	}
}

func TestControlReset(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithControl())
	c.s.Set(func(s *prismsim.Switches) { s.Envelope = "Items" })
	c.s.SetFor("me", func(s *prismsim.Switches) { s.NameCase = prismsim.NamesUpper })
	c.s.Fail(prismsim.Fault{})
	c.s.Script(prismsim.Step{Calls: 99})
	c.get(customersPath)
	c.control("POST", "reset", "", 200)
	if !c.s.ScriptDone() || len(c.s.Requests()) != 0 || !cmp.Equal(c.s.Switches(), prismsim.Switches{}) {
		t.Error("something is left")
	}
	c.token = ""
	c.list(customersPath)
	dig(t, c.read("/api/v1/me"), "CustomerId")
}

func TestControlWorld(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithControl())
	one := c.control("POST", "world", `{"operation":"set_quantity","arguments":{"id":"`+premiumSub+`","quantity":26}}`, 200)
	if diff := cmp.Diff([]any{premiumSub}, dig(t, one, "ids")); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	added := dig(t, c.control("POST", "world", `[{"operation":"add_customer","arguments":{"name":"New"}},
		{"operation":"rename","arguments":{"id":"`+contosoID+`","name":"Contoso"}}]`, 200), "ids").([]any)
	customers := c.list(customersPath)
	if got := stringOf(dig(t, c.list(tenantsPath), 0, "Subscriptions", 0, "Quantity")); got != "26" {
		t.Errorf("the quantity is %s", got)
	}
	if dig(t, customers, 2, "CustomerName") != "Contoso" || dig(t, customers, 3, "CustomerId") != added[0] || added[1] != contosoID {
		t.Errorf("%v, %v", added, customers)
	}
	c.control("POST", "world", `{"operation":"explode","arguments":{}}`, 400)
	c.control("POST", "world", `{"operation":"rename","arguments":{"id":"`+unknownID+`","name":"x"}}`, 400)
	if ids := dig(t, c.control("POST", "world", `[]`, 200), "ids").([]any); len(ids) != 0 {
		t.Errorf("no edit has the ids %v", ids)
	}
	g := startWith(t, prismsim.NewGenerated(prismsim.GeneratedOptions{}), prismsim.WithControl())
	g.control("POST", "world", `[]`, 409)
}

func TestControlRequestsAndTokens(t *testing.T) {
	t.Parallel()
	c := start(t, prismsim.WithControl())
	c.get(tenantsPath)
	c.good("POST", writes[0].path, writes[0].body)
	list := dig(t, c.control("GET", "requests", "", 200), "requests").([]any)
	if len(list) != 3 || dig(t, list, 1, "endpoint") != "tenants" || dig(t, list, 1, "id") != agreementID || stringOf(dig(t, list, 1, "status")) != "200" {
		t.Errorf("%v", list)
	}
	only := dig(t, c.control("GET", "requests?writes=true", "", 200), "requests").([]any)
	if len(only) != 1 || dig(t, only, 0, "endpoint") != "create_customer" || dig(t, only, 0, "write") != true {
		t.Errorf("%v", only)
	}
	state := c.control("GET", "", "", 200)
	if stringOf(dig(t, state, "calls")) != "3" || stringOf(dig(t, state, "writes")) != "1" || len(dig(t, state, "edits").([]any)) == 0 {
		t.Errorf("%v", state)
	}
	c.control("DELETE", "requests", "", 200)
	if list := dig(t, c.control("GET", "requests", "", 200), "requests").([]any); len(list) != 0 {
		t.Errorf("after they were forgotten: %v", list)
	}
	c.control("DELETE", "tokens", "", 200)
	if a := c.get(tenantsPath); a.status != 401 {
		t.Errorf("with a token from before: %d", a.status)
	}
	c.control("GET", "nothing", "", 404)
	c.control("GET", "a/b/c", "", 404)
	c.control("PATCH", "day", "", 405)
}

func TestControlIsForThisMachine(t *testing.T) {
	t.Parallel()
	s := prismsim.New(smallWorld(), prismsim.WithControl())
	for _, test := range []struct {
		peer, host, origin string
		want               int
	}{
		{"127.0.0.1:5000", "127.0.0.1:8085", "", 200},
		{"[::1]:5000", "[::1]:8085", "", 200},
		{"127.0.0.1:5000", "localhost:8085", "", 200},
		{"127.0.0.1:5000", "127.0.0.1", "", 200},
		{"192.0.2.1:5000", "127.0.0.1:8085", "", 403},
		{"[2001:db8::1]:5000", "127.0.0.1:8085", "", 403},
		{"127.0.0.1:5000", "rebound.example:8085", "", 403},
		{"127.0.0.1:5000", "127.0.0.1:8085", "https://page.example", 403},
		{"", "127.0.0.1:8085", "", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_control/requests", nil)
		r.RemoteAddr, r.Host = test.peer, test.host
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%+v: %d %s", test, w.Code, w.Body)
		}
	}
}

func TestNoControlUnlessAskedFor(t *testing.T) {
	t.Parallel()
	c := start(t)
	if c.s.ControlURL() != "" {
		t.Errorf("it has the address %s", c.s.ControlURL())
	}
	if a := c.get("/_control/requests"); a.status != http.StatusNotFound {
		t.Errorf("it is answered with %d", a.status)
	}
}

// TestSecretsStayIn holds that neither the log of calls, the program's log nor
// the control endpoint ever tells the secret or a token, wherever a client puts
// them.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	const secret = `s3cret+"/<é>&%`
	log := &logBuffer{}
	c := start(t, prismsim.WithControl(), prismsim.WithCredentials("someone", secret), prismsim.WithLogger(log.logger()))
	form := tokenForm()
	form.Set("client_id", "someone")
	form.Set("client_secret", secret)
	a := c.postForm(form, func(r *http.Request) { r.URL.RawQuery = form.Encode() })
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c.token = dig(t, decode(t, a.body), "access_token").(string)
	c.get(customersPath + "?access_token=" + c.token)
	c.get("/api/v2/microsoftcsp/tenants/" + c.token)
	c.get(customersPath + "?x=" + escapedAll(secret))
	c.get("/api/v2/microsoftcsp/tenants/" + escapedAll(secret))
	body := `{"kind":"body","endpoint":"me","body":"s3cret+\"/<é>&% and ` + c.token + `"}`
	c.control("POST", "faults", body, 200)
	c.control("POST", "world", `{"operation":"s3cret+\"/<é>&%","arguments":{}}`, 400)

	told := log.String()
	for _, path := range []string{"", "requests", "requests?writes=1", "switches", "faults", "day"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.ControlURL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		told += string(answer.body)
	}
	for _, hidden := range []string{"s3cret", c.token[len(c.token)-20:], "%73%33"} {
		if i := strings.Index(told, hidden); i >= 0 {
			t.Errorf("%q is told: …%s", hidden, told[max(0, i-200):min(len(told), i+100)])
		}
	}
	if !strings.Contains(told, "***") || !strings.Contains(told, "answered") {
		t.Errorf("nothing was blotted, or nothing logged: %s", told)
	}
}

// escapedAll escapes every byte.
func escapedAll(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("%")
		b.WriteByte("0123456789abcdef"[text[i]>>4])
		b.WriteByte("0123456789abcdef"[text[i]&15])
	}
	return b.String()
}

var _ io.Writer = (*logBuffer)(nil)
