// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/url"

	"github.com/tallymanhq/tallyman/sdk"
)

// Secret is text that must not be shown. Printed, logged or marshalled in whatever way it reads "***"; only Reveal gives
// the text.
type Secret = sdk.Secret

// hidden is what is shown in place of a secret.
const hidden = "***"

// NewSecret hides text.
func NewSecret(text string) Secret { return sdk.NewSecret(text) }

// ShownURL gives a database's URL as it may be shown: without its password.
func ShownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return hidden
	}
	if u.Scheme == "sqlite" || u.Scheme == "file" {
		return text
	}
	if u.Scheme == "" || u.Opaque != "" {
		return hidden
	}
	query := u.Query()
	for name := range query {
		if name != "sslmode" && name != "search_path" && name != "application_name" {
			query.Set(name, hidden)
		}
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += url.PathEscape(u.User.Username())
		if _, has := u.User.Password(); has {
			shown += ":" + hidden
		}
		shown += "@"
	}
	shown += u.Host + u.EscapedPath()
	if len(query) > 0 {
		// The stars are not escaped, because this is to be read and not to be used.
		text, _ := url.QueryUnescape(query.Encode())
		shown += "?" + text
	}
	return shown
}
