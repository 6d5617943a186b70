// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package sdk

import "os"

// waitForParent returns when the process pid, which started this one, is gone.
func waitForParent(pid int) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return // On Windows only a process that runs can be found.
	}
	_, _ = process.Wait()
}
