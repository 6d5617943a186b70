// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package sdktest

import "context"

// checkOrphan needs a shell that plays the host.
func checkOrphan(context.Context, *bench) error {
	return missing("needs a Unix shell that plays the host")
}
