// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLoad reads a configuration of that many tenants, which every command does first.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text strings.Builder
			for i := range n {
				fmt.Fprintf(&text, "tenant \"t-%d\" {\n  module \"rhipe\" {\n    settings {\n      client_id = env(\"A\")\n      client_secret = env(\"B\")\n    }\n    schedule {\n      daily_at = \"02:15\"\n    }\n  }\n}\n", i)
			}
			content := [][]byte{[]byte(text.String())}
			for b.Loop() {
				if _, err := load("/", []string{"a.hcl"}, content, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
