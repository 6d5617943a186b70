// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// faultTest says what a client sees of a faulty answer, given the right one.
type faultTest struct {
	kind  prismsim.FaultKind
	note  string
	fault prismsim.Fault
	check func(t *testing.T, good, got *answer, err error)
}

func cutShort(t *testing.T, good, got *answer) {
	t.Helper()
	if n := len(got.body); n == 0 || n >= len(good.body) || string(got.body) != string(good.body[:n]) {
		t.Errorf("%d bytes, want the beginning of %d", n, len(good.body))
	}
	if json.Valid(got.body) {
		t.Error("what came is still whole JSON")
	}
}

// drops is for an answer that ends with a broken connection.
func drops(t *testing.T, good, got *answer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the answer did not begin: %v", err)
	}
	if got.status != http.StatusOK || got.err == nil {
		t.Errorf("%d, %v, want 200 and a broken body", got.status, got.err)
	}
	cutShort(t, good, got)
}

// endsEarly is for a short body in an answer that is clean for HTTP.
func endsEarly(t *testing.T, good, got *answer, err error) {
	t.Helper()
	if err != nil || got.err != nil || got.status != http.StatusOK {
		t.Fatalf("%v, %+v", err, got)
	}
	cutShort(t, good, got)
}

func whole(t *testing.T, good, got *answer, err error) {
	t.Helper()
	if err != nil || got.err != nil || got.status != http.StatusOK || string(got.body) != string(good.body) {
		t.Errorf("%v, %+v", err, got)
	}
}

var faultTests = []faultTest{
	{"", "the zero value", prismsim.Fault{}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 500 || string(got.body) != `{"Message":"An error has occurred."}` {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultStatus, "429 with Retry-After", prismsim.Fault{Status: 429, RetryAfter: "7"}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 429 || got.header.Get("Retry-After") != "7" {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultStatus, "429 without", prismsim.Fault{Status: 429, ErrorBody: prismsim.ErrorEmpty}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 429 || len(got.header.Values("Retry-After")) != 0 || len(got.body) != 0 {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultHTML, "with 200", prismsim.Fault{}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(got.body), "<html>") {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultBody, "empty", prismsim.Fault{}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 200 || len(got.body) != 0 {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultBody, "given", prismsim.Fault{Body: `{"Nothing":1}`, ContentType: "text/plain", Status: 203}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 203 || string(got.body) != `{"Nothing":1}` || got.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultRedirect, "", prismsim.Fault{Location: "https://elsewhere.example/"}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 302 || got.header.Get("Location") != "https://elsewhere.example/" {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultEmpty, "", prismsim.Fault{}, func(t *testing.T, _, got *answer, err error) {
		if err != nil || got.status != 200 || string(got.body) != "[]" {
			t.Errorf("%v, %+v", err, got)
		}
	}},
	{prismsim.FaultCut, "half", prismsim.Fault{}, endsEarly},
	{prismsim.FaultCut, "after 10 bytes", prismsim.Fault{Bytes: 10}, func(t *testing.T, good, got *answer, err error) {
		endsEarly(t, good, got, err)
		if len(got.body) != 10 {
			t.Errorf("%d bytes", len(got.body))
		}
	}},
	{prismsim.FaultAbort, "", prismsim.Fault{}, func(t *testing.T, good, got *answer, err error) {
		drops(t, good, got, err)
		if got.header.Get("Content-Length") != "" {
			t.Error("it has a length")
		}
	}},
	{prismsim.FaultShortBody, "", prismsim.Fault{}, func(t *testing.T, good, got *answer, err error) {
		drops(t, good, got, err)
		if !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("the body's error is %v", got.err)
		}
	}},
	{prismsim.FaultLongBody, "", prismsim.Fault{}, endsEarly},
	{prismsim.FaultHuge, "", prismsim.Fault{Bytes: 300_000}, func(t *testing.T, good, got *answer, err error) {
		if err != nil || got.err != nil || !json.Valid(got.body) || len(got.body) != len(good.body)+300_000+len(`,"Remarks":""`) {
			t.Errorf("%v, %d bytes, want 300,000 more than %d", err, len(got.body), len(good.body))
		}
	}},
	{prismsim.FaultPadding, "", prismsim.Fault{Bytes: 300_000}, func(t *testing.T, good, got *answer, err error) {
		if err != nil || got.err != nil || string(got.body) != "["+strings.Repeat(" ", 300_000)+string(good.body[1:]) {
			t.Errorf("%v, %d bytes, want 300,000 blanks more than %d", err, len(got.body), len(good.body))
		}
	}},
	{prismsim.FaultDrip, "", prismsim.Fault{Chunk: 200, Interval: prismsim.Duration(time.Microsecond)}, whole},
	{prismsim.FaultDelay, "", prismsim.Fault{Interval: prismsim.Duration(time.Millisecond)}, whole},
	{prismsim.FaultNoConnection, "", prismsim.Fault{}, func(t *testing.T, _, _ *answer, err error) {
		if err == nil {
			t.Error("there was an answer")
		}
	}},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []struct {
		name prismsim.Endpoint
		path string
	}{{prismsim.Customers, customersPath}, {prismsim.Tenants, tenantsPath}} {
		for _, test := range faultTests {
			t.Run(string(endpoint.name)+" "+string(test.kind)+" "+test.note, func(t *testing.T) {
				t.Parallel()
				c := start(t)
				good := c.get(endpoint.path)
				f := test.fault
				f.Kind, f.Endpoint, f.Times = test.kind, endpoint.name, 1
				c.s.Fail(f)
				if a := c.get(pricesPath); a.status != http.StatusOK {
					t.Errorf("another endpoint is answered with %d", a.status)
				}
				got, err := c.try("GET", endpoint.path, "")
				test.check(t, good, got, err)
				if again := c.get(endpoint.path); string(again.body) != string(good.body) {
					t.Error("the next answer is spoilt too")
				}
			})
		}
	}
}

// TestAnswersThatHang ends the client's patience, and for the second kind the
// server, since nothing else would end the answer.
func TestAnswersThatHang(t *testing.T) {
	t.Parallel()
	ask := func(ctx context.Context, c *client) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.APIURL()+tenantsPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		return transport.RoundTrip(r)
	}
	t.Run(string(prismsim.FaultHang), func(t *testing.T) {
		t.Parallel()
		c := start(t)
		c.token = c.logIn()
		c.s.Fail(prismsim.Fault{Kind: prismsim.FaultHang})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			response, err := ask(ctx, c)
			if err == nil {
				_ = response.Body.Close()
			}
			ended <- err
		}()
		if err := c.s.WaitForCalls(t.Context(), prismsim.Tenants, 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the call ended with %v", err)
		}
	})
	t.Run(string(prismsim.FaultHangMidway), func(t *testing.T) {
		t.Parallel()
		c := start(t)
		good := c.get(tenantsPath)
		c.s.Fail(prismsim.Fault{Kind: prismsim.FaultHangMidway})
		response, err := ask(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		half := make([]byte, len(good.body)/2)
		if _, err := io.ReadFull(response.Body, half); err != nil || string(half) != string(good.body[:len(half)]) {
			t.Errorf("the first half: %v, %s", err, half)
		}
		if err := c.s.Close(); err != nil {
			t.Error(err)
		}
		if rest, err := io.ReadAll(response.Body); err == nil || len(rest) > 0 {
			t.Errorf("after the half came %q, %v", rest, err)
		}
		_ = response.Body.Close()
	})
}

func TestEveryKindOfFaultHasATest(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{string(prismsim.FaultHang): true, string(prismsim.FaultHangMidway): true}
	for _, test := range faultTests {
		tested[string(test.kind)] = true
	}
	c := start(t, prismsim.WithControl())
	kinds := dig(t, c.control("GET", "", "", http.StatusOK), "fault_kinds").([]any)
	if len(kinds) < 16 {
		t.Errorf("there are only %v", kinds)
	}
	for _, kind := range kinds {
		if !tested[kind.(string)] {
			t.Errorf("%v has no test", kind)
		}
	}
}

func statuses(c *client, path string, n int) (list []int) {
	for range n {
		list = append(list, c.get(path).status)
	}
	return list
}

func TestWhenFaultsStrike(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		note  string
		fault prismsim.Fault
		want  []int
	}{
		{"until cleared", prismsim.Fault{}, []int{500, 500, 500, 500, 500, 500}},
		{"a few times", prismsim.Fault{Times: 2}, []int{500, 500, 200, 200, 200, 200}},
		{"after some", prismsim.Fault{Skip: 2, Times: 1}, []int{200, 200, 500, 200, 200, 200}},
		{"now and then", prismsim.Fault{Every: 3}, []int{200, 200, 500, 200, 200, 500}},
		{"now and then, not for ever", prismsim.Fault{Skip: 1, Every: 2, Times: 2}, []int{200, 200, 500, 200, 500, 200}},
		{"for another endpoint", prismsim.Fault{Endpoint: prismsim.Customers}, []int{200, 200, 200, 200, 200, 200}},
		{"for the id", prismsim.Fault{ID: strings.ToUpper(agreementID)}, []int{500, 500, 500, 500, 500, 500}},
		{"for another id", prismsim.Fault{ID: splaID}, []int{200, 200, 200, 200, 200, 200}},
	} {
		t.Run(test.note, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			c.s.Fail(test.fault)
			got := statuses(c, tenantsPath, len(test.want))
			for i := range got {
				if got[i] != test.want[i] {
					t.Fatalf("%v, want %v", got, test.want)
				}
			}
		})
	}
}

func TestSeveralFaults(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.s.Fail(prismsim.Throttle(prismsim.Tenants, 1, "3"))
	clear503 := c.s.Fail(prismsim.Fault{Endpoint: prismsim.Tenants, Status: 503})
	if got := statuses(c, tenantsPath, 3); got[0] != 429 || got[1] != 503 || got[2] != 503 {
		t.Errorf("the first added does not go first: %v", got)
	}
	clear503()
	c.s.Fail(prismsim.Fault{Status: 502})
	if got := c.get(tenantsPath).status; got != 502 {
		t.Errorf("after one was cleared: %d", got)
	}
	c.s.ClearFaults()
	if got := c.get(tenantsPath).status; got != 200 {
		t.Errorf("after all were cleared: %d", got)
	}
}

func TestFaultsOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.s.Fail(prismsim.Fault{})
	if a := c.postForm(tokenForm(), nil); a.status != http.StatusOK {
		t.Errorf("a fault of the API strikes tokens: %d", a.status)
	}
	c.s.ClearFaults()
	c.s.Fail(prismsim.Fault{Endpoint: prismsim.Token, Status: 503, Times: 1})
	if a := c.postForm(tokenForm(), nil); a.status != 503 {
		t.Errorf("%d, want 503", a.status)
	}
	c.s.Fail(prismsim.Fault{Endpoint: prismsim.Token, Kind: prismsim.FaultCut, Times: 1})
	if a := c.postForm(tokenForm(), nil); a.status != 200 || a.err != nil || json.Valid(a.body) {
		t.Errorf("a token cut short: %d %s", a.status, a.body)
	}
	if a := c.postForm(tokenForm(), nil); a.status != 200 || !json.Valid(a.body) {
		t.Errorf("then: %d %s", a.status, a.body)
	}
}

func TestFaultsThatAreNone(t *testing.T) {
	t.Parallel()
	s := prismsim.New(smallWorld())
	for _, f := range []prismsim.Fault{{Kind: "sabotage"}, {Endpoint: "nowhere"}, {Status: 99}, {Status: 600}, {ErrorBody: "song"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", f)
				}
			}()
			s.Fail(f)
		}()
	}
}

func TestEmptyLists(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.s.Fail(prismsim.Fault{Kind: prismsim.FaultEmpty})
	invoice := dig(t, decode(t, startInvoice(t)), "Records", 0, "InvoiceId").(string)
	for _, test := range []struct{ method, path, body, want string }{
		{"GET", "/api/v2/microsoftcsp/tenants", "", `[]`},
		{"GET", detailsPath + "/products/available", "", `[]`},
		{"GET", pricesPath, "", `{"ProductGroups":[]}`},
		{"POST", rowsPath, oneDayRows, `{"Records":[]}`},
		{"POST", oldRowsPath, "{" + oneDayBody + "}", `{"UsageLineItems":[]}`},
		{"GET", invoicesPath, "", `{"Records":[]}`},
		{"GET", "/api/v1/me/invoice/" + invoice + "/csv", "", strings.ReplaceAll(invoiceColumns, " ", ",") + "\r\n"},
	} {
		if body := c.good(test.method, test.path, test.body); string(body) != test.want {
			t.Errorf("%s is %s", test.path, body)
		}
	}
	if got := dig(t, decode(t, c.good("GET", summaryPath+oneDay, "")), "ResourceUsageSummaries").([]any); len(got) != 0 {
		t.Errorf("resources: %v", got)
	}
}

// startInvoice is the list of invoices of the small world.
func startInvoice(t *testing.T) []byte { return start(t).good("GET", invoicesPath, "") }
