// SPDX-License-Identifier: Apache-2.0

// Command sherwebsim plays Sherweb for "tallyman plugin test --simulator".
package main

import (
	"fmt"
	"os"

	"github.com/tallymanhq/tallyman/plugins/sherweb/sherwebsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func main() {
	sim, err := sherwebsim.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sherwebsim:", err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}
