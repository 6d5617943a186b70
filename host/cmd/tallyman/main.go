// SPDX-License-Identifier: Apache-2.0

// Tallyman keeps what a managed service provider resells in step with what its cloud distributors say.
package main

import (
	"os"

	"github.com/tallymanhq/tallyman/host/internal/cli"
)

// version is set when a release is built.
var version = "0.1.0-dev"

func main() {
	os.Exit(cli.Main(version, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
