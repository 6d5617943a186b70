// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk/rest"
)

// The secrets a plugin may have, each of its own odd characters.
const (
	clientSecret = `cl1ent/s3cret+1=&<"x">`
	apiKey       = `k3y-of-the-api/+é`
	password     = `hunter22 and a half`
	theToken     = "t0ken.from/the+distributor=="
	cookie       = "c00kie-of-the-session"
	basicWord    = "basic:passw0rd"
)

// unknown are secrets that only their names give away.
var unknown = map[string]string{
	"password": "unkn0wn-1 with a \\\" in it", "apiKey": "unkn0wn-2", "refresh_token": "unkn0wn-3", "Client-Secret": "unkn0wn-4",
	"sessionId": "unkn0wn-5", "sig": "unkn0wn-6", "X-Api-Key": "unkn0wn-7",
}

// form is a way in which a secret comes back: what is sent, and what of it must not be kept.
type form struct{ sent, never string }

// encodings gives a secret as it may come back. They are made here without the package's own list.
func encodings(secret string) map[string]form {
	quoted, err := json.Marshal(secret)
	if err != nil {
		panic(err)
	}
	inner := string(quoted[1 : len(quoted)-1])
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(inner)
	forms := map[string]form{}
	for name, text := range map[string]string{
		"plain": secret, "query": url.QueryEscape(secret), "small query": strings.ToLower(url.QueryEscape(secret)),
		"path": url.PathEscape(secret), "JSON": inner, "JSON without \\u": plain, "JSON with \\/": strings.ReplaceAll(plain, "/", `\/`),
		"HTML": html.EscapeString(secret), "hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	} {
		forms[name] = form{text, text}
	}
	for name, encoding := range map[string]*base64.Encoding{
		"base64": base64.StdEncoding, "raw base64": base64.RawStdEncoding, "base64 for URLs": base64.URLEncoding,
	} {
		whole := encoding.EncodeToString([]byte(secret))
		forms[name] = form{whole, whole}
		forms["escaped "+name] = form{url.QueryEscape(whole), url.QueryEscape(whole)}
		for shift := range 3 {
			// What stands around the secret changes the characters at its edges: they are not the secret's alone.
			within := encoding.EncodeToString([]byte("id:"[:shift] + secret + "..."))
			part := within[2*min(shift, 1)+shift/2 : len(within)-8]
			forms[fmt.Sprintf("%s behind %d bytes", name, shift)] = form{within, part}
			forms[fmt.Sprintf("escaped %s behind %d bytes", name, shift)] = form{url.QueryEscape(within), url.QueryEscape(part)}
		}
	}
	return forms
}

// leaky is a distributor that repeats every secret in every form, in the head and the body of each answer.
func leaky(secrets []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"unkn0wn-3","asked":%q,"token_type":"Bearer"}`, theToken, asked)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: cookie})
		w.Header().Set("X-Request-Id", url.QueryEscape(apiKey))
		w.Header().Set("X-Powered-By", theToken)
		w.Header().Set("Link", "<https://sam:"+url.QueryEscape(password)+"@host/?sig=unkn0wn-6&page=2>")
		code := http.StatusOK
		if r.URL.Query().Has("refuse") {
			code = http.StatusForbidden
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, "{\"url\": %q, \"body\": %q, \"authorization\": %q, \"head\": \"%s\"", r.URL, asked, r.Header.Get("Authorization"), r.Header)
		for name, value := range unknown {
			fmt.Fprintf(w, ",\n%q : \"%s\", \"link\": \"https://h/file?%s=unkn0wn-8\\u0026%s=unkn0wn-9&x=1\"", name, value, name, name)
		}
		for _, secret := range secrets {
			for name, form := range encodings(secret) {
				fmt.Fprintf(w, ",\n%q: \"%s\", %q: \"Basic %s\"", name, form.sent, name, base64.StdEncoding.EncodeToString([]byte("the-client:"+secret)))
			}
		}
		_, _ = io.WriteString(w, `, "nextToken": "kept"}`)
	}
}

func TestNoSecretReachesTheDisk(t *testing.T) {
	t.Parallel()
	secrets := []string{clientSecret, apiKey, password, theToken, cookie, basicWord}
	a := newAPI(t, nil)
	a.Config.Handler = leaky(secrets)
	for name, change := range map[string]func(*rest.Options){
		"a form":            func(*rest.Options) {},
		"a JSON object":     func(o *rest.Options) { o.Token.JSON = true },
		"Basic credentials": func(o *rest.Options) { o.Token.Basic = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := a.options()
			options.Token.ClientSecret = clientSecret
			options.Token.Extra = map[string]string{"grant_type": "password", "username": "sam", "password": password}
			options.Header = http.Header{
				"X-Key": {apiKey}, "X-Basic": {"Basic " + base64.StdEncoding.EncodeToString([]byte("id:"+basicWord))},
			}
			change(&options)
			folder := recorded(t, options, nil, func(c *rest.Client) {
				r := rest.Read("POST", "/v1/find/{key}", rest.Vars{"key": strings.ReplaceAll(apiKey, "/", "")}).
					WithQuery("secret", clientSecret).WithQuery("key", apiKey).WithQuery("api_key", "unkn0wn-2").WithQuery("q", password).
					WithBody(map[string]any{"password": "unkn0wn-1", "pass": clientSecret, "key": apiKey, "pin": 7})
				read := func(body io.Reader) error {
					_, err := io.Copy(io.Discard, body)
					return err
				}
				if err := c.Stream(t.Context(), r, read); err != nil {
					t.Error(err)
				}
				if err := c.Stream(t.Context(), r.WithQuery("refuse", "yes"), read); err == nil {
					t.Error("it was not refused")
				}
			})
			all := everything(t, folder)
			for _, secret := range secrets {
				for name, form := range encodings(secret) {
					if strings.Contains(all, form.never) {
						t.Errorf("%s is on the cassette as %s: %s", secret, name, form.never)
					}
				}
			}
			for _, word := range []string{"unkn0wn", "the-client", "Set-Cookie", "X-Powered-By", "session="} {
				if at := strings.Index(all, word); at >= 0 {
					t.Errorf("%q is on the cassette: …%s…", word, all[max(0, at-60):at+20])
				}
			}
			for _, kept := range []string{`"nextToken": "kept"`, `"pin":7`, "&x=1", "page=2"} {
				if !strings.Contains(all, kept) {
					t.Errorf("%q is not on the cassette", kept)
				}
			}
			if names, err := filepath.Glob(filepath.Join(folder, "*-POST-v1-find-*")); err != nil || len(names) != 2 {
				t.Errorf("files %v, %v", names, err)
			}
		})
	}
}

// What was taken out of a request when recording is taken out when it is asked for again, with other credentials.
func TestSecretsInRequestsAreFoundAgain(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answer(`["in"]`))
	ask := func(c *rest.Client, key string) string {
		return get(t, c, rest.Read("POST", "/v1/find", nil).WithQuery("api_key", key).WithQuery("q", "a").WithBody(map[string]string{"password": key}))
	}
	folder := recorded(t, a.options(), nil, func(c *rest.Client) { ask(c, "the real one") })
	c, cassette := replaying(t, folder, nil)
	if got := ask(c, "any"); got != `["in"]` {
		t.Errorf("got %s", got)
	}
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
}
