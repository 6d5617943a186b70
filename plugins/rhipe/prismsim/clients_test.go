// SPDX-License-Identifier: Apache-2.0

package prismsim_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

func httpsClient(t *testing.T, certificate []byte) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if certificate != nil && !pool.AppendCertsFromPEM(certificate) {
		t.Fatal("no certificate")
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
}

// TestOtherClients holds what programs other than the plugin do when they talk
// to the real service.
func TestOtherClients(t *testing.T) {
	t.Parallel()

	t.Run("credentials in the body or as Basic", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		bare := tokenForm()
		bare.Del("client_id")
		bare.Del("client_secret")
		for note, answer := range map[string]*answer{
			"in the body": c.postForm(tokenForm(), nil),
			"with a charset": c.postForm(tokenForm(), func(r *http.Request) {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
			}),
			"as Basic":              c.postForm(bare, func(r *http.Request) { r.SetBasicAuth(prismsim.DemoClientID, prismsim.DemoClientSecret) }),
			"to a lower-case path":  c.postForm(tokenForm(), func(r *http.Request) { r.URL.Path = strings.ToLower(r.URL.Path) }),
			"to an upper-case path": c.postForm(tokenForm(), func(r *http.Request) { r.URL.Path = strings.ToUpper(r.URL.Path) }),
			"with a closing slash":  c.postForm(tokenForm(), func(r *http.Request) { r.URL.Path += "/" }),
		} {
			if answer.status != http.StatusOK {
				t.Errorf("%s: %d %s", note, answer.status, answer.body)
			}
		}
	})

	t.Run("credentials that a form escapes", func(t *testing.T) {
		t.Parallel()
		c := start(t, prismsim.WithCredentials("client+one", "a+b c/d=&%é"))
		form := tokenForm()
		form.Set("client_id", "client+one")
		form.Set("client_secret", "a+b c/d=&%é")
		if a := c.postForm(form, nil); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	})

	t.Run("paths as they come", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		want := c.good("GET", tenantsPath, "")
		for _, path := range []string{
			tenantsPath + "/", tenantsPath + "//", "/" + tenantsPath, strings.ReplaceAll(tenantsPath, "/", "//"),
			strings.ToLower(tenantsPath), strings.ToUpper(tenantsPath), "/API/v2/ContractAgreements/" + agreementID + "/Tenants/",
		} {
			if got := c.good("GET", path, ""); string(got) != string(want) {
				t.Errorf("%s is answered with %s", path, got)
			}
		}
		prices := c.good("GET", pricesPath+"?excludeTieredProducts=True", "")
		for _, path := range []string{strings.TrimSuffix(pricesPath, "/") + "?excludeTieredProducts=true", pricesPath + "?EXCLUDETIEREDPRODUCTS=TRUE"} {
			if got := c.good("GET", path, ""); string(got) != string(prices) {
				t.Errorf("%s is answered otherwise", path)
			}
		}
	})

	t.Run("no headers but the token", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		want := c.good("GET", customersPath, "")
		for note, change := range map[string]func(http.Header){
			"none":             func(h http.Header) { h["User-Agent"], h["Accept-Encoding"] = nil, nil },
			"JSON as the kind": func(h http.Header) { h.Set("Content-Type", "application/json") },
			"any kind":         func(h http.Header) { h.Set("Accept", "*/*") },
			"another kind":     func(h http.Header) { h.Set("Accept", "text/html") },
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.APIURL()+customersPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			change(r.Header)
			r.Header.Set("Authorization", "Bearer "+c.token)
			if a, err := send(r); err != nil || string(a.body) != string(want) {
				t.Errorf("%s: %v, %+v", note, err, a)
			}
		}
	})

	t.Run("a token for every call", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		first := c.logIn()
		for range 20 {
			c.token = c.logIn()
			c.good("GET", "/api/v1/me", "")
		}
		c.token = first
		c.good("GET", "/api/v1/me", "")
		if n := c.s.Calls(prismsim.Token); n != 21 {
			t.Errorf("%d tokens were asked for", n)
		}
	})

	t.Run("dates as they come", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		want := leaves(t, "", c.good("GET", summaryPath+"?startDate=2025-02-01&endDate=2025-03-01", ""))
		for _, form := range []string{
			"T00:00:00%2B0000", "T00:00:00+0000", "T00:00:00.000Z", "T00:00:00Z", "T00:00:00%2B00:00", "T00:00:00+00:00", "T00:00:00",
		} {
			got := leaves(t, "", c.good("GET", summaryPath+"?startDate=2025-02-01"+form+"&endDate=2025-03-01"+form, ""))
			if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", form, diff)
			}
		}
		for _, query := range []string{
			"", "?startDate=2025-02-01", "?endDate=2025-02-01", "?startDate=soon&endDate=2025-02-01", "?startDate=2025-02-01&endDate=2025-01-01",
			"?startDate=2025-02-01&endDate=2025-03-01&aggregation=ByColour",
		} {
			if a := c.get(summaryPath + query); a.status != http.StatusBadRequest {
				t.Errorf("%q is answered with %d", query, a.status)
			}
		}
	})

	t.Run("bodies in any letter case", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		want := c.good("POST", rowsPath, oneDayRows)
		for _, change := range []*strings.Replacer{
			strings.NewReplacer("subscriptionId", "SubscriptionId", "startDate", "StartDate", "endDate", "ENDDATE", "pageSize", "PageSize"),
			strings.NewReplacer(`"page":1`, `"page":"1"`, `"pageSize":500`, `"pageSize":"500"`),
			strings.NewReplacer(`,"page":1,"pageSize":500`, ""),
			strings.NewReplacer(azureSub, strings.ToUpper(azureSub)),
		} {
			if got := c.good("POST", rowsPath, change.Replace(oneDayRows)); string(got) != string(want) {
				t.Errorf("%s is answered with %.200s", change.Replace(oneDayRows), got)
			}
		}
		for _, body := range []string{"", "[]", "{", `"page"`, strings.Replace(oneDayRows, `"page":1`, `"page":0`, 1)} {
			if a := c.call("POST", rowsPath, body); a.status != http.StatusBadRequest {
				t.Errorf("%s is answered with %d", body, a.status)
			}
		}
	})

	t.Run("HEAD", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		if a := c.call("HEAD", customersPath, ""); a.status != http.StatusOK || len(a.body) != 0 {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
	})

	t.Run("ids in any letter case", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		want := c.good("GET", detailsPath, "")
		if got := c.good("GET", "/api/v2/microsoftcsp/tenants/"+url.PathEscape(strings.ToUpper(fabrikamTen)), ""); string(got) != string(want) {
			t.Errorf("answered with %s", got)
		}
	})
}
