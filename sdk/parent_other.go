// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package sdk

import "os"

// parentGone gives a function that returns when the process pid, which started this one, is gone.
func parentGone(pid int) (wait func()) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return func() {} // On Windows only a process that runs can be found.
	}
	return func() { _, _ = process.Wait() }
}
