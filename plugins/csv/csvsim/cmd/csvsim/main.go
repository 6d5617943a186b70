// SPDX-License-Identifier: Apache-2.0

// Csvsim plays a distributor that sends files, until it is interrupted or its standard input ends. It prints what
// "tallyman plugin test --simulator" reads.
package main

import (
	"fmt"
	"os"

	"github.com/tallymanhq/tallyman/plugins/csv/csvsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func main() {
	sim, err := csvsim.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, "csvsim:", err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}
