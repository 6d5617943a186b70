// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sdktest

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program that is to be started, and what it starts in turn, into a group of their own.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends what a program that has ended left running.
func killGroup(cmd *exec.Cmd) {
	if cmd != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
