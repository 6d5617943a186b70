// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sdk

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// parentGone gives a function that returns when the process pid, which started this one, is gone.
func parentGone(pid int) (wait func()) {
	// A process whose parent ended gets another. If something stands between the host and this process, the parent says
	// nothing about the host and it is asked for itself.
	direct := os.Getppid() == pid
	return func() {
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		for {
			if direct && os.Getppid() != pid {
				return
			}
			if !direct && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				return
			}
			<-ticks.C
		}
	}
}
