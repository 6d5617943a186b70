// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// allowDebugger lets a debugger that did not start this process attach to it, which many kernels are set up to refuse.
func allowDebugger(log hclog.Logger) {
	const anybody = ^uintptr(0) // PR_SET_PTRACER_ANY
	if err := unix.Prctl(unix.PR_SET_PTRACER, anybody, 0, 0, 0); err != nil {
		log.Debug("the kernel does not restrict debuggers, or does not say so", "error", err)
	}
}
