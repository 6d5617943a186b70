// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"net/url"
	"os"
	"strings"
)

// allowedEnv are the variables a plugin gets if the host has them: how to reach the world, which authorities to trust,
// which time zone to use, where temporary files go. Everything else stays with the host.
var allowedEnv = append([]string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "TZ", "TMPDIR",
}, platformEnv...)

// environment gives the plugin's environment from the host's, the allow-list and the names the operator added.
func environment(extra []string) []string {
	var env []string
	seen := map[string]bool{}
	for _, name := range append(append([]string{}, allowedEnv...), extra...) {
		if value, ok := os.LookupEnv(name); ok && !seen[name] && name != "" {
			seen[name] = true
			env = append(env, name+"="+value)
		}
	}
	return env
}

// proxySecrets gives the passwords in proxy addresses, which a plugin gets and must not tell.
func proxySecrets(env []string) []string {
	var secrets []string
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			continue
		}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok {
				secrets = append(secrets, password)
			}
		}
	}
	return secrets
}
