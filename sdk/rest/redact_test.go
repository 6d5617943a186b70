// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"
)

// TestSecretsAreHiddenInEveryForm goes through the ways in which an answer may repeat a secret.
func TestSecretsAreHiddenInEveryForm(t *testing.T) {
	t.Parallel()
	const secret = `tok/en+1=&<"x">`
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	var r redactor
	r.add(secret)
	for name, text := range map[string]string{
		"as it is": secret, "JSON": string(quoted), "a query": url.QueryEscape(secret), "a small query": strings.ToLower(url.QueryEscape(secret)),
		"a path": url.PathEscape(secret), "a page": html.EscapeString(secret), "hexadecimal": hex.EncodeToString([]byte(secret)),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 for URLs": base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 behind one byte":  base64.StdEncoding.EncodeToString([]byte(":" + secret)),
		"base64 behind two bytes": base64.StdEncoding.EncodeToString([]byte("i:" + secret)),
		"base64 in the middle":    base64.StdEncoding.EncodeToString([]byte("id:" + secret + ":and more")),
	} {
		shown := r.redact("before " + text + " after")
		if !strings.Contains(shown, "***") || strings.Contains(shown, text) || !strings.HasPrefix(shown, "before ") || !strings.HasSuffix(shown, " after") {
			t.Errorf("%s: %q is shown as %q", name, text, shown)
		}
		// In base64 the first and last characters may also depend on what stands beside the secret.
		if left := strings.TrimSuffix(strings.TrimPrefix(shown, "before "), " after"); len(left) > len("***")+len(`""`)+15 {
			t.Errorf("%s: %q is left", name, left)
		}
	}
}
