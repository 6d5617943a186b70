// SPDX-License-Identifier: Apache-2.0

// Command pax8sim plays the partner API of Pax8 for "tallyman plugin test --simulator".
package main

import (
	"fmt"
	"os"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func main() {
	sim, err := pax8sim.New(pax8sim.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "pax8sim:", err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}
