// SPDX-License-Identifier: Apache-2.0

// Command rhipesim is PRISM for "tallyman plugin test --simulator".
package main

import (
	"fmt"
	"os"

	"github.com/tallymanhq/tallyman/plugins/rhipe/rhipesim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func main() {
	sim, err := rhipesim.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rhipesim:", err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}
