// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheEndpointOfTracesIsAnAddressWithoutSecrets(t *testing.T) {
	t.Parallel()
	for endpoint, right := range map[string]bool{
		"": true, "http://127.0.0.1:4318": true, "https://traces.example.com/otlp": true,
		"127.0.0.1:4318": false, "grpc://127.0.0.1:4317": false, "https://": false,
		"https://user:password@traces.example.com": false, "https://traces.example.com?key=password": false,
	} {
		c, err := read(t, fmt.Sprintf("traces { endpoint = %q }", endpoint))
		switch {
		case right && (err != nil || c.Traces.Endpoint != endpoint):
			t.Errorf("%q: %v", endpoint, err)
		case !right && (err == nil || !strings.Contains(err.Error(), "must be a web address without user and query")):
			t.Errorf("%q is taken (%v)", endpoint, err)
		case !right && strings.Contains(err.Error(), "password"):
			t.Errorf("%q: the message shows the password: %v", endpoint, err)
		}
	}
}
