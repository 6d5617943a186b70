// SPDX-License-Identifier: Apache-2.0

// Command cloudiqsim plays the API of Cloud-iQ for "tallyman plugin test --simulator".
package main

import (
	"fmt"
	"os"

	"github.com/tallymanhq/tallyman/plugins/cloudiq/cloudiqsim"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

func main() {
	sim, err := cloudiqsim.New(cloudiqsim.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloudiqsim:", err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}
