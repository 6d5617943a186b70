// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pluginhost

import (
	"errors"
	"os"
	"syscall"
)

// writableByAll reports whether anybody may write to the file, or make and replace files in the directory. In a
// directory with the sticky bit nobody may replace what belongs to another.
func writableByAll(info os.FileInfo) bool {
	return info.Mode().Perm()&0o002 != 0 && (!info.IsDir() || info.Mode()&os.ModeSticky == 0)
}

// executable reports whether anybody at all may execute the file.
func executable(info os.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// platformEnv are no further variables.
var platformEnv []string

// killGroup ends a process group. One that is gone is no error.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// signalOf gives the name of the signal a process ended by, and whether it was one that cannot be caught.
func signalOf(state *os.ProcessState) (name string, kill bool) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return "", false
	}
	return status.Signal().String(), status.Signal() == syscall.SIGKILL
}

// isBadFormat reports whether the system does not know how to execute the file.
func isBadFormat(err error) bool { return errors.Is(err, syscall.ENOEXEC) }

// ours reports whether the file belongs to the user that runs the host.
func ours(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
