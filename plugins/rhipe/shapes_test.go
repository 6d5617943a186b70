// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallymanhq/tallyman/sdk"
)

// reshape rewrites every member of a JSON text.
func reshape(t *testing.T, text string, change func(name string, value any) (string, any)) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var whole any
	if err := decoder.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for name, value := range v {
				newName, newValue := change(name, walk(value))
				if newName != "" {
					out[newName] = newValue
				}
			}
			return out
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
			return v
		default:
			return v
		}
	}
	data, err := json.Marshal(walk(whole))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What PRISM means must not depend on how it writes it: it has changed that before without a new version.
func TestTheShapeOfAnAnswerDoesNotChangeItsMeaning(t *testing.T) {
	t.Parallel()
	named := func(rename func(string) string) func(string, any) (string, any) {
		return func(name string, value any) (string, any) { return rename(name), value }
	}
	camel := func(name string) string { return strings.ToLower(name[:1]) + name[1:] }
	keep := func(text string) string { return text }
	shapes := map[string]struct {
		member func(string, any) (string, any)
		whole  func(string) string
	}{
		"camelCase names":  {named(camel), keep},
		"lower-case names": {named(strings.ToLower), keep},
		"upper-case names": {named(strings.ToUpper), keep},
		"numbers as text": {func(name string, value any) (string, any) {
			if n, ok := value.(json.Number); ok {
				return name, n.String()
			}
			return name, value
		}, keep},
		"yes and no as text": {func(name string, value any) (string, any) {
			if b, ok := value.(bool); ok {
				return name, strconv.FormatBool(b)
			}
			return name, value
		}, keep},
		"null for empty lists": {func(name string, value any) (string, any) {
			if list, ok := value.([]any); ok && len(list) == 0 {
				return name, nil
			}
			return name, value
		}, keep},
		"lists within objects": {func(name string, value any) (string, any) {
			if _, ok := value.([]any); ok {
				return name, map[string]any{"Items": value}
			}
			return name, value
		}, keep},
		"without members that are null": {func(name string, value any) (string, any) {
			if value == nil && name != "Subscriptions" {
				return "", nil
			}
			return name, value
		}, keep},
		"an offset without colon": {func(name string, value any) (string, any) {
			if s, ok := value.(string); ok && name == "FirstPurchased" {
				return name, strings.Replace(s, "+00:00", "+0000", 1)
			}
			return name, value
		}, keep},
		"dates without offset": {func(name string, value any) (string, any) {
			if s, ok := value.(string); ok && name == "FirstPurchased" {
				return name, strings.Replace(s, "+00:00", "", 1)
			}
			return name, value
		}, keep},
		"a byte order mark": {named(keep), func(text string) string { return "\xef\xbb\xbf" + text }},
		"white space":       {named(keep), func(text string) string { return "\r\n\t" + strings.ReplaceAll(text, ",\"", " ,\n \"") + "\r\n\r\n" }},
		"unknown members": {named(keep), func(text string) string {
			return strings.ReplaceAll(text, `"Status":`, `"FutureField":{"a":[1,{"Status":"x"}]},"Status":`)
		}},
		"an envelope": {named(keep), func(text string) string { return `{"Data":` + text + `,"Total":3}` }},
	}
	read := func(texts map[string]string) ([]sdk.Customer, []sdk.Subscription) {
		h := connected(t, newPrism(t, texts).URL, nil)
		customers, records := h.listCustomers(), h.listSubscriptions()
		if customers.outcome("") != "complete" || records.outcome("") != "complete" || len(customers.warnings)+len(records.warnings) > 0 {
			t.Errorf("outcomes %s, %s; warnings %q %q", customers.outcome(""), records.outcome(""), customers.warnings, records.warnings)
		}
		return customers.customers, records.records
	}
	base := account()
	// Numbers in the texts are read as text where the member is a text, so one form of each is enough to compare with.
	wantCustomers, wantRecords := read(base)
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := account()
			for _, path := range []string{customersPath, tenantsA} {
				texts[path] = shape.whole(reshape(t, texts[path], shape.member))
			}
			customers, records := read(texts)
			if diff := cmp.Diff(wantCustomers, customers, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantRecords, records, cmpopts.EquateComparable(sdk.Decimal{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPassingFailuresAreRidden(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"500":                     respond(500, "application/json", `{"Message":"An error has occurred."}`),
		"503 in HTML":             respond(503, "text/html", `<html>down</html>`),
		"429 without Retry-After": respond(429, "application/json", ``),
		"429 with Retry-After":    respond(429, "application/json", ``, "Retry-After", "0"),
		"a broken line": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrism(t, account())
			for _, path := range []string{customersPath, tenantsA, "/core/connect/token"} {
				left := 2
				text := account()[path]
				if text == "" {
					text = `{"access_token":"the-token","expires_in":"3600","token_type":"bearer"}`
				}
				p.handle(path, func(w http.ResponseWriter, r *http.Request) {
					if left--; left >= 0 {
						failure(w, r)
						return
					}
					_, _ = io.WriteString(w, text)
				})
			}
			got := connected(t, p.URL, nil).listSubscriptions()
			if got.outcome("") != "complete" || len(got.records) != 5 {
				t.Errorf("outcome %s, records %s: %v", got.outcome(""), got.refs(), got.end)
			}
		})
	}
}

func TestErrorBodiesOfEveryStyleAreShown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ kind, body, want string }{
		"Message":    {"application/json", `{"Message":"Agreement locked"}`, "Agreement locked"},
		"error":      {"application/json", `{"error":"agreement_locked"}`, "agreement_locked"},
		"ModelState": {"application/json", `{"Message":"The request is invalid.","ModelState":{"contractAgreementId":["not yours"]}}`, "not yours"},
		"HTML":       {"text/html", `<html><body><h1>Agreement</h1>locked</body></html>`, "Agreement locked"},
		"empty":      {"text/plain", ``, "403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrism(t, account())
			p.handle(tenantsA, respond(403, test.kind, test.body, "X-Correlation-Id", "corr-7"))
			e := connected(t, p.URL, nil).listSubscriptions().ends[agreementA].GetError()
			if !strings.Contains(e.GetMessage(), test.want) || strings.ContainsAny(e.GetMessage(), "<>") || e.GetCorrelationId() != "corr-7" || e.GetHint() == "" {
				t.Errorf("%v", e)
			}
		})
	}
}

// Two records with one id reach the host, which keeps the last and says so; the plugin drops neither.
func TestRecordsThatShareAnIDReachTheHost(t *testing.T) {
	t.Parallel()
	texts := account()
	texts[tenantsA] = `[{"TenantId":"T1","CustomerId":"C1","Subscriptions":[{"SubscriptionId":"S-1","Quantity":1},{"SubscriptionId":"s-1","Quantity":2}]}]`
	if got := connected(t, newPrism(t, texts).URL, nil).listSubscriptions(); len(got.records) != 2 {
		t.Errorf("records %s", got.refs())
	}
}

func TestAnAnswerOf50MiBIsListedWhole(t *testing.T) {
	p := newPrism(t, account())
	const each = 100
	p.handle(tenantsA, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[")
		for n := range 600 {
			if n > 0 {
				_, _ = io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"TenantId":"T%d","CustomerId":"C1","Subscriptions":[`, n)
			for s := range each {
				if s > 0 {
					_, _ = io.WriteString(w, ",")
				}
				fmt.Fprintf(w, `{"SubscriptionId":"S-%d-%d","Status":"Active","Quantity":1,"Filler":"%s"}`, n, s, strings.Repeat("x", 850))
			}
			_, _ = io.WriteString(w, "]}")
		}
		_, _ = io.WriteString(w, "]")
	})
	got := connected(t, p.URL, nil).listSubscriptions()
	if got.outcome(agreementA) != "complete" || len(got.records) != 600*each {
		t.Errorf("outcome %s, %d records", got.outcome(agreementA), len(got.records))
	}
}

func TestSecretsAreInNoMessage(t *testing.T) {
	t.Parallel()
	echo := respond(400, "application/json", `{"Message":"client_secret=`+testSecret+` Bearer the-token-of-many"}`)
	for _, path := range []string{"/core/connect/token", customersPath, tenantsA} {
		p := newPrism(t, account())
		p.handle(path, echo)
		h := connected(t, p.URL, nil)
		// hear and test fail when they see the secret.
		for _, got := range []*heard{h.listCustomers(), h.listSubscriptions()} {
			if slices.ContainsFunc(got.warnings, func(w string) bool { return strings.Contains(w, "the-token-of-many") }) || strings.Contains(got.end.String(), "the-token-of-many") {
				t.Errorf("a token is in %v %q", got.end, got.warnings)
			}
		}
		h.test()
	}
}
